<?php

declare(strict_types=1);

namespace Allegro\Plugin;

/**
 * An exception that Allegro throws on purpose through Composer's code. The {@see Guard} lets it
 * pass.
 */
interface Deliberate extends \Throwable
{
}
