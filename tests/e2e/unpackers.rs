//! Tests the programs with which Composer unpacks if it doesn't use `unzip`.

use std::path::{Path, PathBuf};

use allegro_registry::{Format, Mode};
use serde_json::{Value, json};

use crate::support::files::{archive, bare, manifest, package, said, sound, write};
use crate::support::home::composer_version;
use crate::support::packages::{dir, file, file_with, link};
use crate::support::rar::{RarEntry, rar};
use crate::support::tools::{need, output_of, path_with};
use crate::support::{Outcome, Scene, Side, same};

const TOOL: &str = "#!/usr/bin/env php\n<?php echo 'tool', PHP_EOL;\n";

/// Returns a zip with modes and links, which unpackers treat differently.
fn odd_zip(word: &str, with_link: bool) -> Vec<u8> {
    let mut files = vec![
        file("src/A.php", &format!("<?php class {word} {{}}\n")),
        file("bin/tool", TOOL),
        file_with("run", "#!/bin/sh\n", Mode::Executable),
        file_with("all", "all", Mode::Bits(0o666)),
        file_with("mine", "mine", Mode::Bits(0o600)),
        dir("empty"),
    ];
    if with_link {
        files.push(link("to-run", "run"));
    }
    archive(Format::Zip, true, files)
}

/// Returns an archive of type `7z`.
fn seven_zip(scene: &Scene, program: &Path) -> Option<Vec<u8>> {
    let dir = scene.scratch();
    std::fs::create_dir_all(dir.join("top/src")).expect("a directory");
    std::fs::write(dir.join("top/src/A.php"), "<?php class Seven {}\n").expect("a file");
    let (dir, program) = (dir.display(), program.display());
    output_of(
        &format!("cd '{dir}' && '{program}' a -t7z it.7z top >/dev/null && cat it.7z"),
        b"",
    )
}

/// Names of Composer's preferred program of this family. Any program of the family serves under
/// each name.
const SEVENS: [&str; 3] = ["7z", "7zz", "7za"];

/// Plays the commands with each side, ours cold and warm. Returns Composer's outcomes.
fn agreed(
    scene: &Scene,
    what: &str,
    manifest: &Value,
    path: Option<&Path>,
    commands: &[&[&str]],
) -> Vec<Outcome> {
    scene.forget_all();
    let go = |side| -> Vec<Outcome> {
        write(scene, manifest);
        let run = |args: &&[&str]| {
            let call = scene.call(side, args);
            scene.outcome(&match path {
                Some(path) => call.env("PATH", path),
                None => call,
            })
        };
        commands.iter().map(run).collect()
    };
    let cold = go(Side::Serial);
    let warm = go(Side::Serial);
    for (round, plain) in [("cold", &cold), ("warm", &warm)] {
        for ((plain, ours), args) in plain.iter().zip(&go(Side::Allegro)).zip(commands) {
            same(&format!("{what}, {}, {round}", args.join(" ")), plain, ours);
        }
    }
    sound(scene, what);
    cold
}

const INSTALL: &[&[&str]] = &[&["install"], &["reinstall", "e2e/*"], &["status"]];

/// Without `unzip`, Composer unpacks zips with `7z` or the like, which has rules of its own.
#[test]
fn zips_without_unzip_but_with_7z() {
    let Some(program) = need(&SEVENS) else { return };
    let Some((scene, files)) = bare() else { return };
    let tar = archive(Format::Tar, true, vec![file("t.txt", "tar")]);
    let packages = [
        package(
            "e2e/odd",
            "zip",
            &files.put("odd.zip", &odd_zip("Odd", true)),
            json!({ "bin": ["bin/tool"] }),
        ),
        package(
            "e2e/even",
            "zip",
            &files.put("even.zip", &odd_zip("Even", false)),
            json!({}),
        ),
        // The store still serves packages that such a program doesn't unpack.
        package("e2e/tar", "tar", &files.put("it.tar", &tar), json!({})),
    ];
    let manifest = manifest(&packages, json!({}));
    for name in SEVENS {
        let path = path_with(&scene, &[(name, program.clone())]);
        let commands = if name == "7z" { INSTALL } else { &INSTALL[..1] };
        let plain = agreed(&scene, name, &manifest, Some(&path), commands);
        assert_eq!(plain[0].run.exit, 0, "{}", plain[0].run.stderr);
        // Only newer Composers know this name.
        if name != "7za" {
            assert!(
                !plain[0].run.stderr.contains("Installing 'unzip'"),
                "{}",
                plain[0].run.stderr
            );
            told(&scene, &manifest, name, &path);
        }
    }
}

/// Checks that a run with `-v` tells why the store isn't used, and that the doctor gives advice.
fn told(scene: &Scene, manifest: &Value, name: &str, path: &Path) {
    write(scene, manifest);
    let run = |args| scene.call(Side::Allegro, args).env("PATH", path).run();
    let ours = run(&["install", "-v"]).expect(0);
    let line = format!("installs e2e/even by itself: without unzip it is unpacked by {name}");
    assert!(ours.stderr.contains(&line), "{}", ours.stderr);
    let advice = run(&["allegro:doctor"]).expect(0).stdout;
    assert!(advice.contains("  - unzip: without it"), "{advice}");
}

/// A 7z archive may have the type `zip`. `7z` recognizes the content and unpacks it, but `unzip`
/// can't. There is no type `7z`.
#[test]
fn content_of_type_7z() {
    let Some(program) = need(&SEVENS) else { return };
    let Some((scene, files)) = bare() else { return };
    let Some(body) = seven_zip(&scene, &program) else {
        return;
    };
    let url = files.put("it.7z", &body);
    let path = path_with(&scene, &[("7z", program)]);
    let of_type = |kind| manifest(&[package("e2e/seven", kind, &url, json!({}))], json!({}));
    if composer_version() >= (2, 11) {
        // This Composer looks for the end of a zip before it calls a program.
        fails(&scene, "with 7z", &of_type("zip"), Some(&path));
    } else {
        let plain = agreed(&scene, "with 7z", &of_type("zip"), Some(&path), INSTALL);
        assert_eq!(plain[0].run.exit, 0, "{}", plain[0].run.stderr);
        let nodes = &plain[0].tree.nodes;
        assert!(nodes.contains_key("vendor/e2e/seven/src/A.php"));
    }
    for (kind, path) in [("zip", None), ("7z", None), ("7z", Some(&path))] {
        let what = format!("type {kind}, {path:?}");
        let path = path.map(PathBuf::as_path);
        fails(&scene, &what, &of_type(kind), path);
    }
}

/// Checks that both sides fail in the same words, except for temporary names.
fn fails(scene: &Scene, what: &str, manifest: &Value, path: Option<&Path>) {
    let go = |side| {
        scene.forget_cache(side);
        write(scene, manifest);
        let call = scene.call(side, &["install", "--no-progress"]);
        scene.outcome(&match path {
            Some(path) => call.env("PATH", path),
            None => call,
        })
    };
    let (plain, ours) = (go(Side::Serial), go(Side::Allegro));
    assert_ne!(plain.run.exit, 0, "{what}");
    assert_eq!(plain.run.exit, ours.run.exit, "{what}");
    assert_eq!(said(&plain), said(&ours), "{what}");
}

fn rars() -> Vec<u8> {
    let entry = |path, mode, data| RarEntry { path, mode, data };
    rar(&[
        entry("top", 0o040_755, b""),
        entry("top/src", 0o040_755, b""),
        entry("top/src/A.php", 0o100_644, b"<?php class Rar {}\n"),
        entry("top/bin/tool", 0o100_755, TOOL.as_bytes()),
        entry("top/empty", 0o040_755, b""),
        entry("top/mine", 0o100_600, b"mine"),
    ])
}

/// Packages of the type `rar` install beside zips.
#[test]
fn rar_archives() {
    if need(&["unrar"]).is_none() {
        return;
    }
    let Some((scene, files)) = bare() else { return };
    let rar = |name: &str, more| {
        let url = files.put(&format!("{name}.rar"), &rars());
        package(&format!("e2e/{name}"), "rar", &url, more)
    };
    let packages = [
        rar("a-rar", json!({ "bin": ["bin/tool"] })),
        rar(
            "b-rar",
            json!({ "autoload": { "psr-4": { "Rar\\": "src/" } } }),
        ),
        package(
            "e2e/zip",
            "zip",
            &files.put("it.zip", &odd_zip("Beside", true)),
            json!({}),
        ),
    ];
    let all = manifest(&packages, json!({}));
    let plain = agreed(&scene, "rar", &all, None, INSTALL);
    assert_eq!(plain[0].run.exit, 0, "{}", plain[0].run.stderr);
    for path in ["a-rar/src/A.php", "b-rar/bin/tool", "zip/src/A.php"] {
        let path = format!("vendor/e2e/{path}");
        assert!(plain[0].tree.nodes.contains_key(&path), "{path}");
    }
    // This archive is cut off.
    let whole = rars();
    files.put("b-rar.rar", &whole[..whole.len() / 2]);
    fails(&scene, "a rar that was cut off", &all, None);
}
