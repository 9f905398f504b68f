//! Tests the contents that archives can have.

use std::fs;

use allegro_registry::{Catalog, FileSpec, Format, Mode, ProjectOptions};

use crate::support::home::composer_version;
use crate::support::packages::{add, dir, entry, file, file_with, link};
use crate::support::tools::path_with;
use crate::support::{Outcome, Scene, SceneOptions, Side, Snapshot, diff, same, same_tree};

/// Packages for a scene whose project requires exactly these.
pub struct Traps {
    catalog: Catalog,
    project: ProjectOptions,
}

impl Traps {
    pub fn new() -> Self {
        Self {
            catalog: Catalog::new(),
            project: ProjectOptions::default(),
        }
    }

    pub fn package(
        &mut self,
        name: &str,
        more: &str,
        top: bool,
        format: Format,
        files: Vec<FileSpec>,
    ) {
        let entry = add(
            &mut self.catalog,
            entry(name, "1.0.0", more),
            top,
            format,
            files,
        );
        self.project
            .extra_requires
            .push((name.to_lowercase(), "*".to_owned()));
        self.project
            .extra_allow_plugins
            .push((name.to_lowercase(), true));
        self.project.extra_packages.push(entry);
    }

    pub fn scene(self) -> Option<Scene> {
        self.scene_with(false)
    }

    /// Makes the scene. With `required`, the project itself requires Allegro.
    pub fn scene_with(self, required: bool) -> Option<Scene> {
        Scene::with(
            self.catalog,
            SceneOptions {
                project: self.project,
                required,
                ..SceneOptions::default()
            },
        )
    }
}

/// Plays both sides under several umasks on one store, cold and warm, and compares them. Afterwards
/// the store is as it was.
fn compare_under_umasks(scene: &Scene, umasks: &[u32]) -> Outcome {
    let mut last = None;
    for umask in umasks {
        let go = |side| {
            scene.write_project();
            scene.outcome(&scene.call(side, &["install", "-o"]).umask(*umask))
        };
        let plain = go(Side::Serial);
        assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
        let cold = go(Side::Allegro);
        same(&format!("umask {umask:03o}, first"), &plain, &cold);
        let before = scene.store_snapshot();
        let warm = go(Side::Allegro);
        same_tree(&format!("umask {umask:03o}, warm"), &plain, &warm);
        let after = scene.store_snapshot();
        assert_eq!(
            diff(&before, &after),
            "",
            "a warm install leaves the store alone"
        );
        last = Some(plain);
    }
    last.expect("an outcome")
}

fn repeating(dense: bool) -> String {
    (0..40_000)
        .map(|line: u32| {
            let word = if dense {
                line.wrapping_mul(0x9e37_79b9)
            } else {
                0x1234_5678
            };
            format!("{word:08x} some text that repeats\n")
        })
        .collect::<Vec<_>>()
        .concat()
}

const BIN: &str = "#!/usr/bin/env php\n<?php echo 'bin', PHP_EOL;\n";

/// Returns zips with odd contents. With `dense`, they lack files that compress to less than a
/// hundredth of their size.
fn zips(dense: bool) -> Traps {
    let mut traps = Traps::new();
    let zip = Format::Zip;
    traps.package(
        "trap/modes",
        r#"{"bin": ["bin/plain", "bin/already", "tool.sh"]}"#,
        true,
        zip,
        vec![
            file("bin/plain", BIN),
            file_with("bin/already", BIN, Mode::Executable),
            file_with("tool.sh", "#!/bin/sh\necho tool\n", Mode::Executable),
            file_with("run", "#!/bin/sh\n", Mode::Executable),
            file_with("mode-600", "x", Mode::Bits(0o600)),
            file_with("mode-444", "y", Mode::Bits(0o444)),
            file_with("mode-666", "z", Mode::Bits(0o666)),
            file_with("mode-777", "w", Mode::Bits(0o777)),
            file_with("mode-suid", "s", Mode::Bits(0o4755)),
            file("src/A.php", "<?php class TrapA {}\n"),
        ],
    );
    // This package has the bytes of the other package's program, as data and with other modes.
    traps.package(
        "trap/twin",
        r#"{"bin": ["data.txt"]}"#,
        true,
        zip,
        vec![
            file("as-data", BIN),
            file_with("as-program", BIN, Mode::Executable),
            file("data.txt", "#!/bin/sh\n"),
            file("mode-600", "x"),
            file_with("also-x", "x", Mode::Executable),
            file("empty", ""),
            file_with("empty-program", "", Mode::Executable),
        ],
    );
    traps.package(
        "trap/links",
        "{}",
        true,
        zip,
        vec![
            file("real/file.txt", "real"),
            link("to-file", "real/file.txt"),
            link("to-dir", "real"),
            link("dangling", "nowhere/at/all"),
            link("deep/up", "../real/file.txt"),
            link("deep/outside", "../../../../composer.json"),
            link("absolute", "/etc/hostname"),
            link("self", "self"),
            file("src/B.php", "<?php class TrapB {}\n"),
        ],
    );
    traps.package(
        "trap/dirs",
        "{}",
        true,
        zip,
        vec![
            dir("empty"),
            dir("deep/er/empty"),
            file(".hidden", "dot"),
            file(".github/workflows/ci.yml", "on: push\n"),
            file(".htaccess", "Deny from all\n"),
            file("nested/.DS_Store", "finder"),
        ],
    );
    traps.package(
        "trap/no-top",
        "{}",
        false,
        zip,
        vec![
            file("composer.json", r#"{"name": "trap/no-top"}"#),
            file("src/C.php", "<?php class TrapC {}\n"),
        ],
    );
    traps.package(
        "trap/two-tops",
        "{}",
        false,
        zip,
        vec![file("one/a.txt", "a"), file("two/b.txt", "b")],
    );
    traps.package(
        "trap/one-file",
        "{}",
        false,
        zip,
        vec![file("alone.php", "<?php class Alone {}\n")],
    );
    traps.package(
        "trap/only-src",
        "{}",
        false,
        zip,
        vec![
            file("src/D.php", "<?php class TrapD {}\n"),
            file("src/deep/E.php", "<?php class TrapE {}\n"),
        ],
    );
    traps.package(
        "trap/ds-store",
        "{}",
        false,
        zip,
        vec![
            file(".DS_Store", "finder"),
            file("package-1.0/x.txt", "x"),
            file("package-1.0/.DS_Store", "finder too"),
        ],
    );
    traps.package(
        "trap/macosx",
        "{}",
        false,
        zip,
        vec![
            file("__MACOSX/._x.txt", "fork"),
            file("package-1.0/x.txt", "x"),
        ],
    );
    traps.package(
        "trap/dot-top",
        "{}",
        false,
        zip,
        vec![file(".hidden/x.txt", "x")],
    );
    traps.package(
        "trap/link-top",
        "{}",
        false,
        zip,
        vec![link("only", "/tmp")],
    );
    traps.package("trap/one-empty-dir", "{}", false, zip, vec![dir("only")]);
    traps.package(
        "trap/unicode",
        "{}",
        true,
        zip,
        vec![
            file("Ünïcödé/файл.txt", "text"),
            file("日本語.php", "<?php class Nihongo {}\n"),
            file("with space/and 'quote'.txt", "q"),
            file("new\tline.txt", "tab"),
            file("-dash", "dash"),
            file("back\\slash.txt", "b"),
        ],
    );
    traps.package(
        "trap/cases",
        "{}",
        true,
        zip,
        vec![
            file("README", "upper"),
            file("readme", "lower"),
            file("Src/F.php", "<?php class TrapF {}\n"),
            file("src/G.php", "<?php class TrapG {}\n"),
        ],
    );
    traps.package(
        "Trap/CapitalLetters",
        r#"{"autoload": {"psr-4": {"Capital\\": "src/"}}}"#,
        true,
        zip,
        vec![file("src/H.php", "<?php namespace Capital; class H {}\n")],
    );
    // The archiver stores incompressible and tiny files, and deflates a large one in many blocks.
    traps.package(
        "trap/sizes",
        "{}",
        true,
        zip,
        vec![
            file("stored", "a"),
            file("zeros", &"\0".repeat(if dense { 300 } else { 300_000 })),
            file("large.txt", &repeating(dense)),
        ],
    );
    traps.package(
        "trap/many",
        "{}",
        true,
        zip,
        (0..700)
            .map(|at| file(&format!("d{}/f{at}.txt", at % 13), &format!("{}", at % 50)))
            .collect(),
    );
    traps.package(
        "trap/target",
        r#"{"target-dir": "Some/Where", "autoload": {"psr-0": {"Some\\Where": ""}}}"#,
        true,
        zip,
        vec![file("I.php", "<?php namespace Some\\Where; class I {}\n")],
    );
    traps
}

#[test]
fn zip_traps() {
    let Some(scene) = zips(false).scene() else {
        return;
    };
    let plain = compare_under_umasks(&scene, &[0o022, 0o002, 0o077]);
    // The odd contents that the test is about exist.
    let tree = &plain.tree;
    // Since Composer 2.11, metadata at the top doesn't keep Composer from taking the content of the
    // folder beside it.
    let macosx = if composer_version() >= (2, 11) {
        "vendor/trap/macosx/x.txt"
    } else {
        "vendor/trap/macosx/__MACOSX/._x.txt"
    };
    for path in [
        macosx,
        "vendor/trap/links/dangling",
        "vendor/trap/dirs/deep/er/empty",
        "vendor/Trap/CapitalLetters/src/H.php",
        "vendor/trap/target/Some/Where/I.php",
    ] {
        assert!(
            tree.nodes.contains_key(path),
            "{path} is missing: {:?}",
            tree.below("vendor/trap")
                .nodes
                .keys()
                .filter(|key| !key.contains("many"))
                .collect::<Vec<_>>()
        );
    }
}

/// Returns Composer's warnings about missing tools.
fn warnings(outcome: &Outcome) -> Vec<String> {
    let mut lines = outcome.run.lines();
    lines.retain(|line| line.contains("unzip"));
    lines
}

/// Without `unzip` and `7z`, Composer unpacks with PHP's `ZipArchive`, which loses modes and links.
#[test]
fn zip_traps_without_unzip() {
    // KNOWN DIFFERENCE: Composer 2.2.24 and 2.7.7 to 2.8.8 check five files of a zip, chosen by
    // chance. They refuse the zip as a bomb if one of these files compresses to less than half a
    // hundredth of its size.
    let by_chance = matches!(composer_version(), (2, 2 | 7..=8));
    let Some(scene) = zips(by_chance).scene() else {
        return;
    };
    let tools = path_with(&scene, &[]);
    for umask in [0o022, 0o077] {
        let go = |side| {
            scene.write_project();
            let call = scene.call(side, &["install"]);
            scene.outcome(&call.env("PATH", &tools).umask(umask))
        };
        let plain = go(Side::Serial);
        assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
        assert!(plain.run.stderr.contains("Installing 'unzip'"));
        for round in ["cold", "warm"] {
            let what = format!("without unzip, umask {umask:03o}, {round}");
            let ours = go(Side::Allegro);
            if round == "cold" && umask == 0o022 {
                same(&what, &plain, &ours);
            } else {
                same_tree(&what, &plain, &ours);
                assert_eq!(warnings(&plain), warnings(&ours), "{what}");
            }
        }
    }
    // A store that was filled without unzip serves a run with unzip.
    let plain = scene.fresh(Side::Serial, &["install"]);
    same_tree(
        "with unzip again",
        &plain,
        &scene.fresh(Side::Allegro, &["install"]),
    );
}

/// An archive without entries has the result that it has with Composer.
#[test]
fn an_empty_archive() {
    let mut traps = Traps::new();
    traps.package("trap/empty", "{}", false, Format::Zip, Vec::new());
    let Some(scene) = traps.scene() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    for round in ["cold", "warm"] {
        same_tree(round, &plain, &scene.fresh(Side::Allegro, &["install"]));
    }
}

fn tar_files(word: &str) -> Vec<FileSpec> {
    vec![
        file(&format!("bin/tool-{word}"), BIN),
        file_with("program", "#!/bin/sh\n", Mode::Executable),
        file("src/A.php", "<?php class Tar {}\n"),
        file(".hidden", "dot"),
        file(
            &format!("{}/long.txt", "long-name-of-a-directory".repeat(5)),
            "beyond the hundred bytes of a tar header",
        ),
        file("empty", ""),
    ]
}

#[test]
fn tar_traps() {
    let mut traps = Traps::new();
    for (format, word) in [(Format::Tar, "tar"), (Format::TarGz, "gz")] {
        let bin = format!(r#"{{"bin": ["bin/tool-{word}"]}}"#);
        traps.package(&format!("tar/{word}"), &bin, true, format, tar_files(word));
        traps.package(
            &format!("tar/{word}-no-top"),
            "{}",
            false,
            format,
            vec![
                file("a.txt", "a"),
                file("src/B.php", &format!("<?php class B{word} {{}}\n")),
            ],
        );
    }
    let Some(scene) = traps.scene() else { return };
    compare_under_umasks(&scene, &[0o022, 0o002, 0o077]);
}

/// PHP needs its bz2 extension for these archives. Without it Composer fails, and Allegro installs.
#[test]
fn a_bzipped_tar_has_the_same_content() {
    let mut traps = Traps::new();
    traps.package("tar/gz", "{}", true, Format::TarGz, tar_files("x"));
    traps.package("tar/bz2", "{}", true, Format::TarBz2, tar_files("x"));
    let Some(scene) = traps.scene() else { return };
    let _ = scene.fresh(Side::Allegro, &["install"]).run.expect(0);
    let of = |word: &str| Snapshot::of(&scene.project().join("vendor/tar").join(word));
    assert!(of("gz").files() == 6);
    assert_eq!(diff(&of("gz"), &of("bz2")), "");
}

/// `PharData` loses links and empty directories. Allegro keeps them, and all else is the same.
#[test]
fn tar_links_and_empty_directories_are_kept() {
    let mut traps = Traps::new();
    traps.package(
        "tar/quirks",
        "{}",
        true,
        Format::TarGz,
        vec![
            file("real.txt", "real"),
            link("to-real", "real.txt"),
            dir("empty"),
        ],
    );
    let Some(scene) = traps.scene() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let ours = scene.fresh(Side::Allegro, &["install"]);
    let both = |tree: &Snapshot| {
        tree.without("vendor/tar/quirks/to-real")
            .without("vendor/tar/quirks/empty")
    };
    assert_eq!(diff(&both(&plain.tree), &both(&ours.tree)), "");
    let root = scene.project().join("vendor/tar/quirks");
    assert_eq!(
        fs::read_link(root.join("to-real"))
            .expect("a link")
            .to_str(),
        Some("real.txt")
    );
    assert!(root.join("empty").is_dir());
}

/// Composer makes targets of `bin` executable in place, and plugins write where they like. Neither
/// change reaches the store.
#[test]
fn a_plugin_that_writes_over_its_own_files() {
    let mut traps = Traps::new();
    let plugin = r"<?php

namespace Scribble;

use Composer\Composer;
use Composer\IO\IOInterface;

class Plugin implements \Composer\Plugin\PluginInterface, \Composer\EventDispatcher\EventSubscriberInterface
{
    public function activate(Composer $composer, IOInterface $io)
    {
    }

    public function deactivate(Composer $composer, IOInterface $io)
    {
    }

    public function uninstall(Composer $composer, IOInterface $io)
    {
    }

    public static function getSubscribedEvents()
    {
        return ['post-install-cmd' => 'scribble'];
    }

    public static function scribble()
    {
        file_put_contents(__DIR__.'/GeneratedConfig.php', '<?php return '.var_export(getcwd(), true).';');
        chmod(__DIR__.'/GeneratedConfig.php', 0600);
    }
}
";
    traps.package(
        "trap/scribble",
        r#"{"type": "composer-plugin", "require": {"composer-plugin-api": "^2.0"}, "autoload": {"psr-4": {"Scribble\\": "src/"}}, "extra": {"class": "Scribble\\Plugin"}}"#,
        true,
        Format::Zip,
        vec![file("src/Plugin.php", plugin), file("src/GeneratedConfig.php", "<?php return null; // as shipped\n")],
    );
    // This package has the same bytes, and its files are shared with the store.
    traps.package(
        "trap/shared",
        "{}",
        true,
        Format::Zip,
        vec![file(
            "src/GeneratedConfig.php",
            "<?php return null; // as shipped\n",
        )],
    );
    let Some(scene) = traps.scene() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let cold = scene.fresh(Side::Allegro, &["install"]);
    same("cold", &plain, &cold);
    let store = scene.store_snapshot();
    // Another project at another path gets other generated bytes, and nothing from the first.
    for round in ["warm", "warm again"] {
        let ours = scene.fresh(Side::Allegro, &["install"]);
        same_tree(round, &plain, &ours);
        assert_eq!(
            diff(&store, &scene.store_snapshot()),
            "",
            "{round}: the store is as it was"
        );
    }
    let other = scene.dir().join("other");
    scene.overwrite_state(scene.server.catalog().project(), &other);
    let run = scene
        .call(Side::Allegro, &["install", "--no-plugins"])
        .dir(&other)
        .run()
        .expect(0);
    assert!(
        run.stderr.contains("Installing trap/scribble"),
        "{}",
        run.stderr
    );
    scene.write_project();
    let shipped = scene.call(Side::Allegro, &["install"]).run().expect(0);
    assert!(
        shipped
            .ours()
            .iter()
            .any(|line| line.contains("from the store")),
        "{}",
        shipped.stderr
    );
    let text = fs::read_to_string(
        scene
            .project()
            .join("vendor/trap/shared/src/GeneratedConfig.php"),
    )
    .expect("the file");
    assert_eq!(text, "<?php return null; // as shipped\n");
}
