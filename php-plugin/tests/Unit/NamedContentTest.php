<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Install\PackageRequests;
use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\TestCase;

/**
 * Only a checksum or a commit id in the URL says which content a dist has.
 */
final class NamedContentTest extends TestCase
{
    private const SHA1 = '0123456789abcdef0123456789abcdef01234567';

    /**
     * @return iterable<string, array{bool, string|null, string}>
     */
    public function references(): iterable
    {
        $sha256 = str_repeat('0123456789abcdef', 4);
        yield 'commit' => [true, self::SHA1, 'https://h/zipball/'.self::SHA1];
        yield 'commit in capitals' => [true, strtoupper(self::SHA1), 'https://h/zipball/'.self::SHA1];
        yield 'commit of SHA-256' => [true, $sha256, 'https://h/'.$sha256.'.zip'];
        yield 'commit that is not in the URL' => [false, self::SHA1, 'https://h/a.zip'];
        yield 'none' => [false, null, 'https://h/a.zip'];
        yield 'empty' => [false, '', 'https://h/a.zip'];
        yield 'branch' => [false, 'master', 'https://h/master.zip'];
        yield 'tag' => [false, 'v1.2.3', 'https://h/v1.2.3.zip'];
        yield 'number' => [false, '1', 'https://h/1.zip'];
        yield 'date' => [false, '20240101', 'https://h/20240101.zip'];
        yield 'short commit' => [false, '0123456789ab', 'https://h/0123456789ab.zip'];
        yield '41 digits' => [false, self::SHA1.'8', 'https://h/'.self::SHA1.'8.zip'];
        yield '63 digits' => [false, substr($sha256, 1), 'https://h/'.$sha256.'.zip'];
        yield 'no hexadecimal digits' => [false, str_repeat('g', 40), 'https://h/'.str_repeat('g', 40)];
        yield 'a line after it' => [false, self::SHA1."\n", 'https://h/'.self::SHA1."\n"];
    }

    /**
     * @dataProvider references
     */
    public function testReferences(bool $isNamed, ?string $reference, string $url): void
    {
        $package = Project::package('acme/a', $url);
        $package->setDistReference($reference);
        self::assertSame($isNamed, PackageRequests::isNamed($package, $url));
        $package->setDistSha1Checksum(self::SHA1);
        self::assertTrue(PackageRequests::isNamed($package, $url), 'the checksum says it in any case');
    }
}
