<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Install\DeclinedException;
use Allegro\Plugin\Network\Sources;
use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Package\CompletePackage;
use Composer\Util\Http\ProxyManager;

final class SourcesTest extends TestCase
{
    private const URL = 'https://example.org/dist/a.zip';

    /**
     * @param array<string, mixed> $config
     *
     * @return array{Sources, CompletePackage, Project}
     */
    private function sources(array $config = []): array
    {
        $project = new Project($this->dir.'/project', ['config' => $config]);

        return [new Sources($project->composer, $project->io), Project::package('acme/a', self::URL), $project];
    }

    /**
     * @param array<string, mixed> $config
     *
     * @return array{url: string, headers: list<string>, tls?: array<string, mixed>}
     */
    private function fetchInfo(string $url, array $config = []): array
    {
        [$sources, $package] = $this->sources($config);

        return $sources->fetchInfo($package, $url);
    }

    private function assertDeclined(string $reason, Sources $sources, CompletePackage $package, string $url = self::URL): void
    {
        try {
            $sources->fetchInfo($package, $url);
            self::fail('not declined: '.$reason);
        } catch (DeclinedException $e) {
            self::assertStringContainsString($reason, $e->getMessage());
        }
    }

    private static function basic(string $user, string $password): string
    {
        return 'Authorization: Basic '.base64_encode($user.':'.$password);
    }

    public function testAPlainUrl(): void
    {
        self::assertSame(['url' => self::URL, 'headers' => []], $this->fetchInfo(self::URL));
    }

    public function testCredentialsInTheUrlBecomeAHeader(): void
    {
        self::assertSame(
            ['url' => self::URL, 'headers' => [self::basic('me', 'p@ss word')]],
            $this->fetchInfo('https://me:p%40ss%20word@example.org/dist/a.zip')
        );
        self::assertSame(
            ['url' => 'https://example.org:8443/a.zip', 'headers' => [self::basic('me', 'x')]],
            $this->fetchInfo('https://me:x@example.org:8443/a.zip')
        );
    }

    public function testConfiguredCredentials(): void
    {
        foreach (
            [
            [['http-basic' => ['example.org' => ['username' => 'u', 'password' => 'p']]], self::basic('u', 'p')],
            [['bearer' => ['example.org' => 'token']], 'Authorization: Bearer token'],
            ] as [$config, $header]
        ) {
            self::assertSame(['url' => self::URL, 'headers' => [$header]], $this->fetchInfo(self::URL, $config));
            self::assertSame([], $this->fetchInfo('https://example.com/a.zip', $config)['headers'] ?? null, 'another host gets nothing');
        }
        $github = $this->fetchInfo('https://api.github.com/repos/a/b/zipball/1', ['github-oauth' => ['github.com' => str_repeat('a', 40)]]);
        self::assertSame(['Authorization: token '.str_repeat('a', 40)], $github['headers'] ?? null);
    }

    public function testNoCache(): void
    {
        self::assertFalse($this->sources()[0]->cacheIsOff());
        foreach (['/dev/null', '/dev/null/files', 'nul'] as $dir) {
            self::assertTrue($this->sources(['cache-files-dir' => $dir])[0]->cacheIsOff(), $dir);
        }
        self::assertFalse($this->sources(['cache-files-dir' => $this->dir.'/null/files'])[0]->cacheIsOff());
    }

    public function testDisabledNetwork(): void
    {
        $this->env('COMPOSER_DISABLE_NETWORK', '1');
        [$sources, $package] = $this->sources();
        self::assertTrue($sources->networkIsOff());
        $this->assertDeclined('the network is disabled', $sources, $package);
        $this->env('COMPOSER_DISABLE_NETWORK', '0');
        self::assertFalse($this->sources()[0]->networkIsOff());
    }

    /**
     * @param array<string, string> $env
     *
     * @return array{http: string|null, https: string|null, no_proxy: string}
     */
    private function proxies(array $env): array
    {
        foreach (['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'CGI_HTTP_PROXY', 'no_proxy', 'NO_PROXY'] as $name) {
            $this->env($name, $env[$name] ?? '');
        }
        ProxyManager::reset();

        return $this->sources()[0]->httpOptions()['proxies'];
    }

    public function testProxies(): void
    {
        try {
            self::assertSame(['http' => null, 'https' => null, 'no_proxy' => ''], $this->proxies([]));
            $proxies = $this->proxies(['HTTP_PROXY' => 'http://u:p%40@one', 'HTTPS_PROXY' => 'http://two:81', 'NO_PROXY' => 'a, b']);
            self::assertSame(['http' => 'http://u:p%40@one:80', 'https' => 'http://two:81', 'no_proxy' => 'a, b'], $proxies);
            self::assertSame('http://one:1', $this->proxies(['http_proxy' => 'one:1', 'HTTP_PROXY' => 'two:2'])['http']);
            self::assertSame('n', $this->proxies(['no_proxy' => 'n', 'NO_PROXY' => 'm'])['no_proxy']);
            self::assertNull($this->proxies(['http_proxy' => 'one:1', 'no_proxy' => '*'])['http']);
            $this->proxies(['http_proxy' => 'one:1']);
            self::assertSame(['url' => self::URL, 'headers' => []], $this->fetchInfo(self::URL));

            [$sources, $package] = $this->sources();
            $this->proxies(['https_proxy' => 'gopher://one:1']);
            $this->assertDeclined('a proxy of the kind gopher', $sources, $package);
            $this->proxies(['http_proxy' => 'http://:80']);
            $this->assertDeclined('malformed', $sources, $package);
            $this->proxies([]);
            $this->env('ALL_PROXY', 'http://one:1');
            if (method_exists(ProxyManager::getInstance()->getProxyForRequest(self::URL), 'getUrl')) {
                $this->assertDeclined('ALL_PROXY', $sources, $package);
            }
        } finally {
            $this->proxies([]);
            ProxyManager::reset();
        }
    }

    public function testTransportOptions(): void
    {
        [$sources, $package] = $this->sources();
        $package->setTransportOptions(['http' => ['header' => ['X: y']], 'ssl' => ['cafile' => '/own.pem']]);
        $info = $sources->fetchInfo($package, self::URL);
        self::assertSame(['X: y'], $info['headers']);
        self::assertSame('/own.pem', $info['tls']['ca_file'] ?? null);
        foreach (
            [
                'http.timeout' => ['http' => ['timeout' => 1]],
                'http.header' => ['http' => ['header' => 'X: y']],
                'ssl.peer_name' => ['ssl' => ['peer_name' => 'x']],
                'ssl.allow_self_signed' => ['ssl' => ['allow_self_signed' => true]],
                'ssl.verify_peer' => ['ssl' => ['verify_peer' => false]],
                'ssl.verify_peer_name' => ['ssl' => ['verify_peer_name' => false]],
                'max_file_size' => ['max_file_size' => 1],
            ] as $name => $options
        ) {
            $package->setTransportOptions($options);
            $this->assertDeclined($name, $sources, $package);
        }
    }

    public function testClientCertificates(): void
    {
        [$sources, $package, $project] = $this->sources();
        $new = openssl_pkey_new(['private_key_type' => OPENSSL_KEYTYPE_EC, 'curve_name' => 'prime256v1']);
        self::assertNotFalse($new);
        openssl_pkey_export($new, $plain);
        openssl_pkey_export($new, $locked, 's3cr3t');
        $chain = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        file_put_contents($this->dir.'/both.pem', $chain.$plain);
        file_put_contents($this->dir.'/cert.pem', $chain);
        file_put_contents($this->dir.'/locked.pem', $locked);
        $tls = fn (array $ssl) => $project->composer->getLoop()->getHttpDownloader()->setOptions(['ssl' => $ssl]);

        $tls(['local_cert' => $this->dir.'/both.pem']);
        $certificate = $sources->fetchInfo($package, self::URL)['tls']['certificate'] ?? [];
        self::assertSame([$chain.$plain, $plain], [$certificate['chain'] ?? null, $certificate['key'] ?? null]);
        $tls(['local_cert' => $this->dir.'/cert.pem', 'local_pk' => $this->dir.'/locked.pem', 'passphrase' => 's3cr3t']);
        self::assertSame($plain, $sources->fetchInfo($package, self::URL)['tls']['certificate']['key'] ?? null);
        foreach (['wr0ng', ''] as $passphrase) {
            $tls(['passphrase' => $passphrase]);
            $this->assertDeclined('not with this passphrase', $sources, $package);
        }
        $tls(['local_pk' => $this->dir.'/missing.pem']);
        $this->assertDeclined('can not be read', $sources, $package);
        $tls(['local_cert' => $this->dir.'/locked.pem', 'local_pk' => $this->dir.'/locked.pem']);
        $this->assertDeclined('not PEM', $sources, $package);
    }

    public function testAStoredBitbucketToken(): void
    {
        $stored = ['consumer-key' => 'k', 'consumer-secret' => 's', 'access-token' => 'token', 'access-token-expiration' => time() + 60];
        $url = 'https://bitbucket.org/a/b/get/1.zip';
        $headers = fn (array $stored, string $url): array => $this->fetchInfo($url, ['bitbucket-oauth' => ['bitbucket.org' => $stored]])['headers'];
        self::assertSame(['Authorization: Bearer token'], $headers($stored, $url));
        self::assertSame([self::basic('k', 's')], $headers(['access-token-expiration' => time() - 1] + $stored, $url));
        self::assertNotSame(['Authorization: Bearer token'], $headers($stored, 'https://example.org/a.zip'));
        self::assertNotSame(['Authorization: Bearer token'], $headers($stored, 'https://bitbucket.org/a/b/downloads/1.zip'));
    }

    public function testSecureHttp(): void
    {
        $plain = 'http://example.org/a.zip';
        [$sources, $package] = $this->sources(['secure-http' => true]);
        $this->assertDeclined('not accepted', $sources, $package, $plain);
        self::assertSame($plain, $this->fetchInfo($plain, ['secure-http' => false])['url']);
        self::assertTrue($this->sources(['secure-http' => true])[0]->httpOptions()['secure_http']);
        self::assertFalse($this->sources(['secure-http' => false])[0]->httpOptions()['secure_http']);
    }

    public function testDisabledTls(): void
    {
        [$sources, $package] = $this->sources(['disable-tls' => true]);
        $this->assertDeclined('TLS is disabled', $sources, $package);
    }

    public function testOptionsOfAllDownloads(): void
    {
        [$sources, , $project] = $this->sources();
        $project->composer->getLoop()->getHttpDownloader()->setOptions(['ssl' => ['cafile' => '/ca.pem', 'capath' => '/ca']]);
        $options = $sources->httpOptions();
        self::assertSame(['/ca.pem', '/ca'], [$options['ca_file'], $options['ca_dir']]);
        self::assertStringStartsWith('Composer/', $options['user_agent']);
    }
}
