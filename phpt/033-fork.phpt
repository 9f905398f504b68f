--TEST--
A process that has called us may fork, and its child may call us too
--EXTENSIONS--
allegro
zip
pcntl
posix
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
$package = Box::package(0, $box->zip('a.zip', ['top/a' => 'a']));
echo 'parent: ', Allegro\prepare($box->request([$package]))['packages'][0]['from'], "\n";
$child = pcntl_fork();
if ($child === 0) {
    // Its process id, and so its staging directory, is another one.
    $answer = Allegro\prepare($box->request([$package, Box::package(1, null, ['fetch' => ['url' => 'http://127.0.0.1:9/']])]));
    echo 'child: ', $answer['packages'][0]['from'], ' ', $answer['packages'][1]['outcome'], "\n";
    echo 'child: ', implode(Allegro\remove(['paths' => [$box->staging()]])['failures']), "removed\n";
    exit;
}
$deadline = microtime(true) + 10;
do {
    usleep(10_000);
    $ended = pcntl_waitpid($child, $status, WNOHANG);
} while ($ended === 0 && microtime(true) < $deadline);
if ($ended === 0) {
    posix_kill($child, SIGKILL);
    echo "the child hangs\n";
}
echo 'parent: ', Allegro\prepare(['staging' => $box->staging().'b'] + $box->request([$package]))['packages'][0]['from'], "\n";
?>
--EXPECT--
parent: archive
child: store declined
child: removed
parent: store
