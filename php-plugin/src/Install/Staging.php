<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Io\Report;
use Allegro\Plugin\Io\ShortList;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\EngineFinder;
use Composer\Composer;
use Composer\Util\Filesystem;

/**
 * Manages the staging directory of a run. It holds packages that are ready and not placed yet, and
 * directories that were moved out of the way.
 *
 * The directory is made when it is first needed. It is removed as soon as nothing is in it, so that
 * an empty vendor directory is seen as empty.
 */
final class Staging
{
    private ?string $directory = null;

    /** @var array<string, true> directories of packages that are ready and not placed yet */
    private array $packages = [];

    /**
     * Paths that are to be removed => the original paths or descriptions of the content.
     *
     * @var array<string, string>
     */
    private array $trash = [];

    private int $lastTrash = 0;

    /** Whether the user was told of a path that can't be removed from the directory. */
    private bool $isTold = false;

    public function __construct(
        private readonly Composer $composer,
        private readonly EngineFinder $engines,
        private readonly Report $report,
        private readonly Filesystem $filesystem,
    ) {
    }

    /**
     * Returns the vendor directory without links, once it is there.
     */
    public function vendorDir(): string
    {
        /** @var string $dir */
        $dir = $this->composer->getConfig()->get('vendor-dir');

        return realpath($dir) ?: $dir;
    }

    /**
     * Returns the staging directory, and makes it on vendor's file system if necessary.
     *
     * Its name holds the id of this process (see `unique` in the core). So a later run can remove
     * the directory of a killed one.
     *
     * @throws RefusedException
     */
    public function directory(): string
    {
        if ($this->directory === null) {
            $parent = $this->vendorDir().'/composer';
            $directory = sprintf('%s/.allegro-%x-%s', $parent, getmypid(), bin2hex(random_bytes(4)));
            // The name is set before the directory exists, because a signal's handler may run
            // before the next line does.
            $this->directory = $directory;
            if (!is_dir($directory) && !@mkdir($directory, 0777, true) && !is_dir($directory)) {
                $this->directory = null;

                throw new RefusedException('Allegro: '.$directory.' can not be created; check the permissions of '.$parent);
            }
        }

        return $this->directory;
    }

    /**
     * Keeps the directory until {@see release()}, because a package is in it.
     */
    public function hold(Ticket $ticket): void
    {
        $this->packages[$ticket->staged()->directory] = true;
    }

    /**
     * Forgets a package that has left the directory.
     */
    public function release(Ticket $ticket): void
    {
        unset($this->packages[$ticket->staged()->directory]);
        $this->tidy();
    }

    /**
     * Throws the staged files of a package away, at the end of the round.
     */
    public function discard(Ticket $ticket): void
    {
        $isStaged = $ticket->isStaged();
        $ticket->decline();
        if ($isStaged) {
            $directory = $ticket->staged()->directory;
            $this->trash[$directory] = 'files of '.$ticket->package->getName();
            unset($this->packages[$directory]);
        }
    }

    /**
     * Moves a file or directory out of the way, to be removed at the end of the round.
     *
     * @return bool false if it can't be moved (a mount point, another file system)
     */
    public function moveAside(string $path): bool
    {
        if (!Paths::exists($path)) {
            return true;
        }
        $trash = $this->directory().'/trash-'.++$this->lastTrash;
        if (!@rename($path, $trash)) {
            return false;
        }
        $this->trash[$trash] = $path;

        return true;
    }

    /**
     * Brings a path back that {@see moveAside()} has moved, unless something else is there by now.
     */
    public function bringBack(string $path): void
    {
        $trash = array_search($path, $this->trash, true);
        if (is_string($trash) && !Paths::exists($path) && @rename($trash, $path)) {
            unset($this->trash[$trash]);
        }
    }

    /**
     * Removes everything that was moved out of the way, and tells the user of failures.
     */
    public function emptyTrash(): void
    {
        if ($this->trash === []) {
            return;
        }
        $trash = $this->trash;
        $this->trash = [];
        $failures = [];
        foreach ($this->remove(array_keys($trash)) as $failure) {
            $was = array_filter($trash, static fn (string $path): bool => str_starts_with($failure, $path.' '), ARRAY_FILTER_USE_KEY);
            $failures[] = $failure.($was === [] ? '' : ' (it was '.implode($was).')');
        }
        $this->isTold = $this->isTold || $failures !== [];
        if ($failures !== []) {
            $this->report->notice(ShortList::names($failures));
        }
        $this->tidy();
    }

    /**
     * Removes the directory if nothing is in it.
     */
    public function tidy(): void
    {
        if ($this->packages === [] && $this->directory !== null && @rmdir($this->directory)) {
            $this->directory = null;
        }
    }

    /**
     * Removes the directory with its content, at the end of a run or when the run is aborted.
     */
    public function sweep(): void
    {
        if ($this->directory === null) {
            return;
        }
        // An empty directory is removed in this way as well, because that ends a helper that was
        // asked to fill it. The name is forgotten afterwards, because a signal in the meantime
        // calls this method once more.
        $failures = $this->remove([$this->directory]);
        // The user already knows the names of the paths that can't be removed.
        if (!$this->isTold && $failures !== []) {
            $this->report->notice(ShortList::names($failures));
        }
        $this->isTold = false;
        $this->directory = null;
        $this->packages = [];
    }

    /**
     * Removes directories, by Composer's Filesystem if there is no engine.
     *
     * @param list<string> $paths
     *
     * @return list<string> a sentence that begins with the path, for each one that is left
     */
    private function remove(array $paths): array
    {
        $engine = $this->engines->find();
        if ($engine !== null) {
            try {
                return $engine->remove($paths);
            } catch (EngineException $e) {
                $this->engines->giveUp($e->getMessage());
            }
        }
        $failures = [];
        foreach ($paths as $path) {
            try {
                $this->filesystem->removeDirectory($path);
            } catch (\RuntimeException $e) {
                $failures[] = $path.' can\'t be removed: '.$e->getMessage();
            }
        }

        return $failures;
    }
}
