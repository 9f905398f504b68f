<?php

// Writes what Allegro must know about this PHP and the Composer that it runs to answer.json.
//
// PHP starts this file before Composer's own script. The answer is made when Composer ends, because
// its classes can be loaded by then, whatever form Composer has. Without a Composer, the answer is
// made at the end of this file. The syntax is that of PHP 5.4, the oldest that Composer 2.2 allows
// on many machines.

if (!function_exists('allegro_probe')) {
    // Composer raises the limit later.
    define('ALLEGRO_PROBE_MEMORY_LIMIT', (string) ini_get('memory_limit'));

    function allegro_probe($directory)
    {
        $answer = array('php' => allegro_probe_php(), 'composer' => null);
        try {
            $answer['composer'] = allegro_probe_composer($directory);
        } catch (\Exception $e) {
            $answer['failure'] = $e->getMessage();
        } catch (\Error $e) {
            $answer['failure'] = $e->getMessage();
        }
        // Everything that was loaded counts, so this comes last.
        $answer['watched'] = allegro_probe_files($directory);
        $text = json_encode($answer, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
        if ($text !== false) {
            file_put_contents($directory.'/answer.json', $text);
        }
    }

    function allegro_probe_list($text)
    {
        return array_values(array_filter(array_map('trim', explode(',', (string) $text)), 'strlen'));
    }

    function allegro_probe_php()
    {
        return array(
            'version' => PHP_VERSION,
            'version_id' => PHP_VERSION_ID,
            'os' => PHP_OS,
            'sapi' => PHP_SAPI,
            'binary' => (string) PHP_BINARY,
            'int_size' => PHP_INT_SIZE,
            'short_open_tag' => (bool) ini_get('short_open_tag'),
            'has_plain_scripts' => ini_get('zend.multibyte') !== '1' && (string) ini_get('zend.script_encoding') === '',
            'disabled_functions' => allegro_probe_list(ini_get('disable_functions')),
            'extensions' => array_values(get_loaded_extensions()),
            'has_opcache' => extension_loaded('Zend OPcache'),
            'has_zip_archive' => class_exists('ZipArchive'),
            'has_proc_open' => function_exists('proc_open'),
            'open_basedir' => (string) ini_get('open_basedir'),
            'allow_url_fopen' => (string) ini_get('allow_url_fopen'),
            'memory_limit' => ALLEGRO_PROBE_MEMORY_LIMIT,
            'has_xdebug' => extension_loaded('xdebug'),
        );
    }

    function allegro_probe_composer($directory)
    {
        if (!class_exists('Composer\Composer')) {
            return null;
        }
        // The classes whose files decide on what Composer installs.
        foreach (array('Autoload\AutoloadGenerator', 'Autoload\ClassLoader', 'DependencyResolver\PoolBuilder', 'DependencyResolver\LockTransaction', 'Repository\ComposerRepository', 'Installer', 'Installer\BinaryInstaller', 'Installer\LibraryInstaller', 'Package\Dumper\ArrayDumper', 'Package\Loader\ArrayLoader', 'Package\Loader\RootPackageLoader', 'Package\Locker', 'Repository\FilesystemRepository', 'Repository\InstalledFilesystemRepository', 'Util\Filesystem') as $name) {
            class_exists('Composer\\'.$name);
        }
        $class = new \ReflectionClass('Composer\Composer');
        $file = (string) $class->getFileName();
        $isPhar = strpos($file, 'phar://') === 0;
        $isWsl = method_exists('Composer\Util\Platform', 'isWindowsSubsystemForLinux')
            && \Composer\Util\Platform::isWindowsSubsystemForLinux();

        return array(
            'version' => \Composer\Composer::getVersion(),
            'constant' => \Composer\Composer::VERSION,
            'branch_alias' => \Composer\Composer::BRANCH_ALIAS_VERSION,
            'runtime_api' => \Composer\Composer::RUNTIME_API_VERSION,
            'plugin_api' => \Composer\Plugin\PluginInterface::PLUGIN_API_VERSION,
            'is_phar' => $isPhar,
            // The directory of Composer's classes, or the phar.
            'root' => $isPhar ? preg_replace('{^phar://(.*)/src/Composer/Composer\.php$}', '$1', $file) : dirname($file),
            'is_wsl' => $isWsl,
            'platform' => allegro_probe_platform(),
            'semver' => allegro_probe_semver(),
            'scan' => allegro_probe_scan($directory),
            'unpackers' => allegro_probe_unpackers(),
            // Distributions have this method in older versions too.
            'checks_versions' => method_exists('Composer\Repository\FilesystemRepository', 'safelyLoadInstalledVersions'),
            'update' => allegro_probe_update(),
        );
    }

    function allegro_probe_platform()
    {
        $links = function ($links) {
            $result = array();
            foreach ($links as $link) {
                $result[] = array('target' => $link->getTarget(), 'constraint' => (string) $link->getConstraint());
            }

            return $result;
        };
        $repository = new \Composer\Repository\PlatformRepository();
        $packages = array();
        foreach ($repository->getPackages() as $package) {
            $packages[] = array(
                'name' => $package->getName(),
                'version' => $package->getVersion(),
                'pretty_version' => $package->getPrettyVersion(),
                'provides' => $links($package->getProvides()),
                'replaces' => $links($package->getReplaces()),
            );
        }

        return $packages;
    }

    function allegro_probe_semver()
    {
        $parser = new \Composer\Semver\VersionParser();
        try {
            $parser->normalize('20100102.5.3');
            $longDates = true;
        } catch (\UnexpectedValueException $e) {
            $longDates = false;
        }
        $belowZero = \Composer\Semver\Intervals::get(new \Composer\Semver\Constraint\Constraint('<', '0.0.0.0-dev'));

        return array(
            'long_dates' => $longDates,
            'rc_is_a_modifier' => (string) $parser->parseConstraints('<1.0-RC') === '< 1.0.0.0-RC',
            'points_need_branches' => (string) \Composer\Semver\Intervals::compactConstraint($parser->parseConstraints('>=2 !=3 || <=2')) !== '!= 3.0.0.0',
            'zero_is_least' => $belowZero['numeric'] === array(),
        );
    }

    /**
     * Returns what differs in updates. Distributions have some of it in older versions too.
     */
    function allegro_probe_update()
    {
        $builder = new \ReflectionClass('Composer\DependencyResolver\PoolBuilder');
        $batch = $builder->getConstant('LOAD_BATCH_SIZE');
        $installer = new \ReflectionClass('Composer\Installer');
        $defaults = $installer->getDefaultProperties();

        return array(
            'batch' => is_int($batch) ? $batch : null,
            'loads_if_required' => $builder->hasMethod('markPackageNameForLoadingIfRequired'),
            'ignored_types' => array_values(isset($defaults['ignoredTypes']) ? $defaults['ignoredTypes'] : array()),
            'knows_platform' => strpos((string) file_get_contents((string) $builder->getFileName()), 'matchedPlatformPackage') !== false,
            'updates_mirrors' => method_exists('Composer\DependencyResolver\LockTransaction', 'updateMirrorAndUrls'),
            'requires_apart' => $installer->hasMethod('requirePackagesForUpdate'),
            'locks_objects' => method_exists('Composer\Package\Locker', 'fixupJsonDataType'),
        );
    }

    /**
     * Returns how the class-map-generator reads files, or null if it is another one.
     */
    function allegro_probe_scan($directory)
    {
        $generatorClass = 'Composer\ClassMapGenerator\ClassMapGenerator';
        if (!class_exists($generatorClass) || !class_exists('Composer\ClassMapGenerator\PhpFileParser')) {
            return null;
        }
        $file = $directory.'/dialect.php';
        file_put_contents($file, "<?php\nnamespace Probe;\nuse Some\\Class as Alias;\nclass Declared {}\n");
        $generator = new $generatorClass(array('php', 'inc', 'hh'));
        $filter = \Closure::bind(
            function ($class, $path, $namespace, $type) use ($generator) {
                return $generator->filterByNamespace(array($class), $path, $namespace, $type, '/x');
            },
            null,
            $generatorClass
        );
        $ambiguous = new \ReflectionMethod($generator->getClassMap(), 'getAmbiguousClasses');

        return array(
            'backslash_guards' => \Composer\ClassMapGenerator\PhpFileParser::findClasses($file) === array('Probe\Declared'),
            'psr4_prefix' => $filter('Bad\Foo', '/x/Foo.php', 'App\\', 'psr-4') === array(),
            'psr0_prefix' => $filter('Bar_Foo', '/x/Bar/Foo.php', 'App_', 'psr-0') === array(),
            // Whether classes in directories of tests are left out when the class map is asked.
            'filters_late' => $ambiguous->getNumberOfParameters() > 0,
        );
    }

    /**
     * Returns the programs that Composer unpacks a zip with, in its order.
     */
    function allegro_probe_unpackers()
    {
        if (!function_exists('proc_open')) {
            return array();
        }
        // Composer looks for programs when it first downloads a zip. A package without a URL makes
        // it look, and the download goes no further.
        $io = new \Composer\IO\NullIO();
        $config = new \Composer\Config(false);
        $process = new \Composer\Util\ProcessExecutor($io);
        $downloader = new \Composer\Downloader\ZipDownloader($io, $config, new \Composer\Util\HttpDownloader($io, $config), null, null, new \Composer\Util\Filesystem($process), $process);
        try {
            $downloader->download(new \Composer\Package\Package('allegro/none', '1.0.0.0', '1.0.0'), '');
        } catch (\InvalidArgumentException $e) {
            // The package has no URL, as intended.
        } catch (\RuntimeException $e) {
            // Neither the programs nor the class ZipArchive are there.
        }
        $commands = \Closure::bind(
            function () {
                return \Composer\Downloader\ZipDownloader::$unzipCommands;
            },
            null,
            'Composer\Downloader\ZipDownloader'
        );

        return array_map(function ($command) { return $command[0]; }, array_values((array) $commands()));
    }

    /**
     * Returns all files that the answer depends on, including places where a file would count.
     */
    function allegro_probe_files($directory)
    {
        $files = array();
        $loaded = php_ini_loaded_file();
        $directories = array(dirname((string) PHP_BINARY));
        if (defined('PHP_CONFIG_FILE_PATH')) {
            $directories[] = PHP_CONFIG_FILE_PATH;
        }
        $phprc = (string) getenv('PHPRC');
        if ($phprc !== '') {
            $directories[] = $phprc;
            $files[] = $phprc;
        }
        foreach ($directories as $one) {
            $files[] = $one.'/php.ini';
            $files[] = $one.'/php-'.PHP_SAPI.'.ini';
        }
        if ($loaded !== false) {
            $files[] = $loaded;
        }
        $scanned = allegro_probe_list(php_ini_scanned_files());
        $scanDirectories = array_map('dirname', $scanned);
        $variable = getenv('PHP_INI_SCAN_DIR');
        foreach (explode(PATH_SEPARATOR, $variable === false ? '' : $variable) as $one) {
            $scanDirectories[] = $one === '' && defined('PHP_CONFIG_FILE_SCAN_DIR') ? PHP_CONFIG_FILE_SCAN_DIR : $one;
        }
        $files = array_merge($files, array_unique(array_filter($scanDirectories, 'strlen')), $scanned);
        $isFixed = true;
        foreach (array_merge($scanned, $loaded === false ? array() : array($loaded)) as $one) {
            // A setting may name a variable of the environment.
            $isFixed = $isFixed && preg_match('{^[^;\n]*\$\{}m', (string) @file_get_contents($one)) === 0;
        }
        $maps = (string) @file_get_contents('/proc/self/maps');
        if (preg_match_all('{^\S+ \S+ \S+ \S+ \d+ +(/.+)$}m', $maps, $found) > 0) {
            $files = array_merge($files, $found[1]);
        } else {
            $extensions = (string) ini_get('extension_dir');
            $files = array_merge($files, array($extensions), (array) glob($extensions.'/*'));
        }
        foreach (get_included_files() as $one) {
            $files[] = preg_replace('{^phar://(.*?)/(src|vendor|bin)/.*$}', '$1', $one);
        }
        $result = array();
        foreach ($files as $one) {
            if (strpos($one, $directory.'/') !== 0 && strpos($one, '/') === 0 && strpos($one, ' (deleted)') === false && strpos($one, '/dev/') !== 0) {
                $result[$one] = true;
            }
        }

        return array('files' => array_keys($result), 'is_fixed' => $isFixed);
    }
}

if ((string) ini_get('auto_prepend_file') === '') {
    allegro_probe(__DIR__);
} else {
    register_shutdown_function('allegro_probe', __DIR__);
}
