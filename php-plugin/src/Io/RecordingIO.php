<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

use Allegro\Plugin\Guard;
use Composer\IO\IOInterface;

/**
 * Passes on the messages of a dump, and records them for later dumps that would print the same.
 *
 * Only Composer's AutoloadGenerator receives this object. That class writes and asks for the
 * verbosity, and does nothing else with its IO.
 */
final class RecordingIO extends PassingIO
{
    /**
     * The largest number of bytes that are recorded. A project with thousands of warnings is dumped
     * in full each time.
     */
    private const LIMIT = 1 << 20;

    /** The approximate number of bytes that PHP needs for a message apart from its text. */
    private const OVERHEAD = 512;

    /**
     * Recorded messages, each with its newline flag and its verbosity.
     *
     * @var list<array{string|list<string>, bool, int}>
     */
    private array $said = [];

    /** The approximate size of the recorded messages, in bytes. */
    private int $bytes = 0;

    /**
     * Returns all messages so far as text, or null if they exceed the limit.
     */
    public function said(): ?string
    {
        if ($this->bytes > self::LIMIT) {
            return null;
        }

        // Messages name classes and files, which needn't be UTF-8.
        return base64_encode(serialize($this->said));
    }

    /**
     * Writes the messages that {@see said()} has returned.
     */
    public static function repeat(string $said, IOInterface $io): void
    {
        /** @var list<array{string|list<string>, bool, int}> $lines */
        // @mago-expect analysis:invalid-type-cast said() has serialized an array.
        $lines = (array) unserialize((string) base64_decode($said), ['allowed_classes' => false]);
        foreach ($lines as [$messages, $newline, $verbosity]) {
            $io->writeError($messages, $newline, $verbosity);
        }
    }

    /**
     * {@inheritDoc}
     *
     * @param string|string[] $messages
     * @param bool            $newline
     * @param int             $verbosity
     */
    public function writeError($messages, $newline = true, $verbosity = self::NORMAL): void
    {
        // @mago-expect analysis:redundant-cast Composer 2.2 declares no types.
        Guard::attempt(fn () => $this->remember($messages, (bool) $newline, (int) $verbosity));
        $this->io->writeError($messages, $newline, $verbosity);
    }

    /**
     * Records a message, and drops all messages once they exceed the limit.
     *
     * @param string|string[] $messages
     */
    private function remember($messages, bool $newline, int $verbosity): void
    {
        if ($this->bytes > self::LIMIT) {
            return;
        }
        $lines = array_map('strval', array_values((array) $messages));
        $this->bytes += self::OVERHEAD + array_sum(array_map('strlen', $lines));
        if ($this->bytes > self::LIMIT) {
            $this->said = [];

            return;
        }
        $this->said[] = [is_array($messages) ? $lines : $lines[0] ?? '', $newline, $verbosity];
    }
}
