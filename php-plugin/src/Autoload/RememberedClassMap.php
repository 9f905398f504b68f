<?php

declare(strict_types=1);

namespace Allegro\Plugin\Autoload;

use Allegro\Plugin\Internals;
use Composer\ClassMapGenerator\ClassMap;

/**
 * The class map of a dump that was left out: its size is known, everything else is made when somebody looks at it.
 */
final class RememberedClassMap extends ClassMap
{
    /** @var array<string, mixed>|null */
    private ?array $loaded = null;

    /**
     * @param \Closure(): ClassMap $load
     */
    public function __construct(private readonly int $classes, private readonly \Closure $load)
    {
        // A property that isn't there is asked for below, whatever the properties of this version are.
        $empty = static function (ClassMap $map): void {
            foreach (array_keys(get_object_vars($map)) as $name) {
                unset($map->$name);
            }
        };
        \Closure::bind($empty, null, ClassMap::class)($this);
    }

    public function count(): int
    {
        return $this->loaded === null ? $this->classes : parent::count();
    }

    public function &__get(string $name): mixed
    {
        if ($this->loaded === null) {
            $loaded = ($this->load)();
            $this->loaded = Internals::of($loaded, ClassMap::class);
            Internals::inherit($this, $loaded, ClassMap::class);
        }
        $reference = static function &(ClassMap $map, string $property): mixed {
            return $map->$property;
        };

        return \Closure::bind($reference, null, ClassMap::class)($this, $name);
    }
}
