<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

/**
 * Ctrl-C at a time when Composer has no handler for it: the process ends as it would have, but the terminal is tidy.
 */
final class Interruption
{
    /**
     * @template T
     *
     * @param callable(): void $clear
     * @param callable(): T    $work
     *
     * @return T
     */
    public static function clearing(callable $clear, callable $work)
    {
        if (!function_exists('pcntl_signal') || !function_exists('posix_kill') || pcntl_signal_get_handler(SIGINT) !== SIG_DFL) {
            return $work();
        }
        $async = pcntl_async_signals(true);
        pcntl_signal(SIGINT, static function () use ($clear): void {
            $clear();
            pcntl_signal(SIGINT, SIG_DFL);
            posix_kill((int) getmypid(), SIGINT);
        });
        try {
            return $work();
        } finally {
            pcntl_signal(SIGINT, SIG_DFL);
            pcntl_async_signals($async);
        }
    }
}
