//! Checks that each package gets its own content, whatever its URL has in common with another
//! one's. Records of the store that are mixed up don't change that.

use std::fs;
use std::path::PathBuf;

use allegro_registry::{FileSpec, Format};
use serde_json::{Value, json};

use crate::support::files::{
    Files, agree, archive, bare, manifest, package, rewrite, sound, write,
};
use crate::support::owner::{files as files_below, quiet};
use crate::support::packages::file;
use crate::support::{
    Engine, Outcome, Scene, Side, Snapshot, diff, extension, same_tree, verify_store,
};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Returns a zip whose files differ from those of each other zip.
fn zip(word: &str) -> Vec<u8> {
    let class = format!("<?php namespace E2e; class {word} {{}}\n");
    archive(
        Format::Zip,
        true,
        vec![
            file(&format!("src/{word}.php"), &class),
            file("src/Same.php", &format!("<?php // {word}\n")),
            file("word.txt", word),
        ],
    )
}

/// Returns a package without a checksum for the content of its URL.
fn unsigned(name: &str, url: &str, reference: &str) -> Value {
    let more = json!({ "dist": { "reference": reference }, "autoload": { "classmap": ["src/"] } });
    package(name, "zip", url, more)
}

fn word(scene: &Scene, name: &str) -> String {
    let path = scene.project().join("vendor").join(name).join("word.txt");
    fs::read_to_string(path).expect("a word")
}

fn engines() -> Vec<Engine> {
    let extension = extension().map(|_| Engine::Extension);
    [Engine::Helper].into_iter().chain(extension).collect()
}

/// URLs that differ only in parts that are not shown to people.
const REDACTED: [(&str, &str, &str); 5] = [
    ("get?key=aaa&v=1.0.0", "get?key=bbb&v=1.0.0", "1.0.0"),
    ("v1.0.0/get?code=aaa", "v1.0.0/get?code=bbb", "v1.0.0"),
    (
        "get?access_token=aaa&ref=0123456789abcdef0123456789abcdef01234567",
        "get?access_token=bbb&ref=0123456789abcdef0123456789abcdef01234567",
        COMMIT,
    ),
    (
        "mirror?url=https%3A%2F%2Fa.example%2F0123456789abcdef0123456789abcdef01234567.zip",
        "mirror?url=https%3A%2F%2Fb.example%2F0123456789abcdef0123456789abcdef01234567.zip",
        COMMIT,
    ),
    (
        "0123456789abcdef0123456789abcdef01234567.zip?sig=aaa#one",
        "0123456789abcdef0123456789abcdef01234567.zip?sig=bbb#two",
        COMMIT,
    ),
];

/// Returns the manifests of two projects with the same packages by different URLs, and one of all
/// packages.
fn redacted(files: &Files) -> [Value; 3] {
    let mut sides = [Vec::new(), Vec::new()];
    let mut all = Vec::new();
    for (at, (one, other, reference)) in REDACTED.into_iter().enumerate() {
        for (side, (path, word)) in [(one, "One"), (other, "Other")].into_iter().enumerate() {
            let asked = format!("{at}/{}", path.split('#').next().unwrap_or(path));
            let word = format!("{word}{at}");
            files.put(&asked, &zip(&word));
            let url = files.url(&format!("{at}/{path}"));
            sides[side].push(unsigned(&format!("v/p{at}"), &url, reference));
            let name = format!("v/{}", word.to_lowercase());
            all.push(unsigned(&name, &url, reference));
        }
    }
    let [one, other] = sides;
    [one, other, all].map(|packages| manifest(&packages, json!({})))
}

#[track_caller]
fn has_words(scene: &Scene, names: &str, words: &str, what: &str) {
    for (at, redacted) in REDACTED.iter().enumerate() {
        let found = word(scene, &format!("v/{names}{at}"));
        assert_eq!(found, format!("{words}{at}"), "{what}: {redacted:?}");
    }
}

/// One lock may have URLs that differ only in a redacted part, at each install from the store.
#[test]
fn dists_that_differ_in_a_redacted_part() {
    let Some((scene, files)) = bare() else { return };
    let [.., manifest] = redacted(&files);
    for engine in engines() {
        agree(&scene, &format!("{engine:?}"), |scene, side| {
            write(scene, &manifest);
            let mut played = Vec::new();
            for round in 0..2 {
                let _ = fs::remove_dir_all(scene.project().join("vendor"));
                let call = scene.call(side, &["install", "-o"]).engine(engine);
                let outcome = scene.outcome(&call);
                assert_eq!(outcome.run.exit, 0, "{}", outcome.run.stderr);
                let what = format!("{engine:?}, {side:?}, round {round}");
                has_words(scene, "one", "One", &what);
                has_words(scene, "other", "Other", &what);
                played.push((format!("round {round}"), outcome));
            }
            played
        });
    }
}

/// Two projects may have the same packages, each with its own licence key in the URLs.
#[test]
fn projects_whose_urls_differ_in_a_redacted_part() {
    let Some((scene, files)) = bare() else { return };
    let manifests = redacted(&files);
    for engine in engines() {
        agree(&scene, &format!("{engine:?}"), |scene, side| {
            let mut played = Vec::new();
            let mut go = |at: usize, args: &[&str]| {
                let outcome = scene.outcome(&scene.call(side, args).engine(engine));
                assert_eq!(outcome.run.exit, 0, "{}", outcome.run.stderr);
                let what = format!("{engine:?}, {side:?}, {args:?}");
                has_words(scene, "p", ["One", "Other"][at], &what);
                played.push((format!("{at}, {}", args.join(" ")), outcome));
            };
            for at in [0, 1, 0] {
                write(scene, &manifests[at]);
                go(at, &["install", "-o"]);
            }
            // A project changes from one manifest to the other. Composer sees no difference until
            // all packages are installed anew.
            rewrite(scene, &manifests[1]);
            go(0, &["update"]);
            go(0, &["reinstall", "v/*"]);
            fs::remove_dir_all(scene.project().join("vendor")).expect("removed");
            go(1, &["install"]);
            played
        });
    }
}

/// A branch, a tag or a number in the URL fixes no content. Where Composer would ask the server, an
/// install gets the server's current content.
#[test]
fn references_that_move() {
    let Some((scene, files)) = bare() else { return };
    let moving = [
        ("e2e/branch", "heads/master.zip", "master"),
        ("e2e/tag", "tags/v1.0.zip", "v1.0"),
        ("e2e/digit", "1/get.zip", "1"),
        ("e2e/date", "20240101/get.zip", "20240101"),
        ("e2e/short", "get.zip?ref=abcdef1", "abcdef1"),
        ("e2e/elsewhere", "latest.zip", COMMIT),
    ];
    let packages = moving.map(|(name, path, reference)| {
        let mut package = unsigned(name, &files.url(path), reference);
        package["autoload"] = json!({});
        package
    });
    let manifest = manifest(&packages, json!({}));
    let set = |word: &str| {
        for (_, path, _) in moving {
            files.put(path, &zip(word));
        }
    };
    for engine in engines() {
        agree(&scene, "moving references", |scene, side| {
            set("Before");
            write(scene, &manifest);
            let mut played = Vec::new();
            let mut install = |step: &str, expected: &str| {
                let _ = fs::remove_dir_all(scene.project().join("vendor"));
                let call = scene.call(side, &["install"]).engine(engine);
                let outcome = scene.outcome(&call);
                assert_eq!(outcome.run.exit, 0, "{}", outcome.run.stderr);
                for (name, ..) in moving {
                    assert_eq!(word(scene, name), expected, "{name}, {step}, {side:?}");
                }
                played.push((step.to_owned(), outcome));
            };
            install("first", "Before");
            set("Behind");
            install("from Composer's cache", "Before");
            let clear = || scene.call(side, &["clear-cache"]).engine(engine).run();
            let _ = clear().expect(0);
            install("after clear-cache", "Behind");
            install("again", "Behind");
            set("Before");
            scene.forget_cache(side);
            install("back", "Before");
            played
        });
    }
}

/// Returns the records of a kind in the store.
fn records(scene: &Scene, kind: &str) -> Vec<PathBuf> {
    let bucket = scene.bucket(kind).expect("a bucket");
    let names = files_below(&bucket).into_keys();
    names.map(|name| bucket.join(name)).collect()
}

/// The ways to mix up records.
#[derive(Debug, Clone, Copy)]
enum Mix {
    /// Each record gets the next one's place.
    Rotate,
    /// One record gets every place.
    Copy,
}

fn mix(records: &[PathBuf], how: Mix) {
    assert!(records.len() > 1, "{records:?}");
    let contents: Vec<Vec<u8>> = records
        .iter()
        .map(|path| fs::read(path).expect("a record"))
        .collect();
    for (at, path) in records.iter().enumerate() {
        let content = match how {
            Mix::Rotate => &contents[(at + 1) % contents.len()],
            Mix::Copy => &contents[0],
        };
        fs::write(path, content).expect("a record");
    }
}

/// Returns a package with several classes and files, whose records a test can mix up.
fn library(files: &Files, name: &str, word: &str) -> Value {
    let content: Vec<FileSpec> = (0..6)
        .map(|at| {
            let class = format!("<?php namespace E2e\\{word}; class C{at} {{}}\n");
            file(&format!("src/C{at}.php"), &class)
        })
        .chain([file("word.txt", word)])
        .collect();
    let url = files.put(
        &format!("{word}/{COMMIT}.zip"),
        &archive(Format::Zip, true, content),
    );
    let mut package = unsigned(name, &url, COMMIT);
    package["autoload"] = json!({ "psr-4": { format!("E2e\\{word}\\"): "src/" } });
    package
}

fn libraries(files: &Files) -> Vec<Value> {
    ["One", "Two", "Three", "Four"]
        .map(|word| library(files, &format!("e2e/{}", word.to_lowercase()), word))
        .into()
}

/// Manifests in each other's place give no package another one's files, and verify finds them.
#[test]
fn manifests_in_each_others_place() {
    let Some((scene, files)) = bare() else { return };
    let manifest = manifest(&libraries(&files), json!({}));
    let go = |side, engine| {
        write(&scene, &manifest);
        scene.outcome(&scene.call(side, &["install", "-o"]).engine(engine))
    };
    let plain = go(Side::Serial, Engine::Helper);
    assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
    for engine in engines() {
        scene.forget_store();
        same_tree("cold", &plain, &go(Side::Allegro, engine));
        for how in [Mix::Rotate, Mix::Copy] {
            for has_archives in [true, false] {
                let what = format!("{how:?}, {engine:?}, archives: {has_archives}");
                let found = records(&scene, "manifests");
                mix(&found, how);
                if !has_archives {
                    scene.forget_cache(Side::Allegro);
                }
                let ours = go(Side::Allegro, engine);
                same_tree(&what, &plain, &ours);
                quiet(&ours.run);
                same_tree(&what, &plain, &go(Side::Allegro, engine));
                sound(&scene, &what);

                mix(&found, how);
                let verified = verify_store(&scene);
                assert!(!verified.status.success(), "{what}");
                let said = [verified.stdout, verified.stderr].concat();
                let said = String::from_utf8_lossy(&said).into_owned();
                let misplaced = match how {
                    Mix::Rotate => &found[..],
                    Mix::Copy => &found[1..],
                };
                for path in misplaced {
                    let name = path.file_name().expect("a name").to_string_lossy();
                    assert!(said.contains(&*name), "{what}: {name} in {said}");
                }
                same_tree(&what, &plain, &go(Side::Allegro, engine));
                sound(&scene, &what);
            }
        }
    }
}

/// Lists of classes and records of dumps in each other's place give no project another one's
/// autoloader.
#[test]
fn records_of_autoloaders_in_each_others_place() {
    let Some((scene, files)) = bare() else { return };
    let libraries = libraries(&files);
    let manifests: Vec<Value> = (0..3)
        .map(|at| manifest(&libraries[at..=at + 1], json!({})))
        .collect();
    let projects: Vec<PathBuf> = (0..manifests.len())
        .map(|at| scene.dir().join(format!("p{at}")))
        .collect();
    let dump = |side: Side, engine: Engine, args: &[&str]| -> Vec<Snapshot> {
        let run = |dir: &PathBuf| {
            let run = scene
                .call(side, args)
                .dir(dir)
                .engine(engine)
                .run()
                .expect(0);
            quiet(&run);
            Snapshot::of(dir)
        };
        projects.iter().map(run).collect()
    };
    let fill = |side: Side, engine: Engine| -> Vec<Snapshot> {
        for (manifest, dir) in manifests.iter().zip(&projects) {
            write(&scene, manifest);
            let _ = fs::remove_dir_all(dir);
            fs::rename(scene.project(), dir).expect("moved");
        }
        dump(side, engine, &["install", "-o"])
    };
    let plain = fill(Side::Serial, Engine::Helper);
    let equal = |what: &str, ours: Vec<Snapshot>| {
        for (plain, ours) in plain.iter().zip(&ours) {
            assert_eq!(diff(plain, ours), "", "{what}");
        }
    };
    for engine in engines() {
        scene.forget_store();
        equal("cold", fill(Side::Allegro, engine));
        // Records are made only from files that were seen at rest.
        equal(
            "again",
            dump(Side::Allegro, engine, &["dump-autoload", "-o"]),
        );
        for kind in ["classes", "autoload"] {
            for how in [Mix::Rotate, Mix::Copy] {
                let what = format!("{kind}, {how:?}, {engine:?}");
                mix(&records(&scene, kind), how);
                equal(&what, dump(Side::Allegro, engine, &["dump-autoload", "-o"]));
                mix(&records(&scene, kind), how);
                equal(&what, fill(Side::Allegro, engine));
            }
        }
        // A walk is recorded only if no directory has changed within the last moment.
        equal(
            "at the end",
            dump(Side::Allegro, engine, &["dump-autoload", "-o"]),
        );
        sound(&scene, "at the end");
    }
}

/// Outlines of metadata files in each other's place give no package another one's versions.
#[test]
fn outlines_of_metadata_in_each_others_place() {
    let Some((scene, files)) = bare() else { return };
    let libraries = libraries(&files);
    // The store has a record for each repository. Both repositories have all names, but not the
    // same versions.
    for (minors, path) in [(1..3, "a/"), (4..8, "b/")] {
        let root = json!({ "packages": [], "metadata-url": format!("/{path}p2/%package%.json") });
        files.put(&format!("{path}packages.json"), root.to_string().as_bytes());
        for package in &libraries {
            let name = package["name"].as_str().expect("a name");
            let versions: Vec<Value> = minors
                .clone()
                .map(|minor| {
                    let mut package = package.clone();
                    package["version"] = json!(format!("1.{minor}.0"));
                    package
                })
                .collect();
            let body = json!({ "packages": { name: versions } });
            files.put(
                &format!("{path}p2/{name}.json"),
                body.to_string().as_bytes(),
            );
            let none = json!({ "packages": { name: [] } });
            files.put(
                &format!("{path}p2/{name}~dev.json"),
                none.to_string().as_bytes(),
            );
        }
    }
    let mut manifest = manifest(&libraries, json!({}));
    manifest["repositories"] = json!([
        { "type": "composer", "url": files.url("a/"), "only": ["e2e/one", "e2e/two"] },
        { "type": "composer", "url": files.url("b/") },
        { "packagist.org": false },
    ]);
    let go = |side, engine| -> Vec<Outcome> {
        write(&scene, &manifest);
        let resolve = match side {
            Side::Allegro => &["resolve"][..],
            _ => &["update", "--no-install"],
        };
        let go = |args: &[&str]| scene.outcome(&scene.call(side, args).engine(engine));
        vec![go(resolve), go(&["install"])]
    };
    let plain = go(Side::Serial, Engine::Helper);
    let equal = |what: &str, ours: Vec<Outcome>| {
        for (plain, ours) in plain.iter().zip(&ours) {
            assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
            same_tree(what, plain, ours);
            quiet(&ours.run);
        }
    };
    for engine in engines() {
        scene.forget_store();
        scene.forget_cache(Side::Allegro);
        equal("cold", go(Side::Allegro, engine));
        equal("warm", go(Side::Allegro, engine));
        for how in [Mix::Rotate, Mix::Copy] {
            let what = format!("{how:?}, {engine:?}");
            mix(&records(&scene, "metadata"), how);
            equal(&what, go(Side::Allegro, engine));
            equal(&what, go(Side::Allegro, engine));
        }
    }
}
