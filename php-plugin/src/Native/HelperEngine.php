<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

use Allegro\Plugin\Guard;

/**
 * Runs the native part in a process of its own, with JSON lines over its standard input and output.
 *
 * The first call starts the process, which ends with Composer.
 *
 * This file is long because the life of one process and its state stand in one place.
 *
 * @phpstan-import-type DiagnoseAnswer from Protocol
 * @phpstan-import-type ErrorAnswer from Protocol
 * @phpstan-import-type MendAnswer from Protocol
 * @phpstan-import-type PrepareAnswer from Protocol
 * @phpstan-import-type ResolveAnswer from Protocol
 * @phpstan-import-type ScanAnswer from Protocol
 * @phpstan-import-type UnchangedAnswer from Protocol
 */
final class HelperEngine implements Engine
{
    /** @var resource|null */
    private $process;

    /** @var array<int, resource> */
    private array $pipes = [];

    private string $buffer = '';

    /** The length of the part of the buffer that has been read as lines. */
    private int $taken = 0;

    private int $lastId = 0;

    /**
     * The number of a call whose answer nobody needs, but which may still come. It is 0 if there is
     * none.
     */
    private int $pending = 0;

    /**
     * Whether a call has no answer yet. It stays true if an exception or the end of the script
     * comes in between.
     */
    private bool $busy = false;

    /** The reason for which no other helper is started, or null while one may be started. */
    private ?string $refusal = null;

    /** Seconds that a helper gets to cancel its work and end. */
    private const GRACE = 5.0;

    /**
     * Seconds that a helper gets to end after it was killed. A helper that waits for a disk may not
     * end at all.
     */
    private const GRACE_KILLED = 1.0;

    /** The microseconds that one look for output lasts. */
    private const LOOK = 100_000;

    /** Functions of PHP that are needed to run a helper process. */
    public const NEEDED = ['proc_open', 'proc_close', 'proc_get_status', 'proc_terminate', 'stream_select', 'stream_set_blocking', 'usleep'];

    /**
     * The number of bytes that are read at once. With fewer bytes reading takes longer, and more
     * bytes show in PHP's memory.
     */
    private const CHUNK = 1 << 16;

    /**
     * @param float $patience seconds after which a helper that gives no sign of life while it works
     *                        is given up; it gives one for each second in which its work goes on
     */
    public function __construct(private readonly string $binary, private readonly float $patience = 60.0)
    {
    }

    public function __destruct()
    {
        Guard::restore(fn () => $this->close());
    }

    public function warmUp(?int $requirements = null): void
    {
        try {
            $this->start();
            if ($requirements !== null && $this->pending === 0 && !$this->busy) {
                // The answer is skipped while another one is waited for.
                $this->write($this->line(++$this->lastId, 'warm_up', ['requirements' => $requirements]));
                $this->pending = $this->lastId;
            }
        } catch (EngineException $e) {
            // The next request fails with the same exception, and its caller goes on without the
            // helper.
        }
    }

    public function prepare(array $request, ?callable $onEvents): array
    {
        $answer = $this->call('prepare', $request, $onEvents);
        if (!is_array($answer['packages'] ?? null) || !is_array($answer['notices'] ?? null)) {
            throw $this->misfit();
        }
        /** @var mixed $package */
        foreach ($answer['packages'] as $package) {
            if (!is_array($package) || !self::fits($package)) {
                throw $this->misfit();
            }
        }
        /** @var PrepareAnswer $answer */

        return $answer;
    }

    public function remove(array $paths): array
    {
        $answer = $this->call('remove', ['paths' => $paths], static function (): void {
        });
        if (!is_array($answer['failures'] ?? null)) {
            throw $this->misfit();
        }

        /** @var list<string> $failures */
        $failures = $answer['failures'];

        return $failures;
    }

    public function replace(string $temporary, string $path): bool
    {
        $answer = $this->call('replace', ['temporary' => $temporary, 'path' => $path], null);
        if (!is_bool($answer['replaced'] ?? null)) {
            throw $this->misfit();
        }

        return $answer['replaced'];
    }

    public function diagnose(string $vendorDir): array
    {
        /** @var DiagnoseAnswer $answer */
        $answer = $this->call('diagnose', ['vendor_dir' => $vendorDir], null);

        return $answer;
    }

    public function scan(array $request): array
    {
        $answer = $this->call('scan', $request, null);
        $lists = ['scanned' => ['files', 'names', 'at', 'ambiguous', 'rejected'], 'unsure' => ['files'], 'declined' => []];
        $wanted = $lists[$answer['outcome'] ?? ''] ?? null;
        foreach ($wanted ?? [''] as $list) {
            if (!is_array($answer[$list] ?? null)) {
                throw $this->misfit();
            }
        }
        /** @var ScanAnswer $answer */

        return $answer;
    }

    public function unchanged(array $request): array
    {
        /** @var UnchangedAnswer $answer */
        $answer = $this->call('unchanged', $request, null);

        return $answer;
    }

    public function dumped(array $request): void
    {
        $this->call('dumped', $request, null);
    }

    public function resolve(array $request, ?callable $onEvents): array
    {
        return $this->resolved($this->call('resolve', $request, $onEvents));
    }

    public function resolveMeanwhile(array $request): callable
    {
        $id = $this->ask('resolve', $request);

        return function () use ($id): array {
            if (!$this->busy || $this->lastId !== $id) {
                throw EngineException::gone('was asked for something else meanwhile');
            }

            return $this->resolved($this->answerTo($id, null));
        };
    }

    public function lockDiff(array $request): string
    {
        $answer = $this->call('lock_diff', $request, null);
        if (!is_string($answer['text'] ?? null)) {
            throw $this->misfit();
        }

        return $answer['text'];
    }

    public function explain(array $request): array
    {
        $answer = $this->call('explain', $request, null);
        if (!is_array($answer['lines'] ?? null)) {
            throw $this->misfit();
        }

        /** @var list<string> $lines */
        $lines = $answer['lines'];

        return $lines;
    }

    /**
     * Returns the answer to a resolve request, if its form fits.
     *
     * @param array<mixed> $answer
     *
     * @return ResolveAnswer the same, which makes sense
     */
    private function resolved(array $answer): array
    {
        $lists = ['solved' => ['packages', 'aliases', 'found', 'kept', 'unasked', 'unlocked'], 'unsolvable' => ['lines'], 'declined' => []];
        foreach ($lists[$answer['outcome'] ?? ''] ?? [''] as $list) {
            if (!is_array($answer[$list] ?? null)) {
                throw $this->misfit();
            }
        }
        /** @var array{packages?: list<array<string, mixed>>, texts?: list<string>, ...} $answer */
        $described = array_filter(array_column($answer['packages'] ?? [], 'repository'), 'is_int');
        if (count($described) + (int) ($answer['constraints'] ?? 0) !== count($answer['texts'] ?? [])) {
            throw $this->misfit();
        }
        /** @var ResolveAnswer $answer */

        return $answer;
    }

    public function mend(array $request): array
    {
        $answer = $this->call('mend', $request, null);
        $lists = ['filter' => ['candidates'], 'try' => ['packages', 'with'], 'plan' => ['packages', 'with', 'reasons']];
        foreach ($lists[$answer['step'] ?? ''] ?? [''] as $list) {
            if (!is_array($answer[$list] ?? null)) {
                throw $this->misfit();
            }
        }
        /** @var MendAnswer $answer */

        return $answer;
    }

    public function kind(): string
    {
        return 'helper';
    }

    public function close(): void
    {
        $this->end(self::GRACE);
    }

    /**
     * Ends the helper, by force if it doesn't end by itself within some seconds.
     */
    private function end(float $grace): void
    {
        foreach ($this->pipes as $pipe) {
            fclose($pipe);
        }
        $this->pipes = [];
        $this->buffer = '';
        $this->taken = 0;
        $this->busy = false;
        $this->pending = 0;
        if ($this->process === null) {
            return;
        }
        // The helper's input has ended, so it stops by itself within a moment. A process that is no
        // helper may not.
        $process = $this->process;
        $this->process = null;
        if (!self::hasEnded($process, $grace)) {
            proc_terminate($process, 9);
            if (!self::hasEnded($process, self::GRACE_KILLED)) {
                // proc_close() would wait for the end of the process.
                return;
            }
        }
        proc_close($process);
    }

    /**
     * Waits for the end of a process, and tells whether it came in time.
     *
     * @param resource $process
     */
    private static function hasEnded($process, float $seconds): bool
    {
        for ($until = microtime(true) + $seconds; proc_get_status($process)['running'];) {
            if (microtime(true) >= $until) {
                return false;
            }
            usleep(500);
        }

        return true;
    }

    /**
     * Tells whether the answer for one package has the expected form.
     *
     * @param array<mixed> $package
     */
    private static function fits(array $package): bool
    {
        if (!is_int($package['id'] ?? null)) {
            return false;
        }
        switch ($package['outcome'] ?? null) {
            case 'ready':
                return is_string($package['stage'] ?? null)
                    && in_array($package['from'] ?? null, ['store', 'archive', 'download'], true)
                    && is_int($package['downloaded'] ?? null);
            case 'missing':
                return true;
            case 'declined':
                return is_string($package['reason'] ?? null);
            case 'failed':
                return is_string($package['message'] ?? null);
            default:
                return false;
        }
    }

    /**
     * Ends a helper whose answers make no sense, and returns the exception for it.
     */
    private function misfit(string $what = 'gave an answer that does not fit'): EngineException
    {
        $this->end(0.0);

        return EngineException::gone($what);
    }

    /**
     * Sends a request and waits for its answer.
     *
     * @param array<string, mixed> $request
     *
     * @return array<mixed>
     */
    private function call(string $operation, array $request, ?callable $onEvents): array
    {
        return $this->answerTo($this->ask($operation, $request), $onEvents);
    }

    /**
     * Sends a request without waiting for its answer.
     *
     * @param array<string, mixed> $request
     *
     * @return int the call's number
     */
    private function ask(string $operation, array $request): int
    {
        if ($this->busy) {
            $this->close();
        }
        $id = ++$this->lastId;
        $line = $this->line($id, $operation, $request);
        $this->start();
        $this->busy = true;
        try {
            $this->write($line);
        } catch (\Throwable $e) {
            $this->close();

            throw $e;
        }

        return $id;
    }

    /**
     * Waits for the answer to a call, and passes its events on.
     *
     * @return array<mixed>
     */
    private function answerTo(int $id, ?callable $onEvents): array
    {
        $answer = $texts = [];
        try {
            while (true) {
                $answer = $this->readLine();
                if ($this->pending !== 0 && ($answer['id'] ?? null) === $this->pending) {
                    $this->pending = 0;
                    continue;
                }
                if (($answer['id'] ?? null) !== $id) {
                    throw $this->misfit('answered out of turn');
                }
                if (!is_array($answer['events'] ?? null)) {
                    break;
                }
                if ($onEvents !== null) {
                    $onEvents($answer['events']);
                }
            }
            for ($left = (int) ($answer['texts'] ?? 0); $left > 0; --$left) {
                $texts[] = $this->readText();
            }
            $this->busy = false;
        } finally {
            // An exception was thrown. From now on the helper's output belongs to a call that is
            // over.
            if ($this->busy) {
                $this->close();
            }
        }
        if (is_array($answer['answer'] ?? null)) {
            return $texts === [] ? $answer['answer'] : $answer['answer'] + ['texts' => $texts];
        }
        $error = is_array($answer['error'] ?? null) ? $answer['error'] : [];
        if (($error['kind'] ?? null) === 'interrupted') {
            throw new InterruptedException('interrupted');
        }

        /** @var ErrorAnswer $error */

        throw EngineException::fromHelper($error);
    }

    /**
     * Returns a request as a line of JSON.
     *
     * @param array<string, mixed> $request
     */
    private function line(int $id, string $operation, array $request): string
    {
        try {
            return json_encode(
                ['id' => $id, 'op' => $operation, 'request' => $request],
                JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR
            )."\n";
        } catch (\JsonException $e) {
            throw new EngineException('a request can not be written as JSON: '.$e->getMessage(), 0, $e);
        }
    }

    /**
     * Starts the helper, unless it is running.
     */
    private function start(): void
    {
        if ($this->process !== null) {
            return;
        }
        if ($this->refusal !== null) {
            throw EngineException::gone($this->refusal);
        }
        $pipes = [];
        $process = @proc_open(
            [$this->binary, 'helper'],
            [0 => ['pipe', 'r'], 1 => ['pipe', 'w'], 2 => ['file', '/dev/null', 'w']],
            $pipes,
            null,
            Environment::ofHelper()
        );
        if (!is_resource($process)) {
            throw EngineException::gone('at '.$this->binary.' can not be started');
        }
        $this->process = $process;
        /** @var array{resource, resource} $pipes */
        $this->pipes = $pipes;
        stream_set_blocking($pipes[0], false);
        stream_set_blocking($pipes[1], false);
        if (function_exists('stream_set_chunk_size')) {
            // Without this PHP reads 8 KiB at a time.
            stream_set_chunk_size($pipes[1], self::CHUNK);
        }
    }

    /**
     * Writes a line to the helper, and gives the helper up if it takes nothing for too long.
     */
    private function write(string $line): void
    {
        $length = strlen($line);
        $looks = $this->looks();
        for ($written = 0; $written < $length;) {
            $read = $except = null;
            $write = [$this->pipes[0]];
            if (@stream_select($read, $write, $except, 0, self::LOOK) !== 1) {
                if (--$looks < 0) {
                    $this->hang();
                }
                continue;
            }
            $count = @fwrite($this->pipes[0], substr($line, $written, 65536));
            if ($count === false || $count === 0) {
                throw EngineException::gone('ended before it took the request');
            }
            $written += $count;
        }
    }

    /**
     * Returns how often a silent helper is looked at.
     *
     * Looks are counted instead of time, because the clock goes on while Ctrl-Z stops both
     * processes.
     */
    private function looks(): int
    {
        return (int) ceil($this->patience * 1_000_000 / self::LOOK);
    }

    /**
     * Gives up a hanging helper for the rest of the run, because another one would wait for the
     * same.
     */
    private function hang(): never
    {
        $this->refusal = sprintf('has made no progress for %d seconds', (int) ceil($this->patience));

        throw $this->misfit($this->refusal);
    }

    /**
     * Reads a line of JSON.
     *
     * @return array<mixed>
     */
    private function readLine(): array
    {
        /** @var mixed $answer */
        $answer = json_decode($this->readText(), true);
        if (!is_array($answer)) {
            throw $this->misfit('gave an answer that is not JSON');
        }

        return $answer;
    }

    /**
     * Reads a line, and returns it without its end.
     */
    private function readText(): string
    {
        $looks = $this->looks();
        for ($searched = $this->taken; ($end = strpos($this->buffer, "\n", $searched)) === false;) {
            $this->buffer = substr($this->buffer, $this->taken);
            $this->taken = 0;
            $searched = strlen($this->buffer);
            $read = [$this->pipes[1]];
            $write = $except = null;
            // A signal ends the wait early, and its handler has run by then.
            @stream_select($read, $write, $except, 0, self::LOOK);
            $chunk = fread($this->pipes[1], self::CHUNK);
            if ($chunk !== false && $chunk !== '') {
                $this->buffer .= $chunk;
            } elseif (feof($this->pipes[1])) {
                throw EngineException::gone('ended in the middle of its work');
            } elseif (--$looks < 0) {
                $this->hang();
            }
        }
        /** @var int $end */
        $line = substr($this->buffer, $this->taken, $end - $this->taken);
        $this->taken = $end + 1;
        if ($this->taken === strlen($this->buffer)) {
            // The buffer is freed now, because a class map has megabytes and its caller needs as
            // many.
            $this->buffer = '';
            $this->taken = 0;
        }

        return $line;
    }
}
