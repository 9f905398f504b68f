<?php

declare(strict_types=1);

namespace Allegro\Plugin\Autoload;

use Allegro\Plugin\Guard;
use Composer\Autoload\AutoloadGenerator;
use Composer\ClassMapGenerator\ClassMap;

/**
 * Runs the `AutoloadGenerator::dump()` of the running Composer with three parts exchanged.
 *
 * The parts make the class map, write files, and remove files. Everything else is that Composer's
 * own, first of all the text of each file.
 *
 * The method makes both objects itself and accepts no others. So this class reads the method's
 * source, and gives `new ClassMapGenerator` and `new Filesystem` other names. It evaluates the
 * result in the scope of the same class. Composer loads updated plugins in this way. A method in
 * which the parts can't be found exactly is left alone.
 */
final class DumpMethod
{
    private function __construct(private readonly \Closure $method, private readonly string $digest)
    {
    }

    /**
     * Reads the method, or returns null if the parts can't be exchanged.
     *
     * Composer before 2.4 makes class maps elsewhere, so its method is not of the expected kind.
     * PHP may also have no tokenizer, which Composer can do without.
     */
    public static function read(): ?self
    {
        if (!class_exists(\PhpToken::class)) {
            return null;
        }
        $reflection = new \ReflectionMethod(AutoloadGenerator::class, 'dump');
        $file = $reflection->getFileName();
        $source = $file === false ? false : @file_get_contents($file);
        if ($source === false) {
            return null;
        }
        $lines = explode("\n", $source);
        $start = (int) $reflection->getStartLine();
        $body = implode("\n", array_slice($lines, $start - 1, (int) $reflection->getEndLine() - $start + 1));
        $body = self::exchange($body, dirname((string) $file));
        $head = implode("\n", array_slice($lines, 0, (int) $reflection->getDeclaringClass()->getStartLine() - 1));
        $names = [[]];
        if ($body === null || (int) preg_match_all('{^(?:namespace|use) [^;(]+;}m', $head, $names) < 1) {
            return null;
        }
        $strict = preg_match('{^<\?php\s+declare\(strict_types=1\);}', $head) === 1 ? 'declare(strict_types=1); ' : '';
        try {
            /** @var mixed $method */
            $method = eval($strict.implode(' ', $names[0]).' return '.$body.';');
        // @mago-expect analysis:avoid-catching-error Code of another Composer may not be parsed.
        } catch (\ParseError $e) {
            return null;
        }

        return $method instanceof \Closure ? new self($method, hash('sha256', $source)) : null;
    }

    /**
     * Returns a digest of the generator's source, which tells versions of Composer apart.
     */
    public function digest(): string
    {
        return $this->digest;
    }

    /**
     * Calls the method on a generator.
     *
     * @param list<mixed> $arguments those of dump()
     *
     * @return ClassMap
     */
    public function call(AutoloadGenerator $generator, array $arguments): mixed
    {
        $bound = \Closure::bind($this->method, $generator, AutoloadGenerator::class);
        try {
            /** @var ClassMap $map */
            $map = $bound(...$arguments);

            return $map;
        } catch (\Throwable $e) {
            // Composer's code and its callees throw here as they do without Allegro. Only an error
            // in the evaluated code may be due to the exchange.
            $isOurs = $e instanceof \Error && str_starts_with($e->getFile(), __FILE__.'(') && str_contains($e->getFile(), "eval()'d code");

            throw $isOurs ? $e : Guard::asTheirs($e);
        }
    }

    /**
     * Returns the method as the code of a closure with the parts exchanged, or null if they can't
     * be found exactly.
     */
    private static function exchange(string $method, string $dir): ?string
    {
        $new = ['ClassMapGenerator' => '\\'.ClassMapRecorder::class, 'Filesystem' => '\\'.DumpFilesystem::class];
        $seen = ['ClassMapGenerator' => 0, 'Filesystem' => 0];
        $code = '';
        /** @var \PhpToken|null $before */
        $before = null;
        /** @var bool $named */
        $named = false;
        $tokens = \PhpToken::tokenize('<?php '.$method);
        array_shift($tokens);
        foreach ($tokens as $index => $token) {
            $text = $token->text;
            if (!$named) {
                // The tokens up to the name are modifiers and doc comments.
                $named = $token->is(T_STRING) && $text === 'dump' && $before !== null && $before->is(T_FUNCTION);
                $before = $token->isIgnorable() ? $before : $token;
                $code = 'function ';
                continue;
            }
            if ($token->is(T_DIR)) {
                $text = var_export($dir, true);
            // The token of the name came before.
            // @mago-expect analysis:possible-method-access-on-null
            } elseif ($token->is(T_STRING) && $before->is(T_NEW) && isset($new[$text])) {
                ++$seen[$text];
                $text = $new[$text];
            // The token of the name came before.
            // @mago-expect analysis:possible-method-access-on-null
            } elseif ($token->is(T_STRING) && $text === 'unlink' && !$before->is([T_OBJECT_OPERATOR, T_DOUBLE_COLON])) {
                $text = '$filesystem->unlinkAtTheEnd';
            }
            $code .= $text;
            $before = $token->isIgnorable() ? $before : $token;
        }

        return $named && $seen === ['ClassMapGenerator' => 1, 'Filesystem' => 1] ? $code : null;
    }
}
