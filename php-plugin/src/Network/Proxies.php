<?php

declare(strict_types=1);

namespace Allegro\Plugin\Network;

use Allegro\Plugin\Install\DeclinedException;
use Allegro\Plugin\Native\Protocol;
use Composer\Util\Http\ProxyManager;
use Composer\Util\Http\RequestProxy;
use Composer\Util\HttpDownloader;
use Composer\Util\Platform;

/**
 * Reads the proxies of the environment as the running Composer does. Versions of Composer differ in
 * the variables that they read.
 *
 * @phpstan-import-type Proxies from Protocol as Addresses
 */
final class Proxies
{
    /** The schemes of the proxies that the native part can use. */
    private const SCHEMES = ['http', 'https', 'socks4', 'socks4a', 'socks5', 'socks5h'];

    /**
     * Returns the proxy for a URL with its credentials, or null for none.
     *
     * @throws DeclinedException
     */
    public function of(string $url): ?string
    {
        try {
            /** @var non-empty-string $url */
            $request = ProxyManager::getInstance()->getProxyForRequest($url);
            if (!HttpDownloader::isCurlEnabled()) {
                return self::ofStream($request);
            }
            // This method exists since Composer 2.7.3. It rejects a proxy that curl can't speak TLS
            // with, and it needs the curl extension.
            /** @var array<int, mixed>|null $options */
            $options = method_exists($request, 'getCurlOptions') ? $request->getCurlOptions([]) : null;
        } catch (DeclinedException $e) {
            throw $e;
        // An error is possible because a host may switch off `curl_version` alone of curl's
        // functions.
        // @mago-expect analysis:avoid-catching-error
        } catch (\Exception | \Error $e) {
            throw new DeclinedException('the proxy\'s URL is malformed or can not be used', 0, $e);
        }
        if ($options === null) {
            $proxy = $request->getUrl();
            if ($proxy === '' && (Platform::getEnv('all_proxy') || Platform::getEnv('ALL_PROXY'))) {
                // These versions of Composer tell curl no proxy then, and curl looks for one
                // itself.
                throw new DeclinedException('ALL_PROXY is left to curl');
            }
        } else {
            $proxy = (string) ($options[CURLOPT_PROXY] ?? '');
            $proxy = self::withCredentials($proxy, $options[CURLOPT_PROXYUSERPWD] ?? null);
        }
        if ($proxy === '') {
            return null;
        }
        $proxy = str_contains($proxy, '://') ? $proxy : 'http://'.$proxy;
        $scheme = (string) parse_url($proxy, PHP_URL_SCHEME);
        if (!in_array($scheme, self::SCHEMES, true)) {
            throw new DeclinedException('there is no way through a proxy of the kind '.$scheme);
        }

        return $proxy;
    }

    /**
     * Returns the proxies for all URLs. Redirects need them, because their targets are not known
     * before.
     *
     * @return Addresses
     */
    public function all(): array
    {
        $noProxy = '';
        foreach (['no_proxy', 'NO_PROXY'] as $name) {
            if ($noProxy === '' && is_string($_SERVER[$name] ?? null)) {
                $noProxy = $_SERVER[$name];
            }
        }

        return ['http' => $this->ofScheme('http'), 'https' => $this->ofScheme('https'), 'no_proxy' => $noProxy];
    }

    /**
     * Makes sure that a request with PHP's streams has no proxy, and returns null.
     *
     * Composer makes such a request if curl is missing or switched off.
     *
     * @throws DeclinedException there is one
     */
    private static function ofStream(RequestProxy $request): ?string
    {
        // Composer since 2.7.3 returns null without a proxy.
        // @mago-expect analysis:redundant-null-coalesce
        if (($request->getContextOptions() ?? []) !== []) {
            throw new DeclinedException('without PHP\'s curl extension Composer has rules of its own for proxies');
        }

        return null;
    }

    /**
     * Returns the proxy for all URLs of a scheme, or null for none.
     */
    private function ofScheme(string $scheme): ?string
    {
        try {
            // Nobody has this host name, so `no_proxy` excludes it only if it excludes everything.
            return $this->of($scheme.'://host.allegro.invalid/');
        } catch (DeclinedException $e) {
            // Composer does the downloads that need this proxy. A redirect to such a URL fails, and
            // its download goes to Composer.
            return null;
        }
    }

    /**
     * Returns the URL of a proxy with credentials in it.
     *
     * @param mixed $credentials as curl wants them, which is as they are in a URL
     */
    private static function withCredentials(string $proxy, mixed $credentials): string
    {
        if ($proxy === '' || !is_string($credentials) || $credentials === '') {
            return $proxy;
        }
        $start = strpos($proxy, '://');

        return substr_replace($proxy, $credentials.'@', $start === false ? 0 : $start + 3, 0);
    }
}
