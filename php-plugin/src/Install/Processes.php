<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

/**
 * The order in which Composer would be done with work that it leaves to processes, of which several run at a time.
 *
 * Composer's `ProcessExecutor` starts processes in the order of the calls, and looks which of them have ended once all
 * of them are started or wait for others. A package whose work takes another process goes on with that at once. So
 * updates, which remove a directory first, are over after installs. And what removes a large package is over after what
 * removes small ones: after each of them Composer looks after the directory of programs, makes it, and removes it again
 * only if the package has programs. Whether an empty one stays depends on which package is the last.
 */
final class Processes
{
    /** About so many files and directories are removed while a process is started. */
    private const ENTRIES = 100;

    /**
     * @param list<Job> $jobs in the order of the calls
     * @param int        $most how many processes Composer has at a time
     *
     * @return list<Job>
     */
    public static function inOrder(array $jobs, int $most): array
    {
        $sizes = $most > 1 ? self::sizes($jobs) : [];
        $done = $running = [];
        // The time that it takes to start a process is one.
        $now = 0;
        for ($next = 0; $next < count($jobs) || $running !== [];) {
            for (; $next < count($jobs) && count($running) < max(1, $most); ++$next) {
                $running[] = [$jobs[$next], $jobs[$next]->processes, ++$now + 1 + intdiv($sizes[$next] ?? 0, self::ENTRIES)];
            }
            $now = max($now, min(array_column($running, 2)));
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
     * How much there is to remove, where that counts.
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
