<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Deliberate;

/**
 * Another process has changed the lock file while versions were being chosen.
 */
final class LockChangedException extends \RuntimeException implements Deliberate
{
}
