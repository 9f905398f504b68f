<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Autoload\ClassMapMaker;
use Allegro\Plugin\Autoload\Dump;
use Allegro\Plugin\Autoload\DumpFilesystem;
use Allegro\Plugin\Autoload\DumpMethod;
use Allegro\Plugin\Autoload\RememberedClassMap;
use Allegro\Plugin\Autoload\Unchanged;
use Allegro\Plugin\Io\RecordingIO;
use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\InterruptedException;
use Allegro\Plugin\Takeover\AtomicFilesystem;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\ClassMapGenerator\ClassMap;
use Composer\ClassMapGenerator\ClassMapGenerator;
use Composer\Config;
use Composer\IO\BufferIO;
use Composer\IO\NullIO;
use Composer\Package\RootPackage;
use Composer\Repository\InstalledArrayRepository;
use Composer\Util\Platform;

/**
 * @covers \Allegro\Plugin\Autoload\ClassMapMaker
 * @covers \Allegro\Plugin\Autoload\Dump
 * @covers \Allegro\Plugin\Autoload\DumpFilesystem
 * @covers \Allegro\Plugin\Autoload\DumpMethod
 * @covers \Allegro\Plugin\Autoload\RememberedClassMap
 * @covers \Allegro\Plugin\Io\RecordingIO
 * @covers \Allegro\Plugin\Native\InterruptedException
 */
final class DumpTest extends TestCase
{
    private const SCANNED = [
        'outcome' => 'scanned', 'files' => [], 'names' => [], 'at' => [], 'ambiguous' => [], 'rejected' => [],
        'digest' => '00', 'covered' => 0, 'read' => 0,
    ];

    private const STATE = ['classMapAuthoritative' => false];

    public function testTheDumpOfTheRunningComposerIsUnderstood(): void
    {
        $method = DumpMethod::read();
        self::assertNotNull($method);
        self::assertSame(64, strlen($method->digest()));
    }

    public function testAClassMapIsMadeWhenSomebodyLooksAtIt(): void
    {
        $loads = 0;
        $map = new RememberedClassMap(2, static function () use (&$loads): ClassMap {
            ++$loads;
            $map = new ClassMap();
            $map->addClass('A', '/a.php');
            $map->addClass('B', '/b.php');

            return $map;
        });
        self::assertCount(2, $map);
        self::assertSame(0, $loads);
        self::assertSame(['A' => '/a.php', 'B' => '/b.php'], $map->getMap());
        self::assertSame([], $map->getPsrViolations());
        $map->addClass('C', '/c.php');
        self::assertTrue($map->hasClass('C'));
        self::assertCount(3, $map);
        self::assertSame(1, $loads);
    }

    public function testAClassMapThatIsChangedFirstIsMadeBefore(): void
    {
        $map = new RememberedClassMap(0, static fn (): ClassMap => new ClassMap());
        $map->addClass('A', '/a.php');
        self::assertSame(['A' => '/a.php'], $map->getMap());
    }

    public function testWhatWasSaidIsSaidAgain(): void
    {
        $first = new BufferIO();
        $recording = new RecordingIO($first);
        $recording->writeError("<warning>Class é is odd</warning>");
        $recording->writeError(['two', 'lines'], false);
        $recording->writeError('not at this verbosity', true, BufferIO::DEBUG);
        $second = new BufferIO();
        RecordingIO::repeat($recording->said(), $second);
        self::assertStringContainsString("Class é is odd", $first->getOutput());
        self::assertSame($first->getOutput(), $second->getOutput());
    }

    public function testTooMuchIsNotRemembered(): void
    {
        $io = new BufferIO();
        $recording = new RecordingIO($io);
        $line = str_repeat('x', 1000);
        for ($lines = 0; $recording->said() !== null; ++$lines) {
            self::assertLessThan(2000, $lines);
            $recording->writeError($line);
        }
        for ($more = 0; $more < 1000; ++$more) {
            $recording->writeError([$line, $line.$more]);
        }
        self::assertNull($recording->said());
        // All of it was passed on.
        self::assertSame($lines + 2000, substr_count($io->getOutput(), $line));
        $kept = (new \ReflectionProperty($recording, 'said'))->getValue($recording);
        self::assertSame([], $kept);
    }

    public function testADumpThatSaidTooMuchIsNotNoted(): void
    {
        foreach ([['something', 1], [null, 0]] as [$said, $times]) {
            $engine = $this->createMock(Engine::class);
            $engine->expects(self::exactly($times))->method('dumped');
            $engine->method('scan')->willReturn(self::SCANNED);
            $maker = $this->maker($engine);
            self::assertTrue($maker->make(new ClassMapGenerator(['php', 'inc', 'hh']), []));
            $dump = $this->dump($engine, $maker);
            $dump->check([], self::STATE);
            $dump->done([$this->dir.'/autoload.php' => 'sum'], $said, 0, self::STATE);
        }
    }

    public function testWhatASignalInterruptsIsDoneAgain(): void
    {
        $interrupted = new InterruptedException('interrupted');
        $engine = $this->createMock(Engine::class);
        $engine->method('scan')->willReturnOnConsecutiveCalls(self::throwException($interrupted), self::SCANNED);
        $engine->method('unchanged')->willReturnOnConsecutiveCalls(
            self::throwException($interrupted),
            ['unchanged' => true, 'said' => 'it', 'classes' => 7]
        );
        $engine->expects(self::exactly(5))->method('dumped')->willThrowException($interrupted);
        $maker = $this->maker($engine);
        self::assertTrue($maker->make(new ClassMapGenerator(['php', 'inc', 'hh']), []));
        $dump = $this->dump($engine, $maker);
        try {
            $dump->check([], self::STATE);
            self::fail('nothing has changed');
        } catch (Unchanged $e) {
            self::assertSame(7, $e->classes);
        }
        // Signals without an end cost the next dump some time, nothing else.
        $dump->done([$this->dir.'/autoload.php' => 'sum'], 'said', 0, self::STATE);
    }

    public function testAScanIsToldTheTimeZoneOfThisProcess(): void
    {
        $asked = [];
        $engine = $this->createMock(Engine::class);
        $engine->method('scan')->willReturnCallback(static function (array $request) use (&$asked): array {
            $asked[] = $request['timezone'];

            return self::SCANNED;
        });
        foreach (['Asia/Tokyo', ''] as $zone) {
            $this->env('TZ', $zone);
            $this->maker($engine)->make(new ClassMapGenerator(['php', 'inc', 'hh']), []);
        }
        Platform::clearEnv('TZ');
        $this->maker($engine)->make(new ClassMapGenerator(['php', 'inc', 'hh']), []);
        self::assertSame(['Asia/Tokyo', '', null], $asked);
    }

    public function testTheVendorDirectoryIsResolvedOnceItIsThere(): void
    {
        mkdir($this->dir.'/real');
        symlink('real', $this->dir.'/link');
        $asked = [];
        $engine = $this->createMock(Engine::class);
        $note = static function (array $request) use (&$asked): array {
            $asked[] = $request['vendor_dir'];

            return self::SCANNED;
        };
        $engine->method('scan')->willReturnCallback($note);
        $engine->method('unchanged')->willReturnCallback($note);
        $engine->method('dumped')->willReturnCallback(static function (array $request) use ($note): void {
            $note($request);
        });
        $maker = $this->maker($engine, $this->dir.'/link/vendor');
        $dump = $this->dump($engine, $maker);
        mkdir($this->dir.'/real/vendor');
        $dump->check([], self::STATE);
        // From now on it is another one, but not for this dump.
        rename($this->dir.'/real', $this->dir.'/moved');
        $maker->make(new ClassMapGenerator(['php', 'inc', 'hh']), []);
        $dump->done([$this->dir.'/autoload.php' => 'sum'], 'said', 0, self::STATE);
        self::assertSame(array_fill(0, 3, $this->dir.'/real/vendor'), $asked);
    }

    private function maker(Engine $engine, ?string $vendorDir = null): ClassMapMaker
    {
        $probe = dirname(__DIR__, 2).'/resources/dialect.php';

        return new ClassMapMaker($engine, new NullIO(), $vendorDir ?? $this->dir, static fn (): array => [], $probe);
    }

    private function dump(Engine $engine, ClassMapMaker $maker): Dump
    {
        $method = DumpMethod::read();
        self::assertNotNull($method);

        return new Dump($engine, $maker, $method, new Config(), new InstalledArrayRepository(), new RootPackage('a/a', '1', '1'), []);
    }

    public function testFilesThatBelongTogetherComeTogether(): void
    {
        $filesystem = new DumpFilesystem();
        $filesystem->filePutContentsIfModified($this->dir.'/autoload_psr4.php', 'psr4');
        $filesystem->filePutContentsIfModified($this->dir.'/autoload_static.php', 'static');
        $filesystem->filePutContentsIfModified($this->dir.'/autoload_real.php', 'real');
        self::assertFileExists($this->dir.'/autoload_psr4.php');
        self::assertFileDoesNotExist($this->dir.'/autoload_static.php');
        touch($this->dir.'/include_paths.php');
        $filesystem->unlinkAtTheEnd($this->dir.'/include_paths.php');
        self::assertFileExists($this->dir.'/include_paths.php');
        touch($this->dir.'/autoload_files.php');
        $filesystem->unlinkAtTheEnd($this->dir.'/autoload_files.php');
        self::assertFileDoesNotExist($this->dir.'/autoload_files.php');
        $filesystem->safeCopy(__FILE__, $this->dir.'/LICENSE');
        self::assertStringEqualsFile($this->dir.'/autoload_static.php', 'static');
        self::assertStringEqualsFile($this->dir.'/autoload_real.php', 'real');
        self::assertFileDoesNotExist($this->dir.'/include_paths.php');
        self::assertSame(hash('sha256', 'real'), $filesystem->outputs()[$this->dir.'/autoload_real.php']);
        self::assertNull($filesystem->outputs()[$this->dir.'/include_paths.php']);
    }

    /**
     * @return iterable<string, array{bool}>
     */
    public function replacing(): iterable
    {
        yield 'replaced' => [true];
        yield 'written in place' => [false];
    }

    /**
     * @dataProvider replacing
     */
    public function testFilesThatAreThereKeepWhoseTheyAre(bool $isReplaced): void
    {
        $asked = [];
        AtomicFilesystem::replaceBy(static function (string $temporary, string $path) use (&$asked, $isReplaced): bool {
            $asked[] = basename($path);

            return $isReplaced && rename($temporary, $path);
        });
        try {
            $names = ['autoload_psr4.php', 'autoload_real.php', 'LICENSE'];
            foreach ($names as $name) {
                file_put_contents($this->dir.'/'.$name, 'old');
            }
            $filesystem = new DumpFilesystem();
            foreach (['autoload_psr4.php', 'autoload_static.php', 'autoload_real.php'] as $name) {
                $filesystem->filePutContentsIfModified($this->dir.'/'.$name, 'new '.$name);
            }
            self::assertStringEqualsFile($this->dir.'/autoload_real.php', 'old');
            $filesystem->safeCopy(__FILE__, $this->dir.'/LICENSE');
        } finally {
            AtomicFilesystem::replaceBy(null);
        }
        self::assertSame($names, $asked);
        self::assertStringEqualsFile($this->dir.'/autoload_real.php', 'new autoload_real.php');
        self::assertFileEquals(__FILE__, $this->dir.'/LICENSE');
        self::assertCount(6, (array) scandir($this->dir));
    }

    public function testADumpThatIsBrokenOffLeavesNothing(): void
    {
        $filesystem = new DumpFilesystem();
        $filesystem->filePutContentsIfModified($this->dir.'/autoload_real.php', 'real');
        DumpFilesystem::within(null);
        unset($filesystem);
        self::assertSame([], array_diff((array) scandir($this->dir), ['.', '..']));
    }
}
