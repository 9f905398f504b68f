//! The plugins whose code is known. A plugin with other code is left to Composer.
//!
//! The test `digests` computes the digests again from the repositories of the plugins.

use allegro_composer::Unfamiliar;

use super::code::Known;
use super::{
    COMMAND, Effect, Nothing, POST_DUMP, POST_INSTALL, PRE_DUMP, Scene, bin_plugin, discovery,
    installers, package_versions, pest, phpcs, phpstan, runtime,
};

/// All plugins that are known.
pub const KNOWN: [&Known; 15] = [
    &NORMALIZE,
    &BIN_PLUGIN_OLD,
    &BIN_PLUGIN,
    &INSTALLERS_OLD,
    &INSTALLERS,
    &DISCOVERY_OLD,
    &DISCOVERY,
    &RUNTIME,
    &PEST,
    &phpcs::OLD,
    &phpcs::NEW,
    &PHPSTAN_OLD,
    &PHPSTAN,
    &PHPSTAN_NEW,
    &PACKAGE_VERSIONS,
];

/// PHP 8.4 complains about parameters that may be null without saying so.
const IMPLICIT_NULL: u32 = 80_400;

/// A command.
const NORMALIZE: Known = Known {
    name: "ergebnis/composer-normalize",
    class: "Ergebnis\\Composer\\Normalize\\NormalizePlugin",
    autoload: ("Ergebnis\\Composer\\Normalize\\", "src"),
    files: &["src/NormalizePlugin.php"],
    codes: &[
        (
            "886809a267da3ee4326170239f5d2951faca2cf7e6e1a76e7f3922ee0202282c",
            "2.4.0 2.5.1 2.5.2 2.6.0 2.6.1 2.7.0 2.7.1 2.8.0 2.8.1 2.8.2 2.9.0 2.9.1 \
             2.10.0 2.11.0 2.12.0 2.12.1 2.12.2 2.13.0 2.13.1 2.13.2",
        ),
        (
            "ff9e60722bc89684cbc971630b433be130f1be7d0391b739db2cd98f629bfbb1",
            "2.5.0",
        ),
        (
            "472a26205fa04c0a51be330f96635a6bd0527f0d28f05608bf9e2182174b3c62",
            "2.13.3 2.13.4 2.14.0 2.15.0",
        ),
        (
            "cbb2285dd95a999412fd80499c734345ee9fe457fbfcf59c236da2ca1121427f",
            "2.16.0 2.17.0 2.18.0 2.19.0",
        ),
        (
            "5bdd5a81bc8da966508ea6e73df1627a3120d6bf4daec5fb17ab27d76c97f5b6",
            "2.20.0 2.21.0 2.22.0",
        ),
        (
            "d4a0c13a2eb198010ce51183724e88a0fbda886d780ff44809af3ce3103a0112",
            "2.23.0 2.23.1 2.24.0 2.24.1 2.25.0 2.25.1 2.25.2 2.26.0 2.27.0 2.28.0 \
             2.28.1 2.28.2 2.28.3",
        ),
        (
            "7ee8805516aa9e42607dc425d8380a2fc1de52bae49d1cea6afec2442cb13803",
            "2.29.0",
        ),
        (
            "13e42b64d0792a588cda0d8fee6a4c9c39e53af3c21791ccb4d189787847d5e2",
            "2.30.0 2.30.1 2.30.2 2.31.0 2.32.0 2.33.0 2.34.0 2.35.0 2.36.0 2.37.0 \
             2.38.0 2.39.0 2.40.0 2.41.0 2.41.1",
        ),
        (
            "e244cf8ba55c726e91cc0e98121b56efac483c276d0e8e1b5d31f484fa99d227",
            "2.42.0 2.43.0 2.44.0 2.45.0",
        ),
        (
            "a176ef82a13216b1d0c564329e21492e600bb8710c24429e5b517ccede4006a4",
            "2.46.0 2.47.0 2.48.0 2.48.1 2.48.2",
        ),
        (
            "38c7f048d2b435debe9e69fa4ffa9687ae5148cae6587ab43df2c13cb096b940",
            "2.49.0 2.50.0 2.51.0 2.52.0",
        ),
    ],
    listeners: &[],
    plan: nothing,
    leaves_silently: true,
    may_change: true,
    php_below: None,
};

/// A command that may run with others.
const BIN_PLUGIN_OLD: Known = Known {
    codes: &[(
        "65b8224576e319329a4494b3165b1d94a7f38974ccad5b412b6bab276ebe2bdb",
        "1.8.0 1.8.1",
    )],
    plan: bin_plugin::plan_old,
    ..BIN_PLUGIN
};

/// The same, with other words.
const BIN_PLUGIN: Known = Known {
    name: "bamarni/composer-bin-plugin",
    class: "Bamarni\\Composer\\Bin\\BamarniBinPlugin",
    autoload: ("Bamarni\\Composer\\Bin\\", "src"),
    files: &[
        "src/BamarniBinPlugin.php",
        "src/Config/Config.php",
        "src/Logger.php",
        "src/PublicIO.php",
    ],
    codes: &[
        (
            "1ec514ce19780854584427fa80108949203a51f130f820ee55ccde04123a58d7",
            "1.8.2",
        ),
        (
            "6bbc4b7e001ddc7eae21ad0a6d59b4fea2fb75622a7ffe35951e34fd0430460f",
            "1.8.3 1.9.0 1.9.1",
        ),
    ],
    listeners: &[
        (COMMAND, "onCommandEvent"),
        (POST_DUMP, "onPostAutoloadDump"),
    ],
    plan: bin_plugin::plan,
    leaves_silently: false,
    may_change: false,
    php_below: None,
};

/// An installer for other types of packages.
const INSTALLERS_OLD: Known = Known {
    codes: &[
        (
            "9d81da8138bab196cf331462e6c0aef1d454c45d38b719a8ddab928eb5f8b94d",
            "1.9.0",
        ),
        (
            "5446d2b3c24332fd44c4ffa21f05282ab235d67fc38c61e52f1ad2f28980e565",
            "1.10.0",
        ),
        (
            "41fe07c096d9300afb1287289ae953b7a88691f2838e9dc03e2b4dc7f968daa8",
            "1.11.0",
        ),
        (
            "fb6eb099014c81c44c5f43bd585f40cbc58dde5dc398b70aaf942dbeef4ff051",
            "1.12.0",
        ),
    ],
    php_below: Some(IMPLICIT_NULL),
    ..INSTALLERS
};

/// The same, for newer versions of PHP.
const INSTALLERS: Known = Known {
    name: "composer/installers",
    class: "Composer\\Installers\\Plugin",
    autoload: ("Composer\\Installers\\", "src/Composer/Installers"),
    files: &[
        "src/Composer/Installers/Installer.php",
        "src/Composer/Installers/Plugin.php",
    ],
    codes: &[
        (
            "503e7232cfb9a0fa89d8d10481f520feaa0541a507c7e798a38c812dd772a9a3",
            "2.0.0",
        ),
        (
            "0db6b0610dcc43b9e4f410d692f80562c86ded7e0e2fe0ba5053ae42196a0b08",
            "2.0.1 2.1.0 2.1.1",
        ),
        (
            "925b7c56df27f72ad753a44fbb0bbde1ec04cc5d64fe598233b597c4fbf9ab30",
            "2.2.0",
        ),
        (
            "1fdcf6a2164043f62f21374236b19da5960f2f59f56a688940dcbb90d8ebce0e",
            "2.3.0",
        ),
    ],
    listeners: &[],
    plan: installers::plan,
    leaves_silently: true,
    may_change: true,
    php_below: None,
};

/// Listens to updates.
const DISCOVERY_OLD: Known = Known {
    codes: &[
        (
            "66429a6c1391754627a0d61dc8caa6f3c8cc9965ecabd61373a0eef892ddc88b",
            "1.15.0",
        ),
        (
            "51188748d2a0a1584c762f7088d5bb79414055b497a734f97d6334d435f7ad65",
            "1.15.1",
        ),
        (
            "c41091bba256e4eab9ee539398f4713989b507c87335ba50554bebf96a1f8e4e",
            "1.15.2",
        ),
        (
            "26a6e47211c1c4dfcdfc2384a6e12f39eaf051e442862631ed3f2f511dbd0039",
            "1.15.3",
        ),
        (
            "4fd8f69833a613e7788a71c67e9b2d4d0fd458d41934af5f2a7152104b8bd3ac",
            "1.16.0",
        ),
    ],
    listeners: &[],
    plan: discovery::plan_old,
    ..DISCOVERY
};

/// The same, and pins implementations.
const DISCOVERY: Known = Known {
    name: "php-http/discovery",
    class: "Http\\Discovery\\Composer\\Plugin",
    autoload: ("Http\\Discovery\\", "src"),
    files: &["src/Composer/Plugin.php"],
    codes: &[
        (
            "5264f16d20d92f38204325cf6353d7a126d3cdcca27ac3103262f20036ea7f55",
            "1.17.0",
        ),
        (
            "4de800ea2a4cebbc94e88e20191c304956276305e8479f825d468fa974888a23",
            "1.18.0 1.18.1",
        ),
        (
            "969ecbbe2a29281c76c775cbf5ee303e7963f85af46e4615e8f9b4d9e6f28bf6",
            "1.19.0 1.19.1 1.19.2 1.19.3",
        ),
    ],
    listeners: &[(PRE_DUMP, "preAutoloadDump")],
    plan: discovery::plan,
    leaves_silently: true,
    may_change: true,
    php_below: None,
};

/// Writes a loader of the application.
const RUNTIME: Known = Known {
    name: "symfony/runtime",
    class: "Symfony\\Component\\Runtime\\Internal\\ComposerPlugin",
    autoload: ("Symfony\\Component\\Runtime\\", ""),
    files: &["Internal/ComposerPlugin.php"],
    codes: &[
        (
            "22831c4bc9a8616f5e17f25f4cea3475d2287f87b5cf1b8c5063ee56b08cb9a6",
            "5.3.10 5.3.11 5.3.13 5.3.14 5.4.0 5.4.1 5.4.3 5.4.5 5.4.7 5.4.8 5.4.11 \
             6.0.0 6.0.3 6.0.5 6.0.7 6.0.8 6.0.11",
        ),
        (
            "33b435d0fa662515beb28f5ce2a71829fdfded9305211fdedd84275de973eea6",
            "5.4.19 5.4.21 5.4.22 6.0.19",
        ),
        (
            "a2ebf35b9e96d02292756b30a4e4064d74679937258a0c2bf787e915c7e752bc",
            "5.4.25 5.4.26 5.4.35",
        ),
        (
            "b605fd7f0600e8d35269ddbd480958e46c31ab65cbba1d6f9fd1b71c50793751",
            "6.1.0 6.1.1 6.1.3 6.2.0",
        ),
        (
            "72b868dfa354c896b2f3fa6799de04a747ee693ee490e149228a0aadb0560097",
            "6.1.11 6.2.5 6.2.7 6.2.8 6.3.0",
        ),
        (
            "a9b28e70107cc9551be6d8dcb7ac6e0f4847179d9e27e143813452705af49788",
            "6.2.12 6.2.13 6.3.1 6.3.2 6.3.12",
        ),
        (
            "e02ed961ea8a879ed49bc87efead388a340bf03421ae5dcaff51473e1376a09f",
            "6.4.0 6.4.3 6.4.13 7.0.0 7.0.3",
        ),
        (
            "2c9c9ae8f6e6b34bf3f70e237a34f7b98ca41100524525b5dbc1f3d65429bd87",
            "7.2.7",
        ),
    ],
    listeners: &[(POST_DUMP, "updateAutoloadFile")],
    plan: runtime::plan,
    leaves_silently: false,
    may_change: false,
    php_below: None,
};

/// Lists plugins of a test runner.
const PEST: Known = Known {
    name: "pestphp/pest-plugin",
    class: "Pest\\Plugin\\Manager",
    autoload: ("Pest\\Plugin\\", "src"),
    files: &["src/Commands/DumpCommand.php", "src/Manager.php"],
    codes: &[
        (
            "26defa7038c83d0f7a5d58cb4f33ac9a06671f33d55435a081138615beea3abc",
            "1.0.0",
        ),
        (
            "e1eb369e10781b2cd17dea2b5558c4194857a8dfd65f06eceb57feeaa205e500",
            "1.1.0",
        ),
        (
            "16f62ca23620a964f9e7dc91fe6bac651ef67b07b1ebf17f061dc57f3b077953",
            "2.0.0",
        ),
        (
            "72dc8eac131d4e7e06624d71dcdea403b880eb5f0b2c2149a9d0f100f1cdeae6",
            "2.0.1",
        ),
        (
            "d047c593f0aa59cc21df92c20ecca24f4aec09b2054c9d4a878927a8a24b49cf",
            "2.1.0 2.1.1",
        ),
        (
            "b6cbc1ec1191668e1b730a6962aa62a6dee4fa51fe31fb56d5e5135b6d92ad1d",
            "3.0.0",
        ),
    ],
    listeners: &[(POST_DUMP, "registerPlugins")],
    plan: pest::plan,
    leaves_silently: false,
    may_change: false,
    php_below: None,
};

/// Lists extensions of a linter.
const PHPSTAN_OLD: Known = Known {
    codes: &[(
        "958f65e2a168649e58b3a3ee71fa15711d4db768428909eaa472526488b65977",
        "1.2.0",
    )],
    plan: phpstan::plan_old,
    ..PHPSTAN
};

/// The same, and passes over some of them.
const PHPSTAN: Known = Known {
    codes: &[
        (
            "d8b35305689a17491f094e7bebc970b54084565c8f0193a99325914b16fd287d",
            "1.3.0",
        ),
        (
            "0efd568bcf091ca8abce20d390e2af844b97f8affe2f335cb0253f2d5bfbae5b",
            "1.3.1",
        ),
    ],
    plan: phpstan::plan_ignoring,
    ..PHPSTAN_NEW
};

/// The same, and writes down which versions of the linter they need.
const PHPSTAN_NEW: Known = Known {
    name: "phpstan/extension-installer",
    class: "PHPStan\\ExtensionInstaller\\Plugin",
    autoload: ("PHPStan\\ExtensionInstaller\\", "src"),
    files: &["src/Plugin.php"],
    codes: &[(
        "278c1b436ad64026292651725a597cd3c424853df27beba18d4d334e105de7ab",
        "1.4.3",
    )],
    listeners: &[(POST_INSTALL, "process")],
    plan: phpstan::plan,
    leaves_silently: true,
    may_change: false,
    php_below: None,
};

/// Lists the versions of packages.
const PACKAGE_VERSIONS: Known = Known {
    name: "composer/package-versions-deprecated",
    class: "PackageVersions\\Installer",
    autoload: ("PackageVersions\\", "src/PackageVersions"),
    files: &["src/PackageVersions/Installer.php"],
    codes: &[
        (
            "5357e4ae787b1514f7a4a03ed79de0e0c0284c80fee1027246104ff2d5cf7f89",
            "1.11.99.1",
        ),
        (
            "e76d14b20b887343f2ca05c08e1b763d3d576007b2b761588c7d60357be1338e",
            "1.11.99.2",
        ),
    ],
    listeners: &[(POST_DUMP, "dumpVersionsClass")],
    plan: package_versions::plan,
    leaves_silently: true,
    may_change: false,
    php_below: None,
};

#[expect(clippy::unnecessary_wraps, reason = "other plugins may be unfamiliar")]
fn nothing(_: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    Ok(Box::new(Nothing))
}
