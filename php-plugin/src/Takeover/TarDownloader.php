<?php

declare(strict_types=1);

namespace Allegro\Plugin\Takeover;

/**
 * Puts the store in front of Composer's tar downloader.
 *
 * Each type has a class of its own, because Composer tells downloaders apart by loose comparison.
 */
final class TarDownloader extends \Composer\Downloader\TarDownloader
{
    use StoreDownloads;

    /**
     * Returns the class that Composer would unpack a tar with.
     */
    private function unpacker(): string
    {
        return 'PharData';
    }
}
