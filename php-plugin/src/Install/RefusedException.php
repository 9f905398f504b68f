<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Deliberate;

/**
 * A dist that must not be installed, or a file system that refuses: the run stops.
 *
 * Not a RuntimeException, so that Composer doesn't go on with the package's source instead.
 */
final class RefusedException extends \Exception implements Deliberate
{
}
