<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Native\Functions;
use Composer\Util\Filesystem;

/**
 * Composer's Filesystem, whose writes of generated files replace them by a rename: whoever is killed or reads
 * meanwhile has the old file or the new one.
 *
 * A file that is there keeps its owner, group, mode and ACL, as it does when Composer writes into it. Only the native
 * part can see to that; where it can't, the file is written in place.
 */
final class AtomicFilesystem extends Filesystem
{
    /** EPERM: there is such a process, of another user. */
    private const NOT_PERMITTED = 1;

    /** @var (\Closure(string, string): bool)|null renames a file over another one, which keeps what it is */
    private static ?\Closure $replace = null;

    /** @var array<string, true>|null files that were written beside others and are not in their place yet */
    private static ?array $unfinished = null;

    /**
     * Sets what renames a temporary file over one that is there; null to write into files that are there.
     *
     * @param (\Closure(string, string): bool)|null $replace gets the temporary file and the path; false if nothing was
     *                                                        renamed
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
     * Tells whether a file can be replaced: it is neither a link nor a device, and if it is there its directory takes
     * another one.
     */
    public static function canReplace(string $path): bool
    {
        $type = @filetype($path);

        // What is a directory can't be written in any way.
        return in_array($type, [false, 'dir'], true) || ($type === 'file' && is_writable(dirname($path)));
    }

    /**
     * Writes a file that is to replace the one at a path.
     *
     * @return string|null null if none can be made there: what is at the path can be written in place at most
     */
    public static function beside(string $path, string $content): ?string
    {
        $temporary = sprintf('%s/.%s.allegro-%x-%s', dirname($path), basename($path), getmypid(), bin2hex(random_bytes(4)));
        // Named before it is there: a signal may end the process between any two lines, and nothing is to be left.
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
            // Nobody reads the new content who may not read the old one.
            @chmod($temporary, $mode & 07777);
        }
        if ($written !== strlen($content)) {
            self::fail($path, $temporary);
        }

        return $temporary;
    }

    /**
     * Puts a file that was written beside another in the place of that.
     */
    public static function replace(string $temporary, string $path): void
    {
        clearstatcache(true, $path);
        // A file that is a mount of its own is written in place as well.
        if (!(is_file($path) ? self::isReplaced($temporary, $path) : @rename($temporary, $path))) {
            $content = @file_get_contents($temporary);
            $content !== false && self::inPlace($path, $content) || self::fail($path, $temporary);
        }
        self::discard($temporary);
    }

    private static function isReplaced(string $temporary, string $path): bool
    {
        try {
            return self::$replace !== null && (self::$replace)($temporary, $path);
        } catch (\Exception $e) {
            // Whoever renames may have done so before the answer got lost.
            clearstatcache(true, $temporary);

            return !file_exists($temporary);
        }
    }

    private static function inPlace(string $path, string $content): bool
    {
        return @file_put_contents($path, $content) === strlen($content);
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
        if (Functions::missing(['posix_kill', 'posix_get_last_error']) === null) {
            return posix_kill($pid, 0) || posix_get_last_error() === self::NOT_PERMITTED;
        }

        return !@is_dir('/proc/self') || @is_dir('/proc/'.$pid);
    }

    private static function fail(string $path, ?string $temporary = null): never
    {
        $error = error_get_last();
        $temporary === null || self::discard($temporary);

        throw new UnwritableException($path.' could not be written: '.($error['message'] ?? 'unknown error'));
    }
}
