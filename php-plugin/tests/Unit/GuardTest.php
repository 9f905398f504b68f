<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\AbandonedException;
use Allegro\Plugin\Guard;
use Allegro\Plugin\Tests\Support\TestCase;

/**
 * @covers \Allegro\Plugin\Guard
 */
final class GuardTest extends TestCase
{
    /** @var list<string> */
    private array $told = [];

    private int $watch;

    protected function setUp(): void
    {
        parent::setUp();
        $this->watch = Guard::watch(function (\Throwable $fault, bool $isTold): void {
            $this->told[] = $fault->getMessage().($isTold ? ' (told)' : '');
        });
    }

    protected function tearDown(): void
    {
        Guard::forget($this->watch);
        (new \ReflectionProperty(Guard::class, 'isFaulty'))->setValue(null, false);
        parent::tearDown();
    }

    public function testOursIsEnoughWhereNothingFails(): void
    {
        $result = Guard::run(static fn (): string => 'ours', static fn (): string => 'theirs');
        self::assertSame(['ours', []], [$result, $this->told]);
        self::assertFalse(Guard::isFaulty());
    }

    public function testAFaultIsToldOnceAndComposerDoesTheWork(): void
    {
        foreach (['first', 'second'] as $message) {
            $result = Guard::run(static fn () => throw new \TypeError($message), static fn (): string => 'theirs');
            self::assertSame('theirs', $result);
        }
        self::assertSame(['first'], $this->told);
        self::assertTrue(Guard::isFaulty());
    }

    public function testWhatOthersThrowPasses(): void
    {
        $listener = new \Error('a listener');
        try {
            Guard::run(
                static fn () => Guard::out(static fn () => throw $listener),
                static fn () => self::fail('Composer would call the listener again')
            );
        } catch (\Error $e) {
            self::assertSame($listener, $e);
        }
        self::assertSame([], $this->told);
    }

    public function testWhatWeThrowOnPurposePasses(): void
    {
        $this->expectException(AbandonedException::class);
        Guard::run(static fn () => throw new AbandonedException(), static fn () => null);
    }

    public function testNothingIsSaidWhereComposerRefusesTheSame(): void
    {
        // Thrown by a class of Composer: whether by our fault is seen when Composer does it alone.
        $refuse = static fn () => new \Composer\Json\JsonFile('http://example.org/x.json');
        try {
            Guard::run($refuse, $refuse);
            self::fail('nothing was thrown');
        } catch (\InvalidArgumentException $e) {
            self::assertStringContainsString('http urls', $e->getMessage());
        }
        self::assertSame([], $this->told);
        Guard::run($refuse, static fn () => null);
        self::assertCount(1, $this->told);
    }

    public function testAllStepsOfARestorationAreDone(): void
    {
        $done = [];
        try {
            Guard::restore(
                static fn () => throw new \Error('ours'),
                static fn () => Guard::out(static fn () => throw new \RuntimeException('the disk is full')),
                static function () use (&$done): void {
                    $done[] = 'last';
                }
            );
            self::fail('nothing was thrown');
        } catch (\RuntimeException $e) {
            self::assertSame('the disk is full', $e->getMessage());
        }
        self::assertSame([['last'], ['ours']], [$done, $this->told]);
    }

    public function testADescriptionHoldsNoArguments(): void
    {
        $fail = static fn (string $secret) => throw new \LogicException('quotes '.$secret);
        try {
            $fail('s3cr3t-value');
        } catch (\LogicException $e) {
            self::assertStringNotContainsString('s3cr3t', implode("\n", Guard::describe($e)).Guard::name($e));
            self::assertStringContainsString(__FILE__, Guard::describe($e)[0]);
        }
    }
}
