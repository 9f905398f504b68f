--TEST--
The link strategy decides whether inodes are shared; a changed blob is noticed and restored
--EXTENSIONS--
allegro
zip
--FILE--
<?php
require __DIR__.'/support.inc';

$box = new Box();
$archive = $box->zip('a.zip', ['top/a.php' => str_repeat('a', 100), 'top/b.php' => str_repeat('b', 100)]);
$prepare = static function (string $strategy, array $more = []) use ($box, $archive): array {
    Box::remove($box->staging());
    $settings = ['settings' => ['store' => $box->dir.'/store', 'link_strategy' => $strategy]];
    $events = [];
    $answer = Allegro\prepare($box->request([Box::package(0, $archive)], $settings), static function (array $list) use (&$events): void {
        $events = array_merge($events, $list);
    });

    foreach ($answer['notices'] as $message) {
        $events[] = ['event' => 'answer', 'message' => $message];
    }

    return [$answer['packages'][0], $answer['method'], $events];
};
foreach (['copy', 'hardlink', 'copy'] as $strategy) {
    [$package, $method] = $prepare($strategy);
    printf("%s: %s, %s, %d link(s)\n", $strategy, $method, $package['from'], stat($package['stage'].'/a.php')['nlink']);
}

// Somebody edits the file through his hard link.
[$package] = $prepare('hardlink');
file_put_contents($package['stage'].'/a.php', 'edited');
[$package, $method, $events] = $prepare('hardlink');
var_dump($package['from'], file_get_contents($package['stage'].'/a.php') === str_repeat('a', 100));
foreach ($events as $event) {
    echo $event['event'], ' ', $box->without($event['message'] ?? ''), "\n";
}
?>
--EXPECT--
copy: copy, archive, 1 link(s)
hardlink: hardlink, store, 2 link(s)
copy: copy, store, 1 link(s)
string(7) "archive"
bool(true)
settled 
answer the store's copies of a.php of acme/p0 (1.0) were changed in place or torn; they went to quarantine and are restored from the archives; projects that have the package: DIR
