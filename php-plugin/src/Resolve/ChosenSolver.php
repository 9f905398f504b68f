<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Guard;
use Composer\DependencyResolver\ComposerSolver;
use Composer\DependencyResolver\LockTransaction;
use Composer\DependencyResolver\Request;
use Composer\DependencyResolver\SolverProblemsException;
use Composer\Filter\PlatformRequirementFilter\PlatformRequirementFilterInterface;

/**
 * A solver that returns the versions chosen by the native part, and otherwise solves as Composer
 * does. {@see SolverClass} makes its parent class.
 */
final class ChosenSolver extends ComposerSolver
{
    private ?int $ruleCount = null;

    /**
     * Returns the native choice as a transaction. Without a choice, Composer solves by itself.
     *
     * {@inheritDoc}
     *
     * @param Request                                 $request
     * @param PlatformRequirementFilterInterface|null $platformRequirementFilter
     */
    public function solve($request, $platformRequirementFilter = null): LockTransaction
    {
        $resolution = Guard::run(
            fn (): ?Resolution => Resolution::under($this->policy),
            DifferentChoiceException::abandon(...)
        );
        $transaction = $resolution === null ? null : Guard::run(
            fn (): ?ChosenTransaction => $resolution->transaction($this->pool, $request),
            DifferentChoiceException::abandon(...)
        );
        if ($transaction === null) {
            try {
                return parent::solve($request, $platformRequirementFilter);
            } catch (SolverProblemsException $e) {
                // The verdict precedes Composer's own message. It appears only where Composer
                // finds no solution either.
                $verdict = $resolution === null ? [] : Guard::attempt(static fn (): array => $resolution->verdict()) ?? [];
                if ($verdict !== []) {
                    $this->io->writeError($verdict);
                }

                throw $e;
            }
        }
        /** @var Resolution $resolution */
        $this->ruleCount = $resolution->ruleCount();

        return $transaction;
    }

    /**
     * Returns the number of rules of the solver that made the choice.
     */
    public function getRuleSetSize(): int
    {
        return $this->ruleCount ?? parent::getRuleSetSize();
    }
}
