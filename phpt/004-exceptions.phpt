--TEST--
Every exception class is an \Exception with the marker interface, and can be caught by it
--EXTENSIONS--
allegro
--FILE--
<?php
use Allegro\Exception\AllegroException;

var_dump(interface_exists(AllegroException::class));
foreach (['Input', 'Network', 'Integrity', 'Filesystem', 'Interrupted', 'Internal'] as $kind) {
    $class = 'Allegro\\Exception\\'.$kind.'Exception';
    $reflection = new ReflectionClass($class);
    echo $kind, ': ', $reflection->getParentClass()->getName(), ', ',
        $reflection->implementsInterface(AllegroException::class) ? 'marked' : 'not marked', ', ',
        $reflection->implementsInterface(Throwable::class) ? 'throwable' : 'not throwable', "\n";
}

try {
    Allegro\remove(['path' => '/nowhere']);
} catch (AllegroException $e) {
    echo get_class($e), ': ', $e->getMessage(), "\n";
    var_dump($e->getCode(), $e->getPrevious(), basename($e->getFile()), $e->getLine(), $e->getTrace()[0]['function']);
}

// Like any exception of PHP's own they can be made, extended and kept.
final class Mine extends Allegro\Exception\IntegrityException
{
}
try {
    throw new Mine('mine', 42, $e);
} catch (AllegroException $e) {
    echo $e->getMessage(), ' ', $e->getCode(), ' after ', get_class($e->getPrevious()), ' in line ', $e->getLine(), "\n";
}
echo unserialize(serialize(new Allegro\Exception\NetworkException('kept')))->getMessage(), "\n";

// A message may hold any text.
try {
    Allegro\prepare(['vendor_dir' => '/', 'staging' => "/a\0b", 'umask' => 0, 'packages' => []]);
} catch (AllegroException $e) {
    echo get_class($e), ': ', $e->getMessage(), "\n";
}
?>
--EXPECTF--
bool(true)
Input: Exception, marked, throwable
Network: Exception, marked, throwable
Integrity: Exception, marked, throwable
Filesystem: Exception, marked, throwable
Interrupted: Exception, marked, throwable
Internal: Exception, marked, throwable
Allegro\Exception\InputException: bad request: %s
int(0)
NULL
string(%d) "004-exceptions.php"
int(14)
string(14) "Allegro\remove"
mine 42 after Allegro\Exception\InputException in line 25
kept
Allegro\Exception\FilesystemException: creating /a%s
