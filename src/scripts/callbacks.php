<?php

/*
 * Plays listeners of script events with the machine's Composer, for src/scripts/callbacks.rs.
 *
 * The script runs by `php -r`. It starts Composer's application with the arguments of the run, so
 * that input, output and errors are Composer's own. In place of the command it serves requests.
 */

use Composer\Console\Application;
use Composer\Factory;
use Composer\InstalledVersions;
use Composer\Util\ErrorHandler;
use Composer\Util\Platform;
use Composer\Util\ProcessExecutor;
use Symfony\Component\Console\Formatter\OutputFormatter;
use Symfony\Component\Console\Input\ArgvInput;
use Symfony\Component\Console\Output\ConsoleOutput;
use Symfony\Component\Console\Output\StreamOutput;

(static function (): void {
    [, $in, $out, $binary, $pluginsAreOff, $name] = $_SERVER['argv'];
    $arguments = array_slice($_SERVER['argv'], 6);
    $requests = fopen('php://fd/'.$in, 'r');
    $answers = fopen('php://fd/'.$out, 'w');

    // Callbacks see the command line of Composer.
    $GLOBALS['argv'] = $_SERVER['argv'] = array_merge([$binary], $arguments);
    $GLOBALS['argc'] = $_SERVER['argc'] = count($_SERVER['argv']);
    foreach (['PHP_SELF', 'SCRIPT_NAME', 'SCRIPT_FILENAME', 'PATH_TRANSLATED'] as $key) {
        $_SERVER[$key] = $binary;
    }

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
    // Newer versions show errors on standard error (bin/composer, composer 2.10.2).
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
            Platform::clearEnv((string) $variable);
        }
        foreach ($wanted as $variable => $value) {
            if (Platform::getEnv((string) $variable) !== $value) {
                Platform::putEnv((string) $variable, $value);
            }
        }
        ini_set('memory_limit', $request[5]);

        return $request;
    };

    $request = $next();
    if ($request === null) {
        return;
    }
    ErrorHandler::register();

    // What Composer says while it starts has been said before, by the run that started us.
    $formatter = new OutputFormatter(false, Factory::createAdditionalStyles());
    $output = new class(ConsoleOutput::VERBOSITY_NORMAL, null, $formatter) extends ConsoleOutput {
        public $isMuted = true;

        protected function doWrite($message, $newline): void
        {
            if (!$this->isMuted) {
                parent::doWrite($message, $newline);
            }
        }
    };
    // An error that keeps Composer from starting is told in the end.
    $errors = new class($output->getErrorOutput()->getStream(), $output->getVerbosity(), $output->isDecorated(), $formatter) extends StreamOutput {
        public $isMuted = true;
        private $held = '';

        protected function doWrite($message, $newline): void
        {
            if ($this->isMuted) {
                $this->held .= $message.($newline ? PHP_EOL : '');
            } else {
                parent::doWrite($message, $newline);
            }
        }

        public function tell(): void
        {
            if ($this->isMuted) {
                fwrite($this->getStream(), $this->held);
            }
        }
    };
    $output->setErrorOutput($errors);
    register_shutdown_function([$errors, 'tell']);

    // Root was asked or warned before. The variable gets its value back before the first listener.
    $superuser = Platform::getEnv('COMPOSER_ALLOW_SUPERUSER');
    Platform::putEnv('COMPOSER_ALLOW_SUPERUSER', '1');

    $application = new Application();
    $start = static function () use ($application, $output, $errors, $superuser, $pluginsAreOff) {
        $composer = $application->getComposer(true, true);
        if ($superuser === false) {
            Platform::clearEnv('COMPOSER_ALLOW_SUPERUSER');
        } else {
            Platform::putEnv('COMPOSER_ALLOW_SUPERUSER', $superuser);
        }
        // We switch plugins off ourselves, which must not be told as a cause of failures.
        $property = new ReflectionProperty(Application::class, 'disablePluginsByDefault');
        if (PHP_VERSION_ID < 80100) {
            $property->setAccessible(true);
        }
        $property->setValue($application, $pluginsAreOff === '1');
        $installed = $composer->getConfig()->get('vendor-dir').'/composer/installed.php';
        if (is_file($installed)) {
            InstalledVersions::reload(require $installed);
        }
        $output->isMuted = $errors->isMuted = false;

        return $composer;
    };
    $serve = function () use ($start, $request, $next, $answers, $environment): int {
        $composer = $start();
        $package = $composer->getPackage();
        do {
            [$event, $listener, $devMode, $optimize, $timeout] = $request;
            ProcessExecutor::setTimeout((int) $timeout);
            $flags = $optimize === '' ? [] : ['optimize' => $optimize === '1'];
            $scripts = $package->getScripts();
            $package->setScripts([$event => [$listener]] + $scripts);
            $returned = $composer->getEventDispatcher()->dispatchScript($event, $devMode === '1', [], $flags);
            $package->setScripts($scripts);
            $fields = [$returned, ProcessExecutor::getTimeout(), ini_get('memory_limit'), getcwd()];
            foreach ($environment() as $variable => $value) {
                $fields[] = $variable.'='.$value;
            }
            $answer = implode("\0", $fields);
            fwrite($answers, strlen($answer)."\n".$answer);
        } while (($request = $next()) !== null);

        return 0;
    };
    $application->find($name)->setCode($serve);
    $application->run(new ArgvInput(array_merge([$binary, '--no-plugins'], $arguments)), $output);
})();
