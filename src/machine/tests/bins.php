<?php

// Calls Composer's BinaryInstaller as cases.json says, and writes its messages to messages.json.
register_shutdown_function(function () {
    $result = array();
    foreach (json_decode(file_get_contents(__DIR__.'/cases.json'), true) as $case) {
        $io = new \Composer\IO\BufferIO();
        $installer = new \Composer\Installer\BinaryInstaller($io, $case['bin_dir'], $case['compat'], new \Composer\Util\Filesystem(), $case['vendor_dir']);
        $failure = null;
        foreach ($case['calls'] as $call) {
            $package = new \Composer\Package\CompletePackage($call['package'], '1.0.0.0', '1.0.0');
            $package->setBinaries($call['bins']);
            try {
                if ($call['installs']) {
                    $installer->installBinaries($package, $call['directory'], $call['reports']);
                } else {
                    $installer->removeBinaries($package);
                }
            } catch (\Exception $e) {
                $failure = $e->getMessage();
            } catch (\Error $e) {
                $failure = $e->getMessage();
            }
        }
        $result[] = array('messages' => $io->getOutput(), 'failure' => $failure);
    }
    file_put_contents(__DIR__.'/messages.json', json_encode($result, JSON_INVALID_UTF8_SUBSTITUTE));
});
