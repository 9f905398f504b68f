<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Io\Report;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\IO\BufferIO;
use Composer\IO\ConsoleIO;
use Symfony\Component\Console\Helper\HelperSet;
use Symfony\Component\Console\Input\ArrayInput;
use Symfony\Component\Console\Output\ConsoleOutput;
use Symfony\Component\Console\Output\StreamOutput;

final class ReportTest extends TestCase
{
    public function testTheSummary(): void
    {
        $io = new BufferIO();
        $report = new Report($io);
        $report->begin(5);
        $report->ready('store', 0);
        $report->ready('store', 0);
        $report->ready('archive', 0);
        $report->ready('download', 1_500_000);
        $report->ready('download', 36);
        $report->declined('acme/x', 'it is odd');
        $report->method('hardlink');
        $report->method(null);
        $report->end(0.25);
        $report->end(0.25);
        self::assertSame('', $io->getOutput(), 'a declined package is worth a line at -v only');
        $report->summarize();
        self::assertSame(
            "Allegro: 5 packages, 2 from the store, 1 from Composer's cache, 2 downloaded (1.4 MiB), 1 left to Composer, 0.50 s, hardlink\n",
            $io->getOutput()
        );
        $report->summarize();
        self::assertStringEndsWith("hardlink\n", $io->getOutput());
        self::assertSame(1, substr_count($io->getOutput(), "\n"), 'once');
    }

    public function testOnePackage(): void
    {
        $io = new BufferIO();
        $report = new Report($io);
        $report->ready('download', 1023);
        $report->summarize();
        self::assertSame("Allegro: 1 package, 1 downloaded (1023 B), 0.00 s\n", $io->getOutput());
    }

    public function testNothingDoneIsNothingSaid(): void
    {
        $io = new BufferIO();
        $report = new Report($io);
        $report->summarize();
        $report->begin(1);
        $report->declined('acme/x', 'it is odd');
        $report->end(1.0);
        $report->summarize();
        self::assertSame('', $io->getOutput());
    }

    public function testQuietIsQuiet(): void
    {
        $io = new BufferIO('', StreamOutput::VERBOSITY_QUIET);
        $report = new Report($io);
        $report->ready('store', 0);
        $report->notice('something');
        $report->events([['event' => 'notice', 'message' => 'something']]);
        $report->summarize();
        self::assertSame('', $io->getOutput());
    }

    public function testReasonsAtVerbose(): void
    {
        $io = new BufferIO('', StreamOutput::VERBOSITY_VERBOSE);
        $report = new Report($io);
        $report->declined('acme/x', 'it is odd');
        $report->events([['event' => 'retrying', 'id' => 1, 'reason' => 'status 503', 'wait_ms' => 1500]]);
        $report->veryVerbose('details');
        self::assertSame("    Allegro: Composer installs acme/x by itself: it is odd\n    Allegro: trying again in 1.5 s: status 503\n", $io->getOutput());
    }

    public function testUnknownEventsAreIgnored(): void
    {
        $io = new BufferIO();
        (new Report($io))->events([['event' => 'something new', 'id' => 1], []]);
        self::assertSame('', $io->getOutput());
    }

    /**
     * @return iterable<string, array{bool, string|null, bool, int, bool}>
     */
    public function terminals(): iterable
    {
        yield 'a terminal' => [true, null, false, StreamOutput::VERBOSITY_NORMAL, true];
        yield 'not decorated' => [false, null, false, StreamOutput::VERBOSITY_NORMAL, false];
        yield 'CI' => [true, 'true', false, StreamOutput::VERBOSITY_NORMAL, false];
        yield '--no-progress' => [true, null, true, StreamOutput::VERBOSITY_NORMAL, false];
        yield '-vvv' => [true, null, false, StreamOutput::VERBOSITY_DEBUG, false];
        yield '-q' => [true, null, false, StreamOutput::VERBOSITY_QUIET, false];
    }

    /**
     * @dataProvider terminals
     */
    public function testProgress(bool $decorated, ?string $ci, bool $hidden, int $verbosity, bool $expected): void
    {
        $this->env('CI', $ci ?? '');
        $stream = fopen('php://memory', 'w+');
        $output = new ConsoleOutput($verbosity, $decorated);
        $output->setErrorOutput(new StreamOutput($stream, $verbosity, $decorated));
        $report = new Report(new ConsoleIO(new ArrayInput([]), $output, new HelperSet()));
        if ($hidden) {
            $report->hideProgress();
        }
        $report->begin(3);
        $report->events([['event' => 'settled', 'id' => 0]]);
        rewind($stream);
        self::assertSame('', stream_get_contents($stream), 'a run that is over at once shows none');
        usleep(320_000);
        $report->events([['event' => 'settled', 'id' => 1], ['event' => 'received', 'id' => 2, 'bytes' => 2048]]);
        $report->events([['event' => 'received', 'id' => 2, 'bytes' => 1]]);
        rewind($stream);
        $text = (string) stream_get_contents($stream);
        self::assertSame($expected, str_contains($text, '2/3 packages, 2.0 KiB'), $text);
        if (!$expected) {
            self::assertSame('', $text);

            return;
        }
        self::assertSame(1, substr_count($text, 'packages'), 'at most ten lines a second');
        $report->end(1.0);
        rewind($stream);
        $text = (string) stream_get_contents($stream);
        // The line is wiped: backspaces, spaces, backspaces.
        self::assertStringEndsWith("\x08", $text);
    }

    public function testTimeLeftIsToldOnceItCanBeGuessed(): void
    {
        $this->env('CI', '');
        $stream = fopen('php://memory', 'w+');
        $output = new ConsoleOutput(StreamOutput::VERBOSITY_NORMAL, true);
        $output->setErrorOutput(new StreamOutput($stream, StreamOutput::VERBOSITY_NORMAL, true));
        $report = new Report(new ConsoleIO(new ArrayInput([]), $output, new HelperSet()));
        $report->begin(4);
        usleep(350_000);
        $report->events([['event' => 'settled', 'id' => 0]]);
        rewind($stream);
        self::assertStringNotContainsString('left', (string) stream_get_contents($stream));
        usleep(750_000);
        $report->events([['event' => 'settled', 'id' => 1]]);
        rewind($stream);
        self::assertMatchesRegularExpression('{2/4 packages, [1-9]\d* s left}', (string) stream_get_contents($stream));
    }
}
