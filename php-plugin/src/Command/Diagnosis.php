<?php

declare(strict_types=1);

namespace Allegro\Plugin\Command;

use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\EngineFinder;
use Allegro\Plugin\Native\Protocol;
use Allegro\Plugin\Takeover\TarDownloader;
use Allegro\Plugin\Takeover\ZipDownloader;
use Composer\Composer;
use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Process\ExecutableFinder;

/**
 * Describes the parts that Allegro uses in a project, and gives advice.
 *
 * @phpstan-import-type DiagnoseAnswer from Protocol
 * @phpstan-import-type Place from Protocol
 *
 * @phpstan-type Facts array{
 *     works: bool,
 *     problem: string|null,
 *     engine: string|null,
 *     engine_reason: string|null,
 *     extension: string|null,
 *     helper: string,
 *     composer: string,
 *     php: string,
 *     downloaders: array<string, string>,
 *     own_files: list<array{reason: string, packages: list<string>}>,
 *     native: DiagnoseAnswer|null,
 * }
 */
final class Diagnosis
{
    /** File systems whose answers come over a network. */
    private const REMOTE = ['nfs', 'nfs4', 'cifs', 'smb3', '9p', 'fuse.sshfs', 'virtiofs', 'fuse.grpcfuse'];

    /** Explanations of the link methods. */
    private const METHODS = [
        'reflink' => 'reflinks: each file is its own, but takes no space of its own',
        'hardlink' => 'hard links: files of vendor and of the store are the same',
        'copy' => 'copies: each file takes time and space',
    ];

    /**
     * @param Facts        $facts
     * @param list<string> $advice
     */
    private function __construct(private readonly array $facts, private readonly array $advice)
    {
    }

    /**
     * Examines the native part, the downloaders and the packages of a project.
     *
     * @param bool $wanted whether the plugin takes part at all
     */
    public static function of(Composer $composer, EngineFinder $engines, bool $wanted): self
    {
        $engine = $engines->find();
        $problem = $wanted ? null : 'switched off by ALLEGRO_DISABLE';
        $native = null;
        if ($engine !== null) {
            try {
                /** @var string $vendorDir */
                $vendorDir = $composer->getConfig()->get('vendor-dir');
                $native = $engine->diagnose($vendorDir);
                $problem ??= $native['problem'];
            } catch (EngineException $e) {
                $problem ??= $e->getMessage();
            }
            $engine->close();
        }
        $downloaders = [];
        foreach (['zip' => ZipDownloader::class, 'tar' => TarDownloader::class] as $type => $class) {
            try {
                $current = get_class($composer->getDownloadManager()->getDownloader($type));
            } catch (\InvalidArgumentException $e) {
                $current = 'nobody';
            }
            $downloaders[$type] = $current === $class ? 'Allegro' : $current;
        }
        $facts = [
            'works' => $wanted && $problem === null && $native !== null,
            'problem' => $problem ?? ($engine === null ? $engines->reason() : null),
            'engine' => $engine === null ? null : $engine->kind(),
            'engine_reason' => $engines->reason() ?? ($engine !== null && $engine->kind() === 'helper' ? 'the extension is not loaded' : null),
            'extension' => extension_loaded('allegro') ? (string) phpversion('allegro') : null,
            'helper' => $engines->helperPath(),
            'composer' => Composer::getVersion(),
            'php' => PHP_VERSION.(PHP_ZTS ? ' ZTS' : ' NTS'),
            'downloaders' => $downloaders,
            'own_files' => OwnFiles::of($composer),
            'native' => $native,
        ];

        return new self($facts, self::advice($facts, $composer, $engines));
    }

    /**
     * Tells whether Allegro works in the project.
     */
    public function works(): bool
    {
        return $this->facts['works'];
    }

    /**
     * Returns the facts and the advice, as data.
     *
     * @return array<string, mixed>
     */
    public function facts(): array
    {
        return $this->facts + ['advice' => $this->advice];
    }

    /**
     * Returns the facts and the advice, as lines for people.
     *
     * @return list<string>
     */
    public function lines(): array
    {
        $facts = $this->facts;
        $native = $facts['native'];
        $rows = [];
        if ($facts['engine'] === 'extension') {
            $rows['Native part'] = 'the extension '.(string) $facts['extension'].', in PHP\'s own process';
        } elseif ($facts['engine'] === 'helper') {
            $rows['Native part'] = 'the helper process '.$facts['helper'].($facts['engine_reason'] !== null ? ', because '.$facts['engine_reason'] : '');
        } else {
            $rows['Native part'] = 'none: '.(string) $facts['engine_reason'];
        }
        if ($native !== null) {
            $rows['Version'] = $native['version'].' (protocol '.$native['protocol'].', store layout '.$native['layout'].')';
            $rows['Store'] = self::place($native['store']);
            if ($native['usage'] !== null) {
                $rows['Store'] .= sprintf(
                    ': %s packages, %s files, %s',
                    number_format($native['usage']['manifests']),
                    number_format($native['usage']['blobs']),
                    self::bytes($native['usage']['bytes'])
                );
                if ($native['usage']['quarantined'] > 0) {
                    $rows['Quarantine'] = sprintf(
                        '%s files that were changed in place, %s, kept for a look in %s/quarantine',
                        number_format($native['usage']['quarantined']),
                        self::bytes($native['usage']['quarantined_bytes']),
                        $native['store']['path']
                    );
                }
            }
            $rows['Project'] = self::place($native['vendor']);
            $rows['Link method'] = $native['method'] === null ? 'none' : self::METHODS[$native['method']];
            if ($native['strategy'] !== 'auto') {
                $rows['Link method'] .= ' (ALLEGRO_LINK_STRATEGY='.$native['strategy'].')';
            }
            if ($native['sharing'] !== null) {
                $rows['Link method'] .= '; '.$native['sharing']['reason'];
            }
            $rows['Downloads'] = $native['workers'].' at a time';
        }
        $archives = [];
        foreach ($facts['downloaders'] as $type => $who) {
            $archives[] = $type.': '.$who;
        }
        $rows['Archives'] = implode(', ', $archives);
        $rows['Composer'] = $facts['composer'].' on PHP '.$facts['php'];

        $lines = [
            $facts['works']
                ? '<info>Allegro works here.</info>'
                : '<comment>Allegro does not work here, Composer installs by itself: '.OutputFormatter::escape((string) $facts['problem']).'</comment>',
            '',
        ];
        foreach ($rows as $name => $text) {
            $lines[] = sprintf('<info>%-12s</info> %s', $name, OutputFormatter::escape($text));
        }
        if ($facts['own_files'] !== []) {
            $lines[] = '';
            $lines[] = 'Packages with files of their own:';
            foreach (OwnFiles::lines($facts['own_files']) as $line) {
                $lines[] = '  - '.OutputFormatter::escape($line);
            }
        }
        if ($this->advice !== []) {
            $lines[] = '';
            $lines[] = 'What would be faster or better:';
            foreach ($this->advice as $advice) {
                $lines[] = '  - '.OutputFormatter::escape($advice);
            }
        }

        return $lines;
    }

    /**
     * Returns sentences on changes that would make Allegro faster or better.
     *
     * @param Facts $facts
     *
     * @return list<string>
     */
    private static function advice(array $facts, Composer $composer, EngineFinder $engines): array
    {
        $advice = [];
        $native = $facts['native'];
        if ($facts['engine'] !== 'extension') {
            $file = $engines->extensionPath();
            $advice[] = $file !== null
                ? 'load the extension into the PHP of the command line ("extension='.$file.'" in its php.ini): no process has to be started'
                : 'an extension for this PHP would save the start of a process; this package has none for PHP '.$facts['php'];
        }
        if ($native !== null) {
            if ($native['sharing'] !== null) {
                $advice[] = $native['sharing']['advice'];
            } elseif ($native['method'] === 'copy' && $native['strategy'] === 'auto') {
                $advice[] = $native['store']['mount'] !== $native['vendor']['mount']
                    ? 'a store on the project\'s file system ('.(string) $native['vendor']['mount'].'): set ALLEGRO_STORE to a directory there, and files are linked instead of copied'
                    : 'a file system with reflinks or hard links: this one ('.(string) $native['vendor']['file_system'].') has neither';
            } elseif ($native['method'] === 'hardlink' && $native['strategy'] === 'auto') {
                $advice[] = 'a file system with reflinks (XFS, btrfs): an edit in vendor could then not reach the store, and bins would take no space';
            }
            foreach (['store' => 'the store', 'vendor' => 'the project'] as $key => $what) {
                if (in_array($native[$key]['file_system'], self::REMOTE, true)) {
                    $advice[] = $what.' on a local disk: '.(string) $native[$key]['mount'].' is '.$native[$key]['file_system'].', where each file costs a round trip';
                }
            }
        }
        foreach ($facts['downloaders'] as $type => $who) {
            if ($facts['works'] && $who !== 'Allegro') {
                $advice[] = $type.' archives through the store: they are handled by '.$who;
            }
        }
        if ((new ExecutableFinder())->find('unzip') === null) {
            $advice[] = 'unzip: without it Composer loses modes and links of zips, or unpacks them with 7z, past the store';
        }
        if (extension_loaded('xdebug') && (!function_exists('xdebug_info') || xdebug_info('mode') !== [])) {
            $advice[] = 'Composer without Xdebug (unset COMPOSER_ALLOW_XDEBUG)';
        }
        /** @var int $ttl */
        $ttl = $composer->getConfig()->get('cache-files-ttl');
        /** @var bool $isReadOnly */
        $isReadOnly = $composer->getConfig()->get('cache-read-only');
        if ($ttl <= 0 || $isReadOnly) {
            $advice[] = 'Composer\'s archive cache, which is off or read-only';
        }

        return $advice;
    }

    /**
     * Formats a directory with its file system and mount point.
     *
     * @param Place $place
     */
    private static function place(array $place): string
    {
        return $place['path'].($place['file_system'] === null ? '' : ' on '.$place['file_system'].' ('.(string) $place['mount'].')');
    }

    /**
     * Formats a number of bytes, such as "1.4 MiB".
     */
    private static function bytes(int $bytes): string
    {
        $units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
        $size = (float) $bytes;
        for ($unit = 0; $size >= 1024 && $unit < 4; ++$unit) {
            $size /= 1024;
        }

        // mago doesn't see that the loop may end at once.
        // @mago-expect analysis:redundant-comparison,impossible-condition
        return sprintf($unit === 0 ? '%d %s' : '%.1f %s', $size, $units[$unit]);
    }
}
