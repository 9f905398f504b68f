<?php

declare(strict_types=1);

namespace Allegro\Plugin\Io;

use Allegro\Plugin\Guard;
use Symfony\Component\Console\Output\ConsoleOutputInterface;
use Symfony\Component\Console\Output\OutputInterface;
use Symfony\Component\Console\Output\StreamOutput;

/**
 * Standard error of work that may be done a second time: what the first time has said isn't said again.
 */
final class Retold extends StreamOutput
{
    /** What is no other line again: remarks of ours, and times. */
    private const OWN = ['Allegro: ', 'Dependency resolution completed in '];

    /** @var list<array{string, bool}> what was said, as far as the second time hasn't come to it yet */
    private array $said = [];

    private bool $isSecond = false;

    /**
     * Does work that may ask for a second time, which it does by calling what it is given.
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
        if (Guard::attempt(fn (): bool => $this->isSaid((string) $message, (bool) $newline)) !== true) {
            parent::doWrite($message, $newline);
        }
    }

    /**
     * Tells whether a line was said the first time.
     */
    private function isSaid(string $message, bool $newline): bool
    {
        $line = [$message, $newline];
        if (!$this->isSecond) {
            self::isOwn($message) || $this->said[] = $line;

            return false;
        }
        $at = array_search($line, $this->said, true);
        if ($at === false) {
            return false;
        }
        // What stands before it was said the first time only.
        $this->said = array_slice($this->said, (int) $at + 1);

        return true;
    }
}
