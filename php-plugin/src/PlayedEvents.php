<?php

declare(strict_types=1);

namespace Allegro\Plugin;

use Composer\Composer;
use Composer\Util\Platform;

/**
 * Leaves out scripts of the root package that the native command line has played in this run.
 *
 * The command line hands a run over that it has begun. The scripts of an event are left out once: a
 * script that names the event as `@pre-install-cmd` plays them later as ever.
 */
final class PlayedEvents
{
    /** The variable with the names of the events, separated by commas. */
    private const VARIABLE = 'ALLEGRO_PLAYED_EVENTS';

    /** @param array<string, string[]> $scripts */
    private function __construct(private readonly Composer $composer, private array $scripts)
    {
    }

    /**
     * Leaves the scripts out, if the command line has played any.
     */
    public static function leaveOut(Composer $composer): void
    {
        $played = Platform::getEnv(self::VARIABLE);
        if (!is_string($played) || $played === '') {
            return;
        }
        // Calls of Composer by scripts are runs of their own.
        Platform::clearEnv(self::VARIABLE);
        $package = $composer->getPackage();
        $events = array_flip(explode(',', $played));
        $left = new self($composer, array_intersect_key($package->getScripts(), $events));
        $package->setScripts(array_diff_key($package->getScripts(), $events));
        $dispatcher = $composer->getEventDispatcher();
        Subscription::withoutAutoloader($dispatcher, $left, ['putBack']);
        foreach (array_keys($left->scripts) as $event) {
            $dispatcher->addListener($event, [$left, 'putBack'], PHP_INT_MAX);
        }
    }

    /**
     * Puts the scripts of an event back. The dispatcher has its list for this event already.
     *
     * @param \Composer\EventDispatcher\Event $event
     */
    public function putBack($event): void
    {
        $name = $event->getName();
        if (isset($this->scripts[$name])) {
            $package = $this->composer->getPackage();
            $package->setScripts($package->getScripts() + [$name => $this->scripts[$name]]);
            unset($this->scripts[$name]);
        }
    }
}
