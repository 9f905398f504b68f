<?php

declare(strict_types=1);

namespace Allegro\Plugin\Autoload;

use Allegro\Plugin\Deliberate;

/**
 * Unwinds a dump that would reproduce the existing files.
 */
final class Unchanged extends \Exception implements Deliberate
{
    public function __construct(public readonly string $said, public readonly int $classes)
    {
        parent::__construct('unchanged');
    }
}
