//! Installs real PHP code and runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use allegro_registry::{Catalog, TreeOptions};

use crate::support::home::php;
use crate::support::{Scene, Side, copy_tree, same, same_tree, skipped};

/// Trees of Debian's PHP packages, each with a short form of its upstream's manifest.
const TREES: [(&str, &str, &str, &str); 10] = [
    (
        "symfony/service-contracts",
        "Symfony/Contracts/Service",
        "Symfony\\Contracts\\Service\\",
        "",
    ),
    (
        "symfony/console",
        "Symfony/Component/Console",
        "Symfony\\Component\\Console\\",
        r#""psr/log": "*", "symfony/string": "*", "symfony/service-contracts": "*""#,
    ),
    (
        "symfony/string",
        "Symfony/Component/String",
        "Symfony\\Component\\String\\",
        "",
    ),
    (
        "symfony/finder",
        "Symfony/Component/Finder",
        "Symfony\\Component\\Finder\\",
        "",
    ),
    (
        "symfony/filesystem",
        "Symfony/Component/Filesystem",
        "Symfony\\Component\\Filesystem\\",
        "",
    ),
    (
        "symfony/process",
        "Symfony/Component/Process",
        "Symfony\\Component\\Process\\",
        "",
    ),
    ("psr/log", "Psr/Log", "Psr\\Log\\", ""),
    ("psr/container", "Psr/Container", "Psr\\Container\\", ""),
    (
        "composer/semver",
        "Composer/Semver",
        "Composer\\Semver\\",
        "",
    ),
    ("nikic/php-parser", "PhpParser", "PhpParser\\", ""),
];

/// A script that uses the installed code: an application with a command, a parser, versions, and
/// files.
const SCRIPT: &str = include_str!("fixtures/use-installed-code.php");

#[test]
fn installed_code_runs() {
    let source = Path::new("/usr/share/php");
    let trees = tempfile::tempdir().expect("a directory");
    let mut found = 0;
    for (name, path, prefix, requires) in TREES {
        if !source.join(path).is_dir() {
            continue;
        }
        let tree = trees.path().join(name);
        fs::create_dir_all(tree.parent().expect("a parent")).expect("a directory");
        copy_tree(&source.join(path), &tree);
        let prefix = prefix.replace('\\', "\\\\");
        let manifest = format!(
            r#"{{"name": "{name}", "version": "1.0.0", "license": "MIT", "require": {{{requires}}}, "autoload": {{"psr-4": {{"{prefix}": ""}}}}}}"#
        );
        fs::write(tree.join("composer.json"), manifest).expect("a manifest");
        found += 1;
    }
    if found < 4 || !source.join("Symfony/Component/Console").is_dir() {
        return skipped("there is no PHP code of Debian's composer package in /usr/share/php")
            .unwrap_or_default();
    }
    let catalog = Catalog::from_trees(&TreeOptions {
        dirs: vec![trees.path().to_owned()],
        ..TreeOptions::default()
    })
    .expect("a catalog");
    let Some(scene) = Scene::of(catalog) else {
        return;
    };
    let work = || {
        fs::write(scene.project().join("run.php"), SCRIPT).expect("the script");
        let output = Command::new(php())
            .arg("run.php")
            .current_dir(scene.project())
            .output()
            .expect("php runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    };
    for args in [&["install"][..], &["install", "-o"], &["install", "-a"]] {
        let plain = scene.fresh(Side::Serial, args);
        assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
        let expected = work();
        assert!(
            expected.contains("Hello world")
                && expected.contains("/vendor/symfony/console/Application.php"),
            "{expected}"
        );
        let cold = scene.fresh(Side::Allegro, args);
        same(&args.join(" "), &plain, &cold);
        assert_eq!(work(), expected);
        let warm = scene.fresh(Side::Allegro, args);
        same_tree(&args.join(" "), &plain, &warm);
        assert_eq!(work(), expected);
    }
}
