--TEST--
Missing, broken and hostile archives have different outcomes, and none keeps another package from being ready
--EXTENSIONS--
allegro
zip
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
file_put_contents($box->dir.'/broken.zip', 'this is no zip');
$whole = $box->zip('whole.zip', ['top/a' => random_bytes(5000)]);
file_put_contents($box->dir.'/cut.zip', substr(file_get_contents($whole), 0, 3000));
file_put_contents($box->dir.'/empty.zip', '');
// ZipArchive writes such names as they are.
$hostile = $box->zip('hostile.zip', ['top/a' => 'a', 'top/../../evil' => 'evil']);
$absolute = $box->zip('absolute.zip', ['/etc/evil' => 'evil']);
$answer = Allegro\prepare($box->request([
    Box::package(0, $box->dir.'/none.zip'),
    Box::package(1, null),
    Box::package(2, $box->dir.'/broken.zip'),
    Box::package(3, $box->dir.'/cut.zip'),
    Box::package(4, $box->dir.'/empty.zip'),
    Box::package(5, $hostile),
    Box::package(6, $absolute),
    Box::package(7, $box->dir),
    Box::package(8, $whole),
]));
foreach ($answer['packages'] as $package) {
    echo $box->without(json_encode($package, JSON_UNESCAPED_SLASHES)), "\n";
}
var_dump(file_exists($box->dir.'/evil'), file_exists('/etc/evil'));
// Only what is ready is in staging.
var_dump(array_values(array_diff(scandir($box->staging()), ['.', '..'])));
?>
--EXPECTF--
{"id":0,"outcome":"missing"}
{"id":1,"outcome":"missing"}
{"id":2,"outcome":"declined","reason":"its archive is damaged: %s","loud":false}
{"id":3,"outcome":"declined","reason":"its archive is damaged: %s","loud":false}
{"id":4,"outcome":"declined","reason":"its archive is damaged: %s","loud":false}
{"id":5,"outcome":"declined","reason":"entry \"top/../../evil\": the name has '..' in it","loud":false}
{"id":6,"outcome":"declined","reason":"entry \"/etc/evil\": the name is an absolute path","loud":false}
{"id":7,"outcome":"missing"}
{"id":8,"outcome":"ready","stage":"DIR/composer/.allegro-%x-0/8","from":"archive","files":1,"downloaded":0,"archive":null}
bool(false)
bool(false)
array(1) {
  [0]=>
  string(1) "8"
}
