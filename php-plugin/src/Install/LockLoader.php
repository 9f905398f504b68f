<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Guard;
use Allegro\Plugin\Internals;
use Composer\Package\BasePackage;
use Composer\Package\CompletePackage;
use Composer\Package\Loader\ArrayLoader;

/**
 * Composer's loader of locked packages, which doesn't load the same one twice.
 *
 * Composer loads the whole lock each time it is looked at, two to four times in a run (0.05 s with 1,600 packages). Each
 * of them gets packages of its own: copies of one that nobody else has.
 */
final class LockLoader extends ArrayLoader
{
    /** @var array<string, array{array<mixed>, CompletePackage}> by name: what was loaded, and what came of it */
    private array $known = [];

    /**
     * Takes the place of a loader, with everything that it knows.
     */
    public static function inPlaceOf(ArrayLoader $other): self
    {
        return Internals::inherit((new \ReflectionClass(self::class))->newInstanceWithoutConstructor(), $other, ArrayLoader::class);
    }

    /**
     * {@inheritDoc}
     *
     * @param array<mixed> $config
     * @param string       $class
     */
    public function load(array $config, $class = CompletePackage::class): BasePackage
    {
        return Guard::run(
            fn (): BasePackage => $this->loadOnce($config, $class),
            function () use ($config, $class): BasePackage {
                $this->known = [];

                return parent::load($config, $class);
            }
        );
    }

    /**
     * @param array<mixed> $config
     */
    private function loadOnce(array $config, string $class): BasePackage
    {
        $name = $config['name'] ?? null;
        if ($class !== CompletePackage::class || !is_string($name)) {
            return Guard::out(fn (): BasePackage => parent::load($config, $class));
        }
        // Arrays that are one and the same are equal at once.
        if (isset($this->known[$name]) && $this->known[$name][0] === $config) {
            return clone $this->known[$name][1];
        }
        $package = Guard::out(fn (): BasePackage => parent::load($config, $class));
        // An alias has its package with it, which would be the same for all.
        if (get_class($package) === CompletePackage::class) {
            $this->known[$name] = [$config, clone $package];
        }

        return $package;
    }
}
