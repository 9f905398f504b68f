--TEST--
Allegro\remove removes trees, files and links, and follows no link
--EXTENSIONS--
allegro
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
mkdir($box->dir.'/tree/a/b', 0777, true);
touch($box->dir.'/tree/a/b/c');
chmod($box->dir.'/tree/a/b', 0500);
touch($box->dir.'/file');
mkdir($box->dir.'/kept');
touch($box->dir.'/kept/file');
symlink($box->dir.'/kept', $box->dir.'/link');
symlink($box->dir.'/kept', $box->dir.'/tree/link');
symlink($box->dir.'/nowhere', $box->dir.'/dangling');
$paths = array_map(static fn (string $name): string => $box->dir.'/'.$name, ['tree', 'file', 'link', 'dangling', 'none']);
var_dump(Allegro\remove(['paths' => $paths]));
var_dump(array_values(array_diff(scandir($box->dir), ['.', '..'])), file_exists($box->dir.'/kept/file'));
var_dump(Allegro\remove(['paths' => []]));

// What can't be removed is said, and the rest is removed all the same.
touch($box->dir.'/file');
$answer = Allegro\remove(['paths' => ['/proc/self', $box->dir.'/file', $box->dir.'/kept/file/below']]);
echo $box->without(implode("\n", $answer['failures'])), "\n";
var_dump(file_exists($box->dir.'/file'));
?>
--EXPECTF--
array(1) {
  ["failures"]=>
  array(0) {
  }
}
array(1) {
  [0]=>
  string(4) "kept"
}
bool(true)
array(1) {
  ["failures"]=>
  array(0) {
  }
}
/proc/self can't be removed: %s
DIR/kept/file/below can't be removed: %s
bool(false)
