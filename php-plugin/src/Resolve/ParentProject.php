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
 * `extra.allegro.parent`: another project whose locked versions are taken for every package that it has.
 */
final class ParentProject
{
    /** @var array<string, array<string, mixed>> entries of its lock by name, as they are to be in ours */
    private array $entries = [];

    /** @var list<array{package: string, version: string, alias: string, alias_normalized: string}> */
    private array $aliases = [];

    /** @var array<string, list<PackageInterface>> packages and their aliases by name */
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
     * The parent of a project; null if it names none.
     *
     * @throws SettingException
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
     * Leaves this run of Composer no other version of what the parent has.
     *
     * @throws SettingException
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
     * Branches and pre-releases that the parent has are acceptable here too, for an install from the lock as well: as
     * if the project required them with a flag such as `@dev`.
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
     * Versions as which the parent's root requires its packages (`dev-main as 1.0.0`): others of its lock count on them,
     * and our lock must name them for an install.
     */
    private function adoptAliases(RootPackageInterface $root): void
    {
        $own = $root->getAliases();
        $known = array_map(static fn (array $alias): array => [$alias['package'], $alias['alias_normalized']], $own);
        $adopted = [];
        foreach ($this->aliases as $alias) {
            if (!in_array([$alias['package'], $alias['alias_normalized']], $known, true)) {
                // A lock calls default branches 9999999-dev.
                $adopted[] = ['version' => $this->packages[$alias['package']][0]->getVersion()] + $alias;
            }
        }
        // Of two for one branch the last counts where Composer makes them; those of the parent are there anyway.
        $root->setAliases(array_merge($adopted, $own));
    }

    /**
     * A commit that is required here (`dev-main#abc`) would replace the one of the parent.
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
     * How many versions of the new lock are the parent's, and which could have been.
     *
     * @param array<string, array<string, mixed>> $locked entries of the lock by name
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
     * There is no solution: what of the project can't be had beside the parent.
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
