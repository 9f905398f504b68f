<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Guard;
use Composer\DependencyResolver\Decisions;
use Composer\DependencyResolver\GenericRule;
use Composer\DependencyResolver\LockTransaction;
use Composer\DependencyResolver\Pool;
use Composer\DependencyResolver\Request;
use Composer\DependencyResolver\Rule;
use Composer\Package\BasePackage;

/**
 * A transaction that contains the native choice, in place of the result of Composer's solver.
 *
 * Composer makes every package anew and solves a second time, to find out which packages only
 * `require-dev` needs. If the native part knows these, Composer is given an empty lock for that
 * step, and its result is ignored.
 */
final class ChosenTransaction extends LockTransaction
{
    /**
     * The names of the packages that only `require-dev` needs; null: Composer has to find out.
     *
     * @var array<string, true>|null
     */
    private ?array $dev = null;

    /**
     * Makes a transaction that installs these packages of the pool.
     *
     * @param list<BasePackage>        $packages packages to be installed, which are in the pool
     * @param array<string, true>|null $dev      names that only `require-dev` needs; null: unknown
     */
    public static function of(Pool $pool, Request $request, array $packages, ?array $dev): self
    {
        $decisions = new Decisions($pool);
        // Nothing reads the reasons of a finished transaction.
        $rule = new GenericRule([], Rule::RULE_FIXED, null);
        foreach (array_reverse($packages) as $package) {
            $decisions->decide($package->id, 1, $rule);
        }
        $transaction = new self($pool, $request->getPresentMap(), $request->getFixedPackagesMap(), $decisions);
        $transaction->dev = $dev;

        return $transaction;
    }

    /**
     * Separates the packages that only `require-dev` needs. If these are known, the result of
     * Composer's second run is ignored.
     *
     * {@inheritDoc}
     *
     * @param LockTransaction $extractionResult
     */
    public function setNonDevPackages($extractionResult): void
    {
        if ($this->dev === null) {
            parent::setNonDevPackages($extractionResult);

            return;
        }
        Guard::run(fn () => $this->divide($this->dev), DifferentChoiceException::abandon(...));
    }

    /**
     * Separates the packages that only `require-dev` needs from the others.
     *
     * @param array<string, true> $dev
     */
    private function divide(array $dev): void
    {
        $packages = $this->resultPackages['non-dev'];
        $this->resultPackages['dev'] = $this->resultPackages['non-dev'] = [];
        foreach ($packages as $package) {
            $this->resultPackages[isset($dev[$package->getName()]) ? 'dev' : 'non-dev'][] = $package;
        }
    }

    /**
     * Returns an empty list to `Installer::extractDevPackages` (Composer 2.5.5) if the second run
     * is not needed. Other callers get the packages.
     *
     * {@inheritDoc}
     *
     * @param bool $devMode
     * @param bool $updateMirrors
     *
     * @return BasePackage[]
     */
    public function getNewLockPackages($devMode, $updateMirrors = false): array
    {
        if ($this->dev !== null && (debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS, 2)[1]['function'] ?? '') === 'extractDevPackages') {
            return [];
        }

        return parent::getNewLockPackages($devMode, $updateMirrors);
    }
}
