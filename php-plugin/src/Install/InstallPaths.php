<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Composer\Config;

/**
 * Examines the install paths of packages, and tells whether their content may be replaced.
 */
final class InstallPaths
{
    /** The vendor directory without links, once it exists. */
    private ?string $vendorDir = null;

    public function __construct(private readonly Config $config)
    {
    }

    /**
     * Tells whether the content of a path may be removed. The current directory and directories
     * that hold vendor must stay.
     */
    public function isReplaceable(string $path): bool
    {
        if (is_link($path)) {
            return true;
        }
        $real = realpath($path);

        return $real === false || ($real !== getcwd() && !str_starts_with($this->vendorDir().'/', $real.'/'));
    }

    /**
     * Tells whether a path begins with the vendor directory.
     */
    public function isInVendor(string $path): bool
    {
        return str_starts_with($path, $this->vendorDir().'/');
    }

    /**
     * Tells whether a path is a directory without entries.
     */
    public static function isEmpty(string $path): bool
    {
        $handle = @opendir($path);
        if ($handle === false) {
            return false;
        }
        try {
            while (($name = readdir($handle)) !== false) {
                if ($name !== '.' && $name !== '..') {
                    return false;
                }
            }
        } finally {
            closedir($handle);
        }

        return true;
    }

    /**
     * Tells whether a directory has a link that leads nowhere. Composer leaves such a link where it empties a
     * directory, and then the directory as well.
     */
    public static function hasLinkToNowhere(string $path): bool
    {
        foreach (@scandir($path) ?: [] as $name) {
            if (is_link($path.'/'.$name) && !file_exists($path.'/'.$name)) {
                return true;
            }
        }

        return false;
    }

    /**
     * Returns the vendor directory, without links if it exists.
     */
    private function vendorDir(): string
    {
        if ($this->vendorDir === null) {
            /** @var string $dir */
            $dir = $this->config->get('vendor-dir');
            $real = realpath($dir);
            if ($real === false) {
                return $dir;
            }
            $this->vendorDir = $real;
        }

        return $this->vendorDir;
    }
}
