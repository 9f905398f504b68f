<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Internals;
use Composer\Package\AliasPackage;
use Composer\Package\BasePackage;
use Composer\Repository\ComposerRepository;

/**
 * Composer's repository, which shows an update only the versions that were chosen before.
 */
final class ResolvedRepository extends ComposerRepository
{
    /** So many packages are made at a time: what is read of their metadata takes more memory than they do. */
    private const TOGETHER = 100;

    private ?Resolution $resolution = null;

    /** The chosen versions have been handed over. */
    private bool $isShown = false;

    /**
     * Takes the place of a repository, with everything that it knows.
     */
    public static function inPlaceOf(ComposerRepository $other, Resolution $resolution): self
    {
        $repository = (new \ReflectionClass(self::class))->newInstanceWithoutConstructor();
        Internals::inherit($repository, $other, ComposerRepository::class);
        $repository->resolution = $resolution;

        return $repository;
    }

    /**
     * {@inheritDoc}
     *
     * @return array{namesFound: array<string>, packages: array<BasePackage>}
     */
    public function loadPackages(array $packageNameMap, array $acceptableStabilities, array $stabilityFlags, array $alreadyLoaded = [])
    {
        $resolution = $this->resolution;
        $chosen = $resolution === null ? null : Guard::run(
            fn (): ?array => $this->chosen($resolution, $packageNameMap),
            static fn (): never => DifferentChoiceException::abandon()
        );

        return $chosen ?? parent::loadPackages($packageNameMap, $acceptableStabilities, $stabilityFlags, $alreadyLoaded);
    }

    /**
     * Returns the chosen versions as an answer to {@see loadPackages()}; null if all versions are to be shown.
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
        // All at once, those that are asked for first: some are met only by way of versions that are not shown, say
        // a package that offers what another name stands for.
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
     * Where the metadata files of this repository are, and what it says of itself; null if it has none.
     *
     * @return array{url: string, available: list<string>|null, patterns: list<string>|null, partial: bool, options: array<mixed>, cache: \Composer\Cache}|null
     */
    public function place(): ?array
    {
        $read = function (): ?array {
            // Reads packages.json.
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
     * Whether all packages are in packages.json.
     */
    public function isInline(): bool
    {
        $read = fn (): bool => !$this->hasProviders() && $this->lazyProvidersUrl === null && !$this->hasPartialPackages();

        return \Closure::bind($read, $this, ComposerRepository::class)();
    }

    /**
     * @param list<array{string, string}> $versions
     *
     * @return \Generator<BasePackage>
     *
     * @throws DifferentChoiceException if no packages can be made of them: Composer says so in its own words
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
