<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Install\Job;
use Allegro\Plugin\Install\Ticket;
use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\TestCase;

final class JobTest extends TestCase
{
    /** @var list<string> */
    private array $log = [];

    /**
     * @return \Closure(): null
     */
    private function step(string $name, ?string $failure = null): \Closure
    {
        return function () use ($name, $failure) {
            $this->log[] = $name;

            return $failure === null ? null : throw new \RuntimeException($failure);
        };
    }

    private function play(Job $job): void
    {
        $job->promise()->then($this->step('done'), function (\Throwable $e): void {
            $this->log[] = $e->getMessage();
        });
        if ($job->begin()) {
            $job->run($this->step('before'));
        }
    }

    public function testTheWorkIsDoneAfterWhatComesFirst(): void
    {
        $this->play(new Job($this->step('work'), processes: 1, first: $this->step('first')));
        self::assertSame(['first', 'before', 'work', 'done'], $this->log);
    }

    public function testAFailureSettlesThePromise(): void
    {
        $this->play(new Job($this->step('work'), processes: 1, first: $this->step('first', 'no room')));
        $this->play(new Job($this->step('work', 'no leave'), processes: 1));
        self::assertSame(['first', 'no room', 'before', 'work', 'no leave'], $this->log);
    }

    public function testNothingIsDoneForAnAbandonedPackage(): void
    {
        $package = Project::package('acme/a', 'https://h/a.zip');
        $ticket = new Ticket($package, '/p/a', 'https://h/a.zip', null, null, false, '/p/a.zip', 'unzip', static fn () => self::fail('downloaded'));
        $ticket->abandon();
        $this->play(new Job($this->step('work'), processes: 1, ticket: $ticket, first: $this->step('first')));
        self::assertSame(['Failed to extract acme/a as the installation was aborted by another package operation.'], $this->log);
    }
}
