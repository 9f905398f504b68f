<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Command\ResolveCommand;
use Composer\Advisory\SecurityAdvisory;
use Composer\Composer;
use Composer\IO\IOInterface;
use Composer\Package\AliasPackage;
use Composer\Package\BasePackage;
use Composer\Package\PackageInterface;
use Composer\Semver\Constraint\Constraint;
use Composer\Semver\VersionParser;
use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Console\Input\InputInterface;

/**
 * `--security-only`: what security advisories affect moves, as little as possible, and nothing else.
 *
 * The outcome is a partial update with pinned versions, which Composer carries out like any other.
 */
final class SecurityOnly
{
    /** Options that say otherwise which packages move, or how far. */
    private const CONTRARY = ['lock', 'interactive', 'root-reqs', 'with', 'with-dependencies', 'with-all-dependencies', 'prefer-lowest', 'patch-only'];

    /** @var array<string, PackageInterface> by name */
    private array $locked = [];

    /** @var array<string, list<SecurityAdvisory>> by name of those that are affected */
    private array $affected = [];

    /** @var array<string, string> why those that can't be mended can't, as far as that is known at once */
    private array $reasons = [];

    /** @var array<string, PackageInterface> versions against which nothing was found before they were tried, by name */
    private array $tried = [];

    /**
     * @param \Closure(\Composer\Installer): void $policies gives an Installer the policies of the command
     */
    public function __construct(
        private readonly Composer $composer,
        private readonly IOInterface $io,
        private readonly Trial $trial,
        private readonly PinnedConstraints $exceptions,
        private readonly \Closure $policies,
    ) {
    }

    /**
     * @param callable(): int $update carries out what is in the input then
     *
     * @throws SettingException
     */
    public function run(InputInterface $input, callable $update): int
    {
        $this->refuseContrary($input);
        $this->readLock();
        $asked = $this->asked($input->getArgument('packages'));
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
        $mending = new Mending($this->composer->getPackage(), $this->locked, $advisories, $this->trial, $this->exceptions->constraints());
        $allow = fn (array $packages): array => Policies::allowed($packages, $this->composer, $this->policies);
        foreach (array_keys($this->affected) as $name) {
            $this->reason($name, $mending->candidates($name, $repositories, $allow), $mending->refused($name));
        }
        [$names, $constraints] = $mending->plan(array_keys($this->affected));
        foreach (self::hasPolicies($input) ? $this->tried : [] as $name => $version) {
            if ($mending->isHeldByPolicies($name)) {
                $this->reasons[$name] = $version->getPrettyVersion().' would do, but policies of this project (config.policy) keep out what it needs';
            }
        }
        $after = null;
        if ($names !== []) {
            $input->setArgument('packages', $names);
            $input->setOption('with', $constraints);
            $exit = $update();
            if ($exit !== 0) {
                return $exit;
            }
            $after = Trial::entries($this->composer->getLocker()->getLockData());
        }

        return $this->report($after, $advisories);
    }

    private function refuseContrary(InputInterface $input): void
    {
        foreach (self::CONTRARY as $option) {
            if ($input->hasOption($option) && !in_array($input->getOption($option), [false, null, []], true)) {
                throw new SettingException('--security-only decides by itself which packages move and how far: it can not be had together with --'.$option.'.');
            }
        }
        foreach ($input->getArgument('packages') as $name) {
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
     * @param list<PackageInterface> $candidates
     * @param PackageInterface|null  $refused    the lowest version that would do if no policy kept it out
     */
    private function reason(string $name, array $candidates, ?PackageInterface $refused): void
    {
        if ($this->locked[$name]->isDev()) {
            $this->reasons[$name] = 'a branch is locked; its newest commit comes with `composer resolve '.$name.'`';

            return;
        }
        if ($candidates === [] && $refused !== null) {
            $this->reasons[$name] = $refused->getPrettyVersion().' would do, but a policy of this project keeps it out (config.policy)';

            return;
        }
        if ($candidates === []) {
            $parent = ParentRepository::labelOf($name, $this->composer->getRepositoryManager()->getRepositories());
            $this->reasons[$name] = $parent === null
                ? 'the repositories have no newer version that is not affected'
                : 'its version is that of '.$parent.', mend it there first';

            return;
        }
        // The one to be told, should it turn out that the package can't be moved.
        $version = $candidates[0];
        $constraint = new Constraint('==', $version->getVersion());
        $owners = ['composer.json' => $this->composer->getPackage()];
        foreach ($this->locked as $package) {
            $owners[$package->getName().' '.$package->getPrettyVersion()] = $package;
        }
        foreach ($owners as $owner => $package) {
            $links = $package === $owners['composer.json'] ? array_merge($package->getRequires(), $package->getDevRequires()) : $package->getRequires();
            foreach ($links as $link) {
                if ($link->getTarget() === $name && !$link->getConstraint()->matches($constraint)) {
                    $this->reasons[$name] = sprintf('%s would do, but %s requires %s', $version->getPrettyVersion(), $owner, $link->getPrettyConstraint());

                    return;
                }
            }
        }
        $this->tried[$name] = $version;
        $this->reasons[$name] = sprintf('%1$s would do, but can not be had here (composer why-not %2$s %1$s)', $version->getPrettyVersion(), $name);
    }

    /**
     * @param array<string, array<string, mixed>>|null $after entries of the new lock by name; null if it is the old one
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
     * Tells whether the running Composer has policies, and an option to do without them.
     */
    private static function hasPolicies(InputInterface $input): bool
    {
        return $input->hasOption('no-blocking') || $input->hasOption('no-security-blocking');
    }

    /**
     * Packages that had to move along.
     *
     * @param array<string, array<string, mixed>> $after
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
                $this->io->writeError('  - '.$name.' '.$new.' comes with them');
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
