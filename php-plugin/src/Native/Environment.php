<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

/**
 * The settings of this process that the core must know and that a running helper can't see.
 */
final class Environment
{
    /**
     * Returns the time zone in which archivers read the local times of zip entries; null for the system's.
     */
    public static function timezone(): ?string
    {
        $zone = getenv('TZ');

        return $zone === false ? null : $zone;
    }
}
