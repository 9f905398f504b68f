<?php

// Prints the requests with which Composer reports packages: php oracle.php AUTOLOADER CASES

error_reporting(E_ALL & ~E_DEPRECATED);
require $argv[1];

use Composer\Config;
use Composer\Downloader\FileDownloader;
use Composer\Installer\InstallationManager;
use Composer\IO\NullIO;
use Composer\Package\Package;
use Composer\Util\HttpDownloader;
use Composer\Util\Loop;

class Recorder extends HttpDownloader
{
    public $requests = [];

    #[\ReturnTypeWillChange]
    public function add($url, $options = array())
    {
        $this->requests[] = [
            'url' => $url,
            'method' => $options['http']['method'],
            'header' => implode("\n", $options['http']['header']),
            'content' => $options['http']['content'],
            'timeout' => $options['http']['timeout'],
        ];

        return \React\Promise\resolve(null);
    }
}

$answers = [];
foreach (json_decode(file_get_contents($argv[2]), true) as $packages) {
    $recorder = new Recorder(new NullIO(), new Config());
    $manager = new InstallationManager(new Loop($recorder), new NullIO());
    FileDownloader::$downloadMetadata = [];
    $mark = new ReflectionMethod($manager, 'markForNotification');
    $mark->setAccessible(true);
    foreach ($packages as $entry) {
        $package = new Package($entry['name'], $entry['version'], $entry['pretty']);
        if ($entry['url'] !== null) {
            $package->setNotificationUrl($entry['url']);
        }
        if ($entry['size'] !== null) {
            FileDownloader::$downloadMetadata[$package->getName()] = $entry['size'];
        }
        $mark->invoke($manager, $package);
    }
    $manager->notifyInstalls(new NullIO());
    $answers[] = $recorder->requests;
}
file_put_contents($argv[2].'.answers', json_encode($answers));
