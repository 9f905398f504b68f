<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Composer\Package\PackageInterface;
use React\Promise\Deferred;
use React\Promise\PromiseInterface;

/**
 * Follows one package between Composer's calls of download() and cleanup().
 *
 * It holds the promise of the download. A method whose comment begins with "X → Y" is a transition
 * of {@see TicketState}.
 */
final class Ticket
{
    private TicketState $state = TicketState::Waiting;

    private readonly Deferred $download;

    private bool $isSettled = false;

    /** Whether the user was told that the package is downloaded. */
    private bool $isSaid = false;

    /** The staged package, which is set as soon as the package is ready. */
    private Staged $staged;

    /** The install path, or null until the package is placed. */
    private ?string $path = null;

    /**
     * Paths that were moved into directories that other packages are in, too.
     *
     * @var list<string>
     */
    private array $merged = [];

    /**
     * @param string      $target        the absolute path that download() was told
     * @param string      $url           the URL that listeners of PRE_FILE_DOWNLOAD left
     * @param string|null $customKey     the cache key that such a listener has chosen
     * @param string|null $archive       the path in Composer's cache; null without a cache
     * @param string      $fileName      the path at which Composer would put the archive
     * @param string      $unpacker      the program or class that Composer would unpack with
     * @param \Closure(bool): PromiseInterface $fallBack is called by {@see downloadByComposer()}
     * @param bool        $isArchiveSeen whether POST_FILE_DOWNLOAD was dispatched for the archive
     */
    public function __construct(
        public readonly PackageInterface $package,
        public readonly string $target,
        public readonly string $url,
        public readonly ?string $customKey,
        public readonly ?string $archive,
        public readonly bool $archiveWritable,
        public readonly string $fileName,
        public readonly string $unpacker,
        private readonly \Closure $fallBack,
        private bool $isArchiveSeen = false,
    ) {
        $this->download = new Deferred();
    }

    /**
     * Returns a ticket for the time after Composer has shown the archive to listeners. Composer's
     * own download has nothing to do then.
     */
    public function afterListeners(): self
    {
        $fileName = $this->fileName;

        return new self(
            $this->package,
            $this->target,
            $this->url,
            $this->customKey,
            $this->archive,
            $this->archiveWritable,
            $fileName,
            $this->unpacker,
            static fn (): PromiseInterface => \React\Promise\resolve($fileName),
            isArchiveSeen: true,
        );
    }

    /**
     * Returns the state of the package.
     */
    public function state(): TicketState
    {
        return $this->state;
    }

    /**
     * Waiting → Ready: the package is complete in the staging directory.
     */
    public function stage(Staged $staged): void
    {
        $this->staged = $staged;
        $this->state = TicketState::Ready;
    }

    /**
     * Ready → GivenUp: Allegro has failed with the package, but it isn't the package's turn yet.
     */
    public function giveUp(): void
    {
        $this->state = TicketState::GivenUp;
    }

    /**
     * Ready → Placed: the package has left the staging directory for its install path.
     */
    public function place(string $path): void
    {
        $this->path = $path;
        $this->state = TicketState::Placed;
    }

    /**
     * Any state → Declined: Composer downloads and installs the package.
     */
    public function decline(): void
    {
        $this->state = TicketState::Declined;
    }

    /**
     * Waiting, Ready or GivenUp → Abandoned: the run is being aborted.
     */
    public function abandon(): void
    {
        $this->state = TicketState::Abandoned;
    }

    /**
     * Tells whether the package's directory is in the staging directory.
     */
    public function isStaged(): bool
    {
        return $this->state === TicketState::Ready || $this->state === TicketState::GivenUp;
    }

    /**
     * Returns the staged package. The package must have been ready.
     */
    public function staged(): Staged
    {
        return $this->staged;
    }

    /**
     * Returns the install path, or null until the package is placed.
     */
    public function path(): ?string
    {
        return $this->path;
    }

    /**
     * Returns the promise of the download. It is settled with the file name, like that of
     * Composer's own download.
     */
    public function promise(): PromiseInterface
    {
        return $this->download->promise();
    }

    /**
     * Tells whether the promise of the download is settled.
     */
    public function isSettled(): bool
    {
        return $this->isSettled;
    }

    /**
     * Settles the promise: the package is downloaded.
     */
    public function resolve(): void
    {
        $this->isSettled = true;
        $this->download->resolve($this->fileName);
    }

    /**
     * Settles the promise: the package can't be downloaded.
     */
    public function reject(\Throwable $reason): void
    {
        $this->isSettled = true;
        $this->download->reject($reason);
    }

    /**
     * Settles the promise with Composer's own download.
     */
    public function handOver(): void
    {
        $this->isSettled = true;
        try {
            $this->download->resolve($this->downloadByComposer($this->isSaid));
        } catch (\Throwable $e) {
            $this->download->resolve(\React\Promise\reject($e));
        }
    }

    /**
     * Begins Composer's own download, without PRE_FILE_DOWNLOAD because that was dispatched
     * already.
     *
     * @param bool $isSaid whether the user was told that the package is downloaded
     */
    public function downloadByComposer(bool $isSaid): PromiseInterface
    {
        return ($this->fallBack)($isSaid);
    }

    /**
     * Remembers that the user was told that the package is downloaded.
     */
    public function markSaid(): void
    {
        $this->isSaid = true;
    }

    /**
     * Tells whether POST_FILE_DOWNLOAD was dispatched for the archive, by Allegro or by Composer.
     */
    public function isArchiveSeen(): bool
    {
        return $this->isArchiveSeen;
    }

    /**
     * Remembers that POST_FILE_DOWNLOAD is dispatched for the archive.
     */
    public function markArchiveSeen(): void
    {
        $this->isArchiveSeen = true;
    }

    /**
     * Remembers a path that was moved into a directory that other packages are in, too.
     */
    public function addMerged(string $path): void
    {
        $this->merged[] = $path;
    }

    /**
     * Returns the paths that {@see addMerged()} has remembered, and forgets them.
     *
     * @return list<string>
     */
    public function takeMerged(): array
    {
        $merged = $this->merged;
        $this->merged = [];

        return $merged;
    }

    /**
     * Tells whether Composer's unpacker loses the modes and links of the archive.
     */
    public function hasPlainModes(): bool
    {
        return $this->unpacker === 'ZipArchive';
    }

    /**
     * Returns the package's name and version, as Composer writes them.
     */
    public function label(): string
    {
        return '<info>'.$this->package->getName().'</info> (<comment>'.$this->package->getFullPrettyVersion().'</comment>)';
    }
}
