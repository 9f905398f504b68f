<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Io\Report;
use Composer\Composer;
use Composer\Installer\ProjectInstaller;
use Composer\Package\PackageInterface;
use Composer\Package\RootPackageInterface;

/**
 * Decides which packages may share the inodes of their files with the store, and through it with
 * other projects.
 *
 * Only files below vendor-dir may be shared, because everything else is the user's own. Of those,
 * {@see Privacy} leaves out packages into which other code is expected to write.
 */
final class Sharing
{
    /** The packages that `extra.allegro.link` names, once they are needed. */
    private ?NamePatterns $linked = null;

    /** The vendor directory without links, once it exists. */
    private ?string $vendorDir = null;

    /** Whether the project is in the vendor directory. */
    private bool $holdsProject = false;

    public function __construct(private readonly Composer $composer, private readonly Privacy $privacy)
    {
    }

    /**
     * Decides whether the files of a package may be shared at a path, and reports why not.
     */
    public function mayShare(PackageInterface $package, string $path, Report $report): bool
    {
        $objection = $this->objection($package, $path);
        if ($objection !== null) {
            $report->veryVerbose('  - Allegro: '.$package->getName().' gets files of its own: it is '.$objection);
        }

        return $objection === null;
    }

    /**
     * Returns the reason for which a package at a path must get files of its own. It returns null
     * if its files may be shared.
     *
     * @return string|null what the package is, to be read after "it is"
     */
    public function objection(PackageInterface $package, string $path): ?string
    {
        if ($this->isRoot($package)) {
            return 'the project itself';
        }
        $vendorDir = $this->vendorDir();
        if ($this->holdsProject) {
            return 'in a vendor-dir that contains the project';
        }
        $reason = $this->privacy->reason($package);
        if ($reason !== null) {
            return $reason;
        }
        if (Paths::isBelow(self::placeOf($path), $vendorDir) || $this->isLinked($package)) {
            return null;
        }

        return 'installed outside of vendor-dir';
    }

    /**
     * Returns the vendor directory without links, and finds out whether the project lies in it.
     * Both results are kept once the directory exists.
     */
    private function vendorDir(): string
    {
        if ($this->vendorDir !== null) {
            return $this->vendorDir;
        }
        $configured = (string) $this->composer->getConfig()->get('vendor-dir');
        $vendorDir = Paths::resolve($configured);
        $project = Paths::resolve('.');
        $this->holdsProject = $project === $vendorDir || Paths::isBelow($project, $vendorDir);
        if (is_dir($configured)) {
            $this->vendorDir = $vendorDir;
        }

        return $vendorDir;
    }

    /**
     * Tells whether a package becomes the project itself, as with `create-project`.
     */
    private function isRoot(PackageInterface $package): bool
    {
        if ($package instanceof RootPackageInterface) {
            return true;
        }
        try {
            $installer = $this->composer->getInstallationManager()->getInstaller($package->getType());
        } catch (\InvalidArgumentException $e) {
            // Nobody installs packages of this type any more.
            return false;
        }

        return $installer instanceof ProjectInstaller;
    }

    /**
     * Returns the place of a package's directory. A link at the path itself is not followed,
     * because Composer removes that link.
     */
    private static function placeOf(string $path): string
    {
        $path = Paths::absolute($path);
        $name = basename($path);

        return in_array($name, ['', '.', '..'], true) ? Paths::resolve($path) : Paths::resolve(dirname($path)).'/'.$name;
    }

    /**
     * Tells whether `extra.allegro.link` names a package.
     */
    private function isLinked(PackageInterface $package): bool
    {
        $this->linked ??= new NamePatterns($this->composer->getPackage()->getExtra()['allegro']['link'] ?? []);

        return $this->linked->match($package->getName());
    }
}
