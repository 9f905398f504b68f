<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Takeover\LockFile;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Json\JsonFile;

final class LockFileTest extends TestCase
{
    /**
     * @return iterable<string, array{array<mixed>}>
     */
    public function contents(): iterable
    {
        yield 'nothing' => [[]];
        yield 'a lock' => [[
            'packages' => [['name' => 'a/a', 'version' => '1.0', 'extra' => ['ä' => "\u{1F600}/\u{2028}", '7' => [null, true, -3], '' => []]]],
            'stability-flags' => new \stdClass(),
            'prefer-stable' => false,
        ]];
        yield 'an object that has something' => [['platform' => (object) ['php' => '8.1']]];
        yield 'an object further down' => [['packages' => [['extra' => new \stdClass()]]]];
        yield 'a number that is whole' => [['extra' => ['a' => 1.0, 'b' => 1.5]]];
        yield 'a list with a gap' => [['a' => [1 => 'b', 3 => 'c']]];
    }

    /**
     * @dataProvider contents
     *
     * @param array<mixed> $content
     */
    public function testItReadsWhatItHasWritten(array $content): void
    {
        $path = $this->dir.'/composer.lock';
        $file = LockFile::inPlaceOf(new JsonFile($path));
        $file->write($content);
        $plain = new JsonFile($path);
        self::assertSame($plain->read(), $file->read());
        self::assertSame($plain->read(), $file->read(), 'once more');
    }

    public function testItReadsWhatOthersHaveWritten(): void
    {
        $path = $this->dir.'/composer.lock';
        $file = LockFile::inPlaceOf(new JsonFile($path));
        $file->write(['by' => 'us']);
        file_put_contents($path, '{"by": "them"}');
        self::assertSame(['by' => 'them'], $file->read());
        $file->write(['by' => 'us']);
        $file->write(['by' => 'us again']);
        self::assertSame(['by' => 'us again'], $file->read());
        $file->write(['by' => 'us']);
        $other = LockFile::inPlaceOf(new JsonFile($this->dir.'/other.lock'));
        $other->write(['by' => 'another']);
        self::assertSame(['by' => 'us'], $file->read());
    }

    public function testWhatItWritesIsNotParsed(): void
    {
        $file = LockFile::inPlaceOf(new JsonFile($this->dir.'/composer.lock'));
        $file->write(['content' => str_repeat('a', 1 << 20)]);
        $before = memory_get_usage();
        $read = $file->read();
        // Parsing would make the text a second time.
        self::assertLessThan(1 << 19, memory_get_usage() - $before);
        self::assertSame(1 << 20, strlen($read['content']));
    }
}
