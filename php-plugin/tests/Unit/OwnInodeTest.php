<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Install\OwnInode;
use Allegro\Plugin\Install\RefusedException;
use Allegro\Plugin\Tests\Support\TestCase;

final class OwnInodeTest extends TestCase
{
    private const TIME = 1_234_567_890;

    /**
     * Makes a directory whose file is a link to one outside of it.
     */
    private function linked(string $name, int $mode = 0640): string
    {
        $outside = $this->dir.'/blob-'.basename($name);
        file_put_contents($outside, 'content');
        chmod($outside, $mode);
        touch($outside, self::TIME);
        $file = $this->dir.'/'.$name;
        is_dir(dirname($file)) || mkdir(dirname($file), 0777, true);
        link($outside, $file);

        return $file;
    }

    /**
     * @return array{int, int, int} mode, time and number of links
     */
    private static function state(string $path): array
    {
        clearstatcache();
        $stat = (array) lstat($path);

        return [$stat['mode'] & 07777, $stat['mtime'], $stat['nlink']];
    }

    public function testALinkedFileGetsACopyWithModeAndTime(): void
    {
        $file = $this->linked('package/file');
        touch($this->dir.'/package', self::TIME - 100);
        OwnInode::give($file);
        self::assertSame([0640, self::TIME, 1], self::state($file));
        self::assertSame([0640, self::TIME, 1], self::state($this->dir.'/blob-file'));
        self::assertSame('content', file_get_contents($file));
        self::assertSame(self::TIME - 100, filemtime($this->dir.'/package'), 'the directory keeps its time');
        self::assertSame(['file'], array_values(array_diff((array) scandir($this->dir.'/package'), ['.', '..'])));
    }

    public function testOwnerAndGroupStay(): void
    {
        $file = $this->linked('package/file');
        if (!@chown($file, 1234) || !@chgrp($file, 4321)) {
            self::markTestSkipped('only root gives files away');
        }
        OwnInode::give($file);
        clearstatcache();
        self::assertSame([1234, 4321, 1], [fileowner($file), filegroup($file), self::state($file)[2]]);
    }

    public function testWhatHasNoOtherLinkStaysAsItIs(): void
    {
        file_put_contents($this->dir.'/file', 'x');
        symlink($this->linked('package/file'), $this->dir.'/link');
        $inode = fileinode($this->dir.'/file');
        foreach (['file', 'link', 'package', 'none', 'none/none'] as $name) {
            OwnInode::give($this->dir.'/'.$name);
        }
        clearstatcache();
        self::assertSame($inode, fileinode($this->dir.'/file'));
        self::assertSame(2, self::state($this->dir.'/package/file')[2]);
        self::assertTrue(is_link($this->dir.'/link'));
    }

    public function testAllFilesOfATree(): void
    {
        $files = [$this->linked('stage/a'), $this->linked('stage/deep/.b'), $this->linked('stage/deep/deeper/c', 0755)];
        mkdir($this->dir.'/stage/empty');
        $outside = $this->linked('outside/d');
        symlink('../../outside', $this->dir.'/stage/deep/link');
        foreach (['stage/deep/deeper', 'stage/deep', 'stage'] as $dir) {
            touch($this->dir.'/'.$dir, self::TIME - 5);
        }
        $before = self::tree($this->dir.'/stage');
        OwnInode::giveAll($this->dir.'/stage');
        foreach ($files as $file) {
            self::assertSame(1, self::state($file)[2], $file);
        }
        self::assertSame(2, self::state($outside)[2]);
        self::assertSame($before, self::tree($this->dir.'/stage'));
        foreach (['stage', 'stage/deep', 'stage/deep/deeper'] as $dir) {
            self::assertSame(self::TIME - 5, self::state($this->dir.'/'.$dir)[1], $dir);
        }
    }

    public function testWhatCanNotBeCopiedIsSaidAndNothingIsLeft(): void
    {
        // A name that leaves no room for that of a copy.
        $file = $this->linked('package/'.str_repeat('x', 250));
        try {
            OwnInode::give($file);
            self::fail('copied');
        } catch (RefusedException $e) {
            self::assertStringContainsString($file.' can not be copied: ', $e->getMessage());
            self::assertStringContainsString('File name too long', $e->getMessage());
        }
        self::assertCount(3, (array) scandir($this->dir.'/package'));
    }
}
