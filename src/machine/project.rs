//! A small project, in which the machine's Composer shows its texts.
//!
//! The project needs no network: its packages lie in directories. [`files`] always returns the same, so that native code can make the same files and compare them.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use allegro_composer::content_hash;
use allegro_composer::json::Json;

/// Files of the project apart from those that [`files`] adds.
const FILES: [(&str, &str); 14] = [
    ("composer.json", MANIFEST),
    (
        "src/Root.php",
        "<?php\nnamespace Probe\\Root;\nclass Root {}\n",
    ),
    ("src/root.php", "<?php\n"),
    (
        "tests/RootTest.php",
        "<?php\nnamespace Probe\\Tests;\nclass RootTest {}\n",
    ),
    ("packages/programs/texts/probe-plain", "<?php\n"),
    (
        "packages/programs/texts/probe-shebang",
        "#!/usr/bin/env -S php -n\n<?php\n",
    ),
    (
        "packages/programs/texts/probe-shell",
        "#!/usr/bin/env probe-caller\n",
    ),
    ("packages/programs/texts/probe-space", "\n \t<?php\n"),
    ("packages/phpunit/probe-outside", "<?php\n"),
    (
        "packages/phpunit/phpunit",
        "#!/usr/bin/env -S php -n\n<?php\n",
    ),
    (
        "packages/library/src/Library.php",
        "<?php\nnamespace Probe\\Library;\nclass Library {}\n",
    ),
    (
        "packages/library/lib/Probe/Old.php",
        "<?php\nclass Probe_Old {}\n",
    ),
    (
        "packages/library/classes/Mapped.php",
        "<?php\nclass Probe_Mapped {}\n",
    ),
    ("packages/library/library.php", "<?php\n"),
];

const MANIFEST: &str = r#"{
    "name": "allegro-probe/root",
    "description": "A project in which Composer shows its texts",
    "license": "MIT",
    "repositories": [{"packagist.org": false}],
    "require": {
        "php": ">=5.3.2",
        "ext-spl": "*",
        "allegro-probe/linked": "1.0.0",
        "allegro-probe/programs": "1.0.0",
        "phpunit/phpunit": "1.0.0"
    },
    "require-dev": {
        "allegro-probe/library": "1.2.x-dev"
    },
    "autoload": {
        "psr-4": {"Probe\\Root\\": "src/"},
        "files": ["src/root.php"]
    },
    "autoload-dev": {
        "psr-4": {"Probe\\Tests\\": "tests/"}
    },
    "config": {
        "autoloader-suffix": "AllegroProbe",
        "bin-compat": "full"
    },
    "minimum-stability": "dev"
}
"#;

/// The lock's text, with a place for the content-hash.
const LOCK: &str = r#"{
    "content-hash": "CONTENT-HASH",
    "packages": [
        {
            "name": "allegro-probe/linked",
            "version": "1.0.0",
            "dist": {
                "type": "path",
                "url": "packages/linked",
                "reference": "0123456789012345678901234567890123456789"
            },
            "bin": [
                "probe-outside"
            ],
            "type": "library",
            "transport-options": {
                "symlink": true,
                "relative": true
            }
        },
        {
            "name": "allegro-probe/programs",
            "version": "1.0.0",
            "dist": {
                "type": "path",
                "url": "packages/programs",
                "reference": "0123456789012345678901234567890123456789"
            },
            "require": {
                "php": ">=5.3.2"
            },
            "bin": [
                "texts/probe-plain",
                "texts/probe-shebang",
                "texts/probe-shell",
                "texts/probe-space",
                "texts/probe-long"
            ],
            "type": "library",
            "license": [
                "MIT"
            ],
            "transport-options": {
                "symlink": false,
                "relative": true
            }
        },
        {
            "name": "phpunit/phpunit",
            "version": "1.0.0",
            "dist": {
                "type": "path",
                "url": "packages/phpunit",
                "reference": "0123456789012345678901234567890123456789"
            },
            "bin": [
                "phpunit"
            ],
            "type": "library",
            "transport-options": {
                "symlink": false,
                "relative": true
            }
        }
    ],
    "packages-dev": [
        {
            "name": "allegro-probe/library",
            "version": "1.2.x-dev",
            "dist": {
                "type": "path",
                "url": "packages/library",
                "reference": "0123456789012345678901234567890123456789"
            },
            "require": {
                "allegro-probe/programs": "^1.0",
                "php": "^5.6 || >=7.0"
            },
            "provide": {
                "allegro-probe/interface": "self.version"
            },
            "replace": {
                "allegro-probe/part": "self.version"
            },
            "type": "library",
            "extra": {
                "branch-alias": {
                    "dev-main": "1.2.x-dev"
                }
            },
            "autoload": {
                "psr-4": {
                    "Probe\\Library\\": "src/"
                },
                "psr-0": {
                    "Probe_": "lib/"
                },
                "classmap": [
                    "classes/"
                ],
                "files": [
                    "library.php"
                ]
            },
            "notification-url": "https://example.org/downloads/",
            "license": [
                "MIT"
            ],
            "keywords": [
                "zeta",
                "alpha"
            ],
            "time": "2020-02-02T12:00:00+01:00",
            "transport-options": {
                "symlink": false,
                "relative": true
            }
        }
    ],
    "aliases": [],
    "minimum-stability": "dev",
    "stability-flags": [],
    "prefer-stable": false,
    "prefer-lowest": false,
    "platform": {
        "php": ">=5.3.2",
        "ext-spl": "*"
    },
    "platform-dev": [],
    "plugin-api-version": "2.2.0"
}
"#;

/// Returns all files of the project, with their texts. A link comes besides, see [`write`].
pub fn files() -> Vec<(&'static str, String)> {
    let mut files: Vec<_> = FILES
        .into_iter()
        .map(|(name, text)| (name, text.to_owned()))
        .collect();
    let long = format!("#!{}\n<?php\n", "x".repeat(600));
    files.push(("packages/programs/texts/probe-long", long));
    // The manifest is constant and valid. With another hash Composer would print a warning.
    let manifest = Json::parse(MANIFEST).unwrap_or(Json::Null);
    let lock = LOCK.replace("CONTENT-HASH", &content_hash(&manifest));
    files.push(("composer.lock", lock));
    files
}

/// Writes the project into a directory.
pub(super) fn write(directory: &Path) -> io::Result<()> {
    for (name, text) in files() {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    let linked = directory.join("packages/linked");
    fs::create_dir_all(&linked)?;
    symlink("../phpunit/probe-outside", linked.join("probe-outside"))
}

/// The package that Composer installs as a link to a directory. Its program lies in another
/// directory.
pub(super) const LINKED: &str = "allegro-probe/linked";

/// The directories and the files below the project's vendor directory that Composer itself writes.
pub(super) const WRITTEN: [&str; 3] = ["autoload.php", "composer", "bin"];
