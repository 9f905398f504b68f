<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

/**
 * The native part failed as a whole: it isn't there, it died, or it refused the request.
 *
 * @phpstan-import-type ErrorAnswer from Protocol
 */
final class EngineException extends \RuntimeException
{
    /**
     * Returns the exception for a helper that can't be used.
     */
    public static function gone(string $what): self
    {
        return new self('the native helper '.$what);
    }

    /**
     * Returns the exception for an error that the helper has answered.
     *
     * @param ErrorAnswer|array{} $error empty if the helper describes none
     */
    public static function fromHelper(array $error): self
    {
        $message = is_string($error['message'] ?? null) ? $error['message'] : 'unknown error';
        $hint = $error['hint'] ?? null;

        return new self(is_string($hint) ? $message.'; '.$hint : $message);
    }
}
