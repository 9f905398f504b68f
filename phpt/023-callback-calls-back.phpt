--TEST--
A callback may call the extension itself
--EXTENSIONS--
allegro
zip
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
$inner = Box::package(1, $box->zip('b.zip', ['top/b' => 'b']));
$outcomes = [];
$answer = Allegro\prepare(
    $box->request([Box::package(0, $box->zip('a.zip', ['top/a' => 'a']))]),
    static function () use ($box, $inner, &$outcomes): void {
        // Another staging directory, as every call of another process would have.
        $request = ['staging' => $box->staging().'b'] + $box->request([$inner]);
        $outcomes[] = Allegro\prepare($request)['packages'][0]['outcome'];
        $outcomes[] = Allegro\info()['protocol'];
    }
);
var_dump($answer['packages'][0]['outcome'], $outcomes);
?>
--EXPECT--
string(5) "ready"
array(2) {
  [0]=>
  string(5) "ready"
  [1]=>
  int(9)
}
