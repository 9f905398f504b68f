<?php

declare(strict_types=1);

// Prints the configuration that a Composer loads in the working directory: loaded.php AUTOLOAD.

use Composer\Factory;
use Composer\IO\NullIO;

require $argv[1];

$config = (new Factory())->createComposer(new NullIO(), null, true, null, false)->getConfig();
$values = [];
foreach (array_keys($config->raw()['config']) as $key) {
    $values[] = [(string) $key, $config->get($key), $config->getSourceOfValue($key)];
}
echo json_encode([Composer\Composer::getVersion(), $values], JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE), PHP_EOL;
