<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

/**
 * A download that stays with Composer. The message says why and holds no secret.
 */
final class DeclinedException extends \RuntimeException
{
}
