--TEST--
A signal from another process while archives are unpacked; a handler that throws or exits does so after the call
--EXTENSIONS--
allegro
zip
pcntl
posix
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
$packages = [];
for ($id = 0; $id < 40; ++$id) {
    $entries = [];
    for ($file = 0; $file < 300; ++$file) {
        $entries['top/d'.($file % 20).'/f'.$file] = "$id $file";
    }
    $packages[] = Box::package($id, $box->zip($id.'.zip', $entries));
}
pcntl_async_signals(true);
$parent = getmypid();
$interrupt = static function () use ($parent): int {
    $child = pcntl_fork();
    if ($child === 0) {
        usleep(60_000);
        posix_kill($parent, SIGINT);
        // Without PHP's shutdown, which belongs to the parent.
        posix_kill(getmypid(), SIGKILL);
    }

    return $child;
};

pcntl_signal(SIGINT, static fn () => throw new DomainException('from the handler'));
$child = $interrupt();
try {
    $start = microtime(true);
    Allegro\prepare($box->request($packages));
    echo "came back\n";
} catch (DomainException $e) {
    echo $e->getMessage(), ' after ', $e->getPrevious() ? get_class($e->getPrevious()) : 'nothing', "\n";
} catch (Allegro\Exception\InterruptedException $e) {
    echo "the handler has not run\n";
}
echo microtime(true) - $start < 1.0 ? 'in time' : 'late', "\n";
pcntl_waitpid($child, $status);
var_dump(threads(), file_exists($box->staging()));

pcntl_signal(SIGINT, static function (): void {
    echo "handler\n";
    exit(0);
});
$interrupt();
Allegro\prepare($box->request($packages, ['settings' => ['store' => $box->dir.'/store2']]));
echo "came back\n";
?>
--EXPECT--
from the handler after nothing
in time
int(1)
bool(false)
handler
