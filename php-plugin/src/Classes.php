<?php

declare(strict_types=1);

namespace Allegro\Plugin;

use Composer\ClassMapGenerator\ClassMap;

/**
 * Loads the plugin's classes before a package changes, so that an update of the plugin mixes no
 * versions.
 *
 * The list of classes comes from the directory of this class. {@see loadAll()} reads it once in a
 * process, because the directory may hold another version of the plugin afterwards.
 */
final class Classes
{
    /**
     * Directories of the classes that a run needs while packages change. Commands load their own
     * classes by themselves, and a resolution is over by then.
     */
    private const DIRECTORIES = ['', 'Autoload/', 'Install/', 'Io/', 'Native/', 'Network/', 'Takeover/'];

    private static bool $isLoaded = false;

    /**
     * Loads all classes that are needed late in a run, unless an earlier call has loaded them.
     */
    public static function loadAll(): void
    {
        if (self::$isLoaded) {
            return;
        }
        self::$isLoaded = true;
        // PHP can't load a class without its parent, and Composer before 2.4 lacks the parent of
        // RememberedClassMap.
        $without = class_exists(ClassMap::class) ? [] : [Autoload\RememberedClassMap::class];
        foreach (self::DIRECTORIES as $directory) {
            foreach (@scandir(__DIR__.'/'.$directory) ?: [] as $file) {
                $class = __NAMESPACE__.'\\'.str_replace('/', '\\', $directory.basename($file, '.php'));
                if (str_ends_with($file, '.php') && !in_array($class, $without, true)) {
                    // class_exists() loads an interface, a trait or an enum as well.
                    // @mago-expect analysis:unused-statement Loading is the effect.
                    class_exists($class);
                }
            }
        }
    }
}
