<?php

namespace App;

class Listener
{
    private static $calls = 0;

    /** Prints all that a callback can see of the run. */
    public static function record($event)
    {
        $io = $event->getIO();
        $composer = $event->getComposer();
        $origin = $event->getOriginatingEvent();
        $global = $_SERVER;
        foreach (['REQUEST_TIME', 'REQUEST_TIME_FLOAT'] as $name) {
            unset($global[$name]);
        }
        $settings = [];
        foreach (['vendor-dir', 'bin-dir', 'process-timeout', 'home', 'cache-dir'] as $name) {
            $settings[$name] = $composer->getConfig()->get($name);
        }
        ksort($global);
        echo json_encode([
            'call' => ++self::$calls,
            'class' => get_class($event),
            'name' => $event->getName(),
            'flags' => $event->getFlags(),
            'arguments' => $event->getArguments(),
            'dev' => $event->isDevMode(),
            'origin' => $origin === null ? null : $origin->getName(),
            'server' => $global,
            'argv' => $GLOBALS['argv'],
            'config' => $settings,
            'package' => $composer->getPackage()->getName(),
            'version' => $composer->getPackage()->getPrettyVersion(),
            'io' => get_class($io),
            'interactive' => $io->isInteractive(),
            'decorated' => $io->isDecorated(),
            'verbose' => [$io->isVerbose(), $io->isVeryVerbose(), $io->isDebug()],
            'memory' => ini_get('memory_limit'),
            'display' => [ini_get('display_errors'), error_reporting(), ini_get('html_errors')],
            'timezone' => date_default_timezone_get(),
            'cwd' => getcwd(),
            'timeout' => \Composer\Util\ProcessExecutor::getTimeout(),
            'stdin' => posix_isatty(STDIN),
            'installed' => \Composer\InstalledVersions::getInstalledPackages(),
            'root' => \Composer\InstalledVersions::getRootPackage(),
            'plugins' => count($composer->getPluginManager()->getPlugins()),
            'locked' => $composer->getLocker()->isLocked(),
        ], JSON_PRETTY_PRINT), "\n";
        $io->write('<info>written</info>');
        $io->writeError('<warning>to the errors</warning>');
        $io->write('only verbose', true, \Composer\IO\IOInterface::VERBOSE);
        fwrite(STDERR, "plain\n");
    }

    public static function change()
    {
        putenv('FROM_PUTENV=1');
        \Composer\Util\Platform::putEnv('FROM_CALLBACK', "two\nlines");
        \Composer\Util\Platform::clearEnv('TERM');
        ini_set('memory_limit', '2G');
        \Composer\Util\ProcessExecutor::setTimeout(12);
        chdir('src');
    }

    public static function state()
    {
        echo json_encode([
            ++self::$calls,
            getenv('FROM_PUTENV'),
            \Composer\Util\Platform::getEnv('FROM_CALLBACK'),
            ini_get('memory_limit'),
            \Composer\Util\ProcessExecutor::getTimeout(),
            getcwd(),
        ]), "\n";
    }

    public static function fails()
    {
        return false;
    }

    public static function throws()
    {
        throw new \RuntimeException('this is <info>wrong</info>', 42);
    }

    public static function exits()
    {
        echo "leaving\n";
        exit(3);
    }

    public static function shutdown()
    {
        register_shutdown_function(static function () {
            echo "the end\n";
            exit(6);
        });
    }

    public static function late()
    {
        register_shutdown_function(static function () {
            echo "late\n";
        });
    }
}
