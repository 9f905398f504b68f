<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Internals;
use Composer\Composer;
use Composer\DependencyResolver\Pool;
use Composer\DependencyResolver\PoolBuilder;
use Composer\DependencyResolver\Request;
use Composer\Installer;
use Composer\IO\NullIO;
use Composer\Package\PackageInterface;
use Composer\Repository\AdvisoryProviderInterface;
use Composer\Repository\FilterListProviderInterface;
use Composer\Repository\RepositoryInterface;

/**
 * The policies by which Composer 2.9 and later keep versions out of an update.
 *
 * The native part doesn't know the policies. Composer would apply them to the chosen versions
 * only, which is not enough. A refused version that nobody chooses may have led the solver
 * elsewhere. A cooldown refuses the run because of any version without a date.
 *
 * Composer therefore resolves by itself where a policy can keep a version out.
 */
final class Policies
{
    /** Objects of a PoolBuilder that are not filters. */
    private const NO_FILTERS = ['eventDispatcher' => true, 'poolOptimizer' => true, 'io' => true];

    /** The name of the only list that is on by default. */
    private const MALWARE = 'malware';

    /**
     * Returns why the native part can't choose for this pool. Returns null if no policy can keep a
     * version out of it.
     *
     * @param array<RepositoryInterface> $repositories
     */
    public static function objection(PoolBuilder $builder, array $repositories): ?string
    {
        $filters = array_diff_key(array_filter(Internals::of($builder, PoolBuilder::class), 'is_object'), self::NO_FILTERS);
        foreach ($filters as $name => $filter) {
            $objection = match ($name) {
                'securityAdvisoryPoolFilter' => self::objectionToAdvisories($filter, $repositories),
                'filterListPoolFilter' => self::objectionToLists($filter, $repositories),
                'cooldownPoolFilter' => 'a cooldown for new versions is in force (config.policy.cooldown)',
                default => 'versions are kept out by a '.get_class($filter),
            };
            if ($objection !== null) {
                return $objection;
            }
        }

        return null;
    }

    /**
     * Returns why the filter of advisories may keep versions out; null if it can't.
     *
     * @param array<RepositoryInterface> $repositories
     */
    private static function objectionToAdvisories(object $filter, array $repositories): ?string
    {
        $values = Internals::of($filter, get_class($filter));
        // Composer 2.9 has one object for audits and for the versions that they block.
        $blocksAbandoned = $values['policyConfig']->abandoned->block ?? $values['auditConfig']->blockAbandoned ?? null;
        if ($blocksAbandoned !== false) {
            return 'abandoned packages are kept out (config.policy.abandoned)';
        }
        foreach ($repositories as $repository) {
            if ($repository instanceof AdvisoryProviderInterface && $repository->hasSecurityAdvisories()) {
                return 'versions that security advisories affect are kept out (config.policy.advisories)';
            }
        }

        return null;
    }

    /**
     * Returns why a filter list may keep versions out; null if none can.
     *
     * @param array<RepositoryInterface> $repositories
     */
    private static function objectionToLists(object $filter, array $repositories): ?string
    {
        $config = Internals::of($filter, get_class($filter))['policyConfig'] ?? null;
        if (!is_object($config) || !method_exists($config, 'getActiveBlockFilterListNames')) {
            return 'what a '.get_class($filter).' keeps out is not known';
        }
        $names = array_merge($config->getActiveBlockFilterListNames('update'), $config->getActiveBlockFilterListNames('install'));
        // Only repositories offer the list of malware. Other lists may come from anywhere.
        $offered = [];
        foreach ($repositories as $repository) {
            if ($repository instanceof FilterListProviderInterface && $repository->hasFilter()) {
                $offered = array_merge($offered, $repository->getFilterLists());
            }
        }
        foreach ($names as $name) {
            if ($name !== self::MALWARE || in_array($name, $offered, true)) {
                return 'a list of refused versions is in force (config.policy.'.$name.')';
            }
        }

        return null;
    }

    /**
     * Returns those of the packages that the filters of an update accept. Returns all of them if a
     * filter can't be applied.
     *
     * @template T of PackageInterface
     *
     * @param list<T>                   $packages
     * @param callable(Installer): void $configure gives an Installer the policies of the command
     *
     * @return list<T>
     */
    public static function allowed(array $packages, Composer $composer, callable $configure): array
    {
        $makers = array_filter((new \ReflectionClass(Installer::class))->getMethods(), static fn (\ReflectionMethod $method): bool => preg_match('{^create\w+PoolFilter$}D', $method->getName()) === 1);
        if ($makers === [] || $packages === []) {
            return $packages;
        }
        $installer = Installer::create(new NullIO(), $composer);
        $configure($installer);
        $pool = new Pool($packages);
        try {
            foreach ($makers as $maker) {
                $filter = $maker->invokeArgs($installer, $maker->getNumberOfParameters() === 0 ? [] : ['update']);
                $pool = $filter === null ? $pool : self::filtered($pool, $filter, $composer->getRepositoryManager()->getRepositories());
            }
        } catch (\Exception $e) {
            // A list may be unavailable, or a version may have no date. The update that follows
            // fails in the same way.
            return $packages;
        }

        return array_values(array_filter($packages, static fn (PackageInterface $package): bool => in_array($package, $pool->getPackages(), true)));
    }

    /**
     * Applies a filter to a pool, with the arguments that its parameters ask for.
     *
     * @param array<RepositoryInterface> $repositories
     */
    private static function filtered(Pool $pool, object $filter, array $repositories): Pool
    {
        $arguments = [];
        foreach ((new \ReflectionMethod($filter, 'filter'))->getParameters() as $parameter) {
            $arguments[] = match ((string) $parameter->getType()) {
                Pool::class => $pool,
                Request::class => new Request(),
                'array' => $repositories,
                default => throw new \LogicException('The parameter '.$parameter->getName().' of a filter is not known'),
            };
        }

        return $filter->filter(...$arguments);
    }
}
