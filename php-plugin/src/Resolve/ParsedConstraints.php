<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Composer\Package\Version\VersionParser;
use Composer\Semver\Constraint\Constraint;
use Composer\Semver\Constraint\ConstraintInterface;
use Composer\Semver\Constraint\MatchAllConstraint;
use Composer\Semver\Constraint\MultiConstraint;

/**
 * Passes constraints that the native part has parsed to the cache of Composer's parser. Parsing
 * takes Composer longer than all its other work on the packages.
 */
final class ParsedConstraints
{
    /**
     * Adds constraints to the parser's cache. Composer versions without a cache are left alone.
     *
     * @param list<string> $parsed JSON of each text and its meaning, as `ResolveAnswer` of the core
     *                             describes it; all of them decoded at once take more memory than
     *                             the constraints
     */
    public static function remember(array $parsed): void
    {
        if (!property_exists(VersionParser::class, 'constraints')) {
            return;
        }
        $read = [];
        foreach ($parsed as $json) {
            [$text, $means] = json_decode($json, true, 512, JSON_THROW_ON_ERROR);
            $read[$text] = self::made($means);
            $read[$text]->setPrettyString($text);
        }
        $add = static function () use ($read): void {
            self::$constraints += $read;
        };
        \Closure::bind($add, null, VersionParser::class)();
    }

    /**
     * Returns the constraint that a decoded meaning stands for.
     *
     * @param array<mixed> $means operator and version, or `and`/`or` with parts, or `*`
     */
    private static function made(array $means): ConstraintInterface
    {
        switch ($means[0]) {
            case '*':
                return new MatchAllConstraint();
            case 'and':
            case 'or':
                return new MultiConstraint(array_map([self::class, 'made'], array_slice($means, 1)), $means[0] === 'and');
            default:
                return new Constraint($means[0], $means[1]);
        }
    }
}
