<?php

declare(strict_types=1);

namespace Allegro\Plugin\Takeover;

use Allegro\Plugin\Guard;
use Composer\Json\JsonFile;

/**
 * Writes a JSON file by a rename, instead of truncating it and writing into it.
 */
class AtomicJsonFile extends JsonFile
{
    /**
     * {@inheritDoc}
     *
     * @param int $options
     *
     * @return void
     */
    public function write(array $hash, $options = JSON_UNESCAPED_SLASHES | JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE)
    {
        Guard::run(
            fn () => $this->replace($hash, $options),
            fn () => parent::write($hash, $options)
        );
    }

    /**
     * Replaces the file unless its content stays the same.
     *
     * @param array<mixed> $hash
     */
    private function replace(array $hash, int $options): void
    {
        $path = $this->getPath();
        $current = @file_get_contents($path);
        // Since 2.6 Composer keeps the indentation that it found.
        $arguments = method_exists(JsonFile::class, 'detectIndenting') && $current !== false
            // @mago-expect analysis:non-existent-method It exists since Composer 2.6.
            ? [$hash, $options, JsonFile::detectIndenting($current)]
            : [$hash, $options];
        $content = static::encode(...$arguments).($options & JSON_PRETTY_PRINT ? "\n" : '');
        if ($current !== $content) {
            AtomicFilesystem::put($path, $content);
        }
    }
}
