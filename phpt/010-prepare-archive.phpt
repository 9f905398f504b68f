--TEST--
A package comes from an archive, and the second time from the store
--EXTENSIONS--
allegro
zip
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
$archive = $box->zip('a.zip', [
    'top/composer.json' => '{}',
    'top/src/A.php' => "<?php\n",
    'top/src/B.php' => "<?php // b\n",
    'top/bin/tool' => "#!/bin/sh\n",
    'top/empty/' => '',
]);
$package = Box::package(7, $archive, ['bins' => ['bin/tool']]);
$answer = Allegro\prepare($box->request([$package]));
echo $box->without(json_encode($answer, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES)), "\n";

$stage = $answer['packages'][0]['stage'];
var_dump(
    file_get_contents($stage.'/composer.json'),
    file_get_contents($stage.'/src/A.php'),
    is_dir($stage.'/empty'),
    decoct(fileperms($stage.'/src/A.php')),
    decoct(fileperms($stage))
);
echo "links: ";
foreach (['src/A.php', 'src/B.php', 'bin/tool'] as $file) {
    echo $file, ' ', stat($stage.'/'.$file)['nlink'], ' ';
}
echo "\n";

// The archive isn't needed any more.
unlink($archive);
$first = stat($stage.'/src/A.php')['ino'];
Box::remove($stage);
$answer = Allegro\prepare($box->request([$package]));
var_dump($answer['packages'][0]['from'], $answer['packages'][0]['files']);
var_dump(stat($stage.'/src/A.php')['ino'] === $first);

// Who may be written to shares nothing.
Box::remove($stage);
$answer = Allegro\prepare($box->request([['private' => true] + $package]));
var_dump($answer['packages'][0]['from'], $answer['method'], stat($stage.'/src/A.php')['nlink']);

// An archive with another sum is no archive; other content is another package.
$archive = $box->zip('a.zip', ['top/other' => '']);
$wrong = Box::package(8, $archive, ['dist' => ['shasum' => str_repeat('0', 40)] + $package['dist']]);
var_dump(Allegro\prepare($box->request([$wrong]))['packages'][0]['outcome']);
$right = Box::package(9, $archive, ['dist' => ['shasum' => sha1_file($archive)] + $package['dist']]);
$answer = Allegro\prepare($box->request([$right]));
var_dump($answer['packages'][0]['outcome'], scandir($answer['packages'][0]['stage']));

// The store may not be used: nothing of what it holds is.
var_dump(Allegro\prepare($box->request([['use_store' => false, 'id' => 10] + $package]))['packages'][0]['outcome']);
?>
--EXPECTF--
{
    "packages": [
        {
            "id": 7,
            "outcome": "ready",
            "stage": "DIR/composer/.allegro-%x-0/7",
            "from": "archive",
            "files": 4,
            "downloaded": 0,
            "archive": null
        }
    ],
    "method": "hardlink",
    "notices": [],
    "made": [
        %d,
        %d
    ]
}
string(2) "{}"
string(6) "<?php
"
bool(true)
string(6) "100666"
string(5) "40755"
links: src/A.php 2 src/B.php 2 bin/tool 1 
string(5) "store"
int(4)
bool(true)
string(5) "store"
NULL
int(1)
string(7) "missing"
string(5) "ready"
array(3) {
  [0]=>
  string(1) "."
  [1]=>
  string(2) ".."
  [2]=>
  string(5) "other"
}
string(7) "missing"
