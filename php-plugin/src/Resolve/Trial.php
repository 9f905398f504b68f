<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Internals;
use Allegro\Plugin\Session;
use Composer\Command\BaseCommand;
use Composer\Composer;
use Composer\EventDispatcher\EventDispatcher;
use Composer\Installer;
use Composer\IO\IOInterface;
use Composer\IO\NullIO;
use Composer\Package\RootPackageInterface;
use Composer\Plugin\PluginEvents;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\NullOutput;

/**
 * Runs the command's own update to find the versions that other options would give. A trial writes
 * nothing, prints nothing and keeps nothing.
 *
 * A trial is a dry run on copies of everything that an update changes: the lock, the project's
 * package and the list of repositories. So options have the meaning that the running Composer gives
 * them.
 *
 * @phpstan-import-type LockedPackage from ParentFiles
 *
 * @phpstan-type Lock array{
 *     packages?: list<LockedPackage>,
 *     'packages-dev'?: list<LockedPackage>|null,
 *     ...
 * }
 */
final class Trial
{
    /** The project's package, before an update adds the constraints of options to it. */
    private readonly RootPackageInterface $root;

    /**
     * @param \Closure(InputInterface, \Symfony\Component\Console\Output\OutputInterface): int $update
     * @param Session|null                                                                    $session
     */
    public function __construct(
        private readonly BaseCommand $command,
        private readonly Composer $composer,
        private readonly IOInterface $io,
        private readonly InputInterface $input,
        private readonly \Closure $update,
        private readonly ?object $session,
    ) {
        $this->root = clone $composer->getPackage();
    }

    /**
     * Runs the update with other options.
     *
     * @param array<string, mixed> $options  options that differ from the run's own
     * @param list<string>         $packages packages to update; empty for all of them
     *
     * @return array<string, LockedPackage>|null entries of the lock by name; null if there is no solution
     */
    public function run(array $options, array $packages = []): ?array
    {
        $input = clone $this->input;
        /** @var mixed $value */
        foreach (['dry-run' => true, 'no-install' => true, 'no-audit' => true, 'bump-after-update' => false] + $options as $name => $value) {
            if ($input->hasOption($name)) {
                $input->setOption($name, $value);
            }
        }
        $input->setArgument('packages', $packages);
        $copy = $this->copy(($options['prefer-lowest'] ?? false) === true);
        $this->command->setComposer($copy);
        $this->command->setIO(new NullIO());
        try {
            $output = new NullOutput();
            $update = fn (): int => ($this->update)($input, $output);
            $resolution = $this->session === null ? null : $this->session->resolution($this->composer, $copy);
            $exit = $resolution === null ? $update() : $resolution->run($update, $output);
        } finally {
            $this->command->setComposer($this->composer);
            $this->command->setIO($this->io);
        }
        if ($exit === Installer::ERROR_DEPENDENCY_RESOLUTION_FAILED) {
            return null;
        }
        if ($exit !== 0) {
            throw new SettingException('Another choice of versions can not be tried: it ends with code '.$exit.'.');
        }

        /** @var Lock $lock */
        $lock = $copy->getLocker()->getLockData();

        return self::entries($lock);
    }

    /**
     * Returns the entries of a lock by name.
     *
     * @param Lock $lock
     *
     * @return array<string, LockedPackage>
     */
    public static function entries(array $lock): array
    {
        $entries = [];
        foreach (array_merge($lock['packages'] ?? [], $lock['packages-dev'] ?? []) as $entry) {
            $entries[strtolower($entry['name'])] = $entry;
        }

        return $entries;
    }

    private function copy(bool $lowest): Composer
    {
        $copy = clone $this->composer;
        $copy->setPackage(clone $this->root);
        // Otherwise Composer would prefer a stable version to a lower one that is locked.
        if ($lowest) {
            $copy->getPackage()->setPreferStable(false);
        }
        // Composer ends a dry run with an error if it would bump a requirement.
        $config = clone $this->composer->getConfig();
        $config->merge(['config' => ['bump-after-update' => false]]);
        $copy->setConfig($config);
        $copy->setLocker(clone $this->composer->getLocker());
        $copy->setRepositoryManager(clone $this->composer->getRepositoryManager());
        // A trial is no command of its own, so listeners to commands must not hear of it.
        $dispatcher = clone $this->composer->getEventDispatcher();
        /** @var array<string, mixed> $listeners */
        $listeners = Internals::of($dispatcher, EventDispatcher::class, 'listeners')['listeners'];
        unset($listeners[PluginEvents::COMMAND]);
        Internals::set($dispatcher, EventDispatcher::class, 'listeners', $listeners);
        $copy->setEventDispatcher($dispatcher);

        return $copy;
    }
}
