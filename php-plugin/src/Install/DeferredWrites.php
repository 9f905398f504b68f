<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Internals;
use Composer\Composer;
use Composer\Installer\InstallationManager;
use Composer\Installer\PackageEvents;
use Composer\IO\IOInterface;
use Composer\Json\JsonFile;
use Composer\Repository\FilesystemRepository;
use Composer\Repository\InstalledFilesystemRepository;
use Composer\Util\Filesystem;

/**
 * The installed packages, written once at the end of the operations instead of after each of them.
 *
 * Writing dumps every package each time, which costs minutes at 1,500 packages. It is put off as long as
 * nobody can see the difference: package event listeners, plugins that are activated in the run and the end of
 * the operations find everything written.
 *
 * In a fresh clone the plugin starts in the middle of a run whose repository is bound already and can't be
 * replaced. So the repository stays Composer's own and only its file is ours: write() asks the file for its path
 * first and hands it the result last (Composer 2.2 to 2.11), and in between it is shown no packages when the
 * write is put off. A repository that is built in another way is left alone: slower, never wrong.
 */
final class DeferredWrites
{
    /** Events between operations: who is called then may look at what is recorded. */
    public const PACKAGE_EVENTS = [
        PackageEvents::PRE_PACKAGE_INSTALL,
        PackageEvents::POST_PACKAGE_INSTALL,
        PackageEvents::PRE_PACKAGE_UPDATE,
        PackageEvents::POST_PACKAGE_UPDATE,
        PackageEvents::PRE_PACKAGE_UNINSTALL,
        PackageEvents::POST_PACKAGE_UNINSTALL,
    ];

    /** After a fault: with the next write the repository is Composer's own again. */
    private bool $isGivenUp = false;

    /** Put back when something of ours fails. */
    private ?JsonFile $formerFile = null;

    private ?Filesystem $formerFilesystem = null;

    /** What a write that was put off would have been called with: the dev mode. */
    private ?bool $pending = null;

    /** @var array<mixed>|null the packages, while the repository is shown none */
    private ?array $hidden = null;

    /** @var array<mixed> the packages at the last write that was put off */
    private array $last = [];

    /** @var array<string, mixed> unique name => package, of the first `$known` packages */
    private array $index = [];

    private int $known = 0;

    private function __construct(
        private readonly InstalledFilesystemRepository $repository,
        private readonly Composer $composer,
        private Batch $batch,
    ) {
    }

    /**
     * @return self|null null if the repository is not as Composer makes it
     */
    public static function over(object $repository, Composer $composer, Batch $batch, IOInterface $io): ?self
    {
        // Not a subclass of somebody else, who knows what it overrides.
        if (get_class($repository) !== InstalledFilesystemRepository::class) {
            return null;
        }
        if (Internals::missing('record') !== null) {
            return null;
        }
        $writes = new self($repository, $composer, $batch);
        $file = $writes->get('file');
        if ($file instanceof DeferredJsonFile) {
            // The plugin was updated in this run: what the former instance put in place goes on with us.
            $file->writes()->batch = $batch;

            return $file->writes();
        }
        if (!$file instanceof JsonFile || get_class($file) !== JsonFile::class || $writes->get('dumpVersions') !== true) {
            return null;
        }
        // Read before the file is replaced.
        $repository->getPackages();
        $writes->formerFile = $file;
        $writes->formerFilesystem = $writes->get('filesystem');
        $writes->set('file', new DeferredJsonFile($file->getPath(), $writes, $io));
        $writes->set('filesystem', new AtomicFilesystem());

        return $writes;
    }

    private function get(string $name): mixed
    {
        return Internals::of($this->repository, FilesystemRepository::class, $name)[$name] ?? null;
    }

    private function set(string $name, mixed $value): void
    {
        Internals::set($this->repository, FilesystemRepository::class, $name, $value);
    }

    /**
     * Writes what was put off.
     */
    public function flush(): void
    {
        if ($this->pending !== null) {
            $this->write($this->pending);
        }
    }

    private function write(bool $isDev): void
    {
        Guard::out(fn () => $this->repository->write($isDev, $this->composer->getInstallationManager()));
    }

    /**
     * Makes the repository Composer's own again, after a fault of ours, and writes what was put off.
     */
    public function giveUp(): void
    {
        $pending = $this->pending;
        $this->pending = null;
        $this->reveal();
        $this->restore();
        if ($pending !== null) {
            $packages = $this->get('packages');
            $this->set('packages', $packages ?? $this->last);
            $this->write($pending);
            $this->set('packages', $packages);
        }
    }

    /**
     * Has Composer write everything, after a fault of ours in the middle of a write: what that was about to write may
     * be without packages.
     *
     * @param array<mixed> $data
     *
     * @return true it is written
     */
    public function writeInstead(array $data): bool
    {
        $file = $this->get('file');
        $this->pending = null;
        $this->reveal();
        $this->restore();
        $this->write(($data['dev'] ?? false) === true);
        // The write in the middle of which we are knows no paths of packages: it is not to go on with them.
        $this->isGivenUp = true;
        $this->set('dumpVersions', false);
        $this->set('file', $file);

        return true;
    }

    /**
     * Shows the repository its packages again.
     */
    private function reveal(): void
    {
        $hidden = $this->hidden;
        $this->hidden = null;
        if ($hidden !== null) {
            $this->set('packages', $hidden);
        }
    }

    private function restore(): void
    {
        $this->set('dumpVersions', true);
        $this->set('file', $this->formerFile);
        $this->set('filesystem', $this->formerFilesystem);
    }

    /**
     * Keeps Composer's list of unique names up to date, which it would otherwise rebuild for each package.
     */
    public function prime(): void
    {
        $packages = $this->get('packages');
        if (!is_array($packages) || !array_is_list($packages)) {
            return;
        }
        $count = count($packages);
        if ($this->known > $count || ($this->known > 0 && ($this->index[''] ?? null) !== $packages[$this->known - 1])) {
            // Something was removed.
            $this->index = [];
            $this->known = 0;
        }
        for (; $this->known < $count; ++$this->known) {
            $package = $packages[$this->known];
            $this->index[$package->getUniqueName()] = $package;
            // A name that no package has: the last one seen. Packages are only ever appended.
            $this->index[''] = $package;
        }
        $this->set('packageMap', $this->index);
    }

    /**
     * Called when somebody asks for the file's path.
     *
     * @param list<array<string, mixed>> $trace from the caller of getPath() on
     */
    public function beforeWrite(array $trace): void
    {
        if (($trace[0]['class'] ?? '') !== FilesystemRepository::class || ($trace[0]['function'] ?? '') !== 'write') {
            return;
        }
        if ($this->isGivenUp) {
            $this->restore();

            return;
        }
        $perOperation = ($trace[1]['class'] ?? '') === InstallationManager::class
            && str_contains($trace[1]['function'] ?? '', '{closure');
        $defer = $perOperation && ($this->batch->round->hasJobs() || !$this->batch->listeners->any(...self::PACKAGE_EVENTS));
        if ($perOperation && !$defer) {
            $this->batch->directories->makeAll();
        }
        $this->set('dumpVersions', !$defer);
        if ($defer) {
            $this->hidden = $this->get('packages');
            $this->set('packages', []);
        }
    }

    /**
     * Called with what is to be written.
     *
     * @param array<mixed> $data
     *
     * @return bool whether it is put off
     */
    public function putOff(array $data): bool
    {
        if ($this->isGivenUp || $this->hidden === null) {
            $this->pending = null;

            return false;
        }
        $this->set('packages', $this->hidden);
        $this->last = $this->hidden;
        $this->hidden = null;
        $this->pending = ($data['dev'] ?? false) === true;

        return true;
    }

    /**
     * Called when somebody reads the file: a repository that reloads has forgotten its packages by then.
     */
    public function beforeRead(): void
    {
        if ($this->pending === null) {
            return;
        }
        $packages = $this->get('packages');
        $this->set('packages', $this->last);
        $this->flush();
        $this->set('packages', $packages);
    }
}
