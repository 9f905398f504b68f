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
 * What the user sees of us: one progress line while we work, one summary line at the end, notices.
 *
 * @phpstan-import-type Event from Protocol
 */
final class Report
{
    /** Microseconds after which a terminal has thrown away what it does at Ctrl-C; on a busy machine it takes its time. */
    private const UNTIL_FLUSHED = [2_000, 20_000];

    private ?Progress $progress = null;

    /** @var array{int, int}|null metadata files that have come, and those that were asked for */
    private ?array $metadata = null;

    private bool $isHidden = false;

    /** When the line was written last. */
    private float $shown = 0.0;

    /** The line that stands there, without an end. */
    private string $line = '';

    /** @var array<string, int> packages by where they came from */
    private array $from = ['store' => 0, 'archive' => 0, 'download' => 0];

    private int $declined = 0;

    private int $downloaded = 0;

    private float $seconds = 0.0;

    private ?string $method = null;

    /** @var array<string, true> notices of this run */
    private array $told = [];

    public function __construct(private readonly IOInterface $io, private readonly Terminal $terminal = new Terminal())
    {
    }

    public function hideProgress(): void
    {
        $this->isHidden = true;
    }

    /**
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
     * Returns whether events other than notices are of any use. Without them no PHP code runs while a native call
     * writes, so that a signal's handler can't end the process while threads of it do.
     */
    public function listens(): bool
    {
        return $this->showsProgress() || $this->io->isVerbose();
    }

    /**
     * What is still to come: a package that was only looked for is not done.
     *
     * @param list<int> $ids
     */
    public function remaining(array $ids): void
    {
        $this->progress?->remaining($ids, microtime(true));
    }

    /**
     * Shows how far metadata is while it is loaded.
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
     * @param list<Event> $events none as a sign of life
     */
    public function events(array $events): void
    {
        foreach ($events as $event) {
            switch ($event['event'] ?? null) {
                case 'metadata':
                    $this->metadata = [$event['done'], $event['total']];
                    break;
                case 'settled':
                    $this->progress?->settled($event['id']);
                    break;
                case 'sized':
                    $this->progress?->sized($event['id'], $event['bytes']);
                    break;
                case 'received':
                    $this->progress?->received($event['id'], $event['bytes']);
                    break;
                case 'notice':
                    $this->notice($event['message']);
                    break;
                case 'retrying':
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
            // The last column stays free: a terminal may go on to the next line as soon as it is written.
            $line = $this->line($now, $this->terminal->width() - 1);
            if ($line !== null) {
                $this->shown = $now;
                $this->show($line);
            }
        }
    }

    private function line(float $now, int $columns): ?string
    {
        if ($this->metadata !== null) {
            $line = sprintf('    %s/%s metadata files', number_format($this->metadata[0]), number_format($this->metadata[1]));

            return substr($line, 0, max(0, $columns));
        }

        return $this->progress?->line($now, $columns);
    }

    /**
     * In one piece each time, so that nothing flickers and an end in between leaves the terminal as it was.
     */
    private function show(string $line): void
    {
        if ($line === $this->line) {
            return;
        }
        // First of all: a signal's handler may want to clear the line as soon as it is written.
        $length = strlen($this->line);
        $this->line = $line;
        if ($this->io->isDecorated()) {
            // A terminal that has become narrower may have broken the line: the cursor waits at its beginning, from
            // where all of it is erased. For the same reason nothing wraps meanwhile.
            $this->io->writeErrorRaw("\r\e[?7l".$line."\e[J\e[?7h\r", false);
        } else {
            $this->io->writeErrorRaw("\r".str_pad($line, $length)."\r", false);
        }
    }

    private function clear(): void
    {
        if ($this->line !== '') {
            $this->io->writeErrorRaw($this->io->isDecorated() ? "\r\e[J" : "\r".str_repeat(' ', strlen($this->line))."\r", false);
            $this->line = '';
        }
    }

    private function showsProgress(): bool
    {
        return !$this->isHidden
            && $this->io instanceof ConsoleIO
            && $this->terminal->isThere()
            // Who wants no colours can do with a line that changes; `--no-ansi` asks for neither.
            && ($this->io->isDecorated() || (bool) Platform::getEnv('NO_COLOR'))
            && !$this->io->isDebug()
            && (bool) Platform::getEnv('CI') === false;
    }

    /**
     * The batch ends before it is done: by Ctrl-C, say.
     */
    public function abort(): void
    {
        $line = $this->line;
        $this->clear();
        if ($line !== '') {
            // A terminal sends the signal first and then throws away what it hasn't shown yet, see isig() in Linux'
            // n_tty.c: on another core what we have just written may be part of that.
            foreach (self::UNTIL_FLUSHED as $wait) {
                usleep($wait);
                $this->line = $line;
                $this->clear();
            }
        }
    }

    public function end(float $seconds): void
    {
        $this->clear();
        $this->progress = null;
        $this->seconds += $seconds;
    }

    public function ready(string $from, int $bytes): void
    {
        ++$this->from[$from];
        $this->downloaded += $bytes;
    }

    public function method(?string $method): void
    {
        $this->method = $method ?? $this->method;
    }

    /**
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
     * Says something that the user should know, once however often it is found out in a run.
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
     * Says that Composer does the rest of the run by itself, because of a fault of ours.
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

    public function write(string $line): void
    {
        $this->clear();
        $this->io->writeError($line);
    }

    public function veryVerbose(string $line): void
    {
        $this->clear();
        $this->io->writeError($line, true, IOInterface::VERY_VERBOSE);
    }

    /**
     * "Allegro: 201 packages, 198 from the store, 3 downloaded, 0.31 s, hardlink", once.
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
     * "1.4 MiB".
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
