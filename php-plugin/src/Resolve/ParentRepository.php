<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Composer\Package\PackageInterface;
use Composer\Repository\ArrayRepository;
use Composer\Repository\RepositoryInterface;

/**
 * What a parent project has locked. First among the repositories, it leaves no other version of these packages.
 */
final class ParentRepository extends ArrayRepository
{
    /**
     * @param array<PackageInterface> $packages
     * @param string                  $label    where the parent is, for people
     */
    public function __construct(array $packages, public readonly string $label)
    {
        parent::__construct($packages);
    }

    /**
     * Where the parent is that has a package; null if none has it.
     *
     * @param array<RepositoryInterface> $repositories
     */
    public static function labelOf(string $name, array $repositories): ?string
    {
        foreach ($repositories as $repository) {
            if ($repository instanceof self && $repository->findPackages($name) !== []) {
                return $repository->label;
            }
        }

        return null;
    }

    /**
     * How Composer calls it where a requirement can't be met.
     */
    public function getRepoName(): string
    {
        return 'the lock of the parent project '.$this->label;
    }
}
