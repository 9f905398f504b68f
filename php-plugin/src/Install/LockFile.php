<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Internals;
use Composer\Json\JsonFile;

/**
 * A lock file that isn't parsed when it has just been written.
 *
 * Composer writes the lock and reads it again, which takes as long as to write it (0.02 s with 1,600 packages) and makes
 * every text of it a second time. What is read is still the file: only if its text is the one that was written, what it
 * means is known.
 */
final class LockFile extends JsonFile
{
    /** @var array{string, array<mixed>}|null what was written last, and what reading it gives */
    private static ?array $written = null;

    /**
     * Takes the place of a file, with everything that it knows.
     */
    public static function inPlaceOf(JsonFile $other): self
    {
        return Internals::inherit((new \ReflectionClass(self::class))->newInstanceWithoutConstructor(), $other, JsonFile::class);
    }

    /**
     * {@inheritDoc}
     *
     * @param mixed ...$arguments the content, options, and what differs between versions
     */
    public static function encode(...$arguments): string
    {
        self::$written = null;
        $text = parent::encode(...$arguments);
        Guard::attempt(static function () use ($text, $arguments): void {
            $read = is_array($arguments[0]) ? self::asRead($arguments[0]) : null;
            if ($read !== null) {
                self::$written = [$text, $read];
            }
        });

        return $text;
    }

    /**
     * {@inheritDoc}
     *
     * @param mixed ...$arguments the text, and the file's name
     *
     * @return mixed
     */
    public static function parseJson(...$arguments)
    {
        return Guard::attempt(static fn (): ?array => self::known($arguments[0] ?? null)) ?? parent::parseJson(...$arguments);
    }

    /**
     * Returns what a text means if it is the one that was written last.
     *
     * @return array<mixed>|null
     */
    private static function known(mixed $json): ?array
    {
        [$text, $read] = self::$written ?? [null, null];
        if ($text === null || !is_string($json) || rtrim($json, "\n") !== $text) {
            return null;
        }
        // It is asked for once; then the locker has it.
        self::$written = null;

        return $read;
    }

    /**
     * What comes back when this has been JSON; null if that is not certain.
     *
     * @param array<mixed> $data
     *
     * @return array<mixed>|null
     */
    private static function asRead(array $data): ?array
    {
        // Empty lists that are to be objects are objects.
        foreach ($data as $key => $value) {
            if ($value instanceof \stdClass && (array) $value === []) {
                $data[$key] = [];
            }
        }

        return self::isCertain($data) ? $data : null;
    }

    /**
     * No objects, and no numbers with a point: without anything behind it they become whole ones.
     *
     * @param array<mixed> $data
     */
    private static function isCertain(array $data): bool
    {
        // A walk with a callback takes as long as parsing would.
        foreach ($data as $value) {
            if (is_array($value) ? !self::isCertain($value) : is_float($value) || is_object($value)) {
                return false;
            }
        }

        return true;
    }
}
