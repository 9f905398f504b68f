<?php

declare(strict_types=1);

namespace Allegro\Plugin;

use Allegro\Plugin\Install\AnnouncedDownload;
use Allegro\Plugin\Install\AtomicFilesystem;
use Allegro\Plugin\Install\AtomicJsonFile;
use Allegro\Plugin\Install\Batch;
use Allegro\Plugin\Install\DeferredJsonFile;
use Allegro\Plugin\Install\DeferredWrites;
use Allegro\Plugin\Install\Privacy;
use Allegro\Plugin\Install\Sources;
use Allegro\Plugin\Install\TarDownloader;
use Allegro\Plugin\Install\ZipDownloader;
use Allegro\Plugin\Io\Report;
use Allegro\Plugin\Native\EngineFinder;
use Composer\Cache;
use Composer\Composer;
use Composer\Downloader\DownloaderInterface;
use Composer\IO\IOInterface;
use Composer\Util\Filesystem;
use Composer\Util\Platform;
use Symfony\Component\Console\Input\InputInterface;

/**
 * What the plugin has in one Composer instance. No statics: one process may hold several instances.
 */
final class Session
{
    /** Classes that are needed late in a run; loaded now, so that an update of the plugin mixes no versions. */
    private const CLASSES = [
        AnnouncedDownload::class,
        AtomicFilesystem::class,
        AtomicJsonFile::class,
        Batch::class,
        DeferredJsonFile::class,
        DeferredWrites::class,
        EngineFinder::class,
        Install\Certificates::class,
        Install\DeclinedException::class,
        Install\Proxies::class,
        Install\Ticket::class,
        Native\Engine::class,
        Native\EngineException::class,
        Native\ExtensionEngine::class,
        Native\HelperEngine::class,
        Native\InterruptedException::class,
        Install\RefusedException::class,
        Privacy::class,
        Report::class,
        Io\SaidOnce::class,
        Sources::class,
        TarDownloader::class,
        ZipDownloader::class,
    ];

    /** @var array<string, DownloaderInterface> what we replaced, by dist type */
    private array $replaced = [];

    private function __construct(
        private readonly Composer $composer,
        private readonly IOInterface $io,
        private readonly EngineFinder $engines,
        private readonly Batch $batch,
        private readonly Report $report,
    ) {
    }

    /**
     * Whether Allegro takes part in runs of this Composer instance.
     *
     * @param object $composer a `PartialComposer` where there is nothing to install
     */
    public static function wanted(object $composer): bool
    {
        $off = Platform::getEnv('ALLEGRO_DISABLE');

        return $composer instanceof Composer
            && ($off === false || $off === '' || $off === '0')
            && DIRECTORY_SEPARATOR === '/';
    }

    public static function open(Composer $composer, IOInterface $io): self
    {
        foreach (self::CLASSES as $class) {
            class_exists($class) || interface_exists($class);
        }
        $report = new Report($io);
        $engines = new EngineFinder(dirname(__DIR__, 2), $io);
        $batch = new Batch($composer, $io, $engines, $report, new Privacy($composer), new Sources($composer, $io));
        $session = new self($composer, $io, $engines, $batch, $report);
        if ($engines->available()) {
            $session->takeOverDownloaders();
        }

        return $session;
    }

    /**
     * Puts our downloaders where Composer's own are; another plugin's downloader stays.
     */
    private function takeOverDownloaders(): void
    {
        $manager = $this->composer->getDownloadManager();
        $config = $this->composer->getConfig();
        $loop = $this->composer->getLoop();
        $process = $loop->getProcessExecutor();
        if ($process === null || !function_exists('proc_open')) {
            $this->io->writeError('Allegro: no processes can be started, Composer installs by itself', true, IOInterface::VERBOSE);

            return;
        }
        $cache = null;
        if ($config->get('cache-files-ttl') > 0) {
            $cache = new Cache($this->io, $config->get('cache-files-dir'), 'a-z0-9_./');
            $cache->setReadOnly($config->get('cache-read-only'));
        }
        $ours = ['zip' => ZipDownloader::class, 'tar' => TarDownloader::class];
        $theirs = ['zip' => \Composer\Downloader\ZipDownloader::class, 'tar' => \Composer\Downloader\TarDownloader::class];
        foreach ($ours as $type => $class) {
            try {
                $current = $manager->getDownloader($type);
            } catch (\InvalidArgumentException $e) {
                continue;
            }
            if (get_class($current) === $class) {
                // The plugin was updated in this run: the former instance has retired from it.
                $current->useBatch($this->batch);
                continue;
            }
            if (get_class($current) !== $theirs[$type]) {
                $this->io->writeError('Allegro: '.$type.' dists are handled by '.get_class($current), true, IOInterface::VERBOSE);
                continue;
            }
            $downloader = new $class(
                $this->io,
                $config,
                $loop->getHttpDownloader(),
                $this->composer->getEventDispatcher(),
                $cache,
                new Filesystem($process),
                $process
            );
            $downloader->useBatch($this->batch);
            $manager->setDownloader($type, $downloader);
            $this->replaced[$type] = $current;
        }
    }

    public function readOptions(InputInterface $input): void
    {
        if ($input->hasOption('no-progress') && $input->getOption('no-progress') === true) {
            $this->report->hideProgress();
        }
    }

    public function summarize(): void
    {
        $this->report->summarize();
    }

    public function close(): void
    {
        $manager = $this->composer->getDownloadManager();
        foreach ($this->replaced as $type => $downloader) {
            $current = $manager->getDownloader($type);
            if ($current instanceof ZipDownloader || $current instanceof TarDownloader) {
                // Packages that are prepared already still belong to us: only new ones go the old way.
                $current->retire();
            }
        }
        $this->replaced = [];
        $this->batch->flushRepository();
    }
}
