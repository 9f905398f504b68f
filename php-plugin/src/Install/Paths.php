<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

/**
 * Resolves paths, also those of files that don't exist yet.
 */
final class Paths
{
    /**
     * Returns the absolute form of a path, without a slash at its end. Links and `..` stay in it.
     */
    public static function absolute(string $path): string
    {
        if (!str_starts_with($path, '/')) {
            // Without a working directory `/` takes its place.
            // @mago-expect analysis:possibly-false-operand
            $path = getcwd().'/'.$path;
        }

        return rtrim($path, '/') ?: '/';
    }

    /**
     * Tells whether anything is at a path, even a link that leads nowhere.
     */
    public static function exists(string $path): bool
    {
        return is_link($path) || file_exists($path);
    }

    /**
     * Returns the place that a path leads to. Links in the part that exists are followed, and the
     * rest is taken as it is written.
     */
    public static function resolve(string $path): string
    {
        $path = self::absolute($path);
        $rest = '';
        while (($real = realpath($path)) === false) {
            $slash = (int) strrpos($path, '/');
            $rest = substr($path, $slash).$rest;
            $path = $slash === 0 ? '/' : substr($path, 0, $slash);
        }
        /**
         * @var string       $real
         * @var list<string> $names
         */
        $names = [];
        foreach (explode('/', $real.$rest) as $name) {
            if ($name === '..') {
                array_pop($names);
            } elseif ($name !== '' && $name !== '.') {
                $names[] = $name;
            }
        }

        return '/'.implode('/', $names);
    }

    /**
     * Tells whether a resolved path lies strictly below a resolved directory.
     */
    public static function isBelow(string $path, string $dir): bool
    {
        return $path !== $dir && str_starts_with($path, rtrim($dir, '/').'/');
    }
}
