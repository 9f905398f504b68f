--TEST--
The stub and the extension agree
--EXTENSIONS--
allegro
tokenizer
--FILE--
<?php
// The stub can't be loaded beside the extension: the same declarations under another namespace can.
$source = file_get_contents(getenv('ALLEGRO_ROOT').'/ext/allegro.stub.php');
$source = preg_replace('{^namespace Allegro}m', 'namespace Stub', $source);
eval('?>'.str_replace('\\Allegro\\Exception', '\\Stub\\Exception', $source));

function describe(ReflectionFunction $function): string
{
    $parameters = [];
    foreach ($function->getParameters() as $parameter) {
        $parameters[] = $parameter->getType().' $'.$parameter->getName()
            .($parameter->isOptional() ? ' = '.var_export($parameter->getDefaultValue(), true) : '');
    }

    return '('.implode(', ', $parameters).'): '.$function->getReturnType();
}

$functions = [];
$module = new ReflectionExtension('allegro');
foreach ($module->getFunctions() as $name => $function) {
    $functions[strtolower($name)][0] = describe($function);
}
foreach (get_defined_functions()['user'] as $name) {
    if (str_starts_with($name, 'stub\\')) {
        $functions['allegro'.substr($name, 4)][1] = describe(new ReflectionFunction($name));
    }
}
echo count($functions), " functions\n";
foreach ($functions as $name => $two) {
    if (($two[0] ?? 'missing') !== ($two[1] ?? 'missing')) {
        echo $name, ': extension ', $two[0] ?? 'none', ', stub ', $two[1] ?? 'none', "\n";
    }
}

$classes = [];
foreach ($module->getClasses() as $name => $class) {
    $interfaces = array_diff($class->getInterfaceNames(), ['Throwable', 'Stringable']);
    $classes[$name][0] = ($class->getParentClass() ? $class->getParentClass()->getName() : '').' '.implode(',', $interfaces);
}
foreach (array_merge(get_declared_classes(), get_declared_interfaces()) as $name) {
    if (str_starts_with($name, 'Stub\\')) {
        $class = new ReflectionClass($name);
        $interfaces = array_diff($class->getInterfaceNames(), ['Throwable', 'Stringable']);
        $classes['Allegro'.substr($name, 4)][1] = str_replace('Stub\\', 'Allegro\\', ($class->getParentClass() ? $class->getParentClass()->getName() : '').' '.implode(',', $interfaces));
    }
}
echo count($classes), " classes\n";
foreach ($classes as $name => $two) {
    if (($two[0] ?? 'missing') !== ($two[1] ?? 'missing')) {
        echo $name, ': extension ', $two[0] ?? 'none', ', stub ', $two[1] ?? 'none', "\n";
    }
}
?>
--EXPECT--
13 functions
7 classes
