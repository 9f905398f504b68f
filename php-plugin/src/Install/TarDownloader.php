<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

/**
 * Composer's tar downloader, with the store in front of it. A class of its own for each type: Composer tells
 * downloaders apart by loose comparison.
 */
final class TarDownloader extends \Composer\Downloader\TarDownloader
{
    use StoreDownloads;

    private function unpacker(): string
    {
        return 'PharData';
    }
}
