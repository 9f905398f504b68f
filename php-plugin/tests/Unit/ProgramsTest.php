<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Install\Programs;
use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\DependencyResolver\Operation\InstallOperation;
use Composer\DependencyResolver\Operation\UninstallOperation;
use Composer\DependencyResolver\Operation\UpdateOperation;
use Composer\Package\CompletePackage;

final class ProgramsTest extends TestCase
{
    private Project $project;

    private Programs $programs;

    protected function setUp(): void
    {
        parent::setUp();
        $this->project = new Project($this->dir.'/project');
        $this->programs = new Programs($this->project->composer);
    }

    /**
     * @param list<string> $bins
     */
    private static function package(string $name, array $bins): CompletePackage
    {
        $package = Project::package($name, 'https://example.org/a.zip');
        $package->setBinaries($bins);

        return $package;
    }

    /**
     * Makes a file that has another link outside.
     */
    private function linked(string $name): string
    {
        $file = $this->project->dir.'/'.$name;
        is_dir(dirname($file)) || mkdir(dirname($file), 0777, true);
        file_put_contents($file, '#!/bin/sh');
        link($file, $this->dir.'/blob-'.bin2hex(random_bytes(4)));

        return $file;
    }

    private static function links(string $file): int
    {
        clearstatcache();

        return (int) stat($file)['nlink'];
    }

    public function testProgramsOfAPlacedPackageAreItsOwn(): void
    {
        $own = $this->linked('vendor/acme/a/bin/run');
        $data = $this->linked('vendor/acme/a/src/data');
        $target = $this->linked('vendor/acme/a/src/target');
        $other = $this->linked('vendor/acme/b/src/A.php');
        $linkedInto = $this->linked('vendor/acme/c/tool');
        symlink('../src/target', $this->project->dir.'/vendor/acme/a/bin/link');
        symlink('../c', $this->project->dir.'/vendor/acme/a/c');
        $package = self::package('acme/a', ['bin/run', 'bin/link', '../b/src/A.php', 'c/tool', 'bin/none', '../none/x', 'src']);
        $this->programs->separate($package, 'vendor/acme/a');
        self::assertSame([1, 1, 1, 1, 2], array_map([self::class, 'links'], [$own, $target, $other, $linkedInto, $data]));
        self::assertTrue(is_link($this->project->dir.'/vendor/acme/a/bin/link'));
    }

    public function testStraysAreFoundOnceTheyAreThere(): void
    {
        $own = $this->linked('vendor/acme/a/bin/run');
        $path = $this->project->dir.'/vendor/acme/a';
        symlink('../../d/tool', $path.'/bin/tool');
        $this->programs->add(self::package('acme/a', ['bin/run', '../b/src/A.php', 'bin/tool']), $path);
        $this->programs->expect([
            new InstallOperation(self::package('acme/still-to-come', ['../c/C.php'])),
            new UpdateOperation(self::package('acme/updated', ['../f/old']), self::package('acme/updated', ['../f/new'])),
            new UninstallOperation(self::package('acme/gone', ['../f/gone'])),
        ]);
        $this->project->composer->getRepositoryManager()->getLocalRepository()->addPackage(self::package('acme/recorded', ['../e/E.php']));
        self::assertSame([], $this->programs->separateStrays());
        $files = array_map([$this, 'linked'], ['vendor/acme/b/src/A.php', 'vendor/acme/c/C.php', 'vendor/acme/d/tool', 'vendor/acme/e/E.php']);
        self::assertSame([], $this->programs->separateStrays());
        self::assertSame([1, 1, 1, 1], array_map([self::class, 'links'], $files));
        $others = array_map([$this, 'linked'], ['vendor/acme/f/old', 'vendor/acme/f/new', 'vendor/acme/f/gone']);
        self::assertSame([], $this->programs->separateStrays());
        self::assertSame([2, 1, 2], array_map([self::class, 'links'], $others));
        self::assertSame(1, self::links($own), 'Composer would change its mode');
    }

    public function testAProgramWithTheRightModeStaysShared(): void
    {
        $own = $this->linked('vendor/acme/a/bin/run');
        chmod($own, 0777 & ~umask());
        $this->programs->add(self::package('acme/a', ['bin/run']), $this->project->dir.'/vendor/acme/a');
        self::assertSame([], $this->programs->separateStrays());
        self::assertSame(2, self::links($own));
        $before = umask(0002);
        try {
            self::assertSame([], $this->programs->separateStrays());
        } finally {
            umask($before);
        }
        self::assertSame(1, self::links($own), 'the umask asks for another mode');
    }

    public function testFilesOfTheSystemStayAsTheyAre(): void
    {
        $outside = $this->dir.'/system';
        file_put_contents($outside, '#!/bin/sh');
        link($outside, $this->dir.'/other-name');
        $this->linked('vendor/acme/a/x');
        symlink($outside, $this->project->dir.'/vendor/acme/a/run');
        $this->programs->separate(self::package('acme/a', ['run']), $this->project->dir.'/vendor/acme/a');
        self::assertSame(2, self::links($outside));
    }

    public function testAPackageOutsideOfTheProjectHasProgramsToo(): void
    {
        $file = $this->dir.'/elsewhere/run';
        mkdir(dirname($file));
        touch($file);
        link($file, $this->dir.'/blob');
        $this->programs->separate(self::package('acme/a', ['run']), dirname($file));
        self::assertSame(1, self::links($file));
    }

    public function testWhatCanNotBeSeparatedIsTold(): void
    {
        $name = str_repeat('x', 250);
        $this->linked('vendor/acme/b/'.$name);
        $this->programs->add(self::package('acme/a', ['../b/'.$name]), $this->project->dir.'/vendor/acme/a');
        $failures = $this->programs->separateStrays();
        self::assertCount(1, $failures);
        self::assertStringContainsString('acme/a', $failures[0]);
        self::assertStringContainsString($name, $failures[0]);
    }
}
