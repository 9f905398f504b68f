<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Takeover\DeferredWrites;
use Composer\Composer;
use Composer\Installer\LibraryInstaller;
use Composer\Installer\PluginInstaller;
use Composer\Package\PackageInterface;
use Composer\Plugin\PluginEvents;
use Composer\Util\Filesystem;

/**
 * Makes the empty directories that Composer makes for packages before it downloads and installs
 * them.
 *
 * A package's own directory is put off where nobody can miss it. Making and replacing it takes
 * longer than moving the package in.
 */
final class PackageDirectories
{
    /** @var array<string, true> directories that are put off and not made yet */
    private array $putOff = [];

    /** @var array<string, true> directories that were made in this round */
    private array $made = [];

    /** Whether no listener is called before packages are placed. It is null until a round asks. */
    private ?bool $isUnobserved = null;

    /** The number of plugins when `$isUnobserved` was found out. */
    private int $plugins = 0;

    public function __construct(
        private readonly Batch $batch,
        private readonly Composer $composer,
        private readonly Filesystem $filesystem,
    ) {
    }

    /**
     * Makes the directories that Composer's FileDownloader makes before it downloads a package.
     *
     * @param string $path     where the package will be installed
     * @param string $fileName where the archive would be put
     */
    public function ensure(PackageInterface $package, string $path, string $fileName): void
    {
        if (Paths::exists($path) || !$this->putOff($package, $path)) {
            $this->make($path);
            $this->make(dirname($fileName));

            return;
        }
        foreach ([dirname($path), dirname($fileName)] as $dir) {
            if (!isset($this->made[$dir])) {
                $this->made[$dir] = true;
                $this->make($dir);
            }
        }
    }

    /**
     * Puts off making an empty directory for a package, if nobody can look for it before the
     * package is in it. That is so if there are no listeners, and if the installer is Composer's
     * own.
     *
     * A listener that comes later finds the directory, because {@see makeAll()} makes it.
     *
     * @return bool whether it is put off
     */
    public function putOff(PackageInterface $package, string $path): bool
    {
        if (!$this->isUnobserved()) {
            return false;
        }
        $installer = $this->composer->getInstallationManager()->getInstaller($package->getType());
        if (!in_array(get_class($installer), [LibraryInstaller::class, PluginInstaller::class], true)) {
            return false;
        }
        $this->putOff[$path] = true;

        return true;
    }

    /**
     * Makes the directories that were put off, because a listener that has come in this run is
     * about to be called.
     */
    public function makeAll(): void
    {
        foreach (array_keys($this->putOff) as $path) {
            $this->filesystem->ensureDirectoryExists($path);
        }
        $this->putOff = [];
    }

    /**
     * Forgets a directory that was put off, because its package is in it.
     */
    public function forget(string $path): void
    {
        unset($this->putOff[$path]);
    }

    /**
     * Forgets all directories that were put off, at the end of a run or when it is aborted.
     */
    public function forgetAll(): void
    {
        $this->putOff = [];
    }

    /**
     * Forgets the findings of a round, because plugins come and go between two rounds.
     */
    public function endRound(): void
    {
        $this->isUnobserved = null;
        $this->made = [];
    }

    /**
     * Tells whether no listener is called before packages are placed.
     */
    private function isUnobserved(): bool
    {
        if ($this->batch->deferWrites() === null) {
            // Without deferred writes, Allegro wouldn't know that a listener has come.
            return false;
        }
        $plugins = count($this->composer->getPluginManager()->getPlugins());
        if ($this->isUnobserved === null || $this->plugins !== $plugins) {
            $this->plugins = $plugins;
            $this->isUnobserved = !$this->batch->listeners->any(
                PluginEvents::PRE_FILE_DOWNLOAD,
                PluginEvents::POST_FILE_DOWNLOAD,
                ...DeferredWrites::PACKAGE_EVENTS
            );
        }

        return $this->isUnobserved;
    }

    /**
     * Makes a directory with Composer's Filesystem.
     */
    private function make(string $path): void
    {
        Guard::out(fn () => $this->filesystem->ensureDirectoryExists($path));
    }
}
