<?php

declare(strict_types=1);

namespace Allegro\Plugin\Network;

use Allegro\Plugin\Install\DeclinedException;
use Allegro\Plugin\Native\Protocol;
use Composer\Composer;
use Composer\IO\IOInterface;
use Composer\Package\PackageInterface;
use Composer\Util\AuthHelper;
use Composer\Util\HttpDownloader;
use Composer\Util\Platform;
use Composer\Util\StreamContextFactory;
use Composer\Util\Url;

/**
 * Finds out how Composer would fetch a dist: URL, credentials, proxies and certificates. A download
 * that is not certain stays with Composer.
 *
 * @phpstan-import-type FetchInfo from Protocol
 * @phpstan-import-type HttpOptions from Protocol
 * @phpstan-import-type Tls from Protocol
 *
 * @phpstan-type BitbucketToken array{
 *     'consumer-key'?: string,
 *     'access-token'?: string|null,
 *     'access-token-expiration'?: int,
 *     ...
 * }
 * @phpstan-type Options array{http: array{header: list<string>}, ssl?: array<string, mixed>}
 */
final class Sources
{
    private ?AuthHelper $auth = null;

    private Proxies $proxies;

    private Certificates $certificates;

    public function __construct(private readonly Composer $composer, private readonly IOInterface $io)
    {
        $this->proxies = new Proxies();
        $this->certificates = new Certificates();
    }

    /**
     * Tells whether Composer's cache is switched off, as by `--no-cache`. Then nothing that was
     * kept may be used.
     */
    public function cacheIsOff(): bool
    {
        $root = (string) $this->composer->getConfig()->get('cache-files-dir');

        return preg_match('{(^|[\\\\/])(\$null|nul|NUL|/dev/null)([\\\\/]|$)}', $root) === 1 || str_starts_with($root, '/dev/null');
    }

    /**
     * Tells whether COMPOSER_DISABLE_NETWORK switches the network off.
     */
    public function networkIsOff(): bool
    {
        return (bool) Platform::getEnv('COMPOSER_DISABLE_NETWORK');
    }

    /**
     * Returns the options that all downloads have in common.
     *
     * @return HttpOptions
     */
    public function httpOptions(): array
    {
        /** @var scalar|null $isSecure */
        $isSecure = $this->composer->getConfig()->get('secure-http');

        return [
            'user_agent' => $this->userAgent(),
            'secure_http' => (bool) $isSecure,
            'proxies' => $this->proxies->all(),
        ] + Certificates::places($this->commonOptions()['ssl'] ?? []);
    }

    /**
     * Returns the URL, headers and TLS options with which Composer would fetch a package.
     *
     * @return FetchInfo
     *
     * @throws DeclinedException Composer must download it
     */
    public function fetchInfo(PackageInterface $package, string $url): array
    {
        return $this->accessTo($url, $this->check($package, $url));
    }

    /**
     * Returns the URL, headers and TLS options with which Composer would fetch metadata of a
     * repository.
     *
     * @param array<mixed> $options the repository's
     *
     * @return FetchInfo
     *
     * @throws DeclinedException Composer must download it
     */
    public function metadata(array $options, string $url): array
    {
        return $this->accessTo($url, $this->checkOptions($options, $url));
    }

    /**
     * Returns the URL, headers and TLS options of a request, with credentials.
     *
     * @param Options $options
     *
     * @return FetchInfo
     *
     * @throws DeclinedException
     */
    private function accessTo(string $url, array $options): array
    {
        $config = $this->composer->getConfig();
        try {
            // This throws the same as in Composer. Composer's own download throws it again for the
            // user to see.
            $config->prohibitUrlByConfig($url, $this->io);
            /** @var non-empty-string $url */
            $origin = Url::getOrigin($config, $url);
            $match = [];
            if (preg_match('{^https?://([^:/]+):([^@/]+)@([^/]+)}i', $url, $match) === 1) {
                $this->io->setAuthentication($origin, rawurldecode($match[1]), rawurldecode($match[2]));
                $url = (string) preg_replace('{^(https?://)[^@/]+@}i', '$1', $url);
            }
            $options = $this->authenticate($options, $origin, $url);
        } catch (\Exception $e) {
            // The message may quote the URL.
            throw new DeclinedException('its URL or the credentials for it are not accepted', 0, $e);
        }
        $tls = $this->tls($options, $url);
        /** @var callable(string): bool $isFilled */
        $isFilled = 'strlen';
        $info = ['url' => $url, 'headers' => array_values(array_filter($options['http']['header'], $isFilled))];

        return $tls === null ? $info : $info + ['tls' => $tls];
    }

    /**
     * Returns the options that Composer would use, without credentials. It throws if one of them is
     * not understood.
     *
     * @return Options
     *
     * @throws DeclinedException the download can't be ours
     */
    public function check(PackageInterface $package, string $url): array
    {
        return $this->checkOptions($package->getTransportOptions(), $url);
    }

    /**
     * Returns the options of a request, without credentials. It throws if one of them is not
     * understood.
     *
     * @param array<mixed> $own options of the package or of the repository
     *
     * @return Options
     *
     * @throws DeclinedException
     */
    private function checkOptions(array $own, string $url): array
    {
        // A listener of PRE_FILE_DOWNLOAD may have set any URL that PHP can open.
        if (preg_match('{^https?://}i', $url) !== 1) {
            throw new DeclinedException('its URL is neither http nor https');
        }
        if ($this->networkIsOff()) {
            throw new DeclinedException('the network is disabled');
        }
        if (!HttpDownloader::isCurlEnabled() && !filter_var(ini_get('allow_url_fopen'), FILTER_VALIDATE_BOOLEAN)) {
            throw new DeclinedException('PHP may not open URLs (allow_url_fopen)');
        }
        if (str_starts_with(strtolower($url), 'https:')) {
            /** @var scalar|null $isWithoutTls */
            $isWithoutTls = $this->composer->getConfig()->get('disable-tls');
            if ((bool) $isWithoutTls) {
                throw new DeclinedException('TLS is disabled (disable-tls)');
            }
        }
        $options = array_replace_recursive($this->commonOptions(), $own);
        /** @var mixed $value */
        foreach (array_diff_key($options, ['http' => 0, 'ssl' => 0]) as $name => $value) {
            throw new DeclinedException('of its options, '.$name.' is not supported');
        }
        $options['http'] = $options['http'] ?? [];
        $options['ssl'] = $options['ssl'] ?? [];
        if (!is_array($options['http']) || !is_array($options['ssl'])) {
            throw new DeclinedException('its options are not understood');
        }
        /** @var mixed $value */
        foreach (array_diff_key($options['http'], ['header' => 0]) as $name => $value) {
            throw new DeclinedException('of its options, http.'.$name.' is not supported');
        }
        /** @var mixed $headers */
        $headers = $options['http']['header'] ?? [];
        if (!is_array($headers) || array_filter($headers, static fn ($line): bool => !is_string($line)) !== []) {
            throw new DeclinedException('of its options, http.header is not a list of lines');
        }
        $options['http']['header'] = array_values($headers);
        /** @var Options $options */
        $this->tls($options, $url);

        return $options;
    }

    /**
     * Returns the TLS options of a request, or null if they are the common ones.
     *
     * @param Options $options
     *
     * @return Tls|null
     *
     * @throws DeclinedException
     */
    private function tls(array $options, string $url): ?array
    {
        $tls = $this->certificates->of($options['ssl'] ?? [], $this->commonOptions()['ssl'] ?? []);
        $proxy = $this->proxies->of($url);
        if ($proxy !== null && isset($tls['certificate']) && str_starts_with($proxy, 'https://')) {
            // The certificate is meant for the server, but the proxy would be shown it as well.
            throw new DeclinedException('a client certificate does not go through a proxy that speaks TLS itself');
        }

        return $tls;
    }

    /**
     * Returns the options that Composer's HttpDownloader uses for all requests.
     *
     * @return array{ssl?: array<string, mixed>, ...}
     */
    private function commonOptions(): array
    {
        /** @var array{ssl?: array<string, mixed>, ...} $options */
        $options = $this->composer->getLoop()->getHttpDownloader()->getOptions();

        return $options;
    }

    /**
     * Returns the options of a request with credentials.
     *
     * @param Options $options
     *
     * @return Options
     */
    private function authenticate(array $options, string $origin, string $url): array
    {
        $auth = $this->auth ??= new AuthHelper($this->io, $this->composer->getConfig());
        $bitbucket = $this->bitbucketToken($auth, $origin, $url);
        if ($bitbucket !== null) {
            $options['http']['header'][] = 'Authorization: Bearer '.$bitbucket;
        } elseif (method_exists($auth, 'addAuthenticationOptions')) {
            // This method exists since Composer 2.9. The older method is still there, but warns.
            /** @var Options $options */
            $options = $auth->addAuthenticationOptions($options, $origin, $url);
        } else {
            /** @var list<string> $headers */
            $headers = $auth->addAuthenticationHeader($options['http']['header'], $origin, $url);
            $options['http']['header'] = $headers;
        }

        return $options;
    }

    /**
     * Returns a Bitbucket token that was stored earlier and is still good, or null.
     *
     * Composer sends the consumer's key and secret first, which can't succeed. It comes to the
     * token when the server asks it for credentials.
     */
    private function bitbucketToken(AuthHelper $auth, string $origin, string $url): ?string
    {
        if (($origin !== 'bitbucket.org' && $origin !== 'api.bitbucket.org') || $auth->isPublicBitBucketDownload($url)) {
            return null;
        }
        /** @var array<string, BitbucketToken>|null $config */
        $config = $this->composer->getConfig()->get('bitbucket-oauth');
        $stored = $config['bitbucket.org'] ?? [];
        $authentication = $this->io->hasAuthentication('bitbucket.org') ? $this->io->getAuthentication('bitbucket.org') : [];
        $isConsumer = ($authentication['username'] ?? null) === ($stored['consumer-key'] ?? false);
        $token = $stored['access-token'] ?? null;

        return $isConsumer && is_string($token) && time() <= ($stored['access-token-expiration'] ?? 0) ? $token : null;
    }

    /**
     * Returns the User-Agent that Composer sends.
     */
    private function userAgent(): string
    {
        try {
            /** @var array{http?: array{header?: list<string>|string, ...}, ...} $options */
            $options = StreamContextFactory::initOptions('http://localhost/', []);
            foreach ((array) ($options['http']['header'] ?? []) as $header) {
                if (stripos($header, 'User-Agent:') === 0) {
                    return trim(substr($header, 11));
                }
            }
        } catch (\Throwable $e) {
            // The header is only a courtesy to the server.
        }

        return 'Composer';
    }
}
