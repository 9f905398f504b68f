<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Integration;

use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\DependencyResolver\Operation\InstallOperation;
use Composer\Installer\NoopInstaller;
use Composer\Json\JsonFile;
use Composer\Package\AliasPackage;
use Composer\Package\CompletePackage;
use Composer\Package\Link;
use Composer\Package\PackageInterface;
use Composer\Repository\InstalledArrayRepository;
use Composer\Repository\InstalledFilesystemRepository;
use Composer\Repository\InstalledRepositoryInterface;
use Composer\Semver\Constraint\Constraint;
use React\Promise\PromiseInterface;

final class DeferredWritesTest extends TestCase
{
    private function project(): Project
    {
        return (new Project($this->dir.'/project'))->useAllegro($this->dir.'/no-package', false);
    }

    /**
     * Installs packages of a type that is only recorded, and says which were recorded on disk when each was installed.
     *
     * @return array<string, list<string>>
     */
    private function recordedMeanwhile(Project $project, int $count = 4, string $type = 'noted'): array
    {
        $seen = [];
        $installer = new class ($seen, $project->dir) extends NoopInstaller {
            /** @param array<string, list<string>> $seen */
            public function __construct(private array &$seen, private string $dir)
            {
            }

            public function supports($packageType): bool
            {
                return true;
            }

            public function install(InstalledRepositoryInterface $repo, PackageInterface $package): PromiseInterface
            {
                $path = $this->dir.'/vendor/composer/installed.json';
                $data = is_file($path) ? json_decode((string) file_get_contents($path), true) : ['packages' => []];
                $this->seen[$package->getName()] = array_column($data['packages'], 'name');

                return parent::install($repo, $package) ?? \React\Promise\resolve(null);
            }
        };
        $project->composer->getInstallationManager()->addInstaller($installer);
        $operations = [];
        for ($i = 1; $i <= $count; ++$i) {
            $operations[] = new InstallOperation(Project::package('acme/p'.$i, 'https://example.org/x.zip', $type));
        }
        $project->execute($operations);

        return $seen;
    }

    public function testItIsWrittenOnceAtTheEnd(): void
    {
        $project = $this->project();
        $project->deferWrites();
        self::assertSame(['acme/p1' => [], 'acme/p2' => [], 'acme/p3' => [], 'acme/p4' => []], $this->recordedMeanwhile($project));
        $installed = json_decode((string) file_get_contents($project->dir.'/vendor/composer/installed.json'), true);
        self::assertSame(['acme/p1', 'acme/p2', 'acme/p3', 'acme/p4'], array_column($installed['packages'], 'name'));
        self::assertFileExists($project->dir.'/vendor/composer/installed.php');
        self::assertSame('1.0.0', \Composer\InstalledVersions::getPrettyVersion('acme/p4'));
    }

    /**
     * @return iterable<string, array{string}>
     */
    public function packageEvents(): iterable
    {
        foreach (['install', 'update', 'uninstall'] as $operation) {
            yield 'pre '.$operation => ['pre-package-'.$operation];
            yield 'post '.$operation => ['post-package-'.$operation];
        }
    }

    /**
     * @dataProvider packageEvents
     */
    public function testListenersFindEverythingWritten(string $event): void
    {
        $project = $this->project();
        $project->deferWrites();
        $project->composer->getEventDispatcher()->addListener($event, static function (): void {
        });
        self::assertSame(
            ['acme/p1' => [], 'acme/p2' => ['acme/p1'], 'acme/p3' => ['acme/p1', 'acme/p2'], 'acme/p4' => ['acme/p1', 'acme/p2', 'acme/p3']],
            $this->recordedMeanwhile($project)
        );
    }

    public function testOtherListenersDoNotMatter(): void
    {
        $project = $this->project();
        $project->deferWrites();
        $project->composer->getEventDispatcher()->addListener('post-install-cmd', static function (): void {
        });
        self::assertSame([[], []], array_values($this->recordedMeanwhile($project, 2)));
    }

    public function testAWriteByAnybodyElseIsDoneAtOnce(): void
    {
        $project = $this->project();
        $repository = $project->deferWrites();
        $repository->addPackage(Project::package('acme/a', 'https://example.org/x.zip', 'metapackage'));
        $repository->write(true, $project->composer->getInstallationManager());
        self::assertFileExists($project->dir.'/vendor/composer/installed.json');
        (static function () use ($repository, $project): void {
            $repository->addPackage(Project::package('acme/b', 'https://example.org/x.zip', 'metapackage'));
            $repository->write(false, $project->composer->getInstallationManager());
        })();
        $installed = json_decode((string) file_get_contents($project->dir.'/vendor/composer/installed.json'), true);
        self::assertSame(['acme/a', 'acme/b'], array_column($installed['packages'], 'name'));
        self::assertFalse($installed['dev']);
    }

    public function testFlushWithoutAnythingPutOffWritesNothing(): void
    {
        $project = $this->project();
        $project->deferWrites();
        $project->batch->flushWrites();
        self::assertFileDoesNotExist($project->dir.'/vendor/composer/installed.json');
    }

    public function testAnUnchangedRunTouchesNoFile(): void
    {
        $project = $this->project();
        $repository = $project->deferWrites();
        $this->recordedMeanwhile($project, 2, 'metapackage');
        $state = static fn (): array => array_map(
            static fn (string $name): array => array_intersect_key((array) stat($project->dir.'/vendor/composer/'.$name), ['ino' => 1, 'mtime' => 1, 'ctime' => 1]),
            ['installed.json', 'installed.php', 'InstalledVersions.php']
        );
        $before = $state();
        $repository->write(true, $project->composer->getInstallationManager());
        clearstatcache();
        self::assertSame($before, $state());
    }

    /**
     * @return list<CompletePackage>
     */
    private static function variety(): array
    {
        $packages = [];
        foreach (['acme/z', 'Acme/Mixed-Case', 'acme/a', 'other/b', 'acme/dev'] as $name) {
            $package = Project::package($name, 'https://example.org/x.zip', $name === 'other/b' ? 'metapackage' : 'library');
            $package->setExtra(['float' => 1.0, 'text' => "/ \u{2603}", 'empty' => [], 'branch-alias' => ['dev-main' => '1.x-dev']]);
            $package->setAutoload(['psr-4' => ['A\\' => 'src/']]);
            $packages[] = $package;
        }
        $packages[0]->setReplaces(['acme/replaced' => new Link('acme/z', 'acme/replaced', new Constraint('==', '1.0.0.0'), Link::TYPE_REPLACE, 'self.version')]);
        $packages[2]->setProvides(['psr/thing' => new Link('acme/a', 'psr/thing', new Constraint('>=', '1.0'), Link::TYPE_PROVIDE, '>=1.0')]);

        return $packages;
    }

    /**
     * @return iterable<string, array{string|null}>
     */
    public function formerContents(): iterable
    {
        yield 'none' => [null];
        $old = ['packages' => [['name' => 'acme/old', 'version' => '3.0', 'version_normalized' => '3.0.0.0', 'type' => 'metapackage', 'install-path' => null]], 'dev' => true, 'dev-package-names' => ['acme/old']];
        yield 'four spaces' => [json_encode($old, JSON_PRETTY_PRINT)."\n"];
        yield 'two spaces' => [str_replace('    ', '  ', json_encode($old, JSON_PRETTY_PRINT))."\n"];
        yield 'the form of Composer 1' => [json_encode($old['packages'])];
    }

    /**
     * @dataProvider formerContents
     */
    public function testTheSameFilesAsTheParentWrites(?string $former): void
    {
        $trees = [];
        foreach (['theirs', 'ours'] as $who) {
            is_dir($this->dir.'/project') && rename($this->dir.'/project', $this->dir.'/before');
            if ($former !== null) {
                mkdir($this->dir.'/project/vendor/composer', 0777, true);
                file_put_contents($this->dir.'/project/vendor/composer/installed.json', $former);
            }
            $project = $this->project();
            $repository = $who === 'ours' ? $project->deferWrites() : $project->composer->getRepositoryManager()->getLocalRepository();
            $state = [$repository->getDevMode(), $repository->getDevPackageNames(), count($repository->getPackages())];
            $packages = self::variety();
            foreach ($packages as $package) {
                $repository->addPackage($package);
            }
            $repository->addPackage(new AliasPackage($packages[2], '1.9.9999999.9999999-dev', '1.9.x-dev'));
            $repository->setDevPackageNames(['acme/dev', 'acme/not-installed']);
            $repository->write($who !== '', $project->composer->getInstallationManager());
            $trees[$who] = [$state, self::tree($project->dir.'/vendor'), array_map(
                static fn (PackageInterface $package): string => $package->getUniqueName(),
                $repository->getPackages()
            )];
        }
        self::assertSame($trees['theirs'], $trees['ours']);
        self::assertStringContainsString('acme/mixed-case', $trees['ours'][1]['composer/installed.php']);
    }

    /**
     * A long random sequence of changes and questions has the same answers as with the parent.
     */
    public function testTheIndexAgreesWithTheParent(): void
    {
        $seed = random_int(0, PHP_INT_MAX);
        mt_srand($seed);
        $project = $this->project();
        $ours = $project->deferWrites();
        $writes = $project->batch->deferWrites();
        self::assertNotNull($writes);
        $theirs = new InstalledArrayRepository();
        // Each repository has its own objects, as a package belongs to one.
        $make = static function (int $name, int $version): CompletePackage {
            $package = new CompletePackage('acme/p'.$name, $version.'.0.0.0', $version.'.0.0');
            $package->setType('metapackage');

            return $package;
        };
        for ($step = 0; $step < 3000; ++$step) {
            [$name, $version] = [mt_rand(1, 8), mt_rand(1, 2)];
            switch (mt_rand(0, 5)) {
                case 0:
                case 1:
                    $ours->addPackage($make($name, $version));
                    $theirs->addPackage($make($name, $version));
                    break;
                case 2:
                    $ours->addPackage(new AliasPackage($make($name, $version), '9.0.0.0', '9.0'));
                    $theirs->addPackage(new AliasPackage($make($name, $version), '9.0.0.0', '9.0'));
                    break;
                case 3:
                case 4:
                    $ours->removePackage($make($name, $version));
                    $theirs->removePackage($make($name, $version));
                    break;
                case 5:
                    if (mt_rand(0, 40) === 0) {
                        foreach ($theirs->getPackages() as $package) {
                            $theirs->removePackage($package);
                            $ours->removePackage($package);
                        }
                    }
                    break;
            }
            if (mt_rand(0, 2) > 0) {
                $writes->prime();
            }
            for ($question = 0; $question < 3; ++$question) {
                $asked = $make(mt_rand(1, 8), mt_rand(1, 2));
                self::assertSame($theirs->hasPackage($asked), $ours->hasPackage($asked), 'seed '.$seed.', step '.$step);
            }
            $alias = new AliasPackage($make($name, 1), '9.0.0.0', '9.0');
            self::assertSame($theirs->hasPackage($alias), $ours->hasPackage($alias), 'seed '.$seed.', step '.$step);
            self::assertSame(count($theirs), count($ours));
        }
        $names = static fn (InstalledRepositoryInterface $repository): array => array_map(
            static fn (PackageInterface $package): string => $package->getUniqueName(),
            $repository->getPackages()
        );
        self::assertSame($names($theirs), $names($ours));
    }

    public function testReloadKeepsWhatWasPutOff(): void
    {
        $project = $this->project();
        $repository = $project->deferWrites();
        $this->recordedMeanwhile($project, 2, 'metapackage');
        $repository->reload();
        self::assertCount(2, $repository->getPackages());
        self::assertTrue($repository->hasPackage(Project::package('acme/p1', 'https://example.org/x.zip')));
        self::assertInstanceOf(InstalledFilesystemRepository::class, $repository);
        self::assertFalse($repository->isFresh());
    }
}
