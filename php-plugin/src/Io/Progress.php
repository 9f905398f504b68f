<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

/**
 * How far the packages of a batch are, and the line that says it.
 */
final class Progress
{
    /** Seconds that the rate is measured over: it shall follow what happens, but not jump. */
    private const WINDOW = 3.0;

    /** @var array<int, string> names of the packages that are not ready, by id */
    private array $open;

    private int $received = 0;

    /** @var array<int, int> bytes that have come of a package */
    private array $arrived = [];

    /** @var array<int, int> sizes of archives, where the server tells */
    private array $sizes = [];

    /** @var non-empty-list<array{float, int, int}> times, with bytes received and packages ready by then */
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
     * What is still to come: a package that was only looked for is not ready.
     *
     * @param list<int> $ids
     */
    public function remaining(array $ids, float $now): void
    {
        $this->open = array_intersect_key($this->packages, array_flip($ids));
        $this->marks = [$this->mark($now)];
    }

    public function settled(int $id): void
    {
        unset($this->open[$id]);
    }

    public function sized(int $id, int $bytes): void
    {
        $this->sizes[$id] = $bytes;
    }

    public function received(int $id, int $bytes): void
    {
        $this->received += $bytes;
        $this->arrived[$id] = ($this->arrived[$id] ?? 0) + $bytes;
    }

    /**
     * What has come of it is void.
     */
    public function retrying(int $id): void
    {
        unset($this->arrived[$id]);
    }

    /**
     * "    12/201 packages, 3.1 MiB, 2.2 MiB/s, 6 s left", as much of it as fits into a number of columns.
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
     * @return list<string>
     */
    private function details(float $now): array
    {
        while (count($this->marks) > 1 && $now - $this->marks[1][0] >= self::WINDOW) {
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
        // Whom everybody waits for. Other names have a width of their own.
        if (count($this->open) === 1 && preg_match('{^[!-~]+$}D', $name) === 1) {
            $details[] = $name;
        }

        return $details;
    }

    /**
     * By bytes where the server tells how many there are, otherwise by packages. A package that hasn't begun is taken
     * to be like those that are ready: one large archive among those that are coming says little about it.
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

    private function ready(): int
    {
        return count($this->packages) - count($this->open);
    }

    /**
     * @return array{float, int, int}
     */
    private function mark(float $now): array
    {
        return [$now, $this->received, $this->ready()];
    }
}
