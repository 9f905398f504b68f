<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Support;

use Allegro\Plugin\Install\Batch;
use Allegro\Plugin\Install\Privacy;
use Allegro\Plugin\Install\Sharing;
use Allegro\Plugin\Io\Report;
use Allegro\Plugin\Native\EngineFinder;
use Allegro\Plugin\Network\Sources;
use Allegro\Plugin\Takeover\AtomicFilesystem;
use Allegro\Plugin\Takeover\TarDownloader;
use Allegro\Plugin\Takeover\ZipDownloader;
use Composer\Cache;
use Composer\Composer;
use Composer\DependencyResolver\Operation\OperationInterface;
use Composer\Factory;
use Composer\IO\BufferIO;
use Composer\IO\IOInterface;
use Composer\Package\CompletePackage;
use Composer\Repository\InstalledFilesystemRepository;
use Composer\Util\Filesystem;
use Symfony\Component\Console\Output\StreamOutput;

/**
 * A Composer instance in this process, with or without Allegro in the places where Session puts it.
 */
final class Project
{
    public readonly Composer $composer;

    public readonly BufferIO $io;

    public ?Batch $batch = null;

    public ?EngineFinder $engines = null;

    public ?Report $report = null;

    public ?Sources $sources = null;

    /**
     * @param array<string, mixed> $manifest
     */
    public function __construct(public readonly string $dir, array $manifest = [], int $verbosity = StreamOutput::VERBOSITY_NORMAL)
    {
        if (!is_dir($dir)) {
            mkdir($dir, 0777, true);
        }
        chdir($dir);
        $this->io = new BufferIO('', $verbosity);
        $manifest['config'] = ($manifest['config'] ?? []) + [
            'secure-http' => false,
            'home' => $dir.'/home',
            'cache-dir' => $dir.'/cache',
            'allow-plugins' => true,
        ];
        $manifest += ['name' => 'acme/root', 'repositories' => [['packagist.org' => false]]];
        file_put_contents($dir.'/composer.json', json_encode($manifest, JSON_THROW_ON_ERROR));
        putenv('COMPOSER_HOME='.$dir.'/home');
        $this->composer = (new Factory())->createComposer($this->io, $dir.'/composer.json', true, $dir);
        $this->io->loadConfiguration($this->composer->getConfig());
    }

    /**
     * @param string $package where `native/` is
     */
    public function useAllegro(string $package, bool $localRepository = true): self
    {
        $this->engines = new EngineFinder($package, $this->io);
        $this->report = new Report($this->io);
        $this->sources = new Sources($this->composer, $this->io);
        $this->batch = new Batch(
            $this->composer,
            $this->io,
            $this->engines,
            $this->report,
            new Sharing($this->composer, new Privacy($this->composer)),
            $this->sources
        );
        $config = $this->composer->getConfig();
        $loop = $this->composer->getLoop();
        $process = $loop->getProcessExecutor();
        foreach (['zip' => ZipDownloader::class, 'tar' => TarDownloader::class] as $type => $class) {
            $downloader = new $class(
                $this->io,
                $config,
                $loop->getHttpDownloader(),
                $this->composer->getEventDispatcher(),
                new Cache($this->io, $config->get('cache-files-dir'), 'a-z0-9_./'),
                new Filesystem($process),
                $process
            );
            $downloader->useBatch($this->batch);
            $this->composer->getDownloadManager()->setDownloader($type, $downloader);
        }
        if ($localRepository) {
            $this->deferWrites();
        }

        return $this;
    }

    public function deferWrites(): InstalledFilesystemRepository
    {
        \PHPUnit\Framework\Assert::assertNotNull($this->batch->deferWrites());
        $repository = $this->composer->getRepositoryManager()->getLocalRepository();
        \PHPUnit\Framework\Assert::assertInstanceOf(InstalledFilesystemRepository::class, $repository);

        return $repository;
    }

    /**
     * @param array<string, mixed> $extra
     */
    public static function package(string $name, string $url, string $type = 'library', array $extra = []): CompletePackage
    {
        $package = new CompletePackage($name, '1.0.0.0', '1.0.0');
        $package->setType($type);
        $package->setDistType(str_contains($url, '.tar') ? 'tar' : 'zip');
        $package->setDistUrl($url);
        $package->setDistReference('0123456789abcdef0123456789abcdef01234567');
        $package->setExtra($extra);

        return $package;
    }

    /**
     * Where Composer's cache has the archive of a package.
     */
    public function cached(CompletePackage $package): string
    {
        return sprintf(
            '%s/%s/%s.%s',
            rtrim($this->composer->getConfig()->get('cache-files-dir'), '/'),
            $package->getName(),
            sha1((string) $package->getDistUrl()),
            $package->getDistType()
        );
    }

    /**
     * @param list<OperationInterface> $operations
     */
    public function execute(array $operations): void
    {
        $this->composer->getInstallationManager()->execute(
            $this->composer->getRepositoryManager()->getLocalRepository(),
            $operations,
            true,
            true
        );
    }

    /**
     * Logs the events of all packages, a line each.
     *
     * @param list<string> $log
     */
    public function logEvents(array &$log): void
    {
        $names = [
            'pre-file-download', 'post-file-download',
            'pre-package-install', 'post-package-install', 'pre-package-update', 'post-package-update',
            'pre-package-uninstall', 'post-package-uninstall',
        ];
        foreach ($names as $name) {
            $this->composer->getEventDispatcher()->addListener($name, static function ($event) use ($name, &$log): void {
                if ($event instanceof \Composer\Installer\PackageEvent) {
                    $operation = $event->getOperation();
                    $package = method_exists($operation, 'getTargetPackage') ? $operation->getTargetPackage() : $operation->getPackage();
                } else {
                    $package = $event->getContext();
                }
                $log[] = $name.' '.$package->getName();
            });
        }
    }
}
