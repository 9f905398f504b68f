<?php

declare(strict_types=1);

namespace Allegro\Plugin;

/**
 * Guards the boundary between Composer and Allegro: a fault in Allegro never becomes a fault of the
 * user's run.
 *
 * Each method that Composer calls passes its work to {@see run()}. It also passes a fallback, which
 * undoes half-done work and lets Composer do the work by itself. Calls from Allegro's code to other
 * code, such as a listener or Composer's own download, go through {@see out()}. That code throws
 * the same exceptions without Allegro, so they pass unchanged.
 *
 * PHP code can't catch memory exhaustion and `exit`.
 *
 * The state is static because a fault of the code concerns every Composer instance of the process.
 */
final class Guard
{
    /**
     * Exceptions that other code than Allegro's has thrown.
     *
     * @var \WeakMap<\Throwable, true>|null
     */
    private static ?\WeakMap $theirs = null;

    /**
     * Callbacks that take Allegro out of use after the first fault, by the number of their
     * registration.
     *
     * @var array<int, \Closure(\Throwable, bool): void>
     */
    private static array $sessions = [];

    /** The number of the latest registration. */
    private static int $last = 0;

    /** Whether there was a fault in this process. */
    private static bool $isFaulty = false;

    /**
     * Does work of Allegro, and lets Composer do it if that fails.
     *
     * @template T
     *
     * @param callable(): T           $ours
     * @param callable(\Throwable): T $instead puts back what `$ours` left half-done, and does the
     *                                         work by Composer's code
     *
     * @return T
     *
     * @throws \Throwable what plain Composer throws too, and what we throw on purpose
     */
    public static function run(callable $ours, callable $instead)
    {
        try {
            return $ours();
        } catch (\Throwable $fault) {
            if (self::passes($fault)) {
                throw $fault;
            }
        }
        // Composer's code may have thrown the exception, and may throw it without Allegro as well.
        // In that case Allegro reports no fault.
        $isCertain = self::isCertain($fault);
        if ($isCertain) {
            self::standBack($fault);
        }
        try {
            $result = $instead($fault);
        } catch (\Throwable $thrown) {
            if (!$isCertain && !self::isTheSame($thrown, $fault)) {
                self::standBack($fault);
            }

            throw self::asTheirs($thrown);
        }
        if (!$isCertain) {
            self::standBack($fault);
        }

        return $result;
    }

    /**
     * Does work of Allegro that nobody else would do, and leaves it out if it fails.
     *
     * @template T
     *
     * @param callable(): T $ours
     *
     * @return T|null
     *
     * @throws \Throwable as {@see run()}
     */
    public static function attempt(callable $ours)
    {
        return self::run($ours, static fn () => null);
    }

    /**
     * Handles an exception of Allegro's code as {@see run()} does. It serves code that runs too
     * often for closures.
     *
     * @throws \Throwable what is no fault of ours
     */
    public static function caught(\Throwable $thrown): void
    {
        if (self::passes($thrown)) {
            throw $thrown;
        }
        self::standBack($thrown);
    }

    /**
     * Does all of several steps, such as those of a roll-back, even if some of them throw.
     *
     * @param callable(): mixed ...$steps
     *
     * @throws \Throwable as {@see run()}, when all steps are done
     */
    public static function restore(callable ...$steps): void
    {
        $thrown = null;
        foreach ($steps as $step) {
            try {
                $step();
            } catch (\Throwable $e) {
                if (self::passes($e)) {
                    $thrown ??= $e;
                } else {
                    self::standBack($e);
                }
            }
        }
        if ($thrown !== null) {
            throw $thrown;
        }
    }

    /**
     * Calls other code from within Allegro's work, and marks its exceptions as not Allegro's.
     *
     * @template T
     *
     * @param callable(): T $theirs
     *
     * @return T
     */
    public static function out(callable $theirs)
    {
        try {
            return $theirs();
        } catch (\Throwable $e) {
            throw self::asTheirs($e);
        }
    }

    /**
     * Tells whether an exception is none of Allegro's faults.
     */
    public static function passes(\Throwable $e): bool
    {
        return $e instanceof Deliberate || isset(self::$theirs[$e]);
    }

    /**
     * Registers a callback for the first fault. The callback takes Allegro out of use for the rest
     * of the run.
     *
     * @param \Closure(\Throwable, bool): void $standBack gets the fault, and whether the user was
     *                                                    told of it already
     *
     * @return int for {@see forget()}
     */
    public static function watch(\Closure $standBack): int
    {
        self::$sessions[++self::$last] = $standBack;

        return self::$last;
    }

    /**
     * Removes a registration of {@see watch()}.
     */
    public static function forget(int $number): void
    {
        unset(self::$sessions[$number]);
    }

    /**
     * Takes Allegro out of use for the rest of the run, in all Composer instances of the process.
     */
    public static function standBack(\Throwable $fault): void
    {
        if (self::$isFaulty) {
            return;
        }
        self::$isFaulty = true;
        $isTold = false;
        foreach (self::$sessions as $session) {
            try {
                $session($fault, $isTold);
                $isTold = true;
            } catch (\Throwable $e) {
                // A session that fails to stand back is ignored.
            }
        }
    }

    /**
     * Tells whether there was a fault in this process.
     */
    public static function isFaulty(): bool
    {
        return self::$isFaulty;
    }

    /**
     * Names a fault by its class and place. The message is left out because it may hold secrets.
     */
    public static function name(\Throwable $fault): string
    {
        return get_class($fault).' in '.basename($fault->getFile()).':'.$fault->getLine();
    }

    /**
     * Describes a fault for developers. Arguments are left out because they may hold secrets.
     *
     * @return non-empty-list<string> lines
     */
    public static function describe(\Throwable $fault): array
    {
        $lines = [];
        for ($e = $fault; $e !== null; $e = $e->getPrevious()) {
            $lines[] = get_class($e).' at '.$e->getFile().':'.$e->getLine();
            /** @var list<array{function: string, class?: string, type?: string, file?: string, line?: int}> $trace */
            $trace = $e->getTrace();
            foreach ($trace as $frame) {
                $lines[] = '  '.($frame['class'] ?? '').($frame['type'] ?? '').$frame['function'].'() at '
                    .($frame['file'] ?? 'PHP').':'.($frame['line'] ?? 0);
            }
        }

        return $lines;
    }

    /**
     * Marks an exception as one that plain Composer throws as well.
     */
    public static function asTheirs(\Throwable $e): \Throwable
    {
        self::$theirs ??= new \WeakMap();
        self::$theirs[$e] = true;

        return $e;
    }

    /**
     * Tells whether Allegro's code has certainly failed. Errors and warnings count, because nobody
     * throws them on purpose. Exceptions that Allegro's own files throw count as well.
     */
    private static function isCertain(\Throwable $fault): bool
    {
        return $fault instanceof \Error || $fault instanceof \ErrorException || str_starts_with($fault->getFile(), __DIR__.'/');
    }

    /**
     * Tells whether two exceptions have the same class and message.
     */
    private static function isTheSame(\Throwable $one, \Throwable $other): bool
    {
        return get_class($one) === get_class($other) && $one->getMessage() === $other->getMessage();
    }
}
