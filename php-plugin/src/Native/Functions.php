<?php

declare(strict_types=1);

namespace Allegro\Plugin\Native;

/**
 * Lists the functions of PHP that Allegro calls.
 *
 * A host can switch off any of them (`disable_functions`). Composer goes on as long as it doesn't
 * need that function. So Allegro checks for all functions that it can't do without, before it takes
 * part in a run.
 */
final class Functions
{
    /**
     * All functions that Allegro calls without checking whether they exist.
     *
     * `FunctionsTest` compares the list with the calls. A new call needs an entry in the list or a
     * check of its own.
     */
    public const NEEDED = [
        'array_chunk', 'array_column', 'array_diff', 'array_diff_key', 'array_fill_keys',
        'array_filter', 'array_flip', 'array_intersect_key', 'array_is_list', 'array_key_exists',
        'array_keys', 'array_map', 'array_merge', 'array_pop', 'array_replace_recursive', 'array_reverse',
        'array_search', 'array_shift', 'array_slice', 'array_splice', 'array_sum', 'array_values',
        'base64_decode', 'base64_encode', 'basename', 'bin2hex', 'ceil', 'chmod', 'class_alias',
        'class_exists', 'clearstatcache', 'closedir', 'copy', 'count', 'debug_backtrace', 'defined', 'dirname',
        'error_get_last', 'explode', 'extension_loaded', 'fclose', 'feof', 'file_exists', 'file_get_contents',
        'file_put_contents', 'fileatime', 'filemtime', 'fileperms', 'filesize', 'filetype', 'filter_var', 'fnmatch', 'fopen', 'fread', 'func_get_args',
        'func_num_args', 'function_exists', 'fwrite', 'get_class', 'get_object_vars', 'getcwd', 'getenv', 'getmypid',
        'hash', 'hash_file', 'hex2bin', 'hexdec', 'implode', 'in_array', 'ini_get', 'intdiv', 'interface_exists',
        'is_a', 'is_array', 'is_bool', 'is_callable', 'is_dir', 'is_executable', 'is_file', 'is_float', 'is_int',
        'is_link', 'is_object', 'is_resource', 'is_string', 'is_writable', 'iterator_count', 'iterator_to_array', 'json_decode',
        'json_encode', 'ksort', 'lstat', 'max', 'method_exists', 'microtime', 'min', 'mkdir',
        'number_format', 'ob_get_clean', 'ob_start', 'opendir', 'parse_url', 'phpversion', 'preg_match',
        'preg_match_all', 'preg_replace', 'property_exists', 'random_bytes', 'rawurldecode', 'readdir',
        'realpath', 'register_shutdown_function', 'rename', 'reset', 'rmdir', 'rtrim', 'scandir', 'serialize', 'sha1',
        'sha1_file', 'sort', 'spl_object_hash', 'spl_object_id', 'sprintf', 'str_contains', 'str_ends_with', 'str_pad',
        'str_repeat', 'str_replace', 'str_starts_with', 'stream_isatty', 'stripos', 'strlen', 'strpos',
        'strrpos', 'strtolower', 'strval', 'substr', 'substr_replace', 'time', 'touch', 'trim', 'ucfirst', 'umask',
        'unlink', 'unserialize', 'usleep', 'usort', 'var_export', 'version_compare',
    ];

    /**
     * Returns the first of the functions that this PHP lacks, or null if it has all of them.
     *
     * @param list<string> $names
     */
    public static function missing(array $names): ?string
    {
        foreach ($names as $name) {
            if (!function_exists($name)) {
                return $name;
            }
        }

        return null;
    }

    /**
     * Returns the words that tell a person of a missing function.
     */
    public static function isOff(string $name): string
    {
        return 'PHP\'s function '.$name.' is switched off (disable_functions)';
    }
}
