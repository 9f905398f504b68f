<?php

declare(strict_types=1);

namespace Allegro\Plugin\Takeover;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Internals;
use Composer\Json\JsonFile;
use Composer\Package\Link;
use Composer\Package\Loader\ArrayLoader;
use Composer\Package\Locker;
use Composer\Package\PackageInterface;
use Composer\Package\RootPackageInterface;
use Composer\Package\Version\VersionParser;
use Composer\Repository\PlatformRepository;
use Composer\Semver\Constraint\Constraint;

/**
 * Makes Composer's locker faster: looks requirements up by name, and loads no locked package twice.
 *
 * For each requirement, Composer looks through the whole lock. That takes 0.2 s with 1,600 packages
 * and as many requirements. This class looks names up instead. A requirement that is met by an
 * alias, or not at all, makes Composer look for itself. So every message is Composer's own.
 *
 * @phpstan-type LockedPackage array{
 *     name?: string|null,
 *     version?: string|null,
 *     replace?: array<string>,
 *     provide?: array<string>,
 *     version_normalized?: string,
 * }
 */
final class IndexedLocker extends Locker
{
    /**
     * Gets all packages before they are written to the lock.
     *
     * @var (\Closure(array<PackageInterface>): void)|null
     */
    private ?\Closure $beforeWrite = null;

    /**
     * Makes a locker that takes the place of another one, with the state of the other.
     */
    public static function inPlaceOf(Locker $other): self
    {
        $locker = Internals::inherit((new \ReflectionClass(self::class))->newInstanceWithoutConstructor(), $other, Locker::class);
        /**
         * @var ArrayLoader|null $loader
         * @var JsonFile|null    $file
         */
        ['loader' => $loader, 'lockFile' => $file] = Internals::of($locker, Locker::class, 'loader', 'lockFile') + ['loader' => null, 'lockFile' => null];
        if (is_object($loader) && get_class($loader) === ArrayLoader::class) {
            Internals::set($locker, Locker::class, 'loader', LockLoader::inPlaceOf($loader));
        }
        if (is_object($file) && get_class($file) === JsonFile::class) {
            Internals::set($locker, Locker::class, 'lockFile', LockFile::inPlaceOf($file));
        }

        return $locker;
    }

    /**
     * Sets a closure that gets all packages before they are written to the lock, and that may
     * throw.
     *
     * @param \Closure(array<PackageInterface>): void $look
     */
    public function beforeWrite(\Closure $look): void
    {
        $this->beforeWrite = $look;
    }

    /**
     * {@inheritDoc}
     *
     * @param mixed ...$arguments packages, those for development, and what differs between versions
     */
    // The parameters depend on Composer's version.
    // @mago-expect analysis:incompatible-parameter-count
    public function setLockData(...$arguments): bool
    {
        /** @var array{PackageInterface[], PackageInterface[]|null, ...} $arguments */
        Guard::attempt(function () use ($arguments): void {
            if ($this->beforeWrite !== null) {
                ($this->beforeWrite)(array_merge($arguments[0], $arguments[1] ?? []));
            }
        });

        // @mago-expect analysis:too-few-arguments Composer has passed as many as its version needs.
        return parent::setLockData(...$arguments);
    }

    /**
     * {@inheritDoc}
     *
     * Composer calls this method since 2.5.
     *
     * @param bool $includeDev
     *
     * @return string[]
     */
    public function getMissingRequirementInfo(RootPackageInterface $package, $includeDev): array
    {
        // @mago-expect analysis:redundant-cast Composer 2.2 declares no types.
        return Guard::attempt(fn (): bool => $this->isMet($package, (bool) $includeDev)) === true
            ? []
            : parent::getMissingRequirementInfo($package, $includeDev);
    }

    /**
     * Tells whether the lock holds everything that a project requires, beyond doubt.
     */
    private function isMet(RootPackageInterface $package, bool $includeDev): bool
    {
        /** @var array{packages?: list<LockedPackage>, 'packages-dev'?: list<LockedPackage>|null} $lock */
        $lock = Guard::out(fn (): array => $this->getLockData());
        $packages = $lock['packages'] ?? [];
        $dev = $lock['packages-dev'] ?? null;
        try {
            return $this->meets($packages, $package->getRequires())
                && (!$includeDev || (is_array($dev) && $this->meets(array_merge($packages, $dev), $package->getDevRequires())));
        } catch (\UnexpectedValueException $e) {
            // A version or a constraint is not valid, and Composer says so in its own way.
            return false;
        }
    }

    /**
     * Tells whether packages of the lock meet all requirements, beyond doubt.
     *
     * @param list<LockedPackage> $packages
     * @param Link[]              $requires
     *
     * @throws \UnexpectedValueException if a version or a constraint of the lock is none
     */
    private function meets(array $packages, array $requires): bool
    {
        $wanted = [];
        foreach ($requires as $link) {
            if (!PlatformRepository::isPlatformPackage($link->getTarget()) && $link->getPrettyConstraint() !== 'self.version') {
                $wanted[$link->getTarget()][] = $link->getConstraint();
            }
        }
        $parser = new VersionParser();
        foreach ($packages as $package) {
            if (!is_string($package['name'] ?? null) || !is_string($package['version'] ?? null) || isset($package['version_normalized'])) {
                return false;
            }
            $offers = [strtolower($package['name']) => null];
            foreach (['replace', 'provide'] as $type) {
                foreach ($package[$type] ?? [] as $target => $version) {
                    $offers += [strtolower((string) $target) => $version];
                }
            }
            foreach (array_intersect_key($offers, $wanted) as $target => $version) {
                $offer = $version === null
                    ? new Constraint('==', $parser->normalize($package['version']))
                    : $parser->parseConstraints($version === 'self.version' ? $package['version'] : $version);
                $wanted[$target] = array_filter($wanted[$target], static fn ($constraint): bool => !$constraint->matches($offer));
            }
        }

        return array_filter($wanted) === [];
    }
}
