<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Install\Privacy;
use Allegro\Plugin\Install\Sharing;
use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Installer\ProjectInstaller;
use Composer\Package\PackageInterface;
use Composer\Package\RootPackage;
use Composer\Util\Filesystem;

final class SharingTest extends TestCase
{
    private const OUTSIDE = 'installed outside of vendor-dir';

    /**
     * @param array<string, mixed> $manifest
     */
    private function project(array $manifest = []): Project
    {
        return new Project($this->dir.'/project', $manifest);
    }

    private static function objection(Project $project, string $path, ?PackageInterface $package = null): ?string
    {
        $sharing = new Sharing($project->composer, new Privacy($project->composer));

        return $sharing->objection($package ?? self::package(), $path);
    }

    private static function package(string $name = 'acme/a', string $type = 'library'): PackageInterface
    {
        return Project::package($name, 'https://example.org/a.zip', $type);
    }

    public function testOnlyWhatLiesBelowVendorMayBeShared(): void
    {
        $project = $this->project();
        $dir = $project->dir;
        self::assertNull(self::objection($project, $dir.'/vendor/acme/a'), 'vendor is still to come');
        mkdir($dir.'/vendor');
        self::assertNull(self::objection($project, $dir.'/vendor/acme/a'));
        self::assertNull(self::objection($project, 'vendor/acme/a/'));
        self::assertNull(self::objection($project, $dir.'/web/../vendor/acme/a'));
        foreach (['vendor', 'vendor/.', 'web/modules/a', 'vendor-old/acme/a', 'vendor/none/../../web/a', 'vendor/../web', ''] as $path) {
            self::assertSame(self::OUTSIDE, self::objection($project, $dir.'/'.$path), $path);
        }
        self::assertSame(self::OUTSIDE, self::objection($project, 'web/modules/a/'));
        self::assertSame(self::OUTSIDE, self::objection($project, sys_get_temp_dir()));
    }

    public function testLinksAreFollowed(): void
    {
        mkdir($this->dir.'/elsewhere/acme', 0777, true);
        $project = $this->project();
        symlink('../elsewhere', $project->dir.'/vendor');
        self::assertNull(self::objection($project, $project->dir.'/vendor/acme/a'));
        self::assertNull(self::objection($project, $this->dir.'/elsewhere/acme/a'));

        mkdir($this->dir.'/own');
        symlink('../own', $this->dir.'/elsewhere/linked');
        self::assertSame(self::OUTSIDE, self::objection($project, $project->dir.'/vendor/linked/a'));
        symlink($project->dir.'/vendor', $project->dir.'/web');
        self::assertNull(self::objection($project, $project->dir.'/web/acme/a'));
        // Composer removes a link that is where the package is to be.
        symlink('../../own', $this->dir.'/elsewhere/acme/a');
        self::assertNull(self::objection($project, $project->dir.'/vendor/acme/a'));
    }

    /**
     * @return iterable<string, array{string}>
     */
    public function vendorDirsAroundTheProject(): iterable
    {
        yield 'the project' => ['.'];
        yield 'above it' => ['..'];
        yield 'by a link' => ['here'];
    }

    /**
     * @dataProvider vendorDirsAroundTheProject
     */
    public function testNothingIsSharedInAVendorDirThatHoldsTheProject(string $vendorDir): void
    {
        $project = $this->project(['config' => ['vendor-dir' => $vendorDir], 'extra' => ['allegro' => ['link' => '*']]]);
        symlink('.', $project->dir.'/here');
        self::assertSame(
            'in a vendor-dir that contains the project',
            self::objection($project, $project->dir.'/'.$vendorDir.'/acme/a')
        );
    }

    public function testAVendorDirBesideTheProjectIsOne(): void
    {
        $project = $this->project(['config' => ['vendor-dir' => '../pro']]);
        self::assertNull(self::objection($project, $this->dir.'/pro/acme/a'));
    }

    public function testTheRootPackageIsNeverShared(): void
    {
        $project = $this->project(['extra' => ['allegro' => ['link' => '*']]]);
        $path = $project->dir.'/vendor/acme/a';
        self::assertSame('the project itself', self::objection($project, $path, new RootPackage('acme/a', '1.0.0.0', '1.0.0')));
        $project->composer->getInstallationManager()->addInstaller(
            new ProjectInstaller($path, $project->composer->getDownloadManager(), new Filesystem())
        );
        self::assertSame('the project itself', self::objection($project, $path));
    }

    public function testWhatTheUserNamesIsLinkedOutsideOfVendor(): void
    {
        $project = $this->project(['extra' => ['allegro' => ['link' => ['Acme/*', 'other/b'], 'copy' => 'acme/c']]]);
        $web = $project->dir.'/web/x';
        self::assertNull(self::objection($project, $web));
        self::assertNull(self::objection($project, $web, self::package('other/b')));
        self::assertSame(self::OUTSIDE, self::objection($project, $web, self::package('other/a')));
        foreach ([$web, $project->dir.'/vendor/acme/c'] as $path) {
            self::assertSame('named in extra.allegro.copy', self::objection($project, $path, self::package('acme/c')));
        }
        self::assertSame(
            'a plugin, which may write into its own files',
            self::objection($project, $web, self::package('acme/d', 'composer-plugin'))
        );
    }

    public function testOddSettingsAreIgnored(): void
    {
        foreach (['yes', null, ['link' => true], ['link' => [1, ['*']]], ['link']] as $setting) {
            $project = $this->project(['extra' => ['allegro' => $setting]]);
            self::assertSame(self::OUTSIDE, self::objection($project, 'web/a'), (string) json_encode($setting));
        }
    }

    public function testATypeThatNobodyInstalls(): void
    {
        $project = $this->project();
        $manager = $project->composer->getInstallationManager();
        $manager->removeInstaller($manager->getInstaller('library'));
        self::assertNull(self::objection($project, 'vendor/acme/a', self::package('acme/a', 'odd')));
    }
}
