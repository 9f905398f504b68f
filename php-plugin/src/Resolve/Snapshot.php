<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Install\DeclinedException;
use Composer\Package\AliasPackage;
use Composer\Package\Link;
use Composer\Package\PackageInterface;
use Composer\Repository\PlatformRepository;
use Composer\Repository\RootPackageRepository;
use Composer\Semver\Constraint\Constraint;
use Composer\Semver\Constraint\ConstraintInterface;
use Composer\Semver\Constraint\MatchAllConstraint;
use Composer\Semver\Constraint\MatchNoneConstraint;
use Composer\Semver\Constraint\MultiConstraint;

/**
 * Composer's objects in the form that the core reads: `GivenPackage` and `GivenConstraint` in
 * `crates/resolver/src/package.rs`.
 */
final class Snapshot
{
    /**
     * Returns packages with their links. An alias refers to its package by the place in the list.
     *
     * @param PackageInterface[] $packages     packages in their order
     * @param list<string>       $ignoredTypes package types that are left out
     * @param list<string>|null  $allowedTypes the only acceptable package types; null: all
     *
     * @return list<array<string, mixed>>
     *
     * @throws DeclinedException if an alias lacks its package, or a constraint's class is unknown
     */
    public static function packages(array $packages, array $ignoredTypes = [], ?array $allowedTypes = null): array
    {
        $packages = array_values($packages);
        $places = [];
        foreach ($packages as $place => $package) {
            $places[spl_object_id($package)] = $place;
        }
        $list = [];
        foreach ($packages as $package) {
            $entry = ['name' => $package->getName(), 'version' => $package->getVersion()];
            $selfRequires = false;
            if ($package instanceof AliasPackage) {
                $of = $places[spl_object_id($package->getAliasOf())] ?? null;
                if ($of === null) {
                    throw new DeclinedException($package->getName().' is an alias of a package that is not there');
                }
                $selfRequires = $package->hasSelfVersionRequires();
                $entry += ['alias_of' => $of, 'root_alias' => $package->isRootPackageAlias()];
            }
            $links = [
                'requires' => $package->getRequires(),
                'conflicts' => $package->getConflicts(),
                'replaces' => $package->getReplaces(),
                'provides' => $package->getProvides(),
            ];
            foreach ($links as $kind => $ofKind) {
                if ($ofKind !== []) {
                    $entry[$kind] = self::links($ofKind, $kind === 'requires' && $selfRequires);
                }
            }
            $repository = $package->getRepository();
            if ($repository instanceof PlatformRepository || $repository instanceof RootPackageRepository) {
                $entry['always'] = true;
            }
            if ($package->getDistType() === 'path' && ($package->getTransportOptions()['symlink'] ?? null) !== false) {
                $entry['linked_path'] = true;
            }
            if (in_array($package->getType(), $ignoredTypes, true) || ($allowedTypes !== null && !in_array($package->getType(), $allowedTypes, true))) {
                $entry['ignored'] = true;
            }
            $list[] = $entry;
        }

        return $list;
    }

    /**
     * Returns links as target, constraint, and whether they are written as `self.version`.
     *
     * @param Link[] $links
     * @param bool   $ofSelf whether all of them are treated as written so
     *
     * @return list<array{string, mixed, bool}>
     *
     * @throws DeclinedException
     */
    private static function links(array $links, bool $ofSelf): array
    {
        $list = [];
        foreach ($links as $link) {
            $list[] = [$link->getTarget(), self::constraint($link->getConstraint()), $ofSelf || $link->getPrettyConstraint() === 'self.version'];
        }

        return $list;
    }

    /**
     * Returns a constraint as nested arrays, or as true (everything matches) or false (nothing
     * matches).
     *
     * @return array<mixed>|bool
     *
     * @throws DeclinedException if the class of the constraint is unknown
     */
    public static function constraint(ConstraintInterface $constraint)
    {
        switch (get_class($constraint)) {
            case Constraint::class:
                return [$constraint->getOperator(), $constraint->getVersion()];
            case MultiConstraint::class:
                return [$constraint->isConjunctive() ? 'and' : 'or' => array_map([self::class, 'constraint'], $constraint->getConstraints())];
            case MatchAllConstraint::class:
                return true;
            case MatchNoneConstraint::class:
                return false;
        }

        throw new DeclinedException('a constraint is a '.get_class($constraint));
    }
}
