<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Internals;
use Allegro\Plugin\Io\Few;
use Allegro\Plugin\Io\Report;
use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\EngineFinder;
use Allegro\Plugin\Native\Environment;
use Allegro\Plugin\Native\InterruptedException;
use Composer\Composer;
use Composer\Downloader\FileDownloader;
use Composer\EventDispatcher\Event;
use Composer\Installer\LibraryInstaller;
use Composer\Installer\PluginInstaller;
use Composer\IO\IOInterface;
use Composer\Package\PackageInterface;
use Composer\Plugin\PluginEvents;
use Composer\Plugin\PostFileDownloadEvent;
use Composer\Util\Filesystem;
use Composer\Util\ProcessExecutor;
use React\Promise\Promise;
use React\Promise\PromiseInterface;

/**
 * Collects what Composer asks for and does it all at once, at the moment at which Composer waits.
 *
 * Composer calls download() for every operation and then spins its loop until all promises are settled; install()
 * and its siblings likewise. The loop looks at HTTP transfers and child processes, and the first look wakes us: by then
 * every call of this round has been made, and every event before it has been seen, exactly as with Composer's own
 * parallel downloads and extractions.
 */
final class Batch
{
    /** @var list<array{Ticket, callable, callable}> downloads asked for in this round */
    private array $wanted = [];

    /** @var list<Job> jobs asked for in this round */
    private array $jobs = [];

    private bool $armed = false;

    /** Whether nobody is called while packages are on their way; null until it is asked in a round. */
    private ?bool $unobserved = null;

    /** How many plugins there were when that was asked. */
    private int $pluginsThen = 0;

    /** @var array<string, true> directories of packages that are still to be made */
    private array $unmade = [];

    /** @var array<string, true> directories that were spoken of in this round */
    private array $seen = [];

    private ?string $staging = null;

    private int $nextId = 0;

    /** Packages that are ready in staging and not placed yet. */
    private int $ready = 0;

    /** @var array<string, string> directories moved out of the way, and where each of them was */
    private array $trash = [];

    /** The user was told of something that can't be removed from the staging directory. */
    private bool $isTold = false;

    /** @var list<array{path: string, dist: array<string, mixed>, plain_modes: bool, made: array{int, int}}> */
    private array $placed = [];

    private ?\Closure $beforeFirst = null;

    private ?DeferredWrites $writes = null;

    private ProcessExecutor $process;

    private Programs $programs;

    public function __construct(
        private readonly Composer $composer,
        private readonly IOInterface $io,
        private readonly EngineFinder $engines,
        private readonly Report $report,
        private readonly Sharing $sharing,
        private readonly Sources $sources,
    ) {
        $process = $composer->getLoop()->getProcessExecutor();
        if ($process === null) {
            $process = new ProcessExecutor();
        }
        $this->process = $process;
        $this->programs = new Programs($composer);
        // Ctrl-C in the middle: Composer's handler cleans up each operation, then ends the process at once.
        register_shutdown_function(fn () => Guard::restore(fn () => $this->flushRepository(), fn () => $this->sweep()));
    }

    /**
     * Once there is something to install: the repository that Composer uses in this run is known by then.
     */
    public function deferWrites(): ?DeferredWrites
    {
        $this->writes ??= DeferredWrites::over(
            $this->composer->getRepositoryManager()->getLocalRepository(),
            $this->composer,
            $this,
            $this->io
        );

        return $this->writes;
    }

    public function flushRepository(): void
    {
        if ($this->writes !== null) {
            $this->writes->flush();
        }
    }

    public function available(): bool
    {
        return $this->engines->find() !== null;
    }

    /**
     * Returns the programs of all packages of this run.
     */
    public function programs(): Programs
    {
        return $this->programs;
    }

    public function sources(): Sources
    {
        return $this->sources;
    }

    public function report(): Report
    {
        return $this->report;
    }

    /**
     * Says what is to be done before the first package is asked for.
     */
    public function beforeFirst(\Closure $do): void
    {
        $this->beforeFirst = $do;
    }

    /**
     * Asks for a package in staging. The promise is settled with the archive's name, as Composer's own is.
     */
    public function want(Ticket $ticket): PromiseInterface
    {
        if ($this->beforeFirst !== null) {
            ($this->beforeFirst)();
            $this->beforeFirst = null;
        }
        if ($this->wanted === []) {
            $engine = $this->engines->find();
            $engine === null || $engine->warmUp();
        }

        $promise = new Promise(function (callable $resolve, callable $reject) use ($ticket): void {
            $this->wanted[] = [$ticket, $resolve, $reject];
        });
        // Not within the promise, which would take for a failed download what goes wrong here.
        $this->arm();

        return $promise;
    }

    /**
     * Does a job when Composer waits.
     *
     * Jobs are done in the order in which Composer would be done with them, because that is the
     * order of the installed packages.
     */
    public function later(Job $job): PromiseInterface
    {
        $this->jobs[] = $job;
        try {
            $this->arm();
        } catch (\Throwable $e) {
            // Whoever is told does the work at once.
            array_pop($this->jobs);

            throw $e;
        }

        return $job->promise();
    }

    /**
     * Tells whether jobs of this round are still to be done.
     */
    public function hasJobs(): bool
    {
        return $this->jobs !== [];
    }

    private function arm(): void
    {
        if ($this->armed) {
            return;
        }
        $this->deferWrites();
        // Composer's bar would count our one process; it would stand in the middle of what we say.
        $this->composer->getInstallationManager()->setOutputProgress(false);
        $fire = function (): void {
            $this->armed = false;
            $this->forget();
            $this->fire();
            $this->forget();
        };
        Wake::when($this->composer->getLoop(), $this->process, $fire);
        $this->armed = true;
    }

    /**
     * What is known of the round that ends: plugins come and go in between.
     */
    private function forget(): void
    {
        $this->unobserved = null;
        $this->seen = [];
    }

    private function fire(): void
    {
        $wanted = array_values(array_filter($this->wanted, static fn (array $one): bool => $one[0]->state === Ticket::WAITING));
        $this->wanted = [];
        if ($wanted !== []) {
            Guard::run(fn () => $this->prepare($wanted), fn () => $this->declineAll($wanted));
        }
        foreach ($this->jobs as $index => $job) {
            if (!$job->begin()) {
                unset($this->jobs[$index]);
            }
        }
        $this->jobs = array_values($this->jobs);
        $this->jobs = Guard::attempt(fn (): array => Processes::inOrder($this->jobs, $this->mostProcesses())) ?? $this->jobs;
        while ($this->jobs !== []) {
            $job = array_shift($this->jobs);
            $job->run(fn () => Guard::attempt(fn () => $this->writes?->prime()));
        }
        Guard::restore(
            fn () => $this->separateStrays(),
            fn () => $this->emptyTrash(),
            fn () => $this->tidy()
        );
    }

    private function separateStrays(): void
    {
        $shared = $this->programs->separateStrays();
        if ($shared !== []) {
            $this->report->notice('programs that are still shared with other projects, because they can not be copied: '.Few::names($shared));
        }
    }

    /**
     * Hands over to Composer whatever is still open of a round in which something of ours has failed.
     *
     * @param list<array{Ticket, callable, callable}> $wanted
     */
    private function declineAll(array $wanted): void
    {
        foreach ($wanted as [$ticket, $resolve]) {
            if ($ticket->isSettled) {
                continue;
            }
            if ($ticket->state === Ticket::READY) {
                $ticket->isSettled = true;
                $resolve($ticket->fileName);
            } else {
                $this->decline($ticket, $resolve, null);
            }
        }
    }

    /**
     * Returns how many processes Composer has at a time.
     */
    private function mostProcesses(): int
    {
        $most = Internals::of($this->process, ProcessExecutor::class, 'maxJobs')['maxJobs'] ?? null;

        return is_int($most) ? $most : 1;
    }

    /**
     * @param list<array{Ticket, callable, callable}> $wanted
     */
    private function prepare(array $wanted): void
    {
        $engine = $this->engines->find();
        if ($engine === null) {
            foreach ($wanted as [$ticket, $resolve, $reject]) {
                $this->decline($ticket, $resolve, null);
            }

            return;
        }
        $started = microtime(true);
        /** @var array<int, array{Ticket, callable, callable}> $open */
        $open = [];
        $packages = [];
        $listened = $this->hasListeners(PluginEvents::POST_FILE_DOWNLOAD);
        foreach ($wanted as $one) {
            $id = $this->nextId++;
            $open[$id] = $one;
            $packages[$id] = $this->describe($id, $one[0], $listened && !$one[0]->isShown);
        }
        $this->report->begin(array_column($packages, 'name', 'id'));
        try {
            // First round: what is nearby. What is missing is announced, as Composer does, and then downloaded.
            $open = $this->round($engine, $packages, $open);
            if ($open !== []) {
                $this->warnWithoutNetwork($open);
                $fetchable = $this->withFetchInfo(array_intersect_key($packages, $open), $open);
                foreach ($fetchable as $id => $package) {
                    // Also where an archive was shown that turned out to be damaged: this will be another one.
                    $fetchable[$id]['want_archive'] = $listened;
                }
                $open = $this->round($engine, $fetchable, $open);
            }
        } catch (EngineException $e) {
            $this->engines->giveUp($e->getMessage());
        } catch (\Throwable $e) {
            if (!Guard::passes($e)) {
                throw $e;
            }
            foreach ($open as [$ticket, $resolve, $reject]) {
                $ticket->isSettled = true;
                $reject($e);
            }
            $open = [];
        } finally {
            $this->report->end(microtime(true) - $started);
        }
        foreach ($open as [$ticket, $resolve, $reject]) {
            $this->decline($ticket, $resolve, null);
        }
    }

    /**
     * @param array<int, array<string, mixed>>                 $packages
     * @param array<int, array{Ticket, callable, callable}>    $open
     *
     * @return array<int, array{Ticket, callable, callable}> those that were missing
     */
    private function round(Engine $engine, array $packages, array $open): array
    {
        if ($packages === []) {
            return $open;
        }
        $request = [
            'vendor_dir' => $this->vendorDir(),
            'staging' => $this->staging(),
            'umask' => umask(),
            'timezone' => Environment::timezone(),
            'is_quiet' => !$this->report->listens(),
            'http' => $this->sources->httpOptions(),
            'packages' => array_values($packages),
        ];
        $answer = InterruptedException::outlive(function () use ($engine, $request, $packages): array {
            $this->report->remaining(array_keys($packages));

            return $engine->prepare(
                $request,
                function (array $events): void {
                    $this->report->events($events);
                }
            );
        });
        $outcomes = is_array($answer['packages'] ?? null) ? array_column($answer['packages'], 'outcome', 'id') : [];
        if (array_diff_key($outcomes, $packages) !== [] || array_diff_key($packages, $outcomes) !== []) {
            throw new EngineException('the native part gave an answer that this plugin does not understand, update both to the same version');
        }
        $this->report->method($answer['method'] ?? null);
        foreach ($answer['notices'] ?? [] as $notice) {
            $this->report->notice($notice);
        }
        $missing = [];
        foreach ($answer['packages'] as $package) {
            $id = $package['id'];
            [$ticket, $resolve, $reject] = $one = $open[$id];
            $ticket->dist = $packages[$id]['dist'];
            $ticket->made = $answer['made'] ?? null;
            if ($package['outcome'] === 'missing' && !isset($packages[$id]['fetch'])) {
                $missing[$id] = $one;
                continue;
            }
            $this->settle($package, $ticket, $resolve, $reject);
        }

        return $missing;
    }

    /**
     * @param array<string, mixed> $answer
     */
    private function settle(array $answer, Ticket $ticket, callable $resolve, callable $reject): void
    {
        switch ($answer['outcome']) {
            case 'ready':
                $ticket->stage = $answer['stage'];
                $ticket->hasFiles = ($answer['files'] ?? 0) > 0;
                $ticket->state = Ticket::READY;
                ++$this->ready;
                $this->report->ready($answer['from'], $answer['downloaded']);
                if ($answer['from'] === 'download') {
                    // Composer reports sizes to the repository that asks for it.
                    FileDownloader::$downloadMetadata[$ticket->package->getName()] = $answer['downloaded'];
                } elseif ($answer['from'] === 'archive') {
                    $this->report->veryVerbose('  - Loading '.$ticket->label().' from cache');
                }
                try {
                    $this->dispatchDownloaded($ticket, $answer['archive'] ?? null);
                } catch (DeclinedException $e) {
                    $this->discard($ticket);
                    $this->decline($ticket, $resolve, $e->getMessage());

                    return;
                } catch (\Throwable $e) {
                    if (!Guard::passes($e)) {
                        throw $e;
                    }
                    $ticket->isSettled = true;
                    $reject($e);

                    return;
                }
                $ticket->isSettled = true;
                $resolve($ticket->fileName);

                return;
            case 'failed':
                $ticket->isSettled = true;
                $ticket->state = Ticket::DECLINED;
                $message = $answer['message'];
                if (is_string($answer['hint'] ?? null)) {
                    $message .= "\n".ucfirst($answer['hint']).'.';
                }
                $reject(new RefusedException('Allegro: '.$message));

                return;
            default:
                if (!empty($answer['loud'])) {
                    $this->report->notice('Composer installs '.$ticket->package->getName().' by itself: '.$answer['reason']);
                }
                $this->decline($ticket, $resolve, $answer['reason'] ?? null);
        }
    }

    /**
     * Hands a package to Composer's own downloader.
     */
    private function decline(Ticket $ticket, callable $resolve, ?string $reason): void
    {
        $ticket->state = Ticket::DECLINED;
        $ticket->isSettled = true;
        if ($reason !== null) {
            Guard::attempt(fn () => $this->report->declined($ticket->package->getName(), $reason));
        }
        try {
            $resolve(($ticket->fallBack)($ticket->isSaid));
        } catch (\Throwable $e) {
            $resolve(\React\Promise\reject($e));
        }
    }

    /**
     * @return array<string, mixed>
     */
    private function describe(int $id, Ticket $ticket, bool $wantArchive): array
    {
        $package = $ticket->package;
        $ticket->isShared = $this->mayShare($package, $ticket->target);
        $this->programs->add($package, $ticket->target);
        $key = $ticket->customKey;
        $useStore = $ticket->archive !== null || !$this->sources->cacheIsOff();
        if (!self::isNamed($package, $ticket->url)) {
            // Only the archive itself can tell which content the store has to have: the one in Composer's cache, as
            // long as it is there.
            $sum = $ticket->archive !== null && is_file($ticket->archive) ? hash_file('sha256', $ticket->archive) : false;
            $useStore = $useStore && $sum !== false;
            $key .= ' '.$sum;
        }

        return [
            'id' => $id,
            'name' => $package->getName(),
            'version' => $package->getFullPrettyVersion(),
            'dist' => [
                'name' => $package->getName(),
                'type' => strtolower((string) $package->getDistType()),
                'url' => $ticket->url,
                'reference' => $package->getDistReference(),
                'shasum' => (string) $package->getDistSha1Checksum() !== '' ? $package->getDistSha1Checksum() : null,
                'custom_cache_key' => $key,
            ],
            'path' => $ticket->target,
            'archive' => $ticket->archive,
            'archive_writable' => $ticket->archiveWritable,
            'use_store' => $useStore,
            'want_archive' => $wantArchive,
            'private' => !$ticket->isShared,
            'bins' => array_values($package->getBinaries()),
            'plain_modes' => $ticket->hasPlainModes(),
        ];
    }

    /**
     * Decides whether the files of a package may be shared at a path, and says why if they may not.
     */
    public function mayShare(PackageInterface $package, string $path): bool
    {
        $objection = $this->sharing->objection($package, $path);
        if ($objection !== null) {
            $this->report->veryVerbose('  - Allegro: '.$package->getName().' gets files of its own: it is '.$objection);
        }

        return $objection === null;
    }

    /**
     * Tells whether other content would have another checksum or another URL. A checksum fixes the content, and so does
     * a commit id in the URL. Any other reference may be a branch or a tag, which can move.
     */
    public static function isNamed(PackageInterface $package, string $url): bool
    {
        $reference = (string) $package->getDistReference();

        return (string) $package->getDistSha1Checksum() !== ''
            || (preg_match('{^(?:[0-9a-f]{40}|[0-9a-f]{64})$}Di', $reference) === 1 && stripos($url, $reference) !== false);
    }

    /**
     * Without network: says at once what can't be had.
     *
     * @param array<int, array{Ticket, callable, callable}> $open
     */
    private function warnWithoutNetwork(array $open): void
    {
        if ($this->sources->networkIsOff()) {
            $names = array_map(static fn (array $one): string => $one[0]->package->getName().' ('.$one[0]->package->getFullPrettyVersion().')', $open);
            sort($names);
            $this->report->notice(sprintf(
                '%d package%s neither in the store nor in Composer\'s cache, and the network is disabled: %s',
                count($names),
                count($names) === 1 ? ' is' : 's are',
                Few::names($names)
            ));
        }
    }

    /**
     * Announces each download, as Composer does: a warning about a URL follows the line of its package.
     *
     * @param array<int, array<string, mixed>>              $packages
     * @param array<int, array{Ticket, callable, callable}> $open
     *
     * @return array<int, array<string, mixed>> without those that Composer must download
     */
    private function withFetchInfo(array $packages, array &$open): array
    {
        $declined = [];
        foreach ($packages as $id => $package) {
            $ticket = $open[$id][0];
            try {
                $this->sources->check($ticket->package, $ticket->url);
                $this->report->write('  - Downloading '.$ticket->label());
                $ticket->isSaid = true;
                $packages[$id]['fetch'] = $this->sources->fetchInfo($ticket->package, $ticket->url);
            } catch (DeclinedException $e) {
                $declined[$id] = $e->getMessage();
                unset($packages[$id]);
            }
        }
        foreach ($declined as $id => $reason) {
            [$ticket, $resolve] = $open[$id];
            unset($open[$id]);
            $this->decline($ticket, $resolve, $reason);
        }

        return $packages;
    }

    /**
     * Lets POST_FILE_DOWNLOAD listeners see the archive where Composer would have put it.
     */
    private function dispatchDownloaded(Ticket $ticket, ?string $archive): void
    {
        $dispatcher = $this->composer->getEventDispatcher();
        if ($archive === null || $archive === '') {
            return;
        }
        // No link: listeners may write into it, and Composer's cache keeps what was downloaded.
        if (!@copy($archive, $ticket->fileName)) {
            throw new DeclinedException('its archive can not be put where listeners look for it');
        }
        $event = new PostFileDownloadEvent(
            PluginEvents::POST_FILE_DOWNLOAD,
            $ticket->fileName,
            $ticket->package->getDistSha1Checksum(),
            $ticket->url,
            'package',
            $ticket->package
        );
        $ticket->isArchiveSeen = true;
        Guard::out(static fn () => $dispatcher->dispatch($event->getName(), $event));
        if (!self::sameContent($archive, $ticket->fileName)) {
            // What is staged is not what shall be installed.
            $this->discard($ticket);
            $this->listenerChanged($ticket->package);
        }
    }

    /**
     * Throws away what is staged of a package: Composer unpacks it.
     */
    private function discard(Ticket $ticket): void
    {
        $ticket->state = Ticket::DECLINED;
        if ($ticket->stage !== null) {
            $this->trash[$ticket->stage] = 'files of '.$ticket->package->getName();
            $ticket->stage = null;
            --$this->ready;
        }
    }

    /**
     * Forgets a package that Composer is going to install after all.
     */
    public function withdraw(Ticket $ticket): void
    {
        $this->discard($ticket);
        $this->placed = array_values(array_filter($this->placed, static fn (array $placed): bool => $placed['path'] !== $ticket->path));
    }

    /**
     * A listener of POST_FILE_DOWNLOAD left another archive than it found: Composer unpacks that.
     */
    public function listenerChanged(PackageInterface $package): void
    {
        $this->report->declined($package->getName(), 'a listener changed the archive');
    }

    /**
     * By content, because a listener may keep size and time.
     */
    public static function sameContent(string $one, string $other): bool
    {
        clearstatcache(true, $other);

        return is_file($other)
            && filesize($one) === filesize($other)
            && hash_file('sha256', $one) === hash_file('sha256', $other);
    }

    /**
     * Whether anybody listens to one of the events.
     */
    public function hasListeners(string ...$events): bool
    {
        $dispatcher = $this->composer->getEventDispatcher();
        foreach ($events as $event) {
            if ($dispatcher->hasEventListeners(new Event($event))) {
                return true;
            }
        }

        return false;
    }

    /**
     * Puts off making an empty directory for a package, if nobody is called who could look for it before the package is
     * in it: there are no listeners, and the installer is Composer's own.
     *
     * @return bool whether it is put off; a listener that comes later finds it, see {@see makeDirectories()}
     */
    public function putOffDirectory(PackageInterface $package, string $path): bool
    {
        if (!$this->isUnobserved()) {
            return false;
        }
        $installer = $this->composer->getInstallationManager()->getInstaller($package->getType());
        if (!in_array(get_class($installer), [LibraryInstaller::class, PluginInstaller::class], true)) {
            return false;
        }
        $this->unmade[$path] = true;

        return true;
    }

    private function isUnobserved(): bool
    {
        if ($this->deferWrites() === null) {
            // Nobody would tell us that a listener has come.
            return false;
        }
        $plugins = count($this->composer->getPluginManager()->getPlugins());
        if ($this->unobserved === null || $this->pluginsThen !== $plugins) {
            $this->pluginsThen = $plugins;
            $this->unobserved = !$this->hasListeners(
                PluginEvents::PRE_FILE_DOWNLOAD,
                PluginEvents::POST_FILE_DOWNLOAD,
                ...DeferredWrites::PACKAGE_EVENTS
            );
        }

        return $this->unobserved;
    }

    /**
     * Makes the directories that were put off: a plugin of this run has come, and is about to be called.
     */
    public function makeDirectories(): void
    {
        $filesystem = new Filesystem($this->process);
        foreach (array_keys($this->unmade) as $path) {
            $filesystem->ensureDirectoryExists($path);
        }
        $this->unmade = [];
    }

    /**
     * Whether a directory is spoken of for the first time in this round.
     */
    public function isFirst(string $dir): bool
    {
        $isFirst = !isset($this->seen[$dir]);
        $this->seen[$dir] = true;

        return $isFirst;
    }

    /**
     * Moves whatever is at a path out of the way, to be removed at the end of the round.
     *
     * @return bool false if it can't be moved (a mount point, another file system)
     */
    public function moveAside(string $path): bool
    {
        if (!file_exists($path) && !is_link($path)) {
            return true;
        }
        $trash = $this->staging().'/trash-'.$this->nextId++;
        if (!@rename($path, $trash)) {
            return false;
        }
        $this->trash[$trash] = $path;

        return true;
    }

    /**
     * Brings back what was moved out of the way, unless something else is there by now.
     */
    public function bringBack(string $path): void
    {
        $trash = array_search($path, $this->trash, true);
        if (is_string($trash) && !file_exists($path) && !is_link($path) && @rename($trash, $path)) {
            unset($this->trash[$trash]);
        }
    }

    private function emptyTrash(): void
    {
        if ($this->trash === []) {
            return;
        }
        $trash = $this->trash;
        $this->trash = [];
        $failures = [];
        foreach ($this->remove(array_keys($trash)) as $failure) {
            $was = array_filter($trash, static fn (string $path): bool => str_starts_with($failure, $path.' '), ARRAY_FILTER_USE_KEY);
            $failures[] = $failure.($was === [] ? '' : ' (it was '.implode($was).')');
        }
        $this->isTold = $this->isTold || $failures !== [];
        $failures === [] || $this->report->notice(Few::names($failures));
        $this->tidy();
    }

    /**
     * @param list<string> $paths
     *
     * @return list<string> what could not be removed, a sentence each that begins with the path
     */
    private function remove(array $paths): array
    {
        $engine = $this->engines->find();
        if ($engine !== null) {
            try {
                return $engine->remove($paths);
            } catch (EngineException $e) {
                $this->engines->giveUp($e->getMessage());
            }
        }
        $filesystem = new Filesystem($this->process);
        $failures = [];
        foreach ($paths as $path) {
            try {
                $filesystem->removeDirectory($path);
            } catch (\RuntimeException $e) {
                $failures[] = $path.' can\'t be removed: '.$e->getMessage();
            }
        }

        return $failures;
    }

    /**
     * Packages whose directories came from staging in this run.
     *
     * @return list<array{path: string, dist: array<string, mixed>, plain_modes: bool, made: array{int, int}}>
     */
    public function placedPackages(): array
    {
        return $this->placed;
    }

    /**
     * A package left staging.
     */
    public function placed(Ticket $ticket): void
    {
        unset($this->unmade[(string) $ticket->path]);
        if ($ticket->dist !== null && $ticket->made !== null && $ticket->path !== null) {
            $this->placed[] = [
                'path' => $ticket->path,
                'dist' => $ticket->dist,
                'plain_modes' => $ticket->hasPlainModes(),
                'made' => $ticket->made,
            ];
        }
        --$this->ready;
        $this->tidy();
    }

    /**
     * Tells whether a package of this run was placed at a path, or below it.
     */
    public function isTaken(string $path): bool
    {
        foreach ($this->placed as $placed) {
            if (str_starts_with($placed['path'].'/', rtrim($path, '/').'/')) {
                return true;
            }
        }

        return false;
    }

    /**
     * Removes the staging directory as soon as nothing is in it, so that an empty vendor is seen as empty.
     */
    private function tidy(): void
    {
        if ($this->ready === 0 && $this->staging !== null && @rmdir($this->staging)) {
            $this->staging = null;
        }
    }

    private function vendorDir(): string
    {
        $dir = $this->composer->getConfig()->get('vendor-dir');

        return realpath($dir) ?: $dir;
    }

    /**
     * A directory of this process on vendor's file system. Its name tells its owner (see `unique` in the core),
     * so that a later run can sweep what a killed one left.
     */
    private function staging(): string
    {
        if ($this->staging === null) {
            $parent = $this->vendorDir().'/composer';
            $staging = sprintf('%s/.allegro-%x-%s', $parent, getmypid(), bin2hex(random_bytes(4)));
            // Known before it is there: a signal that arrives meanwhile has its handler called before the next line.
            $this->staging = $staging;
            if (!is_dir($staging) && !@mkdir($staging, 0777, true) && !is_dir($staging)) {
                $this->staging = null;

                throw new RefusedException('Allegro: '.$staging.' can not be created; check the permissions of '.$parent);
            }
        }

        return $this->staging;
    }

    /**
     * Removes the staging directory with what is in it: the run is over or is being aborted.
     */
    public function sweep(): void
    {
        $this->report->abort();
        $this->unmade = [];
        if ($this->staging === null) {
            return;
        }
        // Also while it is empty: a helper that was asked to fill it is ended by this first. Forgotten when it is gone:
        // a signal in the meantime does this once more.
        $failures = $this->remove([$this->staging]);
        // What can't be removed from it has been told by its name.
        $this->isTold || $failures === [] || $this->report->notice(Few::names($failures));
        $this->isTold = false;
        $this->staging = null;
        $this->ready = 0;
    }
}
