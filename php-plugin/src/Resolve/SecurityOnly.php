<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Command\ResolveCommand;
use Allegro\Plugin\Install\DeclinedException;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\EngineFinder;
use Allegro\Plugin\Native\Protocol;
use Composer\Advisory\SecurityAdvisory;
use Composer\Composer;
use Composer\IO\IOInterface;
use Composer\Package\AliasPackage;
use Composer\Package\BasePackage;
use Composer\Package\PackageInterface;
use Composer\Repository\RepositoryInterface;
use Composer\Semver\VersionParser;
use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Console\Input\InputInterface;

/**
 * Carries out `--security-only`: moves the packages that security advisories affect, and other
 * packages only as far as that needs it.
 *
 * The result of the search is a partial update with pinned versions, which Composer carries out
 * like any other.
 *
 * @phpstan-import-type Lock from Trial
 * @phpstan-import-type LockedPackage from ParentFiles
 * @phpstan-import-type MendPlan from Protocol
 */
final class SecurityOnly
{
    /** Options that contradict this one, because they decide which packages move or how far. */
    private const CONTRARY = ['lock', 'interactive', 'root-reqs', 'with', 'with-dependencies', 'with-all-dependencies', 'prefer-lowest', 'patch-only'];

    /** @var array<string, PackageInterface> locked packages by name */
    private array $locked = [];

    /** @var array<string, list<SecurityAdvisory>> advisories by name of the affected package */
    private array $affected = [];

    /**
     * The reason to tell for each affected package if it stays affected, by name.
     *
     * @var array<string, string>
     */
    private array $reasons = [];

    /**
     * @param \Closure(\Composer\Installer): void $policies gives an Installer the policies of the command
     */
    public function __construct(
        private readonly Composer $composer,
        private readonly IOInterface $io,
        private readonly EngineFinder $engines,
        private readonly Trial $trial,
        private readonly PinnedConstraints $exceptions,
        private readonly \Closure $policies,
    ) {
    }

    /**
     * Mends the affected packages and reports the result. Returns the exit code.
     *
     * @param callable(): int $update runs the update that the input describes at that time
     *
     * @throws SettingException
     */
    public function run(InputInterface $input, callable $update): int
    {
        $this->refuseContrary($input);
        $this->readLock();
        /** @var list<string> $packages */
        $packages = $input->getArgument('packages');
        $asked = $this->asked($packages);
        $repositories = $this->composer->getRepositoryManager()->getRepositories();
        $advisories = new Advisories($repositories, $this->composer->getConfig());
        $advisories->load(array_keys($this->locked));
        $elsewhere = 0;
        foreach ($this->locked as $name => $package) {
            $against = $advisories->against($name, $package->getVersion());
            if ($against !== [] && !isset($asked[$name])) {
                ++$elsewhere;
            } elseif ($against !== []) {
                $this->affected[$name] = $against;
            }
        }
        if ($elsewhere > 0) {
            $this->io->writeError('<warning>Allegro: beside those that were named, '.self::count($elsewhere).' affected by security advisories</warning>');
        }
        if ($this->affected === []) {
            $this->io->writeError('Allegro: no security advisory affects '.($input->getArgument('packages') === [] ? 'what is locked' : 'the packages that were named').', the lock stays as it is');

            return 0;
        }
        $this->exceptions->tell($this->io);
        $plan = $this->plan($advisories, $repositories, self::hasPolicies($input));
        /** @var array<string, string> $reasons */
        $reasons = array_column($plan['reasons'], 1, 0);
        $this->reasons = $reasons;
        $after = null;
        if ($plan['packages'] !== []) {
            $input->setArgument('packages', $plan['packages']);
            $input->setOption('with', $plan['with']);
            $exit = $update();
            if ($exit !== 0) {
                return $exit;
            }
            /** @var Lock $lock */
            $lock = $this->composer->getLocker()->getLockData();
            $after = Trial::entries($lock);
        }

        return $this->report($after, $advisories);
    }

    /**
     * Returns the update that mends as many packages as possible.
     *
     * @param array<RepositoryInterface> $repositories
     *
     * @throws SettingException
     *
     * @return MendPlan
     */
    private function plan(Advisories $advisories, array $repositories, bool $hasPolicies): array
    {
        // The closure gets lists of packages.
        // @mago-expect analysis:template-constraint-violation,possibly-invalid-argument
        $allow = fn (array $packages): array => Policies::allowed($packages, $this->composer, $this->policies);
        try {
            $mending = new Mending($this->engines->demand(), $this->composer->getPackage(), $this->locked, $advisories, $this->trial, $allow);

            return $mending->plan(array_keys($this->affected), $repositories, $this->exceptions->constraints(), $hasPolicies);
        } catch (DeclinedException | EngineException $e) {
            throw new SettingException(sprintf(
                '--security-only needs the native part of Allegro: %s; do what "composer allegro:doctor" advises, composer.lock is as it was',
                $e->getMessage()
            ), 0, $e);
        }
    }

    private function refuseContrary(InputInterface $input): void
    {
        foreach (self::CONTRARY as $option) {
            if ($input->hasOption($option) && !in_array($input->getOption($option), [false, null, []], true)) {
                throw new SettingException('--security-only decides by itself which packages move and how far: it can not be had together with --'.$option.'.');
            }
        }
        /** @var list<string> $packages */
        $packages = $input->getArgument('packages');
        foreach ($packages as $name) {
            if (preg_match('{[ =:]}', $name) === 1 || in_array($name, ['lock', 'nothing', 'mirrors'], true)) {
                throw new SettingException('--security-only takes names and patterns of packages, not "'.$name.'": it decides by itself how far they move.');
            }
        }
    }

    private function readLock(): void
    {
        $locker = $this->composer->getLocker();
        if (!$locker->isLocked()) {
            throw new SettingException('--security-only needs a composer.lock, and there is none. Run `composer resolve` first.');
        }
        if (!$locker->isFresh()) {
            $this->io->writeError('<warning>Allegro: composer.lock is not up to date with composer.json; what it lacks may keep packages from being mended</warning>');
        }
        foreach ($locker->getLockedRepository(isset($locker->getLockData()['packages-dev']))->getPackages() as $package) {
            if (!$package instanceof AliasPackage) {
                $this->locked[$package->getName()] = $package;
            }
        }
    }

    /**
     * Returns the locked packages that match a pattern, or all of them without patterns.
     *
     * @param list<string> $patterns
     *
     * @return array<string, mixed> by name
     */
    private function asked(array $patterns): array
    {
        $asked = $patterns === [] ? $this->locked : [];
        foreach ($patterns as $pattern) {
            $found = array_filter($this->locked, static fn (PackageInterface $package): bool => preg_match(BasePackage::packageNameToRegexp($pattern), $package->getName()) === 1);
            if ($found === []) {
                throw new SettingException('Nothing that is locked answers to "'.$pattern.'".');
            }
            $asked += $found;
        }

        return $asked;
    }

    /**
     * Reports the affected packages, and returns the exit code.
     *
     * @param array<string, LockedPackage>|null $after entries of the new lock by name; null if nothing changed
     */
    private function report(?array $after, Advisories $advisories): int
    {
        $parser = new VersionParser();
        $this->io->writeError('Allegro: '.self::count(count($this->affected)).' affected by security advisories');
        $left = 0;
        foreach ($this->affected as $name => $against) {
            $entry = $after === null ? [] : $after[$name] ?? null;
            $version = $entry === null ? null : $entry['version'] ?? $this->locked[$name]->getPrettyVersion();
            $isMended = $version === null || $advisories->against($name, $parser->normalize($version)) === [];
            $left += $isMended ? 0 : 1;
            $this->io->writeError(sprintf(
                '  - <info>%s</info> %s',
                $name,
                $isMended
                    ? $this->move($name, $version)
                    : '<comment>'.OutputFormatter::escape($this->locked[$name]->getPrettyVersion().' is not mended: '.$this->reasons[$name]).'</comment>'
            ));
            foreach ($against as $advisory) {
                foreach (Advisories::lines($advisory) as $line) {
                    $this->io->writeError('      '.$line);
                }
            }
        }
        $this->reportOthers($after ?? []);
        if ($left > 0) {
            $this->io->writeError('<error>Allegro: '.self::count($left).' still affected</error>');
        }

        return $left > 0 ? ResolveCommand::STILL_AFFECTED : 0;
    }

    /**
     * Returns whether the running Composer has policies, and an option that turns them off.
     */
    private static function hasPolicies(InputInterface $input): bool
    {
        return $input->hasOption('no-blocking') || $input->hasOption('no-security-blocking');
    }

    /**
     * Reports the packages that had to move along with the affected ones.
     *
     * @param array<string, LockedPackage> $after
     */
    private function reportOthers(array $after): void
    {
        foreach ($after === [] ? [] : $after + $this->locked as $name => $any) {
            if (isset($this->affected[$name])) {
                continue;
            }
            $old = isset($this->locked[$name]) ? $this->locked[$name]->getPrettyVersion() : null;
            $new = $after[$name]['version'] ?? null;
            if ($old === null) {
                $this->io->writeError('  - '.$name.' '.(string) $new.' comes with them');
            } elseif ($old !== $new) {
                $this->io->writeError('  - '.$name.' '.$this->move($name, $new).' along with them');
            }
        }
    }

    private function move(string $name, ?string $version): string
    {
        $old = $this->locked[$name]->getPrettyVersion();

        return $version === null ? $old.' goes' : $old.' → '.$version;
    }

    private static function count(int $count): string
    {
        return $count === 1 ? '1 package is' : $count.' packages are';
    }
}
