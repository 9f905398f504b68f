<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Guard;
use Composer\DependencyResolver\ComposerSolver;
use Composer\DependencyResolver\LockTransaction;
use Composer\DependencyResolver\SolverProblemsException;

/**
 * Composer's solver, which finds the work done where the native part has chosen. See {@see SolverClass} for its parent.
 */
final class ChosenSolver extends ComposerSolver
{
    private ?int $ruleCount = null;

    /**
     * {@inheritDoc}
     *
     * @param \Composer\DependencyResolver\Request $request
     * @param mixed                                $filter  what of the platform is ignored
     */
    public function solve($request, $filter = null): LockTransaction
    {
        $resolution = Guard::run(
            fn (): ?Resolution => Resolution::under($this->policy),
            static fn (): never => DifferentChoiceException::abandon()
        );
        $transaction = $resolution === null ? null : Guard::run(
            fn (): ?ChosenTransaction => $resolution->transaction($this->pool, $request),
            static fn (): never => DifferentChoiceException::abandon()
        );
        if ($transaction === null) {
            try {
                return parent::solve($request, $filter);
            } catch (SolverProblemsException $e) {
                // Before Composer's own words, and only where it has come to the same.
                $verdict = $resolution === null ? [] : Guard::attempt(static fn (): array => $resolution->verdict()) ?? [];
                $verdict === [] || $this->io->writeError($verdict);

                throw $e;
            }
        }
        $this->ruleCount = $resolution->ruleCount();

        return $transaction;
    }

    public function getRuleSetSize(): int
    {
        return $this->ruleCount ?? parent::getRuleSetSize();
    }
}
