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
use Composer\IO\IOInterface;
use Composer\Package\PackageInterface;
use Composer\Plugin\PluginEvents;
use Composer\Util\Filesystem;
use Composer\Util\ProcessExecutor;
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
    public readonly Listeners $listeners;

    public readonly PackageDirectories $directories;

    public readonly Staging $staging;

    public readonly PlacedPackages $placed;

    /** @var list<Ticket> packages asked for in this round */
    private array $wanted = [];

    /** @var list<Job> jobs asked for in this round */
    private array $jobs = [];

    private bool $armed = false;

    private int $nextId = 0;

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
        $filesystem = new Filesystem($process);
        $this->programs = new Programs($composer);
        $this->listeners = new Listeners($composer, $report);
        $this->directories = new PackageDirectories($this, $composer, $filesystem);
        $this->staging = new Staging($composer, $engines, $report, $filesystem);
        $this->placed = new PlacedPackages();
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
     * Asks for a package in staging.
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

        $this->wanted[] = $ticket;
        $this->arm();

        return $ticket->promise();
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
            $this->directories->endRound();
            $this->fire();
            $this->directories->endRound();
        };
        Wake::when($this->composer->getLoop(), $this->process, $fire);
        $this->armed = true;
    }

    private function fire(): void
    {
        $wanted = array_values(array_filter($this->wanted, static fn (Ticket $ticket): bool => $ticket->state() === TicketState::Waiting));
        $this->wanted = [];
        if ($wanted !== []) {
            Guard::run(fn () => $this->prepare($wanted), fn () => $this->settleAll($wanted));
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
            fn () => $this->staging->emptyTrash(),
            fn () => $this->staging->tidy()
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
     * Settles whatever is still open of a round in which something of ours has failed.
     *
     * @param list<Ticket> $tickets
     */
    public function settleAll(array $tickets): void
    {
        foreach ($tickets as $ticket) {
            if ($ticket->isSettled()) {
                continue;
            }
            if ($ticket->state() === TicketState::Ready) {
                $ticket->resolve();
            } else {
                $this->decline($ticket, null);
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
     * Settles the download of each package.
     *
     * @param list<Ticket> $tickets
     */
    private function prepare(array $tickets): void
    {
        $engine = $this->engines->find();
        if ($engine === null) {
            foreach ($tickets as $ticket) {
                $this->decline($ticket, null);
            }

            return;
        }
        $started = microtime(true);
        /** @var array<int, Ticket> $open */
        $open = [];
        $requests = [];
        $listened = $this->listeners->any(PluginEvents::POST_FILE_DOWNLOAD);
        foreach ($tickets as $ticket) {
            $id = $this->nextId++;
            $open[$id] = $ticket;
            $requests[$id] = $this->describe($id, $ticket, $listened && !$ticket->isArchiveSeen());
        }
        $this->report->begin(array_column($requests, 'name', 'id'));
        try {
            // First what is nearby. What is missing is announced, as Composer does, and then downloaded.
            $open = $this->request($engine, $requests, $open);
            if ($open !== []) {
                $this->warnWithoutNetwork($open);
                $downloads = $this->withDownloads(array_intersect_key($requests, $open), $open);
                foreach ($downloads as $id => $request) {
                    // Also where an archive was shown that turned out to be damaged: this will be another one.
                    $downloads[$id]['want_archive'] = $listened;
                }
                $open = $this->request($engine, $downloads, $open);
            }
        } catch (EngineException $e) {
            $this->engines->giveUp($e->getMessage());
        } catch (\Throwable $e) {
            if (!Guard::passes($e)) {
                throw $e;
            }
            foreach ($open as $ticket) {
                $ticket->reject($e);
            }
            $open = [];
        } finally {
            $this->report->end(microtime(true) - $started);
        }
        foreach ($open as $ticket) {
            $this->decline($ticket, null);
        }
    }

    /**
     * Has the native part make packages ready, and settles those that it answers for.
     *
     * @param array<int, array<string, mixed>> $requests
     * @param array<int, Ticket>               $open
     *
     * @return array<int, Ticket> those that must be downloaded first
     */
    private function request(Engine $engine, array $requests, array $open): array
    {
        if ($requests === []) {
            return $open;
        }
        $request = [
            'vendor_dir' => $this->staging->vendorDir(),
            'staging' => $this->staging->directory(),
            'umask' => umask(),
            'timezone' => Environment::timezone(),
            'is_quiet' => !$this->report->listens(),
            'http' => $this->sources->httpOptions(),
            'packages' => array_values($requests),
        ];
        $answer = InterruptedException::outlive(function () use ($engine, $request, $requests): array {
            $this->report->remaining(array_keys($requests));

            return $engine->prepare(
                $request,
                function (array $events): void {
                    $this->report->events($events);
                }
            );
        });
        $outcomes = is_array($answer['packages'] ?? null) ? array_column($answer['packages'], 'outcome', 'id') : [];
        if (array_diff_key($outcomes, $requests) !== [] || array_diff_key($requests, $outcomes) !== []) {
            throw new EngineException('the native part gave an answer that this plugin does not understand, update both to the same version');
        }
        $this->report->method($answer['method'] ?? null);
        foreach ($answer['notices'] ?? [] as $notice) {
            $this->report->notice($notice);
        }
        $missing = [];
        foreach ($answer['packages'] as $package) {
            $id = $package['id'];
            if ($package['outcome'] === 'missing' && !isset($requests[$id]['fetch'])) {
                $missing[$id] = $open[$id];
                continue;
            }
            $this->settle($open[$id], $package, $requests[$id], $answer['made'] ?? null);
        }

        return $missing;
    }

    /**
     * @param array<string, mixed>  $answer  the core's `PackageAnswer`
     * @param array<string, mixed>  $request
     * @param array{int, int}|null  $made
     */
    private function settle(Ticket $ticket, array $answer, array $request, ?array $made): void
    {
        switch ($answer['outcome']) {
            case 'ready':
                $ticket->stage(new Staged($answer['stage'], ($answer['files'] ?? 0) > 0, !$request['private'], $request['dist'], $made));
                $this->staging->hold($ticket);
                $this->report->ready($answer['from'], $answer['downloaded']);
                if ($answer['from'] === 'download') {
                    // Composer reports sizes to the repository that asks for it.
                    FileDownloader::$downloadMetadata[$ticket->package->getName()] = $answer['downloaded'];
                } elseif ($answer['from'] === 'archive') {
                    $this->report->veryVerbose('  - Loading '.$ticket->label().' from cache');
                }
                $this->show($ticket, (string) ($answer['archive'] ?? ''));

                return;
            case 'failed':
                $ticket->decline();
                $message = $answer['message'];
                if (is_string($answer['hint'] ?? null)) {
                    $message .= "\n".ucfirst($answer['hint']).'.';
                }
                $ticket->reject(new RefusedException('Allegro: '.$message));

                return;
            default:
                if (!empty($answer['loud'])) {
                    $this->report->notice('Composer installs '.$ticket->package->getName().' by itself: '.$answer['reason']);
                }
                $this->decline($ticket, $answer['reason'] ?? null);
        }
    }

    /**
     * Settles the download of a package that is ready, after listeners have seen its archive.
     *
     * @param string $archive the archive for them; empty if nobody wants to see it
     */
    private function show(Ticket $ticket, string $archive): void
    {
        try {
            if ($archive !== '' && !$this->listeners->show($ticket, $archive)) {
                // What is staged is not what shall be installed.
                $this->staging->discard($ticket);
                $this->listeners->reportChange($ticket->package);
            }
        } catch (DeclinedException $e) {
            $this->staging->discard($ticket);
            $this->decline($ticket, $e->getMessage());

            return;
        } catch (\Throwable $e) {
            if (!Guard::passes($e)) {
                throw $e;
            }
            $ticket->reject($e);

            return;
        }
        $ticket->resolve();
    }

    /**
     * Hands a package over to Composer's own downloader.
     */
    private function decline(Ticket $ticket, ?string $reason): void
    {
        $ticket->decline();
        if ($reason !== null) {
            Guard::attempt(fn () => $this->report->declined($ticket->package->getName(), $reason));
        }
        $ticket->handOver();
    }

    /**
     * @return array<string, mixed>
     */
    private function describe(int $id, Ticket $ticket, bool $wantArchive): array
    {
        $package = $ticket->package;
        $isShared = $this->mayShare($package, $ticket->target);
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
            'private' => !$isShared,
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
     * Warns at once about packages that can't be had without network.
     *
     * @param array<int, Ticket> $open
     */
    private function warnWithoutNetwork(array $open): void
    {
        if ($this->sources->networkIsOff()) {
            $names = array_map(static fn (Ticket $ticket): string => $ticket->package->getName().' ('.$ticket->package->getFullPrettyVersion().')', $open);
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
     * Adds to requests how to download the packages, and announces each download.
     *
     * As with Composer, a warning about a URL follows the line of its package. Packages that Composer
     * must download are handed over to it.
     *
     * @param array<int, array<string, mixed>> $requests
     * @param array<int, Ticket>               $open     loses what is handed over
     *
     * @return array<int, array<string, mixed>>
     */
    private function withDownloads(array $requests, array &$open): array
    {
        $declined = [];
        foreach ($requests as $id => $request) {
            $ticket = $open[$id];
            try {
                $this->sources->check($ticket->package, $ticket->url);
                $this->report->write('  - Downloading '.$ticket->label());
                $ticket->markSaid();
                $requests[$id]['fetch'] = $this->sources->fetchInfo($ticket->package, $ticket->url);
            } catch (DeclinedException $e) {
                $declined[$id] = $e->getMessage();
                unset($requests[$id]);
            }
        }
        foreach ($declined as $id => $reason) {
            $ticket = $open[$id];
            unset($open[$id]);
            $this->decline($ticket, $reason);
        }

        return $requests;
    }

    /**
     * Ends what is under way and removes the staging directory: the run is over or is being aborted.
     */
    public function sweep(): void
    {
        $this->report->abort();
        $this->directories->forgetAll();
        $this->staging->sweep();
    }
}
