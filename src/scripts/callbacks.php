<?php

/*
 * Plays listeners of script events with the machine's Composer, for src/scripts/callbacks.rs.
 *
 * The script runs by `php -r`. It starts Composer's application with the arguments of the run, so
 * that input, output and errors are Composer's own. In place of the command it serves requests.
 */

(static function (): void {
    [, $in, $out, $binary, $pluginsAreOff, $name] = $_SERVER['argv'];
    $arguments = array_slice($_SERVER['argv'], 6);
    $requests = fopen('php://fd/'.$in, 'r');
    $answers = fopen('php://fd/'.$out, 'w');

    // Callbacks see the command line of Composer.
    $GLOBALS['argv'] = $_SERVER['argv'] = array_merge([$binary], $arguments);
    $GLOBALS['argc'] = $_SERVER['argc'] = count($_SERVER['argv']);
    $_SERVER['PHP_SELF'] = $_SERVER['SCRIPT_NAME'] = $_SERVER['SCRIPT_FILENAME'] = $_SERVER['PATH_TRANSLATED'] = $binary;

    // The program `bin/composer` names the file that loads the classes. An archive has it inside.
    $main = $binary;
    $text = (string) file_get_contents($binary);
    if (strpos($text, '__HALT_COMPILER();') !== false) {
        Phar::loadPhar($binary, 'composer.phar');
        $main = 'phar://composer.phar/bin/composer';
        $text = (string) file_get_contents($main);
    }
    if (preg_match('{require __DIR__ ?\. ?\'(/[^\']+)\';}', $text, $match) !== 1) {
        fwrite(STDERR, 'Composer could not be loaded from '.$binary.PHP_EOL);
        exit(1);
    }
    setlocale(LC_ALL, 'C');
    require dirname($main).$match[1];
    error_reporting(-1);
    $logsErrors = ini_get('error_log') === '' && (bool) ini_get('log_errors');
    $isNewer = strpos($text, '\'stderr\'') !== false;
    ini_set('display_errors', !$isNewer ? '1' : ($logsErrors ? '0' : 'stderr'));

    $environment = static function (): array {
        return $_ENV + array_intersect_key(getenv(), $_SERVER);
    };
    $next = static function () use ($requests, $environment): ?array {
        $length = fgets($requests);
        if ($length === false) {
            return null;
        }
        $fields = explode("\0", (string) stream_get_contents($requests, (int) $length));
        $request = array_splice($fields, 0, 6);
        $wanted = [];
        foreach ($fields as $field) {
            [$variable, $value] = explode('=', $field, 2);
            $wanted[$variable] = $value;
        }
        foreach (array_diff_key($environment(), $wanted) as $variable => $value) {
            Composer\Util\Platform::clearEnv((string) $variable);
        }
        foreach ($wanted as $variable => $value) {
            if (Composer\Util\Platform::getEnv((string) $variable) !== $value) {
                Composer\Util\Platform::putEnv((string) $variable, $value);
            }
        }
        ini_set('memory_limit', $request[5]);

        return $request;
    };

    $request = $next();
    if ($request === null) {
        return;
    }
    Composer\Util\ErrorHandler::register();

    // What Composer says while it starts has been said before, by the run that started us.
    $output = new class(Symfony\Component\Console\Output\ConsoleOutput::VERBOSITY_NORMAL, null, new Symfony\Component\Console\Formatter\OutputFormatter(false, Composer\Factory::createAdditionalStyles())) extends Symfony\Component\Console\Output\ConsoleOutput {
        public $isMuted = true;

        protected function doWrite($message, $newline): void
        {
            if (!$this->isMuted) {
                parent::doWrite($message, $newline);
            }
        }
    };
    $errors = new class($output->getErrorOutput()->getStream(), $output->getVerbosity(), $output->isDecorated(), $output->getFormatter()) extends Symfony\Component\Console\Output\StreamOutput {
        public $isMuted = true;

        protected function doWrite($message, $newline): void
        {
            if (!$this->isMuted) {
                parent::doWrite($message, $newline);
            }
        }
    };
    $output->setErrorOutput($errors);

    // Root was asked or warned before. The variable gets its value back before the first listener.
    $superuser = Composer\Util\Platform::getEnv('COMPOSER_ALLOW_SUPERUSER');
    Composer\Util\Platform::putEnv('COMPOSER_ALLOW_SUPERUSER', '1');

    $application = new Composer\Console\Application();
    $serve = function () use ($application, $output, $errors, $superuser, $pluginsAreOff, $request, $next, $answers, $environment): int {
        $composer = $application->getComposer(true, true);
        if ($superuser === false) {
            Composer\Util\Platform::clearEnv('COMPOSER_ALLOW_SUPERUSER');
        } else {
            Composer\Util\Platform::putEnv('COMPOSER_ALLOW_SUPERUSER', $superuser);
        }
        // We switch plugins off ourselves, which must not be told as a cause of failures.
        $property = new ReflectionProperty(Composer\Console\Application::class, 'disablePluginsByDefault');
        if (PHP_VERSION_ID < 80100) {
            $property->setAccessible(true);
        }
        $property->setValue($application, $pluginsAreOff === '1');
        $installed = $composer->getConfig()->get('vendor-dir').'/composer/installed.php';
        if (is_file($installed)) {
            Composer\InstalledVersions::reload(require $installed);
        }
        $output->isMuted = $errors->isMuted = false;

        $package = $composer->getPackage();
        do {
            [$event, $listener, $devMode, $optimize, $timeout] = $request;
            Composer\Util\ProcessExecutor::setTimeout((int) $timeout);
            $scripts = $package->getScripts();
            $package->setScripts([$event => [$listener]] + $scripts);
            $flags = $optimize === '' ? [] : ['optimize' => $optimize === '1'];
            $returned = $composer->getEventDispatcher()->dispatchScript($event, $devMode === '1', [], $flags);
            $package->setScripts($scripts);
            $fields = [(string) $returned, (string) Composer\Util\ProcessExecutor::getTimeout(), (string) ini_get('memory_limit'), (string) getcwd()];
            foreach ($environment() as $variable => $value) {
                $fields[] = $variable.'='.$value;
            }
            $answer = implode("\0", $fields);
            fwrite($answers, strlen($answer)."\n".$answer);
        } while (($request = $next()) !== null);

        return 0;
    };
    $application->find($name)->setCode($serve);
    $input = new Symfony\Component\Console\Input\ArgvInput(array_merge([$binary, '--no-plugins'], $arguments));
    $application->run($input, $output);
})();
