<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Internals;
use Allegro\Plugin\Tests\Support\InternalUses;
use Allegro\Plugin\Tests\Support\Sources;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Composer;

/**
 * `docs/internals.md` lists all that is used of Composer's internals, and is right about the running Composer.
 */
final class InternalsTest extends TestCase
{
    private const FIRST = '2.2';

    private const LAST = '2.11';

    public function testEverythingThatIsUsedIsListed(): void
    {
        $unlisted = [];
        foreach (Sources::all() as $file => $source) {
            foreach (array_diff((new InternalUses($file, $source))->all(), array_keys(self::rows())) as $internal) {
                $unlisted[$internal] = $file;
            }
        }
        ksort($unlisted);
        self::assertSame([], $unlisted, 'are used, but not listed in docs/internals.md');
    }

    public function testEverythingThatIsListedIsUsed(): void
    {
        $used = [];
        foreach (Sources::all() as $file => $source) {
            $used = array_merge($used, (new InternalUses($file, $source))->all());
        }
        $here = array_filter(
            self::rows(),
            static fn (string $versions, string $internal): bool => self::isInRange($versions) && !self::isPublic($internal),
            ARRAY_FILTER_USE_BOTH
        );
        self::assertSame([], array_values(array_diff(array_keys($here), $used)), 'are listed, but not used');
    }

    /**
     * @dataProvider versions
     */
    public function testAnInternalIsThereExactlyWhereThePageSaysSo(string $internal, string $versions): void
    {
        [$class, $member] = explode('::', $internal) + [1 => null];
        $exists = class_exists($class) || interface_exists($class);
        if ($exists && $member !== null) {
            $exists = preg_match('{^[A-Z_]+$}', $member) === 1
                ? (new \ReflectionClass($class))->hasConstant($member)
                : Internals::has($class, $member);
        }
        self::assertSame(self::isInRange($versions), $exists, 'in Composer '.Composer::getVersion());
    }

    /**
     * @return iterable<string, array{string, string}>
     */
    public function versions(): iterable
    {
        foreach (self::rows() as $internal => $versions) {
            yield $internal => [$internal, $versions];
        }
    }

    public function testWhatIsNeededIsInEachVersionOrItsPartIsLeftToComposer(): void
    {
        $rows = self::rows();
        foreach (Internals::NEEDED as $part => $classes) {
            $isComplete = true;
            foreach ($classes as $class => $members) {
                foreach ($members as $member) {
                    self::assertArrayHasKey($class.'::'.$member, $rows);
                    $isComplete = $isComplete && self::isInRange($rows[$class.'::'.$member]);
                }
            }
            self::assertSame($isComplete, Internals::missing($part) === null, $part.' in Composer '.Composer::getVersion());
        }
    }

    /**
     * @return array<string, string> versions by internal
     */
    private static function rows(): array
    {
        $page = (string) file_get_contents(self::root().'/docs/internals.md');
        self::assertGreaterThan(50, preg_match_all('{^\| `(Composer\\\\\S+)` \| ([0-9.]+–[0-9.]+) \|}mu', $page, $match));

        return array_combine($match[1], $match[2]);
    }

    /**
     * Tells whether everybody may use it in this version: 2.2 has some methods public that became protected.
     */
    private static function isPublic(string $internal): bool
    {
        [$class, $member] = explode('::', rtrim($internal, '()')) + [1 => ''];

        return method_exists($class, $member) && (new \ReflectionMethod($class, $member))->isPublic();
    }

    private static function isInRange(string $versions): bool
    {
        [$from, $to] = explode('–', $versions);
        preg_match('{^\d+\.\d+}', Composer::getVersion(), $match);
        // What is in the first or last version that was read is expected before and after it.
        return ($from === self::FIRST || version_compare($match[0], $from, '>='))
            && ($to === self::LAST || version_compare($match[0], $to, '<='));
    }
}
