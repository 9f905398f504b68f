<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

use Composer\Util\Platform;

/**
 * Describes the terminal that standard error goes to.
 */
class Terminal
{
    /**
     * Tells whether there is a terminal on which a line can be rewritten.
     */
    public function isThere(): bool
    {
        return defined('STDERR') && stream_isatty(STDERR) && Platform::getEnv('TERM') !== 'dumb';
    }

    /**
     * Returns the number of columns, as the console found it when it started.
     */
    public function width(): int
    {
        $columns = (int) Platform::getEnv('COLUMNS');

        return $columns > 0 ? $columns : 80;
    }
}
