<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Composer\Composer;
use Composer\IO\IOInterface;
use Composer\Package\PackageInterface;
use Composer\Util\AuthHelper;
use Composer\Util\Platform;
use Composer\Util\StreamContextFactory;
use Composer\Util\Url;
use Symfony\Component\Process\ExecutableFinder;

/**
 * How Composer would fetch a dist: URL, credentials, certificates. What can't be told for sure stays with Composer.
 */
final class Sources
{
    private ?AuthHelper $auth = null;

    private ?bool $unzip = null;

    public function __construct(private readonly Composer $composer, private readonly IOInterface $io)
    {
    }

    /**
     * Whether Composer unpacks zips with `unzip`; otherwise modes and links are lost as ZipArchive loses them.
     */
    public function hasUnzip(): bool
    {
        return $this->unzip ??= (new ExecutableFinder())->find('unzip') !== null;
    }

    /**
     * `--no-cache`: nothing that was kept may be used.
     */
    public function cacheIsOff(): bool
    {
        $root = (string) $this->composer->getConfig()->get('cache-files-dir');

        return preg_match('{(^|[\\\\/])(\$null|nul|NUL|/dev/null)([\\\\/]|$)}', $root) === 1 || str_starts_with($root, '/dev/null');
    }

    public function networkIsOff(): bool
    {
        return (bool) Platform::getEnv('COMPOSER_DISABLE_NETWORK');
    }

    /**
     * What all downloads have in common.
     *
     * @return array<string, mixed>
     */
    public function httpOptions(): array
    {
        $ssl = $this->composer->getLoop()->getHttpDownloader()->getOptions()['ssl'] ?? [];

        return [
            'user_agent' => $this->userAgent(),
            'ca_file' => isset($ssl['cafile']) ? (string) $ssl['cafile'] : null,
            'ca_dir' => isset($ssl['capath']) ? (string) $ssl['capath'] : null,
            'secure_http' => (bool) $this->composer->getConfig()->get('secure-http'),
        ];
    }

    /**
     * Whether a package's download can be ours.
     */
    public function canFetch(PackageInterface $package, string $url): bool
    {
        // A listener of PRE_FILE_DOWNLOAD may have put anything there that PHP can open.
        if (preg_match('{^https?://}i', $url) !== 1) {
            return false;
        }
        if ($this->networkIsOff() || $package->getTransportOptions() !== [] || $this->hasProxy()) {
            return false;
        }
        $options = $this->composer->getLoop()->getHttpDownloader()->getOptions();
        $ssl = $options['ssl'] ?? [];
        $own = array_intersect_key($ssl, array_flip(['local_cert', 'local_pk', 'passphrase', 'peer_fingerprint', 'peer_name', 'allow_self_signed']));
        if ($own !== [] || ($ssl['verify_peer'] ?? true) !== true) {
            return false;
        }

        return !(str_starts_with(strtolower($url), 'https:') && (bool) $this->composer->getConfig()->get('disable-tls'));
    }

    /**
     * @return array{url: string, headers: list<string>}|null null: Composer must download it
     */
    public function fetchInfo(PackageInterface $package, string $url): ?array
    {
        if (!$this->canFetch($package, $url)) {
            return null;
        }
        $config = $this->composer->getConfig();
        try {
            // Throws what Composer would throw; Composer's own download throws it again for the user to see.
            $config->prohibitUrlByConfig($url, $this->io);
            $origin = Url::getOrigin($config, $url);
            if (preg_match('{^https?://([^:/]+):([^@/]+)@([^/]+)}i', $url, $match) === 1) {
                $this->io->setAuthentication($origin, rawurldecode($match[1]), rawurldecode($match[2]));
                $url = (string) preg_replace('{^(https?://)[^@/]+@}i', '$1', $url);
            }
            $options = $this->composer->getLoop()->getHttpDownloader()->getOptions();
            $headers = $options['http']['header'] ?? [];
            $headers = is_array($headers) ? $headers : explode("\r\n", (string) $headers);
            $headers = $this->authenticate($headers, $origin, $url);
        } catch (\Exception $e) {
            return null;
        }

        return $headers === null ? null : ['url' => $url, 'headers' => array_values(array_filter($headers, 'strlen'))];
    }

    /**
     * @param list<string> $headers
     *
     * @return list<string>|null null: more than headers is needed (a client certificate)
     */
    private function authenticate(array $headers, string $origin, string $url): ?array
    {
        $this->auth ??= new AuthHelper($this->io, $this->composer->getConfig());
        // Since 2.9; the older method is still there, but warns.
        if (method_exists($this->auth, 'addAuthenticationOptions')) {
            $options = $this->auth->addAuthenticationOptions(['http' => ['header' => $headers]], $origin, $url);

            return isset($options['ssl']) ? null : $options['http']['header'];
        }

        return $this->auth->addAuthenticationHeader($headers, $origin, $url);
    }

    private function hasProxy(): bool
    {
        foreach (['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'CGI_HTTP_PROXY'] as $name) {
            $value = Platform::getEnv($name);
            if ($value !== false && $value !== '') {
                return true;
            }
        }

        return false;
    }

    private function userAgent(): string
    {
        try {
            $options = StreamContextFactory::initOptions('https://localhost/', []);
            foreach ((array) ($options['http']['header'] ?? []) as $header) {
                if (stripos($header, 'User-Agent:') === 0) {
                    return trim(substr($header, 11));
                }
            }
        } catch (\Throwable $e) {
            // Only a courtesy to the server.
        }

        return 'Composer';
    }
}
