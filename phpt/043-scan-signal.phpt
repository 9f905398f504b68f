--TEST--
A signal in the middle of a scan: InterruptedException before its end, the handler runs, and nothing is recorded
--EXTENSIONS--
allegro
pcntl
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
putenv('ALLEGRO_STORE='.$box->dir.'/store');
$src = realpath($box->dir).'/src';
mkdir($src);
for ($file = 0; $file < 500; ++$file) {
    file_put_contents("$src/C$file.php", "<?php class C$file {}");
}
$request = [
    'vendor_dir' => $box->dir,
    'cwd' => realpath($box->dir),
    'dialect' => ['php' => PHP_VERSION_ID, 'short_open_tag' => false, 'backslash_guards' => true],
    'traits' => ['psr4_prefix' => false, 'psr0_prefix' => true],
];
pcntl_async_signals(true);
$handled = false;
pcntl_signal(SIGALRM, static function () use (&$handled): void {
    $handled = true;
});
$rule = ['path' => $src, 'kind' => 'classmap', 'namespace' => '', 'excluded' => null];
// The same directory again and again takes as long as many; so often that the signal comes before the end.
for ($times = 500; $times <= 8000; $times *= 2) {
    $request['rules'] = array_fill(0, $times, $rule);
    $handled = false;
    $kill = proc_open(['sh', '-c', 'sleep 0.1; kill -ALRM '.getmypid()], [], $pipes);
    try {
        Allegro\scan($request);
        $outcome = 'came to its end';
    } catch (Allegro\Exception\InterruptedException $e) {
        $outcome = $e->getMessage();
    } finally {
        $before = $handled;
        proc_close($kill);
    }
    $records = glob($box->dir.'/store/autoload-v1/*');
    if ($outcome === 'interrupted' && $records === []) {
        break;
    }
    array_map('unlink', $records);
}
echo $outcome, $before ? ', the handler has run' : '', "\n";
echo count($records), " records\n";
var_dump(threads());
// The next call works.
$request['rules'] = [$rule];
echo count(Allegro\scan($request)['names']), " classes\n";
?>
--EXPECT--
interrupted, the handler has run
0 records
int(1)
500 classes
