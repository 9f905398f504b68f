<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Allegro\Plugin\Native\Protocol;

/**
 * Three lines on requirements that can't be met: what can't be had, who stands against it, and what was tried and works.
 * They say names, constraints and versions only.
 *
 * @phpstan-import-type Verdict from Protocol as Content
 * @phpstan-import-type VerdictClaim from Protocol
 * @phpstan-import-type VerdictLack from Protocol
 */
final class Verdict
{
    /** So many requirements are named; the line has to be read at a glance. */
    private const MOST_REQUIRES = 3;

    /**
     * @param Content               $verdict
     * @param array<string, string> $written  the project's requirements as they are written, by name
     * @param array<string, string> $platform what `config.platform` says, by name
     */
    public function __construct(
        private readonly array $verdict,
        private readonly array $written,
        private readonly array $platform = [],
    ) {
    }

    /**
     * The requirement that no repository has, if it is that.
     */
    public function missingName(): ?string
    {
        return ($this->verdict['lack']['kind'] ?? null) === 'name' ? $this->verdict['requires'][0] : null;
    }

    /**
     * What `config.platform` says of the package that stands against it, where no change of requirements helps.
     */
    public function overriddenName(): ?string
    {
        if (in_array('require', array_column($this->verdict['change'], 'kind'), true)) {
            return null;
        }
        $names = array_column(array_filter($this->verdict['claims'], static fn (array $claim): bool => ($claim['lack']['kind'] ?? null) === 'platform'), 'target');
        if (($this->verdict['lack']['kind'] ?? null) === 'platform') {
            $names[] = $this->verdict['requires'][0];
        }

        return array_values(array_filter($names, fn (string $name): bool => isset($this->platform[$name])))[0] ?? null;
    }

    /**
     * @param list<string>               $nearest names that are written much like the missing one
     * @param array{string, string}|null $instead the one of them with which it was tried and works, and the constraint
     * @param string|null                $real    what the machine has in place of what `config.platform` says, if that works
     *
     * @return list<string>
     */
    public function lines(array $nearest = [], ?array $instead = null, ?string $real = null): array
    {
        $help = $real === null ? $this->help($instead) : sprintf('tried and works: without "%s" in config.platform (here is %s)', (string) $this->overriddenName(), $real);
        $lines = array_filter([$this->what(), $this->why($nearest), $help], static fn (string $line): bool => $line !== '');

        return array_map(
            static fn (string $line, int $place): string => ($place === 0 ? 'Allegro: ' : '         ').$line,
            array_values($lines),
            array_keys(array_values($lines))
        );
    }

    private function what(): string
    {
        $names = array_slice($this->verdict['requires'], 0, self::MOST_REQUIRES);
        $requires = array_map(fn (string $name): string => $this->requirement($name), $names);
        $more = $this->verdict['more'] + count($this->verdict['requires']) - count($names);
        if ($more > 0) {
            $requires[] = sprintf('%d more', $more);
        }
        if (count($requires) === 1) {
            return $requires[0]." can't be had";
        }
        if ($this->verdict['lack'] !== null) {
            return array_shift($requires)." can't be had, nor can ".self::enumerated($requires);
        }

        return self::enumerated($requires)." can't be had together";
    }

    /**
     * @param list<string> $list
     */
    private static function enumerated(array $list): string
    {
        $last = array_pop($list);

        return $list === [] ? (string) $last : implode(', ', $list).' and '.$last;
    }

    /**
     * @param list<string> $nearest
     */
    private function why(array $nearest): string
    {
        if ($this->verdict['lack'] !== null) {
            $name = $this->verdict['requires'][0];
            $why = self::lack($this->verdict['lack'], $name, $this->platform);

            return $nearest === [] ? $why : $why.'; much like it: '.implode(', ', $nearest);
        }

        $claims = $known = [];
        foreach ($this->verdict['claims'] as $claim) {
            $claims[] = $this->claim($claim, isset($known[$claim['by'] ?? '']));
            $known[$claim['by'] ?? ''] = true;
        }

        return implode(', ', $claims);
    }

    /**
     * @param VerdictClaim $claim
     * @param bool         $isKnown who requires the one that says it was said before
     */
    private function claim(array $claim, bool $isKnown): string
    {
        $verb = $claim['what'] === 'conflicts' ? 'conflicts with' : $claim['what'];
        if ($claim['what'] === 'is') {
            $text = sprintf('there is %s %s%s', $claim['target'], $claim['constraint'], self::configured($claim['target'], $this->platform));
        } elseif ($claim['by'] === null) {
            $text = sprintf('you %s %s %s', preg_replace('{s\b}', '', $verb, 1), $claim['target'], $claim['constraint']);
        } else {
            $by = $claim['by'].' '.implode(' to ', array_unique([$claim['oldest'], $claim['newest']]));
            if ($claim['via'] !== null && !$isKnown) {
                $by .= ' (required by '.$claim['via'].')';
            } elseif (isset($this->written[$claim['by']]) && !$isKnown) {
                $by .= ' (required by you: '.$this->written[$claim['by']].')';
            }
            $text = sprintf('%s %s %s %s', $by, $verb, $claim['target'], $claim['constraint']);
        }

        return $claim['lack'] === null ? $text : $text.', and '.self::lack($claim['lack'], $claim['target'], $this->platform);
    }

    /**
     * @param VerdictLack           $lack
     * @param array<string, string> $platform
     */
    private static function lack(array $lack, string $name, array $platform): string
    {
        switch ($lack['kind']) {
            case 'name':
                return 'no repository has '.$name;
            case 'version':
                return 'there is '.$name.' '.implode(' to ', array_unique([$lack['oldest'], $lack['newest']]));
            case 'stability':
                return sprintf('there is %s %s at most, which is %s', $name, $lack['version'], $lack['stability']);
            case 'offered':
                return sprintf('there is %s %s, which stands for %s %s', $lack['by'], $lack['version'], $name, $lack['constraint']);
            case 'platform':
                return $lack['has'] === null ? 'there is no '.$name : 'there is '.$name.' '.$lack['has'].self::configured($name, $platform);
            case 'locked':
                return sprintf('%s %s is locked and not to be updated', $name, $lack['version']);
        }

        return sprintf('this run leaves out the versions of %s that fit', $name);
    }

    /**
     * @param array<string, string> $platform
     */
    private static function configured(string $name, array $platform): string
    {
        return isset($platform[$name]) ? ' (config.platform)' : '';
    }

    /**
     * @param array{string, string}|null $instead
     */
    private function help(?array $instead): string
    {
        if ($instead !== null) {
            return sprintf('tried and works: "%s": "%s" instead of "%s" in composer.json', $instead[0], $instead[1], (string) $this->missingName());
        }
        $requires = $removes = [];
        foreach ($this->verdict['change'] as $change) {
            switch ($change['kind']) {
                case 'require':
                    $requires[] = sprintf('"%s": "%s"', $change['name'], $change['constraint']);
                    break;
                case 'remove':
                    $removes[] = sprintf('"%s"', $change['name']);
                    break;
                case 'all_dependencies':
                    return 'tried and works: the same with --with-all-dependencies (-W)';
                case 'everything':
                    return 'tried and works: an update of everything, without names of packages';
                case 'without_temporary':
                    return 'tried and works: the same without --with';
            }
        }
        if ($requires === [] && $removes === []) {
            $tried = $this->verdict['tried'];

            return $tried === 0 ? '' : sprintf('tried in vain: %d %s to composer.json', $tried, $tried === 1 ? 'change' : 'changes');
        }
        $parts = $requires === [] ? [] : [self::enumerated($requires).' in composer.json'];
        if ($removes !== []) {
            $parts[] = 'without '.self::enumerated($removes).($requires === [] ? ' in composer.json' : '');
        }

        return 'tried and works: '.implode(', ', $parts);
    }

    private function requirement(string $name): string
    {
        return isset($this->written[$name]) ? $name.' '.$this->written[$name] : $name;
    }
}
