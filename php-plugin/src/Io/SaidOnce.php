<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

use Composer\IO\IOInterface;
use Composer\IO\NullIO;

/**
 * The output of a download that was announced already: Composer's first "Downloading" line is left out, those of its
 * retries and mirrors are not.
 *
 * Only Composer's file downloader is given this, which writes and asks for the verbosity.
 */
final class SaidOnce extends NullIO
{
    private bool $said = false;

    public function __construct(private readonly IOInterface $io)
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

    /**
     * {@inheritDoc}
     *
     * @param string|string[] $messages
     * @param bool            $newline
     * @param int             $verbosity
     */
    public function writeError($messages, $newline = true, $verbosity = self::NORMAL): void
    {
        if (!$this->said && is_string($messages) && str_starts_with($messages, '  - Downloading ')) {
            $this->said = true;

            return;
        }
        $this->io->writeError($messages, $newline, $verbosity);
    }
}
