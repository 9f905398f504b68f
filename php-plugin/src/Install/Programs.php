<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Composer\Composer;
use Composer\DependencyResolver\Operation\InstallOperation;
use Composer\DependencyResolver\Operation\OperationInterface;
use Composer\DependencyResolver\Operation\UpdateOperation;
use Composer\Package\PackageInterface;

/**
 * Gives inodes of their own to all files that Composer's BinaryInstaller makes executable.
 *
 * The files may belong to any package, because a `bin` may be a link, or lead into another package
 * by `..`.
 */
final class Programs
{
    /**
     * Packages of this run that declare programs, with their paths.
     *
     * @var list<array{PackageInterface, string|null}>
     */
    private array $known = [];

    public function __construct(private readonly Composer $composer)
    {
    }

    /**
     * Remembers the packages that operations are going to install, with any downloader.
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
     * Separates all programs of a package that was just placed, because Composer makes them
     * executable next.
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
     * Separates programs that don't lie in the package that declares them, and those whose mode
     * Composer may change.
     *
     * Composer looks for all programs again at the end of a run. By then it finds files that came
     * after the package. The command line shares programs that have the right mode, but another
     * umask makes another mode right.
     *
     * @return list<string> programs for which that can't be done, each with its package
     */
    public function separateStrays(): array
    {
        $failures = [];
        $mode = 0777 & ~umask();
        foreach ($this->all() as [$package, $path]) {
            $place = Paths::resolve($path);
            foreach ($package->getBinaries() as $bin) {
                $file = Paths::resolve($path.'/'.$bin);
                try {
                    if ($file !== $place.'/'.$bin || (((int) @fileperms($file)) & 07777) !== $mode) {
                        $this->give($file, $path);
                    }
                } catch (RefusedException $e) {
                    $failures[] = $file.' of '.$package->getName();
                }
            }
        }

        return $failures;
    }

    /**
     * Returns the packages that declare programs, with their paths.
     *
     * @return list<array{PackageInterface, string}> packages that declare programs, with their
     *                                               paths
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
                // The installer is gone or has no path for the package, so none of its files is
                // made executable.
            }
            if (is_string($path) && $path !== '') {
                $found[] = [$package, $path];
            }
        }

        return $found;
    }

    /**
     * Separates a file that lies in the package, in vendor or in the project.
     *
     * All other files don't belong to Allegro, even if a link leads to them.
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
