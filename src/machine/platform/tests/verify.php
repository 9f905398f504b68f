<?php

// Verifies the locks of many projects with Composer's own Installer, and writes the exit codes to
// codes.json. An exception is code 255.
register_shutdown_function(function () {
    $codes = array();
    foreach (json_decode(file_get_contents(__DIR__.'/cases.json'), true) as $case) {
        chdir($case['directory']);
        $io = new \Composer\IO\BufferIO();
        try {
            $composer = \Composer\Factory::create($io, null, true);
            $installer = \Composer\Installer::create($io, $composer);
            $installer->setDryRun(true);
            $installer->setDevMode($case['dev']);
            if (method_exists($installer, 'setAudit')) {
                $installer->setAudit(false);
            }
            if (method_exists($installer, 'setPlatformRequirementFilter')) {
                $installer->setPlatformRequirementFilter(\Composer\Filter\PlatformRequirementFilter\PlatformRequirementFilterFactory::fromBoolOrList($case['ignored']));
            } else {
                $installer->setIgnorePlatformRequirements($case['ignored']);
            }
            $code = $installer->run();
        } catch (\Exception $e) {
            $code = 255;
            $io->writeError((string) $e);
        } catch (\Error $e) {
            $code = 255;
            $io->writeError((string) $e);
        }
        $codes[] = array('code' => $code, 'output' => $io->getOutput());
    }
    file_put_contents(__DIR__.'/codes.json', json_encode($codes, JSON_INVALID_UTF8_SUBSTITUTE));
});
