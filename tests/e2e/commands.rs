//! Runs every command that `composer list` names, with the plugin installed globally, and compares
//! it with Composer without the plugin. Output, exit code and files left behind are the same.
//! Commands of newer Composers are tried too.

mod listeners;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use allegro_registry::{Format, Json, Mode};
use serde_json::{Value, json};

use crate::support::files::{Files, archive, bare, manifest, package, rewrite};
use crate::support::packages::{file, file_with};
use crate::support::{Scene, Side, Snapshot, copy_tree, diff};

/// The ways to call a command, each as a list of arguments.
type Ways = &'static [&'static [&'static str]];

/// Returns the ways in which a command is tried, or `None` for an unknown command.
fn ways(command: &str) -> Option<Ways> {
    Some(match command {
        "about" | "clear-cache" | "diagnose" | "global" | "list" | "self-update" => &[&[]],
        "archive" => &[&["--dir=out", "--file=root"], &["e2e/one", "--dir=out"]],
        "audit" => &[&[], &["--locked"]],
        "browse" => &[&["--show", "e2e/one"], &["--show", "--homepage", "e2e/one"]],
        "bump" | "update" | "install" => &[&[], &["--dry-run"]],
        "check-platform-reqs" => &[&[], &["--no-dev"]],
        "completion" => &[&["bash"]],
        "config" => &[
            &["--list"],
            &["vendor-dir"],
            &["sort-packages", "true"],
            &["--unset", "name"],
        ],
        "create-project" => &[
            &["e2e/app", "made"],
            &["e2e/app", "made", "--no-install"],
            &["e2e/nothing", "made"],
        ],
        "depends" => &[&["e2e/two"], &["e2e/nothing"]],
        "dump-autoload" => &[&[], &["--optimize"]],
        "exec" => &[&["--list"], &["tool", "word"], &["nothing"]],
        "fund" | "licenses" => &[&[], &["--format=json"]],
        "help" => &[&["install"]],
        "init" => &[
            &["--name=e2e/new"],
            &["--name=e2e/new", "--require=e2e/one:*"],
        ],
        "outdated" => &[&[], &["--direct"]],
        "prohibits" => &[&["e2e/one", "2.0.0"]],
        "reinstall" => &[&["e2e/one"], &["e2e/nothing"]],
        "remove" => &[&["e2e/one"], &["e2e/two"], &["e2e/nothing"]],
        "require" => &[
            &["e2e/three"],
            &["e2e/three", "--dry-run"],
            &["e2e/nothing"],
        ],
        "run-script" => &[&["hello"], &["--list"], &["nothing"]],
        "search" => &[&["one"], &["--only-name", "e2e"]],
        "show" => &[
            &[],
            &["e2e/one"],
            &["--tree"],
            &["--self"],
            &["--all", "e2e/*"],
        ],
        "status" => &[&[], &["-v"]],
        "suggests" => &[&[], &["--all"]],
        "validate" => &[&[], &["--strict"]],
        _ => return None,
    })
}

/// Returns whether a command contacts servers of Composer's makers, or may do so.
fn goes_out(command: &str) -> bool {
    ["diagnose", "self-update"].contains(&command) || ways(command).is_none()
}

/// The result of a call.
struct Seen {
    exit: i32,
    stdout: String,
    stderr: Vec<String>,
    tree: Snapshot,
}

impl Seen {
    /// Describes the differences from the same call with Allegro.
    fn differences(&self, ours: &Self) -> String {
        let mut found = diff(&self.tree, &ours.tree);
        if self.exit != ours.exit {
            let _ = writeln!(found, "exit code {} | {}", self.exit, ours.exit);
        }
        if self.stdout != ours.stdout {
            let _ = writeln!(
                found,
                "it says\n{}\nwith Allegro\n{}",
                self.stdout, ours.stdout
            );
        }
        if self.stderr != ours.stderr {
            let (plain, ours) = (self.stderr.join("\n"), ours.stderr.join("\n"));
            let _ = writeln!(found, "errors\n{plain}\nwith Allegro\n{ours}");
        }
        found
    }
}

/// Two homes, and a registry that both of them know.
struct World {
    scene: Scene,
    files: Files,
    /// `COMPOSER_HOME` without the plugin.
    plain: PathBuf,
    /// A project in its installed state.
    template: PathBuf,
}

impl World {
    fn new() -> Option<Self> {
        let (scene, files) = bare()?;
        let plain = scene.dir().join("home-plain");
        fs::create_dir_all(&plain).expect("a home");
        let template = scene.dir().join("template");
        let world = Self {
            scene,
            files,
            plain,
            template,
        };
        world.publish();
        Some(world)
    }

    /// Puts the packages into the registry, and the registry into both homes.
    fn publish(&self) {
        let tool = "#!/bin/sh\necho \"tool $1\"\n";
        let one = json!({
            "description": "The first one", "license": "MIT", "homepage": "https://example.org/one",
            "require": { "e2e/two": "*" }, "bin": ["tool"], "suggest": { "e2e/three": "for more" },
            "funding": [{ "type": "github", "url": "https://example.org/fund" }],
            "autoload": { "psr-4": { "One\\": "src/" } },
        });
        let two = json!({ "license": "BSD-3-Clause", "autoload": { "classmap": ["lib/"] } });
        let app = json!({ "type": "project", "license": "MIT" });
        let app_manifest = json!({ "name": "e2e/app", "require": { "e2e/two": "*" } });
        let packages = [
            (
                "one",
                one,
                vec![
                    file("src/A.php", "<?php namespace One; class A {}\n"),
                    file_with("tool", tool, Mode::Executable),
                ],
            ),
            ("two", two, vec![file("lib/B.php", "<?php class B {}\n")]),
            ("three", json!({}), vec![file("three.txt", "three\n")]),
            (
                "app",
                app,
                vec![file("composer.json", &app_manifest.to_string())],
            ),
        ];
        let mut all = json!({});
        for (name, more, content) in packages {
            let url = self
                .files
                .put(&format!("{name}.zip"), &archive(Format::Zip, true, content));
            let name = format!("e2e/{name}");
            all[&name] = json!({ "1.0.0": package(&name, "zip", &url, more) });
        }
        self.files.put(
            "packages.json",
            json!({ "packages": all }).to_string().as_bytes(),
        );
        let config = json!({
            "config": { "secure-http": false, "autoloader-suffix": "E2e" },
            "repositories": [{ "type": "composer", "url": self.files.url("") }, { "packagist.org": false }],
        });
        for home in [self.plain.clone(), self.scene.own_home()] {
            fs::write(home.join("config.json"), config.to_string()).expect("the configuration");
        }
    }

    /// Installs the project from which each call starts.
    fn install(&self, project: &Value) {
        let _ = fs::remove_dir_all(self.scene.project());
        rewrite(&self.scene, project);
        let run = self
            .scene
            .call(Side::Plain, &["install"])
            .env("COMPOSER_HOME", &self.plain);
        let _ = run.run().expect(0);
        let _ = fs::remove_dir_all(&self.template);
        copy_tree(&self.scene.project(), &self.template);
    }

    /// Makes a call in a copy of the template, or in an empty directory.
    fn play(
        &self,
        side: Side,
        home: &Path,
        is_project: bool,
        args: &[&str],
        is_offline: bool,
    ) -> Seen {
        let project = self.scene.project();
        let _ = fs::remove_dir_all(&project);
        if is_project {
            copy_tree(&self.template, &project);
        } else {
            fs::create_dir_all(&project).expect("a directory");
        }
        // Both sides have the same cache path, because some commands print it.
        let cache = self.scene.dir().join("cache");
        let _ = fs::remove_dir_all(&cache);
        let mut call = self
            .scene
            .call(side, args)
            .env("COMPOSER_HOME", home)
            .env("COMPOSER_CACHE_DIR", cache);
        if is_offline {
            call = call.env("COMPOSER_DISABLE_NETWORK", "1");
        }
        let run = call.run();
        let home = home.to_str().expect("a path");
        let lines = run.lines();
        Seen {
            exit: run.exit,
            stdout: run.stdout.replace(home, "<home>"),
            stderr: lines
                .iter()
                .map(|line| line.replace(home, "<home>"))
                .collect(),
            tree: self.scene.snapshot(),
        }
    }

    fn without_us(&self, is_project: bool, args: &[&str], is_offline: bool) -> Seen {
        self.play(Side::Plain, &self.plain, is_project, args, is_offline)
    }

    fn with_us(&self, is_project: bool, args: &[&str], is_offline: bool) -> Seen {
        self.play(
            Side::Allegro,
            &self.scene.own_home(),
            is_project,
            args,
            is_offline,
        )
    }

    /// Returns the names of all commands, including the project's scripts.
    fn commands(&self, is_project: bool) -> Vec<String> {
        let list = self.without_us(is_project, &["list", "--format=json"], true);
        let list = allegro_registry::parse_json(&list.stdout, "the list").expect("JSON");
        let commands = list.get("commands").expect("commands");
        commands
            .items()
            .iter()
            .filter_map(|one| one.str_at("name").map(str::to_owned))
            .collect()
    }

    /// Checks every command in each of its ways.
    fn all_agree(&self, is_project: bool) {
        let commands = self.commands(is_project);
        assert!(commands.len() > 30, "{commands:?}");
        let mut wrong = String::new();
        for command in &commands {
            if ways(command).is_none() {
                println!("{command}: without arguments and network");
            }
            for way in ways(command).unwrap_or(&[&[]]) {
                let args = [&[command.as_str()], *way].concat();
                let plain = self.without_us(is_project, &args, goes_out(command));
                let mut ours = self.with_us(is_project, &args, goes_out(command));
                ours.stdout = without_our_names(command, &ours.stdout);
                let found = plain.differences(&ours);
                println!("{}: {}", args.join(" "), plain.exit);
                if !found.is_empty() {
                    let _ = writeln!(wrong, "{}:\n{found}", args.join(" "));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }
}

/// Removes the names of the plugin and of its commands, which two commands list, from the output.
fn without_our_names(command: &str, stdout: &str) -> String {
    let is_ours = |line: &str| {
        line == " allegro"
            || ["  resolve ", "  allegro:doctor "]
                .iter()
                .any(|name| line.starts_with(name))
    };
    match command {
        "list" => stdout
            .split_inclusive('\n')
            .filter(|line| !is_ours(line.trim_end_matches('\n')))
            .collect(),
        "diagnose" => stdout.replace("Active plugins: allegro/plugin\n", "Active plugins: \n"),
        _ => stdout.to_owned(),
    }
}

fn project(world: &World) -> Value {
    let mut project = manifest(
        &[],
        json!({
            "description": "A project", "license": "MIT", "require": { "e2e/one": "*", "e2e/two": "*" },
            "scripts": { "hello": "echo hello" },
        }),
    );
    project["repositories"] =
        json!([{ "type": "composer", "url": world.files.url("") }, { "packagist.org": false }]);
    project
}

#[test]
fn in_a_project() {
    let Some(world) = World::new() else { return };
    world.install(&project(&world));
    world.all_agree(true);
}

#[test]
fn without_a_project() {
    let Some(world) = World::new() else { return };
    world.all_agree(false);
    // The last way of this command fails, so a successful call is checked here.
    let made = world.with_us(false, &["create-project", "e2e/app", "made"], false);
    assert_eq!(
        (
            made.exit,
            made.tree
                .nodes
                .contains_key("made/vendor/e2e/two/lib/B.php")
        ),
        (0, true),
        "{:?}",
        made.stderr
    );
}

/// Options without a command, unknown commands, and the help of each command give the same output.
#[test]
fn words_beside_commands() {
    let Some(world) = World::new() else { return };
    let commands = world.commands(false);
    let mut calls: Vec<Vec<&str>> = commands
        .iter()
        .map(|command| vec![command.as_str(), "--help"])
        .collect();
    calls.extend([
        vec![],
        vec!["-V"],
        vec!["--help"],
        vec!["nonsense"],
        vec!["-d", "nowhere", "show"],
        vec!["--no-plugins", "about"],
    ]);
    for args in calls {
        let plain = world.without_us(false, &args, true);
        let mut ours = world.with_us(false, &args, true);
        // Composer lists its commands if the call names none.
        ours.stdout = without_our_names(if args.is_empty() { "list" } else { "" }, &ours.stdout);
        assert_eq!(plain.differences(&ours), "", "{args:?}");
    }
}

/// `composer global` works in the plugin's own home as Composer without plugins does.
#[test]
fn in_the_global_project() {
    let Some(world) = World::new() else { return };
    let home = world.scene.own_home();
    let template = world.scene.dir().join("home-template");
    copy_tree(&home, &template);
    for args in [
        &["show"][..],
        &["status"],
        &["validate"],
        &["dump-autoload"],
        &["install"],
        &["update", "--dry-run"],
        &["require", "e2e/three"],
        &["config", "--list"],
    ] {
        let go = |side: Side, first: &[&'static str]| {
            let _ = fs::remove_dir_all(&home);
            copy_tree(&template, &home);
            let seen = world.play(
                side,
                &home,
                false,
                &[first, &["global"], args].concat(),
                false,
            );
            (seen, Snapshot::of(&home).without("cache"))
        };
        let (plain, plain_home) = go(Side::Plain, &["--no-plugins"]);
        let (ours, our_home) = go(Side::Allegro, &[]);
        assert_eq!(plain.differences(&ours), "", "{args:?}");
        assert_eq!(diff(&plain_home, &our_home), "", "{args:?}");
    }
}

/// Without a project, `allegro:doctor` reports and leaves nothing behind, and `resolve` fails as
/// `update` does.
#[test]
fn our_own_without_a_project() {
    let Some(world) = World::new() else { return };
    let doctor = world.with_us(false, &["allegro:doctor", "--json"], false);
    assert_eq!(doctor.exit, 0, "{:?}", doctor.stderr);
    let facts = allegro_registry::parse_json(&doctor.stdout, "the doctor's JSON").expect("JSON");
    let who = facts.get("downloaders").and_then(|all| all.str_at("zip"));
    assert_eq!(who, Some("Allegro"), "{}", doctor.stdout);
    assert_eq!(
        doctor.tree.nodes.len(),
        world.without_us(false, &["about"], true).tree.nodes.len(),
        "nothing stays"
    );
    let update = world.without_us(false, &["update"], false);
    let resolve = world.with_us(false, &["resolve"], false);
    assert_eq!(update.exit, 1, "{:?}", update.stderr);
    assert_eq!(update.differences(&resolve), "");
}
