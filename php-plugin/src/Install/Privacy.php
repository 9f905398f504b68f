<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Composer\Composer;
use Composer\Package\PackageInterface;

/**
 * Which packages get files of their own, because somebody is known to write into them.
 *
 * Through a hard link such a write would reach the store and every other project.
 */
final class Privacy
{
    /** @var list<string>|null patterns of names, lower case */
    private ?array $patterns = null;

    public function __construct(private readonly Composer $composer)
    {
    }

    public function isPrivate(PackageInterface $package): bool
    {
        // Plugins write over files of their own dist: generated configurations, version lists.
        if (in_array($package->getType(), ['composer-plugin', 'composer-installer'], true)) {
            return true;
        }
        foreach ($this->patterns() as $pattern) {
            if (fnmatch($pattern, $package->getName())) {
                return true;
            }
        }

        return false;
    }

    /**
     * @return list<string>
     */
    private function patterns(): array
    {
        if ($this->patterns !== null) {
            return $this->patterns;
        }
        $extra = $this->composer->getPackage()->getExtra();
        $patterns = self::texts($extra['allegro']['copy'] ?? []);
        $patterns = array_merge($patterns, $this->patched($extra), $this->scaffolded($extra));

        return $this->patterns = array_map('strtolower', $patterns);
    }

    /**
     * Packages named in patch lists: cweagans/composer-patches 1 and 2, and what follows their form.
     *
     * @param array<string, mixed> $extra
     *
     * @return list<string>
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
            $data = $text === false ? null : json_decode($text, true);
            $lists[] = is_array($data['patches'] ?? null) ? $data['patches'] : [];
        }
        foreach ($this->locked() as $package) {
            $lists[] = $package['extra']['patches'] ?? [];
            // Another patching plugin, whose lists we don't know: everything may be patched.
            if (
                ($package['type'] ?? '') === 'composer-plugin'
                && str_contains($package['name'] ?? '', 'patch')
                && ($package['name'] ?? '') !== 'cweagans/composer-patches'
            ) {
                return ['*'];
            }
        }
        $names = [];
        foreach ($lists as $list) {
            if (is_array($list)) {
                $names = array_merge($names, array_filter(array_keys($list), 'is_string'));
            }
        }

        return $names;
    }

    /**
     * @return list<array<string, mixed>> none if the lock can't be read: Composer says so itself
     */
    private function locked(): array
    {
        $locker = $this->composer->getLocker();
        try {
            $lock = $locker->isLocked() ? $locker->getLockData() : [];
        } catch (\Exception $e) {
            return [];
        }

        return array_merge($lock['packages'] ?? [], $lock['packages-dev'] ?? []);
    }

    /**
     * Packages whose files drupal/core-composer-scaffold may link into the web root.
     *
     * @param array<string, mixed> $extra
     *
     * @return list<string>
     */
    private function scaffolded(array $extra): array
    {
        $scaffold = $extra['drupal-scaffold'] ?? null;

        return is_array($scaffold)
            ? array_merge(['drupal/core'], self::texts($scaffold['allowed-packages'] ?? []))
            : [];
    }

    /**
     * @param mixed $values
     *
     * @return list<string>
     */
    private static function texts($values): array
    {
        return array_values(array_filter(is_array($values) ? $values : [$values], 'is_string'));
    }
}
