<?php

declare(strict_types=1);

namespace Allegro\Plugin\Autoload;

use Allegro\Plugin\Install\AtomicFilesystem;
use Allegro\Plugin\Internals;
use Allegro\Plugin\Io\Overheard;
use Allegro\Plugin\Native\Engine;
use Composer\Autoload\AutoloadGenerator as ComposerGenerator;
use Composer\Composer;
use Composer\Config;
use Composer\Installer\InstallationManager;
use Composer\IO\IOInterface;
use Composer\IO\NullIO;
use Composer\Package\PackageInterface;
use Composer\Package\RootPackageInterface;
use Composer\Repository\InstalledRepositoryInterface;
use Composer\Script\ScriptEvents;
use Composer\Util\Filesystem;

/**
 * Composer's generator, whose dump makes the class map natively, and does nothing where nothing would change.
 *
 * The dump itself is the running Composer's own method, see {@see DumpMethod}: events, order and text are its. Whatever
 * can't be done for sure in this way is done by that method as it is.
 */
final class AutoloadGenerator extends ComposerGenerator
{
    /** The native part, as long as it is of use. */
    private ?Engine $engine = null;

    /** @var \Closure(): list<array<string, mixed>> */
    private \Closure $placed;

    /** The dump in progress, until it is known whether it changes anything. */
    private ?Dump $dump = null;

    /** @var array<string, string> the code of a path below a directory, up to the file's name */
    private array $codes = [];

    private string $codesFor = '';

    /**
     * Takes the place of a generator, with everything that it has been told.
     *
     * @param \Closure(): list<array<string, mixed>> $placed packages that were put in place in this run
     */
    public static function inPlaceOf(ComposerGenerator $other, Composer $composer, IOInterface $io, Engine $engine, \Closure $placed): self
    {
        $generator = new self($composer->getEventDispatcher(), $io);
        $generator->engine = $engine;
        $generator->placed = $placed;

        return Internals::inherit($generator, $other, ComposerGenerator::class);
    }

    /**
     * From now on everything is Composer's own work.
     */
    public function retire(): void
    {
        $this->engine = null;
    }

    /**
     * {@inheritDoc}
     *
     * @param string                            $targetDir
     * @param bool                              $scanPsrPackages
     * @param string|null                       $suffix
     * @param \Composer\Package\Locker|null $locker
     * @param bool                              $strictAmbiguous
     *
     * @return mixed what the running Composer's method returns
     */
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
        $arguments = func_get_args();
        $vendorDir = (string) $config->get('vendor-dir');
        AtomicFilesystem::sweep($vendorDir);
        AtomicFilesystem::sweep($vendorDir.'/'.$targetDir);
        $method = $this->engine === null || $this->dump !== null ? null : DumpMethod::read();
        if ($method === null || $this->engine === null) {
            return parent::dump(...$arguments);
        }
        $maker = new ClassMapMaker(
            $this->engine,
            $this->ioOfParent(),
            $vendorDir,
            $this->placed,
            dirname(__DIR__, 2).'/resources/dialect.php'
        );
        $this->dump = new Dump($this->engine, $maker, $method, $config, $localRepo, $rootPackage, array_slice($arguments, 4));
        try {
            return $this->dumpWith($method, $maker, $this->dump, $arguments);
        } finally {
            $this->dump = null;
        }
    }

    /**
     * @param list<mixed> $arguments
     */
    private function dumpWith(DumpMethod $method, ClassMapMaker $maker, Dump $dump, array $arguments): mixed
    {
        $io = $this->ioOfParent();
        $overheard = new Overheard($io);
        $before = ClassMapRecorder::within($maker);
        $filesystemBefore = DumpFilesystem::within(null);
        $this->setInParent('io', $overheard);
        try {
            $map = $method->call($this, $arguments);
            $this->setInParent('io', $io);
            $filesystem = DumpFilesystem::current();
            if ($filesystem !== null) {
                $dump->done($filesystem->outputs(), $overheard->said(), count($map), $this->valuesOfParent());
            }

            return $map;
        } catch (Unchanged $unchanged) {
            $this->setInParent('io', $io);
            Overheard::repeat($unchanged->said, $io);
            $io->writeError('Allegro: the autoloader is up to date', true, IOInterface::VERBOSE);
            $this->dispatchDone($dump->scansPsr($this->valuesOfParent()));
            // Somebody who looks at the classes gets them: by the same dump, which changes nothing.
            $again = $dump->withoutCheck();

            return new RememberedClassMap($unchanged->classes, function () use ($method, $maker, $again, $arguments): object {
                return $this->quietly(fn () => $this->dumpWith($method, $maker, $again, $arguments));
            });
        } finally {
            $this->setInParent('io', $io);
            DumpFilesystem::within($filesystemBefore);
            ClassMapRecorder::within($before);
        }
    }

    /**
     * The end of the dump that was left out.
     */
    private function dispatchDone(bool $optimize): void
    {
        $values = $this->valuesOfParent();
        if ($values['runScripts'] === true) {
            $values['eventDispatcher']->dispatchScript(ScriptEvents::POST_AUTOLOAD_DUMP, $values['devMode'], [], ['optimize' => $optimize]);
        }
    }

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
     * Within a dump: the first moment at which everything is known that the result depends on.
     *
     * @param PackageInterface[] $packages
     *
     * @return array<int, array{0: PackageInterface, 1: string|null}>
     */
    public function buildPackageMap($installationManager, $rootPackage, $packages): array
    {
        $map = parent::buildPackageMap($installationManager, $rootPackage, $packages);
        // The dump makes its file system when PRE_AUTOLOAD_DUMP is over: listeners ask for package maps too.
        if ($this->dump !== null && DumpFilesystem::current() !== null) {
            $dump = $this->dump;
            $this->dump = null;
            try {
                $dump->check($map, $this->valuesOfParent());
            } finally {
                $this->dump = $dump;
            }
        }

        return $map;
    }

    /**
     * {@inheritDoc}
     *
     * @param array<int, array{0: PackageInterface, 1: string|null}> $packageMap
     * @param bool|string[]                                            $filteredDevPackages
     *
     * @return array<string, array<mixed>>
     */
    public function parseAutoloads($packageMap, $rootPackage, $filteredDevPackages = false): array
    {
        $autoloads = parent::parseAutoloads($packageMap, $rootPackage, $filteredDevPackages);
        if ($this->dump !== null && DumpFilesystem::current() !== null) {
            $this->dump->parsed($autoloads);
        }

        return $autoloads;
    }

    /**
     * {@inheritDoc}
     *
     * Composer works out each path anew; those of one directory differ in their last part only.
     *
     * @param string $basePath
     * @param string $vendorPath
     * @param string $path
     *
     * @return string
     */
    protected function getPathCode(Filesystem $filesystem, $basePath, $vendorPath, $path): string
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

    private function ioOfParent(): IOInterface
    {
        return $this->valuesOfParent()['io'];
    }

    /**
     * @return array<string, mixed> what Composer's class keeps, by name
     */
    private function valuesOfParent(): array
    {
        return Internals::of($this, ComposerGenerator::class);
    }

    private function setInParent(string $name, mixed $value): void
    {
        Internals::set($this, ComposerGenerator::class, $name, $value);
    }
}
