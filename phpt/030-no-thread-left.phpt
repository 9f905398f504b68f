--TEST--
No thread outlives a call, whatever it did
--EXTENSIONS--
allegro
zip
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
$before = threads();
$packages = [];
for ($id = 0; $id < 30; ++$id) {
    $packages[] = Box::package($id, $box->zip($id.'.zip', ['top/a' => 'a'.$id]));
}
$during = 0;
Allegro\prepare($box->request($packages), static function () use (&$during): void {
    $during = max($during, threads());
});
echo 'during: ', $during > $before ? 'more' : 'as many', ', after: ', threads() - $before, " more\n";

// With downloads, which nobody answers: nothing listens on the discard port of the loopback device.
$fetch = ['fetch' => ['url' => 'http://127.0.0.1:9/x.zip']];
$answer = Allegro\prepare($box->request([Box::package(1000, null, $fetch), Box::package(1001, null, $fetch)]));
echo implode(' ', array_column($answer['packages'], 'outcome')), ', after: ', threads() - $before, " more\n";

Allegro\remove(['paths' => [$box->staging()]]);
echo 'remove, after: ', threads() - $before, " more\n";
?>
--EXPECT--
during: more, after: 0 more
declined declined, after: 0 more
remove, after: 0 more
