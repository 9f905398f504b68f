--TEST--
Versions are chosen, can't be, or are left to Composer
--EXTENSIONS--
allegro
--FILE--
<?php
$package = static fn (string $version, array $requires = []): array => ['name' => 'a/a', 'version' => $version, 'requires' => $requires];
$request = [
    'sources' => [null],
    'problem' => [
        'requires' => [['a/a', ['and' => [['>=', '1.0.0.0-dev'], ['<', '2.0.0.0-dev']]]]],
        'fixed' => [['name' => 'php', 'version' => '8.2.0.0', 'always' => true]],
        'repositories' => [['kind' => 'list', 'packages' => [$package('2.0.0.0'), $package('1.1.0.0'), $package('1.0.0.0')]]],
        'stabilities' => [0],
    ],
];
$answer = Allegro\resolve($request);
echo $answer['outcome'], ' ', $answer['packages'][0]['name'], ' ', $answer['packages'][0]['version'], ', of ', $answer['versions'], "\n";

$request['problem']['requires'][] = ['b/b', true];
$answer = Allegro\resolve($request);
echo $answer['outcome'], ' ', count($answer['lines']), "\n";
$request['problem']['written'] = [['a/a', '^1.0'], ['b/b', '*']];
echo implode("\n", Allegro\resolve($request)['lines']), "\n";

$request['problem']['requires'][1] = ['b/b', ['~', '1.0.0.0']];
echo Allegro\resolve($request)['reason'], "\n";

$request['problem']['requires'][1] = ['a/b', true];
$request['problem']['repositories'][] = ['kind' => 'metadata'];
echo Allegro\resolve($request)['reason'], "\n";

try {
    Allegro\resolve(['problem' => 1]);
} catch (Allegro\Exception\InputException $e) {
    echo get_class($e), "\n";
}
?>
--EXPECT--
solved a/a 1.1.0.0, of 3
unsolvable 0
Allegro: b/b * can't be had
         no repository has b/b
         tried and works: without "b/b" in composer.json
a requirement is not understood
a repository has no address
Allegro\Exception\InputException
