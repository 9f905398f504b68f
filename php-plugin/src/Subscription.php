<?php

declare(strict_types=1);

namespace Allegro\Plugin;

use Composer\EventDispatcher\EventDispatcher;

/**
 * Spares a run the autoloader that Composer makes for listeners of plugins.
 *
 * Composer 2.9 and later make one before they call a listener that isn't a string, because it may need classes of the
 * project (`EventDispatcher::makeAutoloader`). For that every class map of the project is made anew, in each command,
 * since all commands dispatch an event. Ours needs none. The dispatcher remembers in `previousListeners` for which
 * listeners it has made an autoloader, and leaves those alone. Composers that don't have this list make no autoloader
 * for objects. Listeners of other plugins get theirs as without us.
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
        $known = Internals::of($dispatcher, EventDispatcher::class)['previousListeners'] ?? null;
        if (is_array($known)) {
            $ours = array_map(static fn (string $method): string => get_class($listener).'::'.$method, $methods);
            Internals::set($dispatcher, EventDispatcher::class, 'previousListeners', $known + array_fill_keys($ours, true));
        }
    }
}
