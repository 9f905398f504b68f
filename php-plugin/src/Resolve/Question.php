<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Install\DeclinedException;
use Allegro\Plugin\Internals;
use Allegro\Plugin\Native\Protocol;
use Allegro\Plugin\Network\Sources;
use Composer\Composer;
use Composer\DependencyResolver\DefaultPolicy;
use Composer\DependencyResolver\PolicyInterface;
use Composer\DependencyResolver\PoolBuilder;
use Composer\DependencyResolver\PoolOptimizer;
use Composer\DependencyResolver\Request;
use Composer\Filter\PlatformRequirementFilter\IgnoreAllPlatformRequirementFilter;
use Composer\Filter\PlatformRequirementFilter\IgnoreListPlatformRequirementFilter;
use Composer\Filter\PlatformRequirementFilter\IgnoreNothingPlatformRequirementFilter;
use Composer\Installer;
use Composer\Repository\ArrayRepository;
use Composer\Repository\ComposerRepository;
use Composer\Repository\FilterRepository;
use Composer\Repository\PlatformRepository;
use Composer\Repository\RepositoryInterface;
use Composer\Semver\Constraint\Constraint;
use Composer\Semver\Constraint\ConstraintInterface;
use Composer\Semver\Intervals;
use Composer\Semver\VersionParser;

/**
 * Everything that the result of an update depends on, in the form that the native part reads.
 *
 * @phpstan-import-type NamedConstraint from Protocol
 * @phpstan-import-type PlatformFilter from Protocol
 * @phpstan-import-type Repository from Protocol
 * @phpstan-import-type ResolveDialect from Protocol
 * @phpstan-import-type ResolveRequest from Protocol
 * @phpstan-import-type ResolveSource from Protocol
 *
 * @phpstan-type BuilderState array{
 *     acceptableStabilities: array<string, int>,
 *     stabilityFlags: array<string, int>,
 *     rootAliases: array<string, array<string, array{alias: string, alias_normalized: string}>>,
 *     ignoredTypes?: array<string>,
 *     allowedTypes?: list<string>|null,
 *     temporaryConstraints?: array<string, ConstraintInterface>,
 *     poolOptimizer?: PoolOptimizer|null,
 * }
 */
final class Question
{
    /**
     * The request to the native part.
     *
     * @var ResolveRequest
     */
    private array $asked;

    /**
     * The repositories that show the chosen versions, by their index.
     *
     * @var array<int, ResolvedRepository>
     */
    private array $places = [];

    private PolicyInterface $policy;

    /**
     * Collects the state of an update.
     *
     * @param RepositoryInterface[] $repositories repositories in Composer's order
     *
     * @throws DeclinedException if the native part can't mirror the update
     */
    public function __construct(
        private readonly Sources $sources,
        PoolBuilder $builder,
        array $repositories,
        Request $request,
        Installer $installer,
    ) {
        /** @var BuilderState $state */
        $state = Internals::of(
            $builder,
            PoolBuilder::class,
            'acceptableStabilities',
            'stabilityFlags',
            'rootAliases',
            'ignoredTypes',
            'allowedTypes',
            'temporaryConstraints',
            'poolOptimizer'
        );
        $ignoredTypes = array_values($state['ignoredTypes'] ?? []);
        $allowedTypes = $state['allowedTypes'] ?? null;
        if ($request->getUpdateAllowList() !== [] && $request->getLockedRepository() === null) {
            throw new DeclinedException('there is no lock to update a part of');
        }
        if (method_exists($request, 'getRestrictedPackages') && $request->getRestrictedPackages() !== null) {
            throw new DeclinedException('only some packages are looked for');
        }
        $version = Composer::getVersion();
        $isIfRequired = method_exists(PoolBuilder::class, 'markPackageNameForLoadingIfRequired');
        if ($isIfRequired && version_compare($version, '2.6.3', '<') && $request->getUpdateAllowList() !== []) {
            throw new DeclinedException('this Composer forgets packages in partial updates, which 2.6.3 has mended');
        }
        $list = $addresses = [];
        foreach (array_values($repositories) as $index => $repository) {
            [$list[], $addresses[], $metadata] = $this->repository($repository, $request, $ignoredTypes, $allowedTypes);
            if ($metadata !== null) {
                $this->places[$index] = $metadata;
            }
        }
        $objection = Policies::objection($builder, $repositories);
        if ($objection !== null) {
            throw new DeclinedException($objection);
        }
        $locked = $request->getLockedRepository();
        $aliases = [];
        foreach ($state['rootAliases'] as $name => $versions) {
            foreach ($versions as $aliased => $alias) {
                // @mago-expect analysis:redundant-cast(2) PHP makes numbers of numeric keys.
                $aliases[] = [(string) $name, (string) $aliased, $alias['alias_normalized']];
            }
        }
        /** @var mixed $batch */
        $batch = (new \ReflectionClass(PoolBuilder::class))->getConstant('LOAD_BATCH_SIZE');
        $problem = [
            'dialect' => self::dialect(),
            'requires' => self::constraints($request->getRequires()),
            'requires_without_dev' => self::withoutDev($installer, $request),
            'fixed' => Snapshot::packages($request->getFixedPackages()),
            'locked' => $locked === null ? [] : Snapshot::packages($locked->getPackages()),
            'allow' => self::patterns($request->getUpdateAllowList()),
            'reach' => $request->getUpdateAllowTransitiveRootDependencies()
                ? 'all_dependencies'
                : ($request->getUpdateAllowTransitiveDependencies() ? 'dependencies' : 'listed'),
            'repositories' => $list,
            'stabilities' => array_values($state['acceptableStabilities']),
            'stability_flags' => self::pairs($state['stabilityFlags']),
            'root_aliases' => $aliases,
            'temporary' => self::constraints($state['temporaryConstraints'] ?? []),
            'platform' => $this->platformFilter($installer),
            'ignored_types' => $ignoredTypes,
            'allowed_types' => $allowedTypes,
            'batch' => is_int($batch) ? $batch : null,
            'temporary_for_all_names' => is_int($batch),
            'replaced_if_required' => $isIfRequired,
            'aliases_of_unlocked_paths' => version_compare($version, '2.6.3', '>=')
                || version_compare($version, '2.2.22', '>=') && version_compare($version, '2.3', '<'),
        ] + $this->preferences($state['poolOptimizer'] ?? null);
        $this->asked = ['http' => $sources->httpOptions(), 'sources' => $addresses, 'problem' => $problem];
    }

    /**
     * Returns the request to the native part.
     *
     * @return ResolveRequest
     */
    public function asked(): array
    {
        return $this->asked;
    }

    /**
     * Returns the repositories that show the chosen versions, by their index.
     *
     * @return array<int, ResolvedRepository>
     */
    public function places(): array
    {
        return $this->places;
    }

    /**
     * Returns the policy of the update, which identifies it to {@see Resolution::under()}.
     */
    public function policy(): PolicyInterface
    {
        return $this->policy;
    }

    /**
     * Returns the rules for versions that differ between versions of composer/semver. They are
     * probed, because distributions combine versions of their own.
     *
     * @return ResolveDialect
     */
    private static function dialect(): array
    {
        $parser = new VersionParser();

        return [
            'long_dates' => self::accepts($parser, '20100102.5.3'),
            'rc_is_a_modifier' => (string) $parser->parseConstraints('<1.0-RC') === '< 1.0.0.0-RC',
            'points_need_branches' => (string) Intervals::compactConstraint($parser->parseConstraints('>=2 !=3 || <=2')) !== '!= 3.0.0.0',
            'zero_is_least' => Intervals::get(new Constraint('<', '0.0.0.0-dev'))['numeric'] === [],
        ];
    }

    /**
     * Returns the root requirements with which Composer finds out what only `require-dev` needs.
     * Returns null if there are no dev requirements, or if Composer does it in an unknown way.
     *
     * @return list<NamedConstraint>|null
     *
     * @throws DeclinedException
     */
    private static function withoutDev(Installer $installer, Request $request): ?array
    {
        if (!method_exists(Installer::class, 'requirePackagesForUpdate')) {
            return null;
        }
        $other = new Request($request->getLockedRepository());
        $require = function () use ($other, $request): bool {
            // `$this` is the installer.
            // @mago-expect analysis:non-existent-property,method-access-on-null
            if ($this->package->getDevRequires() === []) {
                return false;
            }
            // @mago-expect analysis:non-existent-method `$this` is the installer.
            $this->requirePackagesForUpdate($other, $request->getLockedRepository(), false);

            return true;
        };
        /** @var bool $isDifferent */
        $isDifferent = \Closure::bind($require, $installer, Installer::class)();

        return $isDifferent ? self::constraints($other->getRequires()) : null;
    }

    /**
     * @param array<ConstraintInterface> $constraints by name
     *
     * @return list<NamedConstraint>
     *
     * @throws DeclinedException
     */
    private static function constraints(array $constraints): array
    {
        $list = [];
        foreach ($constraints as $name => $constraint) {
            $list[] = [(string) $name, Snapshot::constraint($constraint)];
        }

        return $list;
    }

    /**
     * Returns the description of a repository, its network source, and the repository that shows
     * its chosen versions.
     *
     * @param RepositoryInterface $repository
     * @param list<string>        $ignoredTypes
     * @param list<string>|null   $allowedTypes
     *
     * @return array{Repository, ResolveSource|null, ResolvedRepository|null}
     *
     * @throws DeclinedException if the core can't mirror the repository
     */
    private function repository(object $repository, Request $request, array $ignoredTypes, ?array $allowedTypes): array
    {
        if ($repository instanceof PlatformRepository || $repository === $request->getLockedRepository()) {
            return [['kind' => 'fixed'], null, null];
        }
        if (get_class($repository) === FilterRepository::class) {
            /**
             * @var FilterRepository                                           $repository
             * @var array{only: string|null, exclude: string|null, canonical: bool} $values
             */
            $values = Internals::of($repository, FilterRepository::class, 'only', 'exclude', 'canonical');
            [$inner, $source, $metadata] = $this->repository($repository->getRepository(), $request, $ignoredTypes, $allowedTypes);
            $filters = ['canonical' => $values['canonical']];
            foreach (['only', 'exclude'] as $filter) {
                if ($values[$filter] !== null) {
                    $filters[$filter] = self::expression($values[$filter]);
                }
            }

            return [$filters + $inner, $source, $metadata];
        }
        if ($repository instanceof ResolvedRepository && ($place = $repository->place()) !== null) {
            if ($place['partial']) {
                throw new DeclinedException('a repository has packages in its packages.json beside its files');
            }
            $entry = ['kind' => 'metadata'];
            if ($place['available'] !== null || $place['patterns'] !== null) {
                $entry['available'] = array_map('strval', $place['available'] ?? []);
                $entry['available_patterns'] = array_map([self::class, 'expression'], $place['patterns'] ?? []);
            }
            $cache = $place['cache'];

            return [$entry, $this->sources->metadata($place['options'], $place['url']) + [
                'cache_dir' => $cache->isEnabled() ? rtrim($cache->getRoot(), '/') : null,
                'cache_writable' => !$cache->isReadOnly(),
            ], $repository];
        }
        $isList = $repository instanceof ResolvedRepository
            ? $repository->isInline()
            : $repository instanceof ArrayRepository && !$repository instanceof ComposerRepository;
        if (!$isList) {
            throw new DeclinedException('a repository is a '.get_class($repository));
        }

        return [['kind' => 'list', 'packages' => Snapshot::packages($repository->getPackages(), $ignoredTypes, $allowedTypes)], null, null];
    }

    /**
     * Returns the preferences of the policy, which must be Composer's own.
     *
     * @return array{
     *     prefer_stable: bool,
     *     prefer_lowest: bool,
     *     prefer_dev_over_prerelease: bool,
     *     preferred: list<array{string, string}>,
     * }
     *
     * @throws DeclinedException
     */
    private function preferences(?PoolOptimizer $optimizer): array
    {
        if ($optimizer === null) {
            throw new DeclinedException('the pool optimizer is off');
        }
        /** @var PolicyInterface $policy */
        $policy = Internals::of($optimizer, PoolOptimizer::class, 'policy')['policy'];
        if (get_class($policy) !== DefaultPolicy::class) {
            throw new DeclinedException('the policy is a '.get_class($policy));
        }
        $this->policy = $policy;
        /**
         * @var array{
         *     preferStable: scalar|null,
         *     preferLowest: scalar|null,
         *     preferDevOverPrerelease?: scalar|null,
         *     preferredVersions?: array<string>|null,
         * } $values
         */
        $values = Internals::of($policy, DefaultPolicy::class, 'preferStable', 'preferLowest', 'preferDevOverPrerelease', 'preferredVersions');

        return [
            'prefer_stable' => (bool) $values['preferStable'],
            'prefer_lowest' => (bool) $values['preferLowest'],
            'prefer_dev_over_prerelease' => (bool) ($values['preferDevOverPrerelease'] ?? false),
            'preferred' => self::pairs($values['preferredVersions'] ?? []),
        ];
    }

    /**
     * Returns the filter of platform requirements.
     *
     * @return PlatformFilter
     *
     * @throws DeclinedException
     */
    private function platformFilter(Installer $installer): array
    {
        /** @var object|null $filter */
        $filter = Internals::of($installer, Installer::class, 'platformRequirementFilter')['platformRequirementFilter'] ?? null;
        switch ($filter === null ? '' : get_class($filter)) {
            case IgnoreNothingPlatformRequirementFilter::class:
                return ['all' => false];
            case IgnoreAllPlatformRequirementFilter::class:
                return ['all' => true];
            case IgnoreListPlatformRequirementFilter::class:
                /**
                 * @var object                                                     $filter
                 * @var array{ignoreRegex: string, ignoreUpperBoundRegex: string} $values
                 */
                $values = Internals::of($filter, IgnoreListPlatformRequirementFilter::class, 'ignoreRegex', 'ignoreUpperBoundRegex');

                return [
                    'names' => self::expression($values['ignoreRegex']),
                    'upper_bounds' => self::expression($values['ignoreUpperBoundRegex']),
                ];
        }

        throw new DeclinedException('the platform filter is not known');
    }

    private static function accepts(VersionParser $parser, string $version): bool
    {
        try {
            $parser->normalize($version);

            return true;
        } catch (\UnexpectedValueException $e) {
            return false;
        }
    }

    /**
     * Returns a case-insensitive regular expression of Composer's without its delimiters.
     *
     * @throws DeclinedException
     */
    private static function expression(string $pattern): string
    {
        $match = [];
        if (preg_match('/^\{(.*)\}iD?$/s', $pattern, $match) !== 1) {
            throw new DeclinedException('a pattern is not understood: '.$pattern);
        }

        return '(?i)'.$match[1];
    }

    /**
     * Returns an array with names as keys as a list of pairs, because an empty array would have no
     * keys in JSON.
     *
     * @template T
     *
     * @param array<T> $values
     *
     * @return list<array{string, T}>
     */
    private static function pairs(array $values): array
    {
        $pairs = [];
        foreach ($values as $name => $value) {
            $pairs[] = [(string) $name, $value];
        }

        return $pairs;
    }

    /**
     * Returns the patterns of an allow list.
     *
     * @param array<mixed> $list patterns, as values or (before 2.8) as keys
     *
     * @return list<string>
     */
    private static function patterns(array $list): array
    {
        $patterns = [];
        /** @var mixed $value */
        foreach ($list as $key => $value) {
            $patterns[] = is_string($value) ? $value : (string) $key;
        }

        return $patterns;
    }
}
