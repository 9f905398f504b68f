<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

/**
 * Tracks how far the packages of a batch are, and formats the progress line.
 */
final class Progress
{
    /**
     * The seconds over which the rate is measured. The rate shall follow changes without jumping.
     */
    private const WINDOW = 3.0;

    /**
     * Names of the packages that are not ready, by id.
     *
     * @var array<int, string>
     */
    private array $open;

    private int $received = 0;

    /**
     * Received bytes of each package, by id.
     *
     * @var array<int, int>
     */
    private array $arrived = [];

    /**
     * Sizes of archives by package id, where the server tells.
     *
     * @var array<int, int>
     */
    private array $sizes = [];

    /**
     * Points in time, each with the bytes received and the packages ready by then.
     *
     * @var non-empty-list<array{float, int, int}>
     */
    private array $marks;

    /**
     * @param array<int, string> $packages names by id
     */
    public function __construct(private readonly array $packages, private readonly float $began)
    {
        $this->open = $packages;
        $this->marks = [[$began, 0, 0]];
    }

    /**
     * Sets the packages that are still to come. A package that was only looked for is not ready.
     *
     * @param list<int> $ids
     */
    public function remaining(array $ids, float $now): void
    {
        $this->open = array_intersect_key($this->packages, array_flip($ids));
        $this->marks = [$this->mark($now)];
    }

    /**
     * Counts a package as ready.
     */
    public function settled(int $id): void
    {
        unset($this->open[$id]);
    }

    /**
     * Records the size of a package's archive.
     */
    public function sized(int $id, int $bytes): void
    {
        $this->sizes[$id] = $bytes;
    }

    /**
     * Counts bytes that were received of a package.
     */
    public function received(int $id, int $bytes): void
    {
        $this->received += $bytes;
        $this->arrived[$id] = ($this->arrived[$id] ?? 0) + $bytes;
    }

    /**
     * Discards the received bytes of a package, because they are void.
     */
    public function retrying(int $id): void
    {
        unset($this->arrived[$id]);
    }

    /**
     * Returns the progress line, such as "12/201 packages, 3.1 MiB, 2.2 MiB/s, 6 s left". It has as
     * many of its parts as fit into a number of columns.
     */
    public function line(float $now, int $columns): string
    {
        $line = sprintf('    %d/%d packages', $this->ready(), count($this->packages));
        foreach ($this->details($now) as $detail) {
            if (strlen($line.', '.$detail) > $columns) {
                break;
            }
            $line .= ', '.$detail;
        }

        return rtrim(substr($line, 0, max(0, $columns)));
    }

    /**
     * Returns the parts of the line that follow the number of packages.
     *
     * @return list<string>
     */
    private function details(float $now): array
    {
        while (count($this->marks) > 1 && $now - $this->marks[1][0] >= self::WINDOW) {
            // @mago-expect analysis:invalid-property-assignment-value One mark is left.
            array_shift($this->marks);
        }
        [$since, $bytes, $ready] = $this->marks[0];
        $this->marks[] = $this->mark($now);
        $span = max($now - $since, 0.001);
        $rate = ($this->received - $bytes) / $span;
        $details = [];
        if ($this->received > 0) {
            $details[] = Report::bytes($this->received);
            $details[] = Report::bytes((int) $rate).'/s';
        }
        $left = $this->secondsLeft($now, $rate, ($this->ready() - $ready) / $span);
        if ($left !== null) {
            $details[] = $left < 60 ? $left.' s left' : ceil($left / 60).' min left';
        }
        $name = (string) reset($this->open);
        // The line names the last open package. A name with other characters than ASCII is left
        // out, because its width is not known.
        if (count($this->open) === 1 && preg_match('{^[!-~]+$}D', $name) === 1) {
            $details[] = $name;
        }

        return $details;
    }

    /**
     * Returns the estimated number of seconds left, or null if there is no estimate.
     *
     * The estimate counts bytes where the server tells their number, and packages otherwise. A
     * package that hasn't begun counts like the average of the ready ones. One large archive among
     * those that are coming says little about that package.
     */
    private function secondsLeft(float $now, float $bytesPerSecond, float $packagesPerSecond): ?int
    {
        if ($now - $this->began < 1.0 || $this->open === []) {
            return null;
        }
        if ($this->sizes === []) {
            return $packagesPerSecond > 0 ? (int) ceil(count($this->open) / $packagesPerSecond) : null;
        }
        $known = array_diff_key($this->sizes, $this->open) ?: $this->sizes;
        $average = array_sum($known) / count($known);
        $missing = 0;
        foreach ($this->open as $id => $name) {
            $missing += max(0, ($this->sizes[$id] ?? $average) - ($this->arrived[$id] ?? 0));
        }

        return $bytesPerSecond > 0 && $missing > 0 ? (int) ceil($missing / $bytesPerSecond) : null;
    }

    /**
     * Returns the number of packages that are ready.
     */
    private function ready(): int
    {
        return count($this->packages) - count($this->open);
    }

    /**
     * Returns a point in time, with the bytes received and the packages ready by then.
     *
     * @return array{float, int, int}
     */
    private function mark(float $now): array
    {
        return [$now, $this->received, $this->ready()];
    }
}
