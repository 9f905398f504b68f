<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Integration;

use Allegro\Plugin\Takeover\Wake;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Config;
use Composer\IO\NullIO;
use Composer\Util\HttpDownloader;
use Composer\Util\Loop;
use Composer\Util\ProcessExecutor;

/**
 * With Composer's own loop and processes.
 */
final class WakeTest extends TestCase
{
    private ProcessExecutor $executor;

    private Loop $loop;

    protected function setUp(): void
    {
        parent::setUp();
        $this->executor = new ProcessExecutor();
        $this->loop = new Loop(new HttpDownloader(new NullIO(), new Config(false)), $this->executor);
    }

    public function testItIsCalledOnceWhenTheLoopWaits(): void
    {
        $calls = 0;
        Wake::when($this->loop, $this->executor, static function () use (&$calls): void {
            ++$calls;
        });
        self::assertSame(0, $calls);
        $this->loop->wait([]);
        self::assertSame(1, $calls);
        self::assertSame($this->executor, $this->loop->getProcessExecutor());
        $this->loop->wait([]);
        self::assertSame(1, $calls);
    }

    public function testTheLoopWaitsForWhatIsStartedByIt(): void
    {
        $output = null;
        Wake::when($this->loop, $this->executor, function () use (&$output): void {
            $this->executor->executeAsync('sleep 0.05; echo done')->then(static function ($process) use (&$output): void {
                $output = $process->getOutput();
            });
        });
        $this->loop->wait([]);
        self::assertSame("done\n", $output);
    }

    public function testAWaitWithinAWait(): void
    {
        $order = [];
        Wake::when($this->loop, $this->executor, function () use (&$order): void {
            $order[] = 'outer';
            Wake::when($this->loop, $this->executor, static function () use (&$order): void {
                $order[] = 'inner';
            });
            $this->loop->wait([]);
            $order[] = 'outer goes on';
        });
        $this->loop->wait([]);
        self::assertSame(['outer', 'inner', 'outer goes on'], $order);
        self::assertSame($this->executor, $this->loop->getProcessExecutor());
    }

    public function testTwoOfThem(): void
    {
        $order = [];
        foreach (['one', 'other'] as $name) {
            Wake::when($this->loop, $this->executor, static function () use (&$order, $name): void {
                $order[] = $name;
            });
        }
        $this->loop->wait([]);
        sort($order);
        self::assertSame(['one', 'other'], $order);
        self::assertSame($this->executor, $this->loop->getProcessExecutor());
    }

    public function testMeanwhileOthersStartProcesses(): void
    {
        Wake::when($this->loop, $this->executor, static function (): void {
        });
        $executor = $this->loop->getProcessExecutor();
        self::assertInstanceOf(Wake::class, $executor);
        self::assertSame(3, $executor->execute('echo text; echo wrong >&2; exit 3', $output));
        self::assertSame("text\n", $output);
        self::assertSame("wrong\n", $executor->getErrorOutput());
        $asynchronous = null;
        $executor->executeAsync('echo beside')->then(static function ($process) use (&$asynchronous): void {
            $asynchronous = $process->getOutput();
        });
        $this->loop->wait([]);
        self::assertSame("beside\n", $asynchronous);
        $executor->executeAsync('exit 0');
        $executor->wait();
        self::assertSame(0, $executor->countActiveJobs());
    }

    public function testALoopOfAnotherKind(): void
    {
        $loop = (new \ReflectionClass(Loop::class))->newInstanceWithoutConstructor();
        $calls = 0;
        Wake::when($loop, $this->executor, static function () use (&$calls): void {
            ++$calls;
        });
        self::assertSame(0, $calls);
        $this->executor->wait();
        self::assertSame(1, $calls);
    }

    public function testAnExceptionLeavesNothingBehind(): void
    {
        Wake::when($this->loop, $this->executor, static function (): void {
            throw new \RuntimeException('wanted');
        });
        try {
            $this->loop->wait([]);
            self::fail('it is passed on');
        } catch (\RuntimeException $e) {
            self::assertSame('wanted', $e->getMessage());
        }
        self::assertSame($this->executor, $this->loop->getProcessExecutor());
    }
}
