<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Support;

use Composer\Autoload\AutoloadGenerator;

/**
 * What a source file of the plugin uses of Composer's internals: members that are not public, members and classes that
 * are marked `@internal`, and whatever it looks for before it uses it.
 */
final class InternalUses
{
    /** @var list<\PhpToken> */
    private array $tokens;

    /** @var array<string, string> classes of Composer by the names that the file has for them */
    private array $imported = [];

    /** @var class-string */
    private string $class;

    public function __construct(string $file, private readonly string $source)
    {
        $this->tokens = Sources::tokens($source);
        $this->class = 'Allegro\Plugin'.strtr(substr($file, 0, -4), '/', '\\');
        preg_match_all('{^use (Composer\\\\(?:[\w\\\\]+\\\\)?(\w+))(?: as (\w+))?;}m', $source, $uses, PREG_SET_ORDER);
        foreach ($uses as $use) {
            $this->imported[$use[3] ?? $use[2]] = $use[1];
        }
    }

    /**
     * @return list<string> `Class::$property`, `Class::method()`, `Class::CONSTANT` or `Class`
     */
    public function all(): array
    {
        $found = [];
        foreach ($this->tokens as $index => $token) {
            $before = $this->tokens[$index - 1]->text ?? '';
            $after = $this->tokens[$index + 1]->text ?? '';
            if (in_array($before, ['->', '?->', '::'], true) && $token->is([T_STRING, T_VARIABLE])) {
                $member = $after === '(' ? $token->text.'()' : '$'.ltrim($token->text, '$');
                $named = $before === '::' ? $this->resolve($this->tokens[$index - 2]->text) : null;
                $found[] = $this->ofStatic($member, $named) ?? $this->hidden($member) ?? $this->markedInternal($member, $named);
            }
        }
        // Properties that are named in a call, of the class that stands there or of any that is opened.
        preg_match_all('{(?:Internals::(?:of|set)|->(?:get|set|setInParent))\(([^;]*)}', $this->source, $calls);
        foreach ($calls[1] as $arguments) {
            $class = preg_match('{(\w+)::class}', $arguments, $match) === 1 ? $this->resolve($match[1]) : null;
            preg_match_all("{'(\\w+)'}", $arguments, $names);
            foreach ($names[1] as $name) {
                $found[] = $this->hidden('$'.$name, $class === null ? null : [$class]);
            }
        }

        // A generator's values go from hand to hand there.
        $text = str_starts_with($this->class, 'Allegro\Plugin\Autoload\\') ? $this->source : '';
        preg_match_all("{(?:\\$(?:values|state)|valuesOfParent\\(\\))\\['(\\w+)'\\]}", $text, $names);
        foreach ($names[1] as $name) {
            $found[] = $this->hidden('$'.$name, [AutoloadGenerator::class]);
        }

        return array_values(array_unique(array_merge(array_filter($found), $this->lookedFor())));
    }

    /**
     * A member of Composer's that is not public: of a class that is opened, or inherited.
     *
     * @param list<string>|null $classes where it is looked for instead
     */
    private function hidden(string $member, ?array $classes = null): ?string
    {
        $own = class_exists($this->class) ? self::member($this->class, $member) : null;
        if ($classes === null && $own !== null && $own->getDeclaringClass()->getName() === $this->class && $this->opened() !== [] && $this->ancestors() === []) {
            return null;
        }
        foreach ($classes ?? [...$this->opened(), ...$this->ancestors()] as $class) {
            $reflection = self::member($class, $member);
            if ($reflection !== null && $reflection->isPublic() && in_array($class, $this->ancestors(), true)) {
                return null;
            }
            $declaring = $reflection === null || $reflection->isPublic() ? '' : $reflection->getDeclaringClass()->getName();
            if (str_starts_with($declaring, 'Composer\\')) {
                return self::named($declaring, $member);
            }
        }

        return null;
    }

    /**
     * A static property of Composer's, which is no part of its interface even where it is public.
     */
    private function ofStatic(string $member, ?string $class): ?string
    {
        $reflection = $class === null || $member[0] !== '$' ? null : self::member($class, $member);

        return $reflection !== null && $reflection->isStatic() ? self::named($reflection->getDeclaringClass()->getName(), $member) : null;
    }

    /**
     * The Solver has another name while ours has its own.
     */
    private static function named(string $class, string $member): string
    {
        return str_replace('ComposerSolver', 'Solver', $class).'::'.$member;
    }

    private function markedInternal(string $member, ?string $named): ?string
    {
        if (!str_ends_with($member, '()')) {
            return null;
        }
        foreach ($named === null ? array_values($this->imported) : [$named] as $class) {
            $reflection = self::member($class, $member);
            if ($reflection === null) {
                continue;
            }
            $declaring = $reflection->getDeclaringClass();
            $isInternal = str_contains($reflection->getDocComment().$declaring->getDocComment(), '@internal');
            if ($isInternal && str_starts_with($declaring->getName(), 'Composer\\')) {
                return self::named($declaring->getName(), $member);
            }
        }

        return null;
    }

    /**
     * @return list<string> what the file looks for by name, whether it is there or not
     */
    private function lookedFor(): array
    {
        $found = [];
        preg_match_all("{method_exists\\((?:(\\w+)::class|[^,()]+), '(\\w+)'\\)}", $this->source, $methods, PREG_SET_ORDER);
        foreach ($methods as [, $class, $method]) {
            foreach ($class === '' ? array_values($this->imported) : [$this->resolve($class)] as $candidate) {
                if ($candidate !== null && ($class !== '' || self::member($candidate, $method.'()') !== null)) {
                    $found[] = $candidate.'::'.$method.'()';
                }
            }
        }
        preg_match_all("{ReflectionMethod\\((\\w+)::class, '(\\w+)'\\)}", $this->source, $bodies, PREG_SET_ORDER);
        foreach ($bodies as [, $class, $method]) {
            $found[] = $this->resolve($class).'::'.$method.'()';
        }
        preg_match_all("{property_exists\\((\\w+)::class, '(\\w+)'\\)}", $this->source, $properties, PREG_SET_ORDER);
        foreach ($properties as [, $class, $property]) {
            $found[] = $this->resolve($class).'::$'.$property;
        }
        preg_match_all("{defined\\((\\w+)::class\\.'::(\\w+)'\\)|ReflectionClass\\((\\w+)::class\\)\\)->getConstant\\('(\\w+)'\\)}", $this->source, $constants, PREG_SET_ORDER);
        foreach ($constants as $match) {
            [$class, $name] = array_slice(array_values(array_filter($match)), 1);
            $found[] = $this->resolve($class).'::'.$name;
        }
        preg_match_all('{(?:class|interface)_exists\((\w+)::class\)}', $this->source, $classes);
        foreach ($classes[1] as $class) {
            $found[] = (string) $this->resolve($class);
        }

        return array_filter($found);
    }

    /**
     * @return list<string> classes of Composer whose private members the file reaches
     */
    private function opened(): array
    {
        preg_match_all('{(?:Internals::\w+|Closure::bind)\([^;]*?(\w+)::class\s*[,)]|ReflectionMethod\((\w+)::class}s', $this->source, $match);

        return array_values(array_filter(array_map([$this, 'resolve'], array_merge($match[1], $match[2]))));
    }

    /**
     * @return list<string> classes of Composer that the file's class extends; a trait's are those of a class that has it
     */
    private function ancestors(): array
    {
        $class = trait_exists($this->class) ? 'Allegro\Plugin\Takeover\ZipDownloader' : $this->class;
        $parents = class_exists($class) ? array_values((array) class_parents($class)) : [];

        return array_values(array_filter($parents, static fn (string $parent): bool => str_starts_with($parent, 'Composer\\')));
    }

    private function resolve(string $name): ?string
    {
        return $this->imported[$name] ?? (str_starts_with(ltrim($name, '\\'), 'Composer\\') ? ltrim($name, '\\') : null);
    }

    private static function member(string $class, string $member): \ReflectionMethod|\ReflectionProperty|null
    {
        if (!class_exists($class) && !interface_exists($class)) {
            return null;
        }
        if ($member[0] === '$') {
            return property_exists($class, substr($member, 1)) ? new \ReflectionProperty($class, substr($member, 1)) : null;
        }

        return method_exists($class, substr($member, 0, -2)) ? new \ReflectionMethod($class, substr($member, 0, -2)) : null;
    }
}
