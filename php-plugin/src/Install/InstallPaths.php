<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Composer\Config;

/**
 * Tells what stands at the install path of a package, and whether it may be replaced.
 */
final class InstallPaths
{
    /** The vendor directory without links, once it is there. */
    private ?string $vendorDir = null;

    public function __construct(private readonly Config $config)
    {
    }

    /**
     * Tells whether what is at a path may go: not the current directory, nor one that vendor is in.
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
     * Tells whether a path is a directory with nothing in it.
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

    private function vendorDir(): string
    {
        if ($this->vendorDir === null) {
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
