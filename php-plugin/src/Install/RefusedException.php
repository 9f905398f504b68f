<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Deliberate;

/**
 * Stops the run, because a dist must not be installed or the file system refuses.
 *
 * It is not a RuntimeException, so that Composer doesn't go on with the package's source instead.
 */
final class RefusedException extends \Exception implements Deliberate
{
}
