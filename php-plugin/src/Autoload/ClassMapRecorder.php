<?php

declare(strict_types=1);

namespace Allegro\Plugin\Autoload;

use Allegro\Plugin\Guard;
use Composer\ClassMapGenerator\ClassMap;
use Composer\ClassMapGenerator\ClassMapGenerator;

/**
 * Takes the place of Composer's ClassMapGenerator within a dump. It records rules one by one, and
 * makes the class map of all of them at once.
 *
 * The code of {@see DumpMethod} makes this object, and knows no arguments but Composer's. So the
 * dump in progress is static.
 *
 * @phpstan-type ScanArguments array{
 *     0: string|\Traversable<\SplFileInfo>|array<\SplFileInfo>,
 *     1?: non-empty-string|null,
 *     2?: 'classmap'|'psr-0'|'psr-4',
 *     3?: string|null,
 *     4?: array<string>,
 * }
 */
final class ClassMapRecorder
{
    /** The maker of class maps for the dump in progress. */
    private static ?ClassMapMaker $maker = null;

    /**
     * Arguments of the calls of scanPaths().
     *
     * @var list<ScanArguments>
     */
    private array $calls = [];

    private bool $avoidsDuplicates = false;

    /**
     * @param list<string> $extensions
     */
    public function __construct(private readonly array $extensions = ['php', 'inc'])
    {
    }

    /**
     * Sets the maker of class maps until the next call, and returns the former one.
     */
    public static function within(?ClassMapMaker $maker): ?ClassMapMaker
    {
        $before = self::$maker;
        self::$maker = $maker;

        return $before;
    }

    /**
     * Records that Composer's generator avoids duplicate scans.
     */
    public function avoidDuplicateScans(): self
    {
        $this->avoidsDuplicates = true;

        return $this;
    }

    /**
     * Records a rule.
     *
     * @param mixed ...$arguments as those of Composer's ClassMapGenerator
     */
    public function scanPaths(...$arguments): void
    {
        /** @var ScanArguments $arguments */
        $this->calls[] = $arguments;
    }

    /**
     * Makes the class map of all recorded rules.
     */
    public function getClassMap(): ClassMap
    {
        $generator = $this->generator();
        $isMade = Guard::attempt(fn (): bool => $this->isMadeNatively($generator));
        if ($isMade === null) {
            // The former generator may be half-filled.
            $generator = $this->generator();
        }
        foreach ($isMade === true ? [] : $this->calls as $call) {
            $generator->scanPaths(...$call);
        }

        return $generator->getClassMap();
    }

    /**
     * Tells whether the native part has filled the class map of a generator.
     */
    private function isMadeNatively(ClassMapGenerator $generator): bool
    {
        return $this->avoidsDuplicates
            && $this->extensions === ['php', 'inc', 'hh']
            && self::$maker !== null
            && self::$maker->make($generator, $this->calls);
    }

    /**
     * Returns a new generator of Composer with the recorded settings.
     */
    private function generator(): ClassMapGenerator
    {
        $generator = new ClassMapGenerator($this->extensions);
        if ($this->avoidsDuplicates) {
            $generator->avoidDuplicateScans();
        }

        return $generator;
    }
}
