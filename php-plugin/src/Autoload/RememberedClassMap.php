<?php

declare(strict_types=1);

namespace Allegro\Plugin\Autoload;

use Allegro\Plugin\Internals;
use Composer\ClassMapGenerator\ClassMap;

/**
 * A class map of a dump that was skipped. Its size is known, and the rest is loaded at the first
 * access.
 */
final class RememberedClassMap extends ClassMap
{
    /**
     * The properties of the full class map, once it is loaded.
     *
     * @var array<string, mixed>|null
     */
    private ?array $loaded = null;

    /**
     * @param \Closure(): ClassMap $load
     */
    public function __construct(private readonly int $classes, private readonly \Closure $load)
    {
        // PHP calls __get() for an unset property. That works for the properties of every version
        // of the class.
        $empty = static function (ClassMap $map): void {
            /** @var string $name */
            foreach (array_keys(get_object_vars($map)) as $name) {
                // @mago-expect analysis:string-member-selector Every property is unset.
                unset($map->$name);
            }
        };
        \Closure::bind($empty, null, ClassMap::class)($this);
    }

    /**
     * Returns the number of classes, without loading the full class map.
     */
    public function count(): int
    {
        return $this->loaded === null ? $this->classes : parent::count();
    }

    /**
     * Loads the full class map at the first call, and returns one of its properties.
     */
    public function &__get(string $name): mixed
    {
        if ($this->loaded === null) {
            $loaded = ($this->load)();
            $this->loaded = Internals::of($loaded, ClassMap::class);
            Internals::inherit($this, $loaded, ClassMap::class);
        }
        $reference = static function &(ClassMap $map, string $property): mixed {
            // @mago-expect analysis:string-member-selector PHP asks for the property by its name.
            return $map->$property;
        };

        // The bound closure returns a reference as well.
        // @mago-expect analysis:invalid-return-statement
        return \Closure::bind($reference, null, ClassMap::class)($this, $name);
    }
}
