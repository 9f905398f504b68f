<?php

declare(strict_types=1);

// Composer's classes come from the Composer that is installed: Debian's by default, or any autoload file that
// ALLEGRO_COMPOSER_CLASSES names (phar:///usr/bin/composer.phar/vendor/autoload.php is one, too).
$classes = getenv('ALLEGRO_COMPOSER_CLASSES') ?: '/usr/share/php/Composer/autoload.php';
if (!(str_starts_with($classes, 'phar:') || is_file($classes))) {
    fwrite(STDERR, $classes." is missing: install composer, or name its autoload file in ALLEGRO_COMPOSER_CLASSES\n");
    exit(1);
}
require_once $classes;

spl_autoload_register(static function (string $class): void {
    foreach (['Allegro\\Plugin\\Tests\\' => __DIR__.'/', 'Allegro\\Plugin\\' => dirname(__DIR__).'/src/'] as $prefix => $dir) {
        if (str_starts_with($class, $prefix)) {
            $file = $dir.str_replace('\\', '/', substr($class, strlen($prefix))).'.php';
            if (is_file($file)) {
                require_once $file;
            }

            return;
        }
    }
});

// Before anything loads Composer's own, as in a real run; without it our solver has no parent.
\Allegro\Plugin\Resolve\SolverClass::replace();

// Nothing of the user's own settings and caches.
foreach (array_keys(getenv()) as $name) {
    if (preg_match('{^(ALLEGRO_(STORE|LINK_STRATEGY|WORKERS|IDLE_TIMEOUT_MS|DISABLE)|COMPOSER(_.*)?|CI|.*_proxy)$}i', $name) === 1) {
        putenv($name);
        unset($_ENV[$name], $_SERVER[$name]);
    }
}
