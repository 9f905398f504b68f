<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Io\Report;
use Allegro\Plugin\Native\Protocol;
use Allegro\Plugin\Network\Sources;
use Composer\Package\PackageInterface;

/**
 * Describes packages to the native part.
 *
 * @phpstan-import-type PackageRequest from Protocol
 */
final class PackageRequests
{
    public function __construct(
        private readonly Sharing $sharing,
        private readonly Programs $programs,
        private readonly Sources $sources,
        private readonly Report $report,
    ) {
    }

    /**
     * Returns the request for a package, without a download.
     *
     * @param int  $id          the number that the answer names the package by
     * @param bool $wantArchive whether listeners want to see the archive
     *
     * @return PackageRequest
     */
    public function of(int $id, Ticket $ticket, bool $wantArchive): array
    {
        $package = $ticket->package;
        $isShared = $this->sharing->mayShare($package, $ticket->target, $this->report);
        $this->programs->add($package, $ticket->target);
        $key = $ticket->customKey;
        $useStore = $ticket->archive !== null || !$this->sources->cacheIsOff();
        if (!self::isNamed($package, $ticket->url)) {
            // Only the archive itself can tell which content the store must have. The archive of
            // Composer's cache serves for that, as long as it exists.
            $sum = $ticket->archive !== null && is_file($ticket->archive) ? hash_file('sha256', $ticket->archive) : false;
            $useStore = $useStore && $sum !== false;
            // Null and false are empty texts here.
            // @mago-expect analysis:possibly-null-operand,possibly-false-operand
            $key .= ' '.$sum;
        }

        return [
            'id' => $id,
            'name' => $package->getName(),
            'version' => $package->getFullPrettyVersion(),
            'dist' => [
                'name' => $package->getName(),
                'type' => strtolower((string) $package->getDistType()),
                'url' => $ticket->url,
                'reference' => $package->getDistReference(),
                'shasum' => (string) $package->getDistSha1Checksum() !== '' ? $package->getDistSha1Checksum() : null,
                'custom_cache_key' => $key,
            ],
            'path' => $ticket->target,
            'archive' => $ticket->archive,
            'archive_writable' => $ticket->archiveWritable,
            'use_store' => $useStore,
            'want_archive' => $wantArchive,
            'private' => !$isShared,
            'bins' => array_values($package->getBinaries()),
            'plain_modes' => $ticket->hasPlainModes(),
        ];
    }

    /**
     * Tells whether other content would have another checksum or another URL. A checksum fixes the
     * content, and so does a commit id in the URL. Any other reference may be a branch or a tag,
     * which can move.
     */
    public static function isNamed(PackageInterface $package, string $url): bool
    {
        $reference = (string) $package->getDistReference();

        return (string) $package->getDistSha1Checksum() !== ''
            || (preg_match('{^(?:[0-9a-f]{40}|[0-9a-f]{64})$}Di', $reference) === 1 && stripos($url, $reference) !== false);
    }
}
