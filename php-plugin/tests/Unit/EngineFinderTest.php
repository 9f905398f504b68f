<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Native\EngineFinder;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\IO\BufferIO;
use Symfony\Component\Console\Output\StreamOutput;

final class EngineFinderTest extends TestCase
{
    private BufferIO $io;

    protected function setUp(): void
    {
        parent::setUp();
        if (extension_loaded('allegro')) {
            self::markTestSkipped('the extension is loaded');
        }
        $this->io = new BufferIO('', StreamOutput::VERBOSITY_DEBUG);
    }

    public function testNothingThereIsOneWarning(): void
    {
        $finder = new EngineFinder($this->dir, $this->io);
        self::assertNull($finder->find());
        self::assertNull($finder->find());
        self::assertNull($finder->find());
        $output = $this->io->getOutput();
        self::assertSame(1, substr_count($output, "\n"), $output);
        self::assertStringContainsString('Allegro: there is no native part for '.self::platform(), $output);
        self::assertStringContainsString('ALLEGRO_DISABLE=1', $output);
    }

    public function testADirectoryInItsPlaceIsNothing(): void
    {
        mkdir($this->dir.'/native/'.self::platform().'/allegro', 0777, true);
        self::assertNull((new EngineFinder($this->dir, $this->io))->find());
    }

    public function testALostModeIsRepaired(): void
    {
        $package = $this->packageWithScript('');
        $helper = $package.'/native/'.self::platform().'/allegro';
        chmod($helper, 0644);
        $finder = new EngineFinder($package, $this->io);
        $engine = $finder->find();
        self::assertNotNull($engine);
        self::assertSame('helper', $engine->kind());
        self::assertSame(0755, fileperms($helper) & 0777);
        self::assertSame('', $this->io->getOutput());
        self::assertSame($engine, $finder->find());
    }

    public function testWhatCanNotBeMadeExecutableIsNotUsed(): void
    {
        // A dangling target's mode can't be changed, and neither can one of /proc.
        $dir = $this->dir.'/native/'.self::platform();
        mkdir($dir, 0777, true);
        symlink('/proc/version', $dir.'/allegro');
        self::assertNull((new EngineFinder($this->dir, $this->io))->find());
        self::assertStringContainsString('is not executable', $this->io->getOutput());
    }

    public function testGivingUpIsForTheRestOfTheRunAndSaidOnce(): void
    {
        $finder = new EngineFinder($this->packageWithScript(''), $this->io);
        self::assertNotNull($finder->find());
        $finder->giveUp('it is tired');
        $finder->giveUp('it is tired');
        self::assertNull($finder->find());
        self::assertNull($finder->find());
        self::assertSame("Allegro: it is tired; Composer goes on by itself.\n", preg_replace('{<[^>]*>}', '', $this->io->getOutput()));
    }
}
