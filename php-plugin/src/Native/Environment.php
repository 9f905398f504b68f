<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

use Composer\Util\Platform;

/**
 * The settings of this process that the core must know and that a running helper can't see.
 */
final class Environment
{
    /** Variables that a helper inherits. */
    private const NAMES = [
        'HOME',
        'PATH',
        'LANG',
        'LANGUAGE',
        'TZ',
        'TZDIR',
        'TMPDIR',
        // How the C library looks up host names.
        'HOSTALIASES',
        'LOCALDOMAIN',
        'RES_OPTIONS',
        // What a fakeroot needs beside the library that it preloads.
        'FAKEROOTKEY',
        'FAKED_MODE',
        // Where an instrumented build writes its coverage.
        'LLVM_PROFILE_FILE',
    ];

    /** Beginnings of the names of others: ours, those of directories, of the locale, and of the dynamic linker. */
    private const PREFIXES = ['ALLEGRO_', 'XDG_', 'LC_', 'LD_'];

    /** Variables of ours that hold a path. */
    private const PATHS = ['ALLEGRO_STORE'];

    /**
     * Returns the time zone in which archivers read the local times of zip entries; null for the system's.
     */
    public static function timezone(): ?string
    {
        $zone = getenv('TZ');

        return $zone === false ? null : $zone;
    }

    /**
     * Returns the environment of a helper: only what it has a use for, because credentials such as those in
     * COMPOSER_AUTH could be read in a process that needs none of them.
     *
     * A path may begin with the name of any variable, so it is expanded here.
     *
     * @return array<string, string>
     */
    public static function ofHelper(): array
    {
        $inherited = [];
        foreach (getenv() as $name => $value) {
            $name = (string) $name;
            if (in_array($name, self::NAMES, true) || self::hasPrefix($name)) {
                $inherited[$name] = in_array($name, self::PATHS, true) ? Platform::expandPath($value) : $value;
            }
        }

        return $inherited;
    }

    private static function hasPrefix(string $name): bool
    {
        foreach (self::PREFIXES as $prefix) {
            if (str_starts_with($name, $prefix)) {
                return true;
            }
        }

        return false;
    }
}
