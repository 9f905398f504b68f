<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Resolve\ParsedConstraints;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Package\Version\VersionParser;
use Composer\Semver\VersionParser as Parser;

final class ParsedConstraintsTest extends TestCase
{
    /**
     * @return iterable<string, array{string, array<mixed>}> what is written, and what the native part makes of it
     */
    public function constraints(): iterable
    {
        $range = static fn (string $from, string $to): array => ['and', ['>=', $from], ['<', $to]];
        $list = [
            ['*', ['*']],
            ['1.2.3', ['==', '1.2.3.0']],
            ['v1.2', ['==', '1.2.0.0']],
            ['dev-main', ['==', 'dev-main']],
            ['2.x-dev#abc', ['==', '2.9999999.9999999.9999999-dev']],
            ['!=1.0', ['!=', '1.0.0.0']],
            ['<> 1.0', ['!=', '1.0.0.0']],
            ['>=1', ['>=', '1.0.0.0-dev']],
            ['<=1', ['<=', '1.0.0.0']],
            ['>1', ['>', '1.0.0.0']],
            [' ^1.2 ', $range('1.2.0.0-dev', '2.0.0.0-dev')],
            ['~1.2@beta', $range('1.2.0.0-dev', '2.0.0.0-dev')],
            ['^1 || ^2', $range('1.0.0.0-dev', '3.0.0.0-dev')],
            ['^1 | ^3', ['or', $range('1.0.0.0-dev', '2.0.0.0-dev'), $range('3.0.0.0-dev', '4.0.0.0-dev')]],
            ['>=1,<1.5,!=1.2', ['and', ['>=', '1.0.0.0-dev'], ['<', '1.5.0.0-dev'], ['!=', '1.2.0.0']]],
            ['7', ['==', '7.0.0.0']],
        ];
        foreach ($list as $one) {
            yield $one[0] => $one;
        }
    }

    /**
     * @dataProvider constraints
     *
     * @param array<mixed> $means
     */
    public function testTheyAreWhatComposerReads(string $text, array $means): void
    {
        $this->forget();
        ParsedConstraints::remember([(string) json_encode([$text, $means])]);
        $known = $this->known();
        self::assertSame([$text], array_map('strval', array_keys($known)));
        // Composer finds it there.
        $found = (new VersionParser())->parseConstraints($text);
        self::assertSame($known[$text], $found);
        self::assertEquals((new Parser())->parseConstraints($text), $found);
        self::assertSame($text, $found->getPrettyString());
    }

    public function testWhatComposerHasReadStays(): void
    {
        $this->forget();
        $own = (new VersionParser())->parseConstraints('^1.0');
        ParsedConstraints::remember(['["^1.0",["*"]]', '["^2.0",["*"]]']);
        self::assertSame($own, (new VersionParser())->parseConstraints('^1.0'));
        self::assertSame('*', (string) (new VersionParser())->parseConstraints('^2.0'));
        $this->forget();
    }

    /**
     * @return array<string, object>
     */
    private function known(): array
    {
        return \Closure::bind(static fn (): array => self::$constraints, null, VersionParser::class)();
    }

    private function forget(): void
    {
        \Closure::bind(static function (): void {
            self::$constraints = [];
        }, null, VersionParser::class)();
    }
}
