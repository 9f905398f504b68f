--TEST--
A signal in the middle of a download that hangs: InterruptedException, soon, and the handler runs
--EXTENSIONS--
allegro
zip
pcntl
posix
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
[$server, $port] = hangingServer();
pcntl_async_signals(true);
$log = [];
pcntl_signal(SIGALRM, static function () use (&$log): void {
    $log[] = 'handler';
});
$fetch = ['fetch' => ['url' => 'http://127.0.0.1:'.$port.'/x.zip']];
$ready = Box::package(1, $box->zip('a.zip', ['top/a' => 'a']));
// What an earlier call made ready stays: it is not asked for again.
$earlier = Allegro\prepare($box->request([Box::package(2, $box->zip('b.zip', ['top/b' => 'b']))]));
$start = microtime(true);
pcntl_alarm(1);
try {
    Allegro\prepare($box->request([$ready, Box::package(0, null, $fetch)]), static function () use (&$log): void {
        $log[] = 'event';
    });
    $log[] = 'came back';
} catch (Allegro\Exception\InterruptedException $e) {
    $log[] = 'caught '.$e->getMessage();
}
$seconds = microtime(true) - $start;
endProcess($server);
print_r($log);
echo $seconds >= 0.9 && $seconds < 1.5 ? 'in time' : "after $seconds s", "\n";
echo implode(' ', array_diff(scandir($box->staging()), ['.', '..'])), ': ', $earlier['packages'][0]['outcome'], "\n";
var_dump(threads());

// The store is sound and the next call works.
$answer = Allegro\prepare($box->request([$ready]));
var_dump($answer['packages'][0]['outcome']);
?>
--EXPECT--
Array
(
    [0] => event
    [1] => handler
    [2] => caught interrupted
)
in time
2: ready
int(1)
string(5) "ready"
