--TEST--
What the callback throws ends the call and comes out as it is
--EXTENSIONS--
allegro
zip
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
$packages = [];
for ($id = 0; $id < 50; ++$id) {
    $packages[] = Box::package($id, $box->zip($id.'.zip', ['top/a' => 'a'.$id]));
}
$calls = 0;
$thrower = static function (callable $throw) use (&$calls): Closure {
    return static function () use ($throw, &$calls): void {
        ++$calls;
        $throw();
    };
};
$throws = [
    'exception' => static fn () => throw new DomainException('mine', 42, new LogicException('before')),
    'error' => static fn () => intdiv(1, 0),
    'type error' => static fn () => strlen([]),
    'Allegro\'s own' => static fn () => Allegro\remove(['nonsense' => 1]),
];
foreach ($throws as $what => $throw) {
    $calls = 0;
    try {
        Allegro\prepare($box->request($packages), $thrower($throw));
        echo "nothing came out\n";
    } catch (Throwable $e) {
        echo $what, ': ', get_class($e), ' ', $e->getCode(), ' ', $e->getMessage(), ', ',
            $e->getPrevious() ? get_class($e->getPrevious()) : 'none', ", $calls call(s)\n";
    }
    var_dump(file_exists($box->staging()), threads());
}
// A callback with parameters that don't fit.
try {
    Allegro\prepare($box->request($packages), static function (string $events): void {
    });
    echo "nothing came out\n";
} catch (TypeError $e) {
    echo get_class($e), "\n";
}
// And everything works as before.
var_dump(array_unique(array_column(Allegro\prepare($box->request($packages))['packages'], 'outcome')));
?>
--EXPECTF--
exception: DomainException 42 mine, LogicException, 1 call(s)
bool(false)
int(1)
error: DivisionByZeroError 0 Division by zero, none, 1 call(s)
bool(false)
int(1)
type error: TypeError 0 strlen(): Argument #1 ($%s) must be of type string, array given, none, 1 call(s)
bool(false)
int(1)
Allegro's own: Allegro\Exception\InputException 0 bad request: %s, none, 1 call(s)
bool(false)
int(1)
TypeError
array(1) {
  [0]=>
  string(5) "ready"
}
