<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Support;

use Composer\Util\Filesystem;
use Composer\Util\Platform;

/**
 * A test with a directory of its own; environment, umask and current directory are as before afterwards.
 */
abstract class TestCase extends \PHPUnit\Framework\TestCase
{
    protected string $dir;

    private string $cwd;

    /** @var array<string, string|false> */
    private array $environment = [];

    protected function setUp(): void
    {
        $this->dir = sys_get_temp_dir().'/allegro-phpunit-'.getmypid().'-'.bin2hex(random_bytes(4));
        mkdir($this->dir);
        $this->cwd = (string) getcwd();
    }

    protected function tearDown(): void
    {
        chdir($this->cwd);
        foreach ($this->environment as $name => $value) {
            if ($value === false) {
                Platform::clearEnv($name);
            } else {
                Platform::putEnv($name, $value);
            }
        }
        (new Filesystem())->removeDirectory($this->dir);
    }

    protected function env(string $name, string $value): void
    {
        $this->environment += [$name => getenv($name)];
        Platform::putEnv($name, $value);
    }

    protected static function platform(): string
    {
        return strtolower(PHP_OS_FAMILY).'-'.php_uname('m');
    }

    protected static function root(): string
    {
        return dirname(__DIR__, 3);
    }

    /**
     * The helper as built; the test is skipped where there is none.
     */
    protected static function helper(): string
    {
        $path = self::root().'/target/release/allegro';
        if (!is_file($path)) {
            self::markTestSkipped($path.' is not built');
        }

        return $path;
    }

    /**
     * A package directory whose helper is a PHP script.
     */
    protected function packageWithScript(string $body): string
    {
        return dirname($this->script($this->dir.'/package/native/'.self::platform().'/allegro', $body), 3);
    }

    protected function packageWithHelper(): string
    {
        $dir = $this->dir.'/package/native/'.self::platform();
        mkdir($dir, 0777, true);
        symlink(self::helper(), $dir.'/allegro');

        return $this->dir.'/package';
    }

    protected function script(string $path, string $body): string
    {
        if (!is_dir(dirname($path))) {
            mkdir(dirname($path), 0777, true);
        }
        file_put_contents($path, "#!/usr/bin/env php\n<?php\n".$body);
        chmod($path, 0755);

        return $path;
    }

    /**
     * @param array<string, string> $entries
     */
    protected static function zip(string $path, array $entries): string
    {
        if (!is_dir(dirname($path))) {
            mkdir(dirname($path), 0777, true);
        }
        $zip = new \ZipArchive();
        $zip->open($path, \ZipArchive::CREATE | \ZipArchive::OVERWRITE);
        foreach ($entries as $name => $content) {
            $zip->addFromString($name, $content);
            // As git's archives: no Unix mode.
            $zip->setExternalAttributesName($name, \ZipArchive::OPSYS_DOS, 0);
        }
        $zip->close();

        return $path;
    }

    /**
     * @return array<string, string> content by path below the directory
     */
    protected static function tree(string $dir): array
    {
        $tree = [];
        $files = new \RecursiveIteratorIterator(
            new \RecursiveDirectoryIterator($dir, \FilesystemIterator::SKIP_DOTS),
            \RecursiveIteratorIterator::SELF_FIRST
        );
        foreach ($files as $path => $file) {
            $name = substr($path, strlen($dir) + 1);
            $tree[$name] = is_link($path) ? '-> '.readlink($path)
                : ($file->isDir() ? 'directory' : sprintf('%o %s', $file->getPerms() & 0777, file_get_contents($path)));
        }
        ksort($tree);

        return $tree;
    }
}
