--TEST--
Requests that make no sense are refused, whatever is in them, and nothing is touched
--EXTENSIONS--
allegro
zip
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
$good = $box->request([Box::package(0, null)]);
$nested = [];
for ($i = 0; $i < 100; ++$i) {
    $nested = [$nested];
}
$cycle = [];
$cycle['packages'] = &$cycle;
$requests = [
    'empty' => [],
    'a list' => ['prepare'],
    'unknown field' => $good + ['colour' => 'blue'],
    'unknown field of a package' => ['packages' => [Box::package(0, null, ['colour' => 'blue'])]] + $good,
    'unknown setting' => ['settings' => ['colour' => 'blue']] + $good,
    'text for a number' => ['umask' => '022'] + $good,
    'negative number' => ['umask' => -1] + $good,
    'fraction' => ['umask' => 1.5] + $good,
    'not a number' => ['umask' => NAN] + $good,
    'map for a list' => ['packages' => ['a' => Box::package(0, null)]] + $good,
    'text for a package' => ['packages' => ['acme/p0']] + $good,
    'null for text' => ['vendor_dir' => null] + $good,
    'strange strategy' => ['settings' => ['link_strategy' => 'symlink']] + $good,
    'no workers' => ['settings' => ['workers' => 0]] + $good,
    'nested too deeply' => ['settings' => $nested] + $good,
    'cycle' => $cycle + $good,
    'not UTF-8' => ['vendor_dir' => "/tmp/\xff"] + $good,
    'key not UTF-8' => $good + ["\xff" => 1],
    'object' => ['settings' => new stdClass()] + $good,
    'closure' => ['settings' => static fn () => 1] + $good,
    'resource' => ['settings' => fopen('php://memory', 'r')] + $good,
    'enum-like text' => ['packages' => [Box::package(0, null, ['private' => 'yes'])]] + $good,
];
foreach ($requests as $what => $request) {
    try {
        Allegro\prepare($request);
        echo $what, ': taken', "\n";
    } catch (Allegro\Exception\InputException $e) {
        echo $what, ': ', $e->getMessage(), "\n";
    }
}
foreach (['text', null, 1, new stdClass()] as $argument) {
    try {
        Allegro\prepare($argument);
        echo "taken\n";
    } catch (TypeError $e) {
        echo get_class($e), "\n";
    }
}
try {
    Allegro\prepare($good, 'no_such_function');
    echo "taken\n";
} catch (TypeError $e) {
    echo get_class($e), "\n";
}
var_dump(array_values(array_diff(scandir($box->dir), ['.', '..'])));
// An empty array is an empty map where one is wanted; references are values like others.
$good['settings'] = ['store' => $box->dir.'/store', 'workers' => null];
$good['http'] = [];
$umask = 0022;
$good['umask'] = &$umask;
var_dump(Allegro\prepare($good)['packages'][0]['outcome']);
?>
--EXPECTF--
empty: bad request: invalid%s
a list: bad request: invalid%s
unknown field: bad request: unknown field `colour`%s
unknown field of a package: bad request: unknown field `colour`%s
unknown setting: bad request: unknown field `colour`%s
text for a number: bad request: invalid%s
negative number: bad request: invalid%s
fraction: bad request: invalid%s
not a number: bad request: invalid%s
map for a list: bad request: invalid%s
text for a package: bad request: invalid%s
null for text: bad request: invalid%s
strange strategy: ALLEGRO_LINK_STRATEGY must be auto, reflink, hardlink or copy, not "symlink"
no workers: ALLEGRO_WORKERS must be a number from 1 to 32, not 0
nested too deeply: a request is nested too deeply
cycle: a request is nested too deeply
not UTF-8: a text of a request is not valid UTF-8
key not UTF-8: a key of a request is not valid UTF-8
object: a request can't hold a value of type Object
closure: a request can't hold a value of type Object
resource: a request can't hold a value of type Resource
enum-like text: bad request: invalid%s
TypeError
TypeError
TypeError
TypeError
TypeError
array(0) {
}
string(7) "missing"
