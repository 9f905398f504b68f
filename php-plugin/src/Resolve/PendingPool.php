<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Internals;
use Composer\DependencyResolver\PoolBuilder;
use Composer\DependencyResolver\Request;
use Composer\Installer;
use Composer\IO\IOInterface;
use Composer\Repository\RepositoryInterface;
use Composer\Semver\Constraint\MatchAllConstraint;

/**
 * The pool that Composer is about to build for an update, with everything that it is built from.
 *
 * Repositories show chosen versions only. So the pool builder meets fewer names than it would, and
 * these methods tell it what it would have learned from the other versions.
 */
final class PendingPool
{
    /**
     * @param RepositoryInterface[] $repositories
     */
    private function __construct(
        public readonly PoolBuilder $builder,
        public readonly array $repositories,
        public readonly Request $request,
        public readonly Installer $installer,
    ) {
    }

    /**
     * Returns the pool of the update on whose behalf a repository is asked, or null if another
     * caller asks.
     */
    public static function ofCaller(): ?self
    {
        $builder = $request = $installer = null;
        $repositories = [];
        /** @var list<array{function: string, object?: object, args?: array<mixed>, ...}> $trace */
        $trace = debug_backtrace(DEBUG_BACKTRACE_PROVIDE_OBJECT, 14);
        foreach ($trace as $frame) {
            $object = $frame['object'] ?? null;
            if ($object instanceof PoolBuilder && $frame['function'] === 'buildPool') {
                $builder = $object;
                /** @var array{args: array{RepositoryInterface[], Request, ...}} $frame */
                [$repositories, $request] = $frame['args'];
            } elseif ($object instanceof Installer && $frame['function'] === 'doUpdate') {
                $installer = $object;
            }
        }

        return $installer === null || $builder === null || $request === null ? null : new self($builder, $repositories, $request, $installer);
    }

    /**
     * Prints the warnings that Composer would print for versions that repositories don't show now.
     *
     * @param list<string> $kept names that stay locked because the project requires them itself
     */
    public function warn(IOInterface $io, array $kept): void
    {
        foreach ($kept as $name) {
            $io->writeError('<warning>Dependency '.$name.' is also a root requirement. Package has not been listed as an update argument, so keeping locked at old version. Use --with-all-dependencies (-W) to include root dependencies.</warning>');
        }
        /** @var array<string, true> $warned */
        $warned = Internals::of($this->builder, PoolBuilder::class, 'updateAllowWarned')['updateAllowWarned'];
        Internals::set($this->builder, PoolBuilder::class, 'updateAllowWarned', $warned + array_fill_keys($kept, true));
    }

    /**
     * Marks chosen packages for loading that nobody requires by name. Otherwise Composer might ask
     * their repository for nothing.
     *
     * @param list<string> $names
     */
    public function ask(array $names): void
    {
        $request = $this->request;
        \Closure::bind(function () use ($names, $request): void {
            foreach ($names as $name) {
                $this->markPackageNameForLoading($request, $name, new MatchAllConstraint());
            }
        }, $this->builder, PoolBuilder::class)();
    }

    /**
     * Unlocks the packages of the lock that an update with dependencies reaches, even through
     * versions that repositories don't show.
     *
     * @param list<string> $names
     */
    public function unlock(array $names): void
    {
        [$repositories, $request] = [$this->repositories, $this->request];
        \Closure::bind(function () use ($names, $repositories, $request): void {
            foreach ($names as $name) {
                if (isset($this->skippedLoad[$name])) {
                    $this->unlockPackage($request, $repositories, $name);
                    // Another repository than the one that is asked now may have the package.
                    $this->markPackageNameForLoading($request, $name, new MatchAllConstraint());
                }
            }
        }, $this->builder, PoolBuilder::class)();
    }

    /**
     * Marks names as loaded, whichever package requires them.
     *
     * @param array<string, mixed> $names by name
     */
    public function markLoaded(array $names): void
    {
        /** @var mixed $known */
        $known = Internals::of($this->builder, PoolBuilder::class, 'maxExtendedReqs')['maxExtendedReqs'] ?? null;
        if (is_array($known)) {
            Internals::set($this->builder, PoolBuilder::class, 'maxExtendedReqs', $known + array_fill_keys(array_keys($names), true));
        }
    }

    /**
     * Takes the optimizer away. It would remove chosen packages whose names only unchosen versions
     * require.
     */
    public function dropOptimizer(): void
    {
        Internals::set($this->builder, PoolBuilder::class, 'poolOptimizer', null);
    }
}
