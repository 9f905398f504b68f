<?php

declare(strict_types=1);

namespace Allegro\Plugin\Takeover;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Internals;
use Composer\Json\JsonFile;

/**
 * Represents the lock file, and doesn't parse a text that it has just written.
 *
 * Composer writes the lock and reads it again. Reading takes as long as writing (0.02 s with 1,600
 * packages) and makes every string a second time. The file itself is still read. If its text is the
 * one that was written, the content is known without parsing.
 */
final class LockFile extends JsonFile
{
    /**
     * The text that was written last, and the content that reading it gives.
     *
     * @var array{string, array<mixed>}|null
     */
    private static ?array $written = null;

    /**
     * Makes a file that takes the place of another one, with the state of the other.
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
    // The parameters depend on Composer's version.
    // @mago-expect analysis:incompatible-parameter-count
    public static function encode(...$arguments): string
    {
        self::$written = null;
        // @mago-expect analysis:too-few-arguments Composer has passed as many as its version needs.
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
    // The parameters depend on Composer's version.
    // @mago-expect analysis:incompatible-parameter-count
    public static function parseJson(...$arguments)
    {
        // @mago-expect analysis:too-few-arguments Composer has passed as many as its version needs.
        return Guard::attempt(static fn (): ?array => self::known($arguments[0] ?? null)) ?? parent::parseJson(...$arguments);
    }

    /**
     * Returns the content of a text that is the one written last, or null for another text.
     *
     * @return array<mixed>|null
     */
    private static function known(mixed $json): ?array
    {
        [$text, $read] = self::$written ?? [null, null];
        if ($text === null || !is_string($json) || rtrim($json, "\n") !== $text) {
            return null;
        }
        // The locker asks once, and then has the content.
        self::$written = null;

        return $read;
    }

    /**
     * Returns the content that data has after it was written and read as JSON. It returns null if
     * that is not certain.
     *
     * @param array<mixed> $data
     *
     * @return array<mixed>|null
     */
    private static function asRead(array $data): ?array
    {
        // Empty objects stand for empty lists that are written as objects. Reading gives empty
        // arrays for them.
        /** @var mixed $value */
        foreach ($data as $key => $value) {
            if ($value instanceof \stdClass && (array) $value === []) {
                $data[$key] = [];
            }
        }

        return self::isCertain($data) ? $data : null;
    }

    /**
     * Tells whether data stays the same when it is written and read as JSON.
     *
     * It must hold no objects and no floats, because a float without decimals becomes an integer.
     *
     * @param array<mixed> $data
     */
    private static function isCertain(array $data): bool
    {
        // A walk with a callback would take as long as parsing.
        /** @var mixed $value */
        foreach ($data as $value) {
            if (is_array($value) ? !self::isCertain($value) : is_float($value) || is_object($value)) {
                return false;
            }
        }

        return true;
    }
}
