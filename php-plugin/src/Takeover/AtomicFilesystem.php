<?php

declare(strict_types=1);

namespace Allegro\Plugin\Takeover;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Install\UnwritableException;
use Allegro\Plugin\Native\Functions;
use Composer\Util\Filesystem;

/**
 * Replaces generated files by a rename, where Composer's Filesystem writes into them. So a killed
 * process or a concurrent reader has the old file or the new one.
 *
 * An existing file keeps its owner, group, mode and ACL, as it does when Composer writes into it.
 * Only the native part can ensure that. If it can't, the file is written in place.
 */
final class AtomicFilesystem extends Filesystem
{
    /** The error EPERM, by which the system says that a process of another user exists. */
    private const NOT_PERMITTED = 1;

    /**
     * Renames a file over another one, which keeps its owner, group, mode and ACL.
     *
     * @var (\Closure(string, string): bool)|null
     */
    private static ?\Closure $replace = null;

    /**
     * Temporary files that are not in their place yet, or null before the first one.
     *
     * @var array<string, true>|null
     */
    private static ?array $unfinished = null;

    /**
     * Sets the closure that renames a temporary file over an existing one. With null, existing
     * files are written in place.
     *
     * @param (\Closure(string, string): bool)|null $replace gets the temporary file and the path;
     *                                                       false if nothing was renamed
     */
    public static function replaceBy(?\Closure $replace): void
    {
        self::$replace = $replace;
    }

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
        return Guard::run(
            static fn () => @file_get_contents($path) === $content ? 0 : self::put($path, $content),
            fn () => parent::filePutContentsIfModified($path, $content)
        );
    }

    /**
     * Writes a file, by a rename where that can be.
     *
     * @return int|false
     */
    public static function put(string $path, string $content)
    {
        if (!self::canReplace($path)) {
            return file_put_contents($path, $content);
        }
        $temporary = self::beside($path, $content);
        if ($temporary === null) {
            self::inPlace($path, $content) || self::fail($path);
        } else {
            self::replace($temporary, $path);
        }

        return strlen($content);
    }

    /**
     * Tells whether a file can be replaced by a rename.
     *
     * The file must be neither a link nor a device. If it exists, its directory must take another
     * file.
     */
    public static function canReplace(string $path): bool
    {
        $type = @filetype($path);

        // A directory can't be written in either way.
        return in_array($type, [false, 'dir'], true) || ($type === 'file' && is_writable(dirname($path)));
    }

    /**
     * Writes a temporary file beside a path, to replace the file there.
     *
     * @return string|null null if none can be made there: what is at the path can be written in
     *                     place at most
     */
    public static function beside(string $path, string $content): ?string
    {
        $temporary = sprintf('%s/.%s.allegro-%x-%s', dirname($path), basename($path), getmypid(), bin2hex(random_bytes(4)));
        // The name is recorded before the file exists. A signal may end the process between any two
        // lines, and no file shall be left behind.
        if (self::$unfinished === null) {
            self::$unfinished = [];
            register_shutdown_function(static fn () => Guard::restore(static function (): void {
                array_map([self::class, 'discard'], array_keys(self::$unfinished ?? []));
            }));
        }
        self::$unfinished[$temporary] = true;
        $file = @fopen($temporary, 'x');
        if ($file === false) {
            unset(self::$unfinished[$temporary]);

            return null;
        }
        $written = @fwrite($file, $content);
        $written = @fclose($file) ? $written : false;
        $mode = @fileperms($path);
        if ($mode !== false) {
            // A user who may not read the old content must not read the new one.
            @chmod($temporary, $mode & 07777);
        }
        if ($written !== strlen($content)) {
            self::fail($path, $temporary);
        }

        return $temporary;
    }

    /**
     * Replaces a file by the temporary file that was written beside it.
     */
    public static function replace(string $temporary, string $path): void
    {
        clearstatcache(true, $path);
        // A file that is a mount point is written in place as well.
        if (!(is_file($path) ? self::isReplaced($temporary, $path) : @rename($temporary, $path))) {
            $content = @file_get_contents($temporary);
            $content !== false && self::inPlace($path, $content) || self::fail($path, $temporary);
        }
        self::discard($temporary);
    }

    /**
     * Tells whether a temporary file was renamed over an existing one, with owner, group, mode and
     * ACL kept.
     */
    private static function isReplaced(string $temporary, string $path): bool
    {
        try {
            return self::$replace !== null && (self::$replace)($temporary, $path);
        } catch (\Exception $e) {
            // The native part may have renamed the file before its answer got lost.
            clearstatcache(true, $temporary);

            return !file_exists($temporary);
        }
    }

    /**
     * Writes into a file, and tells whether all of the content was written.
     */
    private static function inPlace(string $path, string $content): bool
    {
        return @file_put_contents($path, $content) === strlen($content);
    }

    /**
     * Removes a temporary file, if it still exists.
     */
    public static function discard(string $temporary): void
    {
        @unlink($temporary);
        unset(self::$unfinished[$temporary]);
    }

    /**
     * Removes temporary files that killed processes have left in a directory.
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
     * Tells whether a process is running.
     *
     * If that can't be told, the process counts as running, because it may still need its files.
     */
    private static function isRunning(int $pid): bool
    {
        if (Functions::missing(['posix_kill', 'posix_get_last_error']) === null) {
            return posix_kill($pid, 0) || posix_get_last_error() === self::NOT_PERMITTED;
        }

        return !@is_dir('/proc/self') || @is_dir('/proc/'.$pid);
    }

    /**
     * Throws an exception with PHP's last error, after removing the temporary file.
     */
    private static function fail(string $path, ?string $temporary = null): never
    {
        $error = error_get_last();
        $temporary === null || self::discard($temporary);

        throw new UnwritableException($path.' could not be written: '.($error['message'] ?? 'unknown error'));
    }
}
