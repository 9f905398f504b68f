<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Io\Report;
use Allegro\Plugin\Io\ShortList;
use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\EngineFinder;
use Allegro\Plugin\Native\Environment;
use Allegro\Plugin\Native\InterruptedException;
use Allegro\Plugin\Native\Protocol;
use Allegro\Plugin\Network\Sources;
use Composer\Downloader\FileDownloader;
use Composer\Plugin\PluginEvents;

/**
 * Has the native part make the packages of a round ready in the staging directory, and settles
 * their downloads.
 *
 * Packages that the native part can't make ready are handed over to Composer's own downloader.
 *
 * @phpstan-import-type Made from Protocol
 * @phpstan-import-type PackageAnswer from Protocol
 * @phpstan-import-type PackageRequest from Protocol
 */
final class Preparation
{
    private int $nextId = 0;

    public function __construct(
        private readonly EngineFinder $engines,
        private readonly Report $report,
        private readonly Sources $sources,
        private readonly Listeners $listeners,
        private readonly Staging $staging,
        private readonly PackageRequests $requests,
    ) {
    }

    /**
     * Settles the download of each package.
     *
     * @param list<Ticket> $tickets
     */
    public function prepare(array $tickets): void
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
            $requests[$id] = $this->requests->of($id, $ticket, $listened && !$ticket->isArchiveSeen());
        }
        $this->report->begin(array_column($requests, 'name', 'id'));
        try {
            // The store and Composer's cache come first. Packages that both lack are announced, as
            // Composer does, and then downloaded.
            $open = $this->request($engine, $requests, $open);
            if ($open !== []) {
                $this->warnWithoutNetwork($open);
                $downloads = $this->withDownloads(array_intersect_key($requests, $open), $open);
                foreach ($downloads as $id => $request) {
                    // Listeners see this archive even if they were shown another one, which was
                    // damaged.
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
     * Settles all downloads that are still open in a round in which Allegro has failed.
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
     * Has the native part make packages ready, and settles those that it answers for.
     *
     * @param array<int, PackageRequest> $requests
     * @param array<int, Ticket>         $open
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
     * Settles the download of a package as the native part has answered for it.
     *
     * @param PackageAnswer  $answer
     * @param PackageRequest $request
     * @param Made|null      $made
     */
    private function settle(Ticket $ticket, array $answer, array $request, ?array $made): void
    {
        switch ($answer['outcome']) {
            case 'ready':
                // PackageRequests sets `private`.
                // @mago-expect analysis:possibly-undefined-string-array-index
                $ticket->stage(new Staged($answer['stage'], ($answer['files'] ?? 0) > 0, !$request['private'], $request['dist'], $made));
                $this->staging->hold($ticket);
                $this->report->ready($answer['from'], $answer['downloaded']);
                if ($answer['from'] === 'download') {
                    // Composer reports sizes to the repository that asks for them.
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
                    // Only an answer that declines the package is loud, and it has a reason.
                    // @mago-expect analysis:possibly-undefined-string-array-index,possibly-null-operand
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
                // The staged files are not the ones that shall be installed.
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
     * Warns at once about packages that can't be downloaded because the network is disabled.
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
                ShortList::names($names)
            ));
        }
    }

    /**
     * Adds the download to the request of each package, and announces it.
     *
     * As with Composer, a warning about a URL follows the line of its package. Packages that
     * Composer must download are handed over to it.
     *
     * @param array<int, PackageRequest> $requests
     * @param array<int, Ticket>         $open     loses what is handed over
     *
     * @return array<int, PackageRequest>
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
}
