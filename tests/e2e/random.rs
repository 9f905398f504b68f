//! Plays random projects, operations and flags. The seed is printed.
//!
//! `ALLEGRO_TEST_SEED` and `ALLEGRO_TEST_ROUNDS` set the first seed and the number of rounds.
//! Without them each run plays the same few, so that its result tells about the tested change. New
//! seeds are for those who look for trouble.

use std::fs;
use std::path::PathBuf;

use allegro_registry::{
    Catalog, Format, GenSpec, Json, Mode, OlderOptions, Project, ProjectOptions, Rng,
};

use crate::support::home::{composer, tests_command_line};
use crate::support::packages::{add, dir, entry, file, file_with, link};
use crate::support::tools::path_with;
use crate::support::{Scene, SceneOptions, Side, compare};
use crate::trouble::verified;

/// The first seed of a plain test run.
const FIRST_SEED: u64 = 2000;

/// The number of scenarios that a plain test run plays.
const ROUNDS: u64 = 6;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.trim().parse().ok()
}

#[test]
fn random_scenarios() {
    let first = number("ALLEGRO_TEST_SEED").unwrap_or(FIRST_SEED);
    for seed in first..first + number("ALLEGRO_TEST_ROUNDS").unwrap_or(ROUNDS) {
        println!("random: ALLEGRO_TEST_SEED={seed} ALLEGRO_TEST_ROUNDS=1");
        if play(seed).is_none() {
            return;
        }
    }
}

/// A change of the project before a call.
#[derive(Debug, Clone, Copy)]
enum Before {
    Nothing,
    /// The project gets another lock, as after `git pull`.
    Older,
    Newer,
    /// Some packages are deleted.
    Delete(u64),
    DeleteAll,
    /// Vendor stays, but Composer's own record of it is removed.
    Forget,
}

#[derive(Debug, Clone)]
struct Step {
    before: Before,
    args: Vec<String>,
    umask: u32,
}

impl Step {
    fn name(&self) -> String {
        format!(
            "{:?}, umask {:03o}: {}",
            self.before,
            self.umask,
            self.args.join(" ")
        )
    }
}

fn play(seed: u64) -> Option<()> {
    let mut random = Rng::new(seed);
    let mut catalog = catalog(&mut random);
    let mut project = ProjectOptions::default();
    oddities(&mut catalog, &mut project, &mut random);
    let older = catalog.add_older(&OlderOptions {
        seed: random.next_u64(),
        changed: random.below(60),
        absent: random.below(30),
        extra: random.below(30),
    });
    let (required, extension) = (random.percent(30), random.percent(50));
    // The command line runs where the helper would, with the plugin of no project.
    let has_plugin = !tests_command_line();
    let options = SceneOptions {
        project,
        required: has_plugin && required,
        extension: has_plugin && extension,
        ..SceneOptions::default()
    };
    let scene = Scene::with(catalog, options)?;
    let newer = scene.server.catalog().project().clone();
    let steps = steps(&newer, &mut random);
    // The command line looks for Composer.
    let composer = composer().filter(|_| tests_command_line());
    let more = composer.map(|file| ("composer", file.to_owned()));
    let alone = path_with(&scene, more.as_slice());
    for step in &steps {
        println!("  {}", step.name());
    }
    compare(&scene, &format!("seed {seed}"), |scene, side| {
        scene.write_state(if matches!(steps[0].before, Before::Older) {
            &older
        } else {
            &newer
        });
        steps
            .iter()
            .map(|step| {
                prepare(scene, step.before, &older, &newer);
                let args: Vec<&str> = step.args.iter().map(String::as_str).collect();
                let mut call = scene.call(side, &args).umask(step.umask);
                if args.contains(&"--no-plugins") {
                    // With `--no-plugins`, no plugin makes plain Composer unpack one package at a
                    // time. Packages that require each other then stand in the order in which their
                    // `unzip` ended. PHP's own unpacker takes one at a time.
                    call = call.env("PATH", &alone);
                }
                (step.name(), scene.outcome(&call))
            })
            .collect()
    });
    verified(&scene);
    Some(())
}

fn catalog(random: &mut Rng) -> Catalog {
    let packages = random.range(3, 12);
    let mut catalog = Catalog::generated(&GenSpec {
        seed: random.next_u64(),
        packages,
        dev_packages: random.below(packages / 2),
        files: packages * random.range(4, 15),
        dirs: packages * random.range(2, 5),
        bytes: packages as u64 * random.range(4_000, 60_000) as u64,
        huge: 0,
        modules: random.below(100),
        plugins: 0,
    });
    let names: Vec<String> = catalog.names().into_iter().map(str::to_owned).collect();
    for name in names {
        if random.percent(25) {
            // The list lacks bzip2, which PHP has only with an extension.
            let format = *random.pick(&[Format::Tar, Format::TarGz]);
            catalog.set_format(&name, format).expect("a known package");
        }
    }
    catalog
}

/// Adds rare kinds of packages, each in some of the scenarios.
fn oddities(catalog: &mut Catalog, project: &mut ProjectOptions, random: &mut Rng) {
    let mut put = |name: &str, more: &str, top: bool, files: Vec<allegro_registry::FileSpec>| {
        let added = add(catalog, entry(name, "1.2.3", more), top, Format::Zip, files);
        project.extra_packages.push(added);
        project
            .extra_requires
            .push((name.to_owned(), "*".to_owned()));
    };
    if random.percent(40) {
        put(
            "odd/bins",
            r#"{"bin": ["bin/one", "two.sh", "missing"], "autoload": {"classmap": ["src"]}}"#,
            true,
            vec![
                file_with(
                    "bin/one",
                    "#!/usr/bin/env php\n<?php echo 1;\n",
                    Mode::Plain,
                ),
                file_with("two.sh", "#!/bin/sh\necho 2\n", Mode::Executable),
                file("src/Bins.php", "<?php namespace Odd; class Bins {}\n"),
            ],
        );
    }
    if random.percent(40) {
        put(
            "odd/links",
            r#"{"autoload": {"psr-4": {"Odd\\Links\\": ["src", "lib"]}}}"#,
            random.percent(50),
            vec![
                file("src/A.php", "<?php namespace Odd\\Links; class A {}\n"),
                link("B.php", "src/A.php"),
                link("dangling", "nowhere/at/all"),
                dir("empty/inside"),
                file("lib/C.php", "<?php namespace Odd\\Links; class C {}\n"),
            ],
        );
    }
    if random.percent(30) {
        put(
            "Odd/Capitals",
            r#"{"autoload": {"files": ["functions.php"]}}"#,
            true,
            vec![
                file("functions.php", "<?php\nfunction odd_capitals() {}\n"),
                file("Licence", "mine"),
                file("LICENCE.txt", ""),
            ],
        );
    }
    if random.percent(30) {
        put(
            "odd/only-file",
            "{}",
            random.percent(50),
            vec![file("readme.md", "all there is\n")],
        );
    }
}

fn steps(newer: &Project, random: &mut Rng) -> Vec<Step> {
    let names: Vec<String> = newer
        .entries()
        .filter(|entry| entry.str_at("type") == Some("library"))
        .filter_map(|entry| entry.str_at("name").map(str::to_owned))
        .collect();
    // KNOWN DIFFERENCE: where a directory stays because Composer can't empty it or moves files into
    // it one by one, it keeps its old mode. That shows if the umask has changed since.
    let umask = *random.pick(&[0o022, 0o022, 0o022, 0o002, 0o077]);
    let mut steps = vec![Step {
        before: if random.percent(60) {
            Before::Older
        } else {
            Before::Newer
        },
        args: install(random),
        umask,
    }];
    for _ in 0..random.range(1, 3) {
        let before = match random.below(7) {
            0 => Before::Nothing,
            1 => Before::Older,
            2 | 3 => Before::Newer,
            4 => Before::Delete(random.next_u64()),
            5 => Before::DeleteAll,
            _ => Before::Forget,
        };
        let args = match random.below(8) {
            0 => vec!["dump-autoload".to_owned(), "-o".to_owned()],
            1 if !names.is_empty() => vec!["reinstall".to_owned(), random.pick(&names).clone()],
            _ => install(random),
        };
        steps.push(Step {
            before,
            args,
            umask,
        });
    }
    // After `--no-cache`, Composer would download once more the packages that Allegro has in its
    // store.
    if let Some((_, former)) = steps.split_last_mut() {
        for step in former {
            step.args.retain(|arg| arg != "--no-cache");
        }
    }
    steps
}

fn install(random: &mut Rng) -> Vec<String> {
    let mut args = vec!["install"];
    for (flag, percent) in [
        ("--no-dev", 25),
        ("-o", 20),
        ("-a", 10),
        ("--apcu-autoloader-prefix=odd", 5),
        ("--no-autoloader", 8),
        ("--no-scripts", 10),
        ("--no-progress", 15),
        ("--prefer-dist", 10),
        ("--download-only", 5),
        ("--dry-run", 5),
        ("--no-cache", 5),
        ("--no-plugins", 3),
        ("-q", 5),
        ("-v", 10),
    ] {
        if random.percent(percent) {
            args.push(flag);
        }
    }
    args.into_iter().map(str::to_owned).collect()
}

fn prepare(scene: &Scene, before: Before, older: &Project, newer: &Project) {
    let vendor = scene.project().join("vendor");
    match before {
        Before::Nothing => {}
        Before::Older => scene.overwrite_state(older, &scene.project()),
        Before::Newer => scene.overwrite_state(newer, &scene.project()),
        Before::Delete(seed) => {
            let mut random = Rng::new(seed);
            for path in package_directories(&vendor) {
                if random.percent(30) && !path.ends_with("allegro/plugin") {
                    fs::remove_dir_all(path).expect("removed");
                }
            }
        }
        Before::DeleteAll => {
            let _ = fs::remove_dir_all(&vendor);
        }
        Before::Forget => {
            for name in ["installed.json", "installed.php"] {
                let _ = fs::remove_file(vendor.join("composer").join(name));
            }
        }
    }
}

fn package_directories(vendor: &std::path::Path) -> Vec<PathBuf> {
    let list = |path: &std::path::Path| {
        let mut paths: Vec<PathBuf> = fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_dir() && !path.is_symlink())
            .collect();
        paths.sort();
        paths
    };
    list(vendor)
        .into_iter()
        .filter(|path| !path.ends_with("composer") && !path.ends_with("bin"))
        .flat_map(|path| list(&path))
        .collect()
}
