<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Deliberate;

/**
 * Composer's solver, given the chosen versions, comes to another result: the choice is not to be trusted.
 */
final class DifferentChoiceException extends \RuntimeException implements Deliberate
{
    /**
     * Has the whole update made once more by Composer alone, because something of ours has failed.
     *
     * @throws self
     */
    public static function abandon(): never
    {
        throw new self('something failed');
    }
}
