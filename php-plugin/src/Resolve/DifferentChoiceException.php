<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Deliberate;

/**
 * The native choice can't be trusted, because Composer's solver comes to another result with it.
 */
final class DifferentChoiceException extends \RuntimeException implements Deliberate
{
    /**
     * Makes Composer repeat the whole update by itself, because something in Allegro has failed.
     *
     * @throws self
     */
    public static function abandon(): never
    {
        throw new self('something failed');
    }
}
