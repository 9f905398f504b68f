<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Install\Privacy;
use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\TestCase;

final class PrivacyTest extends TestCase
{
    private const NAMES = ['acme/a', 'acme/b', 'other/c', 'drupal/core', 'drupal/core-recommended'];

    /**
     * @param array<string, mixed>                      $extra  of the root package
     * @param array<string, mixed>                      $files  JSON by name
     * @param list<array<string, mixed>>|null           $locked packages of the lock
     *
     * @return list<string> which of the names are private
     */
    private function isPrivate(array $extra, array $files = [], ?array $locked = null): array
    {
        $project = new Project($this->dir.'/project', ['extra' => $extra]);
        foreach ($files as $name => $content) {
            $path = $project->dir.'/'.$name;
            is_dir(dirname($path)) || mkdir(dirname($path), 0777, true);
            file_put_contents($path, is_string($content) ? $content : json_encode($content));
        }
        if ($locked !== null) {
            file_put_contents($project->dir.'/composer.lock', json_encode([
                'content-hash' => 'x', 'packages' => $locked, 'packages-dev' => [], 'aliases' => [],
                'minimum-stability' => 'stable', 'stability-flags' => [], 'platform' => [], 'platform-dev' => [],
            ]));
        }
        $privacy = new Privacy($project->composer);

        return array_values(array_filter(
            self::NAMES,
            static fn (string $name): bool => $privacy->reason(Project::package($name, 'https://example.org/x.zip')) !== null
        ));
    }

    public function testNothingIsPrivateByItself(): void
    {
        self::assertSame([], $this->isPrivate([]));
        self::assertSame([], $this->isPrivate([], [], [['name' => 'acme/a', 'version' => '1']]));
    }

    public function testPluginsAre(): void
    {
        $privacy = new Privacy((new Project($this->dir.'/project'))->composer);
        foreach (['composer-plugin' => true, 'composer-installer' => true, 'library' => false, 'project' => false, 'wordpress-plugin' => false] as $type => $expected) {
            self::assertSame($expected, $privacy->reason(Project::package('acme/a', 'https://example.org/x.zip', $type)) !== null, $type);
        }
    }

    public function testWhatTheUserNames(): void
    {
        self::assertSame(['acme/a'], $this->isPrivate(['allegro' => ['copy' => ['acme/a']]]));
        self::assertSame(['acme/a'], $this->isPrivate(['allegro' => ['copy' => 'Acme/A']]));
        self::assertSame(['acme/a', 'acme/b'], $this->isPrivate(['allegro' => ['copy' => ['acme/*']]]));
        self::assertSame(self::NAMES, $this->isPrivate(['allegro' => ['copy' => ['*']]]));
        self::assertSame(['drupal/core', 'drupal/core-recommended'], $this->isPrivate(['allegro' => ['copy' => ['none/*', 'drupal/core*']]]));
    }

    /**
     * @return iterable<string, array{mixed}>
     */
    public function oddSettings(): iterable
    {
        yield 'text' => ['yes'];
        yield 'null' => [null];
        yield 'true' => [['copy' => true]];
        yield 'numbers' => [['copy' => [1, null, ['x']]]];
        yield 'list' => [['copy']];
    }

    /**
     * @dataProvider oddSettings
     *
     * @param mixed $setting
     */
    public function testOddSettingsAreIgnored($setting): void
    {
        self::assertSame([], $this->isPrivate(['allegro' => $setting, 'patches' => $setting, 'drupal-scaffold' => $setting === null ? null : 'x']));
    }

    public function testPatchedPackages(): void
    {
        $patches = ['Acme/A' => ['Fix' => 'https://example.org/a.patch'], 'other/c' => []];
        self::assertSame(['acme/a', 'other/c'], $this->isPrivate(['patches' => $patches]));
        self::assertSame(['acme/a', 'other/c'], $this->isPrivate(['patches-file' => 'sub/list.json'], ['sub/list.json' => ['patches' => $patches]]));
        self::assertSame(['acme/a', 'other/c'], $this->isPrivate(
            ['composer-patches' => ['patches-file' => 'sub/list.json']],
            ['sub/list.json' => ['patches' => $patches]]
        ));
        self::assertSame(['acme/a', 'other/c'], $this->isPrivate([], ['patches.json' => ['patches' => $patches]]));
    }

    public function testTheLockOfComposerPatches2(): void
    {
        self::assertSame(['acme/b'], $this->isPrivate([], ['patches.lock.json' => ['_hash' => 'x', 'patches' => ['acme/b' => [['url' => 'x']]]]]));
    }

    public function testPatchFilesThatMakeNoSense(): void
    {
        self::assertSame([], $this->isPrivate(
            ['patches-file' => 'none.json'],
            ['patches.lock.json' => 'no JSON', 'patches.json' => '["patches"]']
        ));
        self::assertSame([], $this->isPrivate(['patches-file' => ['a']], ['patches.json' => ['patches' => 'acme/a']]));
    }

    public function testPatchesThatDependenciesBring(): void
    {
        self::assertSame(['acme/b'], $this->isPrivate([], [], [
            ['name' => 'acme/a', 'version' => '1', 'type' => 'library', 'extra' => ['patches' => ['acme/b' => ['x' => 'y']]]],
            ['name' => 'cweagans/composer-patches', 'version' => '2', 'type' => 'composer-plugin'],
        ]));
    }

    public function testAnUnknownPatchPluginMakesEverythingPrivate(): void
    {
        self::assertSame(self::NAMES, $this->isPrivate([], [], [['name' => 'vaimo/composer-patches', 'version' => '1', 'type' => 'composer-plugin']]));
        self::assertSame([], $this->isPrivate([], [], [['name' => 'acme/patchwork', 'version' => '1', 'type' => 'library']]));
    }

    public function testALockThatCanNotBeRead(): void
    {
        $project = new Project($this->dir.'/project', ['extra' => ['patches' => ['acme/a' => []]]]);
        file_put_contents($project->dir.'/composer.lock', '{');
        $privacy = new Privacy($project->composer);
        self::assertSame('named in a list of patches', $privacy->reason(Project::package('acme/a', 'https://example.org/x.zip')));
    }

    public function testDrupalsScaffold(): void
    {
        self::assertSame(['drupal/core'], $this->isPrivate(['drupal-scaffold' => ['locations' => ['web-root' => 'web/']]]));
        self::assertSame(['acme/a', 'drupal/core'], $this->isPrivate(['drupal-scaffold' => ['allowed-packages' => ['acme/a']]]));
    }
}
