<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Io\ShortList;
use Composer\Composer;
use Composer\IO\IOInterface;
use Composer\Package\AliasPackage;
use Composer\Package\BasePackage;
use Composer\Package\CompleteAliasPackage;
use Composer\Package\CompletePackage;
use Composer\Package\Loader\ArrayLoader;
use Composer\Package\PackageInterface;
use Composer\Package\RootPackageInterface;
use Composer\Semver\Constraint\Constraint;
use Composer\Semver\Constraint\ConstraintInterface;
use Composer\Semver\VersionParser;
use Symfony\Component\Console\Formatter\OutputFormatter;

/**
 * Another project whose locked versions are used for every package that it has
 * (`extra.allegro.parent`).
 */
final class ParentProject
{
    /**
     * Entries of the parent's lock by name, with paths changed for this project's lock.
     *
     * @var array<string, array<string, mixed>>
     */
    private array $entries = [];

    /**
     * Root aliases of the parent's lock.
     *
     * @var list<array{package: string, version: string, alias: string, alias_normalized: string}>
     */
    private array $aliases = [];

    /**
     * Packages of the parent's lock, each followed by its aliases, by name.
     *
     * @var array<string, list<PackageInterface>>
     */
    private array $packages = [];

    private function __construct(private readonly ParentFiles $files, bool $withDev)
    {
        $lock = $files->lock();
        if ($withDev && !is_array($lock['packages-dev'] ?? null)) {
            throw new SettingException($files->lockLabel().' has no packages-dev, which extra.allegro.parent.require-dev asks for: run `composer update` there.');
        }
        foreach (array_merge($lock['packages'], $withDev ? $lock['packages-dev'] : []) as $entry) {
            $this->add($entry);
        }
        foreach ($lock['aliases'] ?? [] as $alias) {
            $base = $this->packages[$alias['package'] ?? ''][0] ?? null;
            if ($base instanceof CompletePackage) {
                $package = new CompleteAliasPackage($base, $alias['alias_normalized'], $alias['alias']);
                $package->setRootPackageAlias(true);
                $this->packages[$base->getName()][] = $package;
                $this->aliases[] = $alias;
            }
        }
    }

    /**
     * Returns the parent of a project; null if the project names none.
     *
     * @throws SettingException if the setting is invalid or the parent's lock unusable
     */
    public static function of(RootPackageInterface $root): ?self
    {
        $allegro = $root->getExtra()['allegro'] ?? null;
        $setting = is_array($allegro) ? $allegro['parent'] ?? null : null;
        if ($setting === null) {
            return null;
        }

        return new self(ParentFiles::of($setting), is_array($setting) && ($setting['require-dev'] ?? false));
    }

    /**
     * Adds an entry of the parent's lock. Paths of path repositories are changed to paths seen
     * from this project.
     *
     * @throws SettingException
     */
    private function add(mixed $entry): void
    {
        try {
            if (!is_array($entry)) {
                throw new \UnexpectedValueException('an entry is no object');
            }
            $package = (new ArrayLoader(null, true))->load($entry);
        } catch (\UnexpectedValueException $e) {
            throw new SettingException($this->files->lockLabel().' holds a package that can not be read: '.$e->getMessage().'. Run `composer update` there.', 0, $e);
        }
        $base = $package instanceof AliasPackage ? $package->getAliasOf() : $package;
        $url = $base->getDistUrl();
        if ($base instanceof CompletePackage && $url !== null && ($moved = $this->files->seenFromHere($url)) !== null) {
            $base->setDistUrl($moved);
            $entry['dist']['url'] = $moved;
        }
        $this->entries[$base->getName()] = $entry;
        $this->packages[$base->getName()] = $package === $base ? [$base] : [$base, $package];
    }

    /**
     * Restricts this run of Composer to the parent's versions of the packages that the parent has.
     *
     * @throws SettingException if the project requires another commit of a package
     */
    public function take(Composer $composer, IOInterface $io): void
    {
        if (!$this->files->isFresh()) {
            $io->writeError('<warning>Allegro: '.OutputFormatter::escape($this->files->lockLabel()).' is not up to date with its composer.json; run `composer update --lock` or `composer resolve` there</warning>');
        }
        $root = $composer->getPackage();
        $this->adoptStabilities($root);
        $this->adoptAliases($root);
        $this->adoptReferences($root);
        $composer->getRepositoryManager()->prependRepository(
            new ParentRepository($this->packages === [] ? [] : array_merge(...array_values($this->packages)), $this->files->label())
        );
    }

    /**
     * Accepts the branches and pre-releases that the parent has, for an install from the lock as
     * well. The effect is that of a requirement with a stability flag such as `@dev`.
     */
    private function adoptStabilities(RootPackageInterface $root): void
    {
        $flags = $root->getStabilityFlags();
        $least = BasePackage::$stabilities[$root->getMinimumStability()];
        foreach ($this->packages as $name => $packages) {
            $stability = BasePackage::$stabilities[$packages[0]->getStability()];
            if ($stability > ($flags[$name] ?? $least)) {
                $flags[$name] = $stability;
            }
        }
        $root->setStabilityFlags($flags);
    }

    /**
     * Adopts the root aliases of the parent (`dev-main as 1.0.0`). Other packages of its lock
     * depend on them, and our lock must name them for an install.
     */
    private function adoptAliases(RootPackageInterface $root): void
    {
        $own = $root->getAliases();
        $known = array_map(static fn (array $alias): array => [$alias['package'], $alias['alias_normalized']], $own);
        $adopted = [];
        foreach ($this->aliases as $alias) {
            if (!in_array([$alias['package'], $alias['alias_normalized']], $known, true)) {
                // In the lock, the version of a default branch is 9999999-dev.
                $adopted[] = ['version' => $this->packages[$alias['package']][0]->getVersion()] + $alias;
            }
        }
        // Of two aliases for one branch, Composer's last one counts. The parent's aliases exist as
        // packages anyway.
        $root->setAliases(array_merge($adopted, $own));
    }

    /**
     * Drops commits that the project requires (`dev-main#abc`), because they would replace the
     * parent's. A different commit is an error.
     */
    private function adoptReferences(RootPackageInterface $root): void
    {
        $references = $root->getReferences();
        foreach (array_intersect_key($references, $this->packages) as $name => $reference) {
            $package = $this->packages[$name][0];
            $theirs = $package->getSourceReference() ?? $package->getDistReference() ?? '';
            if (!str_starts_with($theirs, $reference)) {
                throw new SettingException(sprintf(
                    'composer.json requires %s at #%s, and %s has it at #%s. Require the same commit in both, or run `composer update %s` in %s.',
                    $name,
                    $reference,
                    $this->files->label(),
                    $theirs,
                    $name,
                    $this->files->label()
                ));
            }
            unset($references[$name]);
        }
        $root->setReferences($references);
    }

    /**
     * Prints how many versions of the new lock are the parent's, and which packages have another
     * version.
     *
     * @param array<string, array<string, mixed>> $locked entries of the new lock by name
     */
    public function tell(array $locked, IOInterface $io): void
    {
        $identity = static fn (array $entry): array => [$entry['version'], $entry['source']['reference'] ?? null, $entry['dist']['reference'] ?? null];
        $taken = 0;
        $other = [];
        foreach (array_intersect_key($this->entries, $locked) as $name => $entry) {
            if ($identity($entry) === $identity($locked[$name])) {
                ++$taken;
            } else {
                $other[] = $name.' '.$locked[$name]['version'].' ('.$entry['version'].' there)';
            }
        }
        $label = OutputFormatter::escape($this->files->label());
        $io->writeError('Allegro: '.($taken === 1 ? '1 version is that' : number_format($taken).' versions are those').' of '.$label);
        if ($other !== []) {
            $io->writeError('<warning>Allegro: not those of '.$label.', because they were not to be updated: '.OutputFormatter::escape(ShortList::names($other)).'</warning>');
        }
    }

    /**
     * Prints the requirements and exceptions of the project that the parent's versions don't meet.
     * It is called if there is no solution.
     *
     * @param array<string, string> $exceptions constraints by name
     */
    public function tellConflict(RootPackageInterface $root, array $exceptions, IOInterface $io): void
    {
        $label = $this->files->label();
        foreach (array_merge($root->getRequires(), $root->getDevRequires()) as $name => $link) {
            if (isset($this->packages[$name]) && !$this->hasVersionFor($name, $link->getConstraint())) {
                $io->writeError($this->conflict('composer.json requires', $name, $link->getPrettyConstraint()));
            }
        }
        foreach (array_intersect_key($exceptions, $this->packages) as $name => $constraint) {
            if (!$this->hasVersionFor($name, (new VersionParser())->parseConstraints($constraint))) {
                $io->writeError($this->conflict('extra.allegro.exceptions holds', $name, $constraint));
            }
        }
        $io->writeError('<warning>'.OutputFormatter::escape(sprintf('Allegro: versions that %s has locked are taken as they are (extra.allegro.parent). Change what is required here, or update them there first.', $label)).'</warning>');
    }

    private function conflict(string $who, string $name, string $constraint): string
    {
        return '<warning>'.OutputFormatter::escape(sprintf('Allegro: %s %s %s, and %s has %s', $who, $name, $constraint, $this->files->label(), $this->packages[$name][0]->getPrettyVersion())).'</warning>';
    }

    private function hasVersionFor(string $name, ConstraintInterface $constraint): bool
    {
        foreach ($this->packages[$name] as $package) {
            if ($constraint->matches(new Constraint('==', $package->getVersion()))) {
                return true;
            }
        }

        return false;
    }
}
