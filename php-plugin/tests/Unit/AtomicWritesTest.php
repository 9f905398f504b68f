<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Takeover\AtomicFilesystem;
use Allegro\Plugin\Takeover\AtomicJsonFile;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Json\JsonFile;
use Composer\Util\Filesystem;

final class AtomicWritesTest extends TestCase
{
    protected function tearDown(): void
    {
        AtomicFilesystem::replaceBy(null);
        parent::tearDown();
    }

    public function testAFileIsReplacedNotRewritten(): void
    {
        AtomicFilesystem::replaceBy(static fn (string $temporary, string $path): bool => rename($temporary, $path));
        $path = $this->dir.'/file';
        file_put_contents($path, 'old');
        $reader = fopen($path, 'r');
        $inode = fileinode($path);
        self::assertSame(3, (new AtomicFilesystem())->filePutContentsIfModified($path, 'new'));
        clearstatcache();
        self::assertSame('new', file_get_contents($path));
        self::assertNotSame($inode, fileinode($path));
        self::assertSame('old', fread($reader, 10), 'who has it open keeps what he reads');
        self::assertSame(['file'], self::names($this->dir));
    }

    /**
     * @return iterable<string, array{\Closure|null}>
     */
    public function replacersThatDoNot(): iterable
    {
        yield 'none' => [null];
        yield 'refuses' => [static fn (): bool => false];
        yield 'throws' => [static function (): bool {
            throw new EngineException('gone');
        }];
    }

    /**
     * Owner, group and ACL can't be kept then.
     *
     * @dataProvider replacersThatDoNot
     */
    public function testWhereAFileCanNotBeReplacedItIsWrittenInPlace(?\Closure $replace): void
    {
        AtomicFilesystem::replaceBy($replace);
        $path = $this->dir.'/file';
        file_put_contents($path, 'old and longer');
        chmod($path, 0604);
        $inode = fileinode($path);
        self::assertSame(3, AtomicFilesystem::put($path, 'new'));
        (new AtomicJsonFile($this->dir.'/json'))->write(['a' => 1]);
        (new AtomicJsonFile($this->dir.'/json'))->write(['b' => 1]);
        clearstatcache();
        self::assertSame(['new', $inode, 0604], [file_get_contents($path), fileinode($path), fileperms($path) & 0777]);
        self::assertSame(['b' => 1], json_decode((string) file_get_contents($this->dir.'/json'), true));
        self::assertSame(['file', 'json'], self::names($this->dir));
    }

    public function testAnAnswerThatGotLostAfterTheRename(): void
    {
        AtomicFilesystem::replaceBy(static function (string $temporary, string $path): bool {
            rename($temporary, $path);

            throw new EngineException('gone');
        });
        file_put_contents($this->dir.'/file', 'old');
        AtomicFilesystem::put($this->dir.'/file', 'new');
        self::assertStringEqualsFile($this->dir.'/file', 'new');
        self::assertSame(['file'], self::names($this->dir));
    }

    public function testNobodyIsAskedForAFileThatIsNotThereYet(): void
    {
        AtomicFilesystem::replaceBy(static function (): bool {
            self::fail('asked');
        });
        AtomicFilesystem::put($this->dir.'/file', 'new');
        (new AtomicFilesystem())->filePutContentsIfModified($this->dir.'/file', 'new');
        self::assertStringEqualsFile($this->dir.'/file', 'new');
        self::assertSame(['file'], self::names($this->dir));
    }

    public function testADirectoryThatTakesNoFile(): void
    {
        if (!function_exists('posix_getuid') || posix_getuid() !== 0) {
            $this->writesWhereNothingCanBeMade($this->dir);

            return;
        }
        // Root may write anywhere: another user does it.
        $script = sprintf(
            'require "%s"; posix_setuid(65534); %s::put(%s, "new"); echo is_writable(%s) ? "writable" : "closed";',
            __DIR__.'/../bootstrap.php',
            '\\'.AtomicFilesystem::class,
            var_export($this->dir.'/file', true),
            var_export($this->dir, true)
        );
        touch($this->dir.'/file');
        chmod($this->dir.'/file', 0666);
        chmod($this->dir, 0755);
        exec(escapeshellarg(PHP_BINARY).' -r '.escapeshellarg($script).' 2>&1', $output, $exit);
        self::assertSame([['closed'], 0], [$output, $exit]);
        self::assertStringEqualsFile($this->dir.'/file', 'new');
    }

    public function testAFileBesideWhichNoneCanBeMade(): void
    {
        // The name of a temporary file is longer.
        $path = $this->dir.'/'.str_repeat('n', 240);
        file_put_contents($path, 'old');
        $inode = fileinode($path);
        self::assertSame(3, AtomicFilesystem::put($path, 'new'));
        self::assertSame(5, (new AtomicFilesystem())->filePutContentsIfModified($path, 'newer'));
        clearstatcache();
        self::assertSame(['newer', $inode], [file_get_contents($path), fileinode($path)]);
        self::assertSame([basename($path)], self::names($this->dir));
    }

    public function testADeviceStaysADevice(): void
    {
        $path = $this->dir.'/null';
        exec('mknod '.escapeshellarg($path).' c 1 3 2>&1', $output, $exit);
        if ($exit !== 0 || @file_put_contents($path, 'x') !== 1) {
            self::markTestSkipped('only root can make a device, and not everywhere');
        }
        self::assertSame(3, AtomicFilesystem::put($path, 'new'));
        clearstatcache();
        self::assertSame('char', filetype($path));
        self::assertSame(['null'], self::names($this->dir));
    }

    private function writesWhereNothingCanBeMade(string $dir): void
    {
        touch($dir.'/file');
        chmod($dir, 0555);
        try {
            AtomicFilesystem::put($dir.'/file', 'new');
            self::assertStringEqualsFile($dir.'/file', 'new');
        } finally {
            chmod($dir, 0755);
        }
    }

    public function testAnEndInTheMiddleLeavesNothing(): void
    {
        $script = sprintf(
            'require "%s"; %s::beside(%s, "new"); echo count(scandir(%s)); exit(130);',
            __DIR__.'/../bootstrap.php',
            '\\'.AtomicFilesystem::class,
            var_export($this->dir.'/file', true),
            var_export($this->dir, true)
        );
        exec(escapeshellarg(PHP_BINARY).' -r '.escapeshellarg($script), $output, $exit);
        self::assertSame([['3'], 130], [$output, $exit], 'it was there');
        self::assertSame([], self::names($this->dir));
    }

    public function testWhatAKilledProcessLeftIsSwept(): void
    {
        exec(escapeshellarg(PHP_BINARY).' -r "echo getmypid();"', $gone);
        $dead = dechex((int) $gone[0]);
        $kept = [
            sprintf('.autoload.php.allegro-%x-0123abcd', getmypid()),
            sprintf('.autoload.php.allegro-%s-0123abcd.php', $dead),
            sprintf('autoload.php.allegro-%s-0123abcd', $dead),
            '.gitignore',
        ];
        foreach ([...$kept, sprintf('.autoload.php.allegro-%s-0123abcd', $dead), sprintf('.installed.json.allegro-%s-ffffffff', $dead)] as $name) {
            touch($this->dir.'/'.$name);
        }
        AtomicFilesystem::sweep($this->dir);
        sort($kept);
        self::assertSame($kept, self::names($this->dir));
        AtomicFilesystem::sweep($this->dir.'/none');
    }

    public function testWhatIsTheSameStaysAsItIs(): void
    {
        $path = $this->dir.'/file';
        file_put_contents($path, 'same');
        touch($path, 1_000_000);
        clearstatcache();
        $before = stat($path);
        self::assertSame(0, (new AtomicFilesystem())->filePutContentsIfModified($path, 'same'));
        clearstatcache();
        self::assertSame([$before['ino'], $before['mtime']], [stat($path)['ino'], stat($path)['mtime']]);
    }

    public function testALinkStaysALink(): void
    {
        mkdir($this->dir.'/elsewhere');
        file_put_contents($this->dir.'/elsewhere/file', 'old');
        symlink('elsewhere/file', $this->dir.'/file');
        (new AtomicFilesystem())->filePutContentsIfModified($this->dir.'/file', 'new');
        self::assertTrue(is_link($this->dir.'/file'));
        self::assertSame('new', file_get_contents($this->dir.'/elsewhere/file'));

        symlink('elsewhere/installed.json', $this->dir.'/installed.json');
        (new AtomicJsonFile($this->dir.'/installed.json'))->write(['a' => 1]);
        self::assertTrue(is_link($this->dir.'/installed.json'));
        self::assertSame(['a' => 1], json_decode((string) file_get_contents($this->dir.'/elsewhere/installed.json'), true));
        self::assertSame(['file', 'installed.json'], self::names($this->dir.'/elsewhere'));
    }

    /**
     * @return iterable<string, array{string}>
     */
    public function places(): iterable
    {
        yield 'no such directory' => ['none/file'];
        yield 'a file for a directory' => ['taken/file'];
        yield 'a directory for the file' => ['directory'];
    }

    /**
     * @dataProvider places
     */
    public function testWhatCanNotBeWrittenIsAnExceptionAndLeavesNothing(string $name): void
    {
        file_put_contents($this->dir.'/taken', '');
        mkdir($this->dir.'/directory/sub', 0777, true);
        foreach (['text', 'json'] as $kind) {
            $before = self::tree($this->dir);
            try {
                $kind === 'text'
                    ? (new AtomicFilesystem())->filePutContentsIfModified($this->dir.'/'.$name, 'x')
                    : (new AtomicJsonFile($this->dir.'/'.$name))->write(['a' => 1]);
                self::fail('written');
            } catch (\RuntimeException $e) {
                self::assertStringContainsString($this->dir.'/'.$name.' could not be written: ', $e->getMessage());
                self::assertStringNotContainsString('unlink', $e->getMessage(), 'the cause, not the tidying up');
            }
            self::assertSame($before, self::tree($this->dir));
        }
    }

    /**
     * @return iterable<string, array{string|null}>
     */
    public function formerFiles(): iterable
    {
        yield 'none' => [null];
        yield 'four spaces' => ["{\n    \"a\": 2\n}\n"];
        yield 'two spaces' => ["{\n  \"a\": 2\n}\n"];
        yield 'tabs' => ["{\n\t\"a\": 2\n}\n"];
        yield 'one line' => ['{"a":2}'];
        yield 'nothing' => [''];
        yield 'no JSON' => ["<?php\n  return 1;\n"];
    }

    /**
     * Whatever this Composer does with the indentation of a file that is there, ours does, too.
     *
     * @dataProvider formerFiles
     */
    public function testJsonIsWrittenAsThisComposerWritesIt(?string $former): void
    {
        $data = ['packages' => [['name' => 'a/b', 'text' => "/ \u{e9} \u{2603}", 'empty' => [], 'float' => 1.0, 'deep' => ['x' => [1, 2]]]]];
        foreach (['theirs', 'ours'] as $name) {
            if ($former !== null) {
                file_put_contents($this->dir.'/'.$name, $former);
            }
        }
        (new JsonFile($this->dir.'/theirs'))->write($data);
        (new AtomicJsonFile($this->dir.'/ours'))->write($data);
        self::assertFileEquals($this->dir.'/theirs', $this->dir.'/ours');
        self::assertSame(fileperms($this->dir.'/theirs'), fileperms($this->dir.'/ours'));

        (new JsonFile($this->dir.'/theirs'))->write($data, JSON_UNESCAPED_SLASHES);
        (new AtomicJsonFile($this->dir.'/ours'))->write($data, JSON_UNESCAPED_SLASHES);
        self::assertFileEquals($this->dir.'/theirs', $this->dir.'/ours');
    }

    public function testNewFilesHaveTheModeThatComposerGives(): void
    {
        $before = umask(0027);
        try {
            (new Filesystem())->filePutContentsIfModified($this->dir.'/theirs', 'x');
            (new AtomicFilesystem())->filePutContentsIfModified($this->dir.'/ours', 'x');
        } finally {
            umask($before);
        }
        self::assertSame(0640, fileperms($this->dir.'/theirs') & 0777);
        self::assertSame(fileperms($this->dir.'/theirs'), fileperms($this->dir.'/ours'));
    }

    /**
     * @return list<string>
     */
    private static function names(string $dir): array
    {
        return array_values(array_diff((array) scandir($dir), ['.', '..']));
    }
}
