<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Tests\Support\Sources;
use Allegro\Plugin\Tests\Support\TestCase;

/**
 * The end-to-end tests of the guard name methods that get no fault: all of these exist.
 */
final class FaultPointsTest extends TestCase
{
    public function testEachMethodThatIsNamedExists(): void
    {
        $script = (string) file_get_contents(self::root().'/tests/e2e/fixtures/faults/instrument.php');
        self::assertSame(1, preg_match('{^const CALLED_FROM_OUTSIDE = (\[.*?^\]);}ms', $script, $match));
        $classes = [];
        foreach (array_keys(Sources::all()) as $file) {
            $classes[basename($file, '.php')][] = 'Allegro\Plugin'.str_replace('/', '\\', substr($file, 0, -4));
        }
        foreach (eval('return '.$match[1].';') as $name => $methods) {
            self::assertCount(1, $classes[$name] ?? [], $name);
            foreach (array_diff($methods, ['*']) as $method) {
                self::assertTrue(method_exists($classes[$name][0], $method), $name.'::'.$method);
            }
        }
    }
}
