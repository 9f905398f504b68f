<?php

declare(strict_types=1);

namespace Allegro\Plugin\Command;

use Allegro\Plugin\Install\Privacy;
use Allegro\Plugin\Install\Sharing;
use Allegro\Plugin\Io\ShortList;
use Composer\Composer;
use Composer\Package\PackageInterface;

/**
 * Finds the installed packages whose files are not shared with the store, by the reason for it.
 */
final class OwnFiles
{
    /**
     * Returns these packages in groups, one for each reason.
     *
     * @return list<array{reason: string, packages: list<string>}> the reason says what the packages
     *                                                             are
     */
    public static function of(Composer $composer): array
    {
        $sharing = new Sharing($composer, new Privacy($composer));
        $names = [];
        foreach ($composer->getRepositoryManager()->getLocalRepository()->getCanonicalPackages() as $package) {
            $path = self::pathOf($package, $composer);
            $reason = $path === null ? null : $sharing->objection($package, $path);
            if ($reason !== null) {
                $names[$reason][] = $package->getName();
            }
        }
        ksort($names);
        $groups = [];
        foreach ($names as $reason => $packages) {
            sort($packages);
            $groups[] = ['reason' => $reason, 'packages' => $packages];
        }

        return $groups;
    }

    /**
     * Returns a line for each group, for people.
     *
     * @param list<array{reason: string, packages: list<string>}> $groups
     *
     * @return list<string>
     */
    public static function lines(array $groups): array
    {
        return array_map(static fn (array $group): string => ShortList::names($group['packages']).': '.$group['reason'], $groups);
    }

    /**
     * Returns the install path of a package that may have come through the store, or null for other
     * packages.
     */
    private static function pathOf(PackageInterface $package, Composer $composer): ?string
    {
        if ($package->getInstallationSource() !== 'dist' || !in_array($package->getDistType(), ['zip', 'tar'], true)) {
            return null;
        }
        try {
            return $composer->getInstallationManager()->getInstallPath($package) ?: null;
        } catch (\Exception $e) {
            // The installer of the package is gone, or has no path for it.
            return null;
        }
    }
}
