<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Io\Report;
use Composer\Composer;
use Composer\EventDispatcher\Event;
use Composer\Package\PackageInterface;
use Composer\Plugin\PluginEvents;
use Composer\Plugin\PostFileDownloadEvent;

/**
 * Serves the listeners of Composer's events, as far as they can tell Allegro's installation from
 * Composer's.
 */
final class Listeners
{
    public function __construct(private readonly Composer $composer, private readonly Report $report)
    {
    }

    /**
     * Tells whether anybody listens to one of the events.
     */
    public function any(string ...$events): bool
    {
        $dispatcher = $this->composer->getEventDispatcher();
        foreach ($events as $event) {
            if ($dispatcher->hasEventListeners(new Event($event))) {
                return true;
            }
        }

        return false;
    }

    /**
     * Lets listeners of POST_FILE_DOWNLOAD see an archive where Composer would have put it.
     *
     * @return bool whether they left the archive as it was
     *
     * @throws DeclinedException
     */
    public function show(Ticket $ticket, string $archive): bool
    {
        $dispatcher = $this->composer->getEventDispatcher();
        // The archive is copied instead of linked, because listeners may write into it. Composer's
        // cache keeps the bytes that were downloaded.
        if (!@copy($archive, $ticket->fileName)) {
            throw new DeclinedException('its archive can not be put where listeners look for it');
        }
        $event = new PostFileDownloadEvent(
            PluginEvents::POST_FILE_DOWNLOAD,
            $ticket->fileName,
            $ticket->package->getDistSha1Checksum(),
            $ticket->url,
            'package',
            $ticket->package
        );
        $ticket->markArchiveSeen();
        Guard::out(static fn () => $dispatcher->dispatch($event->getName(), $event));

        return self::isUnchanged($archive, $ticket->fileName);
    }

    /**
     * Reports that a listener of POST_FILE_DOWNLOAD left another archive than it found. Composer
     * unpacks that one.
     */
    public function reportChange(PackageInterface $package): void
    {
        $this->report->declined($package->getName(), 'a listener changed the archive');
    }

    /**
     * Tells whether a copy that listeners have seen has the content of the archive. Size and time
     * aren't enough, because a listener may keep both.
     */
    public static function isUnchanged(string $archive, string $copy): bool
    {
        clearstatcache(true, $copy);

        return is_file($copy)
            && filesize($archive) === filesize($copy)
            && hash_file('sha256', $archive) === hash_file('sha256', $copy);
    }
}
