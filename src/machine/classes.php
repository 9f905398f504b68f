<?php

// Writes the classes of the files that files.json names to answer.json, as Composer's own parser
// finds them. PHP starts this file before Composer's own script, so that Composer's classes can be
// loaded when that has ended.

if (!function_exists('allegro_classes')) {
    function allegro_classes($directory)
    {
        $all = array();
        foreach (json_decode((string) file_get_contents($directory.'/files.json'), true) as $path) {
            $classes = array();
            foreach (\Composer\ClassMapGenerator\PhpFileParser::findClasses($path) as $class) {
                // JSON can't hold a name that isn't UTF-8.
                $classes[] = preg_match('//u', $class) === 1 ? $class : "\0".bin2hex($class);
            }
            $all[] = $classes;
        }
        file_put_contents($directory.'/answer.json', json_encode($all));
    }
}

register_shutdown_function('allegro_classes', __DIR__);
