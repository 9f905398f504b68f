<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Composer\Package\AliasPackage;
use Composer\Package\PackageInterface;
use Composer\Package\RootPackageInterface;
use Composer\Repository\RepositoryInterface;
use Composer\Repository\RepositorySet;
use Composer\Semver\Comparator;
use Composer\Semver\Constraint\Constraint;
use Composer\Semver\Constraint\ConstraintInterface;
use Composer\Semver\VersionParser;

/**
 * The smallest changes to a lock after which advisories affect no package of a list any more.
 *
 * Whether a change is possible is found out by trying it. First only the affected packages may move, then what they
 * require too, at last everything; nothing goes back, and with the lowest versions preferred whatever can stay stays.
 */
final class Mending
{
    private const ALONE = 0;
    private const WITH_DEPENDENCIES = 1;
    private const WITH_EVERYTHING = 2;

    /** So often a choice is made again because it would bring in a package that is affected itself. */
    private const MOST = 25;

    /** @var array<string, list<PackageInterface>> versions that would do, the lowest first */
    private array $candidates = [];

    /** @var array<string, string> below this version a package of the lock doesn't go */
    private array $floors = [];

    /** @var array<string, list<string>> versions that are affected themselves, by name */
    private array $excluded = [];

    /** @var array<string, PackageInterface> the lowest version that would do and is kept out by a policy, by name */
    private array $refused = [];

    /** @var list<string> names that the plan mends */
    private array $mended = [];

    /** @var array<string, mixed> options of all trials */
    private array $options = [];

    private readonly VersionParser $parser;

    /**
     * @param array<string, PackageInterface> $locked     by name
     * @param array<string, string>           $exceptions constraints by name
     */
    public function __construct(
        private readonly RootPackageInterface $root,
        private readonly array $locked,
        private readonly Advisories $advisories,
        private readonly Trial $trial,
        private readonly array $exceptions,
    ) {
        $this->parser = new VersionParser();
        $this->floors = array_map(static fn (PackageInterface $package): string => $package->getVersion(), $locked);
    }

    /**
     * Versions of a package above the locked one that no advisory affects, the lowest first. Pre-releases come only if
     * one is locked, or if there is nothing else.
     *
     * @param array<RepositoryInterface>                               $repositories
     * @param callable(list<PackageInterface>): list<PackageInterface> $allow        leaves out what a policy keeps out
     *
     * @return list<PackageInterface>
     */
    public function candidates(string $name, array $repositories, callable $allow): array
    {
        $locked = $this->locked[$name];
        if ($locked->isDev()) {
            return [];
        }
        $set = new RepositorySet($this->root->getMinimumStability(), $this->root->getStabilityFlags());
        foreach ($repositories as $repository) {
            $set->addRepository($repository);
        }
        $found = [];
        foreach ($set->findPackages($name) as $package) {
            if (
                !$package instanceof AliasPackage
                && $package->getName() === $name
                && !$package->isDev()
                && Comparator::greaterThan($package->getVersion(), $locked->getVersion())
                && $this->advisories->against($name, $package->getVersion()) === []
            ) {
                $found[$package->getVersion()] = $package;
            }
        }
        $stable = array_filter($found, static fn (PackageInterface $package): bool => $package->getStability() === 'stable');
        $found = array_values($locked->getStability() === 'stable' && $stable !== [] ? $stable : $found);
        usort($found, static fn (PackageInterface $a, PackageInterface $b): int => Comparator::greaterThan($a->getVersion(), $b->getVersion()) ? 1 : -1);

        $this->candidates[$name] = $allow($found);
        $refused = array_values(array_filter($found, fn (PackageInterface $package): bool => !in_array($package, $this->candidates[$name], true)));
        if ($refused !== []) {
            $this->refused[$name] = $refused[0];
        }

        return $this->candidates[$name];
    }

    /**
     * Returns the lowest version of a package that would do if no policy kept it out.
     */
    public function refused(string $name): ?PackageInterface
    {
        return $this->refused[$name] ?? null;
    }

    /**
     * Tells whether a package that the plan doesn't mend could be mended if no policy kept anything out.
     */
    public function isHeldByPolicies(string $name): bool
    {
        if (in_array($name, $this->mended, true) || $this->constraint($name) === null) {
            return false;
        }
        $freely = clone $this;
        // One option of Composer 2.9, one of later ones.
        $freely->options = ['no-security-blocking' => true, 'no-blocking' => true];
        foreach ([self::ALONE, self::WITH_DEPENDENCIES, self::WITH_EVERYTHING] as $reach) {
            if ($freely->attempt([$name], $reach) !== null) {
                return true;
            }
        }

        return false;
    }

    /**
     * Options and names for an update that mends as many packages as can be.
     *
     * @param list<string> $names those that have candidates
     *
     * @return array{list<string>, list<string>} names and constraints, as an update takes them; none if nothing can be mended
     */
    public function plan(array $names): array
    {
        $names = array_values(array_filter($names, fn (string $name): bool => $this->constraint($name) !== null));
        $done = [];
        $plan = [[], []];
        foreach ([self::ALONE, self::WITH_DEPENDENCIES, self::WITH_EVERYTHING] as $reach) {
            $left = array_values(array_diff($names, $done));
            // All at once if that is possible, else whatever is possible.
            foreach (array_merge([$left], count($left) > 1 ? array_map(static fn (string $name): array => [$name], $left) : []) as $more) {
                $better = $more === [] ? null : $this->attempt(array_merge($done, $more), $reach);
                if ($better !== null) {
                    $plan = $better;
                    $this->mended = $done = array_merge($done, $more);
                }
                if (count($done) === count($names)) {
                    return $plan;
                }
            }
        }

        return $plan;
    }

    /**
     * @param list<string> $names which are to be free of advisories
     *
     * @return array{list<string>, list<string>}|null
     */
    private function attempt(array $names, int $reach): ?array
    {
        foreach ($names as $name) {
            // It had to move for another one, beyond all that would do.
            if ($this->constraint($name) === null) {
                return null;
            }
        }
        for ($round = 0; $round < self::MOST; ++$round) {
            $lowest = $this->trial->run([
                'with' => $this->bounds($names, $reach),
                'with-all-dependencies' => $reach === self::WITH_DEPENDENCIES,
                'prefer-lowest' => true,
                'prefer-stable' => false,
            ] + $this->options, $reach === self::WITH_EVERYTHING ? array_keys($this->locked) : $names);
            if ($lowest === null) {
                return null;
            }
            // What is new gets the version that it always gets; with a branch its commit may have to move along.
            $result = null;
            foreach (array_unique([$this->pin($names, $lowest, false), $this->pin($names, $lowest, true)], SORT_REGULAR) as $plan) {
                $result = $plan[0] === [] ? null : $this->trial->run(['with' => $plan[1]] + $this->options, $plan[0]);
                if ($result !== null) {
                    break;
                }
            }
            if ($result === null) {
                return null;
            }
            if (!$this->excludeAffected($result)) {
                foreach (array_intersect_key($result, $this->locked) as $name => $entry) {
                    $this->floors[$name] = $this->normal($entry);
                }

                return $plan;
            }
        }

        return null;
    }

    /**
     * @param list<string> $names
     *
     * @return list<string> constraints, as an update takes them
     */
    private function bounds(array $names, int $reach): array
    {
        $with = [];
        foreach ($names as $name) {
            $with[] = $name.':'.$this->constraint($name);
        }
        $others = $reach === self::ALONE ? [] : array_diff_key($this->locked, array_flip($names));
        foreach ($others as $name => $package) {
            $required = $this->required($name);
            // A lock that is behind its composer.json has packages that it doesn't allow.
            if ($required === null || self::allows($required, $package->getVersion())) {
                $with[] = $name.':'.$this->held($name, ($package->isDev() ? '==' : '>=').$this->floors[$name]);
            }
        }

        return array_merge($with, $this->ofNew());
    }

    /**
     * Pins for packages of the lock that have other versions in a result.
     *
     * @param list<string>                        $wanted  those that are to be mended; one that nobody requires goes
     * @param array<string, array<string, mixed>> $result
     * @param bool                                $commits whether a commit counts as a version
     *
     * @return array{list<string>, list<string>}
     */
    private function pin(array $wanted, array $result, bool $commits): array
    {
        $names = array_values(array_filter($wanted, static fn (string $name): bool => !isset($result[$name])));
        $with = [];
        foreach (array_intersect_key($result, $this->locked) as $name => $entry) {
            $package = $this->locked[$name];
            $version = $this->normal($entry);
            $reference = $entry['source']['reference'] ?? $entry['dist']['reference'] ?? null;
            if ($version !== $package->getVersion() || ($commits && $reference !== ($package->getSourceReference() ?? $package->getDistReference()))) {
                $names[] = $name;
                $with[] = $name.':=='.$version;
            }
        }

        return [$names, array_merge($with, $this->ofNew())];
    }

    /**
     * Constraints on packages that aren't locked yet.
     *
     * @return list<string>
     */
    private function ofNew(): array
    {
        $with = [];
        foreach (array_diff_key($this->exceptions + $this->excluded, $this->locked) as $name => $any) {
            $with[] = $name.':'.$this->held($name, '');
        }

        return $with;
    }

    /**
     * Keeps out what a result has that is affected and wasn't before.
     *
     * @param array<string, array<string, mixed>> $result
     */
    private function excludeAffected(array $result): bool
    {
        $this->advisories->load(array_keys($result));
        $found = false;
        foreach ($result as $name => $entry) {
            $version = $this->normal($entry);
            $before = isset($this->locked[$name]) ? $this->locked[$name]->getVersion() : null;
            $isNewlyAffected = $this->advisories->against($name, $version) !== []
                && ($before === null || $this->advisories->against($name, $before) === []);
            if ($isNewlyAffected && !in_array($version, $this->excluded[$name] ?? [], true)) {
                $this->excluded[$name][] = $version;
                $found = true;
            }
        }

        return $found;
    }

    /**
     * The candidates that composer.json and its exceptions leave; null if that is none.
     */
    private function constraint(string $name): ?string
    {
        $required = $this->required($name);
        $held = isset($this->exceptions[$name]) ? $this->parser->parseConstraints($this->exceptions[$name]) : null;
        $versions = [];
        foreach ($this->candidates[$name] ?? [] as $package) {
            $version = $package->getVersion();
            if (
                !Comparator::lessThan($version, $this->floors[$name])
                && ($required === null || self::allows($required, $version))
                && ($held === null || self::allows($held, $version))
            ) {
                $versions[] = '=='.$version;
            }
        }

        return $versions === [] ? null : implode(' || ', $versions);
    }

    /**
     * A bound, and what an exception and affected versions add to it.
     */
    private function held(string $name, string $bound): string
    {
        $exception = $this->exceptions[$name] ?? '*';
        $locked = $this->locked[$name] ?? null;
        // What is locked may stay, even where an exception came later.
        if ($locked !== null && !self::allows($this->parser->parseConstraints($exception), $locked->getVersion())) {
            $exception = '*';
        }
        $more = array_map(static fn (string $version): string => '!='.$version, $this->excluded[$name] ?? []);
        $parts = array_map(
            static fn (string $part): string => implode(' ', array_filter(array_merge([$part, $bound], $more), static fn (string $one): bool => $one !== '')),
            preg_split('{\s*\|\|?\s*}', trim($exception))
        );

        return implode(' || ', $parts);
    }

    private function required(string $name): ?ConstraintInterface
    {
        $link = $this->root->getRequires()[$name] ?? $this->root->getDevRequires()[$name] ?? null;

        return $link === null ? null : $link->getConstraint();
    }

    private static function allows(ConstraintInterface $constraint, string $version): bool
    {
        return $constraint->matches(new Constraint('==', $version));
    }

    /**
     * @param array<string, mixed> $entry of a lock
     */
    private function normal(array $entry): string
    {
        return $this->parser->normalize($entry['version']);
    }
}
