//! Makes the packages on which neighbours work, and plays a project with them.

use std::cell::OnceCell;
use std::fs;

use allegro_registry::{Catalog, FileSpec, Format, Json, Mode, Project};

use crate::support::packages::{add, entry, file, file_with};
use crate::support::{Outcome, Scene, SceneOptions, Side, same_tree};
use crate::trouble::verified;

/// The trait that all plugins of the fixtures share. Each package gets it in its own namespace.
const TRAIT: &str = include_str!("../fixtures/neighbours/neighbour.php");

macro_rules! neighbour {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("../fixtures/neighbours/", $name, ".php")),
        )
    };
}

/// The neighbours, with a row for each kind of hook.
pub const KINDS: [&[(&str, &str)]; 13] = [
    &[neighbour!("installers")],
    &[
        neighbour!("patcher"),
        neighbour!("git_patcher"),
        neighbour!("in_place"),
    ],
    &[neighbour!("extension_installer")],
    &[neighbour!("chmodder")],
    &[neighbour!("splitter")],
    &[neighbour!("nester")],
    &[neighbour!("merger")],
    &[neighbour!("scaffolder")],
    &[neighbour!("hardener")],
    &[neighbour!("dumper")],
    &[neighbour!("manager")],
    &[neighbour!("refuser")],
    &[neighbour!("remover")],
];

/// Names of packages by the state in which the project requires them. A name in neither state is
/// added by a neighbour.
const ALWAYS: [&str; 10] = [
    "acme/one",
    "acme/two",
    "acme/three",
    "acme/twin",
    "acme/module",
    "acme/theme",
    "acme/part-a",
    "acme/part-b",
    "acme/away",
    "acme/assets",
];
const GONE: &str = "acme/gone";
const NEW: &str = "acme/new";

/// The path of [`GONE`] in Composer's own exception, and the refuser's message.
const GONE_PATH: &str = "/project/vendor/acme/gone";
const REFUSAL: &str = "was found in a public repository";

const BEFORE: &str = "<?php\n\n// before\n";
const PROGRAM: &str = "#!/usr/bin/env php\n<?php echo 'program', PHP_EOL;\n";

/// Returns the files of a package that has something for each neighbour.
fn furnished(version: &str) -> Vec<FileSpec> {
    let class = format!(
        "<?php namespace Acme; class C{} {{}}\n",
        version.replace('.', "")
    );
    vec![
        file("src/C.php", &class),
        file("src/Sub/Deep.php", &class),
        file("src/ByPatch.php", BEFORE),
        file("src/ByGit.php", BEFORE),
        file("src/InPlace.php", BEFORE),
        file("docs/guide.md", "docs"),
        file("tests/CTest.php", &class),
        file("bin/program", PROGRAM),
        file("tools/extra", PROGRAM),
        file("README.md", &format!("version {version}")),
    ]
}

/// A function that takes name, version, the rest of the entry, and files of a package.
pub type Adding<'a> = dyn FnMut(&str, &str, &str, Vec<FileSpec>) + 'a;

/// Classes beside a plugin's main class. Composer evaluates the main class again for each of its
/// instances.
const CLASSES: [(&str, &str, &str); 3] = [
    (
        "installers",
        "Installer",
        include_str!("../fixtures/neighbours/installers_installer.php"),
    ),
    (
        "dumper",
        "Generator",
        include_str!("../fixtures/neighbours/dumper_generator.php"),
    ),
    (
        "manager",
        "Manager",
        include_str!("../fixtures/neighbours/manager_manager.php"),
    ),
];

/// Adds one of the plugins.
pub fn neighbour(package: &mut Adding, name: &str, source: &str) {
    let namespace = namespace(source);
    let more = format!(
        r#"{{"type": "composer-plugin", "require": {{"composer-plugin-api": "^2.0"}}, "autoload": {{"psr-4": {{"Neighbours\\{namespace}\\": "src/"}}}}, "extra": {{"class": "Neighbours\\{namespace}\\Plugin"}}}}"#
    );
    let own = TRAIT.replace("Neighbours\\Name", &format!("Neighbours\\{namespace}"));
    let mut files = vec![
        file("src/Plugin.php", source),
        file("src/Neighbour.php", &own),
        file(
            "src/GeneratedConfig.php",
            "<?php return []; // as shipped\n",
        ),
    ];
    for (_, class, source) in CLASSES.iter().filter(|(of, ..)| *of == name) {
        files.push(file(&format!("src/{class}.php"), source));
    }
    package(&format!("neighbours/{name}"), "1.0.0", &more, files);
}

/// Adds the neighbours, and all packages that any of them needs.
fn furnish(package: &mut Adding) {
    let psr = |name: &str| {
        let word = name.replace("acme/", "").replace('-', "");
        format!(r#""autoload": {{"psr-4": {{"Acme\\{word}\\": "src/"}}}}"#)
    };
    for version in ["1.0.0", "1.1.0"] {
        for name in ["acme/one", "acme/three"] {
            let more = format!(r#"{{"bin": ["bin/program"], {}}}"#, psr(name));
            let mut files = furnished(version);
            files.push(file("name", name));
            package(name, version, &more, files);
        }
        for (name, kind) in [
            ("acme/module", "acme-module"),
            ("acme/theme", "acme-theme"),
            ("acme/away", "acme-away"),
            ("acme/part-a", "acme-part"),
        ] {
            let more = format!(
                r#"{{"type": "{kind}", "require": {{"acme/one": "*"}}, {}}}"#,
                psr(name)
            );
            let mut files = furnished(version);
            files.push(file(&format!("{}.txt", name.replace('/', "-")), version));
            package(name, version, &more, files);
        }
    }
    let more = format!("{{{}}}", psr("acme/two"));
    package("acme/two", "1.0.0", &more, furnished("1.0.0"));
    package(
        "acme/part-b",
        "1.0.0",
        r#"{"type": "acme-part"}"#,
        vec![file("part-b.txt", "b"), file("src/OnlyB.php", BEFORE)],
    );
    // This package has the bytes that neighbours overwrite in other packages.
    package(
        "acme/twin",
        "1.0.0",
        r#"{"type": "acme-twin"}"#,
        vec![
            file("copies/before.php", BEFORE),
            file("copies/program", PROGRAM),
            file_with("copies/executable", PROGRAM, Mode::Executable),
            file("copies/robots.txt", "User-agent: *\n"),
            file("copies/index.php", "<?php // index\n"),
            file("copies/Generated.php", "<?php return []; // as shipped\n"),
        ],
    );
    package(
        "acme/assets",
        "1.0.0",
        "{}",
        vec![
            file("scaffold/index.php", "<?php // index\n"),
            file("scaffold/default.php", "<?php // index\n"),
            file("scaffold/robots.txt", "User-agent: *\n"),
        ],
    );
    for name in [GONE, NEW, "acme/late", "acme/merged"] {
        let more = format!("{{{}}}", psr(name));
        package(name, "1.0.0", &more, furnished("1.0.0"));
    }
    for (name, source) in KINDS.into_iter().flatten() {
        neighbour(package, name, source);
    }
}

/// A scene, and the parts from which its projects are made.
pub struct World {
    pub scene: Scene,
    /// Lock entries of all packages in the older state, and of the neighbours.
    entries: Vec<Json>,
    /// Names that the older state requires beside the neighbours.
    pub always: Vec<&'static str>,
    /// Plain Composer's outcome of a project without neighbours.
    untouched: OnceCell<Outcome>,
}

impl World {
    /// Makes a scene of the packages that `fill` adds: name, version, the rest of the entry, files.
    pub fn with(required: bool, fill: impl Fn(&mut Adding)) -> Option<Self> {
        let mut catalog = Catalog::new();
        let mut entries = Vec::new();
        fill(&mut |name, version, more, files| {
            let entry = add(
                &mut catalog,
                entry(name, version, more),
                true,
                Format::Zip,
                files,
            );
            if version == "1.0.0" {
                entries.push(entry);
            }
        });
        let options = SceneOptions {
            required,
            ..SceneOptions::default()
        };
        Some(Self {
            scene: Scene::with(catalog, options)?,
            entries,
            always: Vec::new(),
            untouched: OnceCell::new(),
        })
    }

    /// Makes the scene with all packages that any of the neighbours needs.
    pub fn furnished(required: bool) -> Option<Self> {
        let mut world = Self::with(required, |package| furnish(package))?;
        world.always = ALWAYS.to_vec();
        world.always.push(GONE);
        Some(world)
    }

    /// Returns the older state of a project with these neighbours.
    pub fn older(&self, neighbours: &[&str]) -> Project {
        let plugins: Vec<String> = neighbours
            .iter()
            .map(|name| format!("neighbours/{name}"))
            .collect();
        let mut manifest = allegro_registry::parse_json(
            r#"{
                "name": "acme/project",
                "require": {},
                "autoload": {"psr-4": {"Project\\": "src/"}},
                "extra": {
                    "patches": {"acme/two": {"fix": "fix.patch"}, "acme/three": {"fix": "fix.patch"}},
                    "drupal-scaffold": {"allowed-packages": ["acme/assets"]},
                    "merge": "merge.json"
                },
                "config": {"allow-plugins": {}, "optimize-autoloader": true}
            }"#,
            "the manifest",
        )
        .expect("JSON");
        for plugin in &plugins {
            manifest
                .child("config")
                .child("allow-plugins")
                .set(plugin, Json::Bool(true));
        }
        let mut names = self.always.clone();
        names.extend(plugins.iter().map(String::as_str));
        names.sort_unstable();
        let mut packages = Vec::new();
        for name in names {
            manifest.child("require").set(name, Json::str("*"));
            let entry = self
                .entries
                .iter()
                .find(|entry| entry.str_at("name") == Some(name));
            packages.push(entry.expect("a package").clone());
        }
        let mut state = Project {
            manifest,
            ..Project::default()
        };
        state.lock.set("packages", Json::Array(packages));
        state
    }

    /// Returns the outcomes of plain Composer.
    ///
    /// When the refuser stops the run, Composer removes [`GONE`] by a child process and looks into
    /// its directory at the same time. If the directory disappears between two looks, Composer ends
    /// with an exception of its own instead of the refuser's. Then this function plays all steps
    /// again.
    fn play_plain(&self, neighbours: &[&str]) -> Vec<(String, Outcome)> {
        for _ in 0..10 {
            let outcomes = self.play(neighbours, Side::Serial);
            let raced = outcomes.iter().any(|(step, outcome)| {
                let said = &outcome.run.stderr;
                step == "update, refused" && !said.contains(REFUSAL) && said.contains(GONE_PATH)
            });
            if !raced {
                return outcomes;
            }
        }
        panic!("{neighbours:?}: Composer removes {GONE} under its own hands each time");
    }

    /// Plays a fresh clone of the older state, an update to the newer one, and an installation of
    /// lost packages.
    fn play(&self, neighbours: &[&str], side: Side) -> Vec<(String, Outcome)> {
        let scene = &self.scene;
        let mut outcomes = Vec::new();
        let mut run = |step: &str, command: &str, refused: &str| {
            // Composer shows no progress bar here, because other output would follow on its line.
            let call = scene.call(side, &[command]).env("CI", "1");
            if neighbours.contains(&"refuser") && !refused.is_empty() {
                let outcome = scene.outcome(&call.clone().env("NEIGHBOUR_REFUSES", refused));
                assert_ne!(outcome.run.exit, 0, "{}", outcome.run.stderr);
                outcomes.push((format!("{step}, refused"), outcome));
            }
            let outcome = scene.outcome(&call);
            assert_eq!(
                outcome.run.exit, 0,
                "{neighbours:?}, {step}: {}",
                outcome.run.stderr
            );
            outcomes.push((step.to_owned(), outcome));
        };
        scene.write_state(&self.older(neighbours));
        let merge =
            r#"{"require": {"acme/merged": "*"}, "autoload": {"psr-4": {"Merged\\": "merged/"}}}"#;
        fs::write(scene.project().join("merge.json"), merge).expect("the merged manifest");
        run("fresh clone", "install", "acme/three");
        scene.edit_manifest(|manifest| {
            manifest.child("require").remove(GONE);
            manifest.child("require").set(NEW, Json::str("*"));
        });
        run("update", "update", "acme/one");
        for lost in ["vendor/acme", "modules", "web", "away"] {
            let _ = fs::remove_dir_all(scene.project().join(lost));
        }
        run("what got lost", "install", "acme/new");
        outcomes
    }

    /// Compares both sides, ours in these rounds, of which the first is cold. The store is verified
    /// after each round.
    pub fn compare(&self, neighbours: &[&str], rounds: &[&str]) -> Vec<(String, Outcome)> {
        let scene = &self.scene;
        scene.forget_all();
        let plain = self.play_plain(neighbours);
        for (index, round) in rounds.iter().enumerate() {
            let ours = self.play(neighbours, Side::Allegro);
            // KNOWN DIFFERENCE: when a listener stops the run, Composer drops from its cache the
            // archives of packages that it is extracting, and downloads them again. Allegro has
            // them in its store.
            let downloads = index == 0 && !neighbours.contains(&"refuser");
            for ((step, plain), (_, ours)) in plain.iter().zip(&ours) {
                let what = format!("{neighbours:?}, {step}, {round}");
                same_tree(&what, plain, ours);
                let (left, right) = (said(plain, downloads), said(ours, downloads));
                assert!(
                    left == right,
                    "{what}: Composer says\n{left}\nand with Allegro\n{right}"
                );
                assert_eq!(plain.run.stdout, ours.run.stdout, "{what}: standard output");
            }
            verified(scene);
        }
        plain
    }

    /// Checks another project, whose packages come out of the same store.
    pub fn bystander(&self, neighbours: &[&str]) {
        let go = |side| {
            self.scene.write_state(&self.older(&[]));
            self.scene.outcome(&self.scene.call(side, &["install"]))
        };
        let what = format!("a project without neighbours, after {neighbours:?}");
        let plain = self.untouched.get_or_init(|| go(Side::Serial));
        same_tree(&what, plain, &go(Side::Allegro));
    }
}

/// Returns the output lines, with or without those about downloads.
pub fn said(outcome: &Outcome, downloads: bool) -> String {
    let mut lines = outcome.run.lines();
    lines.retain(|line| {
        downloads || !line.contains(" - Downloading ") && !line.contains("insecure protocol")
    });
    // These lines name the place in the source at which an exception was thrown.
    lines.retain(|line| !(line.starts_with("In ") && line.contains(".php line ")));
    // Promises that are rejected while a run is aborted print stack traces (react/promise 3). The
    // progress of Composer's extraction decides of which exception they speak.
    lines.retain(|line| {
        let frame = line.strip_prefix('#').and_then(|rest| rest.split_once(' '));
        let is_frame = frame.is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        !is_frame && line != "Stack trace:"
    });
    for line in &mut lines {
        const REJECTION: &str = "Unhandled promise rejection with ";
        if line.starts_with(REJECTION) {
            line.truncate(REJECTION.len());
        }
    }
    lines.join("\n")
}

fn namespace(source: &str) -> &str {
    let (_, rest) = source
        .split_once("namespace Neighbours\\")
        .expect("a namespace");
    rest.split_once(';').expect("its end").0
}
