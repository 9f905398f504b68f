<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Install\DeclinedException;
use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\InterruptedException;
use Allegro\Plugin\Native\Protocol;
use Composer\Package\AliasPackage;
use Composer\Package\Link;
use Composer\Package\PackageInterface;
use Composer\Package\RootPackageInterface;
use Composer\Repository\RepositoryInterface;
use Composer\Repository\RepositorySet;
use Composer\Semver\Constraint\ConstraintInterface;
use Composer\Semver\VersionParser;

/**
 * Carries out the native search for the smallest update of a lock that mends some packages.
 *
 * The native part decides which updates are tried. Composer tries them, and answers questions about
 * advisories and policies.
 *
 * @phpstan-import-type MendAffected from Protocol
 * @phpstan-import-type MendLocked from Protocol
 * @phpstan-import-type MendPlan from Protocol
 * @phpstan-import-type MendRequest from Protocol
 * @phpstan-import-type MendRequirement from Protocol
 * @phpstan-import-type MendTrial from Protocol
 * @phpstan-import-type MendTrialPackage from Protocol
 */
final class Mending
{
    private readonly VersionParser $parser;

    /**
     * Versions of the affected packages that no advisory affects, by name and normalized version.
     *
     * @var array<string, array<string, PackageInterface>>
     */
    private array $versions = [];

    /**
     * @param array<string, PackageInterface>                          $locked by name
     * @param \Closure(list<PackageInterface>): list<PackageInterface> $allow  removes what policies exclude
     */
    public function __construct(
        private readonly Engine $engine,
        private readonly RootPackageInterface $root,
        private readonly array $locked,
        private readonly Advisories $advisories,
        private readonly Trial $trial,
        private readonly \Closure $allow,
    ) {
        $this->parser = new VersionParser();
    }

    /**
     * Returns the update that mends as many packages as possible, after all trials that the search
     * needs.
     *
     * @param list<string>               $names        affected packages, in the order of the lock
     * @param array<RepositoryInterface> $repositories
     * @param array<string, string>      $pinned       constraints by name
     * @param bool                       $hasPolicies  whether an update can ignore policies
     *
     * @throws DeclinedException|EngineException
     *
     * @return MendPlan
     */
    public function plan(array $names, array $repositories, array $pinned, bool $hasPolicies): array
    {
        $affected = [];
        foreach ($names as $name) {
            $affected[] = $this->affected($name, $repositories);
        }
        $request = [
            'locked' => $this->locked(array_fill_keys($names, true)),
            'requires' => self::requirements([...array_values($this->root->getRequires()), ...array_values($this->root->getDevRequires())]),
            'pinned' => $this->pinned($pinned),
            'affected' => $affected,
            'has_policies' => $hasPolicies,
            'allowed' => null,
            'results' => [],
        ];
        for (;;) {
            $answer = InterruptedException::outlive(fn (): array => $this->engine->mend($request));
            switch ($answer['step']) {
                case 'filter':
                    $request['allowed'] = array_map(fn (array $candidates): array => $this->allowed(...$candidates), $answer['candidates']);
                    break;
                case 'try':
                    $request['results'][] = $this->tried($answer);
                    break;
                default:
                    return $answer;
            }
        }
    }

    /**
     * @param array<RepositoryInterface> $repositories
     *
     * @return MendAffected
     */
    private function affected(string $name, array $repositories): array
    {
        $this->versions[$name] = [];
        if (!$this->locked[$name]->isDev()) {
            $set = new RepositorySet($this->root->getMinimumStability(), $this->root->getStabilityFlags());
            foreach ($repositories as $repository) {
                $set->addRepository($repository);
            }
            foreach ($set->findPackages($name) as $package) {
                if (
                    !$package instanceof AliasPackage
                    && $package->getName() === $name
                    && !$package->isDev()
                    && $this->advisories->against($name, $package->getVersion()) === []
                ) {
                    $this->versions[$name][$package->getVersion()] = $package;
                }
            }
        }
        $versions = array_map(static fn (PackageInterface $package): array => [$package->getVersion(), $package->getPrettyVersion()], $this->versions[$name]);

        return ['name' => $name, 'versions' => array_values($versions), 'parent' => ParentRepository::labelOf($name, $repositories)];
    }

    /**
     * @param array<string, true> $affected by name
     *
     * @throws DeclinedException
     *
     * @return list<MendLocked>
     */
    private function locked(array $affected): array
    {
        $list = [];
        foreach ($this->locked as $name => $package) {
            $list[] = [
                'name' => $name,
                'version' => $package->getVersion(),
                'pretty' => $package->getPrettyVersion(),
                'reference' => $package->getSourceReference() ?? $package->getDistReference(),
                'is_affected' => $this->advisories->against($name, $package->getVersion()) !== [],
                'requires' => self::requirements(array_filter($package->getRequires(), static fn (Link $link): bool => isset($affected[$link->getTarget()]))),
            ];
        }

        return $list;
    }

    /**
     * @param array<Link> $links
     *
     * @throws DeclinedException
     *
     * @return list<MendRequirement>
     */
    private static function requirements(array $links): array
    {
        $requirement = static fn (Link $link): array => self::requirement($link->getTarget(), $link->getPrettyConstraint(), $link->getConstraint());

        return array_map($requirement, array_values($links));
    }

    /**
     * @throws DeclinedException
     *
     * @return MendRequirement
     */
    private static function requirement(string $name, string $written, ConstraintInterface $constraint): array
    {
        return [$name, $written, Snapshot::constraint($constraint)];
    }

    /**
     * @param array<string, string> $constraints by name
     *
     * @throws DeclinedException
     *
     * @return list<MendRequirement>
     */
    private function pinned(array $constraints): array
    {
        $pinned = [];
        foreach ($constraints as $name => $constraint) {
            $pinned[] = self::requirement($name, $constraint, $this->parser->parseConstraints($constraint));
        }

        return $pinned;
    }

    /**
     * Returns the versions that policies allow, with the package's name.
     *
     * @param list<string> $versions normalized
     *
     * @return array{string, list<string>}
     */
    private function allowed(string $name, array $versions): array
    {
        $packages = array_map(fn (string $version): PackageInterface => $this->versions[$name][$version], $versions);
        $allowed = ($this->allow)($packages);

        return [$name, array_map(static fn (PackageInterface $package): string => $package->getVersion(), $allowed)];
    }

    /**
     * Tries an update, and returns the packages of the lock that it would write. Returns null if
     * there is no solution.
     *
     * @param MendTrial $trial
     *
     * @return list<MendTrialPackage>|null
     */
    private function tried(array $trial): ?array
    {
        $options = ['with' => $trial['with']];
        if ($trial['prefer_lowest']) {
            $options += ['with-all-dependencies' => $trial['with_all_dependencies'], 'prefer-lowest' => true, 'prefer-stable' => false];
        }
        if ($trial['ignore_policies']) {
            // Composer 2.9 has the first option, later versions have the second.
            $options += ['no-security-blocking' => true, 'no-blocking' => true];
        }
        $entries = $this->trial->run($options, $trial['packages']);
        if ($entries === null) {
            return null;
        }
        if ($trial['needs_advisories']) {
            $this->advisories->load(array_keys($entries));
        }
        $packages = [];
        foreach ($entries as $name => $entry) {
            $version = $this->parser->normalize($entry['version']);
            $packages[] = [
                'name' => $name,
                'version' => $version,
                'reference' => $entry['source']['reference'] ?? $entry['dist']['reference'] ?? null,
                'is_affected' => $trial['needs_advisories'] && $this->advisories->against($name, $version) !== [],
            ];
        }

        return $packages;
    }
}
