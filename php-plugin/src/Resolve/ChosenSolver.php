<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Guard;
use Composer\DependencyResolver\ComposerSolver;
use Composer\DependencyResolver\LockTransaction;
use Composer\DependencyResolver\SolverProblemsException;

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
     * @param \Composer\DependencyResolver\Request $request
     * @param mixed                                $filter  filter of platform requirements
     */
    public function solve($request, $filter = null): LockTransaction
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
                return parent::solve($request, $filter);
            } catch (SolverProblemsException $e) {
                // The verdict precedes Composer's own message. It appears only where Composer
                // finds no solution either.
                $verdict = $resolution === null ? [] : Guard::attempt(static fn (): array => $resolution->verdict()) ?? [];
                $verdict === [] || $this->io->writeError($verdict);

                throw $e;
            }
        }
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
