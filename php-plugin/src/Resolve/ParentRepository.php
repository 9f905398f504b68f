<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Composer\Package\PackageInterface;
use Composer\Repository\ArrayRepository;
use Composer\Repository\RepositoryInterface;

/**
 * A repository of the packages that a parent project has locked. It comes first among the
 * repositories, so no other version of these packages is considered.
 */
final class ParentRepository extends ArrayRepository
{
    /**
     * @param array<PackageInterface> $packages packages of the parent's lock
     * @param string                  $label    the parent's directory, for messages
     */
    public function __construct(array $packages, public readonly string $label)
    {
        parent::__construct($packages);
    }

    /**
     * Returns the label of the parent that has a package; null if no parent has it.
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
     * Returns the name of the repository in Composer's messages about unmet requirements.
     */
    public function getRepoName(): string
    {
        return 'the lock of the parent project '.$this->label;
    }
}
