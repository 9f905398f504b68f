<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Resolve\ChosenSolver;
use Allegro\Plugin\Resolve\SolverClass;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\DependencyResolver\DefaultPolicy;
use Composer\DependencyResolver\Pool;
use Composer\DependencyResolver\Request;
use Composer\DependencyResolver\Solver;
use Composer\IO\NullIO;
use Composer\Package\CompletePackage;
use Composer\Semver\Constraint\MatchAllConstraint;

final class SolverClassTest extends TestCase
{
    public function testTheInstallerGetsOurs(): void
    {
        self::assertTrue(SolverClass::replace(), 'asking twice changes nothing');
        self::assertSame(ChosenSolver::class, (new \ReflectionClass(Solver::class))->getName());
    }

    /**
     * What isn't an update of ours is solved by Composer's own code.
     */
    public function testOtherUpdatesAreComposers(): void
    {
        $packages = [new CompletePackage('a/a', '1.0.0.0', '1.0.0'), new CompletePackage('a/a', '2.0.0.0', '2.0.0')];
        $request = new Request();
        $request->requireName('a/a', new MatchAllConstraint());
        $solver = new Solver(new DefaultPolicy(), new Pool($packages), new NullIO());
        $chosen = $solver->solve($request)->getNewLockPackages(false);
        self::assertSame(['2.0.0'], array_map(static fn ($package): string => $package->getPrettyVersion(), $chosen));
        self::assertGreaterThan(0, $solver->getRuleSetSize());
    }
}
