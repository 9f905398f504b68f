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

    private bool $searched = false;

    /** Why there is no (better) engine. */
    private ?string $reason = null;

    /**
     * @param string $packageDir where the plugin's package is; `native/` is below it
     */
    public function __construct(private readonly string $packageDir, private readonly IOInterface $io)
    {
    }

    /**
     * The engine, if there is one; says once why not.
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
            // Whichever they are: a class that is off still exists, but nothing can be done with it.
            $this->reason = 'classes of PHP are switched off (disable_classes)';
        } else {
            $this->engine = $this->extension() ?? $this->helper();
        }
        if ($this->engine === null) {
            $this->io->writeError('<warning>Allegro: '.$this->reason.'; Composer installs by itself. ALLEGRO_DISABLE=1 silences this.</warning>');
        } elseif ($this->reason !== null) {
            $this->io->writeError('Allegro: '.$this->reason.'; the helper is used instead', true, IOInterface::VERBOSE);
        }

        return $this->engine;
    }

    /**
     * Takes the engine out of use for the rest of the run.
     */
    public function giveUp(string $reason): void
    {
        if ($this->engine !== null) {
            $this->withdraw();
            $this->io->writeError('<warning>Allegro: '.$reason.'; Composer goes on by itself.</warning>');
        }
    }

    /**
     * Takes the engine out of use without a word.
     */
    public function withdraw(): void
    {
        $engine = $this->engine;
        $this->searched = true;
        $this->engine = null;
        $engine === null || $engine->close();
    }

    /**
     * Why there is no engine, or not the better one; null if there is nothing to say.
     */
    public function reason(): ?string
    {
        return $this->reason;
    }

    /**
     * Where the helper is or would be.
     */
    public function helperPath(): string
    {
        return $this->nativeDir().'/allegro';
    }

    /**
     * The packaged extension that this PHP could load.
     */
    public function extensionPath(): ?string
    {
        if (Functions::missing(['phpinfo', 'php_uname']) !== null) {
            return null;
        }
        // Told nowhere else.
        ob_start();
        phpinfo(INFO_GENERAL);
        $api = preg_match('{PHP API => (\d+)}', (string) ob_get_clean(), $match) === 1 ? $match[1] : '';
        $file = $this->nativeDir().'/allegro-'.$api.'-'.(PHP_ZTS ? 'zts' : 'nts').'.so';

        return is_file($file) ? $file : null;
    }

    private function nativeDir(): string
    {
        return $this->packageDir.'/native/'.self::platform();
    }

    private static function platform(): string
    {
        return strtolower(PHP_OS_FAMILY).'-'.(function_exists('php_uname') ? php_uname('m') : 'unknown');
    }

    private function extension(): ?Engine
    {
        if (!extension_loaded('allegro')) {
            return null;
        }
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
            // Unpacked by PHP's ZipArchive, which drops modes.
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
