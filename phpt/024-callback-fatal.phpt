--TEST--
A fatal error in the callback ends the script as such: no crash, and no thread is left to write
--EXTENSIONS--
allegro
zip
pcntl
posix
--INI--
memory_limit=32M
display_errors=1
html_errors=0
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
[$server, $port] = hangingServer();
$staging = $box->staging();
register_shutdown_function(static function () use ($staging, $server, $box): void {
    endProcess($server);
    echo 'after: ', threads(), ' thread, staging is ', file_exists($staging) ? 'there' : 'gone', "\n";
    // No destructor runs after a fatal error.
    Box::remove($box->dir);
});
// The download keeps threads busy while the other package is ready at once.
$packages = [
    Box::package(0, null, ['fetch' => ['url' => 'http://127.0.0.1:'.$port.'/x.zip']]),
    Box::package(1, $box->zip('a.zip', ['top/a' => 'a'])),
];
Allegro\prepare($box->request($packages), static function (): void {
    echo 'in the callback: ', threads() > 1 ? 'threads' : 'one thread', "\n";
    $text = '';
    while (true) {
        $text .= str_repeat('x', 1_000_000);
    }
});
echo "went on\n";
?>
--EXPECTF--
in the callback: threads

Fatal error: Allowed memory size of 33554432 bytes exhausted %s
after: 1 thread, staging is gone
