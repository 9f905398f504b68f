<?php

declare(strict_types=1);

namespace Allegro\Plugin\Takeover;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Internals;
use Composer\Util\Loop;
use Composer\Util\ProcessExecutor;
use React\Promise\PromiseInterface;

/**
 * Starts Allegro's work when Composer's loop begins to wait.
 *
 * The loop counts the jobs of its process executor. This object stands in that executor's place
 * until the loop asks it, and passes everything else to the executor.
 *
 * The loop would also notice a child process that ends at once. But the more memory PHP has, the
 * longer it takes to start a process. Allegro's work would take longer, too, because PHP shares its
 * memory with the child at first.
 *
 * Parameters are untyped because Composer 2.2 has them so.
 */
final class Wake extends ProcessExecutor
{
    /** Whether the work has begun. */
    private bool $hasFired = false;

    /**
     * @param \Closure(): void $fire
     */
    private function __construct(
        private readonly Loop $loop,
        private readonly ProcessExecutor $executor,
        private readonly \Closure $fire,
    ) {
    }

    /**
     * Calls a function once, as soon as the loop is waiting.
     *
     * @param \Closure(): void $fire
     */
    public static function when(Loop $loop, ProcessExecutor $executor, \Closure $fire): void
    {
        /** @var mixed $inside */
        $inside = Internals::of($loop, Loop::class, 'processExecutor')['processExecutor'] ?? null;
        if ($inside instanceof ProcessExecutor) {
            Internals::set($loop, Loop::class, 'processExecutor', new self($loop, $inside, $fire));

            return;
        }
        // The loop is not as Composer makes it. It must go on until it has seen the work that is
        // started in the meantime.
        $do = static function () use ($executor, $fire): void {
            $executor->executeAsync('exit 0');
            $fire();
        };
        $executor->executeAsync('exit 0')->then($do, $do);
    }

    /**
     * {@inheritDoc}
     */
    public function countActiveJobs($index = null): int
    {
        if ($index !== null) {
            return $this->executor->countActiveJobs($index);
        }
        $inside = fn (): bool => (Internals::of($this->loop, Loop::class, 'processExecutor')['processExecutor'] ?? null) === $this;
        if ($this->hasFired || Guard::attempt($inside) === false) {
            // The caller is a wait within a wait, and the work has begun by now.
            return $this->executor->countActiveJobs();
        }
        $this->hasFired = true;
        Guard::attempt(fn () => Internals::set($this->loop, Loop::class, 'processExecutor', $this->executor));
        // The closure guards itself, and settles every promise of the round in any case.
        ($this->fire)();

        // The loop is to look at the processes and transfers of this work before it ends.
        return $this->executor->countActiveJobs() + 1;
    }

    /**
     * {@inheritDoc}
     */
    public function execute($command, &$output = null, $cwd = null): int
    {
        // Without a second argument Composer prints the output.
        // @mago-expect analysis:mixed-assignment Composer declares no type of the output.
        return func_num_args() > 1 ? $this->executor->execute($command, $output, $cwd) : $this->executor->execute($command);
    }

    /**
     * {@inheritDoc}
     */
    public function executeTty($command, $cwd = null): int
    {
        return $this->executor->executeTty($command, $cwd);
    }

    /**
     * {@inheritDoc}
     */
    public function executeAsync($command, $cwd = null): PromiseInterface
    {
        return $this->executor->executeAsync($command, $cwd);
    }

    /**
     * {@inheritDoc}
     */
    public function setMaxJobs($maxJobs): void
    {
        $this->executor->setMaxJobs($maxJobs);
    }

    /**
     * {@inheritDoc}
     */
    public function resetMaxJobs(): void
    {
        $this->executor->resetMaxJobs();
    }

    /**
     * {@inheritDoc}
     */
    public function wait($index = null): void
    {
        $this->executor->wait($index);
    }

    /**
     * {@inheritDoc}
     */
    public function enableAsync(): void
    {
        $this->executor->enableAsync();
    }

    /**
     * {@inheritDoc}
     */
    public function getErrorOutput(): string
    {
        return $this->executor->getErrorOutput();
    }
}
