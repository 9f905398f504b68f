<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Resolve\PinnedConstraints;
use Allegro\Plugin\Resolve\SettingException;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\IO\BufferIO;
use Composer\Package\Link;
use Composer\Package\RootPackage;
use Composer\Semver\VersionParser;
use Symfony\Component\Console\Input\ArrayInput;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputDefinition;
use Symfony\Component\Console\Input\InputOption;

final class PinnedConstraintsTest extends TestCase
{
    private static function project(mixed $allegro): RootPackage
    {
        $root = new RootPackage('the/project', '1.0.0.0', '1.0.0');
        $root->setExtra(['allegro' => $allegro]);
        $constraint = (new VersionParser())->parseConstraints('^1.0');
        $root->setRequires(['a/a' => new Link('the/project', 'a/a', $constraint, Link::TYPE_REQUIRE, '^1.0')]);

        return $root;
    }

    /**
     * @param array<string, mixed> $given
     */
    private static function input(array $given): ArrayInput
    {
        return new ArrayInput($given, new InputDefinition([
            new InputArgument('packages', InputArgument::IS_ARRAY),
            new InputOption('with', null, InputOption::VALUE_IS_ARRAY | InputOption::VALUE_REQUIRED),
        ]));
    }

    /**
     * @return iterable<string, array{mixed, string}>
     */
    public function bad(): iterable
    {
        yield 'no object' => ['a/a', 'object'];
        yield 'a list' => [['a/a:^1'], 'object'];
        yield 'a number' => [['a/a' => 1], '"a/a"'];
        yield 'nothing' => [['a/a' => ''], '"a/a"'];
        yield 'no constraint' => [['b/b' => '^1', 'a/a' => '=> 1'], '"a/a"'];
        yield 'a pattern' => [['a/*' => '^1'], '"a/*" is a pattern'];
        yield 'no name' => [['ext-json' => '*'], '"ext-json"'];
        yield 'what the project does not allow' => [['A/a' => '^2'], 'composer.json requires ^1.0'];
    }

    /**
     * @dataProvider bad
     */
    public function testBadValuesAreNamed(mixed $exceptions, string $word): void
    {
        $this->expectException(SettingException::class);
        $this->expectExceptionMessageMatches('{^extra\.allegro\.exceptions.*'.preg_quote($word).'}');
        PinnedConstraints::of(self::project(['exceptions' => $exceptions]));
    }

    public function testNoSettingIsNone(): void
    {
        foreach ([null, 'text', [], ['exceptions' => []]] as $allegro) {
            $exceptions = PinnedConstraints::of(self::project($allegro));
            $io = new BufferIO();
            $input = self::input(['--with' => ['b/b:^1']]);
            $exceptions->hold($input, $io);
            self::assertSame([[], ['b/b:^1'], ''], [$exceptions->constraints(), $input->getOption('with'), $io->getOutput()]);
        }
    }

    public function testTheyComeBeforeWhatIsGivenAndGiveWayToIt(): void
    {
        $exceptions = PinnedConstraints::of(self::project(['exceptions' => ['A/a' => '1.2 || 1.4', 'b/b' => '*', 'c/c' => '<3', 'd/d' => '^4']]));
        $io = new BufferIO();
        $input = self::input(['packages' => ['c/c:^2', 'd/d'], '--with' => ['B/B=^7', 'e/e:^1']]);
        $exceptions->hold($input, $io);
        self::assertSame(['a/a:1.2 || 1.4', 'd/d:^4', 'B/B=^7', 'e/e:^1'], $input->getOption('with'));
        self::assertSame("Allegro: held by extra.allegro.exceptions: a/a 1.2 || 1.4, d/d ^4\n", $io->getOutput());
    }
}
