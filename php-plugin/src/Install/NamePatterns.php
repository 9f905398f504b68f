<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

/**
 * Matches package names with a list of names with wildcards, as settings in composer.json have it.
 */
final class NamePatterns
{
    /**
     * The names of the list, in lower case.
     *
     * @var list<string>
     */
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
     * Tells whether a name matches the list.
     *
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
