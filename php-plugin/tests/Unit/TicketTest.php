<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Install\Staged;
use Allegro\Plugin\Install\Ticket;
use Allegro\Plugin\Install\TicketState;
use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\TestCase;
use React\Promise\PromiseInterface;

final class TicketTest extends TestCase
{
    /** @var list<bool> what Composer's download was told, call by call */
    private array $calls = [];

    private function ticket(?\Throwable $failure = null): Ticket
    {
        $fallBack = function (bool $isSaid) use ($failure): PromiseInterface {
            $this->calls[] = $isSaid;

            return $failure === null ? \React\Promise\resolve('by Composer') : throw $failure;
        };

        return new Ticket(Project::package('acme/a', 'https://h/a.zip'), '/p/a', 'https://h/a.zip', null, null, false, '/p/a.zip', 'unzip', $fallBack);
    }

    private static function staged(): Staged
    {
        return new Staged('/staging/1', true, true, ['name' => 'acme/a'], [1, 2]);
    }

    /**
     * @return list<mixed> what the promise is settled with; nothing while it isn't
     */
    private static function outcome(PromiseInterface $promise): array
    {
        $outcome = [];
        $settle = static function (mixed $value) use (&$outcome): void {
            $outcome[] = $value instanceof \Throwable ? $value->getMessage() : $value;
        };
        $promise->then($settle, $settle);

        return $outcome;
    }

    public function testAPackageIsReadyAndPlaced(): void
    {
        $ticket = $this->ticket();
        self::assertSame([TicketState::Waiting, false], [$ticket->state(), $ticket->isStaged()]);
        $ticket->stage($staged = self::staged());
        self::assertSame([TicketState::Ready, true, $staged], [$ticket->state(), $ticket->isStaged(), $ticket->staged()]);
        self::assertSame([[], false], [self::outcome($ticket->promise()), $ticket->isSettled()]);
        $ticket->resolve();
        self::assertSame([['/p/a.zip'], true], [self::outcome($ticket->promise()), $ticket->isSettled()]);
        self::assertNull($ticket->path());
        $ticket->place('/p/b');
        self::assertSame([TicketState::Placed, false, '/p/b'], [$ticket->state(), $ticket->isStaged(), $ticket->path()]);
        self::assertSame([], $this->calls);
    }

    public function testAPackageThatIsGivenUpIsStagedUntilItIsDeclined(): void
    {
        $ticket = $this->ticket();
        $ticket->stage(self::staged());
        $ticket->giveUp();
        self::assertSame([TicketState::GivenUp, true], [$ticket->state(), $ticket->isStaged()]);
        $ticket->decline();
        self::assertSame([TicketState::Declined, false], [$ticket->state(), $ticket->isStaged()]);
    }

    public function testComposersDownloadSettlesWhatIsHandedOver(): void
    {
        $ticket = $this->ticket();
        $ticket->handOver();
        self::assertSame([['by Composer'], true], [self::outcome($ticket->promise()), $ticket->isSettled()]);
        $ticket = $this->ticket();
        $ticket->markSaid();
        $ticket->handOver();
        self::assertSame([false, true], $this->calls);
        $ticket = $this->ticket(new \RuntimeException('no such file'));
        $ticket->handOver();
        self::assertSame([['no such file'], true], [self::outcome($ticket->promise()), $ticket->isSettled()]);
    }

    public function testTheArchiveThatListenersHaveSeenIsNotDownloadedAgain(): void
    {
        $ticket = $this->ticket()->afterListeners();
        self::assertTrue($ticket->isArchiveSeen());
        $ticket->handOver();
        self::assertSame([['/p/a.zip'], []], [self::outcome($ticket->promise()), $this->calls]);
    }

    public function testWhatWasMergedIsTakenOnce(): void
    {
        $ticket = $this->ticket();
        $ticket->addMerged('/p/a/x');
        $ticket->addMerged('/p/a/y');
        self::assertSame([['/p/a/x', '/p/a/y'], []], [$ticket->takeMerged(), $ticket->takeMerged()]);
    }
}
