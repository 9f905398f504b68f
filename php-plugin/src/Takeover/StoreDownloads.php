<?php

declare(strict_types=1);

namespace Allegro\Plugin\Takeover;

use Allegro\Plugin\AbandonedException;
use Allegro\Plugin\Guard;
use Allegro\Plugin\Install\Batch;
use Allegro\Plugin\Install\Job;
use Allegro\Plugin\Install\Listeners;
use Allegro\Plugin\Install\Paths;
use Allegro\Plugin\Install\Placement;
use Allegro\Plugin\Install\Ticket;
use Allegro\Plugin\Install\TicketState;
use Allegro\Plugin\Io\FirstLineFilter;
use Composer\DependencyResolver\Operation\InstallOperation;
use Composer\DependencyResolver\Operation\UninstallOperation;
use Composer\DependencyResolver\Operation\UpdateOperation;
use Composer\Package\PackageInterface;
use Composer\Plugin\PluginEvents;
use Composer\Plugin\PreFileDownloadEvent;
use React\Promise\PromiseInterface;

/**
 * Overrides the methods of Composer's zip and tar downloaders, so that packages come from the
 * store.
 *
 * The parent class, which is Composer's own downloader, does everything that the store can't do.
 * Parameters are untyped because Composer 2.2 has them so.
 */
trait StoreDownloads
{
    /**
     * The parts that install packages, once the downloader takes part.
     *
     * @var Batch|null
     */
    private $batch;

    /**
     * Moves packages to their install paths. It exists as soon as the batch does.
     *
     * @var Placement|null
     */
    private $placement;

    /**
     * The tickets of the packages that are on their way.
     *
     * @var \WeakMap<PackageInterface, Ticket>
     */
    private $tickets;

    /**
     * Packages whose operation is over.
     *
     * @var \WeakMap<PackageInterface, true>
     */
    private $done;

    /**
     * Whether new packages are left to Composer.
     *
     * @var bool
     */
    private $retired = false;

    /**
     * Returns the program or class that Composer would unpack this type of archives with.
     */
    abstract private function unpacker(): string;

    /**
     * Takes part in the installations of a batch.
     */
    public function useBatch(Batch $batch): void
    {
        $this->batch = $batch;
        $this->placement = new Placement(
            $batch,
            $this->config,
            $this->filesystem,
            install: fn (PackageInterface $package, string $path): PromiseInterface => parent::install($package, $path, false),
            addCleanupPath: fn (PackageInterface $package, string $path) => $this->addCleanupPath($package, $path),
            removeCleanupPath: fn (PackageInterface $package, string $path) => $this->removeCleanupPath($package, $path),
        );
        $this->retired = false;
        // These are kept when a run updates the plugin, because packages that are on their way stay
        // with Allegro.
        $this->tickets ??= new \WeakMap();
        $this->done ??= new \WeakMap();
    }

    /**
     * Leaves new packages to Composer. Packages that are on their way stay with Allegro.
     */
    public function retire(): void
    {
        $this->retired = true;
    }

    /**
     * {@inheritDoc}
     */
    public function download(PackageInterface $package, $path, ?PackageInterface $prevPackage = null, $output = true): PromiseInterface
    {
        $byComposer = fn (): PromiseInterface => parent::download($package, $path, $prevPackage, $output);
        /** @var PreFileDownloadEvent|null $announced */
        $announced = null;
        $announce = function (string $url) use ($package, &$announced): PreFileDownloadEvent {
            return $announced = $this->announceDownload($package, $url);
        };

        return Guard::run(
            fn (): PromiseInterface => $this->downloadNatively($package, (string) $path, (bool) $output, static fn (): PromiseInterface => Guard::out($byComposer), $announce),
            function () use ($package, $byComposer, &$announced): PromiseInterface {
                ($this->tickets[$package] ?? null)?->decline();
                unset($this->tickets[$package]);

                return $announced === null ? $byComposer() : $this->withoutAnnouncing($announced, false, $byComposer);
            }
        );
    }

    /**
     * Has a package downloaded in the next round, or by Composer if the store can't serve it.
     *
     * @param \Closure(): PromiseInterface             $byComposer
     * @param \Closure(string): PreFileDownloadEvent $announce   dispatches PRE_FILE_DOWNLOAD for a
     *                                                           URL
     */
    private function downloadNatively(
        PackageInterface $package,
        string $path,
        bool $output,
        \Closure $byComposer,
        \Closure $announce
    ): PromiseInterface {
        // A plugin of the round before is active by now, and its listeners look at the recorded
        // packages.
        $this->batch?->flushWrites();
        unset($this->tickets[$package], $this->done[$package]);
        // Without output the caller is getLocalChanges(), which wants a fresh copy beside the
        // installed one.
        if ($this->retired || !$output || $this->batch === null || !$this->batch->isAvailable()) {
            return $byComposer();
        }
        $urls = $package->getDistUrls();
        if (!isset($urls[0]) || !preg_match('{^https?://}i', $urls[0])) {
            return $byComposer();
        }
        $unpacker = $this->unpacker();
        if (!in_array($unpacker, ['unzip', 'ZipArchive', 'PharData'], true)) {
            // 7-Zip looks at modes and links in its own way, which changes from version to version.
            $this->batch->report->declined($package->getName(), 'without unzip it is unpacked by '.$unpacker);

            return $byComposer();
        }

        $fileName = $this->getFileName($package, $path);
        $this->batch->directories->ensure($package, $path, $fileName);

        $announced = $announce($this->processUrl($package, $urls[0]));
        $fallBack = fn (bool $isSaid): PromiseInterface => Guard::run(
            fn (): PromiseInterface => $this->withoutAnnouncing($announced, $isSaid, $byComposer),
            $byComposer
        );
        $url = $announced->getProcessedUrl();
        $customKey = $announced->getCustomCacheKey();
        $archive = null;
        $isWritable = false;
        if ($this->cache !== null && $this->cache->isEnabled()) {
            // As in Composer's FileDownloader, the key is made of the whole URL, below the
            // package's name.
            $key = $package->getName().'/'.sha1($customKey ?? $url).'.'.$package->getDistType();
            $archive = $this->cache->getRoot().preg_replace('{[^a-z0-9_./]}i', '-', $key);
            $isWritable = !$this->cache->isReadOnly();
        }
        $ticket = new Ticket($package, Paths::absolute($path), $url, $customKey, $archive, $isWritable, $fileName, $unpacker, $fallBack);
        if ($archive !== null && $this->isCached($package, $archive) && $this->batch->listeners->any(PluginEvents::POST_FILE_DOWNLOAD)) {
            return $this->showCached($ticket, $archive);
        }

        return $this->request($ticket);
    }

    /**
     * Has the package downloaded in the next round.
     */
    private function request(Ticket $ticket): PromiseInterface
    {
        $this->tickets[$ticket->package] = $ticket;

        return $this->batch->round->download($ticket);
    }

    /**
     * Tells whether Composer's FileDownloader would take an archive from the cache.
     */
    private function isCached(PackageInterface $package, string $archive): bool
    {
        $checksum = (string) $package->getDistSha1Checksum();

        return is_file($archive) && ($checksum === '' || sha1_file($archive) === $checksum);
    }

    /**
     * Shows a cached archive to listeners of POST_FILE_DOWNLOAD, and then has the package
     * downloaded.
     *
     * Composer puts a cached archive in place and calls the listeners within download(), before it
     * turns to the next package. This does the same, with Composer's code.
     */
    private function showCached(Ticket $ticket, string $archive): PromiseInterface
    {
        $inPlace = static fn (): PromiseInterface => \React\Promise\resolve($ticket->fileName);
        $request = function () use ($ticket, $archive, $inPlace): PromiseInterface {
            if (!Listeners::isUnchanged($archive, $ticket->fileName)) {
                $this->batch->listeners->reportChange($ticket->package);

                return $inPlace();
            }

            return $this->request($ticket->afterListeners());
        };

        return $ticket->downloadByComposer(false)->then(fn (): PromiseInterface => Guard::run($request, function () use ($ticket, $inPlace): PromiseInterface {
            unset($this->tickets[$ticket->package]);

            return $inPlace();
        }));
    }

    /**
     * Begins Composer's own download of a package whose PRE_FILE_DOWNLOAD was dispatched already.
     *
     * @param PreFileDownloadEvent         $announced what they have said
     * @param bool                         $isSaid    whether the user was told of the download too
     * @param \Closure(): PromiseInterface $download
     */
    private function withoutAnnouncing(PreFileDownloadEvent $announced, bool $isSaid, \Closure $download): PromiseInterface
    {
        $io = $this->io;
        $dispatcher = $this->eventDispatcher;
        // The parent reads both properties at its first step, and keeps them for all steps that
        // follow.
        if ($isSaid) {
            $this->io = new FirstLineFilter($io);
        }
        if ($dispatcher !== null) {
            $this->eventDispatcher = new AnnouncedDownload($dispatcher, $announced->getProcessedUrl(), $announced->getCustomCacheKey());
        }
        try {
            return $download();
        } finally {
            $this->io = $io;
            $this->eventDispatcher = $dispatcher;
        }
    }

    /**
     * Dispatches PRE_FILE_DOWNLOAD.
     *
     * @return PreFileDownloadEvent the URL and the cache key that the listeners left
     */
    private function announceDownload(PackageInterface $package, string $url): PreFileDownloadEvent
    {
        $event = new PreFileDownloadEvent(PluginEvents::PRE_FILE_DOWNLOAD, $this->httpDownloader, $url, 'package', $package);
        if ($this->eventDispatcher !== null) {
            Guard::out(fn () => $this->eventDispatcher->dispatch($event->getName(), $event));
        }

        // The event is copied, because a listener may keep the original.
        return clone $event;
    }

    /**
     * {@inheritDoc}
     */
    public function install(PackageInterface $package, $path, $output = true): PromiseInterface
    {
        $ticket = $this->readyTicket($package);
        if ($ticket === null) {
            return parent::install($package, $path, $output);
        }
        if ($output) {
            $this->io->writeError('  - '.InstallOperation::format($package).$this->getInstallOperationAppendix($package, $path));
        }

        return Guard::run(
            fn (): PromiseInterface => $this->placement->install($ticket, $path),
            fn (): PromiseInterface => $this->placement->installByComposer($ticket, $path)
        );
    }

    /**
     * {@inheritDoc}
     */
    public function update(PackageInterface $initial, PackageInterface $target, $path): PromiseInterface
    {
        $ticket = $this->readyTicket($target);
        if ($ticket === null) {
            return parent::update($initial, $target, $path);
        }
        $this->io->writeError('  - '.UpdateOperation::format($initial, $target).$this->getInstallOperationAppendix($target, $path));

        return Guard::run(
            fn (): PromiseInterface => $this->placement->update($ticket, $path),
            fn (): PromiseInterface => $this->placement->installByComposer($ticket, $path)
        );
    }

    /**
     * {@inheritDoc}
     */
    public function remove(PackageInterface $package, $path, $output = true): PromiseInterface
    {
        $isSaid = false;

        return Guard::run(function () use ($package, $path, $output, &$isSaid): PromiseInterface {
            if ($this->retired || $this->batch === null || !$this->batch->isAvailable() || is_link($path) || !is_dir($path)) {
                return Guard::out(fn (): PromiseInterface => parent::remove($package, $path, $output));
            }
            if ($output) {
                $this->io->writeError('  - '.UninstallOperation::format($package));
            }
            $isSaid = true;

            $staging = $this->batch->staging;
            $remove = fn (): ?PromiseInterface => Guard::run(
                fn (): ?PromiseInterface => $staging->moveAside($path)
                    ? null
                    : Guard::out(fn (): PromiseInterface => parent::remove($package, $path, false)),
                function () use ($package, $path, $staging): PromiseInterface {
                    Guard::restore(static fn () => $staging->bringBack($path));

                    return parent::remove($package, $path, false);
                }
            );

            return $this->batch->round->add(new Job($remove, processes: 1, removed: $path, hasPrograms: $package->getBinaries() !== []));
        }, function () use ($package, $path, $output, &$isSaid): PromiseInterface {
            return parent::remove($package, $path, $output && !$isSaid);
        });
    }

    /**
     * {@inheritDoc}
     */
    public function cleanup($type, PackageInterface $package, $path, ?PackageInterface $prevPackage = null): PromiseInterface
    {
        $byComposer = fn (): PromiseInterface => parent::cleanup($type, $package, $path, $prevPackage);

        return Guard::run(
            fn (): PromiseInterface => $this->cleanupNatively($package, (string) $path, static fn (): PromiseInterface => Guard::out($byComposer)),
            function () use ($package, $byComposer): PromiseInterface {
                unset($this->tickets[$package]);

                return $byComposer();
            }
        );
    }

    /**
     * Ends the operation of a package, or gives the package up if the run is being aborted.
     *
     * @param \Closure(): PromiseInterface $byComposer
     */
    private function cleanupNatively(PackageInterface $package, string $path, \Closure $byComposer): PromiseInterface
    {
        $ticket = $this->tickets[$package] ?? null;
        if ($ticket?->state() === TicketState::Placed) {
            unset($this->tickets[$package]);
            $this->done[$package] = true;
            if (file_exists($ticket->fileName)) {
                $this->filesystem->unlink($ticket->fileName);
            }

            return $this->placement->mayLeaveEmpty($ticket, $path) ? $byComposer() : \React\Promise\resolve(null);
        }
        $isUnderWay = $ticket !== null && $ticket->state() !== TicketState::Declined;
        if ($isUnderWay || isset($this->done[$package])) {
            // A second call, or one before the package was placed, means that the run is being
            // aborted.
            unset($this->tickets[$package]);
            $this->batch?->flushWrites();
            if ($isUnderWay) {
                // Composer waits for its processes before it ends, and no work may begin then.
                $ticket->abandon();
                $this->batch?->sweep();
            }
        }
        $this->done[$package] = true;

        return $byComposer();
    }

    /**
     * {@inheritDoc}
     *
     * This method is public because it is public in Composer 2.2.
     */
    public function extract(PackageInterface $package, $file, $path): PromiseInterface
    {
        if ($this->placement?->isExtracting($package) !== true) {
            return parent::extract($package, $file, $path);
        }

        return Guard::run(function () use ($path): PromiseInterface {
            $this->placement->extract($path);

            return \React\Promise\resolve(null);
        }, AbandonedException::abandon(...));
    }

    /**
     * Returns the ticket of a package that is ready, or null if Composer installs the package.
     */
    private function readyTicket(PackageInterface $package): ?Ticket
    {
        $ticket = $this->tickets[$package] ?? null;

        return $ticket?->state() === TicketState::Ready ? $ticket : null;
    }
}
