<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Internals;
use Composer\Util\Loop;
use Composer\Util\ProcessExecutor;
use React\Promise\PromiseInterface;

/**
 * Wakes us when Composer's loop begins to wait: the loop counts the jobs of its process executor, and this stands in
 * that executor's place until it is asked. Everything else goes to the executor itself.
 *
 * A child process that ends at once would be noticed as well, but starting one takes the longer the more memory PHP
 * has, and so does what follows, for its memory is shared with the child at first.
 *
 * Parameters are untyped because Composer 2.2 has them so.
 */
final class Wake extends ProcessExecutor
{
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
        $inside = Internals::of($loop, Loop::class, 'processExecutor')['processExecutor'] ?? null;
        if ($inside instanceof ProcessExecutor) {
            Internals::set($loop, Loop::class, 'processExecutor', new self($loop, $inside, $fire));

            return;
        }
        // Not as Composer makes it. The loop must go on until it has seen what is started in the meantime.
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
            // Asked by a wait within a wait, which has fired by now.
            return $this->executor->countActiveJobs();
        }
        $this->hasFired = true;
        Guard::attempt(fn () => Internals::set($this->loop, Loop::class, 'processExecutor', $this->executor));
        // It guards itself: whatever becomes of it, every promise of the round is settled.
        ($this->fire)();

        // The loop looks at what was started by this before it ends.
        return $this->executor->countActiveJobs() + 1;
    }

    /**
     * {@inheritDoc}
     */
    public function execute($command, &$output = null, $cwd = null): int
    {
        // Without a second argument Composer prints the output.
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
