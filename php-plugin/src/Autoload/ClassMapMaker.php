<?php

declare(strict_types=1);

namespace Allegro\Plugin\Autoload;

use Allegro\Plugin\Native\Engine;
use Allegro\Plugin\Native\EngineException;
use Allegro\Plugin\Native\Environment;
use Allegro\Plugin\Native\InterruptedException;
use Allegro\Plugin\Native\Protocol;
use Composer\ClassMapGenerator\ClassMapGenerator;
use Composer\ClassMapGenerator\PhpFileParser;
use Composer\IO\IOInterface;

/**
 * Has the native part make a class map, and puts it into Composer's own objects.
 *
 * Versions of class-map-generator differ. This class finds out the differences by asking the
 * running version, not by its number.
 *
 * @phpstan-import-type PlacedPackage from Protocol
 * @phpstan-import-type ScanArguments from ClassMapRecorder
 * @phpstan-import-type ScanDialect from Protocol
 * @phpstan-import-type ScanRequest from Protocol
 * @phpstan-import-type ScanTraits from Protocol
 * @phpstan-import-type Scanned from Protocol
 * @phpstan-import-type UnsureFile from Protocol
 *
 * @phpstan-type FullRule array{
 *     path: string,
 *     kind: 'classmap'|'psr-0'|'psr-4',
 *     namespace: string,
 *     excluded: string|null,
 * }
 */
final class ClassMapMaker
{
    /**
     * The largest number of rounds in which files that only PHP can read are read. They may change
     * meanwhile.
     */
    private const ROUNDS = 3;

    /**
     * The way in which the running PHP and class-map-generator read files.
     *
     * @var ScanDialect|null
     */
    private ?array $dialect = null;

    /**
     * The way in which the running class-map-generator compares namespaces.
     *
     * @var ScanTraits|null
     */
    private ?array $traits = null;

    /** The result of {@see vendorDir()}. */
    private ?string $resolvedVendorDir = null;

    /** The digest of the scan that the last class map was made from. */
    private ?string $digest = null;

    /**
     * @param \Closure(): list<PlacedPackage> $placed packages that were put in place in this run
     */
    public function __construct(
        private readonly Engine $engine,
        private readonly IOInterface $io,
        private readonly string $vendorDir,
        private readonly \Closure $placed,
        private readonly string $probe,
    ) {
    }

    /**
     * Returns the vendor directory without links, as it is at the first call. Composer makes the
     * directory at the start of a dump.
     */
    public function vendorDir(): string
    {
        return $this->resolvedVendorDir ??= realpath($this->vendorDir) ?: $this->vendorDir;
    }

    /**
     * Returns everything that the result depends on apart from rules and files. It returns null if
     * the native part can't make a class map here.
     *
     * @return array{dialect: ScanDialect, traits: ScanTraits}|null
     */
    public function manner(): ?array
    {
        if ($this->dialect === null || $this->traits === null) {
            $encoding = (string) ini_get('zend.script_encoding');
            if (ini_get('zend.multibyte') === '1' || $encoding !== '') {
                return null;
            }
            $this->dialect = [
                'php' => PHP_VERSION_ID,
                'short_open_tag' => (bool) ini_get('short_open_tag'),
                'backslash_guards' => PhpFileParser::findClasses($this->probe) === ['Probe\Declared'],
            ];
            $generator = new ClassMapGenerator(['php', 'inc', 'hh']);
            $this->traits = [
                'psr4_prefix' => self::filter($generator, ['Bad\Foo'], '/x/Foo.php', 'App\\', 'psr-4', '/x') === [],
                'psr0_prefix' => self::filter($generator, ['Bar_Foo'], '/x/Bar/Foo.php', 'App_', 'psr-0', '/x') === [],
            ];
        }

        return ['dialect' => $this->dialect, 'traits' => $this->traits];
    }

    /**
     * Returns the native part's name for the scan that the last class map was made from. It returns
     * null if Composer has made the class map.
     */
    public function digest(): ?string
    {
        return $this->digest;
    }

    /**
     * Fills the class map of a generator.
     *
     * @param list<ScanArguments> $calls
     *
     * @return bool false if Composer's generator must do it; it is untouched then
     */
    public function make(ClassMapGenerator $generator, array $calls): bool
    {
        $this->digest = null;
        $manner = $this->manner();
        $cwd = realpath((string) getcwd());
        $rules = self::rules($calls);
        if ($manner === null || $cwd === false || $rules === null) {
            return $this->declined('this PHP or these rules are special');
        }
        /** @var ScanRequest $request */
        $request = $manner + [
            'vendor_dir' => $this->vendorDir(),
            'cwd' => $cwd,
            'timezone' => Environment::timezone(),
            'rules' => $rules,
            'known' => [],
            'placed' => ($this->placed)(),
        ];
        try {
            for ($round = 0; $round < self::ROUNDS; ++$round) {
                $answer = InterruptedException::outlive(fn (): array => $this->engine->scan($request));
                switch ($answer['outcome'] ?? null) {
                    case 'scanned':
                        /** @var Scanned $answer */
                        $this->fill($generator, $answer, $rules);
                        $this->digest = (string) $answer['digest'];
                        $this->io->writeError(
                            sprintf('Allegro: class map of %d files, %d of them read', $answer['covered'], $answer['read']),
                            true,
                            IOInterface::VERBOSE
                        );

                        return true;
                    case 'unsure':
                        // PhpFileParser throws if a file can't be read at all. Composer's generator
                        // then tells the user about it.
                        /** @var list<UnsureFile> $files */
                        // This outcome has files.
                        // @mago-expect analysis:possibly-undefined-string-array-index
                        $files = $answer['files'];
                        foreach ($files as $file) {
                            /** @var list<string> $classes */
                            $classes = array_map([self::class, 'encoded'], PhpFileParser::findClasses($file['path']));
                            $request['known'][] = $file + ['classes' => $classes];
                        }
                        break;
                    default:
                        return $this->declined((string) ($answer['reason'] ?? 'unknown outcome'));
                }
            }
        } catch (EngineException $e) {
            return $this->declined($e->getMessage());
        } catch (\RuntimeException $e) {
            return $this->declined($e->getMessage());
        }

        return $this->declined('files change faster than they can be read');
    }

    /**
     * Prints why Composer makes the class map, and returns false.
     */
    private function declined(string $reason): bool
    {
        $this->io->writeError('Allegro: Composer makes the class map: '.$reason, true, IOInterface::VERBOSE);

        return false;
    }

    /**
     * Returns the rules of a list of calls, or null if the native part can't follow one of them.
     *
     * @param list<array{0: mixed, 1?: mixed, 2?: mixed, 3?: string|null, 4?: mixed}> $calls
     *
     * @return list<FullRule>|null
     */
    private static function rules(array $calls): ?array
    {
        $rules = [];
        foreach ($calls as $call) {
            /** @var mixed $path */
            $path = $call[0] ?? null;
            /** @var mixed $excluded */
            $excluded = $call[1] ?? null;
            /** @var mixed $kind */
            $kind = $call[2] ?? 'classmap';
            $namespace = $call[3] ?? null;
            if (
                !is_string($path)
                || ($excluded !== null && !is_string($excluded))
                || !in_array($kind, ['classmap', 'psr-0', 'psr-4'], true)
                || ($kind !== 'classmap' && !is_string($namespace))
                || ($call[4] ?? []) !== []
                // @mago-expect analysis:possibly-null-operand(2) Null is the empty string here.
                || preg_match('//u', $path.$excluded.$namespace) !== 1
            ) {
                return null;
            }
            $rules[] = ['path' => $path, 'kind' => $kind, 'namespace' => (string) $namespace, 'excluded' => $excluded];
        }

        return $rules;
    }

    /**
     * Puts a class map of the native part into a generator.
     *
     * @param Scanned        $answer
     * @param list<FullRule> $rules
     */
    private function fill(ClassMapGenerator $generator, array $answer, array $rules): void
    {
        $map = $generator->getClassMap();
        // Rejected classes come first. If a class of the file counts after all, adding it takes
        // back the remarks about the file.
        foreach ($answer['rejected'] as $rejected) {
            $rule = $rules[$rejected['rule']];
            self::filter($generator, array_map([self::class, 'decoded'], $rejected['classes']), $rejected['path'], $rule['namespace'], $rule['kind'], $rule['path']);
        }
        /** @var list<non-empty-string> $files */
        $files = $answer['files'];
        foreach ($answer['names'] as $index => $name) {
            $map->addClass(self::decoded($name), $files[$answer['at'][$index]]);
        }
        foreach ($answer['ambiguous'] as [$class, $file]) {
            self::addAmbiguous($generator, self::decoded($class), $files[$file]);
        }
    }

    /**
     * Returns a class name as the protocol has it. A name that isn't UTF-8 becomes a NUL and its
     * bytes in hexadecimal.
     */
    private static function encoded(string $name): string
    {
        return preg_match('//u', $name) === 1 ? $name : "\0".bin2hex($name);
    }

    /**
     * Returns a class name of the protocol as PHP has it.
     */
    private static function decoded(string $name): string
    {
        return $name[0] === "\0" ? (string) hex2bin(substr($name, 1)) : $name;
    }

    /**
     * Returns the classes of a file that the running generator accepts. The generator has its own
     * messages for the classes that it rejects.
     *
     * @param array<int, string>         $classes
     * @param 'classmap'|'psr-0'|'psr-4' $kind
     *
     * @return list<string>
     */
    private static function filter(ClassMapGenerator $generator, array $classes, string $path, string $namespace, string $kind, string $base): array
    {
        /** @var \Closure(): array<string> $filter */
        $filter = \Closure::bind(
            // Rules of kind `classmap` reject no class.
            // @mago-expect analysis:possibly-invalid-argument
            static fn () => $generator->filterByNamespace($classes, $path, $namespace, $kind, $base),
            null,
            ClassMapGenerator::class
        );

        return array_values($filter());
    }

    /**
     * Adds a second file of a class to the class map.
     *
     * Up to class-map-generator 1.3, the generator itself leaves out paths that look like tests. In
     * later versions the class map leaves them out when it is asked.
     *
     * @param non-empty-string $path
     */
    private static function addAmbiguous(ClassMapGenerator $generator, string $class, string $path): void
    {
        $map = $generator->getClassMap();
        $filters = (new \ReflectionMethod($map, 'getAmbiguousClasses'))->getNumberOfParameters() === 0;
        if (!$filters || preg_match('{/(test|fixture|example|stub)s?/}i', $map->getClassPath($class).' '.$path) !== 1) {
            $map->addAmbiguousClass($class, $path);
        }
    }
}
