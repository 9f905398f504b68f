<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

/**
 * Suppresses Composer's first "Downloading" line of a download that Allegro has announced already.
 * The lines of retries and mirrors pass.
 *
 * Only Composer's file downloader receives this object. That class writes and asks for the
 * verbosity, and does nothing else with its IO.
 */
final class FirstLineFilter extends PassingIO
{
    /** Whether the first line was suppressed. */
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
