<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

/**
 * A list of package names with wildcards, as settings in composer.json have it.
 */
final class NamePatterns
{
    /** @var list<string> lower case */
    private array $patterns;

    /**
     * @param mixed $setting one name or a list of names; anything else counts as none
     */
    public function __construct(mixed $setting)
    {
        $names = array_filter(is_array($setting) ? $setting : [$setting], 'is_string');
        $this->patterns = array_map('strtolower', array_values($names));
    }

    /**
     * @param string $name lower case
     */
    public function match(string $name): bool
    {
        foreach ($this->patterns as $pattern) {
            if (fnmatch($pattern, $name)) {
                return true;
            }
        }

        return false;
    }
}
