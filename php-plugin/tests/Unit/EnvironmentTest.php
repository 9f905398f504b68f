<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Native\Environment;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Util\Platform;

final class EnvironmentTest extends TestCase
{
    /** @var array<string, string|false> */
    private array $before = [];

    protected function tearDown(): void
    {
        foreach ($this->before as $name => $value) {
            putenv($value === false ? $name : $name.'='.$value);
            unset($_SERVER[$name]);
            if ($value !== false) {
                $_SERVER[$name] = $value;
            }
        }
        parent::tearDown();
    }

    private function set(string $name, string $value): void
    {
        $this->before[$name] = getenv($name);
        putenv($name.'='.$value);
        $_SERVER[$name] = $value;
    }

    public function testAHelperInheritsWhatItNeeds(): void
    {
        $kept = [
            'HOME' => '/home/me',
            'LC_TIME' => 'C',
            'XDG_CACHE_HOME' => '/caches',
            'LD_PRELOAD' => '',
            'TZ' => 'Europe/Oslo',
            'RES_OPTIONS' => 'attempts:1',
            'ALLEGRO_WORKERS' => '3',
        ];
        $gone = ['COMPOSER_AUTH', 'GITHUB_TOKEN', 'HTTP_PROXY', 'MY_ALLEGRO_STORE', 'HOMEBREW_TOKEN', 'SSH_AUTH_SOCK'];
        foreach ($kept as $name => $value) {
            $this->set($name, $value);
        }
        foreach ($gone as $name) {
            $this->set($name, 's3cr3t');
        }
        $inherited = Environment::ofHelper();
        self::assertSame($kept, array_intersect_key(array_merge($kept, $inherited), $kept));
        self::assertSame([], array_intersect_key($inherited, array_flip($gone)));
        self::assertNotContains('s3cr3t', $inherited);
    }

    /**
     * The core has the same table: `settings::tests`.
     *
     * @return iterable<array{string, string}>
     */
    public function paths(): iterable
    {
        yield ['~/st', '/home/me/st'];
        yield ['~\st', '~\st'];
        yield ['~', '~'];
        yield ['~other/st', '~other/st'];
        yield ['$HOME/st', '/home/me/st'];
        yield ['$HOME', '/home/me'];
        yield ['$HOME_/st', '/st'];
        yield ['$EMPTY/st', '/st'];
        yield ['$UNSET/st', '/st'];
        yield ['%HOME%/st', '/home/me/st'];
        yield ['%HOME/st', '%HOME/st'];
        yield ['${HOME}/st', '${HOME}/st'];
        yield ['$/st', '$/st'];
        yield ['%%/st', '%%/st'];
        yield ['/a/$HOME/~/st', '/a/$HOME/~/st'];
        yield ['st', 'st'];
        yield ['', ''];
    }

    /**
     * @dataProvider paths
     */
    public function testAPathIsExpandedAsComposerDoes(string $path, string $expected): void
    {
        $this->set('HOME', '/home/me');
        $this->set('EMPTY', '');
        $this->set('ALLEGRO_STORE', $path);
        self::assertSame($expected, Platform::expandPath($path));
        self::assertSame($expected, Environment::ofHelper()['ALLEGRO_STORE'] ?? null);
    }
}
