<?php

declare(strict_types=1);

namespace Allegro\Plugin\Autoload;

use Allegro\Plugin\AbandonedException;
use Allegro\Plugin\Guard;
use Allegro\Plugin\Internals;
use Allegro\Plugin\Io\RecordingIO;
use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\Protocol;
use Allegro\Plugin\Takeover\AtomicFilesystem;
use Composer\Autoload\AutoloadGenerator as ComposerGenerator;
use Composer\ClassMapGenerator\ClassMap;
use Composer\Composer;
use Composer\Config;
use Composer\Installer\InstallationManager;
use Composer\IO\IOInterface;
use Composer\IO\NullIO;
use Composer\Package\Locker;
use Composer\Package\PackageInterface;
use Composer\Package\RootPackageInterface;
use Composer\Repository\InstalledRepositoryInterface;
use Composer\Script\ScriptEvents;
use Composer\Util\Filesystem;

/**
 * Replaces Composer's autoload generator: makes class maps natively, and skips a dump that would
 * change nothing.
 *
 * The dump itself is the method of the running Composer, see {@see DumpMethod}, with its events,
 * its order and its text. If this way is not certain, the unchanged method makes the dump.
 *
 * @phpstan-import-type Autoloads from Dump
 * @phpstan-import-type DumpOptions from Dump
 * @phpstan-import-type GeneratorState from Dump
 * @phpstan-import-type PlacedPackage from Protocol
 *
 * @phpstan-type DumpArguments list{
 *     Config,
 *     InstalledRepositoryInterface,
 *     RootPackageInterface,
 *     InstallationManager,
 *     string,
 *     5?: bool,
 *     6?: string|null,
 *     7?: Locker|null,
 *     8?: bool,
 * }
 */
final class AutoloadGenerator extends ComposerGenerator
{
    /** The native part, or null once this generator has retired. */
    private ?Engine $engine = null;

    /**
     * Returns the packages that were put in place in this run.
     *
     * @var \Closure(): list<PlacedPackage>
     */
    private \Closure $placed;

    /**
     * The native dump in progress. It is null outside of a dump, and while the dump is compared
     * with the former one.
     */
    private ?Dump $dump = null;

    /**
     * The PHP code of each directory's path, up to the name of a file.
     *
     * @var array<string, string>
     */
    private array $codes = [];

    /** The base path and the vendor path for which `$codes` is valid. */
    private string $codesFor = '';

    /** Whether PRE_AUTOLOAD_DUMP has been dispatched in the dump in progress. */
    private bool $isAnnounced = false;

    /** Whether POST_AUTOLOAD_DUMP has been dispatched in the dump in progress. */
    private bool $isAnnouncedDone = false;

    /**
     * The class map of a dump that is done.
     *
     * @var ClassMap|null
     */
    private ?object $map = null;

    /**
     * Makes a generator that takes the place of another one, with the state of the other.
     *
     * @param \Closure(): list<PlacedPackage> $placed packages that were put in place in this run
     */
    public static function inPlaceOf(ComposerGenerator $other, Composer $composer, IOInterface $io, Engine $engine, \Closure $placed): self
    {
        $generator = new self($composer->getEventDispatcher(), $io);
        $generator->engine = $engine;
        $generator->placed = $placed;

        return Internals::inherit($generator, $other, ComposerGenerator::class);
    }

    /**
     * Leaves all dumps from now on to Composer.
     */
    public function retire(): void
    {
        $this->engine = null;
    }

    /**
     * {@inheritDoc}
     *
     * @param string      $targetDir
     * @param bool        $scanPsrPackages
     * @param string|null $suffix
     * @param Locker|null $locker
     * @param bool        $strictAmbiguous
     *
     * @return ClassMap|null what the running Composer's method returns; null before Composer 2.4
     */
    // @mago-expect analysis:incompatible-return-type Composer 2.2 and 2.3 return nothing.
    public function dump(
        Config $config,
        InstalledRepositoryInterface $localRepo,
        RootPackageInterface $rootPackage,
        InstallationManager $installationManager,
        $targetDir,
        $scanPsrPackages = false,
        $suffix = null,
        $locker = null,
        $strictAmbiguous = false
    ) {
        /** @var DumpArguments $arguments */
        $arguments = func_get_args();
        if ($this->dump !== null) {
            // A listener of the dump in progress makes a dump of its own.
            return Guard::out(fn () => parent::dump(...$arguments));
        }

        try {
            return Guard::run(fn () => $this->dumpNatively(...$arguments), fn () => $this->finish($arguments));
        } catch (AbandonedException $e) {
            return $this->finish($arguments);
        }
    }

    /**
     * Makes a dump with the native part. If that can't be, Composer's method makes it.
     *
     * @param mixed ...$options arguments of dump() after the target directory
     *
     * @return ClassMap|null null before Composer 2.4
     */
    private function dumpNatively(
        Config $config,
        InstalledRepositoryInterface $localRepo,
        RootPackageInterface $rootPackage,
        InstallationManager $installationManager,
        string $targetDir,
        ...$options
    ): mixed {
        /** @var DumpArguments $arguments */
        $arguments = func_get_args();
        $this->isAnnounced = $this->isAnnouncedDone = false;
        $this->map = null;
        $vendorDir = (string) $config->get('vendor-dir');
        AtomicFilesystem::sweep($vendorDir);
        AtomicFilesystem::sweep($vendorDir.'/'.$targetDir);
        $engine = $this->engine;
        $method = $engine === null ? null : DumpMethod::read();
        if ($method === null || $engine === null) {
            return Guard::out(fn () => parent::dump(...$arguments));
        }
        $maker = new ClassMapMaker(
            $engine,
            $this->ioOfParent(),
            $vendorDir,
            $this->placed,
            dirname(__DIR__, 2).'/resources/dialect.php'
        );
        /** @var DumpOptions $dumpOptions */
        $dumpOptions = [$targetDir, ...$options];
        $this->dump = new Dump($engine, $maker, $method, $config, $localRepo, $rootPackage, $dumpOptions);
        try {
            return $this->dumpWith($method, $maker, $this->dump, $arguments);
        } finally {
            $this->dump = null;
        }
    }

    /**
     * Makes a dump with Composer's method and the native parts in it. A dump that would change
     * nothing is skipped.
     *
     * @param DumpArguments $arguments
     *
     * @return ClassMap
     */
    private function dumpWith(DumpMethod $method, ClassMapMaker $maker, Dump $dump, array $arguments): mixed
    {
        $io = $this->ioOfParent();
        $recording = new RecordingIO($io);
        $before = ClassMapRecorder::within($maker);
        $filesystemBefore = DumpFilesystem::within(null);
        $this->setInParent('io', $recording);
        try {
            $this->map = $map = $method->call($this, $arguments);
            $this->setInParent('io', $io);
            $filesystem = DumpFilesystem::current();
            if ($filesystem !== null) {
                $dump->done($filesystem->outputs(), $recording->said(), count($map), $this->valuesOfParent());
            }

            return $map;
        } catch (Unchanged $unchanged) {
            $this->setInParent('io', $io);
            RecordingIO::repeat($unchanged->said, $io);
            $io->writeError('Allegro: the autoloader is up to date', true, IOInterface::VERBOSE);
            $this->dispatchDone($dump->scansPsr($this->valuesOfParent()));
            // Code that looks at the classes gets them from the same dump, which changes nothing.
            $again = $dump->withoutCheck();

            return new RememberedClassMap($unchanged->classes, function () use ($method, $maker, $again, $arguments): object {
                return $this->quietly(fn () => Guard::run(
                    fn () => $this->dumpWith($method, $maker, $again, $arguments),
                    fn () => parent::dump(...$arguments)
                ));
            });
        } finally {
            $this->isAnnounced = DumpFilesystem::current() !== null;
            $this->setInParent('io', $io);
            DumpFilesystem::within($filesystemBefore);
            ClassMapRecorder::within($before);
        }
    }

    /**
     * Has Composer make the dump in which Allegro has failed. Listeners are called as often as
     * without Allegro.
     *
     * @param DumpArguments $arguments
     *
     * @return ClassMap|null null before Composer 2.4
     */
    private function finish(array $arguments): mixed
    {
        $map = $this->map;
        $this->map = null;
        if ($map !== null) {
            return $map;
        }
        if (!$this->isAnnounced) {
            return parent::dump(...$arguments);
        }
        $runScripts = $this->valuesOfParent()['runScripts'];
        $this->setInParent('runScripts', false);
        try {
            $map = parent::dump(...$arguments);
        } finally {
            $this->setInParent('runScripts', $runScripts);
        }
        if (!$this->isAnnouncedDone) {
            $this->dispatchDone(($arguments[5] ?? false) || $this->valuesOfParent()['classMapAuthoritative'] === true);
        }

        return $map;
    }

    /**
     * Dispatches POST_AUTOLOAD_DUMP, because Composer's method didn't.
     */
    private function dispatchDone(bool $optimize): void
    {
        $values = $this->valuesOfParent();
        $this->isAnnouncedDone = true;
        if ($values['runScripts'] === true) {
            Guard::out(static fn () => $values['eventDispatcher']->dispatchScript(
                ScriptEvents::POST_AUTOLOAD_DUMP,
                $values['devMode'],
                [],
                ['optimize' => $optimize]
            ));
        }
    }

    /**
     * Does work without output and without scripts.
     *
     * @template T
     *
     * @param callable(): T $work
     *
     * @return T
     */
    private function quietly(callable $work): mixed
    {
        $before = $this->valuesOfParent();
        $this->setInParent('io', new NullIO());
        $this->setInParent('runScripts', false);
        try {
            return $work();
        } finally {
            $this->setInParent('io', $before['io']);
            $this->setInParent('runScripts', $before['runScripts']);
        }
    }

    /**
     * {@inheritDoc}
     *
     * Within a dump, this is the first moment at which everything is known that the result depends
     * on.
     *
     * @param PackageInterface[] $packages
     *
     * @return array<int, array{0: PackageInterface, 1: string|null}>
     */
    // Composer before 2.5.6 has a path for each package.
    // @mago-expect analysis:incompatible-return-type
    public function buildPackageMap($installationManager, $rootPackage, $packages): array
    {
        $map = parent::buildPackageMap($installationManager, $rootPackage, $packages);
        Guard::attempt(fn () => $this->check($map));

        return $map;
    }

    /**
     * Compares the dump in progress with the former one.
     *
     * @param array<int, array{0: PackageInterface, 1: string|null}> $map
     *
     * @throws Unchanged if the dump in progress would give what is there already
     */
    private function check(array $map): void
    {
        // The dump makes its file system when PRE_AUTOLOAD_DUMP is over. Before that, a listener of
        // the event has asked for the package map.
        if ($this->dump === null || DumpFilesystem::current() === null) {
            return;
        }
        $dump = $this->dump;
        $this->dump = null;
        try {
            $dump->check($map, $this->valuesOfParent());
        } finally {
            $this->dump = $dump;
        }
    }

    /**
     * {@inheritDoc}
     *
     * @param array<int, array{0: PackageInterface, 1: string|null}> $packageMap
     * @param bool|string[]                                            $filteredDevPackages
     *
     * @return Autoloads
     */
    public function parseAutoloads($packageMap, $rootPackage, $filteredDevPackages = false): array
    {
        // Composer before 2.5.6 has a path for each package.
        // @mago-expect analysis:possibly-invalid-argument
        $autoloads = parent::parseAutoloads($packageMap, $rootPackage, $filteredDevPackages);
        Guard::attempt(function () use ($autoloads): void {
            if ($this->dump !== null && DumpFilesystem::current() !== null) {
                $this->dump->parsed($autoloads);
            }
        });

        return $autoloads;
    }

    /**
     * {@inheritDoc}
     *
     * Composer works out each path anew. Paths of one directory differ in their last part only, so
     * the code of the directory is kept.
     *
     * @param string $basePath
     * @param string $vendorPath
     * @param string $path
     *
     * @return string
     */
    protected function getPathCode(Filesystem $filesystem, $basePath, $vendorPath, $path): string
    {
        // This works without a closure, because there are tens of thousands of paths.
        try {
            return $this->codeOf($filesystem, $basePath, $vendorPath, $path);
        } catch (\Throwable $e) {
            Guard::caught($e);

            return parent::getPathCode($filesystem, $basePath, $vendorPath, $path);
        }
    }

    /**
     * Returns the code of a path, from the code of its directory where that is certain.
     */
    private function codeOf(Filesystem $filesystem, string $basePath, string $vendorPath, string $path): string
    {
        $slash = strrpos($path, '/');
        $name = $slash === false ? '' : substr($path, $slash + 1);
        if ($slash === false || !str_ends_with($name, '.php') || $name[0] === '.' || str_contains($path, '.phar') || str_contains($path, '\\')) {
            return parent::getPathCode($filesystem, $basePath, $vendorPath, $path);
        }
        if ($this->codesFor !== $basePath."\0".$vendorPath) {
            $this->codes = [];
            $this->codesFor = $basePath."\0".$vendorPath;
        }
        $directory = substr($path, 0, $slash);
        if (!isset($this->codes[$directory])) {
            $code = parent::getPathCode($filesystem, $basePath, $vendorPath, $directory.'/x.php');
            if (!str_ends_with($code, "/x.php'")) {
                return parent::getPathCode($filesystem, $basePath, $vendorPath, $path);
            }
            $this->codes[$directory] = substr($code, 0, -6);
        }

        return $this->codes[$directory].str_replace("'", "\\'", $name)."'";
    }

    /**
     * Returns the IO that Composer's class writes to.
     */
    private function ioOfParent(): IOInterface
    {
        return $this->valuesOfParent()['io'];
    }

    /**
     * Returns the properties of Composer's class.
     *
     * @return GeneratorState
     */
    private function valuesOfParent(): array
    {
        /** @var GeneratorState $values */
        $values = Internals::of($this, ComposerGenerator::class);

        return $values;
    }

    /**
     * Sets a property of Composer's class.
     */
    private function setInParent(string $name, mixed $value): void
    {
        Internals::set($this, ComposerGenerator::class, $name, $value);
    }
}
