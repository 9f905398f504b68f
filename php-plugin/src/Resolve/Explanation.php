<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Composer\Composer;
use Composer\Filter\PlatformRequirementFilter\PlatformRequirementFilterInterface;
use Composer\Package\AliasPackage;
use Composer\Package\BasePackage;
use Composer\Package\Link;
use Composer\Package\PackageInterface;
use Composer\Package\RootPackageInterface;
use Composer\Repository\PlatformRepository;
use Composer\Repository\RepositoryInterface;
use Composer\Repository\RepositorySet;
use Composer\Semver\Comparator;
use Composer\Semver\Constraint\Constraint;
use Composer\Semver\Constraint\ConstraintInterface;

/**
 * Why a package is locked in the version that it has: who wants it, and what speaks against each newer one.
 *
 * It looks at the result, not at the way there: a reason is a requirement or a conflict that a newer version would break
 * if everything else stayed as it is.
 */
final class Explanation
{
    /** So many reasons are told, those against the newest versions first. */
    private const MOST = 5;

    /** @var array<string, PackageInterface> what is locked, by name */
    private array $locked = [];

    /** @var list<AliasPackage> other versions that locked packages count as */
    private array $aliases = [];

    private readonly RootPackageInterface $root;

    private readonly RepositoryInterface $platform;

    /**
     * @param PackageInterface[] $locked
     */
    public function __construct(
        private readonly Composer $composer,
        array $locked,
        private readonly PlatformRequirementFilterInterface $ignored,
    ) {
        $this->root = $composer->getPackage();
        $this->platform = new PlatformRepository([], (array) $composer->getConfig()->get('platform'));
        foreach ($locked as $package) {
            if ($package instanceof AliasPackage) {
                $this->aliases[] = $package;
            } else {
                $this->locked[$package->getName()] = $package;
            }
        }
    }

    /**
     * @return list<string> lines
     */
    public function of(string $name): array
    {
        $name = strtolower($name);
        $package = $this->locked[$name] ?? null;
        if ($package === null) {
            return $this->ofAbsent($name);
        }
        $lines = [sprintf('%s %s', $name, $package->getFullPrettyVersion())];
        foreach ($this->links('getRequires', $name) as [$by, $link]) {
            $lines[] = sprintf('  %s requires %s', $by, $link->getPrettyConstraint());
        }
        $parent = ParentRepository::labelOf($name, $this->composer->getRepositoryManager()->getRepositories());
        if ($parent !== null) {
            return array_merge($lines, ['  extra.allegro.parent: versions of '.$parent.' are taken as they are']);
        }
        $newer = $this->newer($package);
        if ($newer === []) {
            $lines[] = '  it is the newest version that the repositories have';
        }

        return array_merge($lines, $this->reasonsAgainst($newer));
    }

    /**
     * One line for neighbours against which the same speaks.
     *
     * @param list<PackageInterface> $newer
     *
     * @return list<string>
     */
    private function reasonsAgainst(array $newer): array
    {
        $reasons = [];
        foreach ($newer as $place => $candidate) {
            $reason = $this->reasonAgainst($candidate);
            $last = count($reasons) - 1;
            if ($last >= 0 && $reasons[$last]['reason'] === $reason) {
                $reasons[$last]['to'] = $candidate;
                continue;
            }
            if (count($reasons) === self::MOST) {
                $rest = count($newer) - $place;
                break;
            }
            $reasons[] = ['reason' => $reason, 'from' => $candidate, 'to' => $candidate];
        }
        $lines = array_map(static fn (array $one): string => sprintf(
            '  not %s: %s',
            implode(' to ', array_unique([$one['from']->getFullPrettyVersion(), $one['to']->getFullPrettyVersion()])),
            $one['reason']
        ), $reasons);

        return isset($rest) ? array_merge($lines, [sprintf('  and %d more that are newer', $rest)]) : $lines;
    }

    /**
     * @return list<string>
     */
    private function ofAbsent(string $name): array
    {
        $lines = [];
        foreach ($this->locked as $package) {
            foreach (['replaces' => $package->getReplaces(), 'provides' => $package->getProvides()] as $how => $links) {
                foreach ($links as $link) {
                    if ($link->getTarget() === $name) {
                        $lines[] = sprintf('  %s %s %s it (%s)', $package->getName(), $package->getFullPrettyVersion(), $how, $link->getPrettyConstraint());
                    }
                }
            }
        }
        $requires = $this->links('getRequires', $name);
        foreach ($requires as [$by, $link]) {
            $lines[] = sprintf('  %s requires %s', $by, $link->getPrettyConstraint());
        }

        return array_merge([$name.' is not locked'.($requires === [] ? ': nothing that is locked requires it' : '')], $lines);
    }

    /**
     * Versions above the locked one, the highest first; branches only if a branch is locked.
     *
     * @return list<PackageInterface>
     */
    private function newer(PackageInterface $package): array
    {
        $newer = [];
        // As in an update: the first repository that has the name is the only one that is asked.
        $repositories = new RepositorySet();
        foreach ($this->composer->getRepositoryManager()->getRepositories() as $repository) {
            $repositories->addRepository($repository);
        }
        foreach ($repositories->findPackages($package->getName(), null, RepositorySet::ALLOW_UNACCEPTABLE_STABILITIES) as $candidate) {
            if (
                !$candidate instanceof AliasPackage
                && $candidate->getName() === $package->getName()
                && ($package->isDev() || !$candidate->isDev())
                && Comparator::greaterThan($candidate->getVersion(), $package->getVersion())
            ) {
                $newer[$candidate->getVersion()] = $candidate;
            }
        }
        usort($newer, static fn (PackageInterface $a, PackageInterface $b): int => Comparator::greaterThan($a->getVersion(), $b->getVersion()) ? -1 : 1);

        return $newer;
    }

    private function reasonAgainst(PackageInterface $candidate): string
    {
        $name = $candidate->getName();
        $flag = $this->root->getStabilityFlags()[$name] ?? null;
        $lowest = $flag ?? BasePackage::$stabilities[$this->root->getMinimumStability()];
        if (BasePackage::$stabilities[$candidate->getStability()] > $lowest) {
            return sprintf('it is %s, and the project takes %s', $candidate->getStability(), (string) array_search($lowest, BasePackage::$stabilities, true));
        }
        $version = new Constraint('==', $candidate->getVersion());
        foreach ($this->links('getRequires', $name) as [$by, $link]) {
            if (!$link->getConstraint()->matches($version)) {
                return sprintf('%s requires %s', $by, $link->getPrettyConstraint());
            }
        }
        foreach ($this->links('getConflicts', $name) as [$by, $link]) {
            if ($link->getConstraint()->matches($version)) {
                return sprintf('%s conflicts with %s', $by, $link->getPrettyConstraint());
            }
        }
        foreach ($candidate->getRequires() as $link) {
            $has = $this->has($link);
            if ($has !== null) {
                return sprintf('it requires %s %s, and there is %s', $link->getTarget(), $link->getPrettyConstraint(), $has);
            }
        }
        foreach ($candidate->getConflicts() as $link) {
            foreach ($this->offers($link->getTarget()) as $label => $offer) {
                if ($link->getConstraint()->matches($offer)) {
                    return sprintf('it conflicts with %s %s, and there is %s', $link->getTarget(), $link->getPrettyConstraint(), $label);
                }
            }
        }

        return sprintf(
            'nothing that is locked speaks against it alone: an option or a policy of this run leaves it out, it was not to be updated, or what it needs can not be had (composer why-not %s %s)',
            $name,
            $candidate->getPrettyVersion()
        );
    }

    /**
     * What is there instead of what a requirement wants; null if it is met, or may be met by a package that isn't there.
     */
    private function has(Link $link): ?string
    {
        $target = $link->getTarget();
        $isPlatform = PlatformRepository::isPlatformPackage($target);
        if ($isPlatform && $this->ignored->isIgnored($target)) {
            return null;
        }
        $offers = $this->offers($target);
        foreach ($offers as $offer) {
            if ($link->getConstraint()->matches($offer)) {
                return null;
            }
        }

        if ($offers === []) {
            return $isPlatform ? 'none' : null;
        }

        // A version such as "1" is a number as a key.
        return (string) array_key_first($offers);
    }

    /**
     * What answers to a name: packages of the platform and of the lock, their aliases, and what they replace or provide.
     *
     * @return array<string, ConstraintInterface> versions by what people call them
     */
    private function offers(string $target): array
    {
        $offers = [];
        $found = PlatformRepository::isPlatformPackage($target) ? $this->platform->findPackage($target, '*') : $this->locked[$target] ?? null;
        if ($found !== null) {
            $offers[$found->getPrettyVersion()] = new Constraint('==', $found->getVersion());
        }
        foreach ($this->aliases as $alias) {
            if ($alias->getName() === $target) {
                $offers[$alias->getPrettyVersion()] = new Constraint('==', $alias->getVersion());
            }
        }
        foreach (array_merge(array_values($this->locked), $this->aliases) as $package) {
            foreach (array_merge(array_values($package->getReplaces()), array_values($package->getProvides())) as $link) {
                if ($link->getTarget() === $target) {
                    $offers[$link->getPrettyConstraint().' of '.$package->getName().' '.$package->getPrettyVersion()] = $link->getConstraint();
                }
            }
        }

        return $offers;
    }

    /**
     * Links of the project and of everything that is locked to a package.
     *
     * @param 'getRequires'|'getConflicts' $kind
     *
     * @return list<array{string, Link}> with who has it
     */
    private function links(string $kind, string $name): array
    {
        $found = [];
        $add = static function (string $by, array $links) use (&$found, $name): void {
            foreach ($links as $link) {
                if ($link->getTarget() === $name) {
                    $found[] = [$by, $link];
                }
            }
        };
        $add('the project', $kind === 'getRequires'
            ? array_merge(array_values($this->root->getRequires()), array_values($this->root->getDevRequires()))
            : $this->root->getConflicts());
        foreach ($this->locked as $package) {
            $add($package->getName().' '.$package->getFullPrettyVersion(), $package->$kind());
        }

        return $found;
    }
}
