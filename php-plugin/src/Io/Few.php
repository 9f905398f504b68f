<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

/**
 * Shortens lists for people: no message of ours grows with the project.
 */
final class Few
{
    /** So many names are shown. */
    private const SHOWN = 3;

    /**
     * Returns the first names of a list, and how many more there are: "a, b, c and 4 more".
     *
     * @param array<string> $names
     */
    public static function names(array $names): string
    {
        $more = count($names) - self::SHOWN;

        return implode(', ', array_slice($names, 0, self::SHOWN)).($more > 0 ? ' and '.$more.' more' : '');
    }
}
