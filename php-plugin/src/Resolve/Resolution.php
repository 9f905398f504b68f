<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Install\DeclinedException;
use Allegro\Plugin\Internals;
use Allegro\Plugin\Io\RepeatableOutput;
use Allegro\Plugin\Io\Report;
use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\InterruptedException;
use Allegro\Plugin\Native\Protocol;
use Allegro\Plugin\Network\Sources;
use Allegro\Plugin\Takeover\IndexedLocker;
use Composer\Composer;
use Composer\DependencyResolver\PolicyInterface;
use Composer\DependencyResolver\Pool;
use Composer\DependencyResolver\Request;
use Composer\EventDispatcher\Event;
use Composer\Installer;
use Composer\IO\IOInterface;
use Composer\IO\NullIO;
use Composer\Json\JsonFile;
use Composer\Package\AliasPackage;
use Composer\Package\BasePackage;
use Composer\Package\Locker;
use Composer\Package\PackageInterface;
use Composer\Plugin\PluginEvents;
use Composer\Repository\ComposerRepository;
use Composer\Repository\FilterRepository;
use Composer\Repository\RepositoryManager;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * Runs one update whose versions the native part chooses.
 *
 * Composer's update runs as it is. When it asks its first repository for packages, all inputs of
 * the result are known. The native part gets them and chooses the versions. From then on,
 * repositories show the chosen versions only.
 *
 * Where Composer creates a solver, it gets {@see ChosenSolver}, which has the result at hand. Where
 * that is impossible, Composer's own solver has almost nothing left to decide, and comes to the
 * same result. Composer prints its usual messages and writes its lock. Before that, this class
 * compares the lock with the choice.
 *
 * @phpstan-import-type ResolveAnswer from Protocol
 * @phpstan-import-type Solved from Protocol
 *
 * @phpstan-type Choice array{
 *     found: array<string, true>,
 *     versions: array<string, array{string, string}>,
 * }
 */
final class Resolution
{
    /** @var array<int, Choice>|null choices by object id of the repository */
    private ?array $choices = null;

    /** @var array<string, string>|null chosen version by name */
    private ?array $expected = null;

    /** @var array<string, array<string, true>> aliases of chosen packages, by name and version */
    private array $aliases = [];

    /** @var array<string, true>|null names that only `require-dev` needs; null: Composer finds out */
    private ?array $dev = null;

    private int $ruleCount = 0;

    /**
     * Whether Composer's first solver has its result. The next solver looks for the packages that
     * the project needs without `require-dev`.
     */
    private bool $isExtracting = false;

    private ?PendingPool $pool = null;

    private ?string $reason = null;

    /** @var (callable(): list<string>)|null waits for the lines of the verdict */
    private $verdict = null;

    /**
     * The updates under way, by policy. Only the policy is common to both of Composer's solvers.
     *
     * @var \WeakMap<PolicyInterface, self>|null
     */
    private static ?\WeakMap $resolutions = null;

    public function __construct(
        private readonly Composer $composer,
        private readonly IOInterface $io,
        private readonly Engine $engine,
        private readonly Sources $sources,
        private readonly Report $report,
    ) {
    }

    /**
     * Runs the update with the native part's choice. If that turns out not to be Composer's choice,
     * the update runs again without it.
     *
     * @param callable(): int $update Composer's update
     * @param OutputInterface $output output of the update
     *
     * @return int exit code of the update
     */
    public function run(callable $update, OutputInterface $output): int
    {
        $manager = $this->composer->getRepositoryManager();
        $before = $manager->getRepositories();
        $exit = null;
        $update = static function () use ($update, &$exit): int {
            return $exit = Guard::out($update);
        };

        return Guard::run(fn (): int => $this->runNatively($update, $output), function () use ($update, $manager, $before, &$exit): int {
            if ($exit !== null) {
                return $exit;
            }
            Guard::restore(
                static fn () => Internals::set($manager, RepositoryManager::class, 'repositories', $before),
                fn () => $this->retire('something failed')
            );

            return $update();
        });
    }

    /**
     * Runs the update with our repositories, and again without them if it comes to another result.
     *
     * @param callable(): int $update
     */
    private function runNatively(callable $update, OutputInterface $output): int
    {
        SolverClass::replace();
        $this->takeOver();

        return RepeatableOutput::during($output, function (callable $again) use ($update): int {
            try {
                $exit = $update();
                if ($exit !== Installer::ERROR_DEPENDENCY_RESOLUTION_FAILED || $this->choices === null) {
                    return $exit;
                }
                $reason = 'with the chosen versions there is no solution';
            } catch (DifferentChoiceException $e) {
                $reason = $e->getMessage();
            }
            $again();
            $this->retire($reason);

            return $update();
        });
    }

    /**
     * Replaces Composer's repositories with ours, and checks the lock before it is written.
     */
    private function takeOver(): void
    {
        $locker = $this->composer->getLocker();
        if (!$locker instanceof IndexedLocker) {
            $this->decline('the lock is kept by '.get_class($locker));

            return;
        }
        /** @var JsonFile $file */
        $file = Internals::of($locker, Locker::class, 'lockFile')['lockFile'];
        $lock = $file->getPath();
        $before = self::content($lock);
        $check = function (array $packages) use ($lock, $before): void {
            if (self::content($lock) !== $before) {
                throw new LockChangedException(basename($lock).' was changed by somebody else while versions were chosen. It was left as it is now; run the command again.');
            }
            // The locker passes packages.
            // @mago-expect analysis:less-specific-nested-argument-type
            $this->check($packages);
        };
        $locker->beforeWrite(fn (array $packages) => Guard::run(static fn () => $check($packages), DifferentChoiceException::abandon(...)));
        $manager = $this->composer->getRepositoryManager();
        Internals::set($manager, RepositoryManager::class, 'repositories', array_map(fn (object $repository): object => $this->inPlaceOf($repository), $manager->getRepositories()));
    }

    private static function content(string $file): ?string
    {
        return is_file($file) ? (string) hash_file('sha256', $file) : null;
    }

    private function inPlaceOf(object $repository): object
    {
        if (get_class($repository) === ComposerRepository::class || $repository instanceof ResolvedRepository) {
            /** @var ComposerRepository $repository */
            return ResolvedRepository::inPlaceOf($repository, $this);
        }
        if (get_class($repository) === FilterRepository::class) {
            /** @var FilterRepository $repository */
            $inner = $this->inPlaceOf($repository->getRepository());
            $repository = clone $repository;
            Internals::set($repository, FilterRepository::class, 'repo', $inner);
        }

        return $repository;
    }

    /**
     * Leaves the rest of the run to Composer.
     */
    private function retire(string $reason): void
    {
        $this->decline($reason);
        $this->choices = null;
        $this->expected = null;
    }

    /**
     * Returns the update for which Composer creates a solver with this policy.
     */
    public static function under(PolicyInterface $policy): ?self
    {
        return self::$resolutions[$policy] ?? null;
    }

    /**
     * Returns the choice as the result of Composer's solver, or null if the solver has to run.
     *
     * @throws DifferentChoiceException if the pool lacks a chosen version
     */
    public function transaction(Pool $pool, Request $request): ?ChosenTransaction
    {
        if ($this->expected === null || $this->isExtracting && $this->dev === null) {
            return null;
        }
        $expected = $this->isExtracting ? [] : $this->expected;
        $packages = $found = [];
        foreach ($pool->getPackages() as $package) {
            if ($request->isFixedPackage($package)) {
                $packages[] = $package;
                continue;
            }
            $base = $package instanceof AliasPackage ? $package->getAliasOf() : $package;
            if (($expected[$base->getName()] ?? null) !== $base->getVersion()) {
                continue;
            }
            if ($base !== $package) {
                if (isset($this->aliases[$package->getName()][$package->getVersion()])) {
                    $packages[] = $package;
                }
                continue;
            }
            if (isset($found[$base->getName()])) {
                // Several repositories have the package, so Composer solves, both times.
                $this->isExtracting = true;
                $this->dev = null;

                return null;
            }
            $found[$base->getName()] = true;
            $packages[] = $package;
        }
        if (count($found) !== count($expected)) {
            $missing = array_keys(array_diff_key($expected, $found));
            throw new DifferentChoiceException($missing[0].' '.$expected[$missing[0]].' is chosen, but not allowed');
        }
        $this->isExtracting = true;
        if ($this->dev === null) {
            // The packages are sorted as they were decided, the last one first. Composer looks for
            // the packages that only development needs in this order, which decides between equals.
            $places = array_flip(array_keys($expected));
            $place = static fn (BasePackage $package): int => $places[($package instanceof AliasPackage ? $package->getAliasOf() : $package)->getName()] ?? -1;
            usort($packages, static fn (BasePackage $one, BasePackage $other): int => $place($other) <=> $place($one));
        }

        return ChosenTransaction::of($pool, $request, $packages, $this->dev);
    }

    public function ruleCount(): int
    {
        return $this->ruleCount;
    }

    /**
     * Returns the reason why the requirements can't be met, and the change that helps. The list is
     * empty unless the native part has found that there is no solution.
     *
     * @return list<string> lines for the console
     */
    public function verdict(): array
    {
        $verdict = $this->verdict;
        $this->verdict = null;
        try {
            return $verdict === null ? [] : $verdict();
        } catch (EngineException $e) {
            $this->io->writeError('Allegro: what would help is not known, '.$e->getMessage(), true, IOInterface::VERBOSE);

            return [];
        }
    }

    /**
     * Returns the versions that a repository has to show, or null if it shows all. Each version is
     * normalized, and has the repository's entry for it as JSON.
     *
     * @return Choice|null
     */
    public function choiceFor(ResolvedRepository $repository): ?array
    {
        if ($this->reason !== null) {
            return null;
        }
        $pool = PendingPool::ofCaller();
        if ($pool === null) {
            return null;
        }
        if ($this->pool === null) {
            $this->pool = $pool;
            try {
                $this->choose($pool);
            } catch (DeclinedException | EngineException $e) {
                $this->decline($e->getMessage());
            }
        }

        return $pool->builder === $this->pool->builder ? $this->choices[spl_object_id($repository)] ?? null : null;
    }

    /**
     * Lets the native part choose, and prepares Composer's pool builder for the choice.
     *
     * @throws DeclinedException|EngineException
     */
    private function choose(PendingPool $pool): void
    {
        $dispatcher = $this->composer->getEventDispatcher();
        foreach ([PluginEvents::PRE_POOL_CREATE, PluginEvents::PRE_FILE_DOWNLOAD, PluginEvents::POST_FILE_DOWNLOAD] as $event) {
            if ($dispatcher->hasEventListeners(new Event($event))) {
                throw new DeclinedException('somebody listens to '.$event);
            }
        }
        $question = new Question($this->sources, $pool->builder, $pool->repositories, $pool->request, $pool->installer);
        // @mago-expect analysis:possibly-invalid-argument The engine passes events.
        $listener = $this->report->listens() ? fn (array $events) => $this->report->events($events) : null;
        $resolve = fn (): array => InterruptedException::outlive(fn (): array => $this->engine->resolve($question->asked(), $listener));
        $answer = $this->report->loading($resolve);
        if ($answer['outcome'] === 'unsolvable' && !$this->io instanceof NullIO) {
            $this->verdict = (new Judge($this->composer, $this->engine))->meanwhile($question->asked());
        }
        self::$resolutions ??= new \WeakMap();
        self::$resolutions[$question->policy()] = $this;
        // A solution has the number of constraints.
        // @mago-expect analysis:possibly-undefined-string-array-index,possibly-null-operand
        if ($answer['outcome'] === 'solved' && $answer['constraints'] > 0) {
            // Packages are made in what they take.
            // @mago-expect analysis:possibly-undefined-string-array-index(2),possibly-invalid-operand
            // Constraints come with their texts.
            // @mago-expect analysis:possibly-null-argument,possibly-invalid-argument(2)
            ParsedConstraints::remember(array_splice($answer['texts'], -$answer['constraints']));
        }
        /** @var ResolveAnswer $answer */
        $this->accept($answer, $question->places());
        /** @var Solved $answer */
        $pool->warn($this->io, $answer['kept']);
        $pool->ask($answer['unasked']);
        $pool->unlock($answer['unlocked']);
        $pool->dropOptimizer();
    }

    /**
     * Keeps the choice of an answer.
     *
     * @param ResolveAnswer                  $answer
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
            // @mago-expect analysis:redundant-cast The native part's answers are not trusted.
            throw new DeclinedException((string) $answer['reason']);
        }
        /**
         * @var Solved             $answer
         * @var array<int, Choice> $choices
         */
        $choices = [];
        foreach ($places as $index => $repository) {
            $choices[$index] = ['found' => array_fill_keys($answer['found'][$index], true), 'versions' => []];
        }
        $expected = [];
        $at = 0;
        foreach ($answer['packages'] as $package) {
            $expected[$package['name']] = $package['version'];
            if ($package['repository'] !== null) {
                // Packages of repositories have texts.
                // @mago-expect analysis:possibly-undefined-string-array-index,possibly-null-array-access
                $choices[$package['repository']]['versions'][$package['name']] = [$package['version'], $answer['texts'][$at++]];
            }
        }
        /** @var array<int, Choice> $choices */
        $this->choices = [];
        foreach ($places as $index => $repository) {
            $this->choices[spl_object_id($repository)] = $choices[$index];
        }
        $this->expected = $expected;
        $this->aliases = [];
        foreach ($answer['aliases'] as [$name, $version]) {
            $this->aliases[$name][$version] = true;
        }
        $isDev = array_column($answer['packages'], 'is_dev', 'name');
        /** @var array<string, true>|null $dev */
        $dev = in_array(null, $isDev, true) ? null : array_filter($isDev);
        $this->dev = $dev;
        $this->ruleCount = $answer['rules'];
        $this->io->writeError(sprintf(
            'Allegro: %s versions, %s of them considered, %s rules',
            number_format($answer['versions']),
            number_format($answer['considered']),
            number_format($answer['rules'])
        ), true, IOInterface::VERBOSE);
    }

    /**
     * Records that a repository has shown all its chosen versions. The pool needn't load these
     * names again, whichever package requires them.
     */
    public function shown(ResolvedRepository $repository): void
    {
        $byName = $this->choices[spl_object_id($repository)]['versions'] ?? [];
        // Nobody reads the texts again, and the lock that is written later needs as much memory.
        $this->choices[spl_object_id($repository)]['versions'] = [];
        if ($this->pool !== null) {
            $this->pool->markLoaded($byName);
        }
    }

    /**
     * Compares the packages that Composer is about to lock with the choice.
     *
     * @param PackageInterface[] $packages
     *
     * @throws DifferentChoiceException
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
            throw new DifferentChoiceException('Composer comes to another result');
        }
    }

    private function decline(string $reason): void
    {
        $this->reason = $reason;
        $this->io->writeError('Allegro: Composer resolves by itself, '.$reason, true, IOInterface::VERBOSE);
    }
}
