<?php

declare(strict_types=1);

namespace Allegro\Plugin;

use Allegro\Plugin\Install\Batch;
use Allegro\Plugin\Install\Privacy;
use Allegro\Plugin\Io\Report;
use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineFinder;
use Allegro\Plugin\Native\InterruptedException;
use Allegro\Plugin\Network\Sources;
use Allegro\Plugin\Resolve\Resolution;
use Allegro\Plugin\Takeover\AtomicFilesystem;
use Allegro\Plugin\Takeover\IndexedLocker;
use Allegro\Plugin\Takeover\TarDownloader;
use Allegro\Plugin\Takeover\ZipDownloader;
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
 * Holds the state of the plugin in one Composer instance.
 *
 * It has no static state, because one process may hold several instances.
 */
final class Session
{
    /** Commands that call the plugin before they change a package. */
    private const LAZY = ['install', 'dump-autoload'];

    /** Commands that always have work for the native part. */
    private const NATIVE = ['install', 'update', 'require', 'remove', 'reinstall', 'dump-autoload'];

    /**
     * Composer's downloaders that Allegro has replaced, by dist type.
     *
     * @var array<string, DownloaderInterface>
     */
    private array $replaced = [];

    private ?Autoload\AutoloadGenerator $generator = null;

    /** Whether the command `resolve` has begun. */
    private bool $isResolving = false;

    /**
     * The engine for an installation that may never come. Until it comes, Composer's own
     * downloaders and autoload generator stay in place.
     */
    private ?Engine $waiting = null;

    private ?Batch $batch = null;

    /**
     * Closures that put Composer's own parts back, in the order in which Allegro replaced the
     * parts.
     *
     * @var list<\Closure(): void>
     */
    private array $undo = [];

    /** The number of this session's registration at the guard. */
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
     * Tells whether Allegro takes part in runs of this Composer instance.
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
     * Opens a session in a Composer instance. If that fails, it puts Composer's own parts back and
     * returns null.
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

    /**
     * Replaces parts of Composer by Allegro's, if there is an engine.
     */
    private function takeOver(): void
    {
        $engine = $this->engines->find();
        if ($engine === null) {
            return;
        }
        $installers = self::runningInstallers();
        // A run that has begun already dispatches no COMMAND event any more. So the engine starts
        // now, while PHP loads the plugin's classes.
        if ($installers !== []) {
            $engine->warmUp();
        }
        $this->takeOverLocker();
        if ($installers === [] && in_array('resolve', $_SERVER['argv'] ?? [], true)) {
            // `resolve` mostly installs nothing. Any other command with this word calls
            // beginCommand() when it begins.
            $this->waiting = $engine;
        } else {
            $this->takeOverInstallation($engine, $installers);
        }
    }

    /**
     * Leaves the rest of the run to Composer, because of a fault of Allegro.
     *
     * @param bool $isTold whether the user was told of it by another session
     */
    private function standBack(\Throwable $fault, bool $isTold): void
    {
        $this->waiting = null;
        Guard::restore(
            function () use ($isTold, $fault): void {
                if (!$isTold) {
                    $this->report->fault($fault);
                }
            },
            fn () => $this->engines->withdraw(),
            fn () => $this->generator?->retire(),
            static fn () => AtomicFilesystem::replaceBy(null)
        );
    }

    /**
     * Replaces the parts of Composer that install packages by Allegro's.
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
     * Tells whether this Composer lacks a member that a part of Allegro needs. Allegro leaves that
     * part to Composer then.
     *
     * @param key-of<Internals::NEEDED> $part
     */
    private function lacks(string $part): bool
    {
        $missing = Internals::missing($part);
        if ($missing !== null) {
            $this->io->writeError('Allegro: this Composer has no '.$missing.' and does without us what needs it', true, IOInterface::VERBOSE);
        }

        return $missing !== null;
    }

    /**
     * Returns the batch of this Composer instance, and makes it at the first call.
     */
    private function batch(): Batch
    {
        if ($this->batch === null) {
            $sharing = new Install\Sharing($this->composer, new Privacy($this->composer));
            $this->batch = new Batch($this->composer, $this->io, $this->engines, $this->report, $sharing, $this->sources);
        }

        return $this->batch;
    }

    /**
     * Replaces Composer's own downloaders by Allegro's. A downloader of another plugin stays.
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
        /** @var int $ttl */
        $ttl = $config->get('cache-files-ttl');
        if ($ttl > 0) {
            /** @var string $cacheDir */
            $cacheDir = $config->get('cache-files-dir');
            /** @var bool $isReadOnly */
            $isReadOnly = $config->get('cache-read-only');
            $cache = new Cache($this->io, $cacheDir, 'a-z0-9_./');
            $cache->setReadOnly($isReadOnly);
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
                // The run has updated the plugin, and the former session has retired from this
                // downloader.
                /** @var ZipDownloader|TarDownloader $current */
                $this->undo[] = static fn () => $current->retire();
                $current->useBatch($this->batch());
                continue;
            }
            if (get_class($current) !== $theirs[$type]) {
                $this->io->writeError('Allegro: '.$type.' dists are handled by '.get_class($current), true, IOInterface::VERBOSE);
                continue;
            }
            // Both have Composer's constructor.
            // @mago-expect analysis:ambiguous-instantiation-target
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
     * Replaces Composer's own autoload generator by Allegro's. A generator of another plugin stays.
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
     * Returns the Installers of runs that began before the plugin was active, as in a fresh clone.
     * They have copied the parts that they need already.
     *
     * @return list<Installer>
     */
    private static function runningInstallers(): array
    {
        /** @var list<array{object?: object}> $trace */
        $trace = debug_backtrace(DEBUG_BACKTRACE_PROVIDE_OBJECT | DEBUG_BACKTRACE_IGNORE_ARGS);
        $objects = array_column($trace, 'object');

        return array_values(array_filter($objects, static fn (object $object): bool => $object instanceof Installer));
    }

    /**
     * Replaces Composer's own locker by Allegro's. A locker of another plugin stays.
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
     * Prepares for the command `resolve`, which continues as an update. The update changes packages
     * only at its end, and announces that by an event.
     */
    public function beginResolve(): void
    {
        $this->isResolving = true;
        $engine = $this->engines->find();
        $package = $this->composer->getPackage();
        if ($engine !== null) {
            $engine->warmUp(count($package->getRequires()) + count($package->getDevRequires()));
        }
    }

    /**
     * Prepares for a command that begins.
     */
    public function beginCommand(string $name, InputInterface $input): void
    {
        // Other commands change packages without calling the plugin first, or do too little for the
        // time to count.
        if (!$this->isResolving && !in_array($name, self::LAZY, true)) {
            Classes::loadAll();
        }
        if (in_array($name, self::NATIVE, true)) {
            $engine = $this->engines->find();
            if ($engine !== null) {
                $engine->warmUp();
            }
        }
        // `resolve` continues as an update, and has set the options of the update by now.
        $installs = !$input->hasOption('no-install') || $input->getOption('no-install') !== true;
        if ($installs && $this->waiting !== null) {
            $this->takeOverInstallation($this->waiting, []);
            $this->waiting = null;
        }
        // `--profile` puts time and memory before each output, so no line can be rewritten.
        foreach (['no-progress', 'profile'] as $option) {
            if ($input->hasOption($option) && $input->getOption($option) === true) {
                $this->report->hideProgress();
            }
        }
    }

    /**
     * Prepares for operations that Composer is about to execute.
     *
     * @param array<\Composer\DependencyResolver\Operation\OperationInterface> $operations
     */
    public function beginOperations(array $operations): void
    {
        if ($operations === []) {
            return;
        }
        Classes::loadAll();
        if ($this->batch !== null) {
            $this->batch->programs->expect($operations);
        }
    }

    /**
     * Returns an update of this Composer instance whose versions the native part chooses. It
     * returns null if the native part can't choose them.
     *
     * @param Composer|null $copy what is updated in its stead, in silence
     */
    public function resolution(Composer $composer, ?Composer $copy = null): ?Resolution
    {
        $engine = $composer === $this->composer && !$this->lacks('resolve') ? $this->engines->find() : null;
        $io = $copy === null ? $this->io : new NullIO();

        return $engine === null ? null : new Resolution($copy ?? $composer, $io, $engine, $this->sources, $this->report);
    }

    /**
     * Returns the finder of the native part.
     */
    public function engines(): EngineFinder
    {
        return $this->engines;
    }

    /**
     * Prints the summary of the packages that Allegro has installed.
     */
    public function summarize(): void
    {
        $this->report->summarize();
    }

    /**
     * Ends the session, and leaves new packages to Composer.
     */
    public function close(): void
    {
        Guard::forget($this->watch);
        // The deferred writes come first, so that no later failure can lose them.
        if ($this->batch !== null) {
            $this->batch->flushWrites();
        }
        $manager = $this->composer->getDownloadManager();
        foreach ($this->replaced as $type => $downloader) {
            $current = $manager->getDownloader($type);
            if ($current instanceof ZipDownloader || $current instanceof TarDownloader) {
                // Packages that are prepared already stay with Allegro. Only new packages go
                // Composer's way.
                $current->retire();
            }
        }
        $this->replaced = [];
        if ($this->generator !== null) {
            $this->generator->retire();
        }
    }
}
