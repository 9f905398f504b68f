<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Deliberate;

/**
 * Somebody else has changed the lock while versions were chosen for it.
 */
final class LockChangedException extends \RuntimeException implements Deliberate
{
}
