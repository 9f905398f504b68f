<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

/**
 * A signal arrived while native code ran.
 */
final class InterruptedException extends \RuntimeException
{
    /** So often work is begun again before it is given up. */
    private const MAX_INTERRUPTIONS = 5;

    /**
     * Does work again that a signal has interrupted. When that is known the signal's handler has run; the process goes
     * on, so it was none that ends it.
     *
     * @template T
     *
     * @param callable(): T $work
     *
     * @throws EngineException
     *
     * @return T
     */
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
