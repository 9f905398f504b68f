<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

use Allegro\Plugin\Guard;
use Composer\IO\IOInterface;

/**
 * Passes on what a dump says, and remembers it for dumps that would say the same.
 *
 * Only Composer's AutoloadGenerator is given this, which writes and asks for the verbosity.
 */
final class Overheard extends PassingIO
{
    /** More bytes than this are not remembered: a project with thousands of warnings is dumped in full each time. */
    private const LIMIT = 1 << 20;

    /** What PHP needs for a message apart from its text, about. */
    private const OVERHEAD = 512;

    /** @var list<array{string|list<string>, bool, int}> */
    private array $said = [];

    private int $bytes = 0;

    /**
     * Everything said so far, as text; null if it was too much.
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
     * Says again what {@see said()} gave.
     */
    public static function repeat(string $said, IOInterface $io): void
    {
        foreach ((array) unserialize((string) base64_decode($said), ['allowed_classes' => false]) as [$messages, $newline, $verbosity]) {
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
        Guard::attempt(fn () => $this->remember($messages, (bool) $newline, (int) $verbosity));
        $this->io->writeError($messages, $newline, $verbosity);
    }

    /**
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
