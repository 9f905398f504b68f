//! Knows files that plugins of Composer write into vendor.

use std::path::Path;

/// Files that plugins write, below the vendor directory. Each plugin is on Packagist.
const FILES: [&str; 16] = [
    // drupal/core-vendor-hardening
    ".htaccess",
    "web.config",
    // symfony/runtime
    "autoload_runtime.php",
    // cakephp/plugin-installer
    "cakephp-plugins.php",
    // php-http/discovery
    "composer/GeneratedDiscoveryStrategy.php",
    // tbachert/spi
    "composer/GeneratedServiceProviderData.php",
    // composer/package-versions-deprecated
    "composer/package-versions-deprecated/src/PackageVersions/Versions.php",
    // infection/extension-installer
    "infection/extension-installer/src/GeneratedExtensionsConfig.php",
    // ocramius/package-versions
    "ocramius/package-versions/src/PackageVersions/Versions.php",
    // pestphp/pest-plugin
    "pest-plugins.json",
    // phpstan/extension-installer
    "phpstan/extension-installer/src/GeneratedConfig.php",
    // dealerdirect/phpcodesniffer-composer-installer
    "squizlabs/php_codesniffer/CodeSniffer.conf",
    // typo3/cms-composer-installers
    "typo3/PackageArtifact.php",
    "typo3/autoload-include.php",
    // craftcms/plugin-installer
    "craftcms/plugins.php",
    // yiisoft/yii2-composer
    "yiisoft/extensions.php",
];

/// Returns whether plugins are known to write a file, given by its path below vendor.
pub fn writes(path: &Path) -> bool {
    FILES.iter().any(|known| Path::new(known) == path)
}
