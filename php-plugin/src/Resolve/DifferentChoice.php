<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Deliberate;

/**
 * Composer's solver, given the chosen versions, comes to another result: the choice is not to be trusted.
 */
final class DifferentChoice extends \RuntimeException implements Deliberate
{
}
