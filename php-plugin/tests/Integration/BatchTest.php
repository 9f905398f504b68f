<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Integration;

use Allegro\Plugin\Install\RefusedException;
use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\Server;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\DependencyResolver\Operation\InstallOperation;
use Composer\DependencyResolver\Operation\UninstallOperation;
use Composer\DependencyResolver\Operation\UpdateOperation;
use Composer\Installer\LibraryInstaller;
use Composer\Package\CompletePackage;
use Composer\Package\PackageInterface;
use Composer\Repository\InstalledRepositoryInterface;
use React\Promise\PromiseInterface;
use Symfony\Component\Console\Output\StreamOutput;

/**
 * Our downloaders in Composer's own InstallationManager, DownloadManager and Loop.
 */
final class BatchTest extends TestCase
{
    /** Answers everything in the way that the variable `$answer` says. */
    private const SCRIPTED = <<<'PHP'
        while (($line = fgets(STDIN)) !== false) {
            $r = json_decode($line, true);
            if ($r['op'] === 'remove') { foreach ($r['request']['paths'] as $p) { exec('rm -rf '.escapeshellarg($p)); } echo json_encode(['id' => $r['id'], 'answer' => ['failures' => []]]), "\n"; continue; }
            $packages = [];
            foreach ($r['request']['packages'] as $p) { $packages[] = ['id' => $p['id']] + $answer($p, $r['request']); }
            echo json_encode(['id' => $r['id'], 'answer' => ['packages' => $packages, 'method' => 'copy', 'notices' => []]]), "\n";
        }
        PHP;

    protected function setUp(): void
    {
        parent::setUp();
        if (extension_loaded('allegro')) {
            self::markTestSkipped('the extension is loaded');
        }
        $this->env('ALLEGRO_STORE', $this->dir.'/store');
    }

    /**
     * @return list<CompletePackage>
     */
    private function packages(string $base = 'https://dist.example.org/', int $count = 4): array
    {
        return array_map(
            static fn (int $i): CompletePackage => Project::package('acme/p'.$i, $base.'p'.$i.'.zip'),
            range(1, $count)
        );
    }

    /**
     * @param list<CompletePackage> $packages
     */
    private static function fillCache(Project $project, array $packages): void
    {
        foreach ($packages as $package) {
            self::zip($project->cached($package), [
                'top/composer.json' => json_encode(['name' => $package->getName()]),
                'top/src/'.basename($package->getName()).'.php' => '<?php // '.$package->getName(),
            ]);
        }
    }

    /**
     * @param list<CompletePackage> $packages
     */
    private static function fillServer(string $dir, array $packages): void
    {
        foreach ($packages as $package) {
            self::zip($dir.'/'.basename((string) $package->getDistUrl()), [
                'top/composer.json' => json_encode(['name' => $package->getName()]),
                'top/src/'.basename($package->getName()).'.php' => '<?php // '.$package->getName(),
            ]);
        }
    }

    /**
     * @param list<CompletePackage> $packages
     *
     * @return list<InstallOperation>
     */
    private static function install(array $packages): array
    {
        return array_map(static fn (CompletePackage $package): InstallOperation => new InstallOperation($package), $packages);
    }

    /**
     * @return array<string, string>
     */
    private static function vendor(Project $project): array
    {
        return self::tree($project->dir.'/vendor');
    }

    public function testTheSameTreeEventsAndWordsAsComposer(): void
    {
        $results = [];
        foreach (['plain', 'allegro', 'warm'] as $who) {
            // The same path each time: it is part of what is generated.
            is_dir($this->dir.'/project') && rename($this->dir.'/project', $this->dir.'/before-'.$who);
            $project = new Project($this->dir.'/project');
            if ($who !== 'plain') {
                $project->useAllegro(is_dir($this->dir.'/package') ? $this->dir.'/package' : $this->packageWithHelper());
            }
            $packages = $this->packages();
            self::fillCache($project, $packages);
            $log = [];
            $project->logEvents($log);
            $project->execute(self::install($packages));
            $tree = self::vendor($project);
            self::assertArrayHasKey('acme/p1/src/p1.php', $tree);

            $newer = Project::package('acme/p1', 'https://dist.example.org/p1-2.zip');
            $newer->replaceVersion('2.0.0.0', '2.0.0');
            self::fillCache($project, [$newer]);
            $log[] = '-- update and remove';
            $installed = $project->composer->getRepositoryManager()->getLocalRepository()->findPackage('acme/p1', '*');
            $project->execute([new UninstallOperation($packages[3]), new UpdateOperation($installed ?? $packages[0], $newer)]);
            // Composer takes cached archives one by one, so that both events of a package come before those of the
            // next; downloads it starts all before the first has ended, and so do we in any case.
            $files = array_values(preg_grep('{^(pre|post)-file}', $log) ?: []);
            sort($files);
            $events = array_values(preg_grep('{^(pre|post)-file}', $log, PREG_GREP_INVERT) ?: []);
            $results[$who] = [[$events, $files], $tree, self::vendor($project), $project->io->getOutput()];
            foreach (['acme/p1', 'acme/p2', 'acme/p3', 'acme/p4'] as $name) {
                $own = array_values(preg_grep('{ '.$name.'$}', array_slice($log, 0, (int) array_search('-- update and remove', $log, true))) ?: []);
                self::assertSame(
                    ['pre-file-download '.$name, 'post-file-download '.$name, 'pre-package-install '.$name, 'post-package-install '.$name],
                    $own,
                    $who
                );
            }
        }
        self::assertSame($results['plain'][1], $results['allegro'][1]);
        self::assertSame($results['plain'][2], $results['allegro'][2]);
        self::assertSame($results['plain'][3], $results['allegro'][3]);
        self::assertSame($results['plain'][0], $results['allegro'][0]);
        self::assertSame($results['plain'], $results['warm']);
        self::assertArrayNotHasKey('acme/p4', $results['plain'][2]);
    }

    public function testTheStoreIsSharedAndSummedUp(): void
    {
        $project = (new Project($this->dir.'/project'))->useAllegro($this->packageWithHelper());
        $packages = $this->packages();
        self::fillCache($project, $packages);
        $project->execute(self::install($packages));
        $project->report->summarize();
        self::assertStringContainsString("Allegro: 4 packages, 4 from Composer's cache", $project->io->getOutput());
        self::assertGreaterThan(1, stat($project->dir.'/vendor/acme/p1/src/p1.php')['nlink']);
    }

    public function testDownloadsAreAnnouncedAndArriveInComposersCache(): void
    {
        $server = new Server($this->dir.'/www');
        $project = (new Project($this->dir.'/project'))->useAllegro($this->packageWithHelper());
        $packages = $this->packages($server->url(''));
        self::fillServer($this->dir.'/www', $packages);
        $project->execute(self::install($packages));
        self::assertFileExists($project->dir.'/vendor/acme/p4/src/p4.php');
        self::assertFileEquals($this->dir.'/www/p1.zip', $project->cached($packages[0]));
        $output = $project->io->getOutput();
        foreach ($packages as $package) {
            self::assertStringContainsString('  - Downloading '.$package->getName().' (1.0.0)', $output);
        }
        $asked = array_column($server->requests(), 0);
        sort($asked);
        self::assertSame(['/p1.zip', '/p2.zip', '/p3.zip', '/p4.zip'], $asked);
        self::assertStringStartsWith('Composer/', (string) $server->requests()[0][2]);
    }

    public function testDeclinedPackagesGoComposersWay(): void
    {
        $server = new Server($this->dir.'/www');
        $helper = '$answer = fn ($p) => ["outcome" => "declined", "reason" => "it is odd", "loud" => $p["name"] === "acme/p2"];'.self::SCRIPTED;
        $project = (new Project($this->dir.'/project', [], StreamOutput::VERBOSITY_VERBOSE))->useAllegro($this->packageWithScript($helper));
        $packages = $this->packages($server->url(''));
        self::fillServer($this->dir.'/www', $packages);
        $project->execute(self::install($packages));
        foreach ([1, 2, 3, 4] as $i) {
            self::assertFileExists($project->dir.'/vendor/acme/p'.$i.'/src/p'.$i.'.php');
        }
        $output = $project->io->getOutput();
        self::assertStringContainsString('Composer installs acme/p1 by itself: it is odd', $output);
        self::assertStringContainsString('Allegro: Composer installs acme/p2 by itself: it is odd', $output);
        self::assertSame([], self::leftovers($project));
    }

    public function testAFailedPackageStopsTheRun(): void
    {
        $helper = '$answer = fn ($p) => $p["name"] === "acme/p2" ? ["outcome" => "failed", "kind" => "integrity", "code" => "integrity", "message" => "acme/p2 is bad", "hint" => "look at it"] : ["outcome" => "declined", "reason" => "x", "loud" => false];'.self::SCRIPTED;
        $project = (new Project($this->dir.'/project'))->useAllegro($this->packageWithScript($helper));
        $packages = $this->packages();
        // With a source: Composer would go on with it after a RuntimeException.
        $packages[1]->setSourceType('git');
        $packages[1]->setSourceUrl($this->dir.'/no-repository');
        $packages[1]->setSourceReference('x');
        self::fillCache($project, $packages);
        try {
            $project->execute(self::install($packages));
            self::fail('installed');
        } catch (RefusedException $e) {
            self::assertSame("Allegro: acme/p2 is bad\nLook at it.", $e->getMessage());
        }
        self::assertDirectoryDoesNotExist($project->dir.'/vendor/acme/p2');
        self::assertSame([], self::leftovers($project));
    }

    public function testAHostileArchiveIsRefusedByName(): void
    {
        $project = (new Project($this->dir.'/project'))->useAllegro($this->packageWithHelper());
        $packages = $this->packages();
        self::fillCache($project, $packages);
        mkdir($this->dir.'/outside');
        // ZipArchive, which runs after the unzip that warns here, writes through the link.
        $archive = self::zip($project->cached($packages[2]), ['top/a' => 'a', 'top/link' => $this->dir.'/outside', 'top/link/evil' => 'evil']);
        $zip = new \ZipArchive();
        $zip->open($archive);
        $zip->setExternalAttributesName('top/link', \ZipArchive::OPSYS_UNIX, 0120777 << 16);
        $zip->close();
        try {
            $project->execute(self::install($packages));
            self::fail('installed');
        } catch (RefusedException $e) {
            self::assertStringContainsString('acme/p3', $e->getMessage());
            self::assertStringContainsString('top/link', $e->getMessage());
        }
        self::assertSame([], self::leftovers($project));
        self::assertSame(['.', '..'], scandir($this->dir.'/outside'));
    }

    /**
     * @return iterable<string, array{string, string}>
     */
    public function dyingHelpers(): iterable
    {
        yield 'at once' => ['exit;', 'ended'];
        yield 'with the request' => ['fgets(STDIN); exit;', 'ended in the middle of its work'];
        yield 'nonsense' => ['fgets(STDIN); echo "nonsense\n"; sleep(9);', 'not JSON'];
        yield 'unknown package' => [
            '$r = json_decode(fgets(STDIN), true); echo json_encode(["id" => $r["id"], "answer" => ["packages" => [["id" => 99, "outcome" => "ready"]], "method" => null, "notices" => []]]), "\n"; fgets(STDIN);',
            'Composer goes on',
        ];
        yield 'ready without a stage' => ['$answer = fn ($p) => ["outcome" => "ready"];'.self::SCRIPTED, 'Composer goes on'];
        yield 'fewer packages' => [
            '$r = json_decode(fgets(STDIN), true); echo json_encode(["id" => $r["id"], "answer" => ["packages" => [], "method" => null, "notices" => []]]), "\n"; fgets(STDIN);',
            'Composer goes on',
        ];
        yield 'stage that is not there' => ['$answer = fn ($p, $r) => ["outcome" => "ready", "stage" => $r["staging"]."/none", "from" => "store", "files" => 1, "downloaded" => 0, "archive" => null];'.self::SCRIPTED, ''];
    }

    /**
     * @dataProvider dyingHelpers
     */
    public function testComposerGoesOnWithoutTheHelper(string $helper, string $message): void
    {
        $server = new Server($this->dir.'/www');
        $project = (new Project($this->dir.'/project'))->useAllegro($this->packageWithScript($helper));
        $packages = $this->packages($server->url(''));
        self::fillServer($this->dir.'/www', $packages);
        $started = microtime(true);
        if ($message === '') {
            // What was promised and isn't there is no reason to install something else in its place.
            $this->expectException(\Exception::class);
        }
        $project->execute(self::install($packages));
        self::assertLessThan(20.0, microtime(true) - $started);
        foreach ([1, 2, 3, 4] as $i) {
            self::assertFileExists($project->dir.'/vendor/acme/p'.$i.'/src/p'.$i.'.php');
        }
        self::assertStringContainsString($message, $project->io->getOutput());
        self::assertSame(1, substr_count($project->io->getOutput(), 'Composer goes on by itself'));
        self::assertSame([], self::leftovers($project));
    }

    public function testAnInstallerThatThrowsLeavesWhatIsDoneRecorded(): void
    {
        $project = (new Project($this->dir.'/project'))->useAllegro($this->packageWithHelper());
        $packages = $this->packages();
        $packages[2]->setType('broken');
        self::fillCache($project, $packages);
        $project->composer->getInstallationManager()->addInstaller(new class ($project->io, $project->composer, 'broken') extends LibraryInstaller {
            public function install(InstalledRepositoryInterface $repo, PackageInterface $package): PromiseInterface
            {
                throw new \DomainException('broken');
            }
        });
        try {
            $project->execute(self::install($packages));
            self::fail('installed');
        } catch (\DomainException $e) {
            self::assertSame('broken', $e->getMessage());
        }
        $installed = json_decode((string) file_get_contents($project->dir.'/vendor/composer/installed.json'), true);
        $recorded = array_column($installed['packages'], 'name');
        $present = array_values(array_filter(['acme/p1', 'acme/p2', 'acme/p3', 'acme/p4'], static fn (string $name): bool => is_dir($project->dir.'/vendor/'.$name.'/src')));
        self::assertSame($present, $recorded);
        self::assertNotSame([], $recorded);
        self::assertSame([], self::leftovers($project));
    }

    public function testNoSecretIsEverSaid(): void
    {
        $server = new Server($this->dir.'/www');
        $project = (new Project($this->dir.'/project', [], StreamOutput::VERBOSITY_DEBUG))->useAllegro($this->packageWithHelper());
        $base = str_replace('http://', 'http://user:s3cret@', $server->url(''));
        $packages = $this->packages($base, 2);
        self::fillServer($this->dir.'/www', [$packages[0]]);
        try {
            $project->execute(self::install($packages));
            self::fail('installed');
        } catch (\Exception $e) {
            self::assertStringContainsString('p2.zip', $e->getMessage());
        }
        self::assertStringNotContainsString('s3cret', $project->io->getOutput());
        $sent = array_column($server->requests(), 1, 0);
        self::assertSame('Basic '.base64_encode('user:s3cret'), $sent['/p1.zip']);
        exec('grep -rs s3cret '.escapeshellarg($this->dir.'/store').' '.escapeshellarg($project->dir.'/vendor'), $found);
        self::assertSame([], $found);
    }

    public function testWithoutNetworkAllMissingPackagesAreNamedInOneLine(): void
    {
        $this->env('COMPOSER_DISABLE_NETWORK', '1');
        $project = (new Project($this->dir.'/project'))->useAllegro($this->packageWithHelper());
        $packages = $this->packages();
        self::fillCache($project, [$packages[1]]);
        try {
            $project->execute(self::install($packages));
            self::fail('installed');
        } catch (\Exception $e) {
            self::assertNotInstanceOf(RefusedException::class, $e);
        }
        self::assertStringContainsString(
            '3 packages are neither in the store nor in Composer\'s cache, and the network is disabled: acme/p1 (1.0.0), acme/p3 (1.0.0), acme/p4 (1.0.0)',
            $project->io->getOutput()
        );
        self::assertSame([], self::leftovers($project));
    }

    public function testListenersOfDownloadedFilesSeeTheArchive(): void
    {
        $project = (new Project($this->dir.'/project'))->useAllegro($this->packageWithHelper());
        $packages = $this->packages();
        self::fillCache($project, $packages);
        $seen = [];
        $project->composer->getEventDispatcher()->addListener('post-file-download', static function ($event) use (&$seen): void {
            $seen[$event->getContext()->getName()] = sha1_file((string) $event->getFileName());
        });
        $project->execute(self::install($packages));
        self::assertCount(4, $seen);
        self::assertSame(sha1_file($project->cached($packages[0])), $seen['acme/p1']);
        self::assertSame([], self::leftovers($project));
    }

    public function testAListenerThatThrowsStopsTheRunAndHarmsNoArchive(): void
    {
        $project = (new Project($this->dir.'/project'))->useAllegro($this->packageWithHelper());
        $packages = $this->packages();
        self::fillCache($project, $packages);
        $project->composer->getEventDispatcher()->addListener('post-file-download', static function ($event): void {
            if ($event->getContext()->getName() === 'acme/p2') {
                throw new \DomainException('not this one');
            }
        });
        try {
            $project->execute(self::install($packages));
            self::fail('installed');
        } catch (\DomainException $e) {
            self::assertSame('not this one', $e->getMessage());
        }
        self::assertSame([], self::leftovers($project));
    }

    /**
     * Ctrl-C between the calls of download() and the moment at which Composer waits: it cleans up, and waits for what
     * runs beside it before it ends.
     */
    public function testNothingIsBegunForAnAbortedRun(): void
    {
        $asked = $this->dir.'/asked';
        $helper = '$answer = fn ($p) => ["outcome" => "declined", "reason" => touch('.var_export($asked, true).') ? "x" : "", "loud" => false];'.self::SCRIPTED;
        $project = (new Project($this->dir.'/project'))->useAllegro($this->packageWithScript($helper));
        [$package] = $this->packages();
        $manager = $project->composer->getDownloadManager();
        $path = $project->dir.'/vendor/acme/p1';
        $manager->download($package, $path);
        $manager->cleanup('install', $package, $path);
        $project->composer->getLoop()->wait([\React\Promise\resolve(null)]);
        self::assertFileDoesNotExist($asked);
        self::assertSame([], self::leftovers($project));
    }

    public function testNothingIsPutInPlaceForAnAbortedRun(): void
    {
        $project = (new Project($this->dir.'/project'))->useAllegro($this->packageWithHelper());
        [$package] = $packages = $this->packages();
        self::fillCache($project, $packages);
        $manager = $project->composer->getDownloadManager();
        $loop = $project->composer->getLoop();
        $path = $project->dir.'/vendor/acme/p1';
        mkdir($path, 0777, true);
        $loop->wait([$manager->download($package, $path)]);
        file_put_contents($path.'/of-the-old-version', '');
        $manager->update(clone $package, $package, $path);
        $manager->cleanup('update', $package, $path, clone $package);
        $loop->wait([\React\Promise\resolve(null)]);
        self::assertSame([], self::leftovers($project));
        self::assertStringNotContainsString('failed', $project->io->getOutput());
        self::assertFileDoesNotExist($path.'/src/p1.php');
        self::assertFileExists($path.'/of-the-old-version');
    }

    /**
     * Temporary things in vendor.
     *
     * @return list<string>
     */
    private static function leftovers(Project $project): array
    {
        $names = is_dir($project->dir.'/vendor/composer') ? scandir($project->dir.'/vendor/composer') : [];

        return array_values(array_filter((array) $names, static fn ($name): bool => preg_match('{^(\.allegro|tmp-|[0-9a-f]{8}$)}', (string) $name) === 1));
    }
}
