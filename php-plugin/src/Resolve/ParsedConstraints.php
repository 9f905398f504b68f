<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Composer\Package\Version\VersionParser;
use Composer\Semver\Constraint\Constraint;
use Composer\Semver\Constraint\ConstraintInterface;
use Composer\Semver\Constraint\MatchAllConstraint;
use Composer\Semver\Constraint\MultiConstraint;

/**
 * Constraints that the native part has read. Composer's parser keeps what it has read, and finds them there; reading
 * them itself takes longer than all else that it does with the packages.
 */
final class ParsedConstraints
{
    /**
     * @param list<string> $parsed JSON of what is written and what it means, as `ResolveAnswer` of the core describes it:
     *                             all of them as arrays take more memory than what is made of them
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
     * @param array<mixed> $means
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
