<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Install\Paths;
use Allegro\Plugin\Tests\Support\TestCase;

final class PathsTest extends TestCase
{
    public function testAPathIsMadeAbsoluteByItsText(): void
    {
        chdir($this->dir);
        self::assertSame($this->dir.'/web/../x', Paths::absolute('web/../x/'));
        self::assertSame('/a', Paths::absolute('/a//'));
        self::assertSame('/', Paths::absolute('/'));
    }

    public function testWhereAPathLeads(): void
    {
        mkdir($this->dir.'/real/deep', 0777, true);
        symlink('real', $this->dir.'/link');
        symlink('none', $this->dir.'/dangling');
        chdir($this->dir);
        $paths = [
            'link/deep' => 'real/deep',
            'link/none/a' => 'real/none/a',
            'link/deep/../a' => 'real/a',
            'real/none/../../a/./b/' => 'a/b',
            'dangling/a' => 'dangling/a',
            '.' => '',
        ];
        foreach ($paths as $path => $expected) {
            self::assertSame(rtrim($this->dir.'/'.$expected, '/'), Paths::resolve($path), $path);
        }
        self::assertSame('/', Paths::resolve('/'));
        self::assertSame('/none-of-these/a', Paths::resolve('/none-of-these/a'));
    }

    public function testWhatIsBelow(): void
    {
        self::assertTrue(Paths::isBelow('/a/b', '/a'));
        self::assertTrue(Paths::isBelow('/a', '/'));
        self::assertFalse(Paths::isBelow('/a', '/a'));
        self::assertFalse(Paths::isBelow('/ab', '/a'));
        self::assertFalse(Paths::isBelow('/', '/'));
    }
}
