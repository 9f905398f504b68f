<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

use Composer\IO\IOInterface;
use Composer\IO\NullIO;

/**
 * Passes on output and questions about the verbosity. It serves those of Composer's classes that do
 * nothing else with their IO.
 */
abstract class PassingIO extends NullIO
{
    public function __construct(protected readonly IOInterface $io)
    {
    }

    public function isVerbose(): bool
    {
        return $this->io->isVerbose();
    }

    public function isVeryVerbose(): bool
    {
        return $this->io->isVeryVerbose();
    }

    public function isDebug(): bool
    {
        return $this->io->isDebug();
    }

    public function isDecorated(): bool
    {
        return $this->io->isDecorated();
    }

    /**
     * {@inheritDoc}
     *
     * @param string|string[] $messages
     * @param bool            $newline
     * @param int             $verbosity
     */
    public function write($messages, $newline = true, $verbosity = self::NORMAL): void
    {
        $this->io->write($messages, $newline, $verbosity);
    }
}
