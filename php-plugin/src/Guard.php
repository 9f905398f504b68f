<?php

declare(strict_types=1);

namespace Allegro\Plugin;

/**
 * The boundary between Composer and Allegro: a fault of Allegro is never one of the user's run.
 *
 * Each method that Composer calls hands its work to {@see run()}, together with the work that puts things back and
 * lets Composer do it by itself. Calls from our code to somebody else, such as a listener or Composer's own download,
 * go through {@see out()}: what is thrown there is thrown without us as well, and passes unchanged.
 *
 * Memory exhaustion and `exit` can't be caught by PHP code.
 *
 * The state is static because a fault of the code concerns every Composer instance of the process.
 */
final class Guard
{
    /** @var \WeakMap<\Throwable, true>|null what somebody else has thrown */
    private static ?\WeakMap $theirs = null;

    /** @var array<int, \Closure(\Throwable, bool): void> what is told of the first fault, by number */
    private static array $sessions = [];

    private static int $last = 0;

    private static bool $isFaulty = false;

    /**
     * Does work of ours, and lets Composer do it where that fails.
     *
     * @template T
     *
     * @param callable(): T           $ours
     * @param callable(\Throwable): T $instead puts back what `$ours` left half-done, and does the work by Composer's code
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
        // Composer's code may have refused what it would have refused without us, too. Then there is nothing to be said.
        $isCertain = self::isCertain($fault);
        $isCertain && self::standBack($fault);
        try {
            $result = $instead($fault);
        } catch (\Throwable $thrown) {
            $isCertain || self::isTheSame($thrown, $fault) || self::standBack($fault);

            throw self::asTheirs($thrown);
        }
        $isCertain || self::standBack($fault);

        return $result;
    }

    /**
     * Does work of ours that nobody else would do; where it fails, it is left out.
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
     * Takes what was thrown by work of ours, as {@see run()} does: for code that is called too often for closures.
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
     * Does steps that all have to be done, such as those that put something back: none keeps the others from it.
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
     * Calls somebody else from within our work.
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
     * Tells whether something that was thrown is none of our faults.
     */
    public static function passes(\Throwable $e): bool
    {
        return $e instanceof Deliberate || isset(self::$theirs[$e]);
    }

    /**
     * Has somebody told of the first fault, who then takes Allegro out of use for the rest of the run.
     *
     * @param \Closure(\Throwable, bool): void $standBack gets the fault, and whether the user was told of it already
     *
     * @return int for {@see forget()}
     */
    public static function watch(\Closure $standBack): int
    {
        self::$sessions[++self::$last] = $standBack;

        return self::$last;
    }

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
                // Whoever can't even stand back has no say any more.
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
     * Names a fault by its kind and place. Its message may hold secrets.
     */
    public static function name(\Throwable $fault): string
    {
        return get_class($fault).' in '.basename($fault->getFile()).':'.$fault->getLine();
    }

    /**
     * Describes a fault for those who mend it: no arguments, which may hold secrets.
     *
     * @return non-empty-list<string> lines
     */
    public static function describe(\Throwable $fault): array
    {
        $lines = [];
        for ($e = $fault; $e !== null; $e = $e->getPrevious()) {
            $lines[] = get_class($e).' at '.$e->getFile().':'.$e->getLine();
            foreach ($e->getTrace() as $frame) {
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
     * Tells whether it was our code that failed: nobody throws an error or a warning on purpose.
     */
    private static function isCertain(\Throwable $fault): bool
    {
        return $fault instanceof \Error || $fault instanceof \ErrorException || str_starts_with($fault->getFile(), __DIR__.'/');
    }

    private static function isTheSame(\Throwable $one, \Throwable $other): bool
    {
        return get_class($one) === get_class($other) && $one->getMessage() === $other->getMessage();
    }
}
