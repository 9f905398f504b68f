<?php

declare(strict_types=1);

namespace Allegro\Plugin;

use Allegro\Plugin\Install\AtomicFilesystem;
use Allegro\Plugin\Install\Batch;
use Allegro\Plugin\Install\IndexedLocker;
use Allegro\Plugin\Install\Privacy;
use Allegro\Plugin\Install\Sources;
use Allegro\Plugin\Install\TarDownloader;
use Allegro\Plugin\Install\ZipDownloader;
use Allegro\Plugin\Io\Report;
use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineFinder;
use Allegro\Plugin\Native\InterruptedException;
use Allegro\Plugin\Resolve\Resolution;
use Composer\Cache;
use Composer\Composer;
use Composer\Downloader\DownloaderInterface;
use Composer\Installer;
use Composer\IO\IOInterface;
use Composer\IO\NullIO;
use Composer\Package\Locker;
use Composer\Util\Filesystem;
use Composer\Util\Platform;
use Symfony\Component\Console\Input\InputInterface;

/**
 * What the plugin has in one Composer instance. No statics: one process may hold several instances.
 */
final class Session
{
    /** Commands that say so before they change a package. */
    private const LAZY = ['install', 'dump-autoload'];

    /** Commands that have something for the native part to do, whatever comes. */
    private const NATIVE = ['install', 'update', 'require', 'remove', 'reinstall', 'dump-autoload'];

    /** @var array<string, DownloaderInterface> what we replaced, by dist type */
    private array $replaced = [];

    private ?Autoload\AutoloadGenerator $generator = null;

    private bool $isResolving = false;

    /** For what an installation needs; it isn't taken over yet, because there may be none. */
    private ?Engine $waiting = null;

    private ?Batch $batch = null;

    /** @var list<\Closure(): void> what puts Composer's own parts back, in the order in which they were replaced */
    private array $undo = [];

    /** What the guard knows this session by. */
    private int $watch = 0;

    private function __construct(
        private readonly Composer $composer,
        private readonly IOInterface $io,
        private readonly EngineFinder $engines,
        private readonly Report $report,
        private readonly Sources $sources,
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
            && !Guard::isFaulty()
            && ($off === false || $off === '' || $off === '0')
            && DIRECTORY_SEPARATOR === '/';
    }

    /**
     * Takes part in the runs of a Composer instance; null if that failed, and nothing of ours is left in it then.
     */
    public static function open(Composer $composer, IOInterface $io): ?self
    {
        $report = new Report($io);
        $engines = new EngineFinder(dirname(__DIR__, 2), $io);
        $sources = new Sources($composer, $io);
        $session = new self($composer, $io, $engines, $report, $sources);
        $session->watch = Guard::watch(static fn (\Throwable $fault, bool $isTold) => $session->standBack($fault, $isTold));

        return Guard::run(static function () use ($session): self {
            $session->takeOver();

            return $session;
        }, static function () use ($session): ?self {
            Guard::restore(...array_reverse($session->undo));

            return null;
        });
    }

    private function takeOver(): void
    {
        $engine = $this->engines->find();
        if ($engine === null) {
            return;
        }
        $installers = self::runningInstallers();
        // Nobody is going to tell us which command it is: it starts while our classes are loaded.
        $installers === [] || $engine->warmUp();
        $this->takeOverLocker();
        if ($installers === [] && in_array('resolve', $_SERVER['argv'] ?? [], true)) {
            // It mostly installs nothing; whatever else it is says so when it begins.
            $this->waiting = $engine;
        } else {
            $this->takeOverInstallation($engine, $installers);
        }
    }

    /**
     * Leaves the rest of the run to Composer, because of a fault of ours.
     *
     * @param bool $isTold whether the user was told of it by another session
     */
    private function standBack(\Throwable $fault, bool $isTold): void
    {
        $this->waiting = null;
        Guard::restore(
            fn () => $isTold || $this->report->fault($fault),
            fn () => $this->engines->withdraw(),
            fn () => $this->generator?->retire(),
            static fn () => AtomicFilesystem::replaceBy(null)
        );
    }

    /**
     * Puts ours where Composer has what installs.
     *
     * @param list<Installer> $installers
     */
    private function takeOverInstallation(Engine $engine, array $installers): void
    {
        $engines = $this->engines;
        $this->undo[] = static fn () => AtomicFilesystem::replaceBy(null);
        AtomicFilesystem::replaceBy(static function (string $temporary, string $path) use ($engines): bool {
            $engine = $engines->find();

            return $engine !== null && InterruptedException::outlive(static fn (): bool => $engine->replace($temporary, $path));
        });
        $this->takeOverDownloaders();
        $this->takeOverAutoloader($engine, $installers);
    }

    /**
     * Tells whether this Composer lacks something that a part of Allegro needs: it is left to Composer then.
     */
    private function lacks(string $part): bool
    {
        $missing = Internals::missing($part);
        if ($missing !== null) {
            $this->io->writeError('Allegro: this Composer has no '.$missing.' and does without us what needs it', true, IOInterface::VERBOSE);
        }

        return $missing !== null;
    }

    private function batch(): Batch
    {
        if ($this->batch === null) {
            $sharing = new Install\Sharing($this->composer, new Privacy($this->composer));
            $this->batch = new Batch($this->composer, $this->io, $this->engines, $this->report, $sharing, $this->sources);
        }

        return $this->batch;
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
        if ($this->lacks('download')) {
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
                $this->undo[] = static fn () => $current->retire();
                $current->useBatch($this->batch());
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
            $downloader->useBatch($this->batch());
            $this->undo[] = static fn () => $manager->setDownloader($type, $current);
            $manager->setDownloader($type, $downloader);
            $this->replaced[$type] = $current;
        }
    }

    /**
     * Puts our generator where Composer's own is; another plugin's stays.
     *
     * @param list<Installer> $installers
     */
    private function takeOverAutoloader(Engine $engine, array $installers): void
    {
        $current = $this->composer->getAutoloadGenerator();
        $ours = Autoload\AutoloadGenerator::class;
        if ($this->lacks('autoload')) {
            return;
        }
        if (get_class($current) !== \Composer\Autoload\AutoloadGenerator::class && !$current instanceof $ours) {
            $this->io->writeError('Allegro: the autoloader is made by '.get_class($current), true, IOInterface::VERBOSE);

            return;
        }
        $generator = $ours::inPlaceOf($current, $this->composer, $this->io, $engine, fn (): array => $this->batch()->placed->all());
        $this->undo[] = fn () => $this->composer->setAutoloadGenerator($current);
        $this->composer->setAutoloadGenerator($generator);
        $this->generator = $generator;
        foreach ($installers as $installer) {
            if ((Internals::of($installer, Installer::class, 'autoloadGenerator')['autoloadGenerator'] ?? null) === $current) {
                $this->undo[] = static fn () => Internals::set($installer, Installer::class, 'autoloadGenerator', $current);
                Internals::set($installer, Installer::class, 'autoloadGenerator', $generator);
            }
        }
    }

    /**
     * Runs that have begun before there was a plugin, as in a fresh clone: they have taken what they need already.
     *
     * @return list<Installer>
     */
    private static function runningInstallers(): array
    {
        $objects = array_column(debug_backtrace(DEBUG_BACKTRACE_PROVIDE_OBJECT | DEBUG_BACKTRACE_IGNORE_ARGS), 'object');

        return array_values(array_filter($objects, static fn (object $object): bool => $object instanceof Installer));
    }

    /**
     * Puts our locker where Composer's own is; another plugin's stays.
     */
    private function takeOverLocker(): void
    {
        $current = Internals::locker($this->composer);
        if ($current !== null && get_class($current) === Locker::class && !$this->lacks('lock')) {
            $this->undo[] = fn () => $this->composer->setLocker($current);
            $this->composer->setLocker(IndexedLocker::inPlaceOf($current));
        }
    }

    /**
     * `resolve` begins, which goes on as an update. That changes packages at most in the end, and says so before.
     */
    public function beginResolve(): void
    {
        $this->isResolving = true;
        $engine = $this->engines->find();
        $package = $this->composer->getPackage();
        $engine === null || $engine->warmUp(count($package->getRequires()) + count($package->getDevRequires()));
    }

    public function beginCommand(string $name, InputInterface $input): void
    {
        // The others change packages without asking us for them first, or do too little to count.
        if (!$this->isResolving && !in_array($name, self::LAZY, true)) {
            Classes::loadAll();
        }
        if (in_array($name, self::NATIVE, true)) {
            $engine = $this->engines->find();
            $engine === null || $engine->warmUp();
        }
        // `resolve` goes on as an update, whose options it has set by now.
        $installs = !$input->hasOption('no-install') || $input->getOption('no-install') !== true;
        if ($installs && $this->waiting !== null) {
            $this->takeOverInstallation($this->waiting, []);
            $this->waiting = null;
        }
        // With times and memory before everything that is written no line can be written anew.
        foreach (['no-progress', 'profile'] as $option) {
            if ($input->hasOption($option) && $input->getOption($option) === true) {
                $this->report->hideProgress();
            }
        }
    }

    /**
     * Operations are about to be executed.
     *
     * @param array<\Composer\DependencyResolver\Operation\OperationInterface> $operations
     */
    public function beginOperations(array $operations): void
    {
        if ($operations === []) {
            return;
        }
        Classes::loadAll();
        $this->batch === null || $this->batch->programs->expect($operations);
    }

    /**
     * An update of this Composer instance whose versions the native part chooses; null where it can't.
     *
     * @param Composer|null $copy what is updated in its stead, in silence
     */
    public function resolution(Composer $composer, ?Composer $copy = null): ?Resolution
    {
        $engine = $composer === $this->composer && !$this->lacks('resolve') ? $this->engines->find() : null;
        $io = $copy === null ? $this->io : new NullIO();

        return $engine === null ? null : new Resolution($copy ?? $composer, $io, $engine, $this->sources, $this->report);
    }

    public function summarize(): void
    {
        $this->report->summarize();
    }

    public function close(): void
    {
        Guard::forget($this->watch);
        // First of all: what was put off is written, whatever becomes of the rest.
        $this->batch === null || $this->batch->flushWrites();
        $manager = $this->composer->getDownloadManager();
        foreach ($this->replaced as $type => $downloader) {
            $current = $manager->getDownloader($type);
            if ($current instanceof ZipDownloader || $current instanceof TarDownloader) {
                // Packages that are prepared already still belong to us: only new ones go the old way.
                $current->retire();
            }
        }
        $this->replaced = [];
        if ($this->generator !== null) {
            $this->generator->retire();
        }
    }
}
