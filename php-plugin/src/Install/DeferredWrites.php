<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Internals;
use Composer\Composer;
use Composer\Installer\InstallationManager;
use Composer\Installer\PackageEvents;
use Composer\IO\IOInterface;
use Composer\Json\JsonFile;
use Composer\Repository\FilesystemRepository;
use Composer\Repository\InstalledFilesystemRepository;

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
            $this->repository->write($this->pending, $this->composer->getInstallationManager());
        }
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
        $perOperation = ($trace[1]['class'] ?? '') === InstallationManager::class
            && str_contains($trace[1]['function'] ?? '', '{closure');
        $defer = $perOperation && ($this->batch->hasWork() || !$this->batch->hasListeners(...self::PACKAGE_EVENTS));
        if ($perOperation && !$defer) {
            $this->batch->makeDirectories();
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
        if ($this->hidden === null) {
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
