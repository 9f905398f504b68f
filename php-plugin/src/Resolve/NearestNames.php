<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

/**
 * Names of packages that are written much like one that nobody has.
 */
final class NearestNames
{
    /** So many are told. */
    private const MOST = 3;

    /**
     * The nearest first; none that is farther away than a slip of the fingers.
     *
     * @param iterable<string> $known
     *
     * @return list<string>
     */
    public static function of(string $name, iterable $known): array
    {
        // One slip in a short name, three in a long one; with more, short names are like any others.
        $farthest = max(1, min(3, intdiv(strlen($name), 4)));
        $distances = [];
        foreach ($known as $other) {
            if ($other === $name || abs(strlen($other) - strlen($name)) > $farthest) {
                continue;
            }
            $distance = levenshtein($name, $other);
            if ($distance <= $farthest) {
                $distances[$other] = $distance;
            }
        }
        $names = array_map('strval', array_keys($distances));
        usort($names, static fn (string $a, string $b): int => [$distances[$a], $a] <=> [$distances[$b], $b]);

        return array_slice($names, 0, self::MOST);
    }

    /**
     * Names whose metadata Composer has kept: `provider-vendor~name.json`.
     *
     * @return list<string>
     */
    public static function inCache(string $dir): array
    {
        $names = [];
        foreach (is_dir($dir) ? scandir($dir) ?: [] : [] as $file) {
            if (preg_match('{^provider-([^~]+)~([^~]+)(?:~dev)?\.json$}D', $file, $match) === 1) {
                $names[$match[1].'/'.$match[2]] = true;
            }
        }

        return array_map('strval', array_keys($names));
    }
}
