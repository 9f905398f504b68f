//! Tests modification times. Each file and folder has the time that plain Composer gives it.
//!
//! `unzip` takes the UT field if an entry has one, else the DOS time in local time. A folder gets
//! the time of its own entry if that comes before its content. `ZipArchive` takes the DOS time, of
//! files only. Files from a tar, and files that Composer makes, have the time of the install.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use allegro_registry::{FileSpec, Format, Mode, Stamp, Times, dos_words, extra, ut};
use serde_json::{Value, json};

use crate::support::files::{Files, archive_with, bare, manifest, merge, package, rewrite, write};
use crate::support::home::php;
use crate::support::packages::{dir, file, file_with, link};
use crate::support::snapshot::{Moment, Node};
use crate::support::tools::{need, path_with};
use crate::support::{Call, Engine, Outcome, Scene, Side, extension, same_tree};

/// 2015-02-05 06:07:08 UTC, the time of first releases. Berlin and New York have no summer time
/// then, nor in the following weeks.
const FIRST: u32 = 1_423_116_428;
/// 2019-07-08 09:10:12 UTC, the time of second releases. Berlin and New York have summer time then.
const SECOND: u32 = 1_562_577_012;
const DAY: u32 = 86_400;

/// The way in which the calls of a step are made.
#[derive(Debug, Clone, Copy)]
struct Setting {
    zone: Option<&'static str>,
    umask: u32,
    has_unzip: bool,
}

impl Setting {
    const DEFAULT: Self = Self {
        zone: None,
        umask: 0o022,
        has_unzip: true,
    };

    /// Returns the call in this setting. `bare_path` is a `PATH` without `unzip`.
    fn apply<'a>(&self, call: Call<'a>, bare_path: &Path) -> Call<'a> {
        let call = call.umask(self.umask);
        let call = match self.zone {
            Some(zone) => call.env("TZ", zone),
            None => call.env_remove("TZ"),
        };
        if self.has_unzip {
            call
        } else {
            call.env("PATH", bare_path)
        }
    }
}

/// Returns a package with a dist of this format. Its URL names its commit, so that its content is
/// fixed.
fn release(
    files: &Files,
    name: &str,
    version: &str,
    (format, body): (Format, &[u8]),
    more: Value,
) -> Value {
    use sha1::{Digest as _, Sha1};
    use std::fmt::Write as _;
    let reference = Sha1::digest([name.as_bytes(), version.as_bytes(), body].concat())
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
    let url = files.put(&format!("{name}/{reference}.{}", format.extension()), body);
    let mut release = package(name, format.dist_type(), &url, more);
    merge(
        &mut release,
        json!({ "version": version, "dist": { "reference": reference } }),
    );
    release
}

/// Returns files at the top, in a folder and deeper, with the modes that a zip can state. The
/// version changes some of them.
fn content(word: &str, version: &str) -> Vec<FileSpec> {
    vec![
        file("README.md", "the same in each version\n"),
        file_with("bin/tool", "#!/usr/bin/env php\n<?php\n", Mode::Executable),
        file("lib/Kept.php", &format!("<?php class {word}Kept {{}}\n")),
        file(
            "src/Changed.php",
            &format!("<?php class {word}Changed {{ const V = '{version}'; }}\n"),
        ),
        file("src/deep/er/Deep.php", &format!("<?php // {version}\n")),
    ]
}

/// Returns zips of each form: name, whether all entries are below one folder, the entries in their
/// order, and the times.
fn forms(version: &str, at: u32) -> Vec<(&'static str, bool, Vec<FileSpec>, Times)> {
    let git = Times::git(at);
    let plain = |word| content(word, version);
    // Folders have entries only if the list has them. Some entries come after the folder's content.
    let late = [
        vec![dir(""), dir("src")],
        plain("Late"),
        vec![dir("lib"), dir("src/deep/er"), dir("bin"), dir("src/deep")],
    ];
    let top_last = [plain("TopLast"), vec![dir("src"), dir("")]];
    let each = git
        .clone()
        .with("", Stamp::git(at + DAY))
        .with("src", Stamp::git(at + 2 * DAY))
        .with("src/deep/er", Stamp::dos(at + 3 * DAY))
        .with("src/Changed.php", Stamp::dos(at + 4 * DAY))
        .with("src/deep/er/Deep.php", Stamp::git(at + 5 * DAY + 1))
        .with("bin/tool", Stamp::git(at - 900 * DAY));
    let with_link = [
        plain("Linked"),
        vec![link("to-readme", "README.md"), dir("empty")],
    ];
    let changing = vec![
        file(&format!("only-{version}.txt"), version),
        dir("empty/inside"),
    ];
    vec![
        ("git", true, plain("Git"), git.clone()),
        ("dos", true, plain("Dos"), Times::dos(at)),
        ("flat", true, plain("Flat"), git.clone().without_folders()),
        (
            "flat-dos",
            true,
            plain("FlatDos"),
            Times::dos(at).without_folders(),
        ),
        ("late", true, late.concat(), git.clone().without_folders()),
        (
            "top-last",
            true,
            top_last.concat(),
            git.clone().without_folders(),
        ),
        ("tops", false, plain("Tops"), git.clone()),
        (
            "tops-flat",
            false,
            plain("TopsFlat"),
            Times::dos(at).without_folders(),
        ),
        ("each", true, plain("Each"), each),
        ("linked", true, with_link.concat(), git.clone()),
        ("changing", false, changing, git),
    ]
}

/// Returns a manifest that requires a package of each form in this version, and tars.
fn all_forms(files: &Files, version: &str, at: u32) -> Value {
    let mut packages: Vec<Value> = forms(version, at)
        .into_iter()
        .map(|(name, top, entries, times)| {
            let body = archive_with(Format::Zip, top, entries, times);
            let more = if name == "git" {
                json!({ "bin": ["bin/tool"], "autoload": { "psr-4": { "Git\\": "src/" } } })
            } else {
                json!({ "autoload": { "classmap": ["."] } })
            };
            let zip = (Format::Zip, &body[..]);
            release(files, &format!("times/{name}"), version, zip, more)
        })
        .collect();
    for (format, top) in [(Format::Tar, true), (Format::TarGz, false)] {
        let word = if top { "tar" } else { "tgz" };
        let body = archive_with(format, top, content(word, version), Times::git(at));
        let tar = (format, &body[..]);
        packages.push(release(
            files,
            &format!("times/{word}"),
            version,
            tar,
            json!({}),
        ));
    }
    manifest(&packages, json!({}))
}

/// Plays the life of a project whose packages are of all forms.
fn life(
    scene: &Scene,
    [first, second]: [&Value; 2],
    run: impl Fn(&[&str]) -> Outcome,
) -> Vec<(String, Outcome)> {
    write(scene, first);
    let mut played = Vec::new();
    let mut step = |args: &[&str]| played.push((args.join(" "), run(args)));
    step(&["install", "-o"]);
    rewrite(scene, second);
    step(&["update"]);
    step(&["reinstall", "times/*"]);
    rewrite(scene, first);
    step(&[
        "update",
        "times/git",
        "times/tops",
        "times/tar",
        "times/changing",
    ]);
    step(&["remove", "times/each", "times/dos"]);
    played
}

/// Returns a path's time in seconds since 1970, unless it is that of the install.
fn time(outcome: &Outcome, path: &str) -> Option<i64> {
    let node = outcome.tree.nodes.get(&format!("vendor/times/{path}"));
    match node.unwrap_or_else(|| panic!("{path} is missing")).time() {
        Some(Moment::At(seconds, 0)) => Some(seconds),
        Some(Moment::Now) => None,
        other => panic!("{path}: {other:?}"),
    }
}

/// Returns the seconds that a clock in the zone is ahead of UTC at the time of first releases.
fn ahead(zone: Option<&str>) -> i64 {
    match zone {
        Some("Europe/Berlin") => 3_600,
        Some("America/New_York") => -18_000,
        _ => 0,
    }
}

/// Checks the times that Composer itself gives. A test that only compares two sides would pass if
/// neither set any time.
fn expected(setting: Setting, install: &Outcome) {
    let first = i64::from(FIRST);
    let git_dos = first + 7_200 - ahead(setting.zone);
    let dos = first - ahead(setting.zone);
    let (ut, folder) = if setting.has_unzip {
        (first, Some(first))
    } else {
        (git_dos, None)
    };
    for (path, wanted) in [
        ("git/README.md", Some(ut)),
        ("git/bin/tool", Some(ut)),
        ("git/src", folder),
        ("git", folder),
        ("dos/src/Changed.php", Some(dos)),
        ("dos/src", folder.map(|_| dos)),
        ("flat/README.md", Some(ut)),
        ("flat/src", None),
        ("flat", None),
        ("late/src", folder),
        ("late/lib", None),
        ("top-last", None),
        ("tops", None),
        ("tops/src", folder),
        ("each/src", folder.map(|at| at + 2 * i64::from(DAY))),
        ("each/src/Changed.php", Some(dos + 4 * i64::from(DAY))),
        // With `unzip` a link has the time of the install. `ZipArchive` makes a file of it.
        (
            "linked/to-readme",
            if setting.has_unzip { None } else { Some(ut) },
        ),
        ("tar/README.md", None),
        ("tar/src", None),
        ("tgz/src/Changed.php", None),
    ] {
        assert_eq!(time(install, path), wanted, "{path}, {setting:?}");
    }
    let generated = install.tree.nodes.get("vendor/composer/installed.json");
    assert_eq!(generated.and_then(Node::time), Some(Moment::Now));
}

const BERLIN: Option<&str> = Some("Europe/Berlin");
const NEW_YORK: Option<&str> = Some("America/New_York");

/// Plays [`life`] in a setting with Composer, and with Allegro by each of these link strategies, on
/// the existing store.
fn lives(setting: Setting, strategies: &[(&str, Engine)]) {
    let Some((scene, files)) = bare() else { return };
    if setting.has_unzip && need(&["unzip"]).is_none() {
        return;
    }
    let bare_path = path_with(&scene, &[]);
    let states = [
        all_forms(&files, "1.0.0", FIRST),
        all_forms(&files, "1.1.0", SECOND),
    ];
    let states = [&states[0], &states[1]];
    let plain = life(&scene, states, |args| {
        scene.outcome(&setting.apply(scene.call(Side::Serial, args), &bare_path))
    });
    for (step, outcome) in &plain {
        assert_eq!(outcome.run.exit, 0, "{step}: {}", outcome.run.stderr);
    }
    expected(setting, &plain[0].1);
    // The user who filled the store lives in another zone.
    let elsewhere = Setting {
        zone: Some("Asia/Kolkata"),
        umask: 0o027,
        has_unzip: true,
    };
    write(&scene, states[0]);
    let call = scene.call(Side::Allegro, &["install"]);
    let _ = elsewhere.apply(call, &bare_path).run().expect(0);
    for (strategy, engine) in strategies {
        if *engine == Engine::Extension && extension().is_none() {
            continue;
        }
        for round in ["first", "second"] {
            let ours = life(&scene, states, |args| {
                let call = scene.call(Side::Allegro, args);
                let call = call.env("ALLEGRO_LINK_STRATEGY", *strategy).engine(*engine);
                scene.outcome(&setting.apply(call, &bare_path))
            });
            for ((step, plain), (_, ours)) in plain.iter().zip(&ours) {
                let what = format!("{step}, {setting:?}, {strategy}, {engine:?}, {round}");
                same_tree(&what, plain, ours);
            }
        }
    }
}

#[test]
fn by_each_link_strategy() {
    let strategies = ["auto", "hardlink", "copy"].map(|strategy| (strategy, Engine::Helper));
    lives(Setting::DEFAULT, &strategies);
}

#[test]
fn with_the_extension() {
    let strategies = ["hardlink", "copy"].map(|strategy| (strategy, Engine::Extension));
    lives(Setting::DEFAULT, &strategies);
}

#[test]
fn in_berlin() {
    let setting = Setting {
        zone: BERLIN,
        ..Setting::DEFAULT
    };
    lives(
        setting,
        &["hardlink", "copy"].map(|strategy| (strategy, Engine::Helper)),
    );
}

#[test]
fn in_new_york_for_the_owner_alone() {
    let setting = Setting {
        zone: NEW_YORK,
        umask: 0o077,
        has_unzip: true,
    };
    lives(
        setting,
        &["auto", "copy"].map(|strategy| (strategy, Engine::Helper)),
    );
}

#[test]
fn without_unzip() {
    let setting = Setting {
        has_unzip: false,
        ..Setting::DEFAULT
    };
    lives(
        setting,
        &["auto", "copy"].map(|strategy| (strategy, Engine::Helper)),
    );
}

#[test]
fn without_unzip_in_berlin_for_the_group() {
    let setting = Setting {
        zone: BERLIN,
        umask: 0o002,
        has_unzip: false,
    };
    lives(
        setting,
        &["hardlink", "copy"].map(|strategy| (strategy, Engine::Helper)),
    );
}

/// Two runs of Composer have equal snapshots, so a snapshot contains no chance differences.
#[test]
fn two_runs_of_composer_are_equal() {
    let Some((scene, files)) = bare() else { return };
    let bare_path = path_with(&scene, &[]);
    let states = [
        all_forms(&files, "1.0.0", FIRST),
        all_forms(&files, "1.1.0", SECOND),
    ];
    for has_unzip in [true, false] {
        let setting = Setting {
            zone: BERLIN,
            has_unzip,
            ..Setting::DEFAULT
        };
        let go = || {
            life(&scene, [&states[0], &states[1]], |args| {
                scene.outcome(&setting.apply(scene.call(Side::Serial, args), &bare_path))
            })
        };
        let once = go();
        std::thread::sleep(Duration::from_millis(1_100));
        for ((step, one), (_, other)) in once.iter().zip(&go()) {
            same_tree(&format!("{step}, unzip: {has_unzip}"), one, other);
        }
    }
}

/// Returns an NTFS field: three times in units of 100 ns since 1601.
fn ntfs(seconds: u32) -> Vec<u8> {
    let time = (u64::from(seconds) + 11_644_473_600) * 10_000_000;
    let mut body = vec![0, 0, 0, 0, 1, 0, 24, 0];
    for _ in 0..3 {
        body.extend_from_slice(&time.to_le_bytes());
    }
    extra([0x0a, 0], &body)
}

/// Returns the first Unix field: access time, modification time, and in a local header user and
/// group.
fn old_unix(seconds: u32, owner: &[u8]) -> Vec<u8> {
    let times = [(seconds - DAY).to_le_bytes(), seconds.to_le_bytes()].concat();
    extra(*b"UX", &[&times[..], owner].concat())
}

/// Returns DOS times that stand for no moment, for two moments, or for an unlikely one.
fn odd_dos_times() -> Vec<(&'static str, Stamp)> {
    [
        ("gap-berlin", dos_words(2021, 3, 28, [2, 30, 0])),
        ("gap-berlin-start", dos_words(2021, 3, 28, [2, 0, 0])),
        ("gap-berlin-end", dos_words(2021, 3, 28, [3, 0, 0])),
        ("overlap-berlin", dos_words(2021, 10, 31, [2, 30, 0])),
        ("overlap-berlin-start", dos_words(2021, 10, 31, [2, 0, 0])),
        ("overlap-berlin-end", dos_words(2021, 10, 31, [3, 0, 0])),
        ("gap-new-york", dos_words(2021, 3, 14, [2, 30, 0])),
        ("overlap-new-york", dos_words(2021, 11, 7, [1, 30, 0])),
        ("berlin-without-summer", dos_words(1980, 1, 1, [0, 0, 0])),
        ("winter", dos_words(2021, 1, 15, [12, 0, 2])),
        ("summer", dos_words(2021, 7, 15, [12, 0, 2])),
        ("nothing", 0),
        ("no-date", dos_words(1980, 0, 0, [12, 0, 0])),
        ("no-month", dos_words(2020, 0, 10, [1, 2, 4])),
        ("no-day", dos_words(2020, 5, 0, [1, 2, 4])),
        ("month-13", dos_words(2020, 13, 10, [1, 2, 4])),
        ("month-15", dos_words(2020, 15, 31, [1, 2, 4])),
        ("february-30", dos_words(2021, 2, 30, [1, 2, 4])),
        ("february-29", dos_words(2020, 2, 29, [23, 59, 58])),
        ("hour-24", dos_words(2020, 5, 6, [24, 0, 0])),
        ("hour-31", dos_words(2020, 12, 31, [31, 63, 62])),
        ("second-60", dos_words(2020, 5, 6, [23, 59, 60])),
        ("year-2037", dos_words(2037, 7, 1, [12, 0, 0])),
        ("year-2038", dos_words(2038, 7, 1, [12, 0, 0])),
        ("year-2099", dos_words(2099, 7, 1, [12, 0, 0])),
        ("year-2106", dos_words(2106, 2, 8, [0, 0, 0])),
        ("year-2107", dos_words(2107, 12, 31, [23, 59, 58])),
    ]
    .map(|(name, words)| (name, Stamp::words(words)))
    .into()
}

/// Returns extra fields with times as other programs write them, and malformed ones.
fn odd_fields() -> Vec<(&'static str, Stamp)> {
    let at = FIRST;
    let both = |field: Vec<u8>| (field.clone(), field);
    let joined = |fields: &[Vec<u8>]| both(fields.concat());
    let negative = |seconds: i32| u32::from_le_bytes(seconds.to_le_bytes());
    let one = ut(1, &[at]);
    [
        ("ut-zero", both(ut(1, &[0]))),
        ("ut-one", both(ut(1, &[1]))),
        ("ut-minus-one", both(ut(1, &[negative(-1)]))),
        ("ut-1969", both(ut(1, &[negative(-86_400)]))),
        ("ut-1901", both(ut(1, &[negative(i32::MIN)]))),
        ("ut-2038", both(ut(1, &[0x7fff_ffff]))),
        ("ut-beyond-2038", both(ut(1, &[0x8000_0010]))),
        ("ut-2090", both(ut(1, &[3_800_000_000]))),
        ("ut-odd-second", both(ut(1, &[at + 1]))),
        ("ut-nothing", both(ut(0, &[]))),
        ("ut-no-flag", both(ut(0, &[at]))),
        ("ut-access-only", (ut(2, &[at]), ut(2, &[]))),
        ("ut-access-too", (ut(3, &[at, at + DAY]), ut(3, &[at]))),
        (
            "ut-all",
            (ut(7, &[at, at + DAY, at + 2 * DAY]), ut(7, &[at])),
        ),
        ("ut-creation-only", both(ut(4, &[at]))),
        ("ut-promises-more", both(ut(7, &[at]))),
        ("ut-in-central-only", (Vec::new(), one.clone())),
        ("ut-in-local-only", (one.clone(), Vec::new())),
        ("ut-two-views", (one.clone(), ut(1, &[at + DAY]))),
        ("ut-cut-off", both(extra(*b"UT", &[1, 2, 3]))),
        ("ut-empty", both(extra(*b"UT", &[]))),
        ("ut-flag-in-central-only", (ut(0, &[]), one.clone())),
        ("ut-twice", joined(&[one.clone(), ut(1, &[at + DAY])])),
        ("ntfs", both(ntfs(at))),
        ("ntfs-then-ut", joined(&[ntfs(at + DAY), one.clone()])),
        ("ut-then-ntfs", joined(&[one.clone(), ntfs(at + DAY)])),
        ("ux", (old_unix(at, &[1, 0, 2, 0]), old_unix(at, &[]))),
        ("ux-times-only", both(old_unix(at, &[]))),
        ("ux-in-local-only", (old_unix(at, &[]), Vec::new())),
        ("ux-in-central-only", (Vec::new(), old_unix(at, &[]))),
        (
            "ux-then-ut",
            joined(&[old_unix(at + DAY, &[1, 0, 2, 0]), one.clone()]),
        ),
        (
            "ut-nothing-then-ux",
            joined(&[ut(0, &[]), old_unix(at, &[1, 0, 2, 0])]),
        ),
        ("owner", (extra(*b"Ux", &[1, 0, 2, 0]), extra(*b"Ux", &[]))),
        (
            "owner-and-ut",
            joined(&[one, extra(*b"ux", &[1, 4, 1, 0, 0, 0, 4, 2, 0, 0, 0])]),
        ),
    ]
    .map(|(name, (local, central))| {
        let stamp = Stamp::dos(SECOND).with_extra(local, central);
        (name, stamp)
    })
    .into()
}

/// Checks each of these times on a file and on a folder, in a package of its own, with `unzip` and
/// without, in three zones.
fn odd_times(stamps: &[(&'static str, Stamp)]) {
    let Some((scene, files)) = bare() else { return };
    if need(&["unzip"]).is_none() {
        return;
    }
    let bare_path = path_with(&scene, &[]);
    let packages: Vec<Value> = stamps
        .iter()
        .map(|(name, stamp)| {
            let entries = vec![file("folder/a.txt", name), file("b.sh", "echo\n")];
            let body = archive_with(Format::Zip, true, entries, Times::all(stamp.clone()));
            let zip = (Format::Zip, &body[..]);
            release(&files, &format!("times/{name}"), "1.0.0", zip, json!({}))
        })
        .collect();
    let manifest = manifest(&packages, json!({}));
    for zone in [None, BERLIN, NEW_YORK] {
        for has_unzip in [true, false] {
            let setting = Setting {
                zone,
                has_unzip,
                ..Setting::DEFAULT
            };
            let go = |side, strategy: &str| {
                write(&scene, &manifest);
                let call = scene.call(side, &["install"]);
                let call = call.env("ALLEGRO_LINK_STRATEGY", strategy);
                scene.outcome(&setting.apply(call, &bare_path))
            };
            let mut plain = go(Side::Serial, "auto");
            assert_eq!(plain.run.exit, 0, "{setting:?}: {}", plain.run.stderr);
            // A clock shows some times twice. The C library chooses one of both moments by the
            // process's earlier requests. ZipArchive runs in Composer's own process, so its results
            // differ from run to run.
            let is_chance = |path: &str| !has_unzip && path.starts_with("vendor/times/overlap");
            let certain = |outcome: &mut Outcome| {
                outcome.tree.nodes.retain(|path, _| !is_chance(path));
            };
            certain(&mut plain);
            for strategy in ["hardlink", "copy"] {
                let mut ours = go(Side::Allegro, strategy);
                certain(&mut ours);
                same_tree(&format!("{setting:?}, {strategy}"), &plain, &ours);
            }
        }
    }
}

#[test]
fn odd_dos_times_in_three_zones() {
    odd_times(&odd_dos_times());
}

#[test]
fn odd_fields_in_three_zones() {
    odd_times(&odd_fields());
}

/// Returns two releases of a package with many templates, of which the second release changes every
/// other one.
fn templates(files: &Files) -> [Value; 2] {
    [("1.0.0", FIRST), ("1.1.0", SECOND)].map(|(version, at)| {
        let entries = (0..40)
            .map(|number| {
                let text = if number % 2 == 0 { version } else { "kept" };
                file(
                    &format!("views/page-{number:02}.tpl"),
                    &format!("page {number}: {text}\n"),
                )
            })
            .collect();
        let body = archive_with(Format::Zip, true, entries, Times::git(at));
        let zip = (Format::Zip, &body[..]);
        let views = release(files, "times/views", version, zip, json!({}));
        manifest(&[views], json!({}))
    })
}

/// Renders each template as engines do that compile a template again if it is newer than its
/// compiled form. The compiled files are dated between both releases.
const ENGINE: &str = r"<?php
[$project, $compiledAt] = [$argv[1], (int) $argv[2]];
@mkdir($project.'/cache');
foreach (glob($project.'/vendor/times/views/views/*.tpl') as $source) {
    $compiled = $project.'/cache/'.basename($source).'.php';
    if (!is_file($compiled) || filemtime($source) > filemtime($compiled)) {
        file_put_contents($compiled, strtoupper(file_get_contents($source)));
        touch($compiled, $compiledAt);
    }
    readfile($compiled);
}
";

/// After an update, a cache of compiled templates shows the new release, as after Composer's
/// update.
#[test]
fn a_template_cache_sees_an_update() {
    let Some((scene, files)) = bare() else { return };
    if need(&["unzip"]).is_none() {
        return;
    }
    let [first, second] = templates(&files);
    let engine = scene.scratch();
    fs::write(&engine, ENGINE).expect("the engine");
    let render = || {
        let output = Command::new(php())
            .arg(&engine)
            .arg(scene.project())
            .arg((FIRST + DAY).to_string())
            .output()
            .expect("php");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let go = |side| {
        write(&scene, &first);
        let _ = scene.run(side, &["install"]).expect(0);
        let before = render();
        rewrite(&scene, &second);
        let _ = scene.run(side, &["update"]).expect(0);
        (before, render())
    };
    let plain = go(Side::Serial);
    assert_eq!(plain.1.matches(": 1.1.0").count(), 20, "{}", plain.1);
    assert_eq!(plain.1.matches(": KEPT").count(), 20, "{}", plain.1);
    for round in ["cold", "warm"] {
        assert_eq!(go(Side::Allegro), plain, "{round}");
    }
}

/// Returns the exact times of files below a directory.
fn file_times(dir: &Path) -> BTreeMap<PathBuf, (i64, i64)> {
    let mut times = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(at) = dirs.pop() {
        for entry in fs::read_dir(&at).expect("a directory").flatten() {
            let metadata = entry.metadata().expect("facts");
            if metadata.is_dir() {
                dirs.push(entry.path());
            } else {
                let path = entry.path();
                let below = path.strip_prefix(dir).expect("below").to_owned();
                times.insert(below, (metadata.mtime(), metadata.mtime_nsec()));
            }
        }
    }
    times
}

/// After an update, `rsync -au`, `cp -au` and their like transfer the same files as with Composer:
/// those newer than the deployed ones.
#[test]
fn a_deployment_sees_what_is_newer() {
    let Some((scene, files)) = bare() else { return };
    if need(&["unzip"]).is_none() {
        return;
    }
    let [first, second] = templates(&files);
    let go = |side| -> (BTreeSet<PathBuf>, usize) {
        write(&scene, &first);
        let _ = scene.run(side, &["install"]).expect(0);
        let package = scene.project().join("vendor/times/views");
        let deployed = file_times(&package);
        rewrite(&scene, &second);
        let _ = scene.run(side, &["update"]).expect(0);
        let now = file_times(&package);
        let newer = now.iter().filter(|(path, time)| **time > deployed[*path]);
        (newer.map(|(path, _)| path.clone()).collect(), now.len())
    };
    let plain = go(Side::Serial);
    assert_eq!((plain.0.len(), plain.1), (40, 40));
    for round in ["cold", "warm"] {
        assert_eq!(go(Side::Allegro), plain, "{round}");
    }
}

/// Two servers with the same install make the same tar of it.
#[test]
fn a_tar_of_two_installs_is_the_same() {
    let Some((scene, files)) = bare() else { return };
    if need(&["unzip"]).is_none() || need(&["tar"]).is_none() {
        return;
    }
    // These forms have folders with times of their own, and files that are no links.
    let packages: Vec<Value> = forms("1.0.0", FIRST)
        .into_iter()
        .filter(|(name, ..)| ["git", "dos", "each"].contains(name))
        .map(|(name, top, entries, times)| {
            let body = archive_with(Format::Zip, top, entries, times);
            let zip = (Format::Zip, &body[..]);
            release(&files, &format!("times/{name}"), "1.0.0", zip, json!({}))
        })
        .collect();
    let manifest = manifest(&packages, json!({}));
    let tar = |side, strategy: &str| {
        write(&scene, &manifest);
        let call = scene.call(side, &["install"]);
        let _ = call.env("ALLEGRO_LINK_STRATEGY", strategy).run().expect(0);
        let output = Command::new("tar")
            .args([
                "--sort=name",
                "--numeric-owner",
                "--hard-dereference",
                "-cf",
                "-",
                "-C",
            ])
            .arg(scene.project().join("vendor/times"))
            .args(["git", "dos", "each"])
            .output()
            .expect("tar");
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let plain = tar(Side::Serial, "auto");
    std::thread::sleep(Duration::from_millis(1_100));
    assert!(plain == tar(Side::Serial, "auto"), "Composer, twice");
    for strategy in ["auto", "hardlink", "copy"] {
        for round in ["first", "second"] {
            let ours = tar(Side::Allegro, strategy);
            assert!(plain == ours, "{strategy}, {round}: the tars differ");
        }
    }
}

/// The watch finds a command that writes through a link: see `support::watched`.
#[test]
fn a_change_of_the_second_project_is_found() {
    let edits = [
        "chmod 600 vendor/times/git/README.md",
        "touch -d @1500000000 vendor/times/git/README.md",
        "echo more >> vendor/times/git/README.md",
    ];
    for edit in edits {
        let Some((scene, files)) = bare() else { return };
        let (_, top, entries, times) = forms("1.0.0", FIRST).swap_remove(0);
        let body = archive_with(Format::Zip, top, entries, times);
        let zip = (Format::Zip, &body[..]);
        let package = release(&files, "times/git", "1.0.0", zip, json!({}));
        write(
            &scene,
            &manifest(&[package], json!({ "scripts": { "edit": edit } })),
        );
        let call = scene.call(Side::Allegro, &["install"]);
        let _ = call
            .env("ALLEGRO_LINK_STRATEGY", "hardlink")
            .run()
            .expect(0);
        let readme = scene.project().join("vendor/times/git/README.md");
        if fs::metadata(readme).expect("a file").nlink() < 2 {
            // The file system has no hard links.
            return;
        }
        let go = std::panic::AssertUnwindSafe(|| scene.run(Side::Allegro, &["run-script", "edit"]));
        let found = std::panic::catch_unwind(go).expect_err(edit);
        let text = found.downcast_ref::<String>().expect("a message");
        assert!(text.contains("`composer run-script edit`"), "{text}");
        assert!(text.contains("README.md"), "{text}");
    }
}
