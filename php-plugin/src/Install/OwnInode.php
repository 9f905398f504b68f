<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

/**
 * Gives hard-linked files inodes of their own, so that a write or a chmod doesn't reach the other
 * links.
 */
final class OwnInode
{
    /**
     * Replaces every file that has several links by a copy, in a directory and below it.
     *
     * @throws RefusedException
     */
    public static function giveAll(string $dir): void
    {
        $files = new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator($dir, \FilesystemIterator::SKIP_DOTS));
        // The files are listed first, because copies come and go in the directories meanwhile.
        foreach (array_keys(iterator_to_array($files)) as $file) {
            // @mago-expect analysis:redundant-cast PHP makes numbers of numeric keys.
            self::give((string) $file);
        }
    }

    /**
     * Replaces a file by a copy if it has several links.
     *
     * Mode and time stay as they are. So do owner and group as far as they can be set, and the time
     * of the directory.
     *
     * @throws RefusedException
     */
    public static function give(string $file): void
    {
        clearstatcache(true, $file);
        $stat = @lstat($file);
        if ($stat === false || ($stat['mode'] & 0170000) !== 0100000 || $stat['nlink'] < 2) {
            return;
        }
        $dir = dirname($file);
        clearstatcache(true, $dir);
        $dirTimes = [@filemtime($dir), @fileatime($dir)];
        $copy = $file.'.'.bin2hex(random_bytes(6));
        if (!@copy($file, $copy)) {
            self::fail($file, $copy);
        }
        // A file system may support none of these calls, and Composer goes without them, too. Hosts
        // like to switch the first two off.
        if (function_exists('chown')) {
            @chown($copy, $stat['uid']);
        }
        if (function_exists('chgrp')) {
            @chgrp($copy, $stat['gid']);
        }
        @chmod($copy, $stat['mode'] & 0777);
        @touch($copy, $stat['mtime'], $stat['atime']);
        if (!@rename($copy, $file)) {
            self::fail($file, $copy);
        }
        if ($dirTimes[0] !== false) {
            @touch($dir, $dirTimes[0], (int) $dirTimes[1]);
        }
    }

    /**
     * Throws an exception with PHP's last error, after removing the copy.
     */
    private static function fail(string $file, string $copy): never
    {
        $error = error_get_last()['message'] ?? 'unknown error';
        @unlink($copy);

        throw new RefusedException('Allegro: '.$file.' can not be copied: '.$error);
    }
}
