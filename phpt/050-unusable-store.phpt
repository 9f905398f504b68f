--TEST--
A store that can't be used declines every package with one notice, and throws nothing
--EXTENSIONS--
allegro
zip
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
$archive = $box->zip('a.zip', ['top/a' => 'a']);
touch($box->dir.'/file');
$stores = [
    'a file' => $box->dir.'/file',
    'below a file' => $box->dir.'/file/store',
    'not to be made' => '/proc/allegro',
];
foreach ($stores as $what => $store) {
    $answer = Allegro\prepare($box->request([Box::package(0, $archive), Box::package(1, null)], ['settings' => ['store' => $store]]));
    echo $what, ': ', implode(' ', array_column($answer['packages'], 'outcome')), "\n";
    echo '  ', $box->without(implode("\n", $answer['notices'])), "\n";
    foreach ($answer['packages'] as $package) {
        echo '  ', json_encode([$package['reason'], $package['loud']]), "\n";
    }
}
var_dump(file_exists($box->staging()));

// A store of a newer Allegro is another matter.
Allegro\prepare($box->request([]));
file_put_contents($box->dir.'/store/layout', '999');
try {
    Allegro\prepare($box->request([]));
    echo "taken\n";
} catch (Allegro\Exception\InputException $e) {
    echo $box->without($e->getMessage()), "\n";
}
?>
--EXPECTF--
a file: declined declined
  the store can't be used, Composer installs by itself: creating DIR/file/blobs-v2/00 in the store: Not a directory (os error %d)
  ["",false]
  ["",false]
below a file: declined declined
  the store can't be used, Composer installs by itself: creating DIR/file/store/blobs-v2/00 in the store: Not a directory (os error %d)
  ["",false]
  ["",false]
not to be made: declined declined
  the store can't be used, Composer installs by itself: creating /proc/allegro%s in the store: No such file or directory (os error %d)
  ["",false]
  ["",false]
bool(false)
the store at DIR/store has layout 999, this Allegro knows 1: update Allegro or point ALLEGRO_STORE elsewhere
