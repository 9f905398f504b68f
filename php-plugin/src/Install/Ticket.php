<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Composer\Package\PackageInterface;

/**
 * One package on its way from download() to install().
 */
final class Ticket
{
    public const WAITING = 'waiting';
    public const READY = 'ready';
    public const DECLINED = 'declined';
    public const PLACED = 'placed';
    /** The run was aborted before the package was in its place. */
    public const ABANDONED = 'abandoned';

    /** @var self::* */
    public string $state = self::WAITING;

    /** The complete package directory, once it is ready. */
    public ?string $stage = null;

    /** Where the package was placed. */
    public ?string $path = null;

    /** @var array<string, mixed>|null its identity, as the core was told */
    public ?array $dist = null;

    /** @var array{int, int}|null when the core made its files */
    public ?array $made = null;

    /** The staged files may be hard links to those of the store. */
    public bool $isShared = false;

    /** Whether it holds files. */
    public bool $hasFiles = false;

    /** The user was told that it is downloaded. */
    public bool $isSaid = false;

    /** The promise of its download is settled. */
    public bool $isSettled = false;

    /** POST_FILE_DOWNLOAD was dispatched, by whomever, and the archive is at the file name. */
    public bool $isArchiveSeen = false;

    /** @var list<string> what was moved into a directory that other packages are in, too */
    public array $merged = [];

    /** Something of ours failed with it: Composer installs it. */
    public bool $isGivenUp = false;

    /** POST_FILE_DOWNLOAD was dispatched for the archive, which is at the file name. */
    public bool $isShown = false;

    /**
     * @param string               $target      where it is to be installed, as download() was told; absolute
     * @param string               $url         as Composer would ask for it, after PRE_FILE_DOWNLOAD
     * @param string|null          $customKey   a plugin's own cache key
     * @param string|null          $archive     its place in Composer's cache
     * @param string               $fileName    where Composer would put the archive
     * @param string               $unpacker    what Composer would unpack it with
     * @param \Closure(bool): \React\Promise\PromiseInterface $fallBack  Composer's own download of it; true: the
     *                                                                   user was told already
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
        public readonly \Closure $fallBack,
    ) {
    }

    /**
     * Tells whether Composer's unpacker loses the modes and links of the archive.
     */
    public function hasPlainModes(): bool
    {
        return $this->unpacker === 'ZipArchive';
    }

    public function label(): string
    {
        return '<info>'.$this->package->getName().'</info> (<comment>'.$this->package->getFullPrettyVersion().'</comment>)';
    }
}
