<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Composer\Util\Filesystem;

/**
 * Composer's Filesystem, whose writes of generated files replace them by a rename: whoever is killed or reads
 * meanwhile has the old file or the new one.
 */
final class AtomicFilesystem extends Filesystem
{
    /** EPERM: there is such a process, of another user. */
    private const NOT_PERMITTED = 1;

    /** @var array<string, true>|null files that were written beside others and are not in their place yet */
    private static ?array $unfinished = null;

    /**
     * {@inheritDoc}
     *
     * @param string $path
     * @param string $content
     *
     * @return int|false
     */
    public function filePutContentsIfModified($path, $content)
    {
        $current = @file_get_contents($path);
        if ($current === $content) {
            return 0;
        }

        return self::put($path, $content);
    }

    /**
     * @return int|false
     */
    public static function put(string $path, string $content)
    {
        if (is_link($path)) {
            return file_put_contents($path, $content);
        }
        self::replace(self::beside($path, $content), $path);

        return strlen($content);
    }

    /**
     * Writes a file that is to replace the one at a path.
     */
    public static function beside(string $path, string $content): string
    {
        $temporary = sprintf('%s/.%s.allegro-%x-%s', dirname($path), basename($path), getmypid(), bin2hex(random_bytes(4)));
        // Named before it is there: a signal may end the process between any two lines, and nothing is to be left.
        if (self::$unfinished === null) {
            self::$unfinished = [];
            register_shutdown_function(static function (): void {
                array_map([self::class, 'discard'], array_keys(self::$unfinished ?? []));
            });
        }
        self::$unfinished[$temporary] = true;
        $written = @file_put_contents($temporary, $content);
        $mode = @fileperms($path);
        if ($mode !== false) {
            @chmod($temporary, $mode & 07777);
        }
        if ($written !== strlen($content)) {
            self::fail($temporary, $path);
        }

        return $temporary;
    }

    public static function replace(string $temporary, string $path): void
    {
        if (!@rename($temporary, $path)) {
            self::fail($temporary, $path);
        }
        unset(self::$unfinished[$temporary]);
    }

    /**
     * Gives up a file that was written beside another.
     */
    public static function discard(string $temporary): void
    {
        @unlink($temporary);
        unset(self::$unfinished[$temporary]);
    }

    /**
     * Removes what processes that were killed had written beside the files of a directory.
     */
    public static function sweep(string $dir): void
    {
        foreach (@scandir($dir) ?: [] as $name) {
            if (
                $name[0] === '.'
                && preg_match('{^\..+\.allegro-([0-9a-f]{1,8})-[0-9a-f]{8}$}D', $name, $match) === 1
                && !self::isRunning((int) hexdec($match[1]))
            ) {
                @unlink($dir.'/'.$name);
            }
        }
    }

    /**
     * Where that can't be told, as if it were: nothing is taken from somebody who may be at work.
     */
    private static function isRunning(int $pid): bool
    {
        if (function_exists('posix_kill')) {
            return posix_kill($pid, 0) || posix_get_last_error() === self::NOT_PERMITTED;
        }

        return !is_dir('/proc/self') || is_dir('/proc/'.$pid);
    }

    private static function fail(string $temporary, string $path): never
    {
        $error = error_get_last();
        self::discard($temporary);

        throw new \RuntimeException($path.' could not be written: '.($error['message'] ?? 'unknown error'));
    }
}
