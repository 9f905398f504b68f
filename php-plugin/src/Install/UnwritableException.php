<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Deliberate;

/**
 * A file that Composer generates can't be written. The message names the file and the reason.
 */
final class UnwritableException extends \RuntimeException implements Deliberate
{
}
