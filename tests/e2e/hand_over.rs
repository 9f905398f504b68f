//! Tests archives that the native part doesn't unpack. Composer unpacks them unless it would write
//! outside of the package. The rows are those of the table in `docs/archives.md`.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::files::{Files, bare, manifest, package, said, sound, write};
use crate::support::mount::Mount;
use crate::support::raw::{TarMember, ZipEntry, tar, zip};
use crate::support::tools::{find, path_with};
use crate::support::{Outcome, Scene, Side, same_tree};

fn file(name: impl AsRef<[u8]>) -> ZipEntry {
    ZipEntry::new(name, "content")
}

/// A row: its name, and the entries of its archive besides `p/ok`.
type Row<T> = (&'static str, Vec<T>);

/// Returns zips that Composer installs without leaving the package.
fn harmless_zips() -> Vec<Row<ZipEntry>> {
    let link = ZipEntry::link;
    let crossing = |entry: ZipEntry| vec![link("p/l", "/nowhere/at-all"), entry];
    vec![
        ("an absolute name", vec![file("/etc/allegro-x")]),
        ("two slashes", vec![file("//p/x")]),
        ("a drive", vec![file("C:\\x")]),
        ("a drive with a slash", vec![file("C:/x")]),
        ("a host", vec![file("\\\\host\\x")]),
        ("up", vec![file("../x")]),
        ("up in between", vec![file("p/a/../x")]),
        ("far up", vec![file("p/a/../../../../../../x")]),
        ("up with backslashes", vec![file("..\\x")]),
        ("a directory above", vec![file("../"), file("../q/")]),
        ("up alone", vec![file("p/..")]),
        ("a NUL byte", vec![file("p/a\0b")]),
        ("a NUL byte and up", vec![file("p/a\0/../../../x")]),
        ("a name for DOS", vec![file("p\\x").with(|e| e.host = 0)]),
        ("a file twice", vec![file("p/x"), ZipEntry::new("p/x", "2")]),
        (
            "overlapping",
            vec![ZipEntry::new("p/b", "ok").with(|e| e.offset = Some(0))],
        ),
        (
            "another local name",
            vec![file("p/x").with(|e| e.local_name = Some(b"../x".into()))],
        ),
        ("a link with a NUL byte", vec![link("p/l", "a\0b")]),
        (
            "onto a link inside",
            vec![file("p/t"), link("p/l", "t"), ZipEntry::new("p/l", "new")],
        ),
        (
            "onto a link inside, chained",
            vec![
                file("p/t"),
                link("p/a", "t"),
                link("p/l", "./a"),
                file("p//l"),
            ],
        ),
        (
            "a file, then a link",
            vec![file("p/l"), link("p/l", "/nowhere/at-all")],
        ),
        // These links lead out of the package, and unzip succeeds.
        ("a link out", crossing(file("p/a\\b"))),
        ("a link out, and up", crossing(file("../x"))),
        ("a link out, and up past it", crossing(file("p/q/../l"))),
        ("a link out, in another case", crossing(file("p/L;1"))),
        ("below a link, with a backslash", crossing(file("p\\l\\x"))),
        (
            "a link for DOS",
            vec![
                link("p/l", "/nowhere/at-all").with(|e| e.host = 0),
                file("/p/x"),
            ],
        ),
    ]
}

/// Returns zips that Composer can't install either, and that don't make it leave the package.
fn failing_zips() -> Vec<Row<ZipEntry>> {
    let link = ZipEntry::link;
    vec![
        ("a file, then a directory", vec![file("p/d"), file("p/d/")]),
        ("a directory, then a file", vec![file("p/d/"), file("p/d")]),
        ("below a file", vec![file("p/f"), file("p/f/x")]),
        (
            "below a link inside",
            vec![file("p/t/"), link("p/l", "t"), file("p/l/x")],
        ),
        (
            "a directory, then a link",
            vec![file("p/l/x"), link("p/l", "/nowhere/at-all")],
        ),
        ("the directory itself", vec![file("/")]),
    ]
}

/// Returns tars that Composer installs.
fn harmless_tars() -> Vec<Row<TarMember<'static>>> {
    let file = |name| (name, b'0', "", "content");
    let link = |name, to| (name, b'2', to, "");
    vec![
        ("an absolute name", vec![file("/etc/allegro-x")]),
        ("two slashes", vec![file("//p/x")]),
        (
            "up",
            vec![file("../x"), file("p/a/../y"), file("p/a/../../../../../z")],
        ),
        ("a directory above", vec![("../q/", b'5', "", "")]),
        ("backslashes", vec![file("..\\x"), file("p\\y")]),
        (
            "a file, then a directory",
            vec![file("p/d"), ("p/d/", b'5', "", "")],
        ),
        (
            "a directory, then a file",
            vec![("p/d/", b'5', "", ""), file("p/d")],
        ),
        (
            "a directory below a file",
            vec![file("p/f"), ("p/f/x", b'5', "", "")],
        ),
        (
            "a directory below a link",
            vec![link("p/l", "/nowhere"), ("p/l/x", b'5', "", "")],
        ),
        ("onto a link", vec![link("p/l", "/nowhere"), file("p/l")]),
        (
            "a link onto a file",
            vec![file("p/l"), link("p/l", "/nowhere")],
        ),
        (
            "a link, a directory, a file",
            vec![
                link("p/l", "/nowhere"),
                ("p/l/", b'5', "", ""),
                file("p/l/x"),
            ],
        ),
        (
            "a hard link to a link",
            vec![link("p/l", "/nowhere"), ("p/h", b'1', "p/l", "")],
        ),
        (
            "a hard link to a directory",
            vec![("p/d", b'5', "", ""), ("p/h", b'1', "p/d", "")],
        ),
        (
            "onto a hard link",
            vec![("p/h", b'1', "p/ok", ""), file("p/h")],
        ),
        ("a file twice", vec![file("p/x"), ("p/x", b'0', "", "2")]),
        (
            "devices and pipes",
            vec![
                ("p/a", b'3', "", ""),
                ("p/b", b'4', "", ""),
                ("p/c", b'6', "", ""),
            ],
        ),
    ]
}

/// Returns tars that Composer can't install.
fn failing_tars() -> Vec<Row<TarMember<'static>>> {
    let file = |name| (name, b'0', "", "content");
    let link = |name, to| (name, b'2', to, "");
    vec![
        ("below a file", vec![file("p/f"), file("p/f/x")]),
        ("below a link", vec![link("p/l", "/nowhere"), file("p/l/x")]),
        ("a hard link to nothing", vec![("p/h", b'1', "p/none", "")]),
        (
            "a hard link to what comes later",
            vec![("p/h", b'1', "p/x", ""), file("p/x")],
        ),
        ("a hard link out", vec![("p/h", b'1', "/etc/passwd", "")]),
        ("a hard link up", vec![("p/h", b'1', "../../x", "")]),
    ]
}

/// Returns zips with which Composer writes outside of the package, or fails if an object is in its
/// way. The names are those of files below `outside`. Each zip says whether Composer changes its
/// file.
fn harmful_zips(outside: &str) -> Vec<(&'static str, Vec<ZipEntry>, bool)> {
    let to = |name: &str| ZipEntry::link("p/l", &format!("{outside}/{name}"));
    let after = |entry: ZipEntry| vec![to("onto"), entry];
    vec![
        ("onto a link", after(file("p/l")), true),
        (
            "onto a link to a file",
            vec![to("there"), file("p/l")],
            true,
        ),
        ("onto a link, two slashes", after(file("p//l")), true),
        ("onto a link, a dot", after(file("./p/./l")), true),
        ("onto a link, absolute", after(file("/p/l")), true),
        ("onto a link, a version", after(file("p/l;1")), true),
        (
            "onto a link, a control character",
            after(file("p/l\u{1}")),
            true,
        ),
        (
            "onto a link, a backslash",
            after(file("p\\l").with(|e| e.host = 0)),
            true,
        ),
        ("onto a link, a NUL byte", after(file("p/l\0x")), true),
        ("a link, then an absolute name", after(file("/p/x")), true),
        (
            "an absolute name, then a link",
            vec![file("/p/x"), to("onto")],
            true,
        ),
        (
            "a link, then a file twice",
            vec![to("onto"), file("p/x"), file("p/x")],
            true,
        ),
        (
            "a link, then damage",
            after(file("p/x").with(|e| e.crc = Some(1))),
            true,
        ),
        (
            "a link, then damage and a backslash",
            vec![to("onto"), file("p/a\\b").with(|e| e.crc = Some(1))],
            true,
        ),
        (
            "a link, then another local name",
            after(file("p/x").with(|e| e.local_name = Some(b"p/y".into()))),
            true,
        ),
        (
            "a link by way of a link",
            vec![ZipEntry::link("p/a", "l"), to("onto"), file("/p/x")],
            true,
        ),
        (
            "a link upwards",
            vec![
                ZipEntry::link("p/l", "../../../../../outside/onto"),
                file("/p/x"),
            ],
            true,
        ),
        (
            "an absolute link",
            vec![to("onto").with(|e| e.name = b"/p/l".into()), file("p/l")],
            true,
        ),
        ("below a link", vec![to(""), file("p/l/onto")], false),
        (
            "below a link by a version",
            vec![to("").with(|e| e.name = b"p/l;1".into()), file("p/l/onto")],
            true,
        ),
        (
            "a directory in the place of a link",
            vec![to(""), file("p/l/"), file("p/l/onto")],
            false,
        ),
    ]
}

fn with_ok<T>(first: T, rest: Vec<T>) -> Vec<T> {
    std::iter::once(first).chain(rest).collect()
}

/// Returns the package of a row.
fn row(files: &Files, kind: &str, number: usize, bytes: &[u8]) -> Value {
    let url = files.put(&format!("row-{number}.{kind}"), bytes);
    package(&format!("e2e/{kind}-{number}"), kind, &url, json!({}))
}

fn zips(files: &Files, rows: Vec<Row<ZipEntry>>) -> Vec<(&'static str, Value)> {
    let rows = rows.into_iter().enumerate();
    rows.map(|(number, (what, entries))| {
        let entries = with_ok(ZipEntry::new("p/ok", "ok"), entries);
        (what, row(files, "zip", number, &zip(&entries)))
    })
    .collect()
}

fn tars(files: &Files, rows: Vec<Row<TarMember<'static>>>) -> Vec<(&'static str, Value)> {
    let rows = rows.into_iter().enumerate();
    rows.map(|(number, (what, members))| {
        let members = with_ok(("p/ok", b'0', "", "ok"), members);
        (what, row(files, "tar", number, &tar(&members)))
    })
    .collect()
}

/// Makes an install from nothing, or with the existing store and Composer cache.
fn install(
    scene: &Scene,
    side: Side,
    manifest: &Value,
    path: Option<&PathBuf>,
    is_cold: bool,
) -> Outcome {
    if is_cold {
        scene.forget_cache(side);
        scene.forget_store();
    }
    write(scene, manifest);
    let call = scene.call(side, &["install", "--no-progress"]);
    scene.outcome(&match path {
        Some(path) => call.env("PATH", path),
        None => call,
    })
}

/// Checks that both sides end alike, from nothing and with a store and a cache.
fn agree(scene: &Scene, what: &str, manifest: &Value, path: Option<&PathBuf>, exit: Option<i32>) {
    for is_cold in [true, false] {
        let what = format!("{what}, cold: {is_cold}");
        let plain = install(scene, Side::Serial, manifest, path, is_cold);
        let ours = install(scene, Side::Allegro, manifest, path, is_cold);
        if let Some(exit) = exit {
            assert_eq!(
                plain.run.exit == 0,
                exit == 0,
                "{what}: {}",
                plain.run.stderr
            );
        }
        assert_eq!(plain.run.exit, ours.run.exit, "{what}: {}", ours.run.stderr);
        assert_eq!(said(&plain), said(&ours), "{what}");
        if plain.run.exit == 0 {
            same_tree(&what, &plain, &ours);
        }
    }
    sound(scene, what);
}

fn together(rows: &[(&str, Value)]) -> Value {
    let packages: Vec<Value> = rows.iter().map(|(_, package)| package.clone()).collect();
    manifest(&packages, json!({}))
}

#[test]
fn what_composer_installs_safely_is_installed() {
    let Some((scene, files)) = bare() else { return };
    let zips = zips(&files, harmless_zips());
    agree(&scene, "zips", &together(&zips), None, Some(0));
    let tars = tars(&files, harmless_tars());
    agree(&scene, "tars", &together(&tars), None, Some(0));
    // No file with an absolute name is at that place.
    assert!(!PathBuf::from("/etc/allegro-x").exists());
}

#[test]
fn what_composer_can_not_install_fails_in_its_words() {
    let Some((scene, files)) = bare() else { return };
    let mut rows = zips(&files, failing_zips());
    rows.extend(tars(&files, failing_tars()));
    for (what, package) in rows {
        agree(
            &scene,
            what,
            &manifest(&[package], json!({})),
            None,
            Some(1),
        );
    }
}

/// Without `unzip`, ZipArchive or 7-Zip unpack alone, and neither leaves the package.
#[test]
fn without_unzip_nothing_leads_out() {
    let Some((scene, files)) = bare() else { return };
    let outside = scene.dir().join("outside");
    fs::create_dir_all(&outside).expect("a directory");
    fs::write(outside.join("there"), "there").expect("a file");
    let by_zip_archive = path_with(&scene, &[]);
    // ZipArchive takes part of these names for a directory, so each is installed alone.
    let (alone, rows): (Vec<_>, Vec<_>) = zips(&files, harmless_zips())
        .into_iter()
        .partition(|(what, _)| matches!(*what, "up alone" | "a directory above"));
    let what = "by ZipArchive";
    agree(
        &scene,
        what,
        &together(&rows),
        Some(&by_zip_archive),
        Some(0),
    );
    for (what, package) in alone {
        let manifest = manifest(&[package], json!({}));
        agree(&scene, what, &manifest, Some(&by_zip_archive), Some(1));
    }
    let harmful = harmful_zips(outside.to_str().expect("a path"));
    for (number, (what, entries, _)) in harmful.into_iter().enumerate() {
        // KNOWN DIFFERENCE: ZipArchive leaves an empty file where a checksum is wrong.
        if what == "a link, then damage" {
            continue;
        }
        let entries = with_ok(ZipEntry::new("p/ok", "ok"), entries);
        let package = row(&files, "zip", 100 + number, &zip(&entries));
        let manifest = manifest(&[package], json!({}));
        agree(&scene, what, &manifest, Some(&by_zip_archive), None);
    }
    if let Some(program) = find("7z") {
        let by_7z = path_with(&scene, &[("7z", program)]);
        // 7-Zip writes the name of the temporary directory into links that lead out, so those rows
        // are left out.
        let mut rows = zips(&files, harmless_zips());
        rows.retain(|(what, _)| !what.contains("link"));
        agree(&scene, "7z", &together(&rows), Some(&by_7z), None);
    }
    let left: Vec<_> = fs::read_dir(&outside).expect("a directory").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn what_would_make_composer_write_outside_is_refused() {
    let Some((scene, files)) = bare() else { return };
    let outside = scene.dir().join("outside");
    let reset = || {
        let _ = fs::remove_dir_all(&outside);
        fs::create_dir_all(&outside).expect("a directory");
        fs::write(outside.join("there"), "there").expect("a file");
    };
    let is_untouched = || {
        fs::read_dir(&outside).expect("a directory").count() == 1
            && fs::read(outside.join("there")).expect("a file") == b"there"
    };
    let rows = harmful_zips(outside.to_str().expect("a path"));
    for (number, (what, entries, escapes)) in rows.into_iter().enumerate() {
        let entries = with_ok(ZipEntry::new("p/ok", "ok"), entries);
        let package = row(&files, "zip", number, &zip(&entries));
        let manifest = manifest(&[package], json!({}));
        reset();
        let plain = install(&scene, Side::Serial, &manifest, None, true);
        assert_eq!(is_untouched(), !escapes, "{what}: {}", plain.run.stderr);
        assert!(escapes || plain.run.exit != 0, "{what}");
        for is_cold in [true, false] {
            reset();
            let ours = install(&scene, Side::Allegro, &manifest, None, is_cold);
            assert!(is_untouched(), "{what}: {}", ours.run.stderr);
            assert_ne!(ours.run.exit, 0, "{what}: {}", ours.run.stderr);
            let said = ours
                .run
                .stderr
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            let name = format!("the archive of e2e/zip-{number} (1.0.0)");
            assert!(said.contains(&name), "{what}: {}", ours.run.stderr);
            let is_damage = what == "a link, then damage";
            let advice = if is_damage {
                "downloads it again"
            } else {
                "--prefer-source"
            };
            assert!(said.contains(advice), "{what}: {}", ours.run.stderr);
            assert_eq!(ours.tree.below("vendor/e2e").files(), 0, "{what}");
        }
    }
    sound(&scene, "refused archives");
}

/// On file systems without modes, `unzip` fails on every archive that lists a directory.
#[test]
fn where_no_modes_can_be_set_links_out_are_refused() {
    let Some((scene, files)) = bare() else { return };
    let below = scene.scratch();
    fs::create_dir_all(&below).expect("a directory");
    let Some(_mount) = Mount::without_chmod(&below, &scene.project()) else {
        return;
    };
    let outside = scene.dir().join("outside");
    let target = outside.to_str().expect("a path");
    let entries = [
        ZipEntry::new("p/", ""),
        ZipEntry::new("p/ok", "ok"),
        ZipEntry::link("p/l", target),
    ];
    let package = row(&files, "zip", 0, &zip(&entries[1..]));
    let fine = manifest(&[package], json!({}));
    agree(&scene, "no directory is listed", &fine, None, Some(0));
    assert!(!outside.exists());
    let package = row(&files, "zip", 1, &zip(&entries));
    let manifest = manifest(&[package], json!({}));
    let plain = install(&scene, Side::Serial, &manifest, None, true);
    assert!(outside.exists(), "{}", plain.run.stderr);
    for is_cold in [true, false] {
        fs::remove_file(&outside).expect("what Composer wrote");
        let ours = install(&scene, Side::Allegro, &manifest, None, is_cold);
        assert!(!outside.exists(), "{}", ours.run.stderr);
        assert_ne!(ours.run.exit, 0, "{}", ours.run.stderr);
        fs::write(&outside, "").expect("a file");
    }
}
