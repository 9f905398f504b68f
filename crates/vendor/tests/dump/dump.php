<?php

// Makes dumps with Composer's own classes. The first argument is the autoloader of a Composer. Each
// line of the input is a dump to make, and each line of the output tells its result.

require $argv[1];

use Composer\Autoload\AutoloadGenerator;
use Composer\ClassMapGenerator\ClassMap;
use Composer\ClassMapGenerator\ClassMapGenerator;
use Composer\ClassMapGenerator\PhpFileParser;
use Composer\Config;
use Composer\EventDispatcher\EventDispatcher;
use Composer\Filter\PlatformRequirementFilter\PlatformRequirementFilterFactory;
use Composer\Installer\InstallationManager;
use Composer\IO\NullIO;
use Composer\Package\CompletePackage;
use Composer\Package\Loader\ArrayLoader;
use Composer\Package\Locker;
use Composer\Package\RootPackage;
use Composer\Repository\InstalledArrayRepository;

error_reporting(E_ALL & ~E_DEPRECATED);
set_error_handler(static function (int $level, string $message): bool {
    if ((error_reporting() & $level) === 0) {
        return true;
    }
    throw new ErrorException($message);
});

final class Recording extends NullIO
{
    public array $messages = [];

    public function writeError($messages, $newline = true, $verbosity = self::NORMAL): void
    {
        $this->messages = array_merge($this->messages, (array) $messages);
    }
}

$returned = (new ReflectionMethod(InstallationManager::class, 'getInstallPath'))->getReturnType();
$nullable = $returned === null || $returned->allowsNull();
eval('final class Paths extends \Composer\Installer\InstallationManager
{
    public $paths;

    public function __construct($paths)
    {
        $this->paths = $paths;
    }

    public function getInstallPath(\Composer\Package\PackageInterface $package): '.($nullable ? '?' : '').'string
    {
        return $this->paths[$package->getName()] ?? '.($nullable && metapackagesHaveNoPath() ? 'null' : "''").';
    }
}
final class Locked extends \Composer\Package\Locker
{
    public $hash;

    public function __construct($hash)
    {
        $this->hash = $hash;
    }

    public function isLocked(): bool
    {
        return $this->hash !== null;
    }

    public function getLockData(): array
    {
        return ["content-hash" => $this->hash];
    }
}');

function metapackagesHaveNoPath(): bool
{
    $installer = (new ReflectionClass(Composer\Installer\MetapackageInstaller::class))->newInstanceWithoutConstructor();

    return $installer->getInstallPath(new CompletePackage('a/a', '1.0.0.0', '1.0.0')) === null;
}

function traits(): array
{
    $traits = ['version' => Composer\Composer::VERSION, 'php' => PHP_VERSION_ID, 'short_open_tag' => (bool) ini_get('short_open_tag'), 'generator' => null];
    if (class_exists(ClassMapGenerator::class)) {
        $map = new ReflectionClass(ClassMap::class);
        $parser = (string) file_get_contents((new ReflectionClass(PhpFileParser::class))->getFileName());
        $generator = (string) file_get_contents((new ReflectionClass(ClassMapGenerator::class))->getFileName());
        $traits['generator'] = match (true) {
            str_contains($generator, '$rejectedClasses[] = $class;'."\n".'                    continue;') => '1.7.2',
            $map->getMethod('getAmbiguousClasses')->getNumberOfParameters() > 0 => '1.4.0',
            str_contains($parser, '(?<![\\\\\\\\$:>])') => '1.3.4',
            $map->hasMethod('clearPsrViolationsByPath') => '1.3.3',
            default => '1.0.0',
        };
    }

    return $traits;
}

function dump(array $case): array
{
    chdir($case['base']);
    $loader = new ArrayLoader();
    $root = $loader->load($case['root'] + ['name' => '__root__', 'version' => '1.0.0'], RootPackage::class);
    $packages = $paths = [];
    foreach ($case['packages'] as $entry) {
        $package = $loader->load($entry);
        $packages[] = $package;
        if (isset($case['paths'][$package->getName()])) {
            $paths[$package->getName()] = $case['paths'][$package->getName()];
        }
    }
    $repository = new InstalledArrayRepository($packages);
    $repository->setDevPackageNames($case['dev-names']);
    $config = new Config(false, $case['base']);
    $config->merge(['config' => ['vendor-dir' => $case['vendor']] + $case['config']]);
    $io = new Recording();
    $dispatcher = (new ReflectionClass(EventDispatcher::class))->newInstanceWithoutConstructor();
    $generator = new AutoloadGenerator($dispatcher, $io);
    $generator->setDevMode($case['dev']);
    $generator->setClassMapAuthoritative($case['authoritative']);
    $generator->setApcu($case['apcu'], $case['apcu-prefix']);
    $generator->setPlatformRequirementFilter(PlatformRequirementFilterFactory::fromBoolOrList($case['ignored']));
    $arguments = [$config, $repository, $root, new Paths($paths), 'composer', $case['optimize']];
    if ((new ReflectionMethod($generator, 'dump'))->getNumberOfParameters() > 7) {
        array_push($arguments, null, new Locked($case['hash']));
    }
    $classes = $generator->dump(...$arguments);

    return ['messages' => $io->messages, 'classes' => is_int($classes) ? $classes : count($classes)];
}

echo json_encode(traits()), "\n";
while (($line = fgets(STDIN)) !== false) {
    try {
        $result = dump(json_decode($line, true, 512, JSON_THROW_ON_ERROR));
    } catch (Throwable $e) {
        $result = ['error' => get_class($e).': '.$e->getMessage().' at '.$e->getFile().':'.$e->getLine()];
    }
    echo json_encode($result, JSON_INVALID_UTF8_SUBSTITUTE | JSON_THROW_ON_ERROR), "\n";
}
