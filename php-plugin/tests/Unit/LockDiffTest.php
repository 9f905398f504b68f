<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Resolve\LockDiff;
use Allegro\Plugin\Tests\Support\TestCase;

final class LockDiffTest extends TestCase
{
    private const OLD = '0123456789abcdef0123456789abcdef01234567';
    private const NEW = 'fedcba9876543210fedcba9876543210fedcba98';

    /**
     * @return array<string, mixed>
     */
    private static function package(string $name, string $version, string $reference = self::OLD, ?string $url = null): array
    {
        return ['name' => $name, 'version' => $version, 'source' => ['url' => $url ?? 'https://github.com/'.$name.'.git', 'reference' => $reference]];
    }

    /**
     * @return iterable<string, array{array<string, mixed>|null, array<string, mixed>|null, string|null, string}> the package before and after, change, versions
     */
    public function changes(): iterable
    {
        yield 'the same' => [self::package('a/a', '1.0.0'), self::package('a/a', '1.0.0'), null, ''];
        yield 'added' => [null, self::package('a/a', 'v1.0.0'), 'added', 'v1.0.0'];
        yield 'removed' => [self::package('a/a', '1.0.0'), null, 'removed', '1.0.0'];
        yield 'up' => [self::package('a/a', '1.9.0'), self::package('a/a', '1.10.0', self::NEW), 'upgraded', '1.9.0 → 1.10.0'];
        yield 'down' => [self::package('a/a', '1.10.0'), self::package('a/a', '1.9.0', self::NEW), 'downgraded', '1.10.0 → 1.9.0'];
        yield 'a branch that went on' => [self::package('a/a', 'dev-main'), self::package('a/a', 'dev-main', self::NEW), 'changed', 'dev-main#0123456789 → dev-main#fedcba9876'];
        yield 'a tag that was moved' => [self::package('a/a', '1.0'), self::package('a/a', '1.0', self::NEW), 'changed', '1.0#0123456789 → 1.0#fedcba9876'];
        yield 'from a branch to a version' => [self::package('a/a', 'dev-main'), self::package('a/a', '1.0', self::NEW), 'changed', 'dev-main#0123456789 → 1.0'];
        yield 'the same by another name' => [self::package('a/a', '1.0'), self::package('a/a', 'v1.0.0'), 'changed', '1.0 → v1.0.0'];
        yield 'numbered branches have an order' => [self::package('a/a', '1.x-dev'), self::package('a/a', '2.x-dev', self::NEW), 'upgraded', '1.x-dev#0123456789 → 2.x-dev#fedcba9876'];
    }

    /**
     * @dataProvider changes
     *
     * @param array<string, mixed>|null $from
     * @param array<string, mixed>|null $to
     */
    public function testChanges(?array $from, ?array $to, ?string $change, string $versions): void
    {
        $diff = LockDiff::between(['packages' => array_filter([$from])], ['packages' => array_filter([$to])]);
        $found = json_decode($diff->render('json'), true)['changes'];
        self::assertSame($change === null ? [] : [$change], array_column($found, 'change'));
        $text = $diff->render('text');
        self::assertStringContainsString($change === null ? 'Nothing changes in the lock.' : "1 $change\n", $text);
        self::assertStringContainsString($versions, $text);
        self::assertStringContainsString($versions, $diff->render('md'));
    }

    public function testListsOfTheLock(): void
    {
        $a = self::package('a/a', '1.0.0');
        $b = self::package('b/b', '1.0.0');
        $diff = LockDiff::between(['packages' => [$a], 'packages-dev' => [$b]], ['packages' => [], 'packages-dev' => [$b, $a]]);
        self::assertSame("1 moved\n  moved      a/a  1.0.0 (dev)", $diff->render('text'));
        $diff = LockDiff::between(null, ['packages' => [$b, $a]]);
        self::assertSame(['a/a', 'b/b'], array_column(json_decode($diff->render('json'), true)['changes'], 'name'));
        self::assertSame(
            "| package | change | versions | |\n|---|---|---|---|\n| a/a | added | 1.0.0 |  |\n| b/b | added | 1.0.0 |  |",
            $diff->render('md')
        );
    }

    /**
     * @return iterable<string, array{string, string|null}>
     */
    public function places(): iterable
    {
        $commits = substr(self::OLD, 0, 10).'...'.substr(self::NEW, 0, 10);
        yield 'GitHub' => ['https://github.com/a/b.git', 'https://github.com/a/b/compare/'.$commits];
        yield 'GitHub by ssh' => ['git@github.com:a/b.git', 'https://github.com/a/b/compare/'.$commits];
        yield 'with a port' => ['ssh://git@gitlab.example.org:2222/a/b.git', 'https://gitlab.example.org/a/b/-/compare/'.$commits];
        yield 'credentials' => ['https://user:secret@github.com/a/b', 'https://github.com/a/b/compare/'.$commits];
        yield 'GitLab with groups' => ['https://gitlab.com/a/b/c.git', 'https://gitlab.com/a/b/c/-/compare/'.$commits];
        yield 'a GitLab of the project' => ['https://gitlab.example.org/a/b.git', 'https://gitlab.example.org/a/b/-/compare/'.$commits];
        yield 'Bitbucket' => ['https://bitbucket.org/a/b.git', 'https://bitbucket.org/a/b/branches/compare/fedcba9876%0D0123456789'];
        yield 'somewhere else' => ['https://git.example.org/a/b.git', null];
        yield 'a directory' => ['/srv/git/b', null];
    }

    /**
     * @dataProvider places
     */
    public function testWhereToCompare(string $url, ?string $link): void
    {
        $diff = LockDiff::between(
            ['packages' => [self::package('a/b', '1.0.0', self::OLD, 'https://example.org/moved')]],
            ['packages' => [self::package('a/b', '1.1.0', self::NEW, $url)]],
            ['gitlab.com', 'gitlab.example.org']
        );
        self::assertSame([$link], array_column(json_decode($diff->render('json'), true)['changes'], 'compare'));
        self::assertStringNotContainsString('secret', $diff->render('text').$diff->render('md').$diff->render('json'));
        if ($link !== null) {
            self::assertStringContainsString('  '.$link, $diff->render('text'));
            self::assertStringContainsString('[compare]('.$link.')', $diff->render('md'));
        }
    }
}
