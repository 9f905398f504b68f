<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

/**
 * A signal has arrived while native code ran.
 */
final class InterruptedException extends \RuntimeException
{
    /** The number of attempts after which work is given up. */
    private const MAX_INTERRUPTIONS = 5;

    /**
     * Does work again that a signal has interrupted.
     *
     * The signal's handler has run by the time of this exception. The process goes on, so the
     * handler was none that ends it.
     *
     * @template T
     *
     * @param callable(): T $work
     *
     * @throws EngineException
     *
     * @return T
     */
    // @mago-expect analysis:missing-return-statement The loop has no other end than its return.
    public static function outlive(callable $work)
    {
        for ($attempt = 1;; ++$attempt) {
            try {
                return $work();
            } catch (InterruptedException $e) {
                if ($attempt === self::MAX_INTERRUPTIONS) {
                    throw new EngineException('signals arrive faster than work gets done', 0, $e);
                }
            }
        }
    }
}
