<?php

declare(strict_types=1);

namespace Allegro\Plugin\Network;

use Allegro\Plugin\Install\DeclinedException;
use Allegro\Plugin\Native\Functions;
use Allegro\Plugin\Native\Protocol;
use Composer\Util\HttpDownloader;

/**
 * Translates the `ssl` options of a download: the trusted certificates, and the client's own one.
 *
 * @phpstan-import-type ClientCertificate from Protocol
 * @phpstan-import-type Tls from Protocol
 */
final class Certificates
{
    /** Composer's defaults for PHP's streams, which Composer doesn't pass to curl. */
    private const IGNORED = ['ciphers', 'verify_depth', 'SNI_enabled', 'capture_peer_cert', 'disable_compression'];

    /** Options that Allegro passes to the native part or checks itself. */
    private const UNDERSTOOD = ['cafile', 'capath', 'local_cert', 'local_pk', 'passphrase', 'verify_peer', 'verify_peer_name'];

    /**
     * Client certificates that were read, by their files and passphrase.
     *
     * @var array<string, ClientCertificate>
     */
    private array $read = [];

    /**
     * Returns the TLS options of a download, or null if they are the same as those of all others.
     *
     * @param array<string, mixed> $ssl    the options of one download
     * @param array<string, mixed> $common those of all others
     *
     * @return Tls|null null: nothing differs from the others
     *
     * @throws DeclinedException
     */
    public function of(array $ssl, array $common): ?array
    {
        foreach (['verify_peer', 'verify_peer_name'] as $name) {
            if (($ssl[$name] ?? true) !== true) {
                throw new DeclinedException('the server\'s certificate is not to be verified (ssl.'.$name.')');
            }
        }
        /** @var mixed $value */
        foreach (array_diff_key($ssl, array_flip([...self::IGNORED, ...self::UNDERSTOOD])) as $name => $value) {
            if ($value !== null) {
                throw new DeclinedException('of its options, ssl.'.$name.' is not supported');
            }
        }
        $places = self::places($ssl);
        $certificate = isset($ssl['local_cert']) ? $this->client($ssl) : null;
        if ($certificate === null && $places === self::places($common)) {
            return null;
        }
        if (!HttpDownloader::isCurlEnabled()) {
            throw new DeclinedException('without PHP\'s curl extension Composer has rules of its own for certificates');
        }

        return $places + ['certificate' => $certificate];
    }

    /**
     * Returns the file and the directory of trusted certificates.
     *
     * @param array<string, mixed> $ssl
     *
     * @return array{ca_file: string|null, ca_dir: string|null}
     */
    public static function places(array $ssl): array
    {
        return [
            'ca_file' => isset($ssl['cafile']) ? (string) $ssl['cafile'] : null,
            'ca_dir' => isset($ssl['capath']) ? (string) $ssl['capath'] : null,
        ];
    }

    /**
     * Returns the client's certificate with a key that is not encrypted any more.
     *
     * @param array<string, mixed> $ssl
     *
     * @return ClientCertificate
     */
    private function client(array $ssl): array
    {
        /** @var mixed $chainFile */
        $chainFile = $ssl['local_cert'];
        /** @var mixed $keyFile */
        $keyFile = $ssl['local_pk'] ?? $chainFile;
        /** @var mixed $passphrase */
        $passphrase = $ssl['passphrase'] ?? '';
        if (!is_string($chainFile) || !is_string($keyFile) || !is_string($passphrase)) {
            throw new DeclinedException('of its options, those on the client certificate are not understood');
        }
        $id = implode("\0", [$chainFile, $keyFile, $passphrase]);

        return $this->read[$id] ??= self::readClient($chainFile, $keyFile, $passphrase);
    }

    /**
     * Reads a client's certificate and decrypts its key.
     *
     * @return ClientCertificate
     */
    private static function readClient(string $chainFile, string $keyFile, string $passphrase): array
    {
        $chain = @file_get_contents($chainFile);
        $key = @file_get_contents($keyFile);
        if ($chain === false || $key === false) {
            throw new DeclinedException('the client certificate or its key can not be read');
        }
        if (!str_contains($chain, '-----BEGIN CERTIFICATE-----')) {
            throw new DeclinedException('the client certificate is not PEM');
        }
        if (Functions::missing(['openssl_pkey_get_private', 'openssl_pkey_export', 'openssl_error_string']) !== null) {
            throw new DeclinedException('without PHP\'s openssl extension the key of the client certificate can not be read');
        }
        // With null in place of an empty passphrase OpenSSL would ask for one.
        $opened = openssl_pkey_get_private($key, $passphrase);
        $plain = '';
        $exported = $opened !== false && openssl_pkey_export($opened, $plain);
        // The queue of OpenSSL's errors is emptied, so that other code doesn't find these errors.
        while (openssl_error_string() !== false) {
            continue;
        }
        if (!$exported) {
            throw new DeclinedException('the key of the client certificate can not be read (not PEM, or not with this passphrase)');
        }

        return ['chain' => $chain, 'key' => $plain];
    }
}
