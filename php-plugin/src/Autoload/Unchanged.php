<?php

declare(strict_types=1);

namespace Allegro\Plugin\Autoload;

/**
 * Leaves a dump that would give what is there already.
 */
final class Unchanged extends \Exception
{
    public function __construct(public readonly string $said, public readonly int $classes)
    {
        parent::__construct('unchanged');
    }
}
