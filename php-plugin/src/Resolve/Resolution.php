<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Install\DeclinedException;
use Allegro\Plugin\Install\IndexedLocker;
use Allegro\Plugin\Install\Sources;
use Allegro\Plugin\Internals;
use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\InterruptedException;
use Composer\Composer;
use Composer\DependencyResolver\DefaultPolicy;
use Composer\DependencyResolver\PoolBuilder;
use Composer\DependencyResolver\PoolOptimizer;
use Composer\DependencyResolver\Request;
use Composer\EventDispatcher\Event;
use Composer\Filter\PlatformRequirementFilter\IgnoreAllPlatformRequirementFilter;
use Composer\Filter\PlatformRequirementFilter\IgnoreListPlatformRequirementFilter;
use Composer\Filter\PlatformRequirementFilter\IgnoreNothingPlatformRequirementFilter;
use Composer\Installer;
use Composer\IO\IOInterface;
use Composer\Package\PackageInterface;
use Composer\Plugin\PluginEvents;
use Composer\Repository\ArrayRepository;
use Composer\Repository\ComposerRepository;
use Composer\Repository\FilterRepository;
use Composer\Repository\PlatformRepository;
use Composer\Repository\RepositoryManager;
use Composer\Semver\Constraint\Constraint;
use Composer\Semver\Constraint\MatchAllConstraint;
use Composer\Semver\Intervals;
use Composer\Semver\VersionParser;

/**
 * One update whose versions the native part chooses.
 *
 * Composer's update runs as it is. When it asks its first repository for packages, everything is known that the result
 * depends on; the native part is given all of it and chooses. From then on repositories show the chosen versions only,
 * and Composer's own solver, with almost nothing left to decide, comes to the same result, says what it always says and
 * writes its lock. Before the lock is written it is compared with the choice.
 */
final class Resolution
{
    /** @var array<int, array{found: array<string, true>, versions: array<string, array<string, mixed>>}>|null by repository */
    private ?array $choices = null;

    /** @var array<string, string>|null version by name */
    private ?array $expected = null;

    private ?PoolBuilder $builder = null;

    private ?string $reason = null;

    public function __construct(
        private readonly Composer $composer,
        private readonly IOInterface $io,
        private readonly Engine $engine,
        private readonly Sources $sources,
    ) {
    }

    /**
     * @param callable(): int $update Composer's update, to be called again if the choice turns out not to be Composer's
     *
     * @return int its exit code
     */
    public function run(callable $update): int
    {
        $this->takeOver();
        try {
            $exit = $update();
            if ($exit !== Installer::ERROR_DEPENDENCY_RESOLUTION_FAILED || $this->choices === null) {
                return $exit;
            }
            $reason = 'with the chosen versions there is no solution';
        } catch (DifferentChoice $e) {
            $reason = $e->getMessage();
        }
        $this->retire($reason);

        return $update();
    }

    /**
     * Puts our repositories where Composer's own are.
     */
    private function takeOver(): void
    {
        $locker = $this->composer->getLocker();
        if (!$locker instanceof IndexedLocker) {
            $this->decline('the lock is kept by '.get_class($locker));

            return;
        }
        $locker->beforeWrite(function (array $packages): void {
            $this->check($packages);
        });
        $manager = $this->composer->getRepositoryManager();
        Internals::set($manager, RepositoryManager::class, 'repositories', array_map(fn (object $repository): object => $this->inPlaceOf($repository), $manager->getRepositories()));
    }

    private function inPlaceOf(object $repository): object
    {
        if (get_class($repository) === ComposerRepository::class || $repository instanceof ResolvedRepository) {
            return ResolvedRepository::inPlaceOf($repository, $this);
        }
        if (get_class($repository) === FilterRepository::class) {
            $inner = $this->inPlaceOf($repository->getRepository());
            $repository = clone $repository;
            Internals::set($repository, FilterRepository::class, 'repo', $inner);
        }

        return $repository;
    }

    /**
     * Composer does the rest of the run alone.
     */
    private function retire(string $reason): void
    {
        $this->decline($reason);
        $this->choices = null;
        $this->expected = null;
    }

    /**
     * What a repository has to show; null: everything, as always.
     *
     * @return array{found: array<string, true>, versions: array<string, array<string, mixed>>}|null
     */
    public function choiceFor(ResolvedRepository $repository): ?array
    {
        if ($this->reason !== null) {
            return null;
        }
        [$builder, $repositories, $request, $installer] = $this->caller();
        if ($builder === null) {
            return null;
        }
        if ($this->builder === null) {
            $this->builder = $builder;
            try {
                $this->choose($builder, $repositories, $request, $installer);
            } catch (DeclinedException | EngineException $e) {
                $this->decline($e->getMessage());
            }
        }

        return $builder === $this->builder ? $this->choices[spl_object_id($repository)] ?? null : null;
    }

    /**
     * Who asks: the pool of an update, or somebody else.
     *
     * @return array{PoolBuilder|null, array<object>, Request|null, Installer|null}
     */
    private function caller(): array
    {
        $builder = $request = $installer = null;
        $repositories = [];
        foreach (debug_backtrace(DEBUG_BACKTRACE_PROVIDE_OBJECT, 14) as $frame) {
            $object = $frame['object'] ?? null;
            if ($object instanceof PoolBuilder && $frame['function'] === 'buildPool') {
                $builder = $object;
                [$repositories, $request] = $frame['args'];
            } elseif ($object instanceof Installer && $frame['function'] === 'doUpdate') {
                $installer = $object;
            }
        }

        return $installer === null || $builder === null ? [null, [], null, null] : [$builder, $repositories, $request, $installer];
    }

    /**
     * @param array<object> $repositories
     *
     * @throws DeclinedException|EngineException
     */
    private function choose(PoolBuilder $builder, array $repositories, Request $request, Installer $installer): void
    {
        $dispatcher = $this->composer->getEventDispatcher();
        foreach ([PluginEvents::PRE_POOL_CREATE, PluginEvents::PRE_FILE_DOWNLOAD, PluginEvents::POST_FILE_DOWNLOAD] as $event) {
            if ($dispatcher->hasEventListeners(new Event($event))) {
                throw new DeclinedException('somebody listens to '.$event);
            }
        }
        $state = Internals::of($builder, PoolBuilder::class);
        $ignoredTypes = array_values($state['ignoredTypes'] ?? []);
        $allowedTypes = $state['allowedTypes'] ?? null;
        if ($request->getUpdateAllowList() !== [] && $request->getLockedRepository() === null) {
            throw new DeclinedException('there is no lock to update a part of');
        }
        if (method_exists($request, 'getRestrictedPackages') && $request->getRestrictedPackages() !== null) {
            throw new DeclinedException('only some packages are looked for');
        }
        $list = $sources = $places = [];
        foreach (array_values($repositories) as $index => $repository) {
            [$list[], $sources[], $metadata] = $this->repository($repository, $request, $ignoredTypes, $allowedTypes);
            if ($metadata !== null) {
                $places[$index] = $metadata;
            }
        }
        $locked = $request->getLockedRepository();
        $requires = [];
        foreach ($request->getRequires() as $name => $constraint) {
            $requires[] = [(string) $name, Snapshot::constraint($constraint)];
        }
        $temporary = [];
        foreach ($state['temporaryConstraints'] ?? [] as $name => $constraint) {
            $temporary[] = [(string) $name, Snapshot::constraint($constraint)];
        }
        $aliases = [];
        foreach ($state['rootAliases'] as $name => $versions) {
            foreach ($versions as $version => $alias) {
                $aliases[] = [(string) $name, (string) $version, $alias['alias_normalized']];
            }
        }
        $batch = (new \ReflectionClass(PoolBuilder::class))->getConstant('LOAD_BATCH_SIZE');
        $parser = new VersionParser();
        $problem = [
            'dialect' => [
                'long_dates' => self::accepts($parser, '20100102.5.3'),
                'rc_is_a_modifier' => (string) $parser->parseConstraints('<1.0-RC') === '< 1.0.0.0-RC',
                'points_need_branches' => (string) Intervals::compactConstraint($parser->parseConstraints('>=2 !=3 || <=2')) !== '!= 3.0.0.0',
                'zero_is_least' => Intervals::get(new Constraint('<', '0.0.0.0-dev'))['numeric'] === [],
            ],
            'requires' => $requires,
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
            'temporary' => $temporary,
            'platform' => $this->platformFilter($installer),
            'ignored_types' => $ignoredTypes,
            'allowed_types' => $allowedTypes,
            'batch' => is_int($batch) ? $batch : null,
            'temporary_for_all_names' => is_int($batch),
            'replaced_if_required' => method_exists(PoolBuilder::class, 'markPackageNameForLoadingIfRequired'),
        ] + $this->policy($state['poolOptimizer'] ?? null);
        $question = ['http' => $this->sources->httpOptions(), 'sources' => $sources, 'problem' => $problem];
        $answer = InterruptedException::outlive(fn (): array => $this->engine->resolve($question));
        $this->accept($answer, $places);
        $this->warn($builder, $answer['kept']);
        $this->unlock($builder, $repositories, $request, $answer['unlocked']);
        // It has done its work: of the chosen versions it would take away those that only others asked for by name.
        Internals::set($builder, PoolBuilder::class, 'poolOptimizer', null);
    }

    /**
     * @param array<string, mixed>            $answer
     * @param array<int, ResolvedRepository> $places
     *
     * @throws DeclinedException
     */
    private function accept(array $answer, array $places): void
    {
        if ($answer['outcome'] === 'unsolvable') {
            throw new DeclinedException('the requirements can not be met');
        }
        if ($answer['outcome'] !== 'solved') {
            throw new DeclinedException((string) $answer['reason']);
        }
        $choices = [];
        foreach ($places as $index => $repository) {
            $choices[$index] = ['found' => array_fill_keys($answer['found'][$index], true), 'versions' => []];
        }
        $expected = [];
        foreach ($answer['packages'] as $package) {
            $expected[$package['name']] = $package['version'];
            if ($package['repository'] !== null) {
                $data = json_decode($package['metadata'], true, 512, JSON_THROW_ON_ERROR);
                $data['version_normalized'] = $package['version'];
                $choices[$package['repository']]['versions'][$package['name']] = $data;
            }
        }
        $this->choices = [];
        foreach ($places as $index => $repository) {
            $this->choices[spl_object_id($repository)] = $choices[$index];
        }
        $this->expected = $expected;
        $this->io->writeError(sprintf(
            'Allegro: %s versions, %s of them considered, %s rules',
            number_format($answer['versions']),
            number_format($answer['considered']),
            number_format($answer['rules'])
        ), true, IOInterface::VERBOSE);
    }

    /**
     * What Composer says while it looks at versions that it isn't shown now.
     *
     * @param list<string> $kept
     */
    private function warn(PoolBuilder $builder, array $kept): void
    {
        foreach ($kept as $name) {
            $this->io->writeError('<warning>Dependency '.$name.' is also a root requirement. Package has not been listed as an update argument, so keeping locked at old version. Use --with-all-dependencies (-W) to include root dependencies.</warning>');
        }
        $warned = Internals::of($builder, PoolBuilder::class)['updateAllowWarned'];
        Internals::set($builder, PoolBuilder::class, 'updateAllowWarned', $warned + array_fill_keys($kept, true));
    }

    /**
     * Packages of the lock that an update with dependencies reaches, be it by way of versions that Composer isn't shown.
     *
     * @param array<object> $repositories
     * @param list<string>  $names
     */
    private function unlock(PoolBuilder $builder, array $repositories, Request $request, array $names): void
    {
        \Closure::bind(function () use ($names, $repositories, $request): void {
            foreach ($names as $name) {
                if (isset($this->skippedLoad[$name])) {
                    $this->unlockPackage($request, $repositories, $name);
                    // Another repository than the one that is asked now may have it.
                    $this->markPackageNameForLoading($request, $name, new MatchAllConstraint());
                }
            }
        }, $builder, PoolBuilder::class)();
    }

    /**
     * @param list<string>      $ignoredTypes
     * @param list<string>|null $allowedTypes
     *
     * @return array{array<string, mixed>, array<string, mixed>|null, ResolvedRepository|null}
     *
     * @throws DeclinedException
     */
    private function repository(object $repository, Request $request, array $ignoredTypes, ?array $allowedTypes): array
    {
        if ($repository instanceof PlatformRepository || $repository === $request->getLockedRepository()) {
            return [['kind' => 'fixed'], null, null];
        }
        if (get_class($repository) === FilterRepository::class) {
            $values = Internals::of($repository, FilterRepository::class);
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
     * @return array<string, mixed>
     *
     * @throws DeclinedException
     */
    private function policy(?PoolOptimizer $optimizer): array
    {
        if ($optimizer === null) {
            throw new DeclinedException('the pool optimizer is off');
        }
        $policy = Internals::of($optimizer, PoolOptimizer::class)['policy'];
        if (get_class($policy) !== DefaultPolicy::class) {
            throw new DeclinedException('the policy is a '.get_class($policy));
        }
        $values = Internals::of($policy, DefaultPolicy::class);

        return [
            'prefer_stable' => (bool) $values['preferStable'],
            'prefer_lowest' => (bool) $values['preferLowest'],
            'prefer_dev_over_prerelease' => (bool) ($values['preferDevOverPrerelease'] ?? false),
            'preferred' => self::pairs($values['preferredVersions'] ?? []),
        ];
    }

    /**
     * @return array<string, mixed>
     *
     * @throws DeclinedException
     */
    private function platformFilter(Installer $installer): array
    {
        $filter = Internals::of($installer, Installer::class)['platformRequirementFilter'] ?? null;
        switch ($filter === null ? '' : get_class($filter)) {
            case IgnoreNothingPlatformRequirementFilter::class:
                return ['all' => false];
            case IgnoreAllPlatformRequirementFilter::class:
                return ['all' => true];
            case IgnoreListPlatformRequirementFilter::class:
                $values = Internals::of($filter, IgnoreListPlatformRequirementFilter::class);

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
     * A regular expression of Composer's without its delimiters; these know no case.
     *
     * @throws DeclinedException
     */
    private static function expression(string $pattern): string
    {
        if (preg_match('/^\{(.*)\}iD?$/s', $pattern, $match) !== 1) {
            throw new DeclinedException('a pattern is not understood: '.$pattern);
        }

        return '(?i)'.$match[1];
    }

    /**
     * An array whose keys are names: as pairs, because an empty one has no keys to tell.
     *
     * @param array<mixed> $values
     *
     * @return list<array{string, mixed}>
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
     * @param array<mixed> $list patterns, as values or (before 2.8) as keys
     *
     * @return list<string>
     */
    private static function patterns(array $list): array
    {
        $patterns = [];
        foreach ($list as $key => $value) {
            $patterns[] = is_string($value) ? $value : (string) $key;
        }

        return $patterns;
    }

    /**
     * @param PackageInterface[] $packages what is about to be locked
     *
     * @throws DifferentChoice
     */
    private function check(array $packages): void
    {
        if ($this->expected === null) {
            return;
        }
        $found = [];
        foreach ($packages as $package) {
            $found[$package->getName()] = $package->getVersion();
        }
        $expected = $this->expected;
        ksort($found);
        ksort($expected);
        if ($found !== $expected) {
            throw new DifferentChoice('Composer comes to another result');
        }
    }

    private function decline(string $reason): void
    {
        $this->reason = $reason;
        $this->io->writeError('Allegro: Composer resolves by itself, '.$reason, true, IOInterface::VERBOSE);
    }
}
