<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Internals;
use Composer\Package\AliasPackage;
use Composer\Package\BasePackage;
use Composer\Repository\ComposerRepository;

/**
 * A Composer repository that shows an update only the chosen versions.
 */
final class ResolvedRepository extends ComposerRepository
{
    /**
     * The number of packages that are made at a time. Decoded metadata takes more memory than the
     * packages made from it.
     */
    private const TOGETHER = 100;

    private ?Resolution $resolution = null;

    /** Whether the chosen versions have been handed over. */
    private bool $isShown = false;

    /**
     * Makes a repository that replaces another one, with all of its state.
     */
    public static function inPlaceOf(ComposerRepository $other, Resolution $resolution): self
    {
        $repository = (new \ReflectionClass(self::class))->newInstanceWithoutConstructor();
        Internals::inherit($repository, $other, ComposerRepository::class);
        $repository->resolution = $resolution;

        return $repository;
    }

    /**
     * Returns the chosen versions. If no versions were chosen, all versions are returned.
     *
     * {@inheritDoc}
     *
     * @return array{namesFound: array<string>, packages: array<BasePackage>}
     */
    public function loadPackages(array $packageNameMap, array $acceptableStabilities, array $stabilityFlags, array $alreadyLoaded = [])
    {
        $resolution = $this->resolution;
        $chosen = $resolution === null ? null : Guard::run(
            fn (): ?array => $this->chosen($resolution, $packageNameMap),
            DifferentChoiceException::abandon(...)
        );

        return $chosen ?? parent::loadPackages($packageNameMap, $acceptableStabilities, $stabilityFlags, $alreadyLoaded);
    }

    /**
     * Returns the chosen versions as a result of {@see loadPackages()}; null if all versions are
     * to be shown.
     *
     * @param array<string, mixed> $packageNameMap
     *
     * @return array{namesFound: array<string>, packages: array<BasePackage>}|null
     */
    private function chosen(Resolution $resolution, array $packageNameMap): ?array
    {
        $choice = $resolution->choiceFor($this);
        if ($choice === null) {
            return null;
        }
        $namesFound = array_values(array_filter(
            array_map('strval', array_keys($packageNameMap)),
            static fn (string $name): bool => isset($choice['found'][$name])
        ));
        // The first call returns all chosen versions, those of the requested names first. Composer
        // may never ask for some names, because it would meet them only through versions that are
        // not shown. One example is a package that replaces or provides another name.
        $versions = [];
        if (!$this->isShown) {
            $this->isShown = true;
            $versions = array_values(array_intersect_key($choice['versions'], $packageNameMap) + $choice['versions']);
            $resolution->shown($this);
            unset($choice['versions']);
        }
        $packages = [];
        foreach ($this->packagesOf($versions) as $package) {
            $package->setRepository($this);
            $packages[spl_object_hash($package)] = $package;
            if ($package instanceof AliasPackage && !isset($packages[spl_object_hash($package->getAliasOf())])) {
                $package->getAliasOf()->setRepository($this);
                $packages[spl_object_hash($package->getAliasOf())] = $package->getAliasOf();
            }
        }

        return ['namesFound' => $namesFound, 'packages' => $packages];
    }

    /**
     * Returns the location of this repository's metadata files, and the names that it lists.
     * Returns null if it has no such files.
     *
     * @return array{url: string, available: list<string>|null, patterns: list<string>|null, partial: bool, options: array<mixed>, cache: \Composer\Cache}|null
     */
    public function place(): ?array
    {
        $read = function (): ?array {
            // This call reads packages.json.
            $isOld = $this->hasProviders();
            if ($isOld || $this->lazyProvidersUrl === null) {
                return null;
            }

            return [
                'url' => $this->lazyProvidersUrl,
                'available' => $this->hasAvailablePackageList ? array_keys($this->availablePackages ?? []) : null,
                'patterns' => $this->hasAvailablePackageList ? array_values($this->availablePackagePatterns ?? []) : null,
                'partial' => $this->hasPartialPackages(),
                'options' => $this->options,
                'cache' => $this->cache,
            ];
        };

        return \Closure::bind($read, $this, ComposerRepository::class)();
    }

    /**
     * Returns whether all packages are in packages.json.
     */
    public function isInline(): bool
    {
        $read = fn (): bool => !$this->hasProviders() && $this->lazyProvidersUrl === null && !$this->hasPartialPackages();

        return \Closure::bind($read, $this, ComposerRepository::class)();
    }

    /**
     * Makes packages of the chosen versions.
     *
     * @param list<array{string, string}> $versions normalized version and JSON of each
     *
     * @return \Generator<BasePackage>
     *
     * @throws DifferentChoiceException if a package can't be made; Composer then reports the error
     */
    private function packagesOf(array $versions): \Generator
    {
        $create = fn (array $versions): array => $this->createPackages($versions, 'the chosen versions');
        $create = \Closure::bind($create, $this, ComposerRepository::class);
        foreach (array_chunk($versions, self::TOGETHER) as $some) {
            try {
                $data = [];
                foreach ($some as [$normalized, $json]) {
                    $version = json_decode($json, true, 512, JSON_THROW_ON_ERROR);
                    $version['version_normalized'] = $normalized;
                    $data[] = $version;
                }
                $packages = $create($data);
            } catch (\Throwable $e) {
                throw new DifferentChoiceException('a chosen version can not be loaded: '.$e->getMessage(), 0, $e);
            }
            yield from array_values($packages);
        }
    }
}
