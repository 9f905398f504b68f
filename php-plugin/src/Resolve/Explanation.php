<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Install\DeclinedException;
use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\InterruptedException;
use Allegro\Plugin\Native\Protocol;
use Composer\Composer;
use Composer\Filter\PlatformRequirementFilter\PlatformRequirementFilterInterface;
use Composer\Package\AliasPackage;
use Composer\Package\BasePackage;
use Composer\Package\Link;
use Composer\Package\PackageInterface;
use Composer\Repository\PlatformRepository;
use Composer\Repository\RepositorySet;

/**
 * Explains why packages are locked in their versions. This class collects Composer's objects. The
 * native part tells which packages require a package and what speaks against each newer version.
 *
 * @phpstan-import-type ExplainPackage from Protocol
 * @phpstan-import-type ExplainPlatform from Protocol
 * @phpstan-import-type ExplainProject from Protocol
 * @phpstan-import-type ExplainRequest from Protocol
 * @phpstan-import-type ExplainSubject from Protocol
 * @phpstan-import-type WrittenLink from Protocol
 */
final class Explanation
{
    /** @var array<string, PackageInterface> locked packages by name */
    private array $locked = [];

    /** @var list<AliasPackage> aliases of locked packages */
    private array $aliases = [];

    /**
     * @param PackageInterface[] $locked
     */
    public function __construct(
        private readonly Composer $composer,
        array $locked,
        private readonly PlatformRequirementFilterInterface $ignored,
    ) {
        foreach ($locked as $package) {
            if ($package instanceof AliasPackage) {
                $this->aliases[] = $package;
            } else {
                $this->locked[$package->getName()] = $package;
            }
        }
    }

    /**
     * Returns the lines that explain these packages.
     *
     * @param list<string> $names
     *
     * @throws DeclinedException if a constraint is of an unknown class
     * @throws EngineException
     *
     * @return list<string>
     */
    public function of(Engine $engine, array $names): array
    {
        $request = $this->request($names);

        return InterruptedException::outlive(static fn (): array => $engine->explain($request));
    }

    /**
     * @param list<string> $names
     *
     * @return ExplainRequest
     */
    private function request(array $names): array
    {
        $subjects = $platform = $ignored = [];
        /** @var array<string, string|false> $overrides */
        $overrides = $this->composer->getConfig()->get('platform');
        // @mago-expect analysis:redundant-cast Composer doesn't check the setting's type.
        $versions = new PlatformRepository([], (array) $overrides);
        foreach ($names as $name) {
            [$subjects[], $candidates] = $this->subject(strtolower($name));
            foreach ($candidates as $candidate) {
                foreach (array_merge(array_values($candidate->getRequires()), array_values($candidate->getConflicts())) as $link) {
                    $target = $link->getTarget();
                    if (array_key_exists($target, $platform) || !PlatformRepository::isPlatformPackage($target)) {
                        continue;
                    }
                    $found = $versions->findPackage($target, '*');
                    $platform[$target] = $found === null ? null : ['name' => $target, 'version' => $found->getVersion(), 'pretty' => $found->getPrettyVersion()];
                    if ($this->ignored->isIgnored($target)) {
                        $ignored[] = $target;
                    }
                }
            }
        }

        return [
            'subjects' => $subjects,
            'project' => $this->project(),
            'locked' => array_map([self::class, 'package'], array_values($this->locked)),
            'aliases' => array_map([self::class, 'package'], $this->aliases),
            'platform' => array_values(array_filter($platform)),
            'ignored' => $ignored,
        ];
    }

    /**
     * @return array{ExplainSubject, list<PackageInterface>} subject, and its candidates as Composer's objects
     */
    private function subject(string $name): array
    {
        $package = $this->locked[$name] ?? null;
        $repositories = $this->composer->getRepositoryManager()->getRepositories();
        $parent = $package === null ? null : ParentRepository::labelOf($name, $repositories);
        $candidates = [];
        if ($package !== null && $parent === null) {
            // Only the first repository that has the name counts, as in an update.
            $set = new RepositorySet();
            foreach ($repositories as $repository) {
                $set->addRepository($repository);
            }
            $candidates = array_values(array_filter(
                $set->findPackages($name, null, RepositorySet::ALLOW_UNACCEPTABLE_STABILITIES),
                static fn (PackageInterface $found): bool => !$found instanceof AliasPackage && $found->getName() === $name
            ));
        }
        $subject = ['name' => $name, 'parent' => $parent, 'candidates' => array_map([self::class, 'package'], $candidates)];

        return [$subject, $candidates];
    }

    /**
     * @return ExplainProject
     */
    private function project(): array
    {
        $root = $this->composer->getPackage();
        $flags = [];
        foreach ($root->getStabilityFlags() as $name => $flag) {
            // @mago-expect analysis:redundant-cast PHP makes numbers of numeric keys.
            $flags[] = [(string) $name, $flag];
        }

        return [
            'requires' => self::links(array_merge(array_values($root->getRequires()), array_values($root->getDevRequires()))),
            'conflicts' => self::links($root->getConflicts()),
            'minimum_stability' => BasePackage::$stabilities[$root->getMinimumStability()],
            'stability_flags' => $flags,
        ];
    }

    /**
     * @return ExplainPackage
     */
    private static function package(PackageInterface $package): array
    {
        return [
            'name' => $package->getName(),
            'version' => $package->getVersion(),
            'pretty' => $package->getPrettyVersion(),
            'full' => $package->getFullPrettyVersion(),
            'requires' => self::links($package->getRequires()),
            'conflicts' => self::links($package->getConflicts()),
            'replaces' => self::links($package->getReplaces()),
            'provides' => self::links($package->getProvides()),
        ];
    }

    /**
     * @param Link[] $links
     *
     * @return list<WrittenLink>
     */
    private static function links(array $links): array
    {
        return array_values(array_map(
            static fn (Link $link): array => [$link->getTarget(), Snapshot::constraint($link->getConstraint()), $link->getPrettyConstraint()],
            $links
        ));
    }
}
