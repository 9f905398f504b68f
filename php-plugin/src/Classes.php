<?php

declare(strict_types=1);

namespace Allegro\Plugin;

use Composer\ClassMapGenerator\ClassMap;

/**
 * Loads the plugin's classes before a package changes, so that an update of the plugin mixes no
 * versions.
 *
 * The list of classes is read from the directory that this class came from. That is done once in a
 * process, because the directory may hold another version of the plugin afterwards.
 */
final class Classes
{
    /**
     * Directories of classes that are needed while packages change. Commands load by themselves
     * what they need then, and a resolution is over by then.
     */
    private const DIRECTORIES = ['', 'Autoload/', 'Install/', 'Io/', 'Native/'];

    private static bool $isLoaded = false;

    /**
     * Loads all classes that are needed late in a run, unless that was done before.
     */
    public static function loadAll(): void
    {
        if (self::$isLoaded) {
            return;
        }
        self::$isLoaded = true;
        // A class can't be loaded without its parent, and Composer before 2.4 has no class maps of
        // this kind.
        $without = class_exists(ClassMap::class) ? [] : [Autoload\RememberedClassMap::class];
        foreach (self::DIRECTORIES as $directory) {
            foreach (@scandir(__DIR__.'/'.$directory) ?: [] as $file) {
                $class = __NAMESPACE__.'\\'.str_replace('/', '\\', $directory.basename($file, '.php'));
                if (str_ends_with($file, '.php') && !in_array($class, $without, true)) {
                    // An interface, a trait or an enum is loaded by this as well.
                    class_exists($class);
                }
            }
        }
    }
}
