<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Io\Report;
use Allegro\Plugin\Native\EngineFinder;
use Allegro\Plugin\Network\Sources;
use Allegro\Plugin\Takeover\DeferredWrites;
use Allegro\Plugin\Takeover\StoreDownloads;
use Composer\Composer;
use Composer\IO\IOInterface;
use Composer\Util\Filesystem;
use Composer\Util\ProcessExecutor;

/**
 * Connects the parts that install packages in one Composer instance.
 *
 * A package meets them in this order:
 * 1. {@see StoreDownloads} takes Composer's call of download() and makes a {@see Ticket}.
 * 2. {@see PackageDirectories} makes the directories that Composer makes before it downloads.
 * 3. {@see Round} collects tickets until Composer waits.
 * 4. {@see Preparation} has the native part make packages ready in the {@see Staging} directory.
 * 5. {@see StoreDownloads} takes the calls of install(), update() and remove(), and makes a
 *    {@see Job} of each.
 * 6. {@see Round} collects jobs until Composer waits, and does them in Composer's order.
 * 7. {@see Placement} moves a package to its install path, and {@see PlacedPackages} remembers it.
 * 8. {@see DeferredWrites} has Composer record the installed packages once, instead of after each
 *    of them.
 */
final class Batch
{
    public readonly Listeners $listeners;

    public readonly PackageDirectories $directories;

    public readonly Round $round;

    public readonly Staging $staging;

    public readonly PlacedPackages $placed;

    /** The programs of all packages of this run. */
    public readonly Programs $programs;

    private ?DeferredWrites $writes = null;

    public function __construct(
        private readonly Composer $composer,
        private readonly IOInterface $io,
        public readonly EngineFinder $engines,
        public readonly Report $report,
        public readonly Sharing $sharing,
        Sources $sources,
    ) {
        $process = $composer->getLoop()->getProcessExecutor() ?? new ProcessExecutor();
        $filesystem = new Filesystem($process);
        $this->programs = new Programs($composer);
        $this->listeners = new Listeners($composer, $report);
        $this->directories = new PackageDirectories($this, $composer, $filesystem);
        $this->staging = new Staging($composer, $engines, $report, $filesystem);
        $this->placed = new PlacedPackages();
        $requests = new PackageRequests($sharing, $this->programs, $sources, $report);
        $preparation = new Preparation($engines, $report, $sources, $this->listeners, $this->staging, $requests);
        $this->round = new Round($this, $composer, $process, $preparation);
        // At Ctrl-C Composer's handler cleans up each operation, and then ends the process at once.
        register_shutdown_function(fn () => Guard::restore(fn () => $this->flushWrites(), fn () => $this->sweep()));
    }

    /**
     * Tells whether there is an engine to install packages with.
     */
    public function isAvailable(): bool
    {
        return $this->engines->find() !== null;
    }

    /**
     * Begins to defer the writes of the installed packages.
     *
     * This comes once there is something to install, because the repository that Composer uses in
     * this run is known by then.
     *
     * @return DeferredWrites|null null if the repository is not as Composer makes it
     */
    public function deferWrites(): ?DeferredWrites
    {
        $this->writes ??= DeferredWrites::over(
            $this->composer->getRepositoryManager()->getLocalRepository(),
            $this->composer,
            $this,
            $this->io
        );

        return $this->writes;
    }

    /**
     * Prepares the repository for one more package.
     */
    public function primeWrites(): void
    {
        $this->writes?->prime();
    }

    /**
     * Writes the installed packages, as far as that was deferred.
     */
    public function flushWrites(): void
    {
        $this->writes?->flush();
    }

    /**
     * Removes the staging directory and forgets what is under way, at the end of a run or when it
     * is aborted.
     */
    public function sweep(): void
    {
        $this->report->abort();
        $this->directories->forgetAll();
        $this->staging->sweep();
    }
}
