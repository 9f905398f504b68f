<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

/**
 * The output of a download that was announced already: Composer's first "Downloading" line is left out, those of its
 * retries and mirrors are not.
 *
 * Only Composer's file downloader is given this, which writes and asks for the verbosity.
 */
final class SaidOnce extends PassingIO
{
    private bool $said = false;

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
