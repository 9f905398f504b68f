--TEST--
What a scan needed is given back: PHP needs the memory for the text of the class map
--EXTENSIONS--
allegro
--SKIPIF--
<?php
if (!is_readable('/proc/self/status') || !str_contains((string) file_get_contents('/proc/self/maps'), 'libc.so.6')) {
    die('skip only glibc on Linux is told what to keep');
}
?>
--FILE--
<?php
require __DIR__.'/support.inc';

/** Bytes that are in memory for this process, less what PHP has taken for its values. */
function others(): int
{
    preg_match('{^RssAnon:\s+(\d+)}m', (string) file_get_contents('/proc/self/status'), $match);

    return 1024 * (int) $match[1] - memory_get_usage(true);
}

$box = new Box();
putenv('ALLEGRO_STORE='.$box->dir.'/store');
$request = [
    'vendor_dir' => $box->dir,
    'cwd' => realpath($box->dir),
    'dialect' => ['php' => PHP_VERSION_ID, 'short_open_tag' => false, 'backslash_guards' => true],
    'traits' => ['psr4_prefix' => false, 'psr0_prefix' => true],
    'rules' => [],
];
// What is needed once, for any scan.
Allegro\scan($request);
$count = 6000;
for ($file = 0; $file < $count; ++$file) {
    $dir = $box->dir.'/src/a-package-with-a-rather-long-name/src/Component'.intdiv($file, 200);
    is_dir($dir) || mkdir($dir, 0777, true);
    file_put_contents($dir."/SomeRatherLongName$file.php", "<?php namespace Acme\\Component; class SomeRatherLongName$file {}");
}
$request['rules'][] = ['path' => realpath($box->dir).'/src', 'kind' => 'classmap', 'namespace' => '', 'excluded' => null];
$before = others();
$answer = Allegro\scan($request);
$grown = others() - $before;
echo count($answer['names']), " classes\n";
echo $grown < 1 << 20 ? 'given back' : sprintf('%.1f MiB are kept', $grown / (1 << 20)), "\n";
?>
--EXPECT--
6000 classes
given back
