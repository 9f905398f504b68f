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
        $temporary = sprintf('%s/.%s.%s', dirname($path), basename($path), bin2hex(random_bytes(6)));
        $written = @file_put_contents($temporary, $content);
        $mode = @fileperms($path);
        if ($mode !== false) {
            @chmod($temporary, $mode & 07777);
        }
        if ($written !== strlen($content) || !@rename($temporary, $path)) {
            $error = error_get_last();
            @unlink($temporary);

            throw new \RuntimeException($path.' could not be written: '.($error['message'] ?? 'unknown error'));
        }

        return $written;
    }
}
