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
 * What the native part has chosen, as the result of Composer's solver.
 *
 * To tell what only `require-dev` needs, Composer makes every package anew and solves a second time. Where that is known,
 * it is shown an empty result there, and what it found out is not looked at.
 */
final class ChosenTransaction extends LockTransaction
{
    /** @var array<string, true>|null names of the packages that only `require-dev` needs; null: Composer has to find out */
    private ?array $dev = null;

    /**
     * @param list<BasePackage>        $packages what is to be installed, of the pool
     * @param array<string, true>|null $dev
     */
    public static function of(Pool $pool, Request $request, array $packages, ?array $dev): self
    {
        $decisions = new Decisions($pool);
        // Nobody asks a result for its reasons.
        $rule = new GenericRule([], Rule::RULE_FIXED, null);
        foreach (array_reverse($packages) as $package) {
            $decisions->decide($package->id, 1, $rule);
        }
        $transaction = new self($pool, $request->getPresentMap(), $request->getFixedPackagesMap(), $decisions);
        $transaction->dev = $dev;

        return $transaction;
    }

    /**
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
        Guard::run(fn () => $this->divide($this->dev), static fn (): never => DifferentChoiceException::abandon());
    }

    /**
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
