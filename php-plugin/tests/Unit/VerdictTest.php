<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Resolve\NearestNames;
use Allegro\Plugin\Resolve\Verdict;
use Allegro\Plugin\Tests\Support\TestCase;

final class VerdictTest extends TestCase
{
    private const WRITTEN = ['a/app' => '^3.0', 'a/lib' => '^2.0', 'a/ap' => '^1.0', 'php' => '^9'];

    /**
     * @param array<string, mixed> $more
     */
    private static function verdict(array $more): Verdict
    {
        $whole = $more + ['requires' => ['a/app', 'a/lib'], 'more' => 0, 'lack' => null, 'claims' => [], 'change' => [], 'tried' => 7];

        return new Verdict($whole, self::WRITTEN, ['php' => '8.1.2']);
    }

    /**
     * @param array<string, mixed> $more
     *
     * @return array<string, mixed>
     */
    private static function claim(string $by, array $more): array
    {
        return $more + ['by' => $by, 'newest' => '2.1.0', 'oldest' => '2.1.0', 'what' => 'requires', 'target' => 'a/base', 'constraint' => '^1.0', 'via' => null, 'lack' => null];
    }

    public function testTwoRequirementsByWayOfAThirdPackage(): void
    {
        $verdict = self::verdict([
            'claims' => [
                self::claim('a/lib', []),
                self::claim('b/inner', ['newest' => '3.4.1', 'oldest' => '3.0.0', 'constraint' => '^2.0', 'via' => 'a/app 3.1.0']),
            ],
            'change' => [['kind' => 'require', 'name' => 'a/lib', 'constraint' => '^3.0']],
        ]);
        self::assertSame([
            "Allegro: a/app ^3.0 and a/lib ^2.0 can't be had together",
            '         a/lib 2.1.0 (required by you: ^2.0) requires a/base ^1.0, b/inner 3.0.0 to 3.4.1 (required by a/app 3.1.0) requires a/base ^2.0',
            '         tried and works: "a/lib": "^3.0" in composer.json',
        ], $verdict->lines());
    }

    /**
     * @return iterable<string, array{array<string, mixed>, string}> what is in the verdict, and the line on it
     */
    public function sentences(): iterable
    {
        $require = ['kind' => 'require', 'name' => 'a/lib', 'constraint' => '^3.0@beta'];
        $remove = ['kind' => 'remove', 'name' => 'a/app'];
        yield 'one alone' => [['requires' => ['a/app']], "Allegro: a/app ^3.0 can't be had"];
        yield 'more than can be told' => [['more' => 3], "Allegro: a/app ^3.0, a/lib ^2.0 and 3 more can't be had together"];
        yield 'several that nobody has' => [['lack' => ['kind' => 'name']], "Allegro: a/app ^3.0 can't be had, nor can a/lib ^2.0"];
        yield 'many that nobody has' => [['requires' => ['a/app', 'a/lib', 'a/ap', 'php', 'x/y'], 'lack' => ['kind' => 'name']], "Allegro: a/app ^3.0 can't be had, nor can a/lib ^2.0, a/ap ^1.0 and 2 more"];
        yield 'several versions of one' => [
            ['claims' => [self::claim('a/app', []), self::claim('a/app', ['oldest' => '1.0', 'newest' => '1.0', 'target' => 'b/base'])]],
            '         a/app 2.1.0 (required by you: ^3.0) requires a/base ^1.0, a/app 1.0 requires b/base ^1.0',
        ];
        yield 'no such name' => [['lack' => ['kind' => 'name']], '         no repository has a/app'];
        yield 'no such version' => [['lack' => ['kind' => 'version', 'oldest' => '1.0', 'newest' => '2.5']], '         there is a/app 1.0 to 2.5'];
        yield 'one version' => [['lack' => ['kind' => 'version', 'oldest' => '1.0', 'newest' => '1.0']], '         there is a/app 1.0'];
        yield 'not stable enough' => [['lack' => ['kind' => 'stability', 'version' => '3.0.0-RC1', 'stability' => 'RC']], '         there is a/app 3.0.0-RC1 at most, which is RC'];
        yield 'another stands for it' => [['lack' => ['kind' => 'offered', 'by' => 'x/y', 'version' => 'v1.5', 'constraint' => '^1.0']], '         there is x/y v1.5, which stands for a/app ^1.0'];
        yield 'locked' => [['lack' => ['kind' => 'locked', 'version' => '2.0']], '         a/app 2.0 is locked and not to be updated'];
        yield 'left out' => [['lack' => ['kind' => 'elsewhere']], '         this run leaves out the versions of a/app that fit'];
        yield 'an extension' => [['requires' => ['ext-none'], 'lack' => ['kind' => 'platform', 'has' => null]], '         there is no ext-none'];
        yield 'the platform of the configuration' => [['requires' => ['php'], 'lack' => ['kind' => 'platform', 'has' => '8.1.2']], '         there is php 8.1.2 (config.platform)'];
        yield 'the platform of a dependency' => [
            ['claims' => [self::claim('a/app', ['target' => 'ext-none', 'constraint' => '>=2', 'lack' => ['kind' => 'platform', 'has' => '1.0']])]],
            '         a/app 2.1.0 (required by you: ^3.0) requires ext-none >=2, and there is ext-none 1.0',
        ];
        yield 'a conflict' => [['claims' => [self::claim('x/y', ['what' => 'conflicts'])]], '         x/y 2.1.0 conflicts with a/base ^1.0'];
        yield 'a replacement' => [['claims' => [self::claim('x/y', ['what' => 'replaces'])]], '         x/y 2.1.0 replaces a/base ^1.0'];
        yield 'the project' => [['claims' => [['by' => null] + self::claim('', [])]], '         you require a/base ^1.0'];
        yield 'the project conflicts' => [['claims' => [['by' => null, 'what' => 'conflicts'] + self::claim('', [])]], '         you conflict with a/base ^1.0'];
        yield 'the platform itself' => [['claims' => [['by' => null, 'what' => 'is', 'target' => 'php', 'constraint' => '8.1.2'] + self::claim('', [])]], '         there is php 8.1.2 (config.platform)'];
        yield 'two changes' => [['change' => [$require, ['name' => 'a/app', 'constraint' => '^2.0'] + $require]], '         tried and works: "a/lib": "^3.0@beta" and "a/app": "^2.0" in composer.json'];
        yield 'removed' => [['change' => [$remove]], '         tried and works: without "a/app" in composer.json'];
        yield 'changed and removed' => [['change' => [$remove, $require]], '         tried and works: "a/lib": "^3.0@beta" in composer.json, without "a/app"'];
        yield 'with dependencies' => [['change' => [['kind' => 'all_dependencies']]], '         tried and works: the same with --with-all-dependencies (-W)'];
        yield 'everything' => [['change' => [['kind' => 'everything']]], '         tried and works: an update of everything, without names of packages'];
        yield 'without --with' => [['change' => [['kind' => 'without_temporary']]], '         tried and works: the same without --with'];
        yield 'in vain' => [[], '         tried in vain: 7 changes to composer.json'];
        yield 'one in vain' => [['tried' => 1], '         tried in vain: 1 change to composer.json'];
    }

    /**
     * @dataProvider sentences
     *
     * @param array<string, mixed> $more
     */
    public function testSentences(array $more, string $line): void
    {
        self::assertContains($line, self::verdict($more)->lines());
    }

    public function testANameThatNobodyHas(): void
    {
        $verdict = self::verdict(['requires' => ['a/ap'], 'lack' => ['kind' => 'name'], 'change' => [['kind' => 'remove', 'name' => 'a/ap']]]);
        self::assertSame('a/ap', $verdict->missingName());
        self::assertNull(self::verdict([])->missingName());
        self::assertSame([
            "Allegro: a/ap ^1.0 can't be had",
            '         no repository has a/ap; much like it: a/app, a/zap',
            '         tried and works: "a/app": "^1.0" instead of "a/ap" in composer.json',
        ], $verdict->lines(['a/app', 'a/zap'], ['a/app', '^1.0']));
        self::assertSame('         tried and works: without "a/ap" in composer.json', $verdict->lines(['a/app'])[2]);
    }

    public function testWhatTheConfigurationSaysOfThePlatform(): void
    {
        $php = ['requires' => ['php'], 'lack' => ['kind' => 'platform', 'has' => '8.1.2']];
        $claim = ['claims' => [self::claim('a/app', ['target' => 'php', 'lack' => $php['lack']])], 'change' => [['kind' => 'remove', 'name' => 'a/app']]];
        self::assertSame('php', self::verdict($php)->overriddenName());
        self::assertSame('php', self::verdict($claim)->overriddenName());
        self::assertSame('         tried and works: without "php" in config.platform (here is 8.3.1)', self::verdict($claim)->lines([], null, '8.3.1')[2]);
        self::assertNull(self::verdict($php + ['change' => [['kind' => 'require', 'name' => 'php', 'constraint' => '^8.1']]])->overriddenName(), 'it helps already');
        self::assertNull(self::verdict(['requires' => ['ext-none'], 'lack' => ['kind' => 'platform', 'has' => null]])->overriddenName(), 'nothing is said of it');
        self::assertNull(self::verdict([])->overriddenName());
    }

    public function testNearestNames(): void
    {
        $known = ['monolog/monolog', 'symfony/console', 'symfony/consola', 'symfony/consul', 'laravel/framework', 'symfony/consol'];
        self::assertSame(['symfony/consola', 'symfony/console', 'symfony/consul'], NearestNames::of('symfony/consol', $known));
        self::assertSame(['monolog/monolog'], NearestNames::of('monlog/monolgo', $known));
        self::assertSame([], NearestNames::of('guzzlehttp/guzzle', $known));
        self::assertSame(['a/bc'], NearestNames::of('a/b', ['a/bc', 'a/bcd', 'x/y']), 'a short name is like many others');
        self::assertSame([], NearestNames::of('a/b', []));
    }

    public function testNamesInComposersCache(): void
    {
        $dir = $this->dir;
        foreach (['provider-a~one.json', 'provider-a~two~dev.json', 'provider-a~two.json', 'packages.json', 'provider-x.json'] as $file) {
            file_put_contents($dir.'/'.$file, '{}');
        }
        $names = NearestNames::inCache($dir);
        sort($names);
        self::assertSame(['a/one', 'a/two'], $names);
        self::assertSame([], NearestNames::inCache($dir.'/none'));
        self::assertSame([], NearestNames::inCache(''));
    }
}
