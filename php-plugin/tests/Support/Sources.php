<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Support;

/**
 * The plugin's own source files, for tests that look at what is written there.
 */
final class Sources
{
    /**
     * @return array<string, string> texts by path below the source directory, with a slash in front
     */
    public static function all(): array
    {
        $root = dirname(__DIR__, 2).'/src';
        $texts = [];
        $files = new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator($root, \FilesystemIterator::SKIP_DOTS));
        foreach ($files as $file) {
            $texts[substr((string) $file, strlen($root))] = (string) file_get_contents((string) $file);
        }
        ksort($texts);

        return $texts;
    }

    /**
     * @return list<\PhpToken> without white space and comments
     */
    public static function tokens(string $source): array
    {
        return array_values(array_filter(\PhpToken::tokenize($source), static fn (\PhpToken $token): bool => !$token->isIgnorable()));
    }
}
