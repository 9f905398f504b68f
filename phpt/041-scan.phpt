--TEST--
A class map: scanned, remembered, and what can't be done is declined
--EXTENSIONS--
allegro
--FILE--
<?php
require __DIR__.'/support.inc';
$box = new Box();
mkdir($box->dir.'/src');
file_put_contents($box->dir.'/src/A.php', '<?php namespace App; class A {} class B {}');
file_put_contents($box->dir.'/src/odd.php', "\xFF\xFE<?php class Odd {}");
touch($box->dir.'/src/A.php', 1);
$request = [
    'vendor_dir' => $box->dir,
    'cwd' => realpath($box->dir),
    'dialect' => ['php' => PHP_VERSION_ID, 'short_open_tag' => false, 'backslash_guards' => true],
    'traits' => ['psr4_prefix' => false, 'psr0_prefix' => true],
    'rules' => [['path' => realpath($box->dir).'/src', 'kind' => 'psr-4', 'namespace' => 'App\\', 'excluded' => '{(/odd\.php($|/))}']],
];
$answer = Allegro\scan($request);
echo $answer['outcome'], ' ', implode(',', $answer['names']), ' in ', basename($answer['files'][0]), "\n";
echo $answer['covered'], ' covered, ', $answer['read'], " read\n";
usleep(50_000);
Allegro\scan($request);
echo Allegro\scan($request)['read'], " read\n";

$request['rules'][0]['excluded'] = '{(a+)}';
echo Allegro\scan($request)['reason'], "\n";
$request['rules'][0]['excluded'] = null;
$answer = Allegro\scan($request);
echo $answer['outcome'], ' ', basename($answer['files'][0]['path']), "\n";
$request['known'] = [$answer['files'][0] + ['classes' => ['Odd']]];
$answer = Allegro\scan($request);
echo $answer['outcome'], ', rejected: ', implode(',', $answer['rejected'][0]['classes']), "\n";
$request['known'][0]['token'] = 'zz';
try {
    Allegro\scan($request);
} catch (Allegro\Exception\InputException $e) {
    echo $e->getMessage(), "\n";
}
var_dump(Allegro\unchanged(['vendor_dir' => $box->dir, 'fingerprint' => 'x'])['unchanged']);
?>
--EXPECT--
scanned App\A in A.php
1 covered, 1 read
0 read
an exclusion isn't understood
unsure odd.php
scanned, rejected: Odd
a token that isn't ours: zz
bool(false)
