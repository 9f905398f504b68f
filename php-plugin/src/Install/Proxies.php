<?php

declare(strict_types=1);

namespace Allegro\Plugin\Install;

use Allegro\Plugin\Native\Protocol;
use Composer\Util\Http\ProxyManager;
use Composer\Util\Http\RequestProxy;
use Composer\Util\HttpDownloader;
use Composer\Util\Platform;

/**
 * The proxies of the environment, as this Composer understands them: which variables count differs between versions.
 *
 * @phpstan-import-type Proxies from Protocol as Addresses
 */
final class Proxies
{
    private const SCHEMES = ['http', 'https', 'socks4', 'socks4a', 'socks5', 'socks5h'];

    /**
     * The proxy for a URL, with its credentials; null for none.
     *
     * @throws DeclinedException
     */
    public function of(string $url): ?string
    {
        try {
            $request = ProxyManager::getInstance()->getProxyForRequest($url);
            if (!HttpDownloader::isCurlEnabled()) {
                return self::ofStream($request);
            }
            // Since 2.7.3; it objects to a proxy that curl can't speak TLS with, and it needs curl to be there.
            $options = method_exists($request, 'getCurlOptions') ? $request->getCurlOptions([]) : null;
        } catch (DeclinedException $e) {
            throw $e;
        } catch (\Exception | \Error $e) {
            // An error: of curl's functions, `curl_version` alone may be switched off.
            throw new DeclinedException('the proxy\'s URL is malformed or can not be used', 0, $e);
        }
        if ($options === null) {
            $proxy = $request->getUrl();
            if ($proxy === '' && (Platform::getEnv('all_proxy') || Platform::getEnv('ALL_PROXY'))) {
                // These Composers leave curl alone then, and curl looks for itself.
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
     * The proxies for all URLs, for redirects too: where they lead isn't known before.
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
     * Tells that there is no proxy for a request that Composer makes with PHP's streams, because curl is missing or
     * switched off.
     *
     * @throws DeclinedException there is one
     */
    private static function ofStream(RequestProxy $request): ?string
    {
        if (($request->getContextOptions() ?? []) !== []) {
            throw new DeclinedException('without PHP\'s curl extension Composer has rules of its own for proxies');
        }

        return null;
    }

    private function ofScheme(string $scheme): ?string
    {
        try {
            // A name that nobody has: excluded only if everything is.
            return $this->of($scheme.'://host.allegro.invalid/');
        } catch (DeclinedException $e) {
            // No download is given to us that would need it, except by a redirect, which then fails and goes to Composer.
            return null;
        }
    }

    /**
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
