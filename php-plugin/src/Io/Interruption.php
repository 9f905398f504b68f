<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Native\Functions;

/**
 * Ctrl-C at a time when Composer has nothing to clean up: the process ends as it would have, but the terminal is tidy.
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
        if (Functions::missing(['pcntl_signal', 'pcntl_signal_get_handler', 'pcntl_async_signals', 'posix_kill']) !== null) {
            return $work();
        }
        // Composer's own, or the system's.
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
