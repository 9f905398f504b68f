<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

use Composer\IO\IOInterface;
use Composer\Util\Platform;

/**
 * Chooses between the extension in this process and the bundled helper.
 */
final class EngineFinder
{
    private ?Engine $engine = null;

    /** Whether the search for an engine is over. */
    private bool $searched = false;

    /** The reason for which there is no engine, or not the better one. */
    private ?string $reason = null;

    /**
     * @param string $packageDir where the plugin's package is; `native/` is below it
     */
    public function __construct(private readonly string $packageDir, private readonly IOInterface $io)
    {
    }

    /**
     * Returns the engine, or null if there is none. The first call tells the user the reason.
     */
    public function find(): ?Engine
    {
        if ($this->searched) {
            return $this->engine;
        }
        $this->searched = true;
        $missing = Functions::missing(Functions::NEEDED);
        if ($missing !== null) {
            $this->reason = Functions::isOff($missing);
        } elseif ((string) ini_get('disable_classes') !== '') {
            // It doesn't matter which classes they are. A class that is switched off still exists,
            // but can't be used.
            $this->reason = 'classes of PHP are switched off (disable_classes)';
        } else {
            $this->engine = $this->extension() ?? $this->helper();
        }
        if ($this->engine === null) {
            $this->io->writeError('<warning>Allegro: '.(string) $this->reason.'; Composer installs by itself. ALLEGRO_DISABLE=1 silences this.</warning>');
        } elseif ($this->reason !== null) {
            $this->io->writeError('Allegro: '.$this->reason.'; the helper is used instead', true, IOInterface::VERBOSE);
        }

        return $this->engine;
    }

    /**
     * Takes the engine out of use for the rest of the run, and warns the user.
     */
    public function giveUp(string $reason): void
    {
        if ($this->engine !== null) {
            $this->withdraw();
            $this->io->writeError('<warning>Allegro: '.$reason.'; Composer goes on by itself.</warning>');
        }
    }

    /**
     * Takes the engine out of use for the rest of the run, without a message.
     */
    public function withdraw(): void
    {
        $engine = $this->engine;
        $this->searched = true;
        $this->engine = null;
        if ($engine !== null) {
            $engine->close();
        }
    }

    /**
     * Returns the engine for work that can't be done without one.
     *
     * @throws EngineException with the reason if there is no engine
     */
    public function demand(): Engine
    {
        return $this->find() ?? throw new EngineException($this->reason ?? 'it is out of use after a failure');
    }

    /**
     * Returns the reason for which there is no engine, or not the better one. It returns null if
     * there is nothing to tell.
     */
    public function reason(): ?string
    {
        return $this->reason;
    }

    /**
     * Returns the path at which the helper is or would be.
     */
    public function helperPath(): string
    {
        return $this->nativeDir().'/allegro';
    }

    /**
     * Returns the path of the packaged extension that this PHP could load, or null if there is
     * none.
     */
    public function extensionPath(): ?string
    {
        if (Functions::missing(['phpinfo', 'php_uname']) !== null) {
            return null;
        }
        // PHP tells the number of its API nowhere else.
        ob_start();
        phpinfo(INFO_GENERAL);
        $match = [];
        $api = preg_match('{PHP API => (\d+)}', (string) ob_get_clean(), $match) === 1 ? $match[1] : '';
        $file = $this->nativeDir().'/allegro-'.$api.'-'.(PHP_ZTS ? 'zts' : 'nts').'.so';

        return is_file($file) ? $file : null;
    }

    /**
     * Returns the directory of the native part for this platform.
     */
    private function nativeDir(): string
    {
        return $this->packageDir.'/native/'.self::platform();
    }

    /**
     * Returns the name of this platform: operating system and machine.
     */
    private static function platform(): string
    {
        return strtolower(PHP_OS_FAMILY).'-'.(function_exists('php_uname') ? php_uname('m') : 'unknown');
    }

    /**
     * Returns the engine of the loaded extension, or null if the extension is not loaded or doesn't
     * fit.
     */
    private function extension(): ?Engine
    {
        if (!extension_loaded('allegro')) {
            return null;
        }
        /** @var int|null $protocol */
        $protocol = function_exists('Allegro\info') ? (\Allegro\info()['protocol'] ?? null) : null;
        if ($protocol === Protocol::VERSION) {
            return new ExtensionEngine();
        }
        $this->reason = sprintf(
            'the loaded extension (%s) does not fit this plugin, update both to the same version',
            (string) phpversion('allegro')
        );

        return null;
    }

    /**
     * Returns the engine of the bundled helper, or null if the helper can't be used.
     */
    private function helper(): ?Engine
    {
        $missing = Functions::missing(['php_uname', ...HelperEngine::NEEDED]);
        if ($missing !== null) {
            $this->reason ??= Functions::isOff($missing).' and the extension is not loaded';

            return null;
        }
        $binary = $this->helperPath();
        if (!is_file($binary)) {
            $this->reason ??= 'there is no native part for '.self::platform().' in '.$this->packageDir.'/native and the extension is not loaded';

            return null;
        }
        if (!is_executable($binary)) {
            // PHP's ZipArchive has unpacked the package, and drops modes.
            @chmod($binary, 0755);
            clearstatcache(true, $binary);
        }
        if (!is_executable($binary)) {
            $this->reason ??= $binary.' is not executable';

            return null;
        }

        $patience = (int) Platform::getEnv('ALLEGRO_PATIENCE_MS');

        return $patience > 0 ? new HelperEngine($binary, $patience / 1000) : new HelperEngine($binary);
    }
}
