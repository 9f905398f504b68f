<?php

declare(strict_types=1);

namespace Allegro\Plugin\Takeover;

use Allegro\Plugin\Install\Job;

/**
 * Puts jobs into the order in which Composer would be done with them in parallel processes.
 *
 * Composer's `ProcessExecutor` starts processes in the order of the calls. It looks for ended
 * processes once all of them are started or wait for others. A package that takes another process
 * goes on with that at once. So updates, which remove a directory first, are over after installs.
 *
 * The removal of a large package is over after those of small ones. After each removal Composer
 * makes the directory of programs, and removes it again only if the package has programs. So it
 * depends on the last package whether an empty directory stays.
 */
final class Processes
{
    /**
     * The approximate number of files and directories that are removed while a process is started.
     */
    private const ENTRIES = 100;

    /**
     * Returns the jobs in the order in which Composer would be done with them.
     *
     * @param list<Job> $jobs in the order of the calls
     * @param int        $most how many processes Composer has at a time
     *
     * @return list<Job>
     */
    public static function inOrder(array $jobs, int $most): array
    {
        $sizes = $most > 1 ? self::sizes($jobs) : [];
        $done = [];
        /** @var list<array{Job, int, int}> $running */
        $running = [];
        // The unit of time is the time that it takes to start a process.
        $now = 0;
        for ($next = 0; $next < count($jobs) || $running !== [];) {
            for (; $next < count($jobs) && count($running) < max(1, $most); ++$next) {
                $running[] = [$jobs[$next], $jobs[$next]->processes, ++$now + 1 + intdiv($sizes[$next] ?? 0, self::ENTRIES)];
            }
            /** @var non-empty-list<int> $ends */
            $ends = array_column($running, 2);
            $now = max($now, min($ends));
            $unfinished = $started = [];
            foreach ($running as [$one, $left, $end]) {
                if ($end > $now) {
                    $unfinished[] = [$one, $left, $end];
                } elseif ($left > 1) {
                    $started[] = [$one, $left - 1, ++$now + 1];
                } else {
                    $done[] = $one;
                }
            }
            $running = array_merge($unfinished, $started);
        }

        return $done;
    }

    /**
     * Returns the sizes of the directories to remove, where sizes matter.
     *
     * @param list<Job> $jobs
     *
     * @return array<int, int>
     */
    private static function sizes(array $jobs): array
    {
        $removals = array_filter($jobs, static fn (Job $one): bool => $one->removed !== null);
        $programs = array_filter($removals, static fn (Job $one): bool => $one->hasPrograms);

        return $programs === [] || count($programs) === count($removals)
            ? []
            : array_map(static fn (Job $one): int => self::size((string) $one->removed), $removals);
    }

    /**
     * Returns the number of files and directories in a directory.
     */
    private static function size(string $dir): int
    {
        try {
            return iterator_count(new \RecursiveIteratorIterator(
                new \RecursiveDirectoryIterator($dir, \FilesystemIterator::SKIP_DOTS),
                \RecursiveIteratorIterator::SELF_FIRST,
                \RecursiveIteratorIterator::CATCH_GET_CHILD
            ));
        } catch (\UnexpectedValueException $e) {
            return 0;
        }
    }
}
