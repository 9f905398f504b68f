--TEST--
exit in the callback ends the script: no catch, no second call, shutdown functions and destructors run
--EXTENSIONS--
allegro
zip
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
$staging = $box->staging();
register_shutdown_function(static function () use ($staging): void {
    var_dump(file_exists($staging), threads());
});
$packages = [];
for ($id = 0; $id < 50; ++$id) {
    $packages[] = Box::package($id, $box->zip($id.'.zip', ['top/a' => 'a'.$id]));
}
try {
    Allegro\prepare($box->request($packages), static function (): void {
        exit("the end\n");
    });
    echo "went on\n";
} catch (Throwable $e) {
    echo 'caught ', get_class($e), "\n";
} finally {
    echo "finally\n";
}
?>
--EXPECT--
the end
bool(false)
int(1)
