<?php

declare(strict_types=1);

namespace Allegro\Plugin\Command;

use Allegro\Plugin\Classes;
use Allegro\Plugin\Guard;
use Allegro\Plugin\Install\DeclinedException;
use Allegro\Plugin\Internals;
use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\EngineFinder;
use Allegro\Plugin\Native\Protocol;
use Allegro\Plugin\Plugin;
use Allegro\Plugin\Resolve\Explanation;
use Allegro\Plugin\Resolve\LockDiff;
use Allegro\Plugin\Resolve\ParentProject;
use Allegro\Plugin\Resolve\ParentRepository;
use Allegro\Plugin\Resolve\PinnedConstraints;
use Allegro\Plugin\Resolve\SecurityOnly;
use Allegro\Plugin\Resolve\SettingException;
use Allegro\Plugin\Resolve\Snapshot;
use Allegro\Plugin\Resolve\Trial;
use Composer\Command\UpdateCommand;
use Composer\Composer;
use Composer\Filter\PlatformRequirementFilter\PlatformRequirementFilterFactory;
use Composer\Installer;
use Composer\IO\IOInterface;
use Composer\IO\NullIO;
use Composer\Json\JsonFile;
use Composer\Package\Locker;
use Seld\JsonLint\ParsingException;
use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * Implements `composer resolve`, a `composer update --no-install` whose versions the native part
 * chooses.
 *
 * The options are those of the running Composer's update, and Composer's Locker writes the lock.
 *
 * @phpstan-import-type Lock from Trial
 * @phpstan-import-type LockDiffFormat from Protocol
 */
final class ResolveCommand extends UpdateCommand
{
    /**
     * The exit code if a package stays affected. Composer's own commands return the same then
     * (`Installer::ERROR_AUDIT_FAILED`).
     */
    public const STILL_AFFECTED = 5;

    /** The exit code of the first update, or null before its end. */
    private ?int $exit = null;

    /**
     * Path and former text of the lock, if Allegro's own options are given.
     *
     * @var array{string, string|false}|null
     */
    private ?array $lock = null;

    /**
     * @param Plugin $plugin
     */
    public function __construct(private readonly object $plugin)
    {
        parent::__construct();
    }

    /**
     * Declares the command with the options of Composer's update and Allegro's own ones.
     */
    protected function configure(): void
    {
        parent::configure();
        $this->setName('resolve')
            ->setAliases([])
            ->setDescription('Updates composer.lock like `composer update`, in the time of an install; installs nothing')
            ->addOption('install', null, InputOption::VALUE_NONE, 'Goes on with the installation, as `composer update` does.')
            ->addOption('diff', null, InputOption::VALUE_OPTIONAL, 'Prints what changes in the lock: text (default), md or json.', false)
            ->addOption('explain', null, InputOption::VALUE_REQUIRED | InputOption::VALUE_IS_ARRAY, 'Says why a package has its version, and what speaks against newer ones.')
            ->addOption('security-only', null, InputOption::VALUE_NONE, 'Moves only what security advisories affect, as little as possible; names and patterns narrow it down.')
            ->setHelp(
                "<info>resolve</info> writes the composer.lock that <info>composer update</info> would write, and takes its options.\n"
                ."Packages are neither downloaded nor installed, unless <info>--install</info> is given.\n\n"
                ."Where it is not certain that the result is Composer's (a plugin that changes the pool, an unusual kind of\n"
                ."repository, a policy that keeps versions out), Composer resolves by itself; <info>-v</info> says why.\n\n"
                ."<info>--security-only</info> takes the lock as it is and moves packages that a security advisory affects to\n"
                ."the lowest newer version that none affects, and others only where nothing else helps. It ends with 5 if a\n"
                ."package stays affected. Advisories that <info>config.audit</info> or <info>config.policy</info> ignore do not count.\n\n"
                ."<info>extra.allegro.exceptions</info> in composer.json holds packages to constraints, as <info>--with</info> does for one run;\n"
                .'<info>extra.allegro.parent</info> names a project whose locked versions are taken for all packages that it has.'
            );
    }

    /**
     * Resolves with the native part, and runs Composer's own update after a fault of Allegro.
     */
    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $this->exit = $this->lock = null;

        return Guard::run(fn (): int => $this->resolve($input, $output), fn (): int => $this->updateInstead($input, $output));
    }

    /**
     * Runs Composer's own update after a fault of Allegro.
     *
     * It refuses options and settings that only Allegro can serve, and writes nothing then.
     */
    private function updateInstead(InputInterface $input, OutputInterface $output): int
    {
        if ($input->getOption('install') !== true) {
            $input->setOption('no-install', true);
        }
        $ours = array_filter(['--security-only', '--diff', '--explain'], static fn (string $option): bool => $input->hasParameterOption($option));
        /** @var array{exceptions?: mixed, parent?: mixed} $extra */
        $extra = $this->composer()->getPackage()->getExtra()['allegro'] ?? [];
        foreach (['exceptions', 'parent'] as $key) {
            if (isset($extra[$key]) && $this->exit === null) {
                $ours[] = 'extra.allegro.'.$key;
            }
        }
        if ($ours === []) {
            return $this->exit ?? (int) parent::execute($input, $output);
        }
        $isAsBefore = $this->exit === null;
        if ($this->lock !== null && $input->getOption('install') !== true) {
            [$path, $text] = $this->lock;
            $isAsBefore = $text === false ? !file_exists($path) || @unlink($path) : @file_put_contents($path, $text) === strlen($text);
        }
        $this->getIO()->writeError(sprintf(
            '<error>Allegro: %s can not be done because of that mistake%s.</error>',
            implode(' and ', $ours),
            $isAsBefore ? '; composer.lock is as it was' : ', the lock is written'
        ), true, IOInterface::QUIET);

        return 1;
    }

    /**
     * Returns the Composer instance of the project, or throws if there is none.
     */
    private function composer(): Composer
    {
        // `requireComposer()` exists since Composer 2.3. The older method throws as well, if it is
        // told that the instance is required.
        // @mago-expect analysis:deprecated-method,nullable-return-statement(2),invalid-return-statement(2)
        return Guard::out(fn (): Composer => method_exists($this, 'requireComposer') ? $this->requireComposer() : $this->getComposer(true));
    }

    /**
     * Runs the command, and prints an error if a setting is not valid.
     */
    private function resolve(InputInterface $input, OutputInterface $output): int
    {
        $session = $this->plugin->session();
        if ($session !== null) {
            $session->beginResolve();
        }
        if ($input->getOption('install') !== true) {
            $input->setOption('no-install', true);
        }
        try {
            return $this->chosen($input, $output);
        } catch (SettingException $e) {
            $this->getIO()->writeError('<error>'.OutputFormatter::escape($e->getMessage()).'</error>', true, IOInterface::QUIET);

            return 1;
        }
    }

    /**
     * Updates the lock, and then prints its changes and the explanations that the options ask for.
     *
     * @throws SettingException
     */
    private function chosen(InputInterface $input, OutputInterface $output): int
    {
        $diff = $this->format($input);
        /** @var list<string> $names */
        $names = $input->getOption('explain');
        $option = $diff !== null ? '--diff' : ($names !== [] ? '--explain' : null);
        $engine = $option === null ? null : $this->engine($input, $option);
        $composer = $this->composer();
        $locker = $composer->getLocker();
        $before = null;
        try {
            /** @var Lock|null $before */
            $before = $diff !== null && $locker->isLocked() ? $locker->getLockData() : null;
        } catch (ParsingException $e) {
            // The lock can't be parsed, and Composer writes another one.
        }
        if ($diff !== null || $names !== [] || $input->getOption('security-only') === true) {
            /** @var JsonFile $file */
            $file = Internals::of($locker, Locker::class)['lockFile'];
            $path = $file->getPath();
            $this->lock = [$path, is_file($path) ? file_get_contents($path) : false];
        }
        $exit = $this->choose($composer, $input, $output);
        if ($engine === null || !in_array($exit, [0, self::STILL_AFFECTED], true) || !$locker->isLocked()) {
            return $exit;
        }
        try {
            if ($diff !== null) {
                /** @var array<string> $gitlabs */
                $gitlabs = $composer->getConfig()->get('gitlab-domains');
                /** @var Lock $after */
                $after = $locker->getLockData();
                $changes = LockDiff::describe($engine, $before, $after, array_values($gitlabs), $diff);
                $output->writeln($changes, OutputInterface::OUTPUT_RAW);
            }
            if ($names !== []) {
                $option = '--explain';
                /** @var list<string>|bool $ignored */
                $ignored = $input->getOption('ignore-platform-reqs') === true ?: ($input->getOption('ignore-platform-req') ?: false);
                $explanation = new Explanation(
                    $composer,
                    $locker->getLockedRepository(isset($locker->getLockData()['packages-dev']))->getPackages(),
                    PlatformRequirementFilterFactory::fromBoolOrList($ignored)
                );
                $output->writeln($explanation->of($engine, $names), OutputInterface::OUTPUT_RAW);
            }
        } catch (EngineException | DeclinedException $e) {
            $this->getIO()->writeError('<error>'.OutputFormatter::escape(sprintf(
                'Allegro: %s can not be done (%s); composer.lock is %s, and "composer allegro:doctor" looks for the cause.',
                $option,
                $e->getMessage(),
                $input->getOption('dry-run') === true ? 'as it was' : 'written'
            )).'</error>', true, IOInterface::QUIET);

            return 1;
        }

        return $exit;
    }

    /**
     * Returns the finder of the native part.
     *
     * ALLEGRO_DISABLE keeps Allegro out of the update, but the options still ask for Allegro.
     */
    private function engines(): EngineFinder
    {
        $session = $this->plugin->session();

        return $session === null ? new EngineFinder(dirname(__DIR__, 3), new NullIO()) : $session->engines();
    }

    /**
     * Returns the native part for an option that can't do without it.
     *
     * It is ready before a package changes, so that an update of the plugin mixes no versions.
     *
     * @throws SettingException if there is no native part
     */
    private function engine(InputInterface $input, string $option): Engine
    {
        try {
            $engine = $this->engines()->demand();
        } catch (EngineException $e) {
            throw new SettingException(sprintf(
                '%s needs the native part of Allegro: %s; leave the option out, or do what "composer allegro:doctor" advises',
                $option,
                $e->getMessage()
            ), 0, $e);
        }
        $engine->warmUp();
        if ($input->getOption('install') === true) {
            Classes::loadAll();
            array_map('class_exists', [LockDiff::class, Explanation::class, Snapshot::class, ParentRepository::class]);
        }

        return $engine;
    }

    /**
     * Returns the format in which the changes of the lock are shown, or null if they are not shown.
     *
     * @return LockDiffFormat|null
     *
     * @throws SettingException
     */
    private function format(InputInterface $input): ?string
    {
        /** @var mixed $diff */
        $diff = $input->getOption('diff');
        if ($diff === false && !$input->hasParameterOption('--diff')) {
            return null;
        }
        // Without a value the option is null. With the consoles of older versions of Composer it
        // has its default.
        $diff = is_string($diff) ? $diff : LockDiff::FORMATS[0];
        if (!in_array($diff, LockDiff::FORMATS, true)) {
            throw new SettingException('--diff='.$diff.' is not known; say --diff, --diff=md or --diff=json');
        }
        if ($diff !== LockDiff::FORMATS[0]) {
            if ($input->getOption('explain') !== []) {
                throw new SettingException('--explain is text: it can not be had together with --diff='.$diff);
            }
            // New versions of Composer print the result of the audit on standard output, where
            // programs read the changes.
            if ($input->hasOption('no-audit')) {
                $input->setOption('no-audit', true);
            }
        }

        return $diff;
    }

    /**
     * Runs Composer's own update, and keeps its exit code if this is the first one.
     */
    private function update(InputInterface $input, OutputInterface $output): int
    {
        $exit = Guard::out(fn (): int => (int) parent::execute($input, $output));
        $this->exit ??= $exit;

        return $exit;
    }

    /**
     * Runs the update with the settings of `extra.allegro` and Allegro's own options.
     *
     * @throws SettingException
     */
    private function choose(Composer $composer, InputInterface $input, OutputInterface $output): int
    {
        $io = $this->getIO();
        $root = $composer->getPackage();
        $update = fn (InputInterface $input, OutputInterface $output): int => $this->update($input, $output);
        $session = $this->plugin->session();
        $resolve = static function () use ($composer, $session, $update, $input, $output): int {
            $resolution = $session === null ? null : $session->resolution($composer);
            $whole = static fn (): int => $update($input, $output);

            return $resolution === null ? $whole() : $resolution->run($whole, $output);
        };
        $isSecurityOnly = $input->getOption('security-only') === true;
        if (!$isSecurityOnly && !is_array($root->getExtra()['allegro'] ?? null)) {
            // Most projects end here, so PHP doesn't even load the classes below.
            return $resolve();
        }
        $exceptions = PinnedConstraints::of($root);
        $parent = ParentProject::of($root);
        if ($parent !== null) {
            $parent->take($composer, $io);
        }
        $trial = new Trial($this, $composer, $io, $input, $update, $session);
        if ($isSecurityOnly) {
            $exit = (new SecurityOnly($composer, $io, $this->engines(), $trial, $exceptions, $this->policies($composer, $input)))->run($input, $resolve);
        } else {
            $exceptions->hold($input, $io);
            $exit = $resolve();
        }
        if ($exit === Installer::ERROR_DEPENDENCY_RESOLUTION_FAILED) {
            if ($parent !== null) {
                $parent->tellConflict($root, $exceptions->constraints(), $io);
            }
        } elseif (in_array($exit, [0, self::STILL_AFFECTED], true) && $composer->getLocker()->isLocked()) {
            /** @var Lock $lock */
            $lock = $composer->getLocker()->getLockData();
            $locked = Trial::entries($lock);
            if (!$isSecurityOnly) {
                $exceptions->tellUnneeded($trial, $locked, $input, $composer, $io);
            }
            if ($parent !== null) {
                $parent->tell($locked, $io);
            }
        }

        return $exit;
    }

    /**
     * Returns a closure that gives an Installer the policies of the options and the configuration,
     * as the update does.
     *
     * @return \Closure(Installer): void
     */
    private function policies(Composer $composer, InputInterface $input): \Closure
    {
        return function (Installer $installer) use ($composer, $input): void {
            if (method_exists($installer, 'setPolicyConfig')) {
                // @mago-expect analysis:non-existent-method Composer with policies has it.
                $installer->setPolicyConfig($this->createPolicyConfig($composer->getConfig(), $input));
            } elseif (method_exists($installer, 'setAuditConfig')) {
                // Composer 2.9 has this method.
                // @mago-expect analysis:non-existent-method Composer 2.9 has it.
                $installer->setAuditConfig($this->createAuditConfig($composer->getConfig(), $input));
            }
        };
    }
}
