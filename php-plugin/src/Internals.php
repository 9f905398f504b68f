<?php

declare(strict_types=1);

namespace Allegro\Plugin;

use Composer\Autoload\AutoloadGenerator;
use Composer\ClassMapGenerator\ClassMapGenerator;
use Composer\Composer;
use Composer\DependencyResolver\DefaultPolicy;
use Composer\DependencyResolver\PoolBuilder;
use Composer\DependencyResolver\PoolOptimizer;
use Composer\Downloader\ArchiveDownloader;
use Composer\Downloader\FileDownloader;
use Composer\Downloader\ZipDownloader;
use Composer\EventDispatcher\EventDispatcher;
use Composer\Filter\PlatformRequirementFilter\IgnoreListPlatformRequirementFilter;
use Composer\Installer;
use Composer\Package\Locker;
use Composer\Repository\ArrayRepository;
use Composer\Repository\ComposerRepository;
use Composer\Repository\FilesystemRepository;
use Composer\Repository\FilterRepository;
use Composer\Repository\RepositoryManager;
use Composer\Util\Http\ProxyManager;
use Composer\Util\Http\RequestProxy;
use Composer\Util\HttpDownloader;
use Composer\Util\ProcessExecutor;

/**
 * Reads and writes members that Composer keeps private or calls internal, and to which it offers no
 * other way.
 *
 * Composer's version decides which of these members exist. {@see NEEDED} lists the members that a
 * part of Allegro can't do without. If one of them is missing, Allegro leaves that part to
 * Composer. `docs/internals.md` names the versions in which each member was read, and the members
 * that are used only where they exist. `InternalsTest` compares both with the code and with the
 * running Composer.
 */
final class Internals
{
    /**
     * Members by the part that can't do without them. `$` marks a property, and `()` marks a
     * method.
     */
    public const NEEDED = [
        'download' => [
            FileDownloader::class => [
                '$io', '$config', '$httpDownloader', '$eventDispatcher', '$cache', '$filesystem', '$downloadMetadata',
                'processUrl()', 'getFileName()', 'addCleanupPath()', 'removeCleanupPath()',
            ],
            ArchiveDownloader::class => ['getInstallOperationAppendix()'],
            ZipDownloader::class => ['$unzipCommands', 'extract()'],
            ProcessExecutor::class => ['countActiveJobs()', 'enableAsync()'],
            HttpDownloader::class => ['isCurlEnabled()'],
            ProxyManager::class => ['getInstance()', 'getProxyForRequest()'],
            RequestProxy::class => ['getContextOptions()'],
        ],
        'record' => [
            ArrayRepository::class => ['$packages', '$packageMap'],
            FilesystemRepository::class => ['$file', '$filesystem', '$dumpVersions'],
        ],
        'lock' => [
            Locker::class => ['$lockFile', '$loader'],
        ],
        'autoload' => [
            AutoloadGenerator::class => ['$io', '$eventDispatcher', '$devMode', '$runScripts', '$classMapAuthoritative', 'dump()', 'getPathCode()'],
            ClassMapGenerator::class => ['filterByNamespace()'],
        ],
        'resolve' => [
            PoolBuilder::class => [
                '$acceptableStabilities', '$stabilityFlags', '$rootAliases', '$poolOptimizer', '$skippedLoad', '$updateAllowWarned',
                'markPackageNameForLoading()', 'unlockPackage()',
            ],
            PoolOptimizer::class => ['$policy'],
            DefaultPolicy::class => ['$preferStable', '$preferLowest'],
            FilterRepository::class => ['$repo', '$only', '$exclude', '$canonical'],
            IgnoreListPlatformRequirementFilter::class => ['$ignoreRegex', '$ignoreUpperBoundRegex'],
            Installer::class => ['$package', '$platformRequirementFilter'],
            RepositoryManager::class => ['$repositories'],
            Locker::class => ['$lockFile'],
            EventDispatcher::class => ['$listeners'],
            ComposerRepository::class => [
                '$cache', '$options', '$lazyProvidersUrl', '$hasAvailablePackageList', '$availablePackages', '$availablePackagePatterns',
                'hasProviders()', 'hasPartialPackages()', 'createPackages()',
            ],
        ],
    ];

    /**
     * Results of {@see missing()}, by part.
     *
     * @var array<string, string|null>
     */
    private static array $missing = [];

    /**
     * Returns the first internal member that a part of Allegro needs and this Composer lacks. It
     * returns null if all members exist.
     *
     * @param key-of<self::NEEDED> $part
     */
    public static function missing(string $part): ?string
    {
        if (!array_key_exists($part, self::$missing)) {
            self::$missing[$part] = null;
            /** @var string $class */
            foreach (self::NEEDED[$part] as $class => $members) {
                foreach ($members as $member) {
                    if (self::$missing[$part] === null && !self::has($class, $member)) {
                        self::$missing[$part] = $class.'::'.$member;
                    }
                }
            }
        }

        return self::$missing[$part];
    }

    /**
     * Tells whether a class has a property or a method.
     *
     * @param string $member as in {@see NEEDED}
     */
    public static function has(string $class, string $member): bool
    {
        return $member[0] === '$' ? property_exists($class, substr($member, 1)) : method_exists($class, substr($member, 0, -2));
    }

    /**
     * Returns private properties of an object.
     *
     * @param class-string $class    whose private properties are wanted; also a parent of the
     *                               object's own
     * @param string       ...$names which of them; without names all
     *
     * @return array<string, mixed> values by name; a property without a value is left out
     */
    public static function of(object $object, string $class, string ...$names): array
    {
        /** @var array<string, mixed> $values */
        $values = \Closure::bind(static fn (): array => get_object_vars($object), null, $class)();

        return $names === [] ? $values : array_intersect_key($values, array_flip($names));
    }

    /**
     * Sets a private property of an object.
     *
     * @param class-string $class
     */
    public static function set(object $object, string $class, string $name, mixed $value): void
    {
        $set = static function () use ($object, $name, $value): void {
            // The property's name is an argument.
            // @mago-expect analysis:string-member-selector,ambiguous-object-property-access
            $object->$name = $value;
        };
        \Closure::bind($set, null, $class)();
    }

    /**
     * Returns the locker of a Composer instance, or null if it has none.
     *
     * In `create-project`, Composer 2.2 unpacks the project's own package with an instance that has
     * no locker. The getters of later versions promise a locker, and throw if none was set.
     */
    public static function locker(Composer $composer): ?Locker
    {
        try {
            return $composer->getLocker();
        // @mago-expect analysis:avoid-catching-error Composer's getter breaks its return type.
        } catch (\Error $e) {
            return null;
        }
    }

    /**
     * Gives an object of a subclass all properties of an object of Composer's own class.
     *
     * @template T of object
     *
     * @param T            $successor
     * @param class-string $class     the one that both have in common
     *
     * @return T
     */
    public static function inherit(object $successor, object $from, string $class): object
    {
        $copy = static function () use ($from, $successor): void {
            /**
             * @var string $name
             * @var mixed $value
             */
            foreach (get_object_vars($from) as $name => $value) {
                // Every property is copied.
                // @mago-expect analysis:string-member-selector,ambiguous-object-property-access
                $successor->$name = $value;
            }
        };
        \Closure::bind($copy, null, $class)();

        return $successor;
    }
}
