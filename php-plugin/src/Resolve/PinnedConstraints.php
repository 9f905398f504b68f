<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Composer\Composer;
use Composer\Downloader\TransportException;
use Composer\IO\IOInterface;
use Composer\Package\RootPackageInterface;
use Composer\Semver\Intervals;
use Composer\Semver\VersionParser;
use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Console\Input\InputInterface;

/**
 * Packages that every resolution holds to a constraint, as if `--with` were given each time
 * (`extra.allegro.exceptions`).
 */
final class PinnedConstraints
{
    private const KEY = 'extra.allegro.exceptions';

    /**
     * With these options, a version may stay for another reason than an exception, or no version
     * is chosen at all.
     */
    private const SILENT = ['lock', 'prefer-lowest', 'root-reqs', 'interactive', 'minimal-changes', 'patch-only'];

    /**
     * The constraints that apply in this run, by name.
     *
     * @var array<string, string>
     */
    private array $held;

    /**
     * @param array<string, string> $constraints constraints by name
     */
    private function __construct(private readonly array $constraints)
    {
        $this->held = $constraints;
    }

    /**
     * Reads and checks the setting of a project.
     *
     * @throws SettingException if the setting is invalid or contradicts a root requirement
     */
    public static function of(RootPackageInterface $root): self
    {
        $allegro = $root->getExtra()['allegro'] ?? null;
        $given = is_array($allegro) ? $allegro['exceptions'] ?? [] : [];
        if (!is_array($given) || ($given !== [] && array_is_list($given))) {
            throw new SettingException(self::KEY.' is to be an object of names and constraints, such as {"vendor/name": "^1.2"}.');
        }
        $requires = array_merge($root->getRequires(), $root->getDevRequires());
        $parser = new VersionParser();
        $constraints = [];
        foreach ($given as $name => $constraint) {
            $name = strtolower((string) $name);
            $key = self::KEY.': "'.$name.'"';
            if (str_contains($name, '*')) {
                throw new SettingException($key.' is a pattern; name each package.');
            }
            if (preg_match('{^[a-z0-9][a-z0-9_.-]*/[a-z0-9][a-z0-9_.-]*$}D', $name) !== 1) {
                throw new SettingException($key.' is no name of a package (vendor/name).');
            }
            if (!is_string($constraint) || trim($constraint) === '') {
                throw new SettingException($key.' is to have a constraint as text, such as "^1.2".');
            }
            try {
                $parsed = $parser->parseConstraints($constraint);
            } catch (\UnexpectedValueException $e) {
                throw new SettingException($key.' has a constraint that Composer does not understand: '.$e->getMessage());
            }
            if (isset($requires[$name]) && !Intervals::haveIntersections($parsed, $requires[$name]->getConstraint())) {
                throw new SettingException(sprintf('%s is held to %s, and composer.json requires %s: no version is in both.', $key, $constraint, $requires[$name]->getPrettyConstraint()));
            }
            $constraints[$name] = $constraint;
        }

        return new self($constraints);
    }

    /**
     * Returns all constraints of the setting, whether they apply in this run or not.
     *
     * @return array<string, string> constraints by name
     */
    public function constraints(): array
    {
        return $this->constraints;
    }

    /**
     * Adds the constraints to the option `--with` of a command. A constraint that the command
     * gives for the same package takes precedence.
     */
    public function hold(InputInterface $input, IOInterface $io): void
    {
        $with = $input->getOption('with');
        $given = [];
        foreach (array_merge($with, $input->getArgument('packages')) as $pair) {
            if (preg_match('{^\s*([^ =:]+)[ =:]}', $pair, $match) === 1) {
                $given[strtolower($match[1])] = true;
            }
        }
        $this->held = array_diff_key($this->constraints, $given);
        if ($this->held !== []) {
            $input->setOption('with', array_merge(self::pairs($this->held), $with));
            $this->tell($io);
        }
    }

    /**
     * Prints the constraints that apply in this run.
     */
    public function tell(IOInterface $io): void
    {
        if ($this->held !== []) {
            $held = array_map(static fn (string $name, string $constraint): string => $name.' '.$constraint, array_keys($this->held), $this->held);
            $io->writeError('Allegro: held by '.self::KEY.': '.OutputFormatter::escape(implode(', ', $held)));
        }
    }

    /**
     * Prints the constraints that no longer make a difference.
     *
     * @param array<string, array<string, mixed>> $locked entries of the new lock by name
     */
    public function tellUnneeded(Trial $trial, array $locked, InputInterface $input, Composer $composer, IOInterface $io): void
    {
        $set = array_filter(self::SILENT, static fn (string $option): bool => $input->hasOption($option) && (bool) $input->getOption($option));
        if ($this->held === [] || $set !== [] || $input->getArgument('packages') !== [] || $composer->getConfig()->get('update-with-minimal-changes')) {
            return;
        }
        try {
            foreach ($this->unneeded($trial, $locked, $input->getOption('with')) as $name => $why) {
                $io->writeError('<comment>Allegro: '.self::KEY.' needs no '.$name.' any more, '.$why.'</comment>');
            }
        } catch (TransportException $e) {
            $io->writeError('<warning>Allegro: whether '.self::KEY.' is still needed can not be found out, metadata can not be had again</warning>');
        }
    }

    /**
     * Returns the constraints without which the same versions would be locked.
     *
     * @param array<string, array<string, mixed>> $locked entries of the new lock by name
     * @param list<string>                        $with   all constraints of the run
     *
     * @return array<string, string> reasons by name
     */
    private function unneeded(Trial $trial, array $locked, array $with): array
    {
        $own = array_slice($with, count($this->held));
        $versions = self::versions($locked);
        // `$left` holds the constraints that may still be needed. The first trial leaves out all
        // of them, and each further trial one more.
        $left = array_intersect_key($this->held, $locked);
        $unneeded = array_fill_keys(array_keys(array_diff_key($this->held, $locked)), 'the package is not locked');
        $same = fn (array $held): bool => self::versions($trial->run(['with' => array_merge(self::pairs($held), $own)])) === $versions;
        $why = 'without it the same version is locked';
        if ($left !== [] && $same([])) {
            return array_fill_keys(array_keys($left), $why) + $unneeded;
        }
        foreach (count($left) > 1 ? $left : [] as $name => $constraint) {
            $others = array_diff_key($left, [$name => true]);
            if ($same($others)) {
                $left = $others;
                $unneeded[$name] = $why;
            }
        }

        return $unneeded;
    }

    /**
     * Returns the version of each entry, sorted by name.
     *
     * @param array<string, array<string, mixed>>|null $entries entries of a lock by name
     *
     * @return array<string, string>|null versions by name
     */
    private static function versions(?array $entries): ?array
    {
        if ($entries === null) {
            return null;
        }
        $versions = array_map(static fn (array $entry): string => $entry['version'], $entries);
        ksort($versions);

        return $versions;
    }

    /**
     * @param array<string, string> $constraints constraints by name
     *
     * @return list<string> constraints in the form of `--with`
     */
    private static function pairs(array $constraints): array
    {
        return array_map(static fn (string $name, string $constraint): string => $name.':'.$constraint, array_keys($constraints), $constraints);
    }
}
