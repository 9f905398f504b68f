<?php

declare(strict_types=1);

namespace Allegro\Plugin;

use Composer\Composer;
use Composer\Package\Locker;

/**
 * What objects of Composer keep in private and offer no other way to.
 *
 * Which of it is there depends on Composer's version: callers look before they rely on it.
 */
final class Internals
{
    /**
     * @param class-string $class whose private properties are wanted; also a parent of the object's own
     *
     * @return array<string, mixed> values by name; a property without a value is left out
     */
    public static function of(object $object, string $class): array
    {
        return \Closure::bind(static fn (): array => get_object_vars($object), null, $class)();
    }

    /**
     * @param class-string $class
     */
    public static function set(object $object, string $class, string $name, mixed $value): void
    {
        $set = static function () use ($object, $name, $value): void {
            $object->$name = $value;
        };
        \Closure::bind($set, null, $class)();
    }

    /**
     * Returns what reads and writes the lock of a Composer instance; null where there is none.
     *
     * Composer 2.2 gives the instance with which `create-project` unpacks the project's own package no locker. Getters
     * of later versions promise one, and throw where none was set.
     */
    public static function locker(Composer $composer): ?Locker
    {
        try {
            return $composer->getLocker();
        } catch (\Error $e) {
            return null;
        }
    }

    /**
     * Gives an object of a subclass everything that one of Composer's own class knows.
     *
     * @template T of object
     *
     * @param T            $successor
     * @param class-string $class     the one that both have in common
     *
     * @return T
     */
    public static function inherit(object $successor, object $from, string $class): object
    {
        $copy = static function () use ($from, $successor): void {
            foreach (get_object_vars($from) as $name => $value) {
                $successor->$name = $value;
            }
        };
        \Closure::bind($copy, null, $class)();

        return $successor;
    }
}
