<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

use Composer\IO\ConsoleIO;
use Composer\IO\IOInterface;
use Composer\Util\Platform;

/**
 * What the user sees of us: one progress line while we work, one summary line at the end, notices.
 */
final class Report
{
    private int $total = 0;

    private int $settled = 0;

    private int $received = 0;

    private float $began = 0.0;

    private float $shown = 0.0;

    private bool $lineOpen = false;

    private bool $progress = true;

    /** @var array<string, int> packages by where they came from */
    private array $from = ['store' => 0, 'archive' => 0, 'download' => 0];

    private int $declined = 0;

    private int $downloaded = 0;

    private float $seconds = 0.0;

    private ?string $method = null;

    public function __construct(private readonly IOInterface $io)
    {
    }

    public function hideProgress(): void
    {
        $this->progress = false;
    }

    public function begin(int $packages): void
    {
        $this->total = $packages;
        $this->settled = 0;
        $this->received = 0;
        $this->began = microtime(true);
        // A run that is over at once shows no progress at all.
        $this->shown = $this->began + 0.2;
    }

    /**
     * Whether events are of any use. Without a listener no PHP code runs during a native call, so that a signal's
     * handler can't end the process while threads of it write.
     */
    public function listens(): bool
    {
        return ($this->progress && $this->onTerminal()) || $this->io->isVerbose();
    }

    /**
     * What is still to come: a package that was only looked for is not done.
     */
    public function remaining(int $packages): void
    {
        $this->settled = $this->total - $packages;
    }

    /**
     * @param list<array<string, mixed>> $events
     */
    public function events(array $events): void
    {
        foreach ($events as $event) {
            switch ($event['event'] ?? null) {
                case 'settled':
                    ++$this->settled;
                    break;
                case 'received':
                    $this->received += $event['bytes'];
                    break;
                case 'retrying':
                    $this->clear();
                    $this->io->writeError(
                        sprintf('    Allegro: trying again in %.1f s: %s', $event['wait_ms'] / 1000, $event['reason']),
                        true,
                        IOInterface::VERBOSE
                    );
                    break;
            }
        }
        $now = microtime(true);
        if ($this->progress && $now - $this->shown >= 0.1 && $this->onTerminal()) {
            $this->shown = $now;
            $this->show($now - $this->began);
        }
    }

    private function show(float $seconds): void
    {
        $line = sprintf('    %d/%d packages', min($this->settled, $this->total), $this->total);
        if ($this->received > 0) {
            $line .= sprintf(', %s, %s/s', self::bytes($this->received), self::bytes((int) ($this->received / max($seconds, 0.001))));
        }
        $left = $this->secondsLeft($seconds);
        if ($left !== null) {
            $line .= sprintf(', %d s left', $left);
        }
        if ($this->lineOpen) {
            $this->io->overwriteError($line, false);
        } else {
            $this->io->writeError($line, false);
            $this->lineOpen = true;
        }
    }

    /**
     * Guessed from the packages that are done, as nobody tells how large the others are.
     */
    private function secondsLeft(float $seconds): ?int
    {
        if ($seconds < 1.0 || $this->settled === 0 || $this->settled >= $this->total) {
            return null;
        }

        return (int) ceil($seconds * ($this->total - $this->settled) / $this->settled);
    }

    private function clear(): void
    {
        if ($this->lineOpen) {
            $this->io->overwriteError('', false);
            $this->lineOpen = false;
        }
    }

    private function onTerminal(): bool
    {
        return $this->io instanceof ConsoleIO
            && $this->io->isDecorated()
            && !$this->io->isDebug()
            && (bool) Platform::getEnv('CI') === false;
    }

    public function end(float $seconds): void
    {
        $this->clear();
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

    public function declined(string $name, string $reason): void
    {
        ++$this->declined;
        $this->clear();
        $this->io->writeError('    Allegro: Composer installs '.$name.' by itself: '.$reason, true, IOInterface::VERBOSE);
    }

    public function notice(string $message): void
    {
        $this->clear();
        $this->io->writeError('<warning>Allegro: '.$message.'</warning>');
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

    private static function bytes(int $bytes): string
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
