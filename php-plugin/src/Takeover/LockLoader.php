<?php

declare(strict_types=1);

namespace Allegro\Plugin\Takeover;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Internals;
use Composer\Package\BasePackage;
use Composer\Package\CompleteAliasPackage;
use Composer\Package\CompletePackage;
use Composer\Package\Loader\ArrayLoader;
use Composer\Package\RootAliasPackage;
use Composer\Package\RootPackage;

/**
 * Loads locked packages like Composer's loader, but doesn't load the same package twice.
 *
 * Composer loads the whole lock at each look at it, two to four times in a run (0.05 s with 1,600
 * packages). Each caller gets packages of its own, as copies of a package that no other code has.
 */
final class LockLoader extends ArrayLoader
{
    /**
     * Loaded packages by name, each with the data that it was loaded from.
     *
     * @var array<string, array{array<mixed>, CompletePackage}>
     */
    private array $known = [];

    /**
     * Makes a loader that takes the place of another one, with the state of the other.
     */
    public static function inPlaceOf(ArrayLoader $other): self
    {
        return Internals::inherit((new \ReflectionClass(self::class))->newInstanceWithoutConstructor(), $other, ArrayLoader::class);
    }

    /**
     * {@inheritDoc}
     *
     * @param array<mixed>                                              $config
     * @param class-string<CompletePackage>|class-string<RootPackage> $class
     */
    public function load(array $config, $class = CompletePackage::class): BasePackage
    {
        /** @var CompletePackage|CompleteAliasPackage|RootPackage|RootAliasPackage $package */
        $package = Guard::run(
            fn (): BasePackage => $this->loadOnce($config, $class),
            function () use ($config, $class): BasePackage {
                $this->known = [];

                return parent::load($config, $class);
            }
        );

        return $package;
    }

    /**
     * Loads a package, or copies the one that was loaded from the same data.
     *
     * @param array<mixed>                                              $config
     * @param class-string<CompletePackage>|class-string<RootPackage> $class
     */
    private function loadOnce(array $config, string $class): BasePackage
    {
        /** @var mixed $name */
        $name = $config['name'] ?? null;
        if ($class !== CompletePackage::class || !is_string($name)) {
            return Guard::out(fn (): BasePackage => parent::load($config, $class));
        }
        // PHP sees at once that an array is equal to itself.
        if (isset($this->known[$name]) && $this->known[$name][0] === $config) {
            return clone $this->known[$name][1];
        }
        $package = Guard::out(fn (): BasePackage => parent::load($config, $class));
        // An alias holds its package, which would be the same for all copies.
        if (get_class($package) === CompletePackage::class) {
            /** @var CompletePackage $package */
            $this->known[$name] = [$config, clone $package];
        }

        return $package;
    }
}
