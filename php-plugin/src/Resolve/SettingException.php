<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Deliberate;

/**
 * A setting or an option asks for something that isn't possible. The message names it and the next
 * step; nothing was written.
 */
final class SettingException extends \RuntimeException implements Deliberate
{
}
