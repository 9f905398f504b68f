<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Native\Protocol;
use Composer\IO\ConsoleIO;
use Composer\IO\IOInterface;
use Composer\Util\Platform;
use Symfony\Component\Console\Formatter\OutputFormatter;

/**
 * Prints everything that the user sees of Allegro: one progress line during work, one summary line
 * at the end, and notices.
 *
 * @phpstan-import-type Event from Protocol
 */
final class Report
{
    /**
     * Microseconds to wait after Ctrl-C until a terminal has discarded its pending output. A busy
     * machine takes longer.
     */
    private const UNTIL_FLUSHED = [2_000, 20_000];

    private ?Progress $progress = null;

    /**
     * Metadata files that have arrived, and those that were requested.
     *
     * @var array{int, int}|null
     */
    private ?array $metadata = null;

    /** Whether the progress line is hidden. */
    private bool $isHidden = false;

    /** The time at which the progress line was last written. */
    private float $shown = 0.0;

    /** The progress line on the terminal, which has no line end. */
    private string $line = '';

    /**
     * Numbers of packages in the summary, by their origin.
     *
     * @var array<string, int>
     */
    private array $from = ['store' => 0, 'archive' => 0, 'download' => 0];

    private int $declined = 0;

    private int $downloaded = 0;

    private float $seconds = 0.0;

    private ?string $method = null;

    /**
     * Notices that were printed in this run.
     *
     * @var array<string, true>
     */
    private array $told = [];

    public function __construct(private readonly IOInterface $io, private readonly Terminal $terminal = new Terminal())
    {
    }

    /**
     * Hides the progress line for the rest of the run.
     */
    public function hideProgress(): void
    {
        $this->isHidden = true;
    }

    /**
     * Begins a batch of packages.
     *
     * @param array<int, string> $packages names by id
     */
    public function begin(array $packages): void
    {
        $now = microtime(true);
        $this->progress = new Progress($packages, $now);
        // A run that is over at once shows no progress at all.
        $this->shown = $now + 0.2;
    }

    /**
     * Tells whether the report uses events other than notices.
     *
     * Without these events no PHP code runs while a native call writes. So a signal handler can't
     * end the process while threads of the native call write.
     */
    public function listens(): bool
    {
        return $this->showsProgress() || $this->io->isVerbose();
    }

    /**
     * Sets the packages that are still to come. A package that was only looked for is not done.
     *
     * @param list<int> $ids
     */
    public function remaining(array $ids): void
    {
        $this->progress?->remaining($ids, microtime(true));
    }

    /**
     * Shows the progress of metadata files while work loads them.
     *
     * @template T
     *
     * @param callable(): T $work tells its events
     *
     * @return T
     */
    public function loading(callable $work)
    {
        $this->shown = microtime(true) + 0.2;
        try {
            return $this->showsProgress() ? Interruption::clearing(fn () => $this->abort(), $work) : $work();
        } finally {
            $this->clear();
            $this->metadata = null;
        }
    }

    /**
     * Handles events of the native part, and rewrites the progress line.
     *
     * @param list<Event> $events none as a sign of life
     */
    public function events(array $events): void
    {
        foreach ($events as $event) {
            switch ($event['event'] ?? null) {
                case 'metadata':
                    /** @var array{done: int, total: int} $event */
                    $this->metadata = [$event['done'], $event['total']];
                    break;
                case 'settled':
                    /** @var array{id: int} $event */
                    $this->progress?->settled($event['id']);
                    break;
                case 'sized':
                    /** @var array{id: int, bytes: int} $event */
                    $this->progress?->sized($event['id'], $event['bytes']);
                    break;
                case 'received':
                    /** @var array{id: int, bytes: int} $event */
                    $this->progress?->received($event['id'], $event['bytes']);
                    break;
                case 'notice':
                    /** @var array{message: string} $event */
                    $this->notice($event['message']);
                    break;
                case 'retrying':
                    /** @var array{id: int, wait_ms: int, reason: string} $event */
                    $this->progress?->retrying($event['id']);
                    if ($this->io->isVerbose()) {
                        $this->clear();
                        $this->io->writeError(sprintf('    Allegro: trying again in %.1f s: %s', $event['wait_ms'] / 1000, $event['reason']));
                    }
                    break;
            }
        }
        $now = microtime(true);
        if ($now - $this->shown >= 0.1 && $this->showsProgress()) {
            // The last column stays free, because a terminal may go to the next line once that
            // column is written.
            $line = $this->line($now, $this->terminal->width() - 1);
            if ($line !== null) {
                $this->shown = $now;
                $this->show($line);
            }
        }
    }

    /**
     * Returns the progress line, or null if nothing is in progress.
     */
    private function line(float $now, int $columns): ?string
    {
        if ($this->metadata !== null) {
            $line = sprintf('    %s/%s metadata files', number_format($this->metadata[0]), number_format($this->metadata[1]));

            return substr($line, 0, max(0, $columns));
        }

        return $this->progress?->line($now, $columns);
    }

    /**
     * Shows a progress line on the terminal.
     *
     * It writes each line at once, so that nothing flickers and an abort leaves the terminal as it
     * was.
     */
    private function show(string $line): void
    {
        if ($line === $this->line) {
            return;
        }
        // The line is stored before the write, because a signal handler may clear it right after
        // the write.
        $length = strlen($this->line);
        $this->line = $line;
        if ($this->io->isDecorated()) {
            // A terminal that has become narrower may have wrapped the line. The cursor waits at
            // the line's beginning, from where the sequence erases all of it. For the same reason
            // wrapping is off during the write.
            $this->io->writeErrorRaw("\r\e[?7l".$line."\e[J\e[?7h\r", false);
        } else {
            $this->io->writeErrorRaw("\r".str_pad($line, $length)."\r", false);
        }
    }

    /**
     * Erases the progress line.
     */
    private function clear(): void
    {
        if ($this->line !== '') {
            $this->io->writeErrorRaw($this->io->isDecorated() ? "\r\e[J" : "\r".str_repeat(' ', strlen($this->line))."\r", false);
            $this->line = '';
        }
    }

    /**
     * Tells whether standard error can show a progress line and the user wants one.
     */
    private function showsProgress(): bool
    {
        return !$this->isHidden
            && $this->io instanceof ConsoleIO
            && $this->terminal->isThere()
            // NO_COLOR asks for no colours, but allows a changing line. `--no-ansi` asks for
            // neither.
            && ($this->io->isDecorated() || (bool) Platform::getEnv('NO_COLOR'))
            && !$this->io->isDebug()
            && (bool) Platform::getEnv('CI') === false;
    }

    /**
     * Clears the progress line of a batch that ends before it is done, for example by Ctrl-C.
     */
    public function abort(): void
    {
        $line = $this->line;
        $this->clear();
        if ($line !== '') {
            // A terminal sends the signal first, and then discards the output that it hasn't shown
            // yet. See isig() in n_tty.c of Linux. On another core, it may discard parts of the
            // line that was just cleared.
            foreach (self::UNTIL_FLUSHED as $wait) {
                usleep($wait);
                $this->line = $line;
                $this->clear();
            }
        }
    }

    /**
     * Ends a batch, and adds its duration to the summary.
     */
    public function end(float $seconds): void
    {
        $this->clear();
        $this->progress = null;
        $this->seconds += $seconds;
    }

    /**
     * Counts a package that is ready.
     */
    public function ready(string $from, int $bytes): void
    {
        ++$this->from[$from];
        $this->downloaded += $bytes;
    }

    /**
     * Records the link method for the summary.
     */
    public function method(?string $method): void
    {
        $this->method = $method ?? $this->method;
    }

    /**
     * Counts a package that Composer installs by itself.
     *
     * @param string $reason empty if a notice has told it
     */
    public function declined(string $name, string $reason): void
    {
        ++$this->declined;
        if ($reason !== '' && $this->io->isVerbose()) {
            $this->clear();
            $this->io->writeError('    Allegro: Composer installs '.$name.' by itself: '.$reason);
        }
    }

    /**
     * Prints a notice for the user. A run prints each notice only once.
     */
    public function notice(string $message): void
    {
        if (isset($this->told[$message])) {
            return;
        }
        $this->told[$message] = true;
        $this->clear();
        $this->io->writeError('<warning>Allegro: '.$message.'</warning>');
    }

    /**
     * Tells the user that Composer does the rest of the run by itself, because of a fault of
     * Allegro.
     */
    public function fault(\Throwable $fault): void
    {
        $this->notice('it has made a mistake ('.Guard::name($fault).', more with -v), so Composer does the rest by itself.');
        if ($this->io->isVerbose()) {
            foreach (Guard::describe($fault) as $line) {
                $this->io->writeError('    '.OutputFormatter::escape($line));
            }
        }
    }

    /**
     * Writes a line in place of the progress line.
     */
    public function write(string $line): void
    {
        $this->clear();
        $this->io->writeError($line);
    }

    /**
     * Writes a line if the output is very verbose.
     */
    public function veryVerbose(string $line): void
    {
        $this->clear();
        $this->io->writeError($line, true, IOInterface::VERY_VERBOSE);
    }

    /**
     * Prints the summary once, such as "Allegro: 201 packages, 198 from the store, 3 downloaded,
     * 0.31 s, hardlink".
     */
    public function summarize(): void
    {
        $total = array_sum($this->from);
        if ($total === 0) {
            return;
        }
        $parts = [sprintf('%d package%s', $total, $total === 1 ? '' : 's')];
        $words = [
            'store' => '%d from the store',
            'archive' => '%d from Composer\'s cache',
            'download' => '%d downloaded',
        ];
        foreach ($words as $from => $word) {
            if ($this->from[$from] > 0) {
                $parts[] = sprintf($word, $this->from[$from]).($from === 'download' ? ' ('.self::bytes($this->downloaded).')' : '');
            }
        }
        if ($this->declined > 0) {
            $parts[] = sprintf('%d left to Composer', $this->declined);
        }
        $parts[] = sprintf('%.2f s', $this->seconds);
        if ($this->method !== null) {
            $parts[] = $this->method;
        }
        $this->io->writeError('<info>Allegro:</info> '.implode(', ', $parts));
        $this->from = ['store' => 0, 'archive' => 0, 'download' => 0];
        $this->declined = 0;
        $this->downloaded = 0;
        $this->seconds = 0.0;
    }

    /**
     * Formats a number of bytes, such as "1.4 MiB".
     */
    public static function bytes(int $bytes): string
    {
        if ($bytes < 1024) {
            return $bytes.' B';
        }
        $size = $bytes / 1024;
        foreach (['KiB', 'MiB', 'GiB'] as $unit) {
            if ($size < 1024 || $unit === 'GiB') {
                return sprintf('%.1f %s', $size, $unit);
            }
            $size /= 1024;
        }

        return '';
    }
}
