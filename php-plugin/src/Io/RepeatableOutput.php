<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

use Allegro\Plugin\Guard;
use Symfony\Component\Console\Output\ConsoleOutputInterface;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Console\Output\StreamOutput;

/**
 * Writes the standard error of work that may be done a second time. The second time doesn't repeat
 * lines of the first.
 */
final class RepeatableOutput extends StreamOutput
{
    /** Beginnings of the lines that are always written: remarks of Allegro, and durations. */
    private const OWN = ['Allegro: ', 'Dependency resolution completed in '];

    /**
     * Lines of the first time that the second time hasn't reached yet, with their newline flags.
     *
     * @var list<array{string, bool}>
     */
    private array $said = [];

    /** Whether the work is done for the second time. */
    private bool $isSecond = false;

    /**
     * Does work that may be done a second time. The work announces the second time by calling the
     * closure that it gets.
     *
     * @template T
     *
     * @param callable(callable(): void): T $work
     *
     * @return T
     */
    public static function during(OutputInterface $output, callable $work)
    {
        $errors = $output instanceof ConsoleOutputInterface ? $output->getErrorOutput() : null;
        if (!$output instanceof ConsoleOutputInterface || !$errors instanceof StreamOutput) {
            return $work(static function (): void {
            });
        }
        $retold = new self($errors->getStream(), $errors->getVerbosity(), $errors->isDecorated(), $errors->getFormatter());
        $output->setErrorOutput($retold);
        try {
            return $work(static function () use ($retold): void {
                $retold->isSecond = true;
            });
        } finally {
            $output->setErrorOutput($errors);
        }
    }

    /**
     * Tells whether a line is a remark of Allegro or a duration.
     */
    private static function isOwn(string $message): bool
    {
        foreach (self::OWN as $start) {
            if (str_starts_with($message, $start)) {
                return true;
            }
        }

        return false;
    }

    /**
     * {@inheritDoc}
     *
     * @param string $message
     * @param bool   $newline
     */
    protected function doWrite($message, $newline): void
    {
        // @mago-expect analysis:redundant-cast(2) The parent of Composer 2.2 declares no types.
        if (Guard::attempt(fn (): bool => $this->isSaid((string) $message, (bool) $newline)) !== true) {
            parent::doWrite($message, $newline);
        }
    }

    /**
     * Tells whether a line of the second time was written the first time, and records lines of the
     * first time.
     */
    private function isSaid(string $message, bool $newline): bool
    {
        $line = [$message, $newline];
        if (!$this->isSecond) {
            if (!self::isOwn($message)) {
                $this->said[] = $line;
            }

            return false;
        }
        $at = array_search($line, $this->said, true);
        if ($at === false) {
            return false;
        }
        // Only the first time has written the lines before this one.
        $this->said = array_slice($this->said, (int) $at + 1);

        return true;
    }
}
