<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

/**
 * Shortens lists of names for people, so that no message of Allegro grows with the project.
 */
final class ShortList
{
    /** The number of names that a message shows. */
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
