<?php

declare(strict_types=1);

namespace Allegro\Plugin\Takeover;

use Allegro\Plugin\Guard;
use Composer\IO\IOInterface;

/**
 * Stands for `installed.json`, and may put off its writes.
 */
final class DeferredJsonFile extends AtomicJsonFile
{
    private DeferredWrites $writes;

    public function __construct(string $path, DeferredWrites $writes, IOInterface $io)
    {
        parent::__construct($path, null, $io);
        $this->writes = $writes;
    }

    /**
     * Returns the object that decides which writes are put off.
     */
    public function writes(): DeferredWrites
    {
        return $this->writes;
    }

    /**
     * {@inheritDoc}
     */
    public function getPath(): string
    {
        /** @var list<array{function: string, class?: class-string, ...}> $trace */
        $trace = array_slice(debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS, 3), 1);
        Guard::run(fn () => $this->writes->beforeWrite($trace), fn () => $this->writes->giveUp());

        return parent::getPath();
    }

    /**
     * {@inheritDoc}
     */
    public function exists(): bool
    {
        Guard::run(fn () => $this->writes->beforeRead(), fn () => $this->writes->giveUp());

        return parent::exists();
    }

    /**
     * {@inheritDoc}
     *
     * @param int $options
     *
     * @return void
     */
    public function write(array $hash, $options = JSON_UNESCAPED_SLASHES | JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE)
    {
        $isPutOff = Guard::run(fn (): bool => $this->writes->putOff($hash), fn (): bool => $this->writes->writeInstead($hash));
        if (!$isPutOff) {
            parent::write($hash, $options);
        }
    }
}
