<?php

declare(strict_types=1);

namespace Allegro\Plugin\Autoload;

use Allegro\Plugin\Abandoned;
use Allegro\Plugin\Guard;
use Allegro\Plugin\Install\AtomicFilesystem;
use Composer\Util\Filesystem;

/**
 * The file system of a dump: files are replaced by a rename or left alone, and those that a former autoloader still
 * needs go last. It remembers what was written, so that a later dump can tell that nothing changed.
 */
final class DumpFilesystem extends Filesystem
{
    private static ?self $current = null;

    /** Files that are read when the autoloader is used, in the order in which they may come one by one. */
    private const TOGETHER = ['include_paths.php', 'platform_check.php', 'autoload_static.php', 'autoload_real.php', 'autoload.php'];

    /** @var array<string, array{string, string}> path and what is to replace it, by name */
    private array $waiting = [];

    private bool $isAuthoritative = false;

    /** @var array<string, string|null> SHA-256 of each file's content, null for one that there must not be */
    private array $outputs = [];

    public function __construct()
    {
        parent::__construct();
        self::$current = $this;
    }

    /**
     * That of the dump in progress, once it has one.
     */
    public static function current(): ?self
    {
        return self::$current;
    }

    /**
     * Begins a dump, or goes back to the one around it.
     */
    public static function within(?self $filesystem): ?self
    {
        $before = self::$current;
        self::$current = $filesystem;

        return $before;
    }

    /**
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
        return Guard::run(fn () => $this->put($path, $content), static fn (): never => throw new Abandoned());
    }

    /**
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

    public function __destruct()
    {
        Guard::restore(function (): void {
            foreach ($this->waiting as [, $temporary]) {
                AtomicFilesystem::discard($temporary);
            }
        });
    }

    /**
     * Puts the files in place that work with each other only.
     */
    private function replaceTogether(): void
    {
        $order = self::TOGETHER;
        if (!$this->isAuthoritative) {
            // A former loader that trusts its class map alone would miss what the new map leaves out.
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
     * Called for the last files of a dump.
     *
     * @param string $source
     * @param string $target
     *
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
        }, static fn (): never => throw new Abandoned());
    }

    /**
     * Composer's own code copies, because since 2.6 it gives the copy the source's time.
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
            // It was written in place.
            @touch($target, $time);
        }
    }

    /**
     * The former `autoload_real.php` may require a file until it is replaced itself. Others go at once: the dump looks
     * whether they are there.
     */
    public function unlinkAtTheEnd(string $path): bool
    {
        return Guard::run(function () use ($path): bool {
            $this->outputs[$path] = null;

            return in_array(basename($path), self::TOGETHER, true) || @unlink($path);
        }, static fn (): never => throw new Abandoned());
    }
}
