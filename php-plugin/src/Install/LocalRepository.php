<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Composer\Composer;
use Composer\EventDispatcher\Event;
use Composer\Installer\InstallationManager;
use Composer\Installer\PackageEvents;
use Composer\IO\IOInterface;
use Composer\Package\PackageInterface;
use Composer\Repository\InstalledFilesystemRepository;

/**
 * The installed packages, written once at the end of the operations instead of after each of them.
 *
 * Writing dumps every package each time, which costs minutes at 1,500 packages. It is put off as long as
 * nobody can see the difference: package event listeners, plugins that are activated in the run and the end of
 * the operations find everything written.
 */
final class LocalRepository extends InstalledFilesystemRepository
{
    /** @var InstalledFilesystemRepository what Composer had read before us */
    private $previous;

    /** @var Batch */
    private $batch;

    /** @var Composer */
    private $composer;

    /** @var array{bool, InstallationManager}|null what a write that was put off would have been called with */
    private $pending;

    /** @var bool|null */
    private $written;

    /** @var array<string, int>|null unique name => how often */
    private $index;

    public static function over(InstalledFilesystemRepository $previous, Composer $composer, Batch $batch, IOInterface $io): self
    {
        $file = new AtomicJsonFile($previous->file->getPath(), null, $io);
        $repository = new self($file, true, $composer->getPackage(), new AtomicFilesystem());
        $repository->previous = $previous;
        $repository->composer = $composer;
        $repository->batch = $batch;
        $repository->setDevPackageNames($previous->getDevPackageNames());

        return $repository;
    }

    public function useBatch(Batch $batch): void
    {
        $this->batch = $batch;
    }

    /**
     * Takes the packages that were read already; reading them again would cost a second parse.
     *
     * @return void
     */
    protected function initialize()
    {
        $this->packages = [];
        foreach ($this->previous->getPackages() as $package) {
            $this->packages[] = $package;
        }
        $this->setDevPackageNames($this->previous->getDevPackageNames());
        $this->index = null;
    }

    /**
     * {@inheritDoc}
     *
     * @return void
     */
    public function reload()
    {
        $this->flush();
        $this->previous->reload();
        parent::reload();
    }

    /**
     * {@inheritDoc}
     *
     * @return bool|null
     */
    public function getDevMode()
    {
        return $this->written ?? $this->previous->getDevMode();
    }

    /**
     * {@inheritDoc}
     *
     * Asked for each package of an install; Composer's own rebuilds its list after each change.
     *
     * @return bool
     */
    public function hasPackage(PackageInterface $package)
    {
        if ($this->index === null) {
            $this->index = [];
            foreach ($this->getPackages() as $known) {
                $name = $known->getUniqueName();
                $this->index[$name] = ($this->index[$name] ?? 0) + 1;
            }
        }

        return isset($this->index[$package->getUniqueName()]);
    }

    /**
     * {@inheritDoc}
     *
     * @return void
     */
    public function addPackage(PackageInterface $package)
    {
        parent::addPackage($package);
        if ($this->index !== null) {
            $name = $package->getUniqueName();
            $this->index[$name] = ($this->index[$name] ?? 0) + 1;
        }
    }

    /**
     * {@inheritDoc}
     *
     * @return void
     */
    public function removePackage(PackageInterface $package)
    {
        parent::removePackage($package);
        $this->index = null;
    }

    /**
     * {@inheritDoc}
     *
     * @param bool $devMode
     *
     * @return void
     */
    public function write($devMode, InstallationManager $installationManager)
    {
        $caller = debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS, 2)[1] ?? [];
        $perOperation = ($caller['class'] ?? '') === InstallationManager::class
            && str_contains($caller['function'], '{closure');
        if ($perOperation && ($this->batch->hasWork() || !$this->isWatched())) {
            $this->pending = [$devMode, $installationManager];

            return;
        }
        $this->writeNow($devMode, $installationManager);
    }

    /**
     * Writes what was put off.
     */
    public function flush(): void
    {
        if ($this->pending !== null) {
            $this->writeNow(...$this->pending);
        }
    }

    private function writeNow(bool $devMode, InstallationManager $installationManager): void
    {
        $this->pending = null;
        $this->written = $devMode;
        parent::write($devMode, $installationManager);
    }

    /**
     * Whether somebody will be called between operations and may look at what is recorded.
     */
    private function isWatched(): bool
    {
        $dispatcher = $this->composer->getEventDispatcher();
        $events = [
            PackageEvents::PRE_PACKAGE_INSTALL,
            PackageEvents::POST_PACKAGE_INSTALL,
            PackageEvents::PRE_PACKAGE_UPDATE,
            PackageEvents::POST_PACKAGE_UPDATE,
            PackageEvents::PRE_PACKAGE_UNINSTALL,
            PackageEvents::POST_PACKAGE_UNINSTALL,
        ];
        foreach ($events as $event) {
            if ($dispatcher->hasEventListeners(new Event($event))) {
                return true;
            }
        }

        return false;
    }
}
