--TEST--
Functions and classes, their parameters and types
--EXTENSIONS--
allegro
--FILE--
<?php
$module = new ReflectionExtension('allegro');
foreach ($module->getFunctions() as $function) {
    $parameters = [];
    foreach ($function->getParameters() as $parameter) {
        $parameters[] = $parameter->getType().' $'.$parameter->getName()
            .($parameter->isOptional() ? ' = '.var_export($parameter->getDefaultValue(), true) : '');
    }
    echo $function->getName(), '(', implode(', ', $parameters), '): ', $function->getReturnType(), "\n";
}
print_r($module->getClassNames());
?>
--EXPECT--
Allegro\version(): string
Allegro\info(): mixed
Allegro\diagnose(array $request): mixed
Allegro\prepare(array $request, ?callable $on_events = NULL): mixed
Allegro\resolve(array $request, ?callable $on_events = NULL): mixed
Allegro\lock_diff(array $request): mixed
Allegro\explain(array $request): mixed
Allegro\mend(array $request): mixed
Allegro\remove(array $request): mixed
Allegro\replace(array $request): mixed
Allegro\scan(array $request): mixed
Allegro\unchanged(array $request): mixed
Allegro\dumped(array $request): mixed
Array
(
    [0] => Allegro\Exception\AllegroException
    [1] => Allegro\Exception\InputException
    [2] => Allegro\Exception\NetworkException
    [3] => Allegro\Exception\IntegrityException
    [4] => Allegro\Exception\FilesystemException
    [5] => Allegro\Exception\InterruptedException
    [6] => Allegro\Exception\InternalException
)
