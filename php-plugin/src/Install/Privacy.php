<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Internals;
use Composer\Composer;
use Composer\Package\PackageInterface;

/**
 * Decides which packages get files of their own, because other code is known to write into them.
 *
 * Through a hard link such a write would reach the store and every other project.
 *
 * @phpstan-type LockedPackage array{
 *     name?: string,
 *     type?: string,
 *     extra?: array{patches?: mixed, ...},
 *     ...
 * }
 */
final class Privacy
{
    /**
     * Patterns of package names, by a description that is to be read after "it is".
     *
     * @var array<string, NamePatterns>|null
     */
    private ?array $patterns = null;

    public function __construct(private readonly Composer $composer)
    {
    }

    /**
     * Returns the reason for which a package gets files of its own wherever it is installed. It
     * returns null if nothing speaks against sharing.
     *
     * @return string|null what the package is, to be read after "it is"
     */
    public function reason(PackageInterface $package): ?string
    {
        if (in_array($package->getType(), ['composer-plugin', 'composer-installer'], true)) {
            // Plugins write over files of their own dist, such as generated configurations and
            // version lists.
            return 'a plugin, which may write into its own files';
        }
        foreach ($this->patterns() as $reason => $patterns) {
            if ($patterns->match($package->getName())) {
                return $reason;
            }
        }

        return null;
    }

    /**
     * Returns the patterns of package names, by a description of the packages.
     *
     * @return array<string, NamePatterns>
     */
    private function patterns(): array
    {
        if ($this->patterns === null) {
            $extra = $this->composer->getPackage()->getExtra();
            $this->patterns = [
                'named in extra.allegro.copy' => new NamePatterns($extra['allegro']['copy'] ?? []),
                'named in a list of patches' => new NamePatterns($this->patched($extra)),
                'in reach of a patching plugin whose lists are not known' => new NamePatterns($this->hasUnknownPatcher() ? '*' : []),
                'a source of drupal-scaffold' => new NamePatterns(self::scaffolded($extra)),
            ];
        }

        return $this->patterns;
    }

    /**
     * Returns the names in patch lists, which are those of cweagans/composer-patches 1 and 2 and
     * others of their form.
     *
     * @param array<mixed> $extra
     *
     * @return array<string>
     */
    private function patched(array $extra): array
    {
        $lists = [$extra['patches'] ?? []];
        $files = array_filter([
            $extra['patches-file'] ?? null,
            $extra['composer-patches']['patches-file'] ?? null,
            'patches.json',
            'patches.lock.json',
        ], 'is_string');
        foreach ($files as $file) {
            $text = is_file($file) ? file_get_contents($file) : false;
            /** @var array{patches?: mixed}|scalar|null $data */
            $data = $text === false ? null : json_decode($text, true);
            $lists[] = is_array($data['patches'] ?? null) ? $data['patches'] : [];
        }
        foreach ($this->locked() as $package) {
            $lists[] = $package['extra']['patches'] ?? [];
        }
        $names = [];
        /** @var mixed $list */
        foreach ($lists as $list) {
            if (is_array($list)) {
                $names = array_merge($names, array_filter(array_keys($list), 'is_string'));
            }
        }

        return $names;
    }

    /**
     * Tells whether the lock has a patching plugin whose lists are not known. Such a plugin may
     * patch every package.
     */
    private function hasUnknownPatcher(): bool
    {
        foreach ($this->locked() as $package) {
            if (
                ($package['type'] ?? '') === 'composer-plugin'
                && str_contains($package['name'] ?? '', 'patch')
                && ($package['name'] ?? '') !== 'cweagans/composer-patches'
            ) {
                return true;
            }
        }

        return false;
    }

    /**
     * Returns all packages of the lock, as the lock describes them.
     *
     * @return array<LockedPackage> none if the lock can't be read: Composer says so itself
     */
    private function locked(): array
    {
        $locker = Internals::locker($this->composer);
        try {
            $lock = $locker !== null && $locker->isLocked() ? $locker->getLockData() : [];
        } catch (\Exception $e) {
            return [];
        }

        /** @var array{packages?: list<LockedPackage>, 'packages-dev'?: list<LockedPackage>} $lock */
        return array_merge($lock['packages'] ?? [], $lock['packages-dev'] ?? []);
    }

    /**
     * Returns the packages whose files drupal/core-composer-scaffold may link into the web root.
     *
     * @param array<mixed> $extra
     *
     * @return list<mixed>
     */
    private static function scaffolded(array $extra): array
    {
        /** @var array{'allowed-packages'?: scalar|array<mixed>|null}|scalar|null $scaffold */
        $scaffold = $extra['drupal-scaffold'] ?? null;

        return is_array($scaffold) ? ['drupal/core', ...array_values((array) ($scaffold['allowed-packages'] ?? []))] : [];
    }
}
