<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Integration;

use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\DependencyResolver\Operation\InstallOperation;
use Composer\DependencyResolver\Operation\UpdateOperation;
use Composer\Installer\LibraryInstaller;
use Composer\Installer\ProjectInstaller;
use Composer\Package\CompletePackage;
use Composer\Package\PackageInterface;
use Composer\Repository\InstalledArrayRepository;
use Composer\Util\Filesystem;
use Symfony\Component\Console\Output\StreamOutput;

/**
 * What comes to its place is shared with the store or is not, with a helper that links whatever it may.
 */
final class OwnFilesTest extends TestCase
{
    private const TIME = 1_234_567_890;

    /** Makes `run`, `src/A.php` and what `<name>.links` says out of blobs; writes down what it is asked. */
    private const HELPER = <<<'PHP'
        $blobs = dirname(__DIR__, 3).'/blobs';
        is_dir($blobs) || mkdir($blobs);
        while (($line = fgets(STDIN)) !== false) {
            $r = json_decode($line, true);
            file_put_contents($blobs.'/requests', $line, FILE_APPEND);
            if ($r['op'] === 'replace') { echo json_encode(['id' => $r['id'], 'answer' => ['replaced' => rename($r['request']['temporary'], $r['request']['path'])]]), "\n"; continue; }
            if ($r['op'] === 'remove') { echo json_encode(['id' => $r['id'], 'answer' => ['failures' => array_map(fn ($p) => $p.' is busy', array_values(array_filter($r['request']['paths'], fn ($p) => glob($p.'/{,*/}busy', GLOB_BRACE) !== [] || exec('rm -rf '.escapeshellarg($p)) !== '')))]]), "\n"; continue; }
            $packages = [];
            foreach ($r['request']['packages'] as $p) {
                if ($p['version'] === 'odd') { $packages[] = ['id' => $p['id'], 'outcome' => 'declined', 'reason' => 'it is odd', 'loud' => false]; continue; }
                $stage = $r['request']['staging'].'/'.$p['id'];
                mkdir($stage.'/src', 0777, true);
                foreach (['run', 'src/A.php'] as $file) {
                    $blob = $blobs.'/'.strtr($p['name'].'-'.$file, '/', '-');
                    if (!is_file($blob)) { file_put_contents($blob, $file); chmod($blob, 0644); touch($blob, 1234567890); }
                    $p['private'] ? copy($blob, $stage.'/'.$file) : link($blob, $stage.'/'.$file);
                    touch($stage.'/'.$file, 1234567890);
                }
                touch($stage.'/src', 1234567890);
                touch($stage, 1234567890);
                $packages[] = ['id' => $p['id'], 'outcome' => 'ready', 'stage' => $stage, 'from' => 'store', 'files' => 2, 'downloaded' => 0, 'archive' => null];
            }
            echo json_encode(['id' => $r['id'], 'answer' => ['packages' => $packages, 'method' => 'hardlink', 'notices' => [], 'made' => [1, 2]]]), "\n";
        }
        PHP;

    protected function setUp(): void
    {
        parent::setUp();
        if (extension_loaded('allegro')) {
            self::markTestSkipped('the extension is loaded');
        }
    }

    /**
     * @param array<string, mixed> $manifest
     */
    private function project(array $manifest = []): Project
    {
        $project = new Project($this->dir.'/project', $manifest, StreamOutput::VERBOSITY_VERY_VERBOSE);

        return $project->useAllegro($this->packageWithScript(self::HELPER));
    }

    /**
     * @param list<string> $bins
     */
    private static function package(string $name, array $bins = [], string $type = 'library'): CompletePackage
    {
        $package = Project::package($name, 'https://example.org/0123456789abcdef0123456789abcdef01234567/'.$name.'.zip', $type);
        $package->setBinaries($bins);

        return $package;
    }

    private static function install(Project $project, PackageInterface ...$packages): void
    {
        $project->execute(array_map(static fn ($package): InstallOperation => new InstallOperation($package), $packages));
    }

    /**
     * An installer whose path can be changed.
     */
    private static function movableInstaller(Project $project): LibraryInstaller
    {
        $installer = new class ($project->io, $project->composer, 'movable') extends LibraryInstaller {
            public string $path = '';

            public function getInstallPath(PackageInterface $package): string
            {
                return $this->path;
            }
        };
        $project->composer->getInstallationManager()->addInstaller($installer);

        return $installer;
    }

    private static function links(string $file): int
    {
        clearstatcache();

        return (int) stat($file)['nlink'];
    }

    /**
     * @return list<array<string, mixed>>
     */
    private function requests(string $operation): array
    {
        $lines = array_map(static fn (string $line): array => json_decode($line, true), (array) file($this->dir.'/blobs/requests'));

        return array_column(array_filter($lines, static fn (array $line): bool => $line['op'] === $operation), 'request');
    }

    public function testWhatTheNativePartIsTold(): void
    {
        $this->env('TZ', 'Asia/Tokyo');
        $project = $this->project();
        $installer = self::movableInstaller($project);
        $installer->path = 'web/acme-b/';
        self::install($project, self::package('acme/a', ['run']), self::package('acme/b', [], 'movable'));
        [$request] = $this->requests('prepare');
        self::assertSame('Asia/Tokyo', $request['timezone']);
        self::assertSame(['acme/a', 'acme/b'], array_column(array_column($request['packages'], 'dist'), 'name'));
        self::assertSame([$project->dir.'/vendor/acme/a', $project->dir.'/web/acme-b'], array_column($request['packages'], 'path'));
        self::assertSame([false, true], array_column($request['packages'], 'private'));
        self::assertSame([['run'], []], array_column($request['packages'], 'bins'));
        [$placed] = $project->batch->placed->all();
        self::assertSame(['path', 'dist', 'plain_modes', 'made'], array_keys($placed));
        self::assertSame('acme/a', $placed['dist']['name']);
        self::assertSame($request['packages'][0]['plain_modes'], $placed['plain_modes']);
    }

    public function testOnlyFilesBelowVendorAreShared(): void
    {
        $project = $this->project();
        self::movableInstaller($project)->path = $project->dir.'/web/b';
        self::install($project, self::package('acme/a'), self::package('acme/b', [], 'movable'));
        self::assertSame(2, self::links($project->dir.'/vendor/acme/a/src/A.php'));
        self::assertSame(1, self::links($project->dir.'/web/b/src/A.php'));
        $output = $project->io->getOutput();
        self::assertStringContainsString("  - Allegro: acme/b gets files of its own: it is installed outside of vendor-dir\n", $output);
        self::assertSame(1, substr_count($output, 'files of its own'));
    }

    public function testTheSkeletonOfANewProjectIsNotShared(): void
    {
        $project = $this->project(['extra' => ['allegro' => ['link' => '*']]]);
        $path = $project->dir.'/vendor/new';
        $manager = $project->composer->getInstallationManager();
        $manager->addInstaller(new ProjectInstaller($path, $project->composer->getDownloadManager(), new Filesystem()));
        $manager->execute(new InstalledArrayRepository(), [new InstallOperation(self::package('acme/skeleton', [], 'project'))]);
        self::assertSame(1, self::links($path.'/src/A.php'));
    }

    public function testFilesThatLeaveVendorAfterAllBecomeTheirOwn(): void
    {
        $project = $this->project();
        $installer = self::movableInstaller($project);
        $installer->path = $project->dir.'/vendor/acme/a';
        $project->composer->getEventDispatcher()->addListener('pre-package-install', static function () use ($installer, $project): void {
            $installer->path = $project->dir.'/web/a';
            mkdir($project->dir.'/web');
        });
        self::install($project, self::package('acme/a', [], 'movable'));
        self::assertFileDoesNotExist($project->dir.'/vendor/acme/a/run');
        foreach (['run', 'src/A.php'] as $file) {
            self::assertSame(1, self::links($project->dir.'/web/a/'.$file), $file);
            self::assertSame(self::TIME, filemtime($project->dir.'/web/a/'.$file), $file);
        }
        self::assertSame([self::TIME, self::TIME], [filemtime($project->dir.'/web/a'), filemtime($project->dir.'/web/a/src')]);
        self::assertStringContainsString('acme/a gets files of its own', $project->io->getOutput());
    }

    public function testComposersChmodOfProgramsReachesNoBlob(): void
    {
        $project = $this->project();
        // The other package comes later, so that Composer finds the program at the end of the run only.
        $packages = [self::package('acme/a', ['run', '../b/src/A.php', '../c/src/A.php']), self::package('acme/b'), self::package('acme/c')];
        self::install($project, ...$packages);
        foreach ($packages as $package) {
            $project->composer->getInstallationManager()->ensureBinariesPresence($package);
        }
        $modes = static fn (string $path): int => fileperms($path) & 0777;
        clearstatcache();
        self::assertSame(0755, $modes($project->dir.'/vendor/acme/a/run'));
        self::assertSame(1, self::links($project->dir.'/vendor/acme/b/src/A.php'));
        self::assertSame(1, self::links($project->dir.'/vendor/acme/c/src/A.php'));
        self::assertSame(self::TIME, filemtime($project->dir.'/vendor/acme/c/src'));
        self::assertSame(2, self::links($project->dir.'/vendor/acme/c/run'), 'what is no program is shared');
        foreach (['a-run', 'b-src-A.php', 'c-src-A.php'] as $blob) {
            self::assertSame(0644, $modes($this->dir.'/blobs/acme-'.$blob), $blob);
        }
    }

    /**
     * Composer unpacks beside us, and is done later than we are.
     */
    public function testProgramsOfPackagesThatComposerInstalls(): void
    {
        $project = $this->project();
        $odd = self::package('acme/a', ['../b/run']);
        $odd->replaceVersion('odd', 'odd');
        self::zip($project->cached($odd), ['top/a' => 'a']);
        self::install($project, $odd, self::package('acme/b'));
        clearstatcache();
        self::assertFileExists($project->dir.'/vendor/acme/a/a');
        self::assertSame(0644, fileperms($this->dir.'/blobs/acme-b-run') & 0777);
        self::assertSame(1, self::links($project->dir.'/vendor/acme/b/run'));
    }

    public function testProgramsOfPackagesThatAreInstalledAlready(): void
    {
        $project = $this->project();
        self::install($project, self::package('acme/a', ['../b/run']));
        self::install($project, self::package('acme/b'));
        self::assertSame(1, self::links($project->dir.'/vendor/acme/b/run'));
        self::assertSame(2, self::links($project->dir.'/vendor/acme/b/src/A.php'));
    }

    public function testWhatCanNotBeRemovedIsToldOnceWithTheReason(): void
    {
        $project = $this->project();
        $package = self::package('acme/a');
        self::install($project, $package);
        touch($project->dir.'/vendor/acme/a/busy');
        $newer = self::package('acme/a');
        $newer->replaceVersion('2.0.0.0', '2.0.0');
        $installed = $project->composer->getRepositoryManager()->getLocalRepository()->findPackage('acme/a', '*');
        $project->execute([new UpdateOperation($installed ?? $package, $newer)]);
        self::assertFileDoesNotExist($project->dir.'/vendor/acme/a/busy');
        [$trash] = (array) glob($project->dir.'/vendor/composer/.allegro-*/trash-*');
        $notice = 'Allegro: '.$trash.' is busy (it was '.$project->dir.'/vendor/acme/a)';
        self::assertStringContainsString($notice, $project->io->getOutput());
        // The end of the run tries once more.
        $project->batch->sweep();
        self::assertFileExists($trash.'/busy');
        self::assertSame(1, substr_count($project->io->getOutput(), ' is busy'));
    }
}
