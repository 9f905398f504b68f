<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

/**
 * The native part failed as a whole: it isn't there, it died, or it refused the request.
 */
final class EngineException extends \RuntimeException
{
    public static function gone(string $what): self
    {
        return new self('the native helper '.$what);
    }

    /**
     * @param array<string, mixed> $error as the helper describes it
     */
    public static function fromHelper(array $error): self
    {
        $message = is_string($error['message'] ?? null) ? $error['message'] : 'unknown error';
        $hint = $error['hint'] ?? null;

        return new self(is_string($hint) ? $message.'; '.$hint : $message);
    }
}
