<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

/**
 * Leaves a download to Composer. The message tells the reason and holds no secret.
 */
final class DeclinedException extends \RuntimeException
{
}
