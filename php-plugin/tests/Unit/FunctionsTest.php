<?php

declare(strict_types=1);

namespace Allegro\Plugin\Tests\Unit;

use Allegro\Plugin\Native\Functions;
use Allegro\Plugin\Tests\Support\Sources;
use Allegro\Plugin\Tests\Support\TestCase;

/**
 * A host can switch off any function of PHP, and leave out most extensions: what Composer runs without, the plugin must
 * not stumble over.
 */
final class FunctionsTest extends TestCase
{
    /** Extensions that are part of each PHP, or that Composer itself requires. */
    private const ALWAYS = ['Core', 'SPL', 'standard', 'Reflection', 'json', 'date', 'pcre', 'hash', 'filter', 'random'];

    public function testEachCallIsNeededOrLookedFor(): void
    {
        $called = [];
        foreach (Sources::all() as $file => $source) {
            $called += array_fill_keys(array_diff(self::calls($source), self::lookedFor($file, $source)), $file);
        }
        ksort($called);
        $needed = Functions::NEEDED;
        self::assertSame([], array_diff_key($called, array_flip($needed)), 'are called in these files without a look whether they are there');
        self::assertSame([], array_diff($needed, array_keys($called)), 'are not called any more');
        self::assertSame(array_keys($called), $needed, 'sorted');
        self::assertNull(Functions::missing($needed));
    }

    public function testWhatIsNeededIsInNoExtensionThatMayBeMissing(): void
    {
        foreach (Functions::NEEDED as $name) {
            self::assertContains((new \ReflectionFunction($name))->getExtensionName(), self::ALWAYS, $name);
        }
    }

    /**
     * Classes and constants of other extensions are allowed where the file looks for the class, or for a function of
     * the same extension.
     */
    public function testClassesAndConstantsOfExtensionsAreLookedFor(): void
    {
        $constants = [];
        foreach (get_defined_constants(true) as $extension => $some) {
            $constants += array_fill_keys(array_keys($some), $extension);
        }
        foreach (Sources::all() as $file => $source) {
            $looked = array_map(
                static fn (string $name): string => (string) (new \ReflectionFunction($name))->getExtensionName(),
                array_filter(self::lookedFor($file, $source), 'function_exists')
            );
            if (str_contains($source, 'class_exists(\PhpToken::class)')) {
                $looked[] = 'tokenizer';
            }
            if (str_contains($source, 'HttpDownloader::isCurlEnabled()')) {
                $looked[] = 'curl';
            }
            foreach (Sources::tokens($source) as $token) {
                $name = ltrim($token->text, '\\');
                if (!$token->is([T_STRING, T_NAME_FULLY_QUALIFIED])) {
                    continue;
                }
                $extension = $constants[$name] ?? null;
                if ($token->is(T_NAME_FULLY_QUALIFIED) && !str_starts_with($name, 'Allegro\\') && class_exists($name)) {
                    $extension = (new \ReflectionClass($name))->getExtensionName();
                }
                if ($extension !== null && $extension !== false && $extension !== 'user') {
                    self::assertContains($extension, [...self::ALWAYS, ...$looked], $name.' in '.$file);
                }
            }
        }
    }

    public function testTheFirstThatIsMissingIsNamed(): void
    {
        self::assertNull(Functions::missing(['strlen', 'count']));
        self::assertSame('allegro_none', Functions::missing(['strlen', 'allegro_none', 'allegro_other']));
    }

    /**
     * @return list<string> functions of PHP that are called, by name or as a callable of array_map() and array_filter()
     */
    private static function calls(string $source): array
    {
        $calls = [];
        $tokens = Sources::tokens($source);
        foreach ($tokens as $index => $token) {
            $before = $tokens[$index - 1] ?? null;
            $after = $tokens[$index + 1]->text ?? '';
            $name = strtolower(trim($token->text, '\\\''));
            $isCall = $token->is([T_STRING, T_NAME_FULLY_QUALIFIED]) && $after === '('
                && !$before->is([T_OBJECT_OPERATOR, T_NULLSAFE_OBJECT_OPERATOR, T_DOUBLE_COLON, T_FUNCTION, T_NEW]);
            $isCallable = $token->is(T_CONSTANT_ENCAPSED_STRING)
                && ($after === ')' && $before->text === ',' || $before->text === '(' && $tokens[$index - 2]->text === 'array_map');
            if (($isCall || $isCallable) && function_exists($name) && (new \ReflectionFunction($name))->isInternal()) {
                $calls[] = $name;
            }
        }

        return array_values(array_unique($calls));
    }

    /**
     * @return list<string> functions whose presence the file looks for
     */
    private static function lookedFor(string $file, string $source): array
    {
        $names = [];
        preg_match_all("{function_exists\\('(\\w+)'\\)}", $source, $single);
        preg_match_all('{Functions::missing\(\[(.*?)\]}s', $source, $several);
        if (!str_ends_with($file, '/Functions.php')) {
            preg_match_all('{const NEEDED = \[(.*?)\]}s', $source, $constant);
            array_push($several[1], ...$constant[1]);
        }
        foreach ($several[1] as $list) {
            preg_match_all("{'(\\w+)'}", $list, $quoted);
            array_push($names, ...$quoted[1]);
        }

        return array_merge($single[1], $names);
    }
}
