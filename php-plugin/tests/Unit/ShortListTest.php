<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Io\ShortList;
use Allegro\Plugin\Tests\Support\TestCase;

final class ShortListTest extends TestCase
{
    public function testAListForPeopleHasThreeNames(): void
    {
        self::assertSame('', ShortList::names([]));
        self::assertSame('a', ShortList::names(['x' => 'a']));
        self::assertSame('a, b, c', ShortList::names(['a', 'b', 'c']));
        self::assertSame('a, b, c and 1 more', ShortList::names([3 => 'a', 5 => 'b', 8 => 'c', 9 => 'd']));
    }
}
