<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Util\HttpDownloader;

/**
 * Proxies in a PHP without curl, with each form of Composer's own class: the newer one needs curl's constants.
 */
final class ProxiesTest extends TestCase
{
    private const OLD = <<<'PHP'
        public function getUrl() { return ''; }
        PHP;

    private const NEW = <<<'PHP'
        public function getCurlOptions(array $ssl): array { return [CURLOPT_PROXY => '']; }
        PHP;

    /**
     * @return iterable<string, array{string, string, string}>
     */
    public function forms(): iterable
    {
        yield 'before 2.7.3, no proxy' => [self::OLD, '[]', 'none'];
        yield 'before 2.7.3, a proxy' => [self::OLD, '["http" => ["proxy" => "tcp://x:1"]]', 'declined'];
        yield 'since 2.7.3, no proxy' => [self::NEW, 'null', 'none'];
        yield 'since 2.7.3, a proxy' => [self::NEW, '["http" => ["proxy" => "tcp://x:1"]]', 'declined'];
    }

    /**
     * @dataProvider forms
     */
    public function testWithoutCurlNothingOfCurlIsUsed(string $method, string $context, string $expected): void
    {
        $source = dirname(__DIR__, 2).'/src';
        $downloader = (new \ReflectionClass(HttpDownloader::class))->getFileName();
        $script = sprintf(
            <<<'PHP'
            <?php
            namespace Composer\Util\Http {
                class RequestProxy { %s public function getContextOptions() { return %s; } }
                class ProxyManager {
                    public static function getInstance() { return new self(); }
                    public function getProxyForRequest(string $url) { return new RequestProxy(); }
                }
            }
            namespace {
                foreach (%s as $file) { require $file; }
                if (extension_loaded('curl')) { exit('curl'); }
                try {
                    echo (new Allegro\Plugin\Network\Proxies())->of('http://host.invalid/') ?? 'none';
                } catch (Allegro\Plugin\Install\DeclinedException $e) {
                    echo 'declined';
                }
            }
            PHP,
            $method,
            $context,
            var_export([$downloader, $source.'/Install/DeclinedException.php', $source.'/Network/Proxies.php'], true)
        );
        file_put_contents($this->dir.'/script.php', $script);
        exec(escapeshellarg(PHP_BINARY).' -n '.escapeshellarg($this->dir.'/script.php').' 2>&1', $output, $exit);
        if ($output === ['curl']) {
            self::markTestSkipped('curl is compiled into PHP');
        }
        self::assertSame([0, [$expected]], [$exit, $output]);
    }
}
