<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

use Composer\Util\Platform;

/**
 * The terminal that standard error goes to.
 */
class Terminal
{
    /**
     * Whether there is one on which a line can be written anew.
     */
    public function isThere(): bool
    {
        return defined('STDERR') && stream_isatty(STDERR) && Platform::getEnv('TERM') !== 'dumb';
    }

    /**
     * Columns, as the console found them when it started.
     */
    public function width(): int
    {
        $columns = (int) Platform::getEnv('COLUMNS');

        return $columns > 0 ? $columns : 80;
    }
}
