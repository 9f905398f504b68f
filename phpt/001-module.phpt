--TEST--
The module loads and says what it is
--EXTENSIONS--
allegro
--ENV--
ALLEGRO_STORE=/somewhere/store
ALLEGRO_LINK_STRATEGY=copy
--FILE--
<?php
$module = new ReflectionExtension('allegro');
$module->info();
var_dump($module->getVersion() === phpversion('allegro'), $module->getVersion() === Allegro\version());
var_dump($module->getINIEntries(), $module->getConstants(), $module->isPersistent());
?>
--EXPECTF--

allegro

allegro => enabled
version => %d.%d.%s
protocol => 9
store => /somewhere/store
link method => copy
bool(true)
bool(true)
array(0) {
}
array(0) {
}
bool(true)
