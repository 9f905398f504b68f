//! Checks that a user's own files share no inode with the store or with another project. These are
//! all files outside of vendor-dir, whatever packages or settings ask for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use allegro_registry::{FileSpec, Format, Json};
use serde_json::{Value, json};

use crate::support::files::{
    Files, archive, bare, manifest, merge, package, rewrite, sound, write,
};
use crate::support::owner::{Way, quiet, shared};
use crate::support::packages::file;
use crate::support::{Outcome, Scene, Side, Snapshot, diff, same_tree};

/// Returns the files of a library, with a manifest.
fn content(name: &str, version: &str) -> Vec<FileSpec> {
    let manifest = format!(r#"{{"name": "{name}", "version": "{version}"}}"#);
    let code = format!("<?php // {name} {version}\n");
    vec![
        file("composer.json", &manifest),
        file("src/A.php", &code),
        file("src/same.txt", "the same in each version\n"),
    ]
}

/// Returns a package whose content is fixed by a commit in its URL.
fn release(files: &Files, name: &str, version: &str, content: Vec<FileSpec>, more: Value) -> Value {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let path = format!("{name}-{version}-{commit}.zip");
    let url = files.put(&path, &archive(Format::Zip, true, content));
    let mut package = package(name, "zip", &url, json!({ "version": version }));
    merge(&mut package, more);
    package
}

fn library(files: &Files, name: &str, version: &str) -> Value {
    release(files, name, version, content(name, version), json!({}))
}

/// Returns the plugin that installs packages of type `e2e-placed` at the place in their
/// `extra.place`.
fn installer(files: &Files) -> Value {
    let code = vec![
        file(
            "src/Plugin.php",
            include_str!("fixtures/installer-plugin.php"),
        ),
        file("src/Installer.php", include_str!("fixtures/installer.php")),
    ];
    let more = json!({
        "type": "composer-plugin",
        "require": { "composer-plugin-api": "^2.0" },
        "autoload": { "classmap": ["src/"] },
        "extra": { "class": "Places\\Plugin" },
    });
    release(files, "a-place/installer", "1.0.0", code, more)
}

fn placed(files: &Files, name: &str, version: &str, place: &str) -> Value {
    let more = json!({
        "type": "e2e-placed",
        "require": { "a-place/installer": "*" },
        "extra": { "place": place },
    });
    release(files, name, version, content(name, version), more)
}

/// Returns the files with several links, without those below the path.
fn shared_outside(dir: &Path, except: &str) -> Vec<String> {
    let mut found = shared(dir);
    found.retain(|path| !Path::new(path).starts_with(except));
    found
}

/// Writes to the end of a file in place, as an editor or an admin panel does.
fn edit(path: PathBuf) {
    let mut text = fs::read(&path).expect("a file");
    text.extend_from_slice(b"\nedited in place\n");
    fs::write(path, text).expect("edited");
}

#[track_caller]
fn is_equal(what: &str, left: &Snapshot, right: &Snapshot) {
    assert_eq!(diff(left, right), "", "{what}");
}

/// Panics unless a run with `-vv` says that the package gets files of its own, and why.
#[track_caller]
fn told(stderr: &str, package: &str, reason: &str) {
    let line = format!("Allegro: {package} gets files of its own: it is {reason}");
    assert!(stderr.contains(&line), "{line}, in: {stderr}");
}

fn empty(scene: &Scene) {
    let _ = fs::remove_dir_all(scene.project());
    fs::create_dir_all(scene.project()).expect("the project");
}

/// In two projects that are made with `create-project`, a command or an edit in one reaches neither
/// the other nor the store.
#[test]
fn projects_made_of_one_skeleton_have_files_of_their_own() {
    let Some((scene, files)) = bare() else { return };
    let packages = ["e2e/one", "e2e/two"].map(|name| library(&files, name, "1.0.0"));
    let mut root = manifest(
        &packages,
        // Even this setting of the project doesn't make its own files shared.
        json!({ "name": "e2e/skeleton", "type": "project", "extra": { "allegro": { "link": ["*"] } } }),
    );
    root["require"] = json!({ "e2e/one": "*" });
    let text = serde_json::to_string_pretty(&root).expect("JSON");
    let skeleton = release(
        &files,
        "e2e/skeleton",
        "1.0.0",
        vec![
            file("composer.json", &text),
            file(".env.example", "APP_ENV=local\n"),
            file("routes/web.php", "<?php // routes\n"),
            file("public/index.php", "<?php // index\n"),
        ],
        json!({ "type": "project" }),
    );
    let repository = format!("--repository={{\"type\": \"package\", \"package\": {skeleton}}}");
    let create = |side, way: Way, name: &str| {
        let args = [
            "create-project",
            "-vv",
            "--no-secure-http",
            &repository,
            "e2e/skeleton",
            name,
        ];
        let _ = fs::remove_dir_all(scene.dir().join(name));
        let run = way
            .call(&scene, side, &args)
            .dir(scene.dir())
            .run()
            .expect(0);
        (run, Snapshot::of(&scene.dir().join(name)))
    };
    let require = |side, way: Way| {
        let args = ["require", "e2e/two:*"];
        scene.outcome(&way.call(&scene, side, &args))
    };
    for way in Way::all() {
        let what = format!("{way:?}");
        scene.forget_all();
        let (_, made) = create(Side::Serial, way, "project");
        let required = require(Side::Serial, way);

        let (created, first) = create(Side::Allegro, way, "project");
        is_equal(&what, &made, &first);
        let (run, second) = create(Side::Allegro, way, "second");
        is_equal(&what, &made, &second);
        quiet(&run);
        let other = scene.dir().join("second");
        for project in [&scene.project(), &other] {
            assert_eq!(shared_outside(project, "vendor"), [""; 0], "{what}");
            let is_linked = !shared(&project.join("vendor/e2e/one")).is_empty();
            assert!(is_linked || !way.links(), "{what}");
        }
        told(&created.stderr, "e2e/skeleton", "the project itself");
        same_tree(&what, &required, &require(Side::Allegro, way));
        is_equal(&what, &made, &Snapshot::of(&other));
        for path in [".env.example", "composer.json", "routes/web.php"] {
            edit(scene.project().join(path));
        }
        is_equal(&what, &made, &Snapshot::of(&other));
        sound(&scene, &what);
        let (run, third) = create(Side::Allegro, way, "third");
        is_equal(&what, &made, &third);
        quiet(&run);
    }
}

/// Returns a manifest whose packages differ in their places, and in the project's settings for
/// them.
fn places(files: &Files, version: &str) -> Value {
    manifest(
        &[
            installer(files),
            library(files, "e2e/inside", version),
            library(files, "e2e/kept", version),
            placed(files, "e2e/near", version, "modules/near"),
            placed(files, "e2e/slash", version, "modules/slash/"),
            placed(files, "e2e/linked", version, "modules/linked"),
            placed(files, "e2e/both", version, "modules/both"),
            placed(files, "e2e/below", version, "vendor/placed/below"),
        ],
        json!({ "extra": { "allegro": {
            "link": ["e2e/linked", "e2e/both", "e2e/kept"],
            "copy": ["e2e/both", "e2e/kept"],
        } } }),
    )
}

/// Packages that installers put outside of vendor-dir have files of their own, unless the project
/// says otherwise.
#[test]
fn only_what_lies_below_vendor_is_shared() {
    let Some((scene, files)) = bare() else { return };
    let [older, newer] = ["1.0.0", "1.1.0"].map(|version| places(&files, version));
    let beside = scene.dir().join("beside");
    let life = |side, way: Way| -> Vec<Outcome> {
        let go = |args: &[&str]| scene.outcome(&way.call(&scene, side, args));
        write(&scene, &older);
        let mut played = vec![go(&["install", "-vv"])];
        edit(scene.project().join("modules/near/src/A.php"));
        played.push(go(&["reinstall", "e2e/near"]));
        rewrite(&scene, &newer);
        played.push(go(&["update", "-vv"]));
        played
    };
    for way in Way::all() {
        scene.forget_all();
        let plain = life(Side::Serial, way);
        // The other project is installed first, so that the store has each file.
        write(&scene, &older);
        let _ = way
            .call(&scene, Side::Allegro, &["install"])
            .run()
            .expect(0);
        let _ = fs::remove_dir_all(&beside);
        fs::rename(scene.project(), &beside).expect("moved away");
        let ours = life(Side::Allegro, way);
        for (at, (plain, ours)) in plain.iter().zip(&ours).enumerate() {
            let what = format!("{way:?}, step {at}");
            assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
            same_tree(&what, plain, ours);
            quiet(&ours.run);
        }
        for said in [&ours[0].run.stderr, &ours[2].run.stderr] {
            told(said, "e2e/near", "installed outside of vendor-dir");
            told(said, "e2e/both", "named in extra.allegro.copy");
            assert!(!said.contains("e2e/linked gets files"), "{said}");
            assert!(!said.contains("e2e/inside gets files"), "{said}");
        }
        told(&ours[0].run.stderr, "a-place/installer", "a plugin");
        for project in [&scene.project(), &beside] {
            let found = shared(project);
            let all: Vec<&str> = found.iter().map(String::as_str).collect();
            let may = ["vendor/e2e/inside", "vendor/placed/below", "modules/linked"];
            for path in &all {
                let allowed = may.iter().any(|dir| Path::new(path).starts_with(dir));
                assert!(allowed, "{way:?}: {path} of {}", project.display());
            }
            for dir in may.iter().filter(|_| way.links()) {
                assert!(
                    all.iter().any(|path| path.starts_with(dir)),
                    "{dir}: {all:?}"
                );
            }
        }
        // Edits of files that may be edited reach no other project, and no output reports damage.
        let before = Snapshot::of(&beside);
        for path in ["near", "both", "slash"] {
            edit(
                scene
                    .project()
                    .join("modules")
                    .join(path)
                    .join("src/same.txt"),
            );
        }
        edit(scene.project().join("vendor/e2e/kept/src/same.txt"));
        is_equal("beside", &before, &Snapshot::of(&beside));
        sound(&scene, "after edits");
        write(&scene, &newer);
        let again = scene.outcome(&way.call(&scene, Side::Allegro, &["install"]));
        quiet(&again.run);
        is_equal(
            "again",
            &plain[2].tree.below("modules"),
            &again.tree.below("modules"),
        );
    }
    let run = scene
        .run(Side::Allegro, &["allegro:doctor", "--json"])
        .expect(0);
    let facts = allegro_registry::parse_json(&run.stdout, "the doctor's JSON").expect("JSON");
    let groups = facts.get("own_files").expect("own files").to_file_text();
    let groups: Value = serde_json::from_str(&groups).expect("JSON");
    let of = |reason: &str| -> Vec<String> {
        let groups = groups.as_array().expect("groups").iter();
        let found = groups
            .filter(|group| {
                group["reason"]
                    .as_str()
                    .unwrap_or_default()
                    .contains(reason)
            })
            .flat_map(|group| group["packages"].as_array().expect("names"));
        found
            .map(|name| name.as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(
        of("outside of vendor-dir"),
        ["e2e/near", "e2e/slash"],
        "{groups}"
    );
    assert_eq!(
        of("extra.allegro.copy"),
        ["e2e/both", "e2e/kept"],
        "{groups}"
    );
    assert_eq!(of("a plugin"), ["a-place/installer"], "{groups}");
    let run = scene.run(Side::Allegro, &["allegro:doctor"]).expect(0);
    let line = "e2e/near, e2e/slash: installed outside of vendor-dir";
    assert!(run.stdout.contains(line), "{}", run.stdout);
}

/// If vendor-dir is the project, or contains it, all files are the user's own.
#[test]
fn nothing_is_shared_in_a_vendor_dir_that_holds_the_project() {
    let Some((scene, files)) = bare() else { return };
    let inner = scene.project().join("inner");
    let base = |version: &str| {
        manifest(
            &[
                library(&files, "e2e/one", version),
                library(&files, "other/two", version),
            ],
            json!({}),
        )
    };
    let absolute = scene.project().display().to_string();
    let way = Way::all()[1];
    for vendor in [".", "..", &absolute] {
        let life = |side| -> Vec<Outcome> {
            empty(&scene);
            fs::create_dir(&inner).expect("a directory");
            let mut played = Vec::new();
            for (version, args) in [
                ("1.0.0", &["install", "-vv"][..]),
                ("1.0.0", &["reinstall", "*/*"]),
                ("1.1.0", &["update", "-vv"]),
            ] {
                let mut manifest = base(version);
                manifest["config"]["vendor-dir"] = json!(vendor);
                let text = serde_json::to_string_pretty(&manifest).expect("JSON");
                fs::write(inner.join("composer.json"), text).expect("the manifest");
                let call = way.call(&scene, side, args).dir(&inner);
                played.push(scene.outcome(&call));
            }
            played
        };
        scene.forget_all();
        let plain = life(Side::Serial);
        let ours = life(Side::Allegro);
        for (plain, ours) in plain.iter().zip(&ours) {
            assert_eq!(plain.run.exit, 0, "{vendor}: {}", plain.run.stderr);
            same_tree(vendor, plain, ours);
            quiet(&ours.run);
        }
        assert_eq!(shared(&scene.project()), [""; 0], "{vendor}");
        for outcome in [&ours[0], &ours[2]] {
            let reason = "in a vendor-dir that contains the project";
            told(&outcome.run.stderr, "e2e/one", reason);
        }
    }
}

/// If links are on the way to a package, their target decides.
#[test]
fn links_on_the_way_to_a_package() {
    let Some((scene, files)) = bare() else { return };
    let inner = scene.project().join("inner");
    let manifest = manifest(
        &[
            installer(&files),
            library(&files, "e2e/inside", "1.0.0"),
            library(&files, "away/led", "1.0.0"),
            placed(&files, "e2e/back", "1.0.0", "into-vendor/back"),
            placed(&files, "e2e/near", "1.0.0", "modules/near"),
        ],
        json!({}),
    );
    let way = Way::all()[1];
    // The target of `vendor`, that of `vendor/away`, and whether files below `vendor` are shared.
    for (target, away, is_shared) in [
        ("../deep/vendor", "../../outside", true),
        ("..", "outside", false),
    ] {
        let life = |side| -> Vec<Outcome> {
            empty(&scene);
            for dir in ["inner", "deep/vendor", "outside"] {
                fs::create_dir_all(scene.project().join(dir)).expect("a directory");
            }
            symlink(target, inner.join("vendor")).expect("a link");
            symlink(away, inner.join("vendor/away")).expect("a link");
            symlink("vendor", inner.join("into-vendor")).expect("a link");
            let text = serde_json::to_string_pretty(&manifest).expect("JSON");
            fs::write(inner.join("composer.json"), text).expect("the manifest");
            let go = |args: &[&str]| scene.outcome(&way.call(&scene, side, args).dir(&inner));
            // Composer takes a link for an empty directory when it removes the last package behind
            // it, so that package stays.
            vec![go(&["install", "-vv"]), go(&["reinstall", "e2e/*"])]
        };
        scene.forget_all();
        let plain = life(Side::Serial);
        let ours = life(Side::Allegro);
        for (plain, ours) in plain.iter().zip(&ours) {
            assert_eq!(plain.run.exit, 0, "{target}: {}", plain.run.stderr);
            same_tree(target, plain, ours);
            quiet(&ours.run);
        }
        let found = shared(&scene.project());
        let all: Vec<&str> = found.iter().map(String::as_str).collect();
        if is_shared {
            let may = ["deep/vendor/e2e/inside", "deep/vendor/back"];
            for path in &all {
                let allowed = may.iter().any(|dir| Path::new(path).starts_with(dir));
                assert!(allowed, "{path}");
            }
            for dir in may {
                assert!(
                    all.iter().any(|path| path.starts_with(dir)),
                    "{dir}: {all:?}"
                );
            }
            told(
                &ours[0].run.stderr,
                "away/led",
                "installed outside of vendor-dir",
            );
        } else {
            assert_eq!(all, [""; 0]);
        }
    }
}

/// With a call from another directory, mirrors of path repositories and metapackages, none of the
/// user's files are shared. Files below vendor-dir still are.
#[test]
fn other_directories_mirrors_and_metapackages() {
    let Some((scene, files)) = bare() else { return };
    let beside = scene.dir().join("beside");
    fs::create_dir_all(beside.join("src")).expect("a directory");
    let text = r#"{"name": "e2e/mirrored", "version": "1.0.0"}"#;
    fs::write(beside.join("composer.json"), text).expect("a file");
    // The store has a file with this content too.
    fs::write(beside.join("src/same.txt"), "the same in each version\n").expect("a file");
    let meta = json!({
        "name": "e2e/meta", "version": "1.0.0", "type": "metapackage", "require": { "e2e/one": "*" },
    });
    let mut manifest = manifest(
        &[
            installer(&files),
            library(&files, "e2e/one", "1.0.0"),
            placed(&files, "e2e/near", "1.0.0", "modules/near"),
            meta,
        ],
        json!({ "require": { "e2e/mirrored": "*" } }),
    );
    let repositories = manifest["repositories"]
        .as_array_mut()
        .expect("repositories");
    repositories.insert(
        0,
        json!({ "type": "path", "url": "../beside", "options": { "symlink": false } }),
    );
    let elsewhere = scene.dir().join("elsewhere");
    fs::create_dir(&elsewhere).expect("a directory");
    let before = Snapshot::of(&beside);
    for way in Way::all() {
        let life = |side| -> Vec<Outcome> {
            write(&scene, &manifest);
            let project = scene.project().display().to_string();
            let go = |args: &[&str]| {
                let args = [args, &["-vv", "--working-dir", &project]].concat();
                scene.outcome(&way.call(&scene, side, &args).dir(&elsewhere))
            };
            vec![go(&["install"]), go(&["reinstall", "e2e/*"])]
        };
        scene.forget_all();
        let plain = life(Side::Serial);
        for _ in ["cold", "warm"] {
            let ours = life(Side::Allegro);
            for (plain, ours) in plain.iter().zip(&ours) {
                assert_eq!(plain.run.exit, 0, "{way:?}: {}", plain.run.stderr);
                same_tree(&format!("{way:?}"), plain, ours);
            }
            let found = shared_outside(&scene.project(), "vendor/e2e/one");
            assert_eq!(found, [""; 0], "{way:?}");
            assert!(!way.links() || !shared(&scene.project()).is_empty());
            assert_eq!(shared(&beside), [""; 0], "{way:?}");
            is_equal("the path repository", &before, &Snapshot::of(&beside));
            for outcome in &ours {
                let reason = "installed outside of vendor-dir";
                told(&outcome.run.stderr, "e2e/near", reason);
            }
        }
    }
}

/// A package that an update moves out of vendor-dir gets files of its own, and shares them again
/// when it comes back.
#[test]
fn a_package_that_leaves_vendor() {
    let Some((scene, files)) = bare() else { return };
    let states: Vec<Value> = [
        ("1.0.0", "vendor/placed/moving"),
        ("1.1.0", "modules/moving"),
        ("1.2.0", "vendor/placed/moving"),
        // For the same version at another place, Composer leaves the package where it is until it
        // is installed again.
        ("1.2.0", "modules/moving"),
    ]
    .into_iter()
    .map(|(version, place)| {
        manifest(
            &[
                installer(&files),
                placed(&files, "e2e/moving", version, place),
            ],
            json!({}),
        )
    })
    .collect();
    let way = Way::all()[1];
    let life = |side| -> Vec<(Outcome, Vec<String>)> {
        empty(&scene);
        let mut played = Vec::new();
        for state in &states {
            rewrite(&scene, state);
            let outcome = scene.outcome(&way.call(&scene, side, &["update", "-vv"]));
            played.push((outcome, shared(&scene.project())));
        }
        let outcome = scene.outcome(&way.call(&scene, side, &["reinstall", "e2e/moving"]));
        played.push((outcome, shared(&scene.project())));
        played
    };
    scene.forget_all();
    let plain = life(Side::Serial);
    let ours = life(Side::Allegro);
    for (at, ((plain, _), (ours, found))) in plain.iter().zip(&ours).enumerate() {
        assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
        same_tree(&format!("step {at}"), plain, ours);
        let outside: Vec<&String> = found
            .iter()
            .filter(|path| !path.starts_with("vendor/placed/moving/"))
            .collect();
        assert!(outside.is_empty(), "step {at}: {outside:?}");
    }
    assert!(
        !ours[0].1.is_empty() && !ours[2].1.is_empty(),
        "{:?}",
        ours[2].1
    );
    assert!(ours[1].1.is_empty(), "{:?}", ours[1].1);
}
