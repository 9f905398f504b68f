<?php

declare(strict_types=1);

namespace Allegro\Plugin\Resolve;

use Composer\Factory;
use Composer\Json\JsonFile;
use Composer\Package\Locker;
use Composer\Util\Filesystem;
use Seld\JsonLint\ParsingException;

/**
 * The composer.json and composer.lock of the project that `extra.allegro.parent` names.
 *
 * @phpstan-type LockAlias array{package: string, version: string, alias: string, alias_normalized: string}
 * @phpstan-type LockedPackage array{
 *     name: string,
 *     version: string,
 *     source?: array{url?: string|null, reference?: string|null, ...},
 *     dist?: array{url?: string, reference?: string|null, ...},
 *     ...
 * }
 * @phpstan-type Lock array{
 *     packages: array<mixed>,
 *     'packages-dev'?: array<mixed>|null,
 *     aliases?: array<LockAlias>,
 *     ...
 * }
 */
final class ParentFiles
{
    private const KEY = 'extra.allegro.parent';

    /**
     * The content of the parent's composer.lock.
     *
     * @var array<mixed>
     */
    private array $lock = [];

    /**
     * @param string $manifest path of the parent's composer.json
     * @param string $here     directory of the project
     */
    private function __construct(private readonly string $manifest, private readonly string $here)
    {
    }

    /**
     * Finds the parent's files, and reads its lock.
     *
     * @param mixed $setting value of `extra.allegro.parent`
     *
     * @throws SettingException if the setting is invalid, or a file is missing or unreadable
     */
    public static function of(mixed $setting): self
    {
        $own = (string) realpath(Factory::getComposerFile());
        if (is_array($setting)) {
            $unknown = array_diff(array_map('strval', array_keys($setting)), ['path', 'require-dev']);
            if ($unknown !== []) {
                throw new SettingException(self::KEY.' has "path" and "require-dev", but no "'.reset($unknown).'".');
            }
            if (!is_bool($setting['require-dev'] ?? false)) {
                throw new SettingException(self::KEY.'.require-dev is to be true or false.');
            }
        }
        $manifest = self::manifest($setting, dirname($own));
        if ($manifest === null) {
            throw new SettingException(self::KEY.' is to be a path, or an object such as {"path": "../app", "require-dev": true}.');
        }
        if (!is_file($manifest)) {
            throw new SettingException(self::KEY.': there is no '.self::relative(dirname($own), $manifest).'. Correct the path, which is relative to the directory of composer.json, or take the setting out.');
        }
        $parent = new self((string) realpath($manifest), dirname($own));
        $parent->refuseCycle($own);
        $parent->readLock();

        return $parent;
    }

    /**
     * Reads the parent's lock, which must have a list of packages.
     *
     * @throws SettingException
     */
    private function readLock(): void
    {
        if (!is_file($this->lockPath())) {
            throw new SettingException(self::KEY.': there is no '.$this->lockLabel().'. Run `composer update` or `composer resolve` there first.');
        }
        $this->lock = self::read($this->lockPath(), 'Correct it, or run `composer update` there.');
        if (!is_array($this->lock['packages'] ?? null)) {
            throw new SettingException(self::KEY.': '.$this->lockLabel().' locks no packages. Run `composer update` there.');
        }
    }

    /**
     * Returns the path that a setting names, whether the file exists or not; null if it names
     * none.
     */
    private static function manifest(mixed $setting, string $dir): ?string
    {
        /** @var mixed $path */
        $path = is_array($setting) ? $setting['path'] ?? null : $setting;
        if (!is_string($path) || trim($path) === '') {
            return null;
        }
        $path = (new Filesystem())->isAbsolutePath($path) ? $path : $dir.'/'.$path;

        return is_dir($path) ? $path.'/composer.json' : $path;
    }

    /**
     * Refuses parents that form a cycle. Only the lock of the direct parent counts; parents
     * further up are only followed for this check.
     */
    private function refuseCycle(string $own): void
    {
        $seen = [$own];
        $manifest = $this->manifest;
        while (true) {
            if (in_array($manifest, $seen, true)) {
                $names = array_map(fn (string $file): string => self::relative($this->here, dirname($file)), array_merge($seen, [$manifest]));
                throw new SettingException(self::KEY.': the parents go round in a circle: '.implode(' -> ', $names).'. Take the setting out of one of them.');
            }
            $seen[] = $manifest;
            // An error in a parent further up concerns only the projects that use it.
            $first = $manifest === $this->manifest;
            try {
                $data = self::read($manifest, 'Correct it first.');
            } catch (SettingException $e) {
                if ($first) {
                    throw $e;
                }

                return;
            }
            $next = self::manifest($data['extra']['allegro']['parent'] ?? null, dirname($manifest));
            if ($next === null || !is_file($next)) {
                return;
            }
            $manifest = (string) realpath($next);
        }
    }

    /**
     * Reads a JSON object. The message of a failure ends with the advice.
     *
     * @return array<mixed>
     *
     * @throws SettingException
     */
    private static function read(string $path, string $advice): array
    {
        try {
            /** @var mixed $data */
            $data = (new JsonFile($path))->read();
        } catch (ParsingException | \RuntimeException $e) {
            // Composer's message names the file, the line and the expected token.
            throw new SettingException(self::KEY.': '.trim($e->getMessage())."\n".$advice, 0, $e);
        }
        if (!is_array($data)) {
            throw new SettingException(self::KEY.': '.$path.' is no JSON object. '.$advice);
        }

        return $data;
    }

    /**
     * Returns the content of the parent's composer.lock, whose `packages` is an array.
     *
     * @return Lock
     */
    public function lock(): array
    {
        /** @var Lock $lock */
        $lock = $this->lock;

        return $lock;
    }

    /**
     * Returns whether the lock belongs to the present content of the parent's composer.json.
     */
    public function isFresh(): bool
    {
        return ($this->lock['content-hash'] ?? null) === Locker::getContentHash((string) file_get_contents($this->manifest));
    }

    /**
     * Returns a relative path of the parent as a path relative to this project. Returns null for
     * URLs, for absolute paths and for paths that don't exist.
     */
    public function seenFromHere(string $url): ?string
    {
        $path = dirname($this->manifest).'/'.$url;
        if (str_contains($url, '://') || (new Filesystem())->isAbsolutePath($url) || !file_exists($path)) {
            return null;
        }

        return self::relative($this->here, (string) realpath($path));
    }

    /**
     * Returns the parent's directory relative to the project, for messages.
     */
    public function label(): string
    {
        return self::relative($this->here, dirname($this->manifest));
    }

    /**
     * Returns the path of the parent's lock relative to the project, for messages.
     */
    public function lockLabel(): string
    {
        return self::relative($this->here, $this->lockPath());
    }

    private function lockPath(): string
    {
        return Factory::getLockFile($this->manifest);
    }

    private static function relative(string $from, string $to): string
    {
        $path = (new Filesystem())->findShortestPath($from, $to, true);

        return $path === '' ? '.' : rtrim($path, '/');
    }
}
