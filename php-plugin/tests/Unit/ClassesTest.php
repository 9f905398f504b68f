<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Tests\Support\Sources;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\ClassMapGenerator\ClassMap;

/**
 * When the plugin is updated in a run, a class that was not loaded before would come from the new version.
 */
final class ClassesTest extends TestCase
{
    /** Loads all classes, replaces the sources by a newer version, loads all classes, and prints what is loaded. */
    private const SCRIPT = <<<'PHP'
        require $argv[1];
        spl_autoload_register(static function (string $class) use ($argv): void {
            str_starts_with($class, 'Allegro\Plugin\\') && require $argv[2].str_replace('\\', '/', substr($class, strlen('Allegro\Plugin'))).'.php';
        }, true, true);
        \Allegro\Plugin\Classes::loadAll();
        file_put_contents($argv[2].'/Install/Newer.php', '<?php namespace Allegro\Plugin\Install; final class Newer { }');
        \Allegro\Plugin\Classes::loadAll();
        $loaded = array_merge(get_declared_classes(), get_declared_interfaces(), get_declared_traits());
        echo json_encode(array_values(preg_grep('{^Allegro\\\\Plugin\\\\}', $loaded)));
        PHP;

    public function testAllThatIsNeededLateIsLoadedEarlyAndNothingOfANewerVersion(): void
    {
        $src = $this->dir.'/src';
        foreach (Sources::all() as $file => $source) {
            is_dir(dirname($src.$file)) || mkdir(dirname($src.$file), 0777, true);
            file_put_contents($src.$file, $source);
        }
        $composer = getenv('ALLEGRO_COMPOSER_CLASSES') ?: '/usr/share/php/Composer/autoload.php';
        $command = array_map('escapeshellarg', [PHP_BINARY, '-r', self::SCRIPT, '--', $composer, $src]);
        exec(implode(' ', $command).' 2>&1', $output, $status);
        self::assertSame(0, $status, implode("\n", $output));
        $loaded = json_decode(implode("\n", $output), true, 512, JSON_THROW_ON_ERROR);
        sort($loaded);

        $needed = [];
        foreach (array_keys(Sources::all()) as $file) {
            // What a command needs while packages change it loads by itself; a resolution is over by then.
            if (preg_match('{^/(Command|Resolve)/}', $file) !== 1 && ($file !== '/Autoload/RememberedClassMap.php' || class_exists(ClassMap::class))) {
                $needed[] = 'Allegro\Plugin'.str_replace('/', '\\', substr($file, 0, -4));
            }
        }
        sort($needed);
        self::assertGreaterThan(50, count($needed));
        self::assertSame($needed, $loaded);
    }
}
