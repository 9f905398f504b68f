<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

use Composer\Util\Platform;

/**
 * Reads the settings of this process that the native part must know and that a running helper can't
 * see.
 */
final class Environment
{
    /** Names of the variables that a helper inherits. */
    private const NAMES = [
        'HOME',
        'PATH',
        'LANG',
        'LANGUAGE',
        'TZ',
        'TZDIR',
        'TMPDIR',
        // The C library reads these to look up host names.
        'HOSTALIASES',
        'LOCALDOMAIN',
        'RES_OPTIONS',
        // A fakeroot needs these beside the library that it preloads.
        'FAKEROOTKEY',
        'FAKED_MODE',
        // An instrumented build writes its coverage to the path in this variable.
        'LLVM_PROFILE_FILE',
    ];

    /**
     * Beginnings of the names of other inherited variables: those of Allegro, of directories, of
     * the locale, and of the dynamic linker.
     */
    private const PREFIXES = ['ALLEGRO_', 'XDG_', 'LC_', 'LD_'];

    /** Variables of Allegro that hold a path. */
    private const PATHS = ['ALLEGRO_STORE'];

    /**
     * Returns the time zone in which archivers read the local times of zip entries. It returns null
     * for the system's time zone.
     */
    public static function timezone(): ?string
    {
        $zone = getenv('TZ');

        return $zone === false ? null : $zone;
    }

    /**
     * Returns the environment of a helper.
     *
     * The environment holds only variables that the helper has a use for. Otherwise credentials,
     * such as those in COMPOSER_AUTH, could be read in a process that needs none of them.
     *
     * This method expands paths, because a path may begin with the name of any variable.
     *
     * @return array<string, string>
     */
    public static function ofHelper(): array
    {
        $inherited = [];
        foreach (getenv() as $name => $value) {
            // @mago-expect analysis:redundant-cast PHP makes numbers of numeric keys.
            $name = (string) $name;
            if (in_array($name, self::NAMES, true) || self::hasPrefix($name)) {
                $inherited[$name] = in_array($name, self::PATHS, true) ? Platform::expandPath($value) : $value;
            }
        }

        return $inherited;
    }

    /**
     * Tells whether a name begins with one of the prefixes.
     */
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
