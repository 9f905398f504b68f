<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

/**
 * Composer's solver, given the chosen versions, comes to another result: the choice is not to be trusted.
 */
final class DifferentChoice extends \RuntimeException
{
}
