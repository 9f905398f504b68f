<?php

declare(strict_types=1);

namespace Allegro\Plugin\Takeover;

use Allegro\Plugin\Guard;
use Composer\Package\Package;

/**
 * Puts the store in front of Composer's zip downloader.
 *
 * Each type has a class of its own, because Composer tells downloaders apart by loose comparison.
 */
final class ZipDownloader extends \Composer\Downloader\ZipDownloader
{
    use StoreDownloads;

    /**
     * The result of {@see unpacker()}.
     *
     * @var string|null
     */
    private $unpacker;

    /**
     * Returns the program or class that Composer would unpack a zip with.
     *
     * Composer looks for programs when it first downloads a zip, and says then if there are none. A
     * package without a dist makes it look, and the download goes no further.
     *
     * @throws \RuntimeException there is nothing to unpack with, in Composer's words
     */
    private function unpacker(): string
    {
        if ($this->unpacker === null) {
            try {
                Guard::out(fn () => parent::download(new Package('allegro/none', '1.0.0.0', '1.0.0'), ''));
            } catch (\InvalidArgumentException $e) {
                // The package has no URL, as intended.
            }
            // The parent's is private.
            // @mago-expect analysis:non-existent-property,invalid-return-statement
            $commands = static fn (): array => self::$unzipCommands;
            /** @var array<int, array<int, string>> $known */
            $known = \Closure::bind($commands, null, parent::class)();
            $this->unpacker = $known[0][0] ?? 'ZipArchive';
        }

        return $this->unpacker;
    }
}
