<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Composer\Semver\Comparator;
use Composer\Semver\VersionParser;

/**
 * What differs between two states of a lock, for people, for pull requests and for programs.
 */
final class LockDiff
{
    public const FORMATS = ['text', 'md', 'json'];

    /** How much of a commit's name is shown. */
    private const SHORT = 10;

    /** Hosts that are known without being told; others are GitLab's, if the project names them. */
    private const FORGES = [
        'github.com' => '%s/compare/%s...%s',
        'gitlab.com' => '%s/-/compare/%s...%s',
        'bitbucket.org' => '%1$s/branches/compare/%3$s%%0D%2$s',
    ];

    /**
     * @param list<array{name: string, change: string, from: string|null, to: string|null, dev: bool, compare: string|null}> $changes
     */
    private function __construct(private readonly array $changes)
    {
    }

    /**
     * @param array<string, mixed>|null $before data of the lock, null if there was none
     * @param array<string, mixed>      $after
     * @param list<string>              $gitlabs hosts, as in `gitlab-domains`
     */
    public static function between(?array $before, array $after, array $gitlabs = []): self
    {
        $old = self::packages($before ?? []);
        $new = self::packages($after);
        $changes = [];
        foreach ($old + $new as $name => $any) {
            $from = $old[$name] ?? null;
            $to = $new[$name] ?? null;
            $change = self::change($from, $to);
            if ($change !== null) {
                $changes[] = [
                    'name' => (string) $name,
                    'change' => $change,
                    'from' => $from === null ? null : self::label($from, $to),
                    'to' => $to === null ? null : self::label($to, $from),
                    'dev' => ($to ?? $from)['is_dev'],
                    'compare' => $from === null || $to === null ? null : self::link($from, $to, $gitlabs),
                ];
            }
        }
        usort($changes, static fn (array $a, array $b): int => strcmp($a['name'], $b['name']));

        return new self($changes);
    }

    /**
     * @param string $format one of {@see self::FORMATS}
     */
    public function render(string $format): string
    {
        switch ($format) {
            case 'json':
                return json_encode(['changes' => $this->changes], JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
            case 'md':
                return $this->markdown();
            default:
                return $this->text();
        }
    }

    private function text(): string
    {
        if ($this->changes === []) {
            return 'Nothing changes in the lock.';
        }
        $counts = array_count_values(array_column($this->changes, 'change'));
        $lines = [implode(', ', array_map(static fn (string $change, int $count): string => $count.' '.$change, array_keys($counts), $counts))];
        $width = max(array_map('strlen', array_column($this->changes, 'name')));
        foreach ($this->changes as $change) {
            $lines[] = rtrim(sprintf(
                '  %-10s %s  %s%s  %s',
                $change['change'],
                str_pad($change['name'], $width),
                self::versions($change),
                $change['dev'] ? ' (dev)' : '',
                $change['compare']
            ));
        }

        return implode("\n", $lines);
    }

    private function markdown(): string
    {
        if ($this->changes === []) {
            return 'Nothing changes in the lock.';
        }
        $lines = ['| package | change | versions | |', '|---|---|---|---|'];
        foreach ($this->changes as $change) {
            $lines[] = sprintf(
                '| %s%s | %s | %s | %s |',
                $change['name'],
                $change['dev'] ? ' (dev)' : '',
                $change['change'],
                str_replace('|', '\\|', self::versions($change)),
                $change['compare'] === null ? '' : '[compare]('.$change['compare'].')'
            );
        }

        return implode("\n", $lines);
    }

    /**
     * @param array{from: string|null, to: string|null} $change
     */
    private static function versions(array $change): string
    {
        return implode(' → ', array_unique(array_filter([$change['from'], $change['to']], static fn (?string $version): bool => $version !== null)));
    }

    /**
     * @param array<string, mixed> $lock
     *
     * @return array<string, array<string, mixed>> by name
     */
    private static function packages(array $lock): array
    {
        $packages = [];
        foreach (['packages' => false, 'packages-dev' => true] as $key => $isDev) {
            foreach ($lock[$key] ?? [] as $package) {
                $packages[$package['name']] = $package + ['is_dev' => $isDev];
            }
        }

        return $packages;
    }

    /**
     * @param array<string, mixed>|null $from
     * @param array<string, mixed>|null $to
     */
    private static function change(?array $from, ?array $to): ?string
    {
        if ($from === null) {
            return 'added';
        }
        if ($to === null) {
            return 'removed';
        }
        if ($from['version'] === $to['version']) {
            if (self::reference($from) !== self::reference($to)) {
                return 'changed';
            }

            // From one list of the lock to the other.
            return $from['is_dev'] === $to['is_dev'] ? null : 'moved';
        }
        $parser = new VersionParser();
        [$old, $new] = array_map(static fn (array $package): string => $parser->normalize($package['version']), [$from, $to]);

        if ($old === $new || str_starts_with($old, 'dev-') || str_starts_with($new, 'dev-')) {
            // Names of branches have no order, and "1.0" is "v1.0.0".
            return 'changed';
        }

        return Comparator::greaterThan($old, $new) ? 'downgraded' : 'upgraded';
    }

    /**
     * @param array<string, mixed> $package
     */
    private static function reference(array $package): ?string
    {
        return $package['source']['reference'] ?? $package['dist']['reference'] ?? null;
    }

    /**
     * A version; of a branch, or if it is the same in both, with its commit.
     *
     * @param array<string, mixed>      $package
     * @param array<string, mixed>|null $other
     */
    private static function label(array $package, ?array $other): string
    {
        $reference = self::reference($package);
        $isBranch = VersionParser::parseStability($package['version']) === 'dev';
        $isMoved = $other !== null && $other['version'] === $package['version'] && self::reference($other) !== $reference;

        return $package['version'].($reference !== null && ($isBranch || $isMoved) ? '#'.substr($reference, 0, self::SHORT) : '');
    }

    /**
     * Where the difference can be read.
     *
     * @param array<string, mixed> $from
     * @param array<string, mixed> $to
     * @param list<string>         $gitlabs
     */
    private static function link(array $from, array $to, array $gitlabs): ?string
    {
        $url = (string) ($to['source']['url'] ?? '');
        [$old, $new] = [$from['source']['reference'] ?? null, $to['source']['reference'] ?? null];
        // Credentials in front of the host are left out, as is everything that isn't a plain path.
        if ($old === null || $new === null || $old === $new || preg_match('{^(?:(?:https?|ssh|git)://)?(?:[^@/]*@)?([\w.-]+)(?::\d+/|[:/])([\w./~-]+?)(?:\.git)?/?$}', $url, $match) !== 1) {
            return null;
        }
        [, $host, $path] = $match;
        $pattern = self::FORGES[$host] ?? (in_array($host, $gitlabs, true) ? self::FORGES['gitlab.com'] : null);

        return $pattern === null ? null : sprintf($pattern, 'https://'.$host.'/'.$path, substr($old, 0, self::SHORT), substr($new, 0, self::SHORT));
    }
}
