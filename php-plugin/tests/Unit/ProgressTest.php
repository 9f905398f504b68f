<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Io\Progress;
use Allegro\Plugin\Tests\Support\TestCase;

final class ProgressTest extends TestCase
{
    public function testWhatWasOnlyLookedForIsNotReady(): void
    {
        $progress = new Progress([3 => 'acme/a', 4 => 'acme/b', 5 => 'acme/c'], 0.0);
        foreach ([3, 4, 5] as $id) {
            $progress->settled($id);
        }
        $progress->remaining([3, 5], 0.2);
        self::assertSame('    1/3 packages', $progress->line(0.3, 80));
    }

    public function testTimeLeftByPackagesWhereNobodyTellsSizes(): void
    {
        $progress = new Progress(['acme/a', 'acme/b', 'acme/c', 'acme/d'], 0.0);
        $progress->settled(0);
        self::assertSame('    1/4 packages', $progress->line(0.9, 80), 'too early');
        $progress->settled(1);
        self::assertSame('    2/4 packages, 2 s left', $progress->line(2.0, 80));
        $progress->settled(2);
        $progress->settled(3);
        self::assertSame('    4/4 packages', $progress->line(2.1, 80));
    }

    /**
     * Nine of ten are ready at once; the last one is what takes the time.
     */
    public function testTimeLeftByBytes(): void
    {
        $progress = new Progress(array_map(static fn (int $id): string => 'acme/p'.$id, range(0, 9)), 0.0);
        for ($id = 0; $id < 9; ++$id) {
            $progress->sized($id, 1024);
            $progress->received($id, 1024);
            $progress->settled($id);
        }
        $progress->sized(9, 1024 * 1024);
        $progress->received(9, 1024 * 91);
        self::assertSame('    9/10 packages, 100.0 KiB, 50.0 KiB/s, 19 s left, acme/p9', $progress->line(2.0, 80));
        $progress->received(9, 1024 * 900);
        self::assertStringContainsString(' 1 s left', $progress->line(3.0, 80));
        // All of it is there, and being unpacked.
        $progress->received(9, 1024 * 33);
        self::assertStringNotContainsString('left', $progress->line(3.1, 80));
    }

    public function testPackagesThatHaveNotBegunAreLikeThoseThatAreReady(): void
    {
        $progress = new Progress(['acme/a', 'acme/b', 'acme/c', 'acme/d'], 0.0);
        $progress->sized(0, 1000);
        $progress->received(0, 1000);
        $progress->settled(0);
        $progress->sized(1, 9000);
        $progress->received(1, 1000);
        self::assertStringContainsString(', 10 s left', $progress->line(2.0, 80));
        $progress->retrying(1);
        self::assertStringContainsString(', 11 s left', $progress->line(2.0, 80));
    }

    public function testTheRateIsThatOfTheLastSeconds(): void
    {
        $progress = new Progress(['acme/a', 'acme/b'], 0.0);
        $progress->sized(0, 100 * 1024);
        for ($tenth = 1; $tenth <= 20; ++$tenth) {
            $progress->received(0, 1024);
            $line = $progress->line($tenth / 10, 80);
        }
        self::assertStringContainsString('20.0 KiB, 10.0 KiB/s, ', $line);
        // Nothing comes any more.
        for ($tenth = 21; $tenth <= 60; ++$tenth) {
            $line = $progress->line($tenth / 10, 80);
        }
        self::assertSame('    0/2 packages, 20.0 KiB, 0 B/s', $line);
    }

    public function testMinutes(): void
    {
        $progress = new Progress(['acme/a', 'acme/b'], 0.0);
        $progress->sized(0, 3000);
        $progress->received(0, 10);
        self::assertStringEndsWith(', 20 min left', $progress->line(2.0, 80));
    }

    public function testWhatDoesNotFitIsLeftOut(): void
    {
        $progress = new Progress(['acme/a', 'acme/b'], 0.0);
        $progress->sized(0, 4096);
        $progress->received(0, 2048);
        $progress->settled(1);
        $whole = '    1/2 packages, 2.0 KiB, 1.0 KiB/s, 2 s left, acme/a';
        $shown = [];
        for ($columns = strlen($whole); $columns >= 0; --$columns) {
            $line = $progress->line(2.0, $columns);
            self::assertLessThanOrEqual($columns, strlen($line));
            self::assertSame($line, substr($whole, 0, strlen($line)));
            $shown[] = $line;
        }
        self::assertSame($whole, $shown[0]);
        self::assertSame('    1/2 packages, 2.0 KiB, 1.0 KiB/s, 2 s left', $shown[1]);
        self::assertContains('    1/2 packages', $shown);
        self::assertSame('', end($shown));
    }

    /**
     * A name may hold anything where a project describes its packages itself.
     */
    public function testNamesThatAreNoPlainTextAreLeftOut(): void
    {
        foreach (["acme/\e[2J", '東京/塔', "acme/a\n", 'acme/a b'] as $name) {
            self::assertSame('    0/1 packages', (new Progress([$name], 0.0))->line(0.1, 80));
        }
    }
}
