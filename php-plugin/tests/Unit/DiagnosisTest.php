<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Command\Diagnosis;
use Allegro\Plugin\Command\OwnFiles;
use Allegro\Plugin\Native\EngineFinder;
use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\IO\NullIO;

final class DiagnosisTest extends TestCase
{
    private const ANSWER = [
        'version' => '1', 'protocol' => 9, 'layout' => 1, 'problem' => null, 'strategy' => 'auto', 'method' => 'copy', 'workers' => 4,
        'store' => ['path' => '/store', 'file_system' => 'ext4', 'mount' => '/'],
        'vendor' => ['path' => '/vendor', 'file_system' => 'ext4', 'mount' => '/'],
        'usage' => ['manifests' => 1, 'blobs' => 2, 'bytes' => 3, 'quarantined' => 0, 'quarantined_bytes' => 0],
        'sharing' => null,
    ];

    protected function setUp(): void
    {
        parent::setUp();
        if (extension_loaded('allegro')) {
            self::markTestSkipped('the extension is loaded');
        }
    }

    /**
     * @param array<string, mixed> $answer what differs in the answer of the native part
     */
    private function diagnose(Project $project, array $answer = []): Diagnosis
    {
        $answer = var_export($answer + self::ANSWER, true);
        $package = $this->packageWithScript('$r = json_decode(fgets(STDIN), true); echo json_encode(["id" => $r["id"], "answer" => '.$answer.']), "\n"; fgets(STDIN);');

        return Diagnosis::of($project->composer, new EngineFinder($package, new NullIO()), true);
    }

    /**
     * @param array<string, mixed> $answer
     *
     * @return array{string, string} the lines and the advice
     */
    private function texts(array $answer): array
    {
        $diagnosis = $this->diagnose(new Project($this->dir.'/project'), $answer);

        return [implode("\n", $diagnosis->lines()), implode("\n", $diagnosis->facts()['advice'])];
    }

    public function testWhyFilesAreNotLinked(): void
    {
        [$lines, $advice] = $this->texts(['sharing' => ['reason' => 'the store belongs to www-data', 'advice' => 'give each user a store']]);
        self::assertStringContainsString('the store belongs to www-data', $lines);
        self::assertStringContainsString('  - give each user a store', $lines);
        self::assertStringNotContainsString('has neither', $advice);

        [, $advice] = $this->texts([]);
        self::assertStringContainsString('(ext4) has neither', $advice);
        [, $advice] = $this->texts(['vendor' => ['path' => '/vendor', 'file_system' => 'ext4', 'mount' => '/home']]);
        self::assertStringContainsString('a store on the project\'s file system (/home)', $advice);
    }

    public function testTheSizeOfTheQuarantine(): void
    {
        [$lines] = $this->texts(['usage' => ['quarantined' => 1200, 'quarantined_bytes' => 3 * 1024 * 1024] + self::ANSWER['usage']]);
        self::assertStringContainsString('1,200 files that were changed in place, 3.0 MiB, kept for a look in /store/quarantine', $lines);
        [$lines] = $this->texts([]);
        self::assertStringNotContainsString('quarantine', $lines);
    }

    public function testPackagesWithFilesOfTheirOwn(): void
    {
        $project = new Project($this->dir.'/project', ['extra' => ['allegro' => ['copy' => 'acme/c*']]]);
        $repository = $project->composer->getRepositoryManager()->getLocalRepository();
        foreach (['acme/c4', 'acme/c3', 'acme/c1', 'acme/c2', 'acme/c5', 'acme/plugin', 'acme/shared', 'acme/meta', 'acme/c-source', 'acme/c-path'] as $name) {
            $types = ['acme/plugin' => 'composer-plugin', 'acme/meta' => 'metapackage'];
            $package = Project::package($name, 'https://example.org/a.zip', $types[$name] ?? 'library');
            $package->setInstallationSource($name === 'acme/c-source' ? 'source' : 'dist');
            $name !== 'acme/c-path' || $package->setDistType('path');
            $name !== 'acme/meta' || $package->setInstallationSource(null);
            $repository->addPackage($package);
        }
        $diagnosis = $this->diagnose($project);
        self::assertSame([
            ['reason' => 'a plugin, which may write into its own files', 'packages' => ['acme/plugin']],
            ['reason' => 'named in extra.allegro.copy', 'packages' => ['acme/c1', 'acme/c2', 'acme/c3', 'acme/c4', 'acme/c5']],
        ], $diagnosis->facts()['own_files']);
        $lines = $diagnosis->lines();
        self::assertContains('  - acme/plugin: a plugin, which may write into its own files', $lines);
        self::assertContains('  - acme/c1, acme/c2, acme/c3 and 2 more: named in extra.allegro.copy', $lines);
        self::assertSame(['a, b, c: x'], OwnFiles::lines([['reason' => 'x', 'packages' => ['a', 'b', 'c']]]));
    }
}
