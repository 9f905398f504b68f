--TEST--
The callback is called with lists of events on PHP's thread
--EXTENSIONS--
allegro
zip
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
$packages = [];
for ($id = 0; $id < 20; ++$id) {
    $packages[] = Box::package($id, $box->zip($id.'.zip', ['top/a' => 'a'.$id]));
}
$packages[] = Box::package(20, null);
$settled = [];
$shapes = [];
$answer = Allegro\prepare($box->request($packages), static function (array ...$arguments) use (&$settled, &$shapes): string {
    $shapes[count($arguments).(array_is_list($arguments[0]) ? ' list' : ' map').($arguments[0] === [] ? ', empty' : '')] = true;
    foreach ($arguments[0] as $event) {
        $shapes[implode(' ', array_keys($event))] = true;
        $settled[] = $event['id'];
    }

    return 'whatever';
});
ksort($shapes);
sort($settled);
print_r(array_keys($shapes));
var_dump($settled === range(0, 20));
echo implode(' ', array_unique(array_column($answer['packages'], 'outcome'))), "\n";

// Any callable will do, and none.
final class Listener
{
    public static int $events = 0;

    public static function take(array $events): void
    {
        self::$events += count($events);
    }
}
foreach (['Listener::take', ['Listener', 'take'], Listener::take(...), null] as $callback) {
    Allegro\prepare($box->request([Box::package(100, null)]), $callback);
}
Allegro\prepare(on_events: [new Listener(), 'take'], request: $box->request([Box::package(100, null)]));
var_dump(Listener::$events);
?>
--EXPECT--
Array
(
    [0] => 1 list
    [1] => event id
)
bool(true)
ready missing
int(4)
