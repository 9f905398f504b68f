<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Support;

/**
 * The types that `@phpstan-type` declares in a file, and which values have them.
 *
 * Types are those that the protocol needs: scalars, literals, `list<T>`, shapes, tuples, unions,
 * and names of other types.
 */
final class Shapes
{
    /** @var array<string, string> source by name, each on one line */
    private array $sources = [];

    /** @var array<string, array<mixed>> parsed types by name */
    private array $types = [];

    /** @var array<string, true> what {@see fit()} has met in values */
    private array $met = [];

    /** @var list<string> what is left of the type that is being parsed */
    private array $tokens = [];

    public function __construct(string $source)
    {
        preg_match_all('{^ \* @phpstan-type (\w+) (.*(?:\n \*  .*|\n \* \}.*)*)}m', $source, $matches, PREG_SET_ORDER);
        foreach ($matches as [, $name, $type]) {
            $this->sources[$name] = trim((string) preg_replace('{\s*\n \*\s*}', ' ', $type));
        }
        foreach ($this->sources as $name => $type) {
            preg_match_all('{\'[^\']*\'|[\w-]+|\S}', $type, $tokens);
            $this->tokens = $tokens[0];
            $this->types[$name] = $this->parse();
            if ($this->tokens !== []) {
                throw new \LogicException($name.' is not understood from "'.implode(' ', $this->tokens).'" on');
            }
        }
    }

    /**
     * @return array<string, string> types by name, each on one line
     */
    public function sources(): array
    {
        return $this->sources;
    }

    /**
     * Returns why a value, as `json_decode()` gives it, isn't of a type; null if it is.
     */
    public function misfit(string $name, mixed $value): ?string
    {
        $met = [];
        $misfit = $this->fit($this->types[$name] ?? throw new \LogicException('there is no type '.$name), $value, $name, $met);
        $this->met += $misfit === null ? $met : [];

        return $misfit;
    }

    /**
     * Returns which alternatives of types no value has had so far: members of unions, keys that may
     * be absent, elements.
     *
     * @return list<string>
     */
    public function unmet(): array
    {
        $wanted = [];
        foreach ($this->types as $name => $type) {
            $wanted += self::alternatives($type, $name);
        }

        return array_keys(array_diff_key($wanted, $this->met));
    }

    /**
     * @return array<mixed> kind of type, and what it consists of
     */
    private function parse(): array
    {
        $members = [$this->parseMember()];
        while (($this->tokens[0] ?? null) === '|') {
            array_shift($this->tokens);
            $members[] = $this->parseMember();
        }

        return count($members) === 1 ? $members[0] : ['union', $members];
    }

    /**
     * @return array<mixed>
     */
    private function parseMember(): array
    {
        $word = (string) array_shift($this->tokens);
        if ($word === 'list') {
            $this->expect('<');
            $element = $this->parse();
            $this->expect('>');

            return ['list', $element];
        }
        if ($word !== 'array') {
            return $word[0] === '\'' ? ['literal', substr($word, 1, -1)] : (ctype_upper($word[0]) ? ['name', $word] : ['scalar', $word]);
        }
        $this->expect('{');
        $isTuple = true;
        for ($fields = []; ($this->tokens[0] ?? '}') !== '}';) {
            $isOptional = ($this->tokens[1] ?? null) === '?';
            if ($isOptional || ($this->tokens[1] ?? null) === ':') {
                $isTuple = false;
                $key = (string) array_shift($this->tokens);
                $isOptional && $this->expect('?');
                $this->expect(':');
                $fields[$key] = [$this->parse(), $isOptional];
            } else {
                $fields[] = [$this->parse(), false];
            }
            if (($this->tokens[0] ?? null) === ',') {
                array_shift($this->tokens);
            }
        }
        $this->expect('}');

        return [$isTuple && $fields !== [] ? 'tuple' : 'shape', $fields];
    }

    private function expect(string $token): void
    {
        if (array_shift($this->tokens) !== $token) {
            throw new \LogicException($token.' is expected before "'.implode(' ', $this->tokens).'"');
        }
    }

    /**
     * @param array<mixed>        $type
     * @param array<string, true> $met
     */
    private function fit(array $type, mixed $value, string $path, array &$met): ?string
    {
        [$kind, $detail] = $type;
        switch ($kind) {
            case 'name':
                return $this->fit($this->types[$detail], $value, $detail, $met);
            case 'union':
                $misfits = [];
                foreach ($detail as $member) {
                    $own = [];
                    $misfit = $this->fit($member, $value, $path, $own);
                    if ($misfit === null) {
                        $met += [self::member($path, $member) => true] + $own;

                        return null;
                    }
                    $misfits[] = $misfit;
                }

                return implode("\n", $misfits);
            case 'list':
                if (!is_array($value) || !array_is_list($value)) {
                    return $path.' is no list';
                }
                foreach ($value as $element) {
                    $met[$path.' with an element'] = true;
                    $misfit = $this->fit($detail, $element, $path.'[]', $met);
                    if ($misfit !== null) {
                        return $misfit;
                    }
                }

                return null;
            case 'tuple':
            case 'shape':
                if (!is_array($value) || ($kind === 'tuple' && !array_is_list($value))) {
                    return $path.' is no '.$kind;
                }
                $unknown = array_diff_key($value, $detail);
                if ($unknown !== []) {
                    return $path.' has '.implode(', ', array_keys($unknown)).', which its type has not';
                }
                foreach ($detail as $key => [$field, $isOptional]) {
                    if (!array_key_exists($key, $value)) {
                        if (!$isOptional) {
                            return $path.' has no '.$key;
                        }
                        $met[$path.' without '.$key] = true;
                        continue;
                    }
                    $met[$path.' with '.$key] = true;
                    $misfit = $this->fit($field, $value[$key], $path.'.'.$key, $met);
                    if ($misfit !== null) {
                        return $misfit;
                    }
                }

                return null;
            case 'literal':
                return $value === $detail ? null : $path.' is not \''.$detail.'\'';
        }
        $fits = $detail === 'mixed' || get_debug_type($value) === $detail;

        return $fits ? null : sprintf('%s is %s, not %s', $path, get_debug_type($value), $detail);
    }

    /**
     * @param array<mixed> $type
     *
     * @return array<string, true>
     */
    private static function alternatives(array $type, string $path): array
    {
        [$kind, $detail] = $type;
        $found = [];
        switch ($kind) {
            case 'union':
                foreach ($detail as $member) {
                    $found += [self::member($path, $member) => true] + self::alternatives($member, $path);
                }

                return $found;
            case 'list':
                return [$path.' with an element' => true] + self::alternatives($detail, $path.'[]');
            case 'tuple':
            case 'shape':
                foreach ($detail as $key => [$field, $isOptional]) {
                    $found += [$path.' with '.$key => true] + self::alternatives($field, $path.'.'.$key);
                    $found += $isOptional ? [$path.' without '.$key => true] : [];
                }
        }

        return $found;
    }

    /**
     * @param array<mixed> $member
     */
    private static function member(string $path, array $member): string
    {
        [$kind, $detail] = $member;
        if ($kind !== 'shape') {
            return $path.' as '.(is_string($detail) ? $detail : $kind);
        }
        $tags = [];
        foreach ($detail as $key => [$field]) {
            $tags[] = $field[0] === 'literal' ? $key.' '.$field[1] : $key;
        }

        return $path.' as '.implode(', ', $tags);
    }
}
