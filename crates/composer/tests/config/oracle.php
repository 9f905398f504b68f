<?php

declare(strict_types=1);

// Answers cases of configurations with the classes of a Composer: oracle.php AUTOLOAD CASES ANSWERS.

use Composer\Config;
use Composer\Factory;
use Composer\IO\BufferIO;
use Composer\IO\NullIO;
use Composer\Json\JsonFile;
use Composer\Package\Package;
use Composer\Repository\PlatformRepository;
use Composer\Util\AuthHelper;
use Composer\Util\Http\ProxyManager;
use Composer\Util\Platform;
use Composer\Util\StreamContextFactory;
use Composer\Util\Url;

[, $autoload, $cases, $answers] = $argv;
require $autoload;

const FLAGS = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION;

set_error_handler(static function (int $code, string $message): bool {
    throw new ErrorException($message, 0, $code);
}, E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);

final class Directories extends Factory
{
    public static function all(): array
    {
        $home = self::getHomeDir();

        return [$home, self::getCacheDir($home), self::getDataDir($home)];
    }
}

function attempt(callable $work): array
{
    try {
        return ['ok' => $work()];
    } catch (Throwable $e) {
        return ['error' => get_class($e).': '.$e->getMessage()];
    }
}

function isValid(array $source, string $directory): bool
{
    $schema = $source['auth'] ? (defined(JsonFile::class.'::AUTH_SCHEMA') ? JsonFile::AUTH_SCHEMA : null) : JsonFile::LAX_SCHEMA;
    if ($schema === null) {
        return true;
    }
    $json = json_decode($source['text']);
    $checked = $source['auth'] ? $json : (isset($json->config) ? (object) ['config' => $json->config] : new stdClass());
    file_put_contents($directory.'/schema.json', json_encode($checked));
    try {
        (new JsonFile($directory.'/schema.json'))->validateSchema($schema);

        return true;
    } catch (Composer\Json\JsonValidationException $e) {
        return false;
    }
}

function requests(array $case, Config $config): array
{
    $io = new BufferIO();
    $loaded = attempt(static fn () => $io->loadConfiguration($config));
    if (isset($loaded['error'])) {
        return $loaded;
    }
    $warnings = $io->getOutput();
    $auth = new AuthHelper($io, $config);
    $answers = [];
    foreach ($case['urls'] as $url) {
        $answers[] = attempt(static function () use ($io, $config, $auth, $url): array {
            $said = strlen($io->getOutput());
            $config->prohibitUrlByConfig($url, $io);
            $warning = rtrim(substr($io->getOutput(), $said));
            $origin = Url::getOrigin($config, $url);
            if (preg_match('{^https?://([^:/]+):([^@/]+)@([^/]+)}i', $url, $match) === 1) {
                $io->setAuthentication($origin, rawurldecode($match[1]), rawurldecode($match[2]));
            }
            $options = ['http' => ['header' => []]];
            if (method_exists($auth, 'addAuthenticationOptions')) {
                $options = $auth->addAuthenticationOptions($options, $origin, $url);
            } else {
                $options['http']['header'] = $auth->addAuthenticationHeader([], $origin, $url);
            }

            return [$origin, $options['http']['header'], $options['ssl'] ?? null, $warning];
        });
    }
    $domains = static fn (string $key): array => array_values($config->get($key));

    return ['ok' => [$warnings, $answers, $domains('github-domains'), $domains('gitlab-domains')]];
}

function dists(array $case, Config $config): array
{
    return array_map(static fn (array $dist): array => attempt(static function () use ($dist, $config): array {
        $package = new Package($dist['name'], $dist['version'], $dist['pretty']);
        $package->setDistType('zip');
        $package->setDistUrl($dist['url']);
        $package->setDistReference($dist['reference']);
        $package->setDistMirrors($dist['mirrors']);
        $urls = [];
        foreach ($package->getDistUrls() as $url) {
            $processed = $dist['reference'] === null ? $url : Url::updateDistReference($config, $url, $dist['reference']);
            $urls[] = [$url, $processed, preg_replace('{[^a-z0-9_./]}i', '-', $package->getName().'/'.sha1($processed).'.'.$package->getDistType())];
        }

        return $urls;
    }), $case['dists']);
}

function proxies(array $case): array
{
    ProxyManager::reset();

    return array_map(static fn (string $url): array => attempt(static function () use ($url): ?string {
        $request = ProxyManager::getInstance()->getProxyForRequest($url);
        if (!method_exists($request, 'getCurlOptions')) {
            return $request->getUrl();
        }
        $options = $request->getCurlOptions([]);
        $proxy = (string) $options[CURLOPT_PROXY];
        if (isset($options[CURLOPT_PROXYUSERPWD])) {
            $proxy = str_replace('://', '://'.$options[CURLOPT_PROXYUSERPWD].'@', $proxy);
        }

        return $proxy;
    }), $case['proxied']);
}

function agent(Config $config): string
{
    ProxyManager::reset();
    $seen = new ReflectionProperty(PlatformRepository::class, 'lastSeenPlatformPhp');
    $seen->setAccessible(true);
    $seen->setValue(null, null);
    if ($config->get('platform') !== []) {
        (new PlatformRepository([], $config->get('platform')))->getPackages();
    }
    foreach (StreamContextFactory::initOptions('http://localhost/', [], true)['http']['header'] as $line) {
        if (str_starts_with($line, 'User-Agent: ')) {
            return substr($line, 12);
        }
    }

    return '';
}

function answer(array $case, string $directory): array
{
    $answer = ['directories' => attempt([Directories::class, 'all'])];
    $answer['proxies'] = proxies($case);
    [$home, $cache, $data] = $answer['directories']['ok'] ?? ['/home', '/cache', '/data'];
    $config = new Config(true, $case['base']);
    $config->merge(['config' => ['home' => $home, 'cache-dir' => $cache, 'data-dir' => $data]], Config::SOURCE_DEFAULT);
    foreach ($case['sources'] as $source) {
        $decoded = json_decode($source['text'], true);
        $merged = attempt(static fn () => $config->merge($source['auth'] ? ['config' => $decoded] : $decoded, $source['name']));
        if (isset($merged['error']) || !isValid($source, $directory)) {
            return $answer + ['rejected' => $merged['error'] ?? 'the schema'];
        }
    }
    $keys = array_unique(array_merge(array_keys($config->raw()['config']), $case['keys']));
    $answer['keys'] = array_keys($config->raw()['config']);
    $answer['values'] = [];
    foreach ($keys as $key) {
        $key = (string) $key;
        $answer['values'][] = [
            $key,
            attempt(static fn () => $config->get($key)),
            attempt(static fn () => $config->get($key, Config::RELATIVE_PATHS)),
            attempt(static fn () => method_exists($config, 'getSourceOfValue') ? $config->getSourceOfValue($key) : null),
        ];
    }
    $answer['repositories'] = $config->getRepositories();
    $answer['repository_sources'] = [];
    foreach (array_keys($answer['repositories']) as $name) {
        $answer['repository_sources'][] = $config->getSourceOfValue('repositories.'.$name);
    }
    $answer['requests'] = requests($case, $config);
    // The credentials may have added domains, which matter to the URLs of archives.
    $answer['dists'] = dists($case, $config);
    $answer['agent'] = attempt(static fn (): string => agent($config));

    return $answer;
}

$all = json_decode(file_get_contents($cases), true);
$directory = dirname($answers);
$given = $_SERVER;
$out = fopen($answers, 'w');
fwrite($out, json_encode([Composer\Composer::getVersion(), php_uname('s'), php_uname('r'), PHP_MAJOR_VERSION.'.'.PHP_MINOR_VERSION.'.'.PHP_RELEASE_VERSION, 'cURL '.curl_version()['version']]).PHP_EOL);
if (method_exists(Composer\Composer::class, 'setRunningCommand')) {
    Composer\Composer::setRunningCommand('install');
}
foreach ($all as $case) {
    $_SERVER = array_filter($given, static fn ($key): bool => in_array($key, ['argv', 'argc', 'PHP_SELF', 'SCRIPT_NAME', 'SCRIPT_FILENAME', 'PATH_TRANSLATED', 'DOCUMENT_ROOT', 'REQUEST_TIME', 'REQUEST_TIME_FLOAT'], true), ARRAY_FILTER_USE_KEY);
    $_SERVER += $case['environment'];
    fwrite($out, json_encode(answer($case, $directory), FLAGS).PHP_EOL);
}
