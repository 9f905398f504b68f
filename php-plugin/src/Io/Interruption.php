<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Native\Functions;

/**
 * Handles Ctrl-C at a time when Composer has nothing to clean up. The process ends as it would
 * without Allegro, but the terminal is tidy.
 */
final class Interruption
{
    /**
     * Does work, and calls `$clear` if Ctrl-C interrupts the work.
     *
     * @template T
     *
     * @param callable(): void $clear
     * @param callable(): T    $work
     *
     * @return T
     */
    public static function clearing(callable $clear, callable $work)
    {
        if (Functions::missing(['pcntl_signal', 'pcntl_signal_get_handler', 'pcntl_async_signals', 'posix_kill']) !== null) {
            return $work();
        }
        // The former handler is Composer's own or the system's default.
        /** @var callable|int $before */
        $before = pcntl_signal_get_handler(SIGINT);
        $async = pcntl_async_signals(true);
        pcntl_signal(SIGINT, static function (int $signal, $details = null) use ($clear, $before): void {
            Guard::attempt($clear);
            pcntl_signal(SIGINT, $before);
            if (is_callable($before)) {
                $before($signal, $details);
            } else {
                posix_kill((int) getmypid(), $signal);
            }
        });
        try {
            return $work();
        } finally {
            pcntl_signal(SIGINT, $before);
            pcntl_async_signals($async);
        }
    }
}
