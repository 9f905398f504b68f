<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Abandoned;
use Allegro\Plugin\Guard;
use Allegro\Plugin\Io\SaidOnce;
use Composer\DependencyResolver\Operation\InstallOperation;
use Composer\DependencyResolver\Operation\UninstallOperation;
use Composer\DependencyResolver\Operation\UpdateOperation;
use Composer\Package\PackageInterface;
use Composer\Plugin\PluginEvents;
use Composer\Plugin\PreFileDownloadEvent;
use Composer\Util\Platform;
use React\Promise\PromiseInterface;

/**
 * What our zip and tar downloaders have in common: packages come out of staging by a rename; whatever that
 * can't do is done by the parent class, which is Composer's own downloader.
 *
 * Parameters are untyped because Composer 2.2 has them so.
 */
trait StoreDownloads
{
    /** @var Batch|null */
    private $batch;

    /** @var \WeakMap<PackageInterface, Ticket> */
    private $tickets;

    /** @var \WeakMap<PackageInterface, true> packages whose operation is over */
    private $done;

    /** @var Ticket|null the package that the parent's code is to find "extracted" */
    private $extracting;

    /** @var bool */
    private $retired = false;

    /** @var string|null the resolved vendor directory, once it exists */
    private $vendorDir;

    /**
     * What Composer itself would unpack this type of archives with.
     */
    abstract private function unpacker(): string;

    public function useBatch(Batch $batch): void
    {
        $this->batch = $batch;
        $this->retired = false;
        // Kept when the plugin is updated in a run: packages that are on their way stay ours.
        $this->tickets ??= new \WeakMap();
        $this->done ??= new \WeakMap();
    }

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
     * @param \Closure(): PromiseInterface             $byComposer
     * @param \Closure(string): PreFileDownloadEvent $announce   dispatches PRE_FILE_DOWNLOAD for a URL
     */
    private function downloadNatively(
        PackageInterface $package,
        string $path,
        bool $output,
        \Closure $byComposer,
        \Closure $announce
    ): PromiseInterface {
        // A plugin of the round before is active by now; its listeners look at what is recorded.
        $this->batch?->flushWrites();
        unset($this->tickets[$package], $this->done[$package]);
        // Without output: getLocalChanges() wants a fresh copy beside the installed one.
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
            // As in Composer's FileDownloader: the key is the whole URL, under the package's name.
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
     * Shows a cached archive to listeners of POST_FILE_DOWNLOAD, and has the package downloaded then.
     *
     * Composer puts such an archive in place and calls the listeners within download(), before it
     * turns to the next package. So do we, with its code.
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
     * Begins Composer's own download of a package whose listeners have had their say already.
     *
     * @param PreFileDownloadEvent         $announced what they have said
     * @param bool                         $isSaid    whether the user was told of the download too
     * @param \Closure(): PromiseInterface $download
     */
    private function withoutAnnouncing(PreFileDownloadEvent $announced, bool $isSaid, \Closure $download): PromiseInterface
    {
        $io = $this->io;
        $dispatcher = $this->eventDispatcher;
        // The parent keeps what it finds here at its first step for all that follow.
        if ($isSaid) {
            $this->io = new SaidOnce($io);
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

        // A copy, because a listener may keep the event.
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

        return Guard::run(function () use ($ticket, $package, $path): PromiseInterface {
            $this->beforePlugin($package);
            $this->clear($package, $path);

            return $this->placeLater($ticket, $path, $this->processes($ticket));
        }, fn (): PromiseInterface => $this->installByComposer($ticket, $path));
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

        return Guard::run(function () use ($ticket, $target, $path): PromiseInterface {
            $this->beforePlugin($target);
            $processes = $this->processes($ticket) + (is_dir($path) && !is_link($path) ? 1 : 0);

            // As with Composer's parallel removals, what is to be updated goes before anything of the round comes:
            // packages may share a directory.
            return $this->placeLater($ticket, $path, $processes, fn () => Guard::run(
                fn () => $ticket->state() === TicketState::Ready ? $this->clear($target, $path) : null,
                static fn () => $ticket->giveUp()
            ));
        }, fn (): PromiseInterface => $this->installByComposer($ticket, $path));
    }

    /**
     * How many processes it takes Composer to install a package: one that unpacks it, unless PHP does so, and one that
     * removes the temporary directory.
     */
    private function processes(Ticket $ticket): int
    {
        return $ticket->unpacker === 'unzip' ? 2 : 1;
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

            $remove = fn (): ?PromiseInterface => Guard::run(
                fn (): ?PromiseInterface => $this->batch->staging->moveAside($path)
                    ? null
                    : Guard::out(fn (): PromiseInterface => parent::remove($package, $path, false)),
                function () use ($package, $path): PromiseInterface {
                    Guard::restore(fn () => $this->batch->staging->bringBack($path));

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
            // Composer removes what turned out to hold nothing: the package's directory, or vendor itself where the
            // package went somewhere else, also because an installer was added after the download.
            $mayBeEmpty = $path !== $ticket->path()
                || !str_starts_with($path, $this->vendorDir().'/')
                || (!$ticket->staged()->hasFiles && $this->isEmpty($path));

            return $mayBeEmpty ? $byComposer() : \React\Promise\resolve(null);
        }
        $isUnderWay = $ticket !== null && $ticket->state() !== TicketState::Declined;
        if ($isUnderWay || isset($this->done[$package])) {
            // Called again, or before the package was placed: the run is being aborted.
            unset($this->tickets[$package]);
            $this->batch?->flushWrites();
            if ($isUnderWay) {
                // Composer waits for what runs beside it before it ends: nothing may be begun for us then.
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
     * Public, because it is in Composer 2.2.
     */
    public function extract(PackageInterface $package, $file, $path): PromiseInterface
    {
        $ticket = $this->extracting;
        if ($ticket === null || $ticket->package !== $package) {
            return parent::extract($package, $file, $path);
        }

        return Guard::run(static function () use ($ticket, $path): PromiseInterface {
            // One directory at the top: the parent takes its content, whatever that is.
            $stage = $ticket->staged()->directory;
            if (!@rename($stage, $path.'/content')) {
                throw new RefusedException('Allegro: '.$stage.' can not be moved to '.$path);
            }

            return \React\Promise\resolve(null);
        }, static fn (): never => throw new Abandoned());
    }

    /**
     * Returns the ticket of a package that is ready in the staging directory; null for Composer's packages.
     */
    private function readyTicket(PackageInterface $package): ?Ticket
    {
        $ticket = $this->tickets[$package] ?? null;

        return $ticket?->state() === TicketState::Ready ? $ticket : null;
    }

    /**
     * A plugin is activated inside its own operation and may look at what is recorded by then.
     */
    private function beforePlugin(PackageInterface $package): void
    {
        if (in_array($package->getType(), ['composer-plugin', 'composer-installer'], true)) {
            $this->batch->flushWrites();
        }
    }

    /**
     * Empties a package's directory, at the moment at which Composer does: whatever is in it later was put there by
     * another package of the round. Until the package is in it, it goes if the run is aborted.
     */
    private function clear(PackageInterface $package, string $path): void
    {
        if (!Paths::exists($path) && $this->batch->directories->putOff($package, $path)) {
            $this->addCleanupPath($package, $path);

            return;
        }
        if (!$this->isReplaceable($path)) {
            return;
        }
        if (is_link($path)) {
            $this->filesystem->unlink(rtrim($path, '/'));
        } elseif (is_dir($path) && !$this->isEmpty($path) && !$this->batch->staging->moveAside($path)) {
            $this->filesystem->emptyDirectory($path);
        }
        $this->filesystem->ensureDirectoryExists($path);
        $this->addCleanupPath($package, $path);
    }

    /**
     * @param (\Closure(): void)|null $first what is done before any package of the round is placed
     */
    private function placeLater(Ticket $ticket, string $path, int $processes, ?\Closure $first = null): PromiseInterface
    {
        $place = fn (): ?PromiseInterface => match ($ticket->state()) {
            TicketState::Ready => $this->place($ticket, $path),
            TicketState::GivenUp => $this->installByComposer($ticket, $path),
            // Composer is at it already.
            default => null,
        };
        $byComposer = fn (): PromiseInterface => $this->installByComposer($ticket, $path);

        return $this->batch->round->add(new Job(
            static fn (): ?PromiseInterface => Guard::run($place, $byComposer),
            processes: $processes,
            ticket: $ticket,
            first: $first,
        ));
    }

    /**
     * Has Composer download and install a package with which something of ours has failed.
     */
    private function installByComposer(Ticket $ticket, string $path): PromiseInterface
    {
        $package = $ticket->package;
        Guard::restore(fn () => $this->withdraw($ticket), fn () => $this->removeCleanupPath($package, $path));

        // Listeners of downloads have seen the archive where Composer looks for it.
        $isThere = $ticket->isArchiveSeen() && is_file($ticket->fileName);
        $download = $isThere ? \React\Promise\resolve($ticket->fileName) : $ticket->downloadByComposer(true);

        return $download->then(function () use ($ticket, $package, $path): PromiseInterface {
            // Composer empties the directory. What other packages have in it comes back afterwards.
            $others = $this->takeOut($ticket, $path);
            $promise = parent::install($package, $path, false);

            return $others === null ? $promise : $promise->then(function () use ($others, $package, $path): void {
                $this->merge($package, $others, $path);
                $this->filesystem->removeDirectory($others);
            });
        });
    }

    /**
     * Forgets a package that Composer is going to install after all.
     */
    private function withdraw(Ticket $ticket): void
    {
        $this->batch->staging->discard($ticket);
        $this->batch->placed->remove($ticket);
    }

    /**
     * Takes out what other packages of this run have in a directory; null if that is nothing.
     */
    private function takeOut(Ticket $ticket, string $path): ?string
    {
        foreach ($ticket->takeMerged() as $file) {
            $this->filesystem->remove($file);
        }
        if (!$this->batch->placed->isTaken($path) || !is_dir($path) || $this->isEmpty($path)) {
            return null;
        }
        $others = $path.'.'.bin2hex(random_bytes(4));
        $this->filesystem->rename($path, $others);

        return $others;
    }

    /**
     * Makes a staged package visible at its path.
     */
    private function place(Ticket $ticket, string $path): ?PromiseInterface
    {
        $stage = $ticket->staged()->directory;
        // An installer that came after the download may have chosen another place.
        if ($ticket->staged()->isShared && !$this->batch->sharing->mayShare($ticket->package, $path, $this->batch->report)) {
            OwnInode::giveAll($stage);
        }
        // A directory may be renamed over an empty one.
        $placed = $this->isReplaceable($path) && @rename($stage, $path);
        if (!$placed && !is_link($path) && is_dir($path) && $this->isReplaceable($path) && !$this->isEmpty($path)) {
            $this->merge($ticket->package, $stage, $path, $ticket);
            $this->filesystem->removeDirectory($stage);
            $placed = true;
        }
        $this->removeCleanupPath($ticket->package, $path);
        if ($placed) {
            $this->placed($ticket, $path);

            return null;
        }
        // Another file system, the current directory: Composer's own code knows how to copy.
        $this->extracting = $ticket;
        try {
            $promise = Guard::out(fn (): PromiseInterface => parent::install($ticket->package, $path, false));
        } catch (Abandoned $e) {
            return $this->installByComposer($ticket, $path);
        } finally {
            $this->extracting = null;
        }

        return $promise->then(
            fn (): ?PromiseInterface => Guard::run(
                fn () => $this->placed($ticket, $path),
                fn (): PromiseInterface => $this->installByComposer($ticket, $path)
            ),
            fn (\Throwable $e): PromiseInterface => $e instanceof Abandoned ? $this->installByComposer($ticket, $path) : throw $e
        );
    }

    private function placed(Ticket $ticket, string $path): void
    {
        $ticket->place($path);
        $this->batch->directories->forget($path);
        $this->batch->placed->add($ticket);
        $this->batch->staging->release($ticket);
        $this->batch->programs->separate($ticket->package, $path);
    }

    /**
     * Moves a package's files into a directory that another package of the round is in, by Composer's rules.
     *
     * @param Ticket|null $ticket remembers what was moved
     */
    private function merge(PackageInterface $package, string $from, string $to, ?Ticket $ticket = null): void
    {
        // Since 2.11 Composer leaves nothing out here.
        $leftOut = defined(Platform::class.'::METADATA_NAME_REGEX') ? ['.', '..'] : ['.', '..', '.DS_Store'];
        foreach (array_diff(scandir($from) ?: [], $leftOut) as $name) {
            if (!is_dir($to.'/'.$name)) {
                $this->filesystem->rename($from.'/'.$name, $to.'/'.$name);
                $ticket?->addMerged($to.'/'.$name);
            } elseif (is_dir($from.'/'.$name)) {
                $this->merge($package, $from.'/'.$name, $to.'/'.$name, $ticket);
            } else {
                throw Guard::asTheirs(new \RuntimeException('Installing '.$package.' would lead to overwriting the '.$to.'/'.$name.' directory with a file from the package, invalid operation.'));
            }
        }
    }

    /**
     * Whether what is at the path may go: not the current directory, nor one that vendor is in.
     */
    private function isReplaceable(string $path): bool
    {
        if (is_link($path)) {
            return true;
        }
        $real = realpath($path);

        return $real === false || ($real !== getcwd() && !str_starts_with($this->vendorDir().'/', $real.'/'));
    }

    private function vendorDir(): string
    {
        if ($this->vendorDir === null) {
            $dir = $this->config->get('vendor-dir');
            $real = realpath($dir);
            if ($real === false) {
                return $dir;
            }
            $this->vendorDir = $real;
        }

        return $this->vendorDir;
    }

    private function isEmpty(string $path): bool
    {
        $handle = @opendir($path);
        if ($handle === false) {
            return false;
        }
        try {
            while (($name = readdir($handle)) !== false) {
                if ($name !== '.' && $name !== '..') {
                    return false;
                }
            }
        } finally {
            closedir($handle);
        }

        return true;
    }
}
