<?php

declare(strict_types=1);

namespace Allegro\Plugin\Autoload;

use Allegro\Plugin\Guard;
use Composer\ClassMapGenerator\ClassMap;
use Composer\ClassMapGenerator\ClassMapGenerator;

/**
 * Stands for Composer's ClassMapGenerator within a dump: takes the rules one by one, and has the class map made of all
 * of them at once when it is asked for.
 *
 * Made by the code of {@see DumpMethod}, which knows no arguments but Composer's: so the dump in progress is static.
 */
final class ClassMapRecorder
{
    private static ?ClassMapMaker $maker = null;

    /** @var list<array<int, mixed>> arguments of scanPaths() */
    private array $calls = [];

    private bool $avoidsDuplicates = false;

    /**
     * @param list<string> $extensions
     */
    public function __construct(private readonly array $extensions = ['php', 'inc'])
    {
    }

    /**
     * Says who makes class maps until the next call.
     */
    public static function within(?ClassMapMaker $maker): ?ClassMapMaker
    {
        $before = self::$maker;
        self::$maker = $maker;

        return $before;
    }

    public function avoidDuplicateScans(): self
    {
        $this->avoidsDuplicates = true;

        return $this;
    }

    /**
     * @param mixed ...$arguments as those of Composer's ClassMapGenerator
     */
    public function scanPaths(...$arguments): void
    {
        $this->calls[] = $arguments;
    }

    public function getClassMap(): ClassMap
    {
        $generator = $this->generator();
        $isMade = Guard::attempt(fn (): bool => $this->isMadeNatively($generator));
        if ($isMade === null) {
            // It may be half-filled.
            $generator = $this->generator();
        }
        foreach ($isMade === true ? [] : $this->calls as $call) {
            $generator->scanPaths(...$call);
        }

        return $generator->getClassMap();
    }

    private function isMadeNatively(ClassMapGenerator $generator): bool
    {
        return $this->avoidsDuplicates
            && $this->extensions === ['php', 'inc', 'hh']
            && self::$maker !== null
            && self::$maker->make($generator, $this->calls);
    }

    private function generator(): ClassMapGenerator
    {
        $generator = new ClassMapGenerator($this->extensions);
        if ($this->avoidsDuplicates) {
            $generator->avoidDuplicateScans();
        }

        return $generator;
    }
}
