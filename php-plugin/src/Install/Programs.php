<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Composer\Composer;
use Composer\DependencyResolver\Operation\InstallOperation;
use Composer\DependencyResolver\Operation\OperationInterface;
use Composer\DependencyResolver\Operation\UpdateOperation;
use Composer\Package\PackageInterface;

/**
 * Gives inodes of their own to all files that Composer's BinaryInstaller makes executable, whichever package they
 * belong to: a `bin` may be a link, or lead into another package by `..`.
 */
final class Programs
{
    /** @var list<array{PackageInterface, string|null}> packages of this run that declare programs, with their paths */
    private array $known = [];

    public function __construct(private readonly Composer $composer)
    {
    }

    /**
     * Remembers the packages that operations are going to install, by whatever downloader.
     *
     * @param array<OperationInterface> $operations
     */
    public function expect(array $operations): void
    {
        foreach ($operations as $operation) {
            if ($operation instanceof InstallOperation) {
                $this->add($operation->getPackage());
            } elseif ($operation instanceof UpdateOperation) {
                $this->add($operation->getTargetPackage());
            }
        }
    }

    /**
     * Remembers a package that is installed in this run.
     *
     * @param string|null $path where it is; null for what its installer says
     */
    public function add(PackageInterface $package, ?string $path = null): void
    {
        if ($package->getBinaries() !== []) {
            $this->known[] = [$package, $path];
        }
    }

    /**
     * Separates all programs of a package that has just come to its place: Composer makes them executable next.
     *
     * @throws RefusedException
     */
    public function separate(PackageInterface $package, string $path): void
    {
        foreach ($package->getBinaries() as $bin) {
            $this->give(Paths::resolve($path.'/'.$bin), $path);
        }
    }

    /**
     * Separates programs that don't lie in the package that declares them. Composer looks for all programs again at
     * the end of a run, and finds files by then that came after the package.
     *
     * @return list<string> programs for which that can't be done, each with its package
     */
    public function separateStrays(): array
    {
        $failures = [];
        foreach ($this->all() as [$package, $path]) {
            $place = Paths::resolve($path);
            foreach ($package->getBinaries() as $bin) {
                $file = Paths::resolve($path.'/'.$bin);
                try {
                    $file === $place.'/'.$bin || $this->give($file, $path);
                } catch (RefusedException $e) {
                    $failures[] = $file.' of '.$package->getName();
                }
            }
        }

        return $failures;
    }

    /**
     * @return list<array{PackageInterface, string}> packages that declare programs, with their paths
     */
    private function all(): array
    {
        $all = $this->known;
        foreach ($this->composer->getRepositoryManager()->getLocalRepository()->getPackages() as $package) {
            if ($package->getBinaries() !== []) {
                $all[] = [$package, null];
            }
        }
        $found = [];
        foreach ($all as [$package, $path]) {
            try {
                $path ??= $this->composer->getInstallationManager()->getInstallPath($package);
            } catch (\Exception $e) {
                // Its installer is gone or has no place for it: nothing of it is made executable.
            }
            if (is_string($path) && $path !== '') {
                $found[] = [$package, $path];
            }
        }

        return $found;
    }

    /**
     * Files outside of the project and of the package are no files of ours, whatever leads there.
     */
    private function give(string $file, string $path): void
    {
        foreach ([$path, (string) $this->composer->getConfig()->get('vendor-dir'), '.'] as $dir) {
            if (Paths::isBelow($file, Paths::resolve($dir))) {
                OwnInode::give($file);

                return;
            }
        }
    }
}
