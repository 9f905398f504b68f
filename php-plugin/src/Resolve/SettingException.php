<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Deliberate;

/**
 * What the project or an option wants can't be done. The message names it and says what to do next; nothing was written.
 */
final class SettingException extends \RuntimeException implements Deliberate
{
}
