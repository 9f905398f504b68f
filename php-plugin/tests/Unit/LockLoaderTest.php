<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Takeover\LockLoader;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Package\AliasPackage;
use Composer\Package\CompletePackage;
use Composer\Package\Loader\ArrayLoader;
use Composer\Repository\ArrayRepository;

final class LockLoaderTest extends TestCase
{
    private const PACKAGE = [
        'name' => 'a/a',
        'version' => '1.2.0',
        'type' => 'library',
        'require' => ['b/b' => '^1.0'],
        'replace' => ['c/c' => 'self.version'],
        'time' => '2026-01-02T03:04:05+00:00',
        'dist' => ['type' => 'zip', 'url' => 'http://localhost/a.zip', 'reference' => 'abc', 'shasum' => ''],
        'authors' => [['name' => 'Somebody']],
        'extra' => ['key' => ['value']],
    ];

    public function testEachGetsAPackageOfItsOwn(): void
    {
        $loader = LockLoader::inPlaceOf(new ArrayLoader(null, true));
        $expected = (new ArrayLoader(null, true))->load(self::PACKAGE);
        $first = $loader->load(self::PACKAGE);
        self::assertEquals($expected, $first);
        // What happens to one is not seen by others.
        self::assertInstanceOf(CompletePackage::class, $first);
        $first->setRequires([]);
        $first->setExtra(['changed' => true]);
        $first->setId(7);
        new ArrayRepository([$first]);
        for ($time = 0; $time < 2; ++$time) {
            $again = $loader->load(self::PACKAGE);
            self::assertNotSame($first, $again);
            self::assertEquals($expected, $again);
            self::assertNull($again->getRepository());
            $again->setId(8);
        }
    }

    public function testWhatIsWrittenOtherwiseIsLoaded(): void
    {
        $loader = LockLoader::inPlaceOf(new ArrayLoader(null, true));
        $loader->load(self::PACKAGE);
        foreach ([['version' => '1.3.0'], ['require' => ['b/b' => '^2.0']], ['extra' => ['key' => ['other']]], ['abandoned' => true]] as $more) {
            $config = $more + self::PACKAGE;
            self::assertEquals((new ArrayLoader(null, true))->load($config), $loader->load($config));
        }
        self::assertEquals((new ArrayLoader(null, true))->load(self::PACKAGE), $loader->load(self::PACKAGE));
    }

    public function testAliasesHavePackagesOfTheirOwn(): void
    {
        $loader = LockLoader::inPlaceOf(new ArrayLoader(null, true));
        $config = ['version' => 'dev-main', 'extra' => ['branch-alias' => ['dev-main' => '2.x-dev']]] + self::PACKAGE;
        $first = $loader->load($config);
        $second = $loader->load($config);
        self::assertInstanceOf(AliasPackage::class, $first);
        self::assertInstanceOf(AliasPackage::class, $second);
        self::assertEquals($first, $second);
        self::assertNotSame($first->getAliasOf(), $second->getAliasOf());
    }

    public function testNonsenseIsRefusedInComposersWords(): void
    {
        $loader = LockLoader::inPlaceOf(new ArrayLoader(null, true));
        foreach ([['version' => '1.0'], ['name' => 'a/a']] as $config) {
            try {
                $loader->load($config);
                self::fail('it was loaded');
            } catch (\UnexpectedValueException $e) {
                self::assertNotSame('', $e->getMessage());
            }
        }
    }
}
