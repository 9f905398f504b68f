<?php

// Asks Composer's own classes what they record of locked packages. It reads jobs from standard
// input, one JSON text a line, and answers each with a line. The first argument is the autoloader.

namespace Allegro\Test;

use Composer\Composer;
use Composer\Config;
use Composer\Factory;
use Composer\Installer\InstallationManager;
use Composer\IO\NullIO;
use Composer\Json\JsonFile;
use Composer\Package\AliasPackage;
use Composer\Package\Loader\RootPackageLoader;
use Composer\Package\Locker;
use Composer\Package\PackageInterface;
use Composer\Package\RootAliasPackage;
use Composer\Package\Version\VersionGuesser;
use Composer\Package\Version\VersionParser;
use Composer\Repository\FilesystemRepository;
use Composer\Repository\InstalledFilesystemRepository;
use Composer\Repository\RepositoryManager;
use Composer\Util\Filesystem;
use Composer\Util\HttpDownloader;
use Composer\Util\Loop;
use Composer\Util\ProcessExecutor;

error_reporting(E_ALL & ~E_DEPRECATED);
require $argv[1];
set_error_handler(static function (int $level, string $message): bool {
    if ((error_reporting() & $level) !== 0) {
        throw new \ErrorException($message);
    }

    return true;
});

final class Guesser extends VersionGuesser
{
    /** @var array<string, string>|null */
    public $guessed;

    public function guessVersion(array $packageConfig, $path): ?array
    {
        return $this->guessed;
    }
}

final class Manager extends InstallationManager
{
    /** @var string */
    public $vendor;

    public function getInstallPath(PackageInterface $package): string
    {
        if ($package->getType() === 'metapackage') {
            return '';
        }

        return $this->vendor.'/'.$package->getPrettyName().($package->getTargetDir() ? '/'.$package->getTargetDir() : '');
    }
}

/**
 * @param array<string, mixed> $job
 *
 * @return array<string, mixed>
 */
function answer(array $job, string $root): array
{
    $io = new NullIO();
    $vendor = $root.'/'.$job['vendor'];
    mkdir($vendor.'/composer', 0777, true);
    chdir($root);
    $config = new Config(false, $root);
    $config->merge(['config' => ['home' => $root.'/home', 'cache-dir' => $root.'/cache'], 'repositories' => ['packagist.org' => false]]);
    $loop = new Loop(new HttpDownloader($io, $config));
    $manager = new Manager($loop, $io);
    $manager->vendor = $vendor;
    $guesser = new Guesser($config, new ProcessExecutor($io), new VersionParser());
    $guesser->guessed = $job['guessed'];
    putenv('COMPOSER_ROOT_VERSION='.($job['environment'] ?? ''));
    $_SERVER['COMPOSER_ROOT_VERSION'] = $_ENV['COMPOSER_ROOT_VERSION'] = $job['environment'] ?? '';
    $repositories = new RepositoryManager($io, $config, $loop->getHttpDownloader());
    $manifest = JsonFile::parseJson($job['manifest']);
    $loader = new RootPackageLoader($repositories, $config, null, $guesser);
    $package = $loader->load($manifest, 'Composer\Package\RootPackage', $root);

    file_put_contents($root.'/composer.lock', $job['lock']);
    $locker = new Locker($io, new JsonFile($root.'/composer.lock', null, $io), $manager, $job['manifest']);
    $locked = $locker->getLockedRepository(true);
    $links = static function (array $links): array {
        return array_map(static function ($link): array {
            return [$link->getTarget(), $link->getPrettyConstraint()];
        }, array_values($links));
    };
    $platform = $links($locker->getPlatformRequirements(true));

    $path = $vendor.'/composer/installed.json';
    if ($job['old'] !== null) {
        file_put_contents($path, $job['old']);
    }
    $repository = new InstalledFilesystemRepository(new JsonFile($path, null, $io), true, $package);
    foreach ($repository->getPackages() as $old) {
        $repository->removePackage($old);
    }
    foreach ([false, true] as $wantsAliases) {
        foreach ($locked->getPackages() as $one) {
            if ($one instanceof AliasPackage !== $wantsAliases) {
                continue;
            }
            $one = clone $one;
            if (!$wantsAliases && $one->getType() !== 'metapackage') {
                $one->setInstallationSource($job['source']);
            }
            $repository->addPackage($one);
        }
    }
    $repository->setDevPackageNames($locker->getDevPackageNames());
    $repository->write($job['dev'], $manager);
    $json = file_get_contents($path);
    $php = file_get_contents($vendor.'/composer/installed.php');

    // Composer reads its own file, and writes it again.
    $repository = new InstalledFilesystemRepository(new JsonFile($path, null, $io), true, $package);
    $repository->getPackages();
    $repository->write($job['dev'], $manager);

    $real = $package instanceof RootAliasPackage ? $package->getAliasOf() : $package;

    return [
        'directory' => realpath($vendor.'/composer'),
        'vendor' => $vendor,
        'root' => realpath($root),
        'json' => $json,
        'php' => $php,
        'json_again' => file_get_contents($path),
        'php_again' => file_get_contents($vendor.'/composer/installed.php'),
        'platform' => $platform,
        'package' => [
            'name' => $real->getName(),
            'version' => $real->getVersion(),
            'pretty_version' => $real->getPrettyVersion(),
            'type' => $real->getType(),
            'alias' => $package === $real ? null : [$package->getVersion(), $package->getPrettyVersion()],
            'reference' => $real->getSourceReference(),
            'requires' => $links($real->getRequires()),
            'dev_requires' => $links($real->getDevRequires()),
            'minimum_stability' => $real->getMinimumStability(),
            'prefer_stable' => $real->getPreferStable(),
            'stability_flags' => (object) $real->getStabilityFlags(),
            'references' => (object) $real->getReferences(),
            'aliases' => $real->getAliases(),
            'bins' => array_values($real->getBinaries()),
        ],
    ];
}

$filesystem = new Filesystem();
echo json_encode([
    'version' => Composer::VERSION,
    'checks' => method_exists(FilesystemRepository::class, 'safelyLoadInstalledVersions'),
]), "\n";
while (($line = fgets(STDIN)) !== false) {
    $root = sys_get_temp_dir().'/allegro-records-'.getmypid().'/project';
    mkdir($root, 0777, true);
    try {
        $answer = answer(json_decode($line, true), $root);
    } catch (\Throwable $error) {
        $answer = ['error' => get_class($error).': '.$error->getMessage()];
    }
    chdir('/');
    $filesystem->removeDirectoryPhp(dirname($root));
    echo json_encode($answer), "\n";
}
