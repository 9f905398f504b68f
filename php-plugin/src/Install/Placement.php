<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\AbandonedException;
use Allegro\Plugin\Guard;
use Composer\Config;
use Composer\Package\PackageInterface;
use Composer\Util\Filesystem;
use Composer\Util\Platform;
use React\Promise\PromiseInterface;

/**
 * Moves packages from the staging directory to their install paths, by a rename where that can be.
 *
 * If Allegro fails with a package, Composer downloads and installs that package.
 */
final class Placement
{
    /** The package whose content Composer's code is to take as extracted. */
    private ?Ticket $extracting = null;

    private readonly InstallPaths $paths;

    /**
     * @param \Closure(PackageInterface, string): PromiseInterface $install
     *        Composer's own install(), without output
     * @param \Closure(PackageInterface, string): void $addCleanupPath
     *        has Composer remove a directory if the run is aborted
     * @param \Closure(PackageInterface, string): void $removeCleanupPath
     *        takes that back
     */
    public function __construct(
        private readonly Batch $batch,
        Config $config,
        private readonly Filesystem $filesystem,
        private readonly \Closure $install,
        private readonly \Closure $addCleanupPath,
        private readonly \Closure $removeCleanupPath,
    ) {
        $this->paths = new InstallPaths($config);
    }

    /**
     * Installs a package that is ready.
     */
    public function install(Ticket $ticket, string $path): PromiseInterface
    {
        $this->flushBeforePlugin($ticket->package);
        $this->clear($ticket->package, $path);

        return $this->placeLater($ticket, $path, $this->processes($ticket));
    }

    /**
     * Installs a package that is ready in place of another version.
     */
    public function update(Ticket $ticket, string $path): PromiseInterface
    {
        $this->flushBeforePlugin($ticket->package);
        $processes = $this->processes($ticket) + (is_dir($path) && !is_link($path) ? 1 : 0);

        // As with Composer's parallel removals, old versions go before any package of the round
        // comes. Packages may share a directory.
        return $this->placeLater($ticket, $path, $processes, fn () => Guard::run(
            fn () => $ticket->state() === TicketState::Ready ? $this->clear($ticket->package, $path) : null,
            static fn () => $ticket->giveUp()
        ));
    }

    /**
     * Has Composer download and install a package with which Allegro has failed.
     */
    public function installByComposer(Ticket $ticket, string $path): PromiseInterface
    {
        $package = $ticket->package;
        Guard::restore(fn () => $this->withdraw($ticket), fn () => ($this->removeCleanupPath)($package, $path));

        // Listeners of downloads have seen the archive where Composer looks for it.
        $isThere = $ticket->isArchiveSeen() && is_file($ticket->fileName);
        $download = $isThere ? \React\Promise\resolve($ticket->fileName) : $ticket->downloadByComposer(true);

        return $download->then(function () use ($ticket, $package, $path): PromiseInterface {
            // Composer empties the directory. The files of other packages in it come back
            // afterwards.
            $others = $this->takeOut($ticket, $path);
            $promise = ($this->install)($package, $path);

            return $others === null ? $promise : $promise->then(function () use ($others, $package, $path): void {
                $this->merge($package, $others, $path);
                $this->filesystem->removeDirectory($others);
            });
        });
    }

    /**
     * Tells whether Composer's code is installing a package whose content it is to take as
     * extracted.
     */
    public function isExtracting(PackageInterface $package): bool
    {
        return $this->extracting?->package === $package;
    }

    /**
     * Moves the staged content of a package to the directory that Composer's code would extract
     * into.
     *
     * @param string $path where to
     *
     * @throws RefusedException
     */
    public function extract(string $path): void
    {
        // The content is one directory at the top, so the parent class takes everything in it.
        $stage = (string) $this->extracting?->staged()->directory;
        if (!@rename($stage, $path.'/content')) {
            throw new RefusedException('Allegro: '.$stage.' can not be moved to '.$path);
        }
    }

    /**
     * Tells whether Composer's clean-up may find an empty directory that it removes.
     *
     * That is the directory of a package that turned out to hold nothing. It is also vendor itself
     * if the package went somewhere else, for example because an installer was added after the
     * download.
     */
    public function mayLeaveEmpty(Ticket $ticket, string $path): bool
    {
        return $path !== $ticket->path()
            || !$this->paths->isInVendor($path)
            || (!$ticket->staged()->hasFiles && InstallPaths::isEmpty($path));
    }

    /**
     * Writes the installed packages before a plugin is installed. A plugin is activated inside its
     * own operation, and may look at the recorded packages then.
     */
    private function flushBeforePlugin(PackageInterface $package): void
    {
        if (in_array($package->getType(), ['composer-plugin', 'composer-installer'], true)) {
            $this->batch->flushWrites();
        }
    }

    /**
     * Returns the number of processes that Composer needs to install a package. One unpacks it,
     * unless PHP does so, and one removes the temporary directory.
     */
    private function processes(Ticket $ticket): int
    {
        return $ticket->unpacker === 'unzip' ? 2 : 1;
    }

    /**
     * Empties a package's directory at the moment at which Composer does. Later files in it come
     * from another package of the round.
     *
     * Composer removes the directory if the run is aborted before the package is in it.
     */
    private function clear(PackageInterface $package, string $path): void
    {
        if (!Paths::exists($path) && $this->batch->directories->putOff($package, $path)) {
            ($this->addCleanupPath)($package, $path);

            return;
        }
        if (!$this->paths->isReplaceable($path)) {
            return;
        }
        if (is_link($path)) {
            $this->filesystem->unlink(rtrim($path, '/'));
        } elseif (is_dir($path) && !InstallPaths::isEmpty($path)) {
            if (InstallPaths::hasLinkToNowhere($path) || !$this->batch->staging->moveAside($path)) {
                $this->filesystem->emptyDirectory($path);
            }
        }
        $this->filesystem->ensureDirectoryExists($path);
        ($this->addCleanupPath)($package, $path);
    }

    /**
     * Has a package placed when the jobs of the round are done.
     *
     * @param (\Closure(): void)|null $first what is done before any package of the round is placed
     */
    private function placeLater(Ticket $ticket, string $path, int $processes, ?\Closure $first = null): PromiseInterface
    {
        $place = fn (): ?PromiseInterface => match ($ticket->state()) {
            TicketState::Ready => $this->place($ticket, $path),
            TicketState::GivenUp => $this->installByComposer($ticket, $path),
            // Composer installs the package already.
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
     * Moves a staged package to its install path.
     */
    private function place(Ticket $ticket, string $path): ?PromiseInterface
    {
        $stage = $ticket->staged()->directory;
        // An installer that was added after the download may have chosen another place.
        if ($ticket->staged()->isShared && !$this->batch->sharing->mayShare($ticket->package, $path, $this->batch->report)) {
            OwnInode::giveAll($stage);
        }
        // A directory may be renamed over an empty one.
        $isPlaced = $this->paths->isReplaceable($path) && @rename($stage, $path);
        if (!$isPlaced && !is_link($path) && is_dir($path) && $this->paths->isReplaceable($path) && !InstallPaths::isEmpty($path)) {
            $this->merge($ticket->package, $stage, $path, $ticket);
            $this->filesystem->removeDirectory($stage);
            $isPlaced = true;
        }
        ($this->removeCleanupPath)($ticket->package, $path);
        if ($isPlaced) {
            $this->placed($ticket, $path);

            return null;
        }
        // The path is on another file system, or is the current directory. Composer's own code
        // knows how to copy.
        $this->extracting = $ticket;
        try {
            $promise = Guard::out(fn (): PromiseInterface => ($this->install)($ticket->package, $path));
        } catch (AbandonedException $e) {
            return $this->installByComposer($ticket, $path);
        } finally {
            $this->extracting = null;
        }

        return $promise->then(
            fn (): ?PromiseInterface => Guard::run(
                fn () => $this->placed($ticket, $path),
                fn (): PromiseInterface => $this->installByComposer($ticket, $path)
            ),
            fn (\Throwable $e): PromiseInterface => $e instanceof AbandonedException ? $this->installByComposer($ticket, $path) : throw $e
        );
    }

    /**
     * Records a package that is at its install path.
     */
    private function placed(Ticket $ticket, string $path): void
    {
        $ticket->place($path);
        $this->batch->directories->forget($path);
        $this->batch->placed->add($ticket);
        $this->batch->staging->release($ticket);
        $this->batch->programs->separate($ticket->package, $path);
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
     * Moves the files of other packages of this run out of a directory.
     *
     * @return string|null where that is meanwhile; null if there is nothing
     */
    private function takeOut(Ticket $ticket, string $path): ?string
    {
        foreach ($ticket->takeMerged() as $file) {
            $this->filesystem->remove($file);
        }
        if (!$this->batch->placed->isTaken($path) || !is_dir($path) || InstallPaths::isEmpty($path)) {
            return null;
        }
        $others = $path.'.'.bin2hex(random_bytes(4));
        $this->filesystem->rename($path, $others);

        return $others;
    }

    /**
     * Moves a package's files into a directory that another package of the round is in, by the
     * rules of Composer's `ArchiveDownloader`.
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
                throw Guard::asTheirs(new \RuntimeException('Installing '.$package->__toString().' would lead to overwriting the '.$to.'/'.$name.' directory with a file from the package, invalid operation.'));
            }
        }
    }
}
