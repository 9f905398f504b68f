--TEST--
Allegro\info() has version, protocol, store and strategy, also where no store can be told
--EXTENSIONS--
allegro
--FILE--
<?php
putenv('ALLEGRO_STORE=/somewhere/store');
var_dump(Allegro\info());

putenv('ALLEGRO_STORE');
putenv('XDG_CACHE_HOME=/cache');
putenv('ALLEGRO_LINK_STRATEGY=reflink');
var_dump(Allegro\info()['store'], Allegro\info()['strategy']);

putenv('XDG_CACHE_HOME=relative');
putenv('HOME=/home/x');
var_dump(Allegro\info()['store']);

putenv('HOME');
putenv('XDG_CACHE_HOME');
var_dump(Allegro\info()['store']);

putenv('ALLEGRO_STORE=below');
chdir('/tmp');
var_dump(Allegro\info()['store']);
?>
--EXPECTF--
array(4) {
  ["version"]=>
  string(%d) "%d.%d.%s"
  ["protocol"]=>
  int(9)
  ["store"]=>
  string(16) "/somewhere/store"
  ["strategy"]=>
  string(4) "auto"
}
string(14) "/cache/allegro"
string(7) "reflink"
string(22) "/home/x/.cache/allegro"
NULL
string(10) "/tmp/below"
