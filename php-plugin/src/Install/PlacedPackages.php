<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Native\Protocol;

/**
 * Lists the packages of this run whose directories came from the staging directory.
 *
 * @phpstan-import-type PlacedPackage from Protocol
 */
final class PlacedPackages
{
    /** @var list<PlacedPackage> */
    private array $packages = [];

    /**
     * Adds a package that was placed, if the time of its files is known.
     */
    public function add(Ticket $ticket): void
    {
        $staged = $ticket->staged();
        $path = $ticket->path();
        if ($staged->made !== null && $path !== null) {
            $this->packages[] = [
                'path' => $path,
                'dist' => $staged->dist,
                'plain_modes' => $ticket->hasPlainModes(),
                'made' => $staged->made,
            ];
        }
    }

    /**
     * Forgets a package that Composer is going to install after all.
     */
    public function remove(Ticket $ticket): void
    {
        $this->packages = array_values(array_filter($this->packages, static fn (array $package): bool => $package['path'] !== $ticket->path()));
    }

    /**
     * Returns all packages.
     *
     * @return list<PlacedPackage>
     */
    public function all(): array
    {
        return $this->packages;
    }

    /**
     * Tells whether a package was placed at a path, or below it.
     */
    public function isTaken(string $path): bool
    {
        foreach ($this->packages as $package) {
            if (str_starts_with($package['path'].'/', rtrim($path, '/').'/')) {
                return true;
            }
        }

        return false;
    }
}
