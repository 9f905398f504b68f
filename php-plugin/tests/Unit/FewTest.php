<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Io\Few;
use Allegro\Plugin\Tests\Support\TestCase;

final class FewTest extends TestCase
{
    public function testAListForPeopleHasThreeNames(): void
    {
        self::assertSame('', Few::names([]));
        self::assertSame('a', Few::names(['x' => 'a']));
        self::assertSame('a, b, c', Few::names(['a', 'b', 'c']));
        self::assertSame('a, b, c and 1 more', Few::names([3 => 'a', 5 => 'b', 8 => 'c', 9 => 'd']));
    }
}
