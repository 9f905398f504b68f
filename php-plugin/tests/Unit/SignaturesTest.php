<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Tests\Support\TestCase;

/**
 * Composer 2.2 leaves most parameters untyped and later versions type them: what overrides a method of Composer's
 * must leave them untyped, and must have a return type that both allow.
 */
final class SignaturesTest extends TestCase
{
    /**
     * Parameters that are untyped in Composer 2.2.
     */
    private const UNTYPED = [
        'download' => ['path', 'output'],
        'prepare' => ['type', 'path'],
        'install' => ['path', 'output'],
        'update' => ['path'],
        'remove' => ['path', 'output'],
        'cleanup' => ['type', 'path'],
        'extract' => ['file', 'path'],
        'write' => ['devMode', 'options'],
        'filePutContentsIfModified' => ['path', 'content'],
        'findPackage' => ['name', 'constraint'],
        'findPackages' => ['name', 'constraint'],
        'getProviders' => ['packageName'],
        'search' => ['query', 'mode', 'type'],
    ];

    /**
     * Methods that are public in Composer 2.2 and protected later.
     */
    private const PUBLIC = ['extract'];

    /**
     * @return iterable<string, array{\ReflectionMethod, \ReflectionMethod}>
     */
    public function overrides(): iterable
    {
        foreach (self::classes() as $class) {
            $reflection = new \ReflectionClass($class);
            foreach ($reflection->getMethods() as $method) {
                if ($method->getDeclaringClass()->getName() !== $class || $method->isPrivate() || $method->isConstructor()) {
                    continue;
                }
                $ancestors = $reflection->getInterfaces();
                for ($parent = $reflection->getParentClass(); $parent; $parent = $parent->getParentClass()) {
                    $ancestors[] = $parent;
                }
                foreach ($ancestors as $ancestor) {
                    if ($ancestor->hasMethod($method->getName()) && str_starts_with($ancestor->getName(), 'Composer\\')) {
                        yield $class.'::'.$method->getName() => [$method, $ancestor->getMethod($method->getName())];
                        break;
                    }
                }
            }
        }
    }

    /**
     * @dataProvider overrides
     */
    public function testOverridesFitComposer22(\ReflectionMethod $ours, \ReflectionMethod $theirs): void
    {
        $untyped = self::UNTYPED[$ours->getName()] ?? [];
        foreach ($ours->getParameters() as $parameter) {
            $type = $parameter->getType();
            if (in_array($parameter->getName(), $untyped, true)) {
                self::assertNull($type, '$'.$parameter->getName().' is untyped in Composer 2.2');
            } elseif ($type instanceof \ReflectionNamedType) {
                self::assertTrue(
                    !$type->isBuiltin() || $type->getName() === 'array',
                    sprintf('$%s has type %s, which Composer 2.2 does not have', $parameter->getName(), $type)
                );
            }
        }
        if (in_array($ours->getName(), self::PUBLIC, true)) {
            self::assertTrue($ours->isPublic(), 'it is public in Composer 2.2');
        }
        // With `...` a method takes whatever its parent takes.
        // A type that the parent lacks may be added for what is returned, but not one that a later Composer has
        // otherwise; the parent of today is the one to compare with, PHP does that when it loads the class.
        if ($ours->isVariadic()) {
            self::assertSame(1, $ours->getNumberOfParameters());
        } else {
            self::assertGreaterThanOrEqual($theirs->getNumberOfParameters(), $ours->getNumberOfParameters());
        }
    }

    public function testThereAreOverridesToLookAt(): void
    {
        $names = array_keys(iterator_to_array($this->overrides()));
        foreach (['ZipDownloader::download', 'TarDownloader::extract', 'DeferredJsonFile::getPath', 'DeferredJsonFile::write', 'AtomicFilesystem::filePutContentsIfModified', 'AtomicJsonFile::write', 'ZipDownloader::cleanup'] as $name) {
            self::assertContains('Allegro\\Plugin\\Takeover\\'.$name, $names);
        }
    }

    /**
     * PHP 8.1 does not compile such a function, and with it the whole file: "A never-returning function must not return".
     */
    public function testNoArrowFunctionReturnsNever(): void
    {
        foreach (self::files() as $file) {
            self::assertDoesNotMatchRegularExpression('{\bfn\s*\([^)]*\)\s*:\s*never\b}', (string) file_get_contents($file), $file);
        }
    }

    public function testEveryFileIsValidPhpAndDeclaresItsClass(): void
    {
        foreach (self::files() as $file) {
            exec(escapeshellarg(PHP_BINARY).' -n -l '.escapeshellarg($file).' 2>&1', $output, $status);
            self::assertSame(0, $status, implode("\n", $output));
        }
        self::assertGreaterThan(15, count(self::classes()));
    }

    /**
     * The plugin says that it needs 8.1: nothing newer may be used.
     */
    public function testNothingNewerThanPhp81(): void
    {
        foreach (self::files() as $file) {
            $source = (string) file_get_contents($file);
            self::assertDoesNotMatchRegularExpression('{^\s*(final |abstract )*readonly (final |abstract )*class }m', $source, $file.': readonly classes came with 8.2');
            self::assertDoesNotMatchRegularExpression('{const (string|int|bool|array|float) [A-Z_]+ =}', $source, $file.': typed constants came with 8.3');
            self::assertDoesNotMatchRegularExpression('{\b(json_validate|mb_str_pad|array_find|array_any|array_all|str_increment)\(}', $source, $file);
        }
    }

    /**
     * What Composer's helpers have got since 2.2 may be used only behind a `method_exists()` or `defined()`.
     */
    public function testNothingThatComposer22Lacks(): void
    {
        foreach (self::files() as $file) {
            $source = (string) file_get_contents($file);
            self::assertDoesNotMatchRegularExpression('{Platform::(?!class\b|expandPath\(|getEnv\(|putEnv\(|clearEnv\(|isWindows\()}', $source, $file);
            if (str_contains($source, '::detectIndenting(')) {
                self::assertStringContainsString("method_exists(JsonFile::class, 'detectIndenting')", $source);
            }
            if (str_contains($source, '->addAuthenticationOptions(')) {
                self::assertStringContainsString("method_exists(\$this->auth, 'addAuthenticationOptions')", $source);
            }
        }
    }

    /**
     * @return list<string>
     */
    private static function files(): array
    {
        $files = [];
        $directory = new \RecursiveDirectoryIterator(self::root().'/php-plugin/src', \FilesystemIterator::SKIP_DOTS);
        foreach (new \RecursiveIteratorIterator($directory) as $path => $file) {
            if ($file->getExtension() === 'php') {
                $files[] = $path;
            }
        }
        sort($files);

        return $files;
    }

    /**
     * @return list<class-string>
     */
    private static function classes(): array
    {
        $classes = [];
        foreach (self::files() as $file) {
            $class = 'Allegro\\Plugin\\'.strtr(substr($file, strlen(self::root().'/php-plugin/src/'), -4), '/', '\\');
            if (class_exists($class) || interface_exists($class)) {
                $classes[] = $class;
            } elseif (!trait_exists($class)) {
                self::fail($file.' does not declare '.$class);
            }
        }

        return $classes;
    }
}
