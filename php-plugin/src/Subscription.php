<?php

declare(strict_types=1);

namespace Allegro\Plugin;

use Composer\EventDispatcher\EventDispatcher;

/**
 * Saves a run the autoloader that Composer makes for listeners of plugins.
 *
 * Composer 2.9 and later make an autoloader before they call a listener that isn't a string. They
 * do so because the listener may need classes of the project (`EventDispatcher::makeAutoloader`).
 * For that, Composer makes every class map of the project anew, in each command, because all
 * commands dispatch an event. Allegro's listeners need no class of the project.
 *
 * The dispatcher remembers in `previousListeners` the listeners for which it has made an
 * autoloader, and makes no other one for them. Versions of Composer without this list make no
 * autoloader for objects. Listeners of other plugins get theirs as they do without Allegro.
 */
final class Subscription
{
    /**
     * Tells the dispatcher that these methods of an object need no class of the project.
     *
     * @param list<string> $methods
     */
    public static function withoutAutoloader(EventDispatcher $dispatcher, object $listener, array $methods): void
    {
        /** @var array<string, bool>|null $known */
        $known = Internals::of($dispatcher, EventDispatcher::class)['previousListeners'] ?? null;
        if (is_array($known)) {
            $ours = array_map(static fn (string $method): string => get_class($listener).'::'.$method, $methods);
            Internals::set($dispatcher, EventDispatcher::class, 'previousListeners', $known + array_fill_keys($ours, true));
        }
    }
}
