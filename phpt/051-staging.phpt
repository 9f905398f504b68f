--TEST--
Staging that can't be made is an error; what killed processes left is swept, what others use is not
--EXTENSIONS--
allegro
zip
posix
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
$package = Box::package(0, $box->zip('a.zip', ['top/a' => 'a']));
touch($box->dir.'/file');
try {
    Allegro\prepare(['staging' => $box->dir.'/file/staging'] + $box->request([$package]));
    echo "taken\n";
} catch (Allegro\Exception\FilesystemException $e) {
    echo $box->without($e->getMessage()), "\n";
}

mkdir($box->dir.'/composer/.allegro-7fffffff-0/x', 0777, true);
mkdir(sprintf('%s/composer/.allegro-%x-1', $box->dir, posix_getppid()));
mkdir($box->dir.'/composer/acme');
var_dump(Allegro\prepare($box->request([$package]))['packages'][0]['outcome']);
var_dump(
    file_exists($box->dir.'/composer/.allegro-7fffffff-0'),
    file_exists(sprintf('%s/composer/.allegro-%x-1', $box->dir, posix_getppid())),
    file_exists($box->dir.'/composer/acme')
);
?>
--EXPECT--
creating DIR/file/staging: Not a directory (os error 20)
string(5) "ready"
bool(false)
bool(true)
bool(true)
