<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Install\Sources;
use Allegro\Plugin\Tests\Support\Project;
use Allegro\Plugin\Tests\Support\TestCase;
use Composer\Package\CompletePackage;

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
     * @return array{url: string, headers: list<string>}|null
     */
    private function fetchInfo(string $url, array $config = []): ?array
    {
        [$sources, $package] = $this->sources($config);

        return $sources->fetchInfo($package, $url);
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
        self::assertFalse($sources->canFetch($package, self::URL));
        self::assertNull($sources->fetchInfo($package, self::URL));
        $this->env('COMPOSER_DISABLE_NETWORK', '0');
        self::assertFalse($this->sources()[0]->networkIsOff());
    }

    /**
     * @return iterable<string, array{string}>
     */
    public function proxies(): iterable
    {
        foreach (['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'CGI_HTTP_PROXY'] as $name) {
            yield $name => [$name];
        }
    }

    /**
     * @dataProvider proxies
     */
    public function testProxiesStayWithComposer(string $name): void
    {
        [$sources, $package] = $this->sources();
        $this->env($name, '');
        self::assertNotNull($sources->fetchInfo($package, self::URL));
        $this->env($name, 'http://proxy.example.org:3128');
        self::assertNull($sources->fetchInfo($package, self::URL));
    }

    public function testTransportOptionsStayWithComposer(): void
    {
        [$sources, $package] = $this->sources();
        $package->setTransportOptions(['http' => ['header' => ['X: y']]]);
        self::assertNull($sources->fetchInfo($package, self::URL));
    }

    public function testClientCertificatesStayWithComposer(): void
    {
        [$sources, $package, $project] = $this->sources();
        $project->composer->getLoop()->getHttpDownloader()->setOptions(['ssl' => ['local_cert' => '/client.pem']]);
        self::assertNull($sources->fetchInfo($package, self::URL));
    }

    public function testUncheckedCertificatesStayWithComposer(): void
    {
        foreach (['verify_peer' => false, 'allow_self_signed' => true, 'peer_name' => 'x'] as $option => $value) {
            [$sources, $package, $project] = $this->sources();
            $project->composer->getLoop()->getHttpDownloader()->setOptions(['ssl' => [$option => $value]]);
            self::assertNull($sources->fetchInfo($package, self::URL), $option);
        }
    }

    public function testSecureHttp(): void
    {
        $plain = 'http://example.org/a.zip';
        self::assertNull($this->fetchInfo($plain, ['secure-http' => true]));
        self::assertNotNull($this->fetchInfo($plain, ['secure-http' => false]));
        self::assertTrue($this->sources(['secure-http' => true])[0]->httpOptions()['secure_http']);
        self::assertFalse($this->sources(['secure-http' => false])[0]->httpOptions()['secure_http']);
    }

    public function testDisabledTls(): void
    {
        self::assertNull($this->fetchInfo(self::URL, ['disable-tls' => true]));
    }

    public function testOptionsOfAllDownloads(): void
    {
        [$sources, , $project] = $this->sources();
        $project->composer->getLoop()->getHttpDownloader()->setOptions(['ssl' => ['cafile' => '/ca.pem', 'capath' => '/ca']]);
        $options = $sources->httpOptions();
        self::assertSame(['/ca.pem', '/ca'], [$options['ca_file'], $options['ca_dir']]);
        self::assertStringStartsWith('Composer/', $options['user_agent']);
    }

    public function testUnzip(): void
    {
        self::assertTrue($this->sources()[0]->hasUnzip());
        $this->env('PATH', $this->dir);
        self::assertFalse($this->sources()[0]->hasUnzip());
    }
}
