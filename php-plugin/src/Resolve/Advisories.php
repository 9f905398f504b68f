<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Composer\Advisory\SecurityAdvisory;
use Composer\Config;
use Composer\Policy\PolicyConfig;
use Composer\Repository\AdvisoryProviderInterface;
use Composer\Repository\RepositoryInterface;
use Composer\Repository\RepositorySet;
use Composer\Semver\Constraint\Constraint;
use Composer\Util\Url;
use Seld\JsonLint\ParsingException;
use Symfony\Component\Console\Formatter\OutputFormatter;

/**
 * Fetches the security advisories of the project's repositories. It leaves out the advisories that
 * the project's configuration tells audits to ignore.
 */
final class Advisories
{
    private readonly RepositorySet $repositories;

    /** @var array<string, list<SecurityAdvisory>> advisories of all packages that were loaded, by name */
    private array $known = [];

    /** @var array<string|int, mixed> names of packages, and identifiers of advisories, as keys */
    private array $ignored;

    /** @var array<string|int, mixed> severities as keys */
    private array $ignoredSeverities;

    private bool $ignoreUnreachable;

    /**
     * @param array<RepositoryInterface> $repositories
     *
     * @throws SettingException
     */
    public function __construct(array $repositories, Config $config)
    {
        if (!interface_exists(AdvisoryProviderInterface::class)) {
            throw new SettingException('Composer knows security advisories since 2.4: --security-only can not be had with this one.');
        }
        $this->repositories = new RepositorySet();
        $offer = false;
        foreach ($repositories as $repository) {
            $this->repositories->addRepository($repository);
            $offer = $offer || self::guard(static fn (): bool => $repository instanceof AdvisoryProviderInterface && $repository->hasSecurityAdvisories());
        }
        if (!$offer) {
            throw new SettingException('No repository of this project offers security advisories, so --security-only can not tell what is affected. The lock stays as it is.');
        }
        $this->readConfig($config);
    }

    private function readConfig(Config $config): void
    {
        if (class_exists(PolicyConfig::class)) {
            $policy = PolicyConfig::fromConfig($config);
            $this->ignored = $policy->advisories->getIgnoreListForOperation('audit');
            $this->ignoredSeverities = $policy->advisories->getIgnoreSeverityForOperation('audit');
            $this->ignoreUnreachable = $policy->ignoreUnreachable->audit;

            return;
        }
        /** @var mixed $audit */
        $audit = $config->get('audit');
        $audit = is_array($audit) ? $audit : [];
        $this->ignored = self::ignoredByAudits($audit['ignore'] ?? []);
        $this->ignoredSeverities = self::ignoredByAudits($audit['ignore-severity'] ?? []);
        // @mago-expect analysis:mixed-operand Composer doesn't check the setting's type.
        $this->ignoreUnreachable = (bool) ($audit['ignore-unreachable'] ?? false);
    }

    /**
     * Returns the entries of a setting that audits ignore, as keys.
     *
     * The setting has the form `["CVE-1"]` or `{"CVE-1": "why"}`. Since Composer 2.9 it may also be
     * `{"CVE-1": {"apply": "block", "reason": "why"}}`.
     *
     * @return array<string|int, true>
     */
    private static function ignoredByAudits(mixed $list): array
    {
        $ignored = [];
        /** @var mixed $value */
        foreach (is_array($list) ? $list : [] as $key => $value) {
            if (is_int($key) && is_string($value)) {
                $ignored[$value] = true;
            } elseif (!is_array($value) || ($value['apply'] ?? 'all') !== 'block') {
                $ignored[$key] = true;
            }
        }

        return $ignored;
    }

    /**
     * Loads the advisories about these packages from the repositories, if they are not loaded yet.
     *
     * @param list<string> $names
     *
     * @throws SettingException
     */
    public function load(array $names): void
    {
        $names = array_values(array_diff($names, array_map('strval', array_keys($this->known))));
        if ($names === []) {
            return;
        }
        /** @var array{advisories?: array<string, SecurityAdvisory[]>}|array<string, SecurityAdvisory[]> $found */
        // @mago-expect analysis:too-many-arguments The last parameter exists since Composer 2.9.
        $found = self::guard(fn (): array => $this->repositories->getSecurityAdvisories($names, false, $this->ignoreUnreachable));
        foreach ($names as $name) {
            $this->known[$name] = [];
        }
        // Since Composer 2.9, the result also has the names of repositories that don't answer.
        /** @var array<string, SecurityAdvisory[]> $all */
        $all = $found['advisories'] ?? $found;
        foreach ($all as $name => $advisories) {
            $this->known[$name] = array_values(array_filter($advisories, fn (SecurityAdvisory $advisory): bool => !$this->isIgnored($advisory)));
        }
    }

    private function isIgnored(SecurityAdvisory $advisory): bool
    {
        $names = array_merge([$advisory->packageName, $advisory->advisoryId, $advisory->cve], array_column($advisory->sources, 'remoteId'));

        return array_intersect_key(array_fill_keys(array_filter($names, 'is_string'), true), $this->ignored) !== []
            // Composer reads the severity since 2.7.
            // @mago-expect analysis:non-existent-property,mixed-argument
            || (isset($advisory->severity) && array_key_exists($advisory->severity, $this->ignoredSeverities));
    }

    /**
     * Returns the advisories that affect a version of a package that was loaded.
     *
     * @return list<SecurityAdvisory>
     */
    public function against(string $name, string $version): array
    {
        $constraint = new Constraint('==', $version);

        return array_values(array_filter($this->known[$name] ?? [], static fn (SecurityAdvisory $advisory): bool => $advisory->affectedVersions->matches($constraint)));
    }

    /**
     * Returns the lines for an advisory, at most two, in the form of Composer's audit.
     *
     * @return list<string>
     */
    public static function lines(SecurityAdvisory $advisory): array
    {
        $clean = static fn (?string $text): string => OutputFormatter::escape((string) preg_replace('{[\x00-\x1f\x7f]+}', ' ', (string) $text));
        $link = static fn (string $url, string $text): string => $url === '' ? $text : '<href='.$url.'>'.$text.'</>';
        $id = $clean($advisory->advisoryId);
        $cve = $clean($advisory->cve);
        $parts = [
            $link(str_starts_with($id, 'PKSA-') ? 'https://packagist.org/security-advisories/'.$id : '', $id),
            $cve === '' ? 'NO CVE' : $link('https://www.cve.org/CVERecord?id='.$cve, $cve),
        ];
        // @mago-expect analysis:non-existent-property Composer reads it since 2.7.
        if (isset($advisory->severity)) {
            // @mago-expect analysis:mixed-argument It is a text or null.
            $parts[] = $clean($advisory->severity);
        }
        $lines = [implode(', ', $parts).': '.$clean($advisory->title)];
        if ($advisory->link !== null) {
            $lines[] = $link($clean($advisory->link), $clean($advisory->link));
        }

        return $lines;
    }

    /**
     * Turns failures of repositories into a message for the user.
     *
     * @template T
     *
     * @param callable(): T $ask
     *
     * @throws SettingException
     *
     * @return T
     */
    private static function guard(callable $ask)
    {
        try {
            return $ask();
        } catch (\RuntimeException | \ErrorException | ParsingException $e) {
            // Composer's own function hides credentials only in a URL at the start of a text.
            $why = (string) preg_replace('{://[^/\s@]+@}', '://***@', Url::sanitize(trim($e->getMessage())));
            throw new SettingException(
                'The security advisories can not be had: '.$why."\nThe lock stays as it is. Try again when the repositories answer.",
                0,
                $e
            );
        }
    }
}
