<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Io\Report;
use Allegro\Plugin\Io\Terminal;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\IO\BufferIO;
use Composer\IO\ConsoleIO;
use Symfony\Component\Console\Helper\HelperSet;
use Symfony\Component\Console\Input\ArrayInput;
use Symfony\Component\Console\Output\ConsoleOutput;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Console\Output\StreamOutput;

final class ReportTest extends TestCase
{
    public function testTheSummary(): void
    {
        $io = new BufferIO();
        $report = new Report($io);
        $report->begin(['acme/a', 'acme/b', 'acme/c', 'acme/d', 'acme/x']);
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
        $report->begin(['acme/x']);
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
     * @return iterable<string, array{bool, array<string, string>, bool, int, bool, bool}>
     */
    public function terminals(): iterable
    {
        $normal = StreamOutput::VERBOSITY_NORMAL;
        yield 'a terminal' => [true, [], false, $normal, true, true];
        yield '-v' => [true, [], false, StreamOutput::VERBOSITY_VERBOSE, true, true];
        yield 'a pipe' => [false, [], false, $normal, false, false];
        yield 'a pipe, --ansi' => [true, [], false, $normal, false, false];
        yield '--no-ansi' => [false, [], false, $normal, true, false];
        yield 'NO_COLOR' => [false, ['NO_COLOR' => '1'], false, $normal, true, true];
        yield 'NO_COLOR in a pipe' => [false, ['NO_COLOR' => '1'], false, $normal, false, false];
        yield 'CI' => [true, ['CI' => 'true'], false, $normal, true, false];
        yield '--no-progress' => [true, [], true, $normal, true, false];
        yield '-vvv' => [true, [], false, StreamOutput::VERBOSITY_DEBUG, true, false];
        yield '-q' => [true, [], false, StreamOutput::VERBOSITY_QUIET, true, false];
    }

    /**
     * @dataProvider terminals
     *
     * @param array<string, string> $env
     */
    public function testProgress(bool $decorated, array $env, bool $hidden, int $verbosity, bool $isTerminal, bool $expected): void
    {
        foreach ($env + ['CI' => '', 'NO_COLOR' => ''] as $name => $value) {
            $this->env($name, $value);
        }
        [$report, $written] = $this->report($decorated, $verbosity, $isTerminal);
        if ($hidden) {
            $report->hideProgress();
        }
        $report->begin(['acme/a', 'acme/b', 'acme/c']);
        $report->events([['event' => 'settled', 'id' => 0]]);
        self::assertSame('', $written(), 'a run that is over at once shows none');
        usleep(320_000);
        $report->events([['event' => 'settled', 'id' => 1], ['event' => 'received', 'id' => 2, 'bytes' => 2048]]);
        $report->events([['event' => 'received', 'id' => 2, 'bytes' => 1]]);
        $text = $written();
        self::assertSame($expected, str_contains($text, '2/3 packages, 2.0 KiB'), $text);
        if (!$expected) {
            self::assertSame('', $text);

            return;
        }
        self::assertSame(1, substr_count($text, 'packages'), 'at most ten lines a second');
        self::assertSame($decorated, str_contains($text, "\e"), 'escape sequences only where they are wanted');
        $report->end(1.0);
        $width = strlen($text) - 2;
        self::assertSame($decorated ? "\r\e[J" : "\r".str_repeat(' ', $width)."\r", substr($written(), strlen($text)));
    }

    public function testHowFarMetadataIs(): void
    {
        $this->env('CI', '');
        $this->env('NO_COLOR', '');
        [$report, $written] = $this->report(true);
        $result = $report->loading(static function () use ($report, $written): int {
            $report->events([['event' => 'metadata', 'done' => 0, 'total' => 2648]]);
            self::assertSame('', $written(), 'what is over at once shows nothing');
            usleep(320_000);
            $report->events([]);
            self::assertStringContainsString('    0/2,648 metadata files', $written());
            usleep(120_000);
            $report->events([['event' => 'metadata', 'done' => 1600, 'total' => 3006]]);
            self::assertStringContainsString('    1,600/3,006 metadata files', $written());

            return 7;
        });
        self::assertSame(7, $result);
        self::assertStringEndsWith("\r\e[J", $written(), 'nothing stays');
    }

    /**
     * A line is replaced in one piece, and what stands behind a shorter one goes.
     */
    public function testALineIsWrittenOver(): void
    {
        $this->env('CI', '');
        $this->env('NO_COLOR', '1');
        foreach ([true, false] as $decorated) {
            [$report, $written] = $this->report($decorated);
            $report->begin(['acme/long-name', 'acme/b']);
            usleep(320_000);
            $report->events([['event' => 'settled', 'id' => 1]]);
            $first = $written();
            self::assertStringContainsString('    1/2 packages, acme/long-name', $first);
            usleep(120_000);
            $report->events([]);
            self::assertSame($first, $written(), 'the same line is not written again');
            usleep(120_000);
            $report->events([['event' => 'settled', 'id' => 0]]);
            self::assertSame(
                $decorated ? "\r\e[?7l    2/2 packages\e[J\e[?7h\r" : "\r    2/2 packages                \r",
                substr($written(), strlen($first))
            );
        }
    }

    /**
     * Ctrl-C: the batch never ends.
     */
    public function testNothingStaysWhenTheBatchIsAborted(): void
    {
        $this->env('CI', '');
        [$report, $written] = $this->report(true);
        $report->begin(['acme/a', 'acme/b']);
        $report->abort();
        self::assertSame('', $written());
        usleep(320_000);
        $report->events([]);
        $report->abort();
        $report->abort();
        // Three times, because the first ones may be lost, and once for all.
        self::assertStringEndsWith("packages\e[J\e[?7h\r\r\e[J\r\e[J\r\e[J", $written());
    }

    public function testWhatIsOnlySaidInDetailLeavesTheLineAlone(): void
    {
        $this->env('CI', '');
        [$report, $written] = $this->report(true);
        $report->begin(['acme/a', 'acme/b']);
        usleep(320_000);
        $report->events([]);
        $text = $written();
        $report->declined('acme/b', 'it is odd');
        $report->events([['event' => 'retrying', 'id' => 0, 'reason' => 'status 503', 'wait_ms' => 1500]]);
        self::assertSame($text, $written());
    }

    public function testALineFitsIntoTheTerminal(): void
    {
        $this->env('CI', '');
        [$report, $written] = $this->report(true, StreamOutput::VERBOSITY_NORMAL, true, 26);
        $report->begin(['acme/a', 'acme/b']);
        usleep(320_000);
        $report->events([['event' => 'received', 'id' => 0, 'bytes' => 10]]);
        self::assertSame("\r\e[?7l    0/2 packages, 10 B\e[J\e[?7h\r", $written());
    }

    public function testTheWidthIsWhatTheConsoleFound(): void
    {
        $this->env('COLUMNS', '123');
        self::assertSame(123, (new Terminal())->width());
        $this->env('COLUMNS', '');
        self::assertSame(80, (new Terminal())->width());
        $this->env('TERM', 'dumb');
        self::assertFalse((new Terminal())->isThere());
    }

    /**
     * @return array{Report, \Closure(): string} and what it has written
     */
    private function report(
        bool $decorated,
        int $verbosity = StreamOutput::VERBOSITY_NORMAL,
        bool $isTerminal = true,
        int $width = 80
    ): array {
        $stream = fopen('php://memory', 'w+');
        $output = new ConsoleOutput($verbosity, $decorated);
        $output->setErrorOutput(new StreamOutput($stream, $verbosity, $decorated));
        $terminal = new class ($isTerminal, $width) extends Terminal {
            public function __construct(private readonly bool $isThere, private readonly int $width)
            {
            }

            public function isThere(): bool
            {
                return $this->isThere;
            }

            public function width(): int
            {
                return $this->width;
            }
        };

        return [
            new Report(new ConsoleIO(new ArrayInput([]), $output, new HelperSet()), $terminal),
            static function () use ($stream): string {
                return (string) stream_get_contents($stream, -1, 0);
            },
        ];
    }

    public function testANoticeIsShownOnce(): void
    {
        $io = new BufferIO('', OutputInterface::VERBOSITY_VERBOSE);
        $report = new Report($io);
        foreach (['it is full', 'it is odd', 'it is full'] as $notice) {
            $report->notice($notice);
        }
        $report->declined('acme/x', '');
        self::assertSame("Allegro: it is full\nAllegro: it is odd\n", preg_replace('{<[^>]*>}', '', $io->getOutput()));
    }
}
