<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

/**
 * File work that Composer waits for, and what settles its promise.
 */
final class Work
{
    /** @var callable(mixed): void */
    public $resolve;

    /** @var callable(\Throwable): void */
    public $reject;

    /**
     * @param \Closure(): (\React\Promise\PromiseInterface|null) $do
     * @param int                     $processes   how many processes Composer would need, one after the other
     * @param Ticket|null             $ticket      whose package it is about: nothing is done if it is abandoned
     * @param (\Closure(): void)|null $first       what comes before the work of all calls
     * @param string|null             $removed     the directory that it removes, if that is all
     * @param bool                    $hasPrograms whether the package declares programs
     */
    public function __construct(
        public readonly \Closure $do,
        public readonly int $processes,
        public readonly ?Ticket $ticket = null,
        public readonly ?\Closure $first = null,
        public readonly ?string $removed = null,
        public readonly bool $hasPrograms = false,
    ) {
    }

    public function isAbandoned(): bool
    {
        return $this->ticket !== null && $this->ticket->state === Ticket::ABANDONED;
    }
}
