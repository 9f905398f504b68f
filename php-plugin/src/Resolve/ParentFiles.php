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
 */
final class ParentFiles
{
    private const KEY = 'extra.allegro.parent';

    /** @var array<string, mixed> */
    private array $lock = [];

    /**
     * @param string $manifest path of the parent's composer.json
     * @param string $here     the project's directory
     */
    private function __construct(private readonly string $manifest, private readonly string $here)
    {
    }

    /**
     * @param mixed $setting value of `extra.allegro.parent`
     *
     * @throws SettingException
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
     * The manifest that a setting means, which needn't be there; null if it means none.
     */
    private static function manifest(mixed $setting, string $dir): ?string
    {
        $path = is_array($setting) ? $setting['path'] ?? null : $setting;
        if (!is_string($path) || trim($path) === '') {
            return null;
        }
        $path = (new Filesystem())->isAbsolutePath($path) ? $path : $dir.'/'.$path;

        return is_dir($path) ? $path.'/composer.json' : $path;
    }

    /**
     * Only the parent's own lock counts; parents of the parent are followed to see whether they come back.
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
            // What is wrong with a parent further up is its children's concern.
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
     * @return array<string, mixed>
     *
     * @throws SettingException
     */
    private static function read(string $path, string $advice): array
    {
        try {
            $data = (new JsonFile($path))->read();
        } catch (ParsingException | \RuntimeException $e) {
            // It names the file, the line and what was expected there.
            throw new SettingException(self::KEY.': '.trim($e->getMessage())."\n".$advice, 0, $e);
        }
        if (!is_array($data)) {
            throw new SettingException(self::KEY.': '.$path.' is no JSON object. '.$advice);
        }

        return $data;
    }

    /**
     * @return array<string, mixed> `packages` is a list in it
     */
    public function lock(): array
    {
        return $this->lock;
    }

    /**
     * Whether the lock is that of the parent's composer.json as it is now.
     */
    public function isFresh(): bool
    {
        return ($this->lock['content-hash'] ?? null) === Locker::getContentHash((string) file_get_contents($this->manifest));
    }

    /**
     * A path of the parent's as this project sees it; null for everything else.
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
     * The parent's directory, for people.
     */
    public function label(): string
    {
        return self::relative($this->here, dirname($this->manifest));
    }

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
