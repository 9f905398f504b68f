<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Takeover\IndexedLocker;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Installer\InstallationManager;
use Composer\IO\NullIO;
use Composer\Json\JsonFile;
use Composer\Package\Loader\ArrayLoader;
use Composer\Package\Locker;
use Composer\Package\RootPackage;
use Composer\Package\RootPackageInterface;
use Composer\Util\ProcessExecutor;

final class IndexedLockerTest extends TestCase
{
    protected function setUp(): void
    {
        parent::setUp();
        if (!method_exists(Locker::class, 'getMissingRequirementInfo')) {
            self::markTestSkipped('Composer before 2.5 does not ask its locker what is missing');
        }
    }

    /**
     * @return iterable<string, array{array<string, mixed>, array<string, mixed>, bool}> lock, project, met by a look at names
     */
    public function locks(): iterable
    {
        $package = static fn (string $name, string $version, array $more = []): array => ['name' => $name, 'version' => $version] + $more;
        $lock = static fn (array $packages, array $dev = [], array $more = []): array => ['packages' => $packages, 'packages-dev' => $dev] + $more;
        yield 'nothing' => [$lock([]), [], true];
        yield 'met' => [$lock([$package('a/a', '1.2.0')]), ['require' => ['a/a' => '^1.0', 'php' => '>=5']], true];
        yield 'names in capitals' => [$lock([$package('A/a', 'v1.2')]), ['require' => ['a/A' => '^1.0']], true];
        yield 'absent' => [$lock([$package('a/a', '1.2.0')]), ['require' => ['b/b' => '*']], false];
        yield 'another version' => [$lock([$package('a/a', '1.2.0')]), ['require' => ['a/a' => '^2.0']], false];
        yield 'a branch' => [$lock([$package('a/a', 'dev-main')]), ['require' => ['a/a' => 'dev-main']], true];
        yield 'a branch alias' => [
            $lock([$package('a/a', 'dev-main', ['extra' => ['branch-alias' => ['dev-main' => '1.x-dev']]])]),
            ['require' => ['a/a' => '^1.0@dev']],
            false,
        ];
        yield 'an alias of the project' => [
            $lock([$package('a/a', 'dev-main')], [], [
                'aliases' => [['package' => 'a/a', 'version' => 'dev-main', 'alias' => '1.0.0', 'alias_normalized' => '1.0.0.0']],
            ]),
            ['require' => ['a/a' => '^1.0']],
            false,
        ];
        yield 'replaced' => [$lock([$package('a/a', '1.2.0', ['replace' => ['b/b' => 'self.version']])]), ['require' => ['b/b' => '^1.0']], true];
        yield 'provided' => [$lock([$package('a/a', '1.2.0', ['provide' => ['B/b' => '1.0 || 2.0']])]), ['require' => ['b/b' => '^2.0']], true];
        yield 'provided too old' => [$lock([$package('a/a', '1.2.0', ['provide' => ['b/b' => '1.0']])]), ['require' => ['b/b' => '^2.0']], false];
        yield 'replaced too old, provided in time' => [
            $lock([$package('a/a', '1.2.0', ['replace' => ['b/b' => '1.0'], 'provide' => ['b/b' => '2.0']])]),
            ['require' => ['b/b' => '^2.0']],
            false,
        ];
        yield 'provides itself' => [$lock([$package('a/a', '1.2.0', ['provide' => ['a/a' => '2.0']])]), ['require' => ['a/a' => '^2.0']], false];
        yield 'two offers' => [
            $lock([$package('a/a', '1.2.0', ['provide' => ['x/x' => '1.0']]), $package('b/b', '1.2.0', ['provide' => ['x/x' => '2.0']])]),
            ['require' => ['x/x' => '^2.0']],
            true,
        ];
        yield 'required in vain by both' => [
            $lock([$package('a/a', '1.2.0')]),
            ['require' => ['a/a' => '^1.0'], 'require-dev' => ['b/b' => '^1.0']],
            false,
        ];
        yield 'development alone' => [$lock([], [$package('b/b', '1.0')]), ['require-dev' => ['b/b' => '^1.0']], true];
        yield 'for development, but required' => [$lock([], [$package('b/b', '1.0')]), ['require' => ['b/b' => '^1.0']], false];
        yield 'a development requirement met by a package for all' => [$lock([$package('b/b', '1.0')]), ['require-dev' => ['b/b' => '^1.0']], true];
        yield 'self.version' => [$lock([]), ['require' => ['b/b' => 'self.version']], true];
        yield 'without development packages' => [['packages' => []], ['require' => []], false];
        yield 'an odd version' => [$lock([$package('a/a', 'not a version')]), ['require' => ['a/a' => '*']], false];
        yield 'a normalized version' => [
            $lock([$package('a/a', '1.0', ['version_normalized' => '2.0.0.0'])]),
            ['require' => ['a/a' => '^2.0']],
            false,
        ];
        yield 'no packages, no names' => [$lock([[]]), ['require' => ['a/a' => '*']], false];
    }

    /**
     * @dataProvider locks
     *
     * @param array<string, mixed> $lock
     * @param array<string, mixed> $project
     */
    public function testTheAnswerIsComposers(array $lock, array $project, bool $fast): void
    {
        $path = $this->dir.'/composer.lock';
        file_put_contents($path, json_encode($lock + ['content-hash' => 'x']));
        $root = (new ArrayLoader())->load(['name' => 'the/project', 'version' => '1.0'] + $project, RootPackage::class);
        self::assertInstanceOf(RootPackage::class, $root);
        foreach ([true, false] as $dev) {
            $ours = IndexedLocker::inPlaceOf($this->locker($path));
            self::assertSame($this->answer($this->locker($path), $root, $dev), $this->answer($ours, $root, $dev), $dev ? 'dev' : 'no dev');
        }
        self::assertSame($fast, $this->reads($path, $root) === 0, 'who has looked');
    }

    private function locker(string $path): Locker
    {
        return new Locker(
            new NullIO(),
            new JsonFile($path),
            (new \ReflectionClass(InstallationManager::class))->newInstanceWithoutConstructor(),
            '{}',
            new ProcessExecutor()
        );
    }

    /**
     * How often the whole lock is turned into packages.
     */
    private function reads(string $path, RootPackageInterface $root): int
    {
        $locker = IndexedLocker::inPlaceOf($this->locker($path));
        $loader = new class () extends ArrayLoader {
            public int $loads = 0;

            public function load(array $config, string $class = 'Composer\Package\CompletePackage'): \Composer\Package\BasePackage
            {
                ++$this->loads;

                return parent::load($config, $class);
            }
        };
        \Closure::bind(function () use ($loader): void {
            $this->loader = $loader;
        }, $locker, Locker::class)();
        $answer = $this->answer($locker, $root, true);

        return is_string($answer) ? 1 : $loader->loads + count($answer);
    }

    /**
     * @return array<string>|string messages, or what was thrown
     */
    private function answer(Locker $locker, RootPackageInterface $root, bool $dev)
    {
        try {
            return $locker->getMissingRequirementInfo($root, $dev);
        } catch (\Throwable $e) {
            return get_class($e).': '.$e->getMessage();
        }
    }
}
