<?php

declare(strict_types=1);

namespace Allegro\Plugin\Takeover;

use Allegro\Plugin\Guard;
use Composer\EventDispatcher\Event;
use Composer\EventDispatcher\EventDispatcher;
use Composer\Plugin\PreFileDownloadEvent;

/**
 * Dispatches the events of a download whose PRE_FILE_DOWNLOAD was dispatched already.
 *
 * It answers the first PRE_FILE_DOWNLOAD with the URL and key that the listeners left then. Each
 * later one, of a retry or of a mirror, and every other event goes to the listeners.
 *
 * Only Composer's file downloader receives this object, and it calls dispatch() alone.
 */
final class AnnouncedDownload extends EventDispatcher
{
    /** Whether the first PRE_FILE_DOWNLOAD has been answered. */
    private bool $answered = false;

    /**
     * Leaves the parent's constructor out, because this dispatcher has no listeners of its own.
     *
     * @param string      $url       as the listeners left it
     * @param string|null $customKey their cache key
     */
    public function __construct(
        private readonly EventDispatcher $dispatcher,
        private readonly string $url,
        private readonly ?string $customKey,
    ) {
    }

    /**
     * {@inheritDoc}
     *
     * @param string|null $eventName
     */
    public function dispatch($eventName, ?Event $event = null): int
    {
        if ($this->answered || !$event instanceof PreFileDownloadEvent) {
            return $this->dispatcher->dispatch($eventName, $event);
        }
        $this->answered = true;

        return Guard::run(fn (): int => $this->answer($event), fn (): int => $this->dispatcher->dispatch($eventName, $event));
    }

    /**
     * Gives an event the URL and the cache key that the listeners left.
     */
    private function answer(PreFileDownloadEvent $event): int
    {
        /** @var non-empty-string $url */
        $url = $this->url;
        $event->setProcessedUrl($url);
        if ($this->customKey !== null) {
            $event->setCustomCacheKey($this->customKey);
        }

        return 0;
    }
}
