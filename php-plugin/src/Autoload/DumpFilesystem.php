<?php

declare(strict_types=1);

namespace Allegro\Plugin\Autoload;

use Allegro\Plugin\AbandonedException;
use Allegro\Plugin\Guard;
use Allegro\Plugin\Takeover\AtomicFilesystem;
use Composer\Util\Filesystem;

/**
 * Writes the files of a dump: replaces a file by a rename, or leaves it alone if it is equal.
 *
 * Files that a former autoloader still needs are replaced last. The class remembers the written
 * files, so that a later dump can tell that nothing changed.
 */
final class DumpFilesystem extends Filesystem
{
    /** The file system of the dump in progress. */
    private static ?self $current = null;

    /**
     * Files that are read when the autoloader is used, in the order in which they may come one by
     * one.
     */
    private const TOGETHER = ['include_paths.php', 'platform_check.php', 'autoload_static.php', 'autoload_real.php', 'autoload.php'];

    /**
     * Path and temporary file of each replacement that is to come, by file name.
     *
     * @var array<string, array{string, string}>
     */
    private array $waiting = [];

    /** Whether the new autoloader trusts its class map alone. */
    private bool $isAuthoritative = false;

    /**
     * SHA-256 of each file's content by path, or null for a file that must not exist.
     *
     * @var array<string, string|null>
     */
    private array $outputs = [];

    public function __construct()
    {
        parent::__construct();
        self::$current = $this;
    }

    /**
     * Returns the file system of the dump in progress, or null if the dump has not made one yet.
     */
    public static function current(): ?self
    {
        return self::$current;
    }

    /**
     * Begins a dump, or goes back to the one around it. It returns the former file system.
     */
    public static function within(?self $filesystem): ?self
    {
        $before = self::$current;
        self::$current = $filesystem;

        return $before;
    }

    /**
     * Returns the checksums of the files that were written.
     *
     * @return array<string, string|null>
     */
    public function outputs(): array
    {
        return $this->outputs;
    }

    /**
     * {@inheritDoc}
     *
     * @param string $path
     * @param string $content
     *
     * @return int|false
     */
    public function filePutContentsIfModified($path, $content)
    {
        return Guard::run(fn () => $this->put($path, $content), AbandonedException::abandon(...));
    }

    /**
     * Writes a file at once, or beside its path if it must wait for {@see replaceTogether()}.
     *
     * @return int|false
     */
    private function put(string $path, string $content)
    {
        $this->outputs[$path] = hash('sha256', $content);
        if (@file_get_contents($path) === $content) {
            return 0;
        }
        $name = basename($path);
        $isTogether = in_array($name, self::TOGETHER, true) && AtomicFilesystem::canReplace($path);
        $temporary = $isTogether ? AtomicFilesystem::beside($path, $content) : null;
        if ($temporary === null) {
            return AtomicFilesystem::put($path, $content);
        }
        $this->isAuthoritative = $this->isAuthoritative || str_contains($content, 'setClassMapAuthoritative(true)');
        $this->waiting[$name] = [$path, $temporary];

        return strlen($content);
    }

    /**
     * Removes the temporary files of an unfinished dump.
     */
    public function __destruct()
    {
        Guard::restore(function (): void {
            foreach ($this->waiting as [, $temporary]) {
                AtomicFilesystem::discard($temporary);
            }
        });
    }

    /**
     * Puts the files in place that work only with each other.
     */
    private function replaceTogether(): void
    {
        $order = self::TOGETHER;
        if (!$this->isAuthoritative) {
            // A former loader that trusts its class map alone would miss the classes that the new
            // map leaves out.
            [$order[2], $order[3]] = [$order[3], $order[2]];
        }
        foreach ($order as $name) {
            if (isset($this->waiting[$name])) {
                [$path, $temporary] = $this->waiting[$name];
                unset($this->waiting[$name]);
                AtomicFilesystem::replace($temporary, $path);
            }
        }
    }

    /**
     * {@inheritDoc}
     *
     * Composer calls this method for the last files of a dump.
     *
     * @param string $source
     * @param string $target
     */
    public function safeCopy($source, $target): void
    {
        Guard::run(function () use ($source, $target): void {
            $this->replaceTogether();
            $content = (string) file_get_contents($source);
            $this->outputs[$target] = hash('sha256', $content);
            if (@file_get_contents($target) !== $content) {
                $this->copyWithTime($source, $target);
            }
            foreach (array_keys($this->outputs, null, true) as $path) {
                @unlink($path);
            }
        }, AbandonedException::abandon(...));
    }

    /**
     * Copies a file with Composer's own code, because since 2.6 that code gives the copy the
     * source's time.
     */
    private function copyWithTime(string $source, string $target): void
    {
        $temporary = AtomicFilesystem::canReplace($target) ? AtomicFilesystem::beside($target, '') : null;
        if ($temporary === null) {
            parent::safeCopy($source, $target);

            return;
        }
        parent::safeCopy($source, $temporary);
        clearstatcache(true, $temporary);
        $time = (int) filemtime($temporary);
        AtomicFilesystem::replace($temporary, $target);
        clearstatcache(true, $target);
        if (filemtime($target) !== $time) {
            // The target was written in place, and has a time of its own.
            @touch($target, $time);
        }
    }

    /**
     * Removes a file, at once or at the end of the dump.
     *
     * The former `autoload_real.php` may require the file until it is replaced itself. Other files
     * go at once, because the dump checks whether they exist.
     */
    public function unlinkAtTheEnd(string $path): bool
    {
        return Guard::run(function () use ($path): bool {
            $this->outputs[$path] = null;

            return in_array(basename($path), self::TOGETHER, true) || @unlink($path);
        }, AbandonedException::abandon(...));
    }
}
