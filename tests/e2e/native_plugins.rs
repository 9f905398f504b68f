//! Tests that the native command line does what the real plugins do.
//!
//! `ALLEGRO_TEST_PLUGINS` names a directory with repositories of plugins: `OWNER+NAME/repo` is a
//! git directory. The tests take the plugins' archives from there, and skip what is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use allegro_registry::{Catalog, Json, ProjectOptions};

use tempfile::TempDir;

use crate::support::{Outcome, Scene, SceneOptions, Side, same};

/// The beginning of the line with which native code leaves an install to Composer.
const COMPOSERS: &str = "Allegro: Composer does it: ";

/// A project with plugins.
#[derive(Default)]
struct Case<'a> {
    /// Repository, tag and name of each plugin.
    plugins: &'a [(&'static str, &'static str, &'static str)],
    /// Made-up packages: their lock entries.
    packages: &'static [&'static str],
    /// Further files of these packages: package, path and content.
    files: &'static [(&'static str, &'static str, &'static str)],
    /// Members of composer.json, as JSON.
    manifest: &'static str,
    /// Members of `config`, as JSON.
    config: &'static str,
    /// Whether Composer has to do the install.
    is_composers: bool,
}

/// Returns the tree of a tag, as its archive has it.
fn checked_out(repository: &str, tag: &str, target: &Path) -> bool {
    let Some(all) = std::env::var_os("ALLEGRO_TEST_PLUGINS") else {
        println!("skipped: ALLEGRO_TEST_PLUGINS names no repositories of plugins");
        return false;
    };
    let repository = PathBuf::from(all).join(repository).join("repo");
    fs::create_dir_all(target).expect("a directory");
    let archive = Command::new("git")
        .arg("-C")
        .arg(&repository)
        .args(["archive", tag])
        .stderr(Stdio::null())
        .output()
        .expect("git starts");
    if !archive.status.success() {
        println!("skipped: {} has no {tag}", repository.display());
        return false;
    }
    let path = target.with_extension("tar");
    fs::write(&path, archive.stdout).expect("written");
    let unpacked = Command::new("tar")
        .arg("-xf")
        .arg(&path)
        .arg("-C")
        .arg(target)
        .status();
    unpacked.expect("tar starts").success()
}

/// Returns the lock entry of a plugin. Its requirements are those of the platform alone.
fn entry_of(name: &str, tag: &str, tree: &Path) -> Json {
    let manifest = allegro_registry::read_json(&tree.join("composer.json")).expect("a manifest");
    let mut entry = Json::object();
    entry.set("name", Json::str(name));
    entry.set("version", Json::str(tag));
    for key in ["require", "type", "extra", "autoload", "description"] {
        if let Some(value) = manifest.get(key) {
            entry.set(key, value.clone());
        }
    }
    if let Some(Json::Object(requires)) = entry.get_mut("require") {
        // Any PHP and Composer will do for the old plugins, too.
        requires.retain(|(name, _)| name == "composer-plugin-api");
    }
    entry
}

fn members(text: &str) -> Vec<(String, Json)> {
    let json = Json::parse(&format!("{{{text}}}")).expect("JSON");
    json.entries().to_vec()
}

/// Makes the scene of a case. The trees of the plugins are read when they are first asked for.
fn scene(case: &Case<'_>) -> Option<(Scene, TempDir)> {
    let mut catalog = Catalog::generated(&allegro_registry::Profile::Small.spec());
    let trees = tempfile::tempdir().expect("a directory");
    let mut options = ProjectOptions {
        keep_source: true,
        ..ProjectOptions::default()
    };
    for (repository, tag, name) in case.plugins {
        let tree = trees.path().join(repository);
        if !checked_out(repository, tag, &tree) {
            return None;
        }
        let entry = entry_of(name, tag, &tree);
        options
            .extra_packages
            .push(catalog.add_tree(entry, &tree, &[]).expect("a package"));
        options
            .extra_requires
            .push(((*name).to_owned(), "*".to_owned()));
    }
    for entry in case.packages {
        let entry = Json::parse(entry).expect("a lock entry");
        let name = entry.str_at("name").expect("a name").to_owned();
        let version = entry.str_at("version").expect("a version");
        let wanted = if version.starts_with("dev-") {
            version
        } else {
            "*"
        }
        .to_owned();
        let mut files = vec![
            ("src/One.php".to_owned(), b"<?php\n".to_vec(), false),
            ("README.md".to_owned(), name.clone().into_bytes(), false),
        ];
        let more = case.files.iter().filter(|(of, ..)| *of == name);
        files.extend(more.map(|(_, path, text)| {
            let is_program = path.starts_with("bin/");
            ((*path).to_owned(), text.as_bytes().to_vec(), is_program)
        }));
        options
            .extra_packages
            .push(catalog.add_files(entry, files).expect("a package"));
        options.extra_requires.push((name.to_lowercase(), wanted));
    }
    options.extra_config = members(case.config);
    // The report of installations has a warning of its own.
    options
        .extra_config
        .push(("notify-on-install".to_owned(), Json::Bool(false)));
    if case.config.is_empty() {
        options
            .extra_config
            .push(("allow-plugins".to_owned(), Json::Bool(true)));
    }
    let scene = Scene::with(
        catalog,
        SceneOptions {
            project: options,
            ..SceneOptions::default()
        },
    )?;
    Some((scene, trees))
}

fn write(scene: &Scene, case: &Case<'_>) {
    scene.write_project();
    scene.edit_manifest(|manifest| {
        for (key, value) in members(case.manifest) {
            manifest.set(&key, value);
        }
    });
    // Some of the made-up packages are in development.
    let path = scene.project().join("composer.lock");
    let mut lock = allegro_registry::read_json(&path).expect("the lock");
    lock.set("minimum-stability", Json::str("dev"));
    fs::write(&path, lock.to_file_text()).expect("written");
}

/// Plays an install of a case: fresh, again, and once more. `-v` shows who does it.
#[track_caller]
fn play(case: &Case<'_>, arguments: &[&str]) {
    let Some((scene, _trees)) = scene(case) else {
        return;
    };
    let mut quiet = vec!["install", "--no-progress"];
    quiet.extend(arguments);
    let mut loud = quiet.clone();
    loud.push("-v");
    for args in [quiet, loud] {
        let steps = |side: Side| -> Vec<Outcome> {
            write(&scene, case);
            (0..3)
                .map(|_| scene.outcome(&scene.call(side, &args)))
                .collect()
        };
        let plain = steps(Side::Serial);
        let ours = steps(Side::Native);
        dump(case, &scene, arguments);
        for (at, (plain, ours)) in plain.iter().zip(&ours).enumerate() {
            let what = format!("{:?} {args:?}, run {at}", case.plugins);
            let said: Vec<&str> = ours.run.ours();
            let is_composers = said.iter().any(|line| line.contains(COMPOSERS));
            if args.contains(&"-v") {
                assert_eq!(is_composers, case.is_composers, "{what}: {said:#?}");
            }
            same(&what, plain, ours);
            if !case.is_composers {
                assert_eq!(
                    ours.run.exit, 0,
                    "{what}:\n{}\n{}",
                    ours.run.stdout, ours.run.stderr
                );
            }
        }
    }
}

/// Dumps the autoloader of an installed case, twice in each way, and checks the result.
#[track_caller]
fn dump(case: &Case<'_>, scene: &Scene, arguments: &[&str]) {
    let what = format!("dumps of {:?} {arguments:?}", case.plugins);
    let options = arguments.iter().filter(|option| **option == "--no-plugins");
    let options: Vec<&str> = options.copied().collect();
    let dumps = |side: Side| -> Vec<Outcome> {
        write(scene, case);
        let install = [&["install", "--no-progress"], arguments].concat();
        let _ = scene.run(side, &install);
        [&["-v"][..], &["-v"], &["-o"], &["-o"]]
            .iter()
            .map(|more| {
                let args = [&["dump-autoload"], *more, &options].concat();
                scene.outcome(&scene.call(side, &args))
            })
            .collect()
    };
    let plain = dumps(Side::Serial);
    let ours = dumps(Side::Native);
    let hears_commands = |(_, _, name): &(_, _, &str)| name.contains("bin-plugin");
    for (plain, ours) in plain.iter().zip(&ours) {
        let is_composers = ours.run.ours().iter().any(|line| line.contains(COMPOSERS));
        let is_known = !case.is_composers && !case.plugins.iter().any(hears_commands);
        assert!(!is_composers || !is_known, "{what}: {:#?}", ours.run.ours());
        same(&what, plain, ours);
    }
    if !case.is_composers && !case.plugins.is_empty() {
        let report = scene.run(Side::Native, &["verify", "--json"]);
        let found = Json::parse(&report.stdout).expect("JSON");
        let found = found.get("report").expect("a report");
        let faults = found.items_at("findings");
        assert!(faults.is_empty(), "{what}: {faults:#?}");
        let reason = found.get("generated_not_checked");
        assert_eq!(reason, Some(&Json::Null), "{what}");
    }
}

const PHPSTAN: &str = r#"{"name": "phpstan/phpstan", "version": "1.10.0", "type": "library",
    "extra": {"phpstan": null}}"#;

#[test]
fn plugins_without_effect() {
    for plugins in [
        &[(
            "ergebnis+composer-normalize",
            "2.4.0",
            "ergebnis/composer-normalize",
        )],
        &[(
            "ergebnis+composer-normalize",
            "2.52.0",
            "ergebnis/composer-normalize",
        )],
        &[("composer+installers", "v1.12.0", "composer/installers")],
        &[("composer+installers", "v2.3.0", "composer/installers")],
        &[("php-http+discovery", "1.15.2", "php-http/discovery")],
        &[("php-http+discovery", "1.19.3", "php-http/discovery")],
    ] {
        play(
            &Case {
                plugins,
                ..Case::default()
            },
            &[],
        );
    }
}

#[test]
fn a_plugin_that_warns() {
    for plugins in [
        &[(
            "bamarni+composer-bin-plugin",
            "1.8.0",
            "bamarni/composer-bin-plugin",
        )],
        &[(
            "bamarni+composer-bin-plugin",
            "1.9.1",
            "bamarni/composer-bin-plugin",
        )],
    ] {
        for manifest in [
            "",
            r#""extra": {"bamarni-bin": {"bin-links": false}}"#,
            r#""extra": {"bamarni-bin": {"bin-links": true, "forward-command": false}}"#,
        ] {
            play(
                &Case {
                    plugins,
                    manifest,
                    ..Case::default()
                },
                &[],
            );
        }
    }
    play(
        &Case {
            plugins: &[(
                "bamarni+composer-bin-plugin",
                "1.9.1",
                "bamarni/composer-bin-plugin",
            )],
            manifest: r#""extra": {"bamarni-bin": {"forward-command": true}}"#,
            is_composers: true,
            ..Case::default()
        },
        &[],
    );
}

#[test]
fn a_loader_of_the_application() {
    const NEW: &[(&str, &str, &str)] = &[("symfony+runtime", "v7.0.3", "symfony/runtime")];
    for plugins in [
        &[("symfony+runtime", "v5.4.0", "symfony/runtime")],
        &[("symfony+runtime", "v6.0.19", "symfony/runtime")],
        &[("symfony+runtime", "v6.2.12", "symfony/runtime")],
    ] {
        play(
            &Case {
                plugins,
                ..Case::default()
            },
            &[],
        );
    }
    for manifest in [
        "",
        r#""extra": {"runtime": {"class": "App\\Run'time", "dotenv_path": "%project_dir%/.env",
            "list": ["a", {"b": null, "1": 2.5}], "on": true}}"#,
        r#""extra": {"runtime": []}"#,
        r#""extra": {"runtime": false}"#,
        r#""extra": {"runtime": null}"#,
    ] {
        play(
            &Case {
                plugins: NEW,
                manifest,
                ..Case::default()
            },
            &["-o"],
        );
    }
    play(
        &Case {
            plugins: NEW,
            config: r#""vendor-dir": "lib/vendor", "allow-plugins": {"symfony/*": true}"#,
            ..Case::default()
        },
        &[],
    );
    play(
        &Case {
            plugins: NEW,
            manifest: r#""extra": {"runtime": {"autoload_template": "composer.json"}}"#,
            is_composers: true,
            ..Case::default()
        },
        &[],
    );
}

#[test]
fn a_list_of_test_plugins() {
    for plugins in [
        &[("pestphp+pest-plugin", "v1.1.0", "pestphp/pest-plugin")],
        &[("pestphp+pest-plugin", "v2.1.1", "pestphp/pest-plugin")],
        &[("pestphp+pest-plugin", "v3.0.0", "pestphp/pest-plugin")],
    ] {
        for manifest in [
            "",
            r#""extra": {"pest": {"plugins": ["Root\\Plu/gin\"ä😀\u0007"]}}"#,
        ] {
            for packages in [
                &[][..],
                &[
                    r#"{"name": "z/one", "version": "1.0.0", "extra": {"pest": {"plugins": ["Z\\One", "Z\\Two"]}}}"#,
                    r#"{"name": "a/Two", "version": "dev-main",
                        "source": {"type": "git", "url": "https://invalid.invalid/a.git", "reference": "main"},
                        "extra": {"pest": {"plugins": ["A\\One"]}, "branch-alias": {"dev-main": "1.x-dev"}}}"#,
                ],
            ] {
                play(
                    &Case {
                        plugins,
                        packages,
                        manifest,
                        ..Case::default()
                    },
                    &[],
                );
            }
        }
    }
}

#[test]
fn a_list_of_extensions() {
    let more = &[
        PHPSTAN,
        r#"{"name": "phpstan/phpstan-strict-rules", "version": "1.5.0", "type": "phpstan-extension",
            "extra": {"phpstan": {"includes": ["rules.neon"], "x": {"1": [], "a'b": "c\\d"}}}}"#,
        r#"{"name": "acme/Rules", "version": "dev-main", "type": "phpstan-extension",
            "source": {"type": "git", "url": "https://invalid.invalid/a.git", "reference": "0123456789012345678901234567890123456789"}}"#,
        r#"{"name": "acme/phpstan-things", "version": "v2.0.0"}"#,
        r#"{"name": "acme/other", "version": "1.0", "extra": {"phpstan": {"includes": ["a.neon"]}}}"#,
        r#"{"name": "acme/older", "version": "1.0", "type": "phpstan-extension", "require": {"phpstan/phpstan": "~1.9.4 || ^1.10"}}"#,
        r#"{"name": "acme/newer", "version": "1.0", "type": "phpstan-extension", "require": {"phpstan/phpstan": "^1.9.7"}}"#,
        r#"{"name": "acme/open", "version": "1.0", "type": "phpstan-extension", "require": {"phpstan/phpstan": ">=1.0"}}"#,
    ];
    for plugins in [
        &[(
            "phpstan+extension-installer",
            "1.2.0",
            "phpstan/extension-installer",
        )],
        &[(
            "phpstan+extension-installer",
            "1.3.0",
            "phpstan/extension-installer",
        )],
        &[(
            "phpstan+extension-installer",
            "1.3.1",
            "phpstan/extension-installer",
        )],
        &[(
            "phpstan+extension-installer",
            "1.4.3",
            "phpstan/extension-installer",
        )],
    ] {
        play(
            &Case {
                plugins,
                packages: &[PHPSTAN],
                ..Case::default()
            },
            &[],
        );
        play(
            &Case {
                plugins,
                packages: more,
                ..Case::default()
            },
            &[],
        );
        play(
            &Case {
                plugins,
                packages: more,
                manifest: r#""extra": {"phpstan/extension-installer": {"ignore": ["acme/other", "x"]}}"#,
                ..Case::default()
            },
            &["--no-scripts"],
        );
    }
}

/// A program with the part of `phpcs` that the plugin calls.
const PHPCS: &str = r#"#!/usr/bin/env php
<?php
$file = dirname(__DIR__).'/CodeSniffer.conf';
$config = is_file($file) ? json_decode(file_get_contents($file), true) : [];
[, $option, $key, $value] = $argv + ['', '', '', ''];
echo "Using config file: $file\n\n";
if ($option === '--config-show') {
    foreach ($config as $key => $value) {
        echo "$key: $value\n";
    }
    exit;
}
if ($option === '--config-set') {
    $config[$key] = getenv('STUBBORN') ? 'no' : $value;
} else {
    unset($config[$key]);
}
file_put_contents($file, json_encode($config));
echo "Config value \"$key\" changed successfully\n";
exit(getenv('FAILS') ? 3 : 0);
"#;

#[test]
fn places_of_coding_standards() {
    const LINTER: &str = r#"{"name": "squizlabs/php_codesniffer", "version": "3.7.2",
        "bin": ["bin/phpcs"]}"#;
    const FILES: &[(&str, &str, &str)] = &[
        ("squizlabs/php_codesniffer", "bin/phpcs", PHPCS),
        ("acme/Rules", "Acme/ruleset.xml", "<ruleset/>"),
        ("acme/Rules", "a/b/c/ruleset.xml", "<ruleset/>"),
        ("acme/Rules", "a/b/c/d/ruleset.xml", "too deep"),
        ("acme/Rules", ".hidden/Other/ruleset.xml", "hidden"),
        ("acme/Rules", "CVS/Other/ruleset.xml", "of version control"),
        ("acme/flat", "ruleset.xml", "<ruleset/>"),
        ("acme/none", "Acme/ruleset.xml", "of another type"),
    ];
    let standards = &[
        LINTER,
        r#"{"name": "acme/Rules", "version": "1.0.0", "type": "phpcodesniffer-standard"}"#,
        r#"{"name": "acme/flat", "version": "2.0.0", "type": "phpcodesniffer-standard"}"#,
        r#"{"name": "acme/none", "version": "2.0.0"}"#,
    ];
    for tag in ["v1.0.0", "v1.1.2", "v1.2.0", "v1.2.1"] {
        let plugin = (
            "PHPCSStandards+composer-installer",
            tag,
            "dealerdirect/phpcodesniffer-composer-installer",
        );
        for packages in [&[LINTER][..], standards] {
            play(
                &Case {
                    plugins: &[plugin],
                    packages,
                    files: FILES,
                    ..Case::default()
                },
                &[],
            );
        }
    }
}

#[test]
fn a_list_of_versions() {
    for plugins in [
        &[(
            "composer+package-versions-deprecated",
            "1.11.99.1",
            "composer/package-versions-deprecated",
        )],
        &[(
            "composer+package-versions-deprecated",
            "1.11.99.2",
            "composer/package-versions-deprecated",
        )],
    ] {
        for (manifest, arguments) in [
            ("", &[][..]),
            (
                r#""replace": {"acme/old": "self.version", "acme/older": "1.*"}"#,
                &["--no-dev"],
            ),
            (
                r#""version": "v3.0", "name": "acme/root", "replace": {"acme/old": "self.version"}"#,
                &[],
            ),
        ] {
            play(
                &Case {
                    plugins,
                    manifest,
                    ..Case::default()
                },
                arguments,
            );
        }
        // Without a word about it, Composer passes over this plugin alone.
        play(
            &Case {
                plugins,
                config: r#""allow-plugins": {"a/b": true}"#,
                ..Case::default()
            },
            &[],
        );
    }
}

#[test]
fn several_plugins_and_scripts() {
    play(
        &Case {
            plugins: &[
                (
                    "composer+package-versions-deprecated",
                    "1.11.99.1",
                    "composer/package-versions-deprecated",
                ),
                ("composer+installers", "v1.12.0", "composer/installers"),
                (
                    "phpstan+extension-installer",
                    "1.3.0",
                    "phpstan/extension-installer",
                ),
            ],
            packages: &[PHPSTAN],
            manifest: r#""scripts": {"post-autoload-dump": "cat vendor/composer/package-versions-deprecated/src/PackageVersions/Versions.php > dumped",
                "post-install-cmd": ["cat vendor/phpstan/extension-installer/src/GeneratedConfig.php > installed", "@php -r \"echo 'php';\""]}"#,
            ..Case::default()
        },
        &[],
    );
    play(
        &Case {
            plugins: &[
                ("symfony+runtime", "v7.0.3", "symfony/runtime"),
                ("pestphp+pest-plugin", "v3.0.0", "pestphp/pest-plugin"),
                ("php-http+discovery", "1.19.3", "php-http/discovery"),
            ],
            manifest: r#""scripts": {"pre-install-cmd": "echo before", "post-autoload-dump": "cat vendor/autoload_runtime.php vendor/pest-plugins.json > dumped"}"#,
            ..Case::default()
        },
        &["--no-dev"],
    );
}

#[test]
fn plugins_that_may_not_run() {
    const DISCOVERY: &[(&str, &str, &str)] =
        &[("php-http+discovery", "1.19.3", "php-http/discovery")];
    const RUNTIME: &[(&str, &str, &str)] = &[("symfony+runtime", "v7.0.3", "symfony/runtime")];
    // An optional plugin, one that is switched off, and one of which nothing is said.
    for (plugins, config, is_composers) in [
        (DISCOVERY, r#""allow-plugins": {"a/b": true}"#, false),
        (
            RUNTIME,
            r#""allow-plugins": {"symfony/runtime": false}"#,
            false,
        ),
        (RUNTIME, r#""allow-plugins": false"#, false),
        (RUNTIME, r#""allow-plugins": {"a/b": true}"#, true),
        (
            RUNTIME,
            r#""allow-plugins": {"*/RUNTIME": true, "symfony/runtime": false}"#,
            false,
        ),
    ] {
        play(
            &Case {
                plugins,
                config,
                is_composers,
                ..Case::default()
            },
            &[],
        );
    }
    play(
        &Case {
            plugins: RUNTIME,
            ..Case::default()
        },
        &["--no-plugins"],
    );
}

#[test]
fn code_that_is_not_known() {
    // The version is known, but somebody has changed the code.
    let case = Case {
        plugins: &[("php-http+discovery", "1.19.3", "php-http/discovery")],
        ..Case::default()
    };
    let Some((scene, _trees)) = scene(&case) else {
        return;
    };
    write(&scene, &case);
    let first = scene.run(Side::Native, &["install", "-v"]).expect(0);
    assert!(!first.stderr.contains(COMPOSERS), "{}", first.stderr);
    let class = scene
        .project()
        .join("vendor/php-http/discovery/src/Composer/Plugin.php");
    let text = fs::read_to_string(&class).expect("the class");
    fs::write(&class, format!("{text}\n// changed\n")).expect("written");
    let second = scene.run(Side::Native, &["install", "-v"]).expect(0);
    assert!(
        second.stderr.contains("code of the plugin"),
        "{}",
        second.stderr
    );
}
