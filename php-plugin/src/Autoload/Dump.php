<?php

declare(strict_types=1);

namespace Allegro\Plugin\Autoload;

use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\InterruptedException;
use Composer\Composer;
use Composer\Config;
use Composer\EventDispatcher\EventDispatcher;
use Composer\IO\IOInterface;
use Composer\Package\Link;
use Composer\Package\Locker;
use Composer\Package\PackageInterface;
use Composer\Package\RootPackageInterface;
use Composer\Repository\InstalledRepositoryInterface;

/**
 * Compares a dump with the former one. Its fingerprint covers everything that the dump depends on,
 * apart from PHP files.
 *
 * @phpstan-type Autoloads array{
 *     'psr-0': array<string, array<string>>,
 *     'psr-4': array<string, array<string>>,
 *     classmap: array<int, string>,
 *     files: array<string, string>,
 *     'exclude-from-classmap': array<int, string>,
 * }
 * @phpstan-type DumpOptions array{
 *     0?: string,
 *     1?: scalar|null,
 *     2?: scalar|null,
 *     3?: Locker|null,
 *     4?: scalar|null,
 *     ...
 * }
 * @phpstan-type GeneratorState array{
 *     eventDispatcher: EventDispatcher,
 *     io: IOInterface,
 *     devMode: bool,
 *     runScripts: bool,
 *     classMapAuthoritative: bool,
 *     apcu?: bool,
 *     apcuPrefix?: string|null,
 *     dryRun?: bool,
 *     ...
 * }
 */
final class Dump
{
    /** The fingerprint of the dump, or null if it was not checked or has none. */
    private ?string $fingerprint = null;

    /** Whether the dump may still be skipped. */
    private bool $checks = true;

    /**
     * The autoload rules that all packages and the project declare.
     *
     * @var array<string, array<array<string>|string>>
     */
    private array $autoloads = [];

    /**
     * @param DumpOptions $options arguments of dump() after the installation manager
     */
    public function __construct(
        private readonly Engine $engine,
        private readonly ClassMapMaker $maker,
        private readonly DumpMethod $method,
        private readonly Config $config,
        private readonly InstalledRepositoryInterface $localRepo,
        private readonly RootPackageInterface $rootPackage,
        private readonly array $options,
    ) {
    }

    /**
     * Returns a copy of the dump that is never skipped.
     */
    public function withoutCheck(): self
    {
        $dump = clone $this;
        $dump->checks = false;

        return $dump;
    }

    /**
     * Tells whether PSR directories are scanned too.
     *
     * @param array{classMapAuthoritative: bool, ...} $state what Composer's generator keeps
     */
    public function scansPsr(array $state): bool
    {
        return ($this->options[1] ?? false) || $state['classMapAuthoritative'] === true;
    }

    /**
     * Throws if the dump would reproduce the existing files. Only the first call checks that.
     *
     * @param array<int, array{0: PackageInterface, 1: string|null}> $packageMap
     * @param GeneratorState                                         $state
     *         what Composer's generator keeps
     *
     * @throws Unchanged if the dump would give what is there already
     */
    public function check(array $packageMap, array $state): void
    {
        if (!$this->checks) {
            return;
        }
        $this->checks = false;
        $this->fingerprint = $this->fingerprint($packageMap, $state);
        if ($this->fingerprint === null) {
            return;
        }
        try {
            $request = ['vendor_dir' => $this->maker->vendorDir(), 'fingerprint' => $this->fingerprint];
            $answer = InterruptedException::outlive(fn (): array => $this->engine->unchanged($request));
        } catch (EngineException $e) {
            return;
        }
        if (($answer['unchanged'] ?? false) === true) {
            throw new Unchanged((string) $answer['said'], (int) $answer['classes']);
        }
    }

    /**
     * Remembers the autoload rules of the dump.
     *
     * @param Autoloads $autoloads what all packages and the project declare
     */
    public function parsed(array $autoloads): void
    {
        $this->autoloads = $autoloads;
    }

    /**
     * Has the native part record a finished dump, so that a later one can be skipped.
     *
     * @param array<string, string|null> $outputs SHA-256 of each generated file
     * @param string|null                $said    null if it was too much to be said again
     * @param GeneratorState             $state   what Composer's generator keeps
     */
    public function done(array $outputs, ?string $said, int $classes, array $state): void
    {
        $digest = $this->maker->digest();
        $fingerprint = $this->fingerprint;
        if ($fingerprint === null || $digest === null || $said === null || $outputs === []) {
            return;
        }
        if ($this->scansPsr($state)) {
            $outputs += array_fill_keys($this->absentDirectories(), null);
        }
        $list = [];
        foreach ($outputs as $path => $sum) {
            $list[] = [$path, $sum];
        }
        try {
            $request = [
                'vendor_dir' => $this->maker->vendorDir(),
                'fingerprint' => $fingerprint,
                'digest' => $digest,
                'said' => $said,
                'classes' => $classes,
                'outputs' => $list,
            ];
            InterruptedException::outlive(fn () => $this->engine->dumped($request));
        } catch (EngineException $e) {
            // The next dump is a full one.
        }
    }

    /**
     * Returns the PSR directories that don't exist, and for which Composer has made no rule. Once
     * they exist, the class map is another.
     *
     * @return list<string>
     */
    private function absentDirectories(): array
    {
        $absent = [];
        foreach (['psr-0', 'psr-4'] as $type) {
            foreach ($this->autoloads[$type] ?? [] as $paths) {
                foreach ((array) $paths as $path) {
                    // Composer has checked the working directory.
                    // @mago-expect analysis:possibly-false-operand
                    $path = str_starts_with($path, '/') ? $path : getcwd().'/'.$path;
                    if (!is_dir($path)) {
                        $absent[] = rtrim($path, '/');
                    }
                }
            }
        }

        return $absent;
    }

    /**
     * Returns the fingerprint of the dump.
     *
     * @param array<int, array{0: PackageInterface, 1: string|null}> $packageMap
     * @param GeneratorState                                         $state
     *
     * @return string|null null for a dump that is never the same twice
     */
    private function fingerprint(array $packageMap, array $state): ?string
    {
        unset($state['eventDispatcher'], $state['io'], $state['runScripts']);
        $manner = $this->maker->manner();
        if ($manner === null || ($state['dryRun'] ?? false) || (($state['apcu'] ?? false) && ($state['apcuPrefix'] ?? null) === null)) {
            return null;
        }
        // The locker is left out. Composer uses only its hash, as a suffix if there is no
        // autoloader yet.
        $options = [$this->options[0] ?? null, $this->scansPsr($state), (string) ($this->options[2] ?? ''), (bool) ($this->options[4] ?? false)];
        if (array_slice($this->options, 5) !== []) {
            return null;
        }
        $packages = [];
        foreach ($packageMap as [$package, $path]) {
            if ($package->getTargetDir() !== null) {
                // Composer looks for each file of the package at two places.
                return null;
            }
            $packages[] = [
                $package->getName(),
                $package->getType(),
                $package->getAutoload(),
                $package->getIncludePaths(),
                self::links($package->getRequires()),
                self::links($package->getReplaces()),
                self::links($package->getProvides()),
                $path,
            ];
        }
        try {
            return hash('sha256', serialize([
                Composer::getVersion(),
                $this->method->digest(),
                $manner,
                getcwd(),
                $this->maker->vendorDir(),
                $this->config->raw()['config'] ?? [],
                $options,
                $state,
                $packages,
                $this->rootPackage->getDevAutoload(),
                self::links($this->rootPackage->getDevRequires()),
                $this->localRepo->getDevPackageNames(),
            ]));
        } catch (\Exception $e) {
            // A value can't be written as text. A full dump is good enough for this case.
            return null;
        }
    }

    /**
     * Returns the links of a package as text.
     *
     * @param Link[] $links
     *
     * @return list<string>
     */
    private static function links(array $links): array
    {
        $list = [];
        foreach ($links as $link) {
            $list[] = $link->getTarget().' '.$link->getConstraint()->__toString();
        }

        return $list;
    }
}
