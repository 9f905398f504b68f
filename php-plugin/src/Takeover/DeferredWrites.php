<?php

declare(strict_types=1);

namespace Allegro\Plugin\Takeover;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Install\Batch;
use Allegro\Plugin\Internals;
use Composer\Composer;
use Composer\Installer\InstallationManager;
use Composer\Installer\PackageEvents;
use Composer\IO\IOInterface;
use Composer\Json\JsonFile;
use Composer\Package\PackageInterface;
use Composer\Repository\FilesystemRepository;
use Composer\Repository\InstalledFilesystemRepository;
use Composer\Util\Filesystem;

/**
 * Writes the installed packages once at the end of the operations, instead of after each of them.
 *
 * Each write dumps every package, which costs minutes at 1,500 packages. It is put off as long as
 * nobody can see the difference. Package event listeners, plugins that are activated in the run,
 * and the end of the operations find everything written.
 *
 * In a fresh clone the plugin starts in the middle of a run. The run has bound its repository
 * already, which can't be replaced. So the repository stays Composer's own, and only its file is
 * Allegro's.
 *
 * The repository's write() asks the file for its path first and hands it the result last (Composer
 * 2.2 to 2.11). In between, the repository is shown no packages when the write is put off. A
 * repository that is built in another way is left alone, which is slower but never wrong.
 */
final class DeferredWrites
{
    /** Events between operations. Their listeners may look at the recorded packages. */
    public const PACKAGE_EVENTS = [
        PackageEvents::PRE_PACKAGE_INSTALL,
        PackageEvents::POST_PACKAGE_INSTALL,
        PackageEvents::PRE_PACKAGE_UPDATE,
        PackageEvents::POST_PACKAGE_UPDATE,
        PackageEvents::PRE_PACKAGE_UNINSTALL,
        PackageEvents::POST_PACKAGE_UNINSTALL,
    ];

    /** Whether the repository becomes Composer's own again with the next write, after a fault. */
    private bool $isGivenUp = false;

    /** Composer's file, which is put back after a fault. */
    private ?JsonFile $formerFile = null;

    /** Composer's Filesystem, which is put back after a fault. */
    private ?Filesystem $formerFilesystem = null;

    /** The dev mode of the write that was put off, or null if none was. */
    private ?bool $pending = null;

    /**
     * The packages, while the repository is shown none.
     *
     * @var array<PackageInterface>|null
     */
    private ?array $hidden = null;

    /**
     * The packages at the last write that was put off.
     *
     * @var array<PackageInterface>
     */
    private array $last = [];

    /**
     * The first `$known` packages, by their unique names.
     *
     * @var array<string, PackageInterface>
     */
    private array $index = [];

    /** The number of packages that `$index` holds. */
    private int $known = 0;

    private function __construct(
        private readonly InstalledFilesystemRepository $repository,
        private readonly Composer $composer,
        private Batch $batch,
    ) {
    }

    /**
     * Takes over the writes of a repository.
     *
     * @return self|null null if the repository is not as Composer makes it
     */
    public static function over(object $repository, Composer $composer, Batch $batch, IOInterface $io): ?self
    {
        // A subclass of another plugin is left alone, because only that plugin knows the overridden
        // methods.
        if (get_class($repository) !== InstalledFilesystemRepository::class) {
            return null;
        }
        if (Internals::missing('record') !== null) {
            return null;
        }
        /** @var InstalledFilesystemRepository $repository */
        $writes = new self($repository, $composer, $batch);
        /** @var mixed $file */
        $file = $writes->get('file');
        if ($file instanceof DeferredJsonFile) {
            // The run has updated the plugin. The file of the former instance goes on with the new
            // batch.
            $file->writes()->batch = $batch;

            return $file->writes();
        }
        if (!$file instanceof JsonFile || get_class($file) !== JsonFile::class || $writes->get('dumpVersions') !== true) {
            return null;
        }
        // The repository reads its packages before the file is replaced.
        $repository->getPackages();
        $writes->formerFile = $file;
        /** @var Filesystem $filesystem */
        $filesystem = $writes->get('filesystem');
        $writes->formerFilesystem = $filesystem;
        $writes->set('file', new DeferredJsonFile($file->getPath(), $writes, $io));
        $writes->set('filesystem', new AtomicFilesystem());

        return $writes;
    }

    /**
     * Returns a property of the repository.
     */
    private function get(string $name): mixed
    {
        return Internals::of($this->repository, FilesystemRepository::class, $name)[$name] ?? null;
    }

    /**
     * Sets a property of the repository.
     */
    private function set(string $name, mixed $value): void
    {
        Internals::set($this->repository, FilesystemRepository::class, $name, $value);
    }

    /**
     * Writes the packages if a write was put off.
     */
    public function flush(): void
    {
        if ($this->pending !== null) {
            $this->write($this->pending);
        }
    }

    /**
     * Has the repository write all packages.
     */
    private function write(bool $isDev): void
    {
        Guard::out(fn () => $this->repository->write($isDev, $this->composer->getInstallationManager()));
    }

    /**
     * Makes the repository Composer's own again, after a fault of Allegro. A write that was put off
     * is done.
     */
    public function giveUp(): void
    {
        $pending = $this->pending;
        $this->pending = null;
        $this->reveal();
        $this->restore();
        if ($pending !== null) {
            /** @var array<PackageInterface>|null $packages */
            $packages = $this->get('packages');
            $this->set('packages', $packages ?? $this->last);
            $this->write($pending);
            $this->set('packages', $packages);
        }
    }

    /**
     * Has Composer write everything, after a fault of Allegro in the middle of a write.
     *
     * The interrupted write may have no packages in it.
     *
     * @param array<mixed> $data
     *
     * @return true it is written
     */
    public function writeInstead(array $data): bool
    {
        /** @var JsonFile $file */
        $file = $this->get('file');
        $this->pending = null;
        $this->reveal();
        $this->restore();
        $this->write(($data['dev'] ?? false) === true);
        // The interrupted write goes on after this. It knows no paths of packages, so it must not
        // dump the versions.
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

    /**
     * Puts Composer's file and Filesystem back.
     */
    private function restore(): void
    {
        $this->set('dumpVersions', true);
        $this->set('file', $this->formerFile);
        $this->set('filesystem', $this->formerFilesystem);
    }

    /**
     * Keeps Composer's map of unique names up to date, which Composer would otherwise rebuild for
     * each package.
     */
    public function prime(): void
    {
        /** @var array<PackageInterface>|null $packages */
        $packages = $this->get('packages');
        if (!is_array($packages) || !array_is_list($packages)) {
            return;
        }
        $count = count($packages);
        // mago takes `$count` for 0.
        // @mago-expect analysis:redundant-comparison(2),redundant-logical-operation(2)
        if ($this->known > $count || ($this->known > 0 && ($this->index[''] ?? null) !== $packages[$this->known - 1])) {
            // A package was removed, so the index is built anew.
            $this->index = [];
            $this->known = 0;
        }
        for (; $this->known < $count; ++$this->known) {
            $package = $packages[$this->known];
            $this->index[$package->getUniqueName()] = $package;
            // No package has an empty name. It marks the last package seen, because packages are
            // only ever appended.
            $this->index[''] = $package;
        }
        $this->set('packageMap', $this->index);
    }

    /**
     * Decides whether a write is put off. The file calls this when it is asked for its path.
     *
     * @param list<array{function: string, class?: class-string, ...}> $trace from the caller of getPath() on
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
            /** @var array<PackageInterface>|null $packages */
            $packages = $this->get('packages');
            $this->hidden = $packages;
            $this->set('packages', []);
        }
    }

    /**
     * Puts a write off if {@see beforeWrite()} has decided so. The file calls this with the data
     * that it is to write.
     *
     * @param array<mixed> $data
     *
     * @return bool whether it is put off
     */
    public function putOff(array $data): bool
    {
        $hidden = $this->hidden;
        if ($this->isGivenUp || $hidden === null) {
            $this->pending = null;

            return false;
        }
        $this->set('packages', $hidden);
        $this->last = $hidden;
        $this->hidden = null;
        $this->pending = ($data['dev'] ?? false) === true;

        return true;
    }

    /**
     * Writes the packages if a write was put off. The file calls this before it is read.
     *
     * A repository that reloads has forgotten its packages by then.
     */
    public function beforeRead(): void
    {
        if ($this->pending === null) {
            return;
        }
        /** @var array<PackageInterface>|null $packages */
        $packages = $this->get('packages');
        $this->set('packages', $this->last);
        $this->flush();
        $this->set('packages', $packages);
    }
}
