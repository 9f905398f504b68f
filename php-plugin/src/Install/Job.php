<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use React\Promise\Deferred;
use React\Promise\PromiseInterface;

/**
 * A change of one install path: a package that is placed, or a directory that is removed.
 *
 * Composer leaves such work to processes and waits for its promise.
 */
final class Job
{
    private readonly Deferred $deferred;

    /**
     * @param \Closure(): (PromiseInterface|null) $work a promise that it returns is waited for
     * @param int                     $processes   the processes that Composer would need, in a row
     * @param Ticket|null             $ticket      the package; nothing is done if it is abandoned
     * @param (\Closure(): void)|null $first       is done before the work of any job of the round
     * @param string|null             $removed     the directory that is removed, if that is all
     * @param bool                    $hasPrograms whether the package declares programs
     */
    public function __construct(
        private readonly \Closure $work,
        public readonly int $processes,
        private readonly ?Ticket $ticket = null,
        private readonly ?\Closure $first = null,
        public readonly ?string $removed = null,
        public readonly bool $hasPrograms = false,
    ) {
        $this->deferred = new Deferred();
    }

    /**
     * Returns the promise that Composer waits for.
     */
    public function promise(): PromiseInterface
    {
        return $this->deferred->promise();
    }

    /**
     * Does the part of the job that comes before the work of any job.
     *
     * @return bool false if that has failed; the promise is settled with the failure then
     */
    public function begin(): bool
    {
        if ($this->first === null || $this->isAbandoned()) {
            return true;
        }
        try {
            ($this->first)();
        } catch (\Throwable $e) {
            $this->deferred->reject($e);

            return false;
        }

        return true;
    }

    /**
     * Does the work and settles the promise.
     *
     * @param \Closure(): mixed $before is called first, unless the job is abandoned
     */
    public function run(\Closure $before): void
    {
        $ticket = $this->ticket;
        if ($ticket !== null && $this->isAbandoned()) {
            // Composer prints this message for each package, because the package's archive is gone.
            $name = $ticket->package->getName();
            $this->deferred->reject(new \RuntimeException('Failed to extract '.$name.' as the installation was aborted by another package operation.'));

            return;
        }
        try {
            $before();
            $this->deferred->resolve(($this->work)());
        } catch (\Throwable $e) {
            $this->deferred->reject($e);
        }
    }

    /**
     * Tells whether the run was aborted before the package was placed.
     */
    private function isAbandoned(): bool
    {
        return $this->ticket?->state() === TicketState::Abandoned;
    }
}
