<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Internals;
use Allegro\Plugin\Plugin;
use Allegro\Plugin\Subscription;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Composer;
use Composer\EventDispatcher\EventDispatcher;
use Composer\IO\NullIO;

final class SubscriptionTest extends TestCase
{
    /**
     * A dispatcher of Composer 2.9.1 or later is told; one without such a list stays as it is.
     */
    public function testADispatcherIsToldWhereItKeepsAList(): void
    {
        $dispatcher = new EventDispatcher(new Composer(), new NullIO());
        $before = Internals::of($dispatcher, EventDispatcher::class);
        $listener = new Plugin();
        Subscription::withoutAutoloader($dispatcher, $listener, ['onCommand', 'onOperations']);
        $after = Internals::of($dispatcher, EventDispatcher::class);
        if (isset($before['previousListeners'])) {
            $before['previousListeners'] += [Plugin::class.'::onCommand' => true, Plugin::class.'::onOperations' => true];
        }
        self::assertSame($before, $after);
    }
}
