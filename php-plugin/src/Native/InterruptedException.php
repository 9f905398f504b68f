<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

/**
 * A signal arrived while native code ran.
 */
final class InterruptedException extends \RuntimeException
{
}
