<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Classes;
use Allegro\Plugin\Guard;
use Allegro\Plugin\Internals;
use Allegro\Plugin\Io\ShortList;
use Allegro\Plugin\Takeover\Processes;
use Allegro\Plugin\Takeover\Wake;
use Composer\Composer;
use Composer\Util\ProcessExecutor;
use React\Promise\PromiseInterface;

/**
 * Collects Composer's calls between two waits, and does all their work at once when Composer waits.
 *
 * Composer calls download() for every operation and then spins its loop until all promises are
 * settled. It does the same with install(), update() and remove(). The loop looks at HTTP transfers
 * and child processes, and its first look starts the work, see {@see Wake}. By then every call of
 * the round has been made, and listeners have seen every event before it. That is the same with
 * Composer's own parallel work.
 */
final class Round
{
    /** @var list<Ticket> packages that are to be downloaded */
    private array $tickets = [];

    /**
     * Changes of install paths that are to be done.
     *
     * @var list<Job>
     */
    private array $jobs = [];

    /** Whether the loop is going to start the work of this round. */
    private bool $isArmed = false;

    public function __construct(
        private readonly Batch $batch,
        private readonly Composer $composer,
        private readonly ProcessExecutor $process,
        private readonly Preparation $preparation,
    ) {
    }

    /**
     * Downloads a package when Composer waits.
     */
    public function download(Ticket $ticket): PromiseInterface
    {
        if ($this->tickets === []) {
            Classes::loadAll();
            $engine = $this->batch->engines->find();
            if ($engine !== null) {
                $engine->warmUp();
            }
        }
        $this->tickets[] = $ticket;
        $this->arm();

        return $ticket->promise();
    }

    /**
     * Does a job when Composer waits.
     *
     * Jobs are done in the order in which Composer would be done with them, because that is the
     * order of the installed packages.
     */
    public function add(Job $job): PromiseInterface
    {
        $this->jobs[] = $job;
        try {
            $this->arm();
        } catch (\Throwable $e) {
            // The caller does the work at once.
            array_pop($this->jobs);

            throw $e;
        }

        return $job->promise();
    }

    /**
     * Tells whether jobs of this round are still to be done.
     */
    public function hasJobs(): bool
    {
        return $this->jobs !== [];
    }

    /**
     * Has the loop start the work of this round.
     */
    private function arm(): void
    {
        if ($this->isArmed) {
            return;
        }
        $this->batch->deferWrites();
        // Composer's progress bar would stand in the middle of Allegro's lines.
        $this->composer->getInstallationManager()->setOutputProgress(false);
        $fire = function (): void {
            $this->isArmed = false;
            $this->batch->directories->endRound();
            $this->fire();
            $this->batch->directories->endRound();
        };
        Wake::when($this->composer->getLoop(), $this->process, $fire);
        $this->isArmed = true;
    }

    /**
     * Does the work of this round: downloads first, and then jobs.
     */
    private function fire(): void
    {
        $tickets = array_values(array_filter($this->tickets, static fn (Ticket $ticket): bool => $ticket->state() === TicketState::Waiting));
        $this->tickets = [];
        if ($tickets !== []) {
            Guard::run(fn () => $this->preparation->prepare($tickets), fn () => $this->preparation->settleAll($tickets));
        }
        foreach ($this->jobs as $index => $job) {
            if (!$job->begin()) {
                unset($this->jobs[$index]);
            }
        }
        $this->jobs = array_values($this->jobs);
        $this->jobs = Guard::attempt(fn (): array => Processes::inOrder($this->jobs, $this->mostProcesses())) ?? $this->jobs;
        while ($this->jobs !== []) {
            $job = array_shift($this->jobs);
            $job->run(fn () => Guard::attempt(fn () => $this->batch->primeWrites()));
        }
        Guard::restore(
            fn () => $this->separateStrays(),
            fn () => $this->batch->staging->emptyTrash(),
            fn () => $this->batch->staging->tidy()
        );
    }

    /**
     * Returns how many processes Composer has at a time.
     */
    private function mostProcesses(): int
    {
        /** @var int|null $most */
        $most = Internals::of($this->process, ProcessExecutor::class, 'maxJobs')['maxJobs'] ?? null;

        return is_int($most) ? $most : 1;
    }

    /**
     * Gives programs inodes of their own, and tells the user of those that stay shared.
     */
    private function separateStrays(): void
    {
        $shared = $this->batch->programs->separateStrays();
        if ($shared !== []) {
            $this->batch->report->notice('programs that are still shared with other projects, because they can not be copied: '.ShortList::names($shared));
        }
    }
}
