//! Checks that installed files have plain Composer's owner, group, mode, ACL and time. That holds
//! whichever user filled the store, and whatever happened to the files of another project.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use allegro_registry::{FileSpec, Format, Mode, Times};
use serde_json::{Value, json};

use crate::support::files::{
    Files, archive, archive_with, bare, manifest, merge, package, rewrite, sound, write,
};
use crate::support::mount::{FileSystem, Mount};
use crate::support::owner::{
    DEVELOPER, ROOT, User, WWW, Way, copied_because, files as files_below, for_all_users, quiet,
    set_mode, shared, tool,
};
use crate::support::packages::{file, file_with, link};
use crate::support::{Call, Outcome, Run, Scene, Side, Snapshot, diff, same_tree};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Returns a package with a program, whose content is fixed by a commit in its URL.
fn release(files: &Files, name: &str, version: &str, more: Value) -> Value {
    let word = name.rsplit('/').next().expect("a name");
    let class = format!("<?php namespace E2e; class {word} {{ const V = '{version}'; }}\n");
    let content = vec![
        file(&format!("src/{word}.php"), &class),
        file("src/same.txt", "the same in each version\n"),
        file(
            &format!("bin/{word}"),
            "#!/usr/bin/env php\n<?php echo 'tool';\n",
        ),
        file_with("run.sh", "#!/bin/sh\n", Mode::Executable),
        file_with("group.txt", "for the group\n", Mode::Bits(0o664)),
        file("deep/er/file.txt", &format!("{name} {version}\n")),
    ];
    let more_files = json!({ "version": version, "bin": [format!("bin/{word}")], "autoload": { "classmap": ["src/"] } });
    let mut package = with_content(files, name, version, content, more_files);
    merge(&mut package, more);
    package
}

fn with_content(
    files: &Files,
    name: &str,
    version: &str,
    content: Vec<FileSpec>,
    more: Value,
) -> Value {
    let url = files.put(
        &format!("{name}-{version}-{COMMIT}.zip"),
        &archive(Format::Zip, true, content),
    );
    let mut package = package(name, "zip", &url, json!({ "version": version }));
    merge(&mut package, more);
    package
}

fn project(files: &Files, version: &str) -> Value {
    let one = release(files, "e2e/one", version, json!({}));
    let two = release(files, "e2e/two", version, json!({}));
    manifest(&[one, two], json!({}))
}

/// Writes the project anew, as the user's own.
fn write_as(scene: &Scene, manifest: &Value, user: User) {
    write(scene, manifest);
    user.take(&scene.project());
}

/// Makes another directory with the same manifest.
fn beside(scene: &Scene, name: &str, manifest: &Value, user: User) -> PathBuf {
    let dir = scene.dir().join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir(&dir).expect("a directory");
    let text = serde_json::to_string_pretty(manifest).expect("JSON");
    fs::write(dir.join("composer.json"), text).expect("the manifest");
    user.take(&dir);
    dir
}

#[track_caller]
fn is_equal(what: &str, plain: &Snapshot, ours: &Snapshot, run: &Run) {
    assert_eq!(run.exit, 0, "{what}: {}", run.stderr);
    let differences = diff(plain, ours);
    assert_eq!(
        differences, "",
        "{what}: Composer | with Allegro\n{}",
        run.stderr
    );
}

/// Checks that each reason has at most one line, and that none is about damage.
#[track_caller]
fn calm(run: &Run) {
    brief(run);
    quiet(run);
}

/// Checks that each reason has at most one line, however many files or packages it concerns.
#[track_caller]
fn brief(run: &Run) {
    let ours = run.ours();
    for word in [
        "copied",
        "denied",
        "quarantine",
        "can't be written",
        "can't be removed",
    ] {
        let told = ours.iter().filter(|line| line.contains(word)).count();
        assert!(told <= 1, "{word}: {ours:#?}");
    }
}

/// Checks that a project has no directories and files that an install must not leave.
#[track_caller]
fn no_rubbish(project: &Path) {
    for entry in fs::read_dir(project.join("vendor/composer"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_rubbish = name.contains(".allegro") || name.starts_with("tmp-");
        assert!(!is_rubbish, "{name} stays in vendor/composer");
    }
}

/// Returns a call of Composer on either side by one user.
fn call<'a>(scene: &'a Scene, side: Side, way: Way, user: User, args: &[&str]) -> Call<'a> {
    way.call(scene, side, args).user(user)
}

/// A project that was given to the web server's user keeps its files to itself. Another project's
/// files are root's, with the content of the archive. That holds even after an edit that left no
/// trace in size and time.
#[test]
fn a_project_that_was_given_away() {
    let Some((scene, files)) = bare() else { return };
    if for_all_users(&scene).is_none() {
        return;
    }
    let manifest = project(&files, "1.0.0");
    for way in Way::all() {
        for is_edited in [false, true] {
            let what = format!("{way:?}, edited: {is_edited}");
            scene.forget_all();
            let install = |side, dir: &Path| {
                way.call(&scene, side, &["install", "-o"])
                    .dir(dir)
                    .run()
                    .expect(0)
            };
            write(&scene, &manifest);
            let _ = install(Side::Serial, &scene.project());
            let plain = scene.snapshot();
            write(&scene, &manifest);
            let _ = install(Side::Allegro, &scene.project());
            WWW.take(&scene.project());
            if is_edited {
                let path = scene.project().join("vendor/e2e/one/src/one.php");
                let line = "touch -r \"$1\" /tmp/allegro-e2e-time.$$ && sed s/1.0.0/9.9.9/ \"$1\" > /tmp/allegro-e2e-text.$$ \
                    && cat /tmp/allegro-e2e-text.$$ > \"$1\" && touch -r /tmp/allegro-e2e-time.$$ \"$1\" \
                    && rm /tmp/allegro-e2e-time.$$ /tmp/allegro-e2e-text.$$";
                WWW.shell(line, &path);
            }
            let given = scene.snapshot();
            for name in ["second", "third"] {
                let dir = beside(&scene, name, &manifest, ROOT);
                let run = install(Side::Allegro, &dir);
                is_equal(
                    &format!("{what}, {name}"),
                    &plain,
                    &Snapshot::of(&dir),
                    &run,
                );
                assert!(run.ours().len() <= 2, "{what}: {:?}", run.ours());
                if way.links() && name == "third" {
                    assert!(
                        !shared(&dir).is_empty(),
                        "{what}: renewed files are shared again"
                    );
                }
            }
            assert_eq!(
                diff(&given, &scene.snapshot()),
                "",
                "{what}: the project itself"
            );
            // The owner continues to use the project.
            let run = way
                .call(&scene, Side::Allegro, &["reinstall", "e2e/*"])
                .user(WWW)
                .run();
            assert_eq!(run.exit, 0, "{what}: {}", run.stderr);
            for (path, facts) in files_below(&scene.project().join("vendor/e2e")) {
                assert_eq!((facts.uid(), facts.gid()), (33, 33), "{what}: {path}");
            }
        }
    }
}

/// A store that one user filled serves another one, and each installed file is the running user's.
#[test]
fn a_store_that_another_user_filled() {
    let Some((scene, files)) = bare() else { return };
    if for_all_users(&scene).is_none() {
        return;
    }
    let [older, newer] = ["1.0.0", "1.1.0"].map(|version| project(&files, version));
    for (filler, user) in [(DEVELOPER, ROOT), (ROOT, DEVELOPER), (DEVELOPER, WWW)] {
        for (way, umask) in Way::all().into_iter().zip([0o022, 0o077, 0o002]) {
            // Allegro ends with a message if links are requested by name and the system refuses
            // them.
            if way.links() && user != ROOT || user == WWW && way.strategy != "auto" {
                continue;
            }
            let what = format!("{filler:?} for {user:?}, {umask:03o}, {way:?}");
            scene.forget_store();
            filler.make_dir(&scene.store());
            let dir = beside(&scene, "filler", &older, filler);
            let fill = call(&scene, Side::Allegro, way, filler, &["install"]).dir(&dir);
            let _ = fill.umask(0o022).run().expect(0);
            let before = Snapshot::of(&dir);

            let life = |side| -> Vec<Outcome> {
                write_as(&scene, &older, user);
                let go = |args: &[&str]| {
                    let call = call(&scene, side, way, user, args);
                    scene.outcome(&call.umask(umask))
                };
                let first = go(&["install", "-o"]);
                rewrite(&scene, &newer);
                vec![first, go(&["update"]), go(&["remove", "e2e/two"])]
            };
            let plain = life(Side::Serial);
            let ours = life(Side::Allegro);
            for (plain, ours) in plain.iter().zip(&ours) {
                assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
                same_tree(&what, plain, ours);
                calm(&ours.run);
            }
            no_rubbish(&scene.project());
            assert_eq!(
                diff(&before, &Snapshot::of(&dir)),
                "",
                "{what}: the filler's project"
            );
        }
    }
}

/// The properties that a project's directory gives to new files below it.
struct Ground {
    mode: u32,
    umask: u32,
    /// Arguments of `setfacl`.
    acl: &'static [&'static str],
    /// The reason that the line about copies gives; `None` if nothing is copied.
    reason: Option<&'static str>,
}

/// Checks projects in such a directory, by each way, with a store that a project in an ordinary
/// directory has filled.
fn directories(ground: &Ground) {
    let Some((scene, files)) = bare() else { return };
    if for_all_users(&scene).is_none() {
        return;
    }
    let [older, newer] = ["1.0.0", "1.1.0"].map(|version| {
        let mut manifest = project(&files, version);
        // Folders without entries get their mode from the directory alone.
        let content = vec![
            file("src/deep/flat.txt", version),
            file("flat.txt", version),
        ];
        let times = Times::git(1_425_535_628).without_folders();
        let bytes = archive_with(Format::Zip, true, content, times);
        let url = files.put(&format!("flat-{version}-{COMMIT}.zip"), &bytes);
        let known = manifest["repositories"][0]["package"].as_array_mut();
        known.expect("packages").push(package(
            "e2e/flat",
            "zip",
            &url,
            json!({ "version": version }),
        ));
        merge(&mut manifest, json!({ "require": { "e2e/flat": "*" } }));
        manifest
    });
    for way in Way::all() {
        let life = |side| -> Option<Vec<Outcome>> {
            write(&scene, &older);
            chown(scene.project(), Some(0), Some(33)).expect("chown");
            set_mode(&scene.project(), ground.mode);
            if !ground.acl.is_empty() {
                tool("setfacl", ground.acl, &scene.project())?;
            }
            let go =
                |args: &[&str]| scene.outcome(&way.call(&scene, side, args).umask(ground.umask));
            let first = go(&["install", "-o"]);
            rewrite(&scene, &newer);
            Some(vec![first, go(&["update"]), go(&["reinstall", "e2e/one"])])
        };
        scene.forget_all();
        let dir = beside(&scene, "filler", &older, ROOT);
        let fill = way.call(&scene, Side::Allegro, &["install"]).dir(&dir);
        let _ = fill.umask(ground.umask).run().expect(0);
        let before = Snapshot::of(&dir);
        let Some(plain) = life(Side::Serial) else {
            return;
        };
        for round in ["first", "again"] {
            let ours = life(Side::Allegro).expect("as before");
            for (plain, ours) in plain.iter().zip(&ours) {
                assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
                same_tree(&format!("{way:?}, {round}"), plain, ours);
                calm(&ours.run);
            }
            // With `auto` the line depends on the file system.
            if way.strategy != "auto" {
                let is_told = way.links() && round == "first" && ground.reason.is_some();
                let reason = ground.reason.unwrap_or_default();
                copied_because(&ours[0].run, reason, usize::from(is_told));
            }
            // The line appears once for each project.
            copied_because(&ours[2].run, "", 0);
        }
        assert_eq!(
            diff(&before, &Snapshot::of(&dir)),
            "",
            "{way:?}: the filler's project"
        );
    }
}

/// A deployment's directory with the set-group-ID bit gives new files the web server's group.
#[test]
fn directories_that_give_their_files_a_group() {
    directories(&Ground {
        mode: 0o2750,
        umask: 0o027,
        acl: &[],
        reason: Some("another group"),
    });
}

/// A directory's default ACL takes the place of the umask.
#[test]
fn directories_that_give_their_files_an_acl() {
    directories(&Ground {
        mode: 0o755,
        umask: 0o022,
        acl: &["-d", "-m", "u:1234:rwx,g::r-x"],
        reason: Some("ACLs"),
    });
}

/// A directory may have both a group and an ACL, and give nothing to others.
#[test]
fn directories_that_give_their_files_a_group_and_an_acl() {
    directories(&Ground {
        mode: 0o2750,
        umask: 0o027,
        acl: &["-R", "-m", "d:u:1234:rwx,d:g::rwx,d:o::---"],
        reason: Some("ACLs"),
    });
}

/// A default ACL with no more than a mode gives new files modes alone.
#[test]
fn directories_that_give_their_files_a_mode() {
    directories(&Ground {
        mode: 0o755,
        umask: 0o022,
        acl: &["-d", "-m", "u::rwx,g::rwx,o::---"],
        reason: None,
    });
}

/// A store may have directories that give blobs a group or an ACL. Projects get plain Composer's
/// result, and share the inodes where that is the same.
#[test]
fn stores_that_give_their_blobs_a_group_or_an_acl() {
    let Some((scene, files)) = bare() else { return };
    if for_all_users(&scene).is_none() {
        return;
    }
    let manifest = project(&files, "1.0.0");
    let go = |side, way: Way, mode| {
        write(&scene, &manifest);
        chown(scene.project(), Some(0), Some(33)).expect("chown");
        set_mode(&scene.project(), mode);
        let outcome = scene.outcome(&way.call(&scene, side, &["install", "-o"]));
        let links = shared(&scene.project().join("vendor/e2e")).len();
        (outcome, links)
    };
    for way in Way::all() {
        for has_acl in [false, true] {
            scene.forget_all();
            fs::create_dir(scene.store()).expect("the store");
            if has_acl {
                let acl = ["-d", "-m", "u:1234:rwx"];
                if tool("setfacl", &acl, &scene.store()).is_none() {
                    return;
                }
            } else {
                chown(scene.store(), Some(0), Some(33)).expect("chown");
                set_mode(&scene.store(), 0o2755);
            }
            for mode in [0o755, 0o2755] {
                let what = format!("{way:?}, store with an ACL: {has_acl}, project {mode:04o}");
                let (plain, _) = go(Side::Serial, way, mode);
                assert_eq!(plain.run.exit, 0, "{what}: {}", plain.run.stderr);
                for round in ["cold", "warm"] {
                    let (ours, links) = go(Side::Allegro, way, mode);
                    same_tree(&format!("{what}, {round}"), &plain, &ours);
                    calm(&ours.run);
                    let is_same = !has_acl && mode == 0o2755;
                    assert!(
                        !way.links() || (links > 0) == is_same,
                        "{what}: {links} links"
                    );
                }
            }
        }
    }
}

/// Checks that changes to the files of one project stay there. The next projects are as plain
/// Composer makes them.
fn stays_there(things: &[(&str, &[&str])]) {
    let Some((scene, files)) = bare() else { return };
    if for_all_users(&scene).is_none() {
        return;
    }
    let manifest = project(&files, "1.0.0");
    let install = |side, way: Way, dir: &Path| {
        let call = way.call(&scene, side, &["install", "-o"]);
        call.dir(dir).run().expect(0)
    };
    write(&scene, &manifest);
    let _ = install(Side::Serial, Way::all()[0], &scene.project());
    let plain = scene.snapshot();
    for way in Way::all() {
        for (program, args) in things {
            let what = format!("{way:?}, {program}");
            write(&scene, &manifest);
            let _ = install(Side::Allegro, way, &scene.project());
            let dir = scene.project().join("vendor/e2e");
            let done: Option<Vec<()>> = files_below(&dir)
                .into_keys()
                .map(|path| tool(program, args, &dir.join(path)))
                .collect();
            if done.is_none() {
                continue;
            }
            let given = scene.snapshot();
            let dir = beside(&scene, "second", &manifest, ROOT);
            let run = install(Side::Allegro, way, &dir);
            is_equal(&what, &plain, &Snapshot::of(&dir), &run);
            brief(&run);
            assert_eq!(
                diff(&given, &scene.snapshot()),
                "",
                "{what}: the project itself"
            );
        }
    }
}

#[test]
fn an_acl_a_group_a_mode_or_a_time_of_one_project_stays_there() {
    stays_there(&[
        ("setfacl", &["-m", "u:1234:rwx"]),
        ("chgrp", &["33"]),
        ("chmod", &["g+w"]),
        ("touch", &["-d", "2011-12-13"]),
    ]);
}

#[test]
fn an_attribute_of_one_project_stays_there() {
    let line = "import os, sys; os.setxattr(sys.argv[1], 'user.e2e', b'value')";
    stays_there(&[("python3", &["-c", line])]);
}

/// Root works in the checkout of another user. Files that Composer overwrites keep owner, group,
/// mode and ACL.
#[test]
fn root_in_the_checkout_of_another_user() {
    let Some((scene, files)) = bare() else { return };
    if for_all_users(&scene).is_none() {
        return;
    }
    let three = release(&files, "e2e/three", "1.0.0", json!({}));
    let mut manifest = project(&files, "1.0.0");
    let known = manifest["repositories"][0]["package"].as_array_mut();
    known.expect("packages").push(three);
    for way in Way::all().drain(..2) {
        let life = |side| -> Option<Vec<(String, Outcome)>> {
            write_as(&scene, &manifest, DEVELOPER);
            let mut played = Vec::new();
            let mut go = |user: User, args: &[&str]| {
                let outcome = scene.outcome(&call(&scene, side, way, user, args));
                played.push((format!("{user:?}: {}", args.join(" ")), outcome));
            };
            go(DEVELOPER, &["install"]);
            let composer = scene.project().join("vendor/composer");
            // The files are one for another user, a read-only one, one that everybody may write,
            // and one of another group.
            tool(
                "setfacl",
                &["-m", "u:33:rw-"],
                &composer.join("autoload_classmap.php"),
            )?;
            tool(
                "setfacl",
                &["-m", "u:33:rw-"],
                &scene.project().join("composer.lock"),
            )?;
            set_mode(&composer.join("autoload_static.php"), 0o444);
            set_mode(&composer.join("installed.json"), 0o666);
            set_mode(&scene.project().join("composer.json"), 0o664);
            chown(composer.join("installed.php"), None, Some(33)).expect("chown");
            chown(scene.project().join("composer.json"), None, Some(33)).expect("chown");
            go(ROOT, &["dump-autoload", "-o"]);
            go(ROOT, &["install"]);
            go(ROOT, &["require", "e2e/three:*"]);
            go(ROOT, &["dump-autoload", "-o"]);
            set_mode(&composer.join("autoload_static.php"), 0o644);
            go(DEVELOPER, &["dump-autoload"]);
            go(DEVELOPER, &["dump-autoload", "-o"]);
            Some(played)
        };
        scene.forget_all();
        scene.forget_store();
        DEVELOPER.make_dir(&scene.store());
        let Some(plain) = life(Side::Serial) else {
            return;
        };
        let Some(ours) = life(Side::Allegro) else {
            return;
        };
        for ((step, plain), (_, ours)) in plain.iter().zip(&ours) {
            assert_eq!(plain.run.exit, 0, "{step}: {}", plain.run.stderr);
            same_tree(&format!("{way:?}, {step}"), plain, ours);
            calm(&ours.run);
        }
        no_rubbish(&scene.project());
        // The owner continues without Allegro.
        let run = call(
            &scene,
            Side::Plain,
            way,
            DEVELOPER,
            &["dump-autoload", "-o"],
        )
        .run();
        assert_eq!(run.exit, 0, "{way:?}: {}", run.stderr);
    }
}

/// In a checkout that its user may not write everywhere, the same commands fail and work as with
/// Composer.
#[test]
fn a_user_in_the_checkout_of_root() {
    let Some((scene, files)) = bare() else { return };
    if for_all_users(&scene).is_none() {
        return;
    }
    let manifest = project(&files, "1.0.0");
    for way in Way::all() {
        if way.links() {
            continue;
        }
        let life = |side| -> Vec<Outcome> {
            write(&scene, &manifest);
            let _ = scene.call(Side::Serial, &["install"]).run().expect(0);
            let composer = scene.project().join("vendor/composer");
            let go = |args: &[&str]| scene.outcome(&call(&scene, side, way, DEVELOPER, args));
            let mut played = vec![go(&["dump-autoload", "-o"])];
            // First the files may be written and the directory may not. Then it is the other way
            // round.
            for (path, _) in files_below(&scene.project()) {
                set_mode(&scene.project().join(path), 0o666);
            }
            played.push(go(&["dump-autoload", "-o"]));
            set_mode(&composer, 0o777);
            for (path, _) in files_below(&composer) {
                set_mode(&composer.join(path), 0o644);
            }
            played.push(go(&["dump-autoload"]));
            played
        };
        scene.forget_store();
        DEVELOPER.make_dir(&scene.store());
        let plain = life(Side::Serial);
        let ours = life(Side::Allegro);
        for (at, (plain, ours)) in plain.iter().zip(&ours).enumerate() {
            same_tree(&format!("{way:?}, step {at}"), plain, ours);
        }
        assert_eq!(plain[1].run.exit, 0, "{}", plain[1].run.stderr);
    }
}

/// One user fills a store for everybody, of which a part is then hidden from the next user.
/// Composer installs the packages that need the hidden part. Each reason has one line, and every
/// line is true.
fn hidden(umask: u32, hide: impl Fn(&Scene)) {
    let Some((scene, files)) = bare() else { return };
    if for_all_users(&scene).is_none() {
        return;
    }
    let manifest = project(&files, "1.0.0");
    let go = |side, way| {
        write_as(&scene, &manifest, DEVELOPER);
        scene.outcome(&call(&scene, side, way, DEVELOPER, &["install", "-o"]))
    };
    for way in Way::all() {
        // Allegro ends with a message if links are requested by name and the system refuses them.
        if way.links() {
            continue;
        }
        let plain = go(Side::Serial, way);
        assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
        scene.forget_store();
        fs::create_dir(scene.store()).expect("the store");
        // With this bit nobody may remove the files of others.
        set_mode(&scene.store(), 0o1777);
        let dir = beside(&scene, "filler", &manifest, WWW);
        let fill = call(&scene, Side::Allegro, way, WWW, &["install", "-o"]).dir(&dir);
        let _ = fill.umask(umask).run().expect(0);
        hide(&scene);
        for round in ["first", "again"] {
            let ours = go(Side::Allegro, way);
            same_tree(&format!("{way:?}, {round}"), &plain, &ours);
            brief(&ours.run);
            quiet(&ours.run);
            no_rubbish(&scene.project());
        }
    }
}

fn hide_files(scene: &Scene, is_meant: impl Fn(&str) -> bool) {
    for (path, _) in files_below(&scene.store()) {
        if is_meant(&path) {
            set_mode(&scene.store().join(path), 0o000);
        }
    }
}

#[test]
fn a_store_that_was_filled_for_its_user_alone() {
    hidden(0o077, |_| ());
}

/// Checks a store in which everybody may write, and in which one user has kept files for itself
/// alone.
fn for_one_user(hidden: &str) {
    let Some((scene, files)) = bare() else { return };
    if for_all_users(&scene).is_none() {
        return;
    }
    let [older, newer] = ["1.0.0", "1.1.0"].map(|version| project(&files, version));
    let go = |side, way| {
        write_as(&scene, &older, DEVELOPER);
        scene.outcome(&call(&scene, side, way, DEVELOPER, &["install", "-o"]))
    };
    for way in Way::all() {
        // Allegro ends with a message if links are requested by name and the system refuses them.
        if way.links() {
            continue;
        }
        let plain = go(Side::Serial, way);
        scene.forget_store();
        fs::create_dir(scene.store()).expect("the store");
        set_mode(&scene.store(), 0o777);
        let fill = |user, manifest, umask| {
            let dir = beside(&scene, "filler", manifest, user);
            // The other user could not link to the files of root's project.
            let fill = call(&scene, Side::Allegro, way, user, &["install"]).dir(&dir);
            let fill = fill.env("ALLEGRO_LINK_STRATEGY", "copy");
            let _ = fill.umask(umask).run().expect(0);
        };
        let open = |kind: &str, mode: &str| {
            let args = [
                "-c",
                "find \"$1\" -type \"$2\" -exec chmod \"$3\" {} +",
                "sh",
            ];
            let status = Command::new("sh")
                .args(args)
                .arg(scene.store())
                .args([kind, mode])
                .status();
            assert!(status.is_ok_and(|status| status.success()));
        };
        fill(ROOT, &newer, 0o000);
        open("d", "0777");
        fill(WWW, &older, 0o077);
        open("d", "0777");
        if hidden == "blobs" {
            for path in files_below(&scene.bucket("manifests").expect("manifests")).into_keys() {
                let path = scene.bucket("manifests").expect("manifests").join(path);
                set_mode(&path, 0o666);
            }
        }
        for round in ["first", "again"] {
            let ours = go(Side::Allegro, way);
            same_tree(&format!("{way:?}, {round}"), &plain, &ours);
            calm(&ours.run);
            no_rubbish(&scene.project());
        }
    }
}

#[test]
fn manifests_and_blobs_of_one_user_in_a_store_for_all() {
    for_one_user("all");
}

#[test]
fn blobs_of_one_user_in_a_store_for_all() {
    for_one_user("blobs");
}

#[test]
fn blobs_that_cannot_be_read() {
    hidden(0o022, |scene| {
        hide_files(scene, |path| path.starts_with("blobs-v"));
        hide_files(scene, |path| path.starts_with("contents-v"));
    });
}

#[test]
fn manifests_that_cannot_be_read() {
    hidden(0o022, |scene| {
        hide_files(scene, |path| path.starts_with("manifests-v"))
    });
}

#[test]
fn a_lock_that_cannot_be_opened() {
    hidden(0o022, |scene| hide_files(scene, |path| path == "lock"));
}

#[test]
fn a_layout_that_cannot_be_read() {
    hidden(0o022, |scene| hide_files(scene, |path| path == "layout"));
}

#[test]
fn directories_of_the_store_that_cannot_be_entered() {
    hidden(0o022, |scene| {
        for kind in ["blobs", "manifests"] {
            set_mode(&scene.bucket(kind).expect("a bucket"), 0o700);
        }
    });
}

/// Checks a user's store after one run as root. The kernel refuses links to files that the user
/// can't write.
fn after_root(umask: u32) {
    let Some((scene, files)) = bare() else { return };
    if for_all_users(&scene).is_none() {
        return;
    }
    let [older, newer] = ["1.0.0", "1.1.0"].map(|version| project(&files, version));
    for way in Way::all() {
        scene.forget_store();
        DEVELOPER.make_dir(&scene.store());
        let dir = beside(&scene, "of-developer", &older, DEVELOPER);
        let fill = call(&scene, Side::Allegro, way, DEVELOPER, &["install"]).dir(&dir);
        let _ = fill.run().expect(0);
        let dir = beside(&scene, "of-root", &newer, ROOT);
        let fill = way.call(&scene, Side::Allegro, &["install"]).dir(&dir);
        let _ = fill.umask(umask).run().expect(0);

        let life = |side| -> Vec<Outcome> {
            write_as(&scene, &older, DEVELOPER);
            let go = |args: &[&str]| scene.outcome(&call(&scene, side, way, DEVELOPER, args));
            let mut played = vec![go(&["install"])];
            rewrite(&scene, &newer);
            DEVELOPER.take(&scene.project());
            played.push(go(&["update"]));
            for _ in 0..2 {
                fs::remove_dir_all(scene.project().join("vendor")).expect("removed");
                played.push(go(&["install"]));
            }
            played
        };
        let plain = life(Side::Serial);
        let ours = life(Side::Allegro);
        for (at, (plain, ours)) in plain.iter().zip(&ours).enumerate() {
            assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
            same_tree(&format!("{way:?}, step {at}"), plain, ours);
            calm(&ours.run);
        }
        no_rubbish(&scene.project());
    }
}

#[test]
fn a_store_that_root_has_written_to() {
    after_root(0o022);
}

#[test]
fn a_store_that_root_has_written_to_for_itself_alone() {
    after_root(0o077);
}

/// Flags of files below a directory. They end with the test, because nothing could remove the files
/// otherwise.
struct Flagged(PathBuf);

impl Flagged {
    fn set(flag: &str, dir: &Path, path: &str) -> Option<Self> {
        tool("chattr", &[flag], &dir.join(path))?;
        Some(Self(dir.to_owned()))
    }
}

impl Drop for Flagged {
    fn drop(&mut self) {
        for path in files_below(&self.0).into_keys() {
            let _ = tool("chattr", &["-ia"], &self.0.join(path));
        }
    }
}

/// If a file of another project can't be changed, or only be appended to, this project gets a file
/// of its own.
#[test]
fn a_file_of_another_project_with_a_flag() {
    let Some((scene, files)) = bare() else { return };
    if for_all_users(&scene).is_none() {
        return;
    }
    scene.unwatched("links of the second project would have the flag too");
    let [older, newer] = ["1.0.0", "1.1.0"].map(|version| project(&files, version));
    for (flag, way) in ["+i", "+a", "+i"].into_iter().zip(Way::all()) {
        let what = format!("{flag}, {way:?}");
        scene.forget_all();
        let dir = beside(&scene, "flagged", &older, ROOT);
        let fill = way.call(&scene, Side::Allegro, &["install"]).dir(&dir);
        let _ = fill.run().expect(0);
        let Some(_flagged) = Flagged::set(flag, &dir, "vendor/e2e/one/src/same.txt") else {
            return;
        };
        let before = Snapshot::of(&dir);
        let life = |side| -> Vec<Outcome> {
            write(&scene, &older);
            let go = |args: &[&str]| scene.outcome(&way.call(&scene, side, args));
            let mut played = vec![go(&["install"])];
            played.push(go(&["reinstall", "e2e/one"]));
            rewrite(&scene, &newer);
            played.push(go(&["update"]));
            played.push(go(&["remove", "e2e/one"]));
            fs::remove_dir_all(scene.project().join("vendor")).expect("removed");
            played.push(go(&["install"]));
            played
        };
        let plain = life(Side::Serial);
        for round in ["first", "again"] {
            let ours = life(Side::Allegro);
            for (at, (plain, ours)) in plain.iter().zip(&ours).enumerate() {
                assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
                same_tree(&format!("{what}, {round}, step {at}"), plain, ours);
                calm(&ours.run);
            }
        }
        no_rubbish(&scene.project());
        assert_eq!(
            diff(&before, &Snapshot::of(&dir)),
            "",
            "{what}: the flagged project"
        );
    }
}

/// A file that two projects share gets a flag in one of them. Both names have the same inode, so
/// nothing can remove the file from the other project either. The run does the rest of its work,
/// and leaves no obstacle.
#[test]
fn a_shared_file_that_gets_a_flag() {
    let Some((scene, files)) = bare() else { return };
    if for_all_users(&scene).is_none() {
        return;
    }
    scene.unwatched("links of the second project would have the flag too");
    let [older, newer] = ["1.0.0", "1.1.0"].map(|version| project(&files, version));
    let way = Way::all()[1];
    for flag in ["+i", "+a"] {
        for args in [
            &["update"][..],
            &["reinstall", "e2e/one"],
            &["remove", "e2e/one"],
        ] {
            let what = format!("{flag}, {}", args.join(" "));
            scene.forget_all();
            let dir = beside(&scene, "flagged", &older, ROOT);
            let _ = way
                .call(&scene, Side::Allegro, &["install"])
                .dir(&dir)
                .run()
                .expect(0);
            write(&scene, &older);
            let _ = way
                .call(&scene, Side::Allegro, &["install"])
                .run()
                .expect(0);
            let before = Snapshot::of(&dir);
            let Some(_flagged) = Flagged::set(flag, &dir, "vendor/e2e/one/src/same.txt") else {
                return;
            };
            if args[0] == "update" {
                rewrite(&scene, &newer);
            }
            let run = way.call(&scene, Side::Allegro, args).run();
            println!("{what}: {}\n{}", run.exit, run.stderr);
            brief(&run);
            no_rubbish(&scene.project());
            assert_eq!(
                diff(&before, &Snapshot::of(&dir)),
                "",
                "{what}: the flagged project"
            );
            // In a new directory everything works.
            let fresh = beside(&scene, "fresh", &newer, ROOT);
            let run = way
                .call(&scene, Side::Allegro, &["install"])
                .dir(&fresh)
                .run();
            assert_eq!(run.exit, 0, "{what}: {}", run.stderr);
            no_rubbish(&fresh);
        }
    }
}

/// A file may have as many links as ext4 allows. The store then gets a new inode, to which the next
/// projects link.
#[test]
fn a_file_with_as_many_links_as_can_be() {
    const MOST: u32 = 70_000;
    let Some((scene, files)) = bare() else { return };
    let elsewhere = scene.dir().join("elsewhere");
    let Some(_mount) = Mount::of(FileSystem::Ext4, &elsewhere) else {
        return;
    };
    let manifest = project(&files, "1.0.0");
    let go = |side, way: Way, name: &str| {
        let dir = elsewhere.join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).expect("a directory");
        let text = serde_json::to_string_pretty(&manifest).expect("JSON");
        fs::write(dir.join("composer.json"), text).expect("the manifest");
        let call = way.call(&scene, side, &["install"]);
        let run = call
            .dir(&dir)
            .env("ALLEGRO_STORE", elsewhere.join("store"))
            .run();
        (run, Snapshot::of(&dir))
    };
    let way = Way::all()[1];
    let (_, plain) = go(Side::Serial, way, "project");
    let (run, _) = go(Side::Allegro, way, "filler");
    let blob = elsewhere.join("filler/vendor/e2e/one/src/same.txt");
    assert!(run.exit == 0 && fs::metadata(&blob).expect("a file").nlink() > 1);
    let links = elsewhere.join("links");
    fs::create_dir(&links).expect("a directory");
    // The links are made until the file system refuses one.
    let made = (0..MOST)
        .take_while(|at| fs::hard_link(&blob, links.join(at.to_string())).is_ok())
        .count();
    assert!(made > 60_000, "{made} links");
    for way in Way::all() {
        for name in ["project", "second"] {
            let (run, ours) = go(Side::Allegro, way, name);
            is_equal(&format!("{way:?}, {name}"), &plain, &ours, &run);
            calm(&run);
            copied_because(&run, "", 0);
        }
    }
    let path = "vendor/e2e/one/src/same.txt";
    let _ = go(Side::Allegro, way, "project");
    let inode = |name: &str| fs::metadata(elsewhere.join(name).join(path)).expect("a file");
    assert!(inode("project").nlink() > 1, "the new inode is shared");
    assert_ne!(inode("project").ino(), inode("filler").ino());
    assert!(inode("filler").nlink() > 60_000, "the old one is as it was");
}

/// Returns packages whose programs lie in another package, by a path or through links.
fn strays(files: &Files, version: &str, is_first: bool) -> Value {
    // Composer installs required packages first.
    let requires = |name: &str| json!({ "require": { name: "*" } });
    let (of_other, of_caller) = if is_first {
        (json!({}), requires("e2e/other"))
    } else {
        (requires("e2e/caller"), json!({}))
    };
    let code = format!("<?php // {version}\n");
    let other = with_content(
        files,
        "e2e/other",
        version,
        vec![
            file("src/A.php", "<?php class A {}\n"),
            file("src/B.php", "<?php class B {}\n"),
            file("src/C.php", "<?php class C {}\n"),
            file("src/D.php", "<?php class D {}\n"),
            file("version.php", &code),
        ],
        of_other,
    );
    let mut of_caller = of_caller;
    of_caller["bin"] = json!([
        "../other/src/A.php",
        "linked",
        "by/linked-dir/C.php",
        "own",
        "src/../../other/src/D.php"
    ]);
    let caller = with_content(
        files,
        "e2e/caller",
        version,
        vec![
            link("linked", "../other/src/B.php"),
            link("by/linked-dir", "../../other/src"),
            link("own", "src/own.php"),
            file("src/own.php", "<?php echo 'own';\n"),
            file("version.php", &code),
        ],
        of_caller,
    );
    manifest(&[other, caller], json!({}))
}

/// A program that lies in another package becomes executable in this project, and in no other one.
#[test]
fn programs_that_lie_in_another_package() {
    let Some((scene, files)) = bare() else { return };
    for (is_first, ways) in [(true, 1..3), (false, 1..2)] {
        let [older, newer] = ["1.0.0", "1.1.0"].map(|version| strays(&files, version, is_first));
        let mut alone = manifest(
            std::slice::from_ref(&older["repositories"][0]["package"][0]),
            json!({}),
        );
        if !is_first {
            // This manifest lacks the package whose programs lie in the other one.
            alone["repositories"][0]["package"][0]["require"] = json!({});
        }
        for way in Way::all().drain(ways) {
            let life = |side| -> Vec<Outcome> {
                write(&scene, &older);
                let go = |args: &[&str]| scene.outcome(&way.call(&scene, side, args));
                let mut played = vec![go(&["install"])];
                played.push(go(&["reinstall", "e2e/other"]));
                rewrite(&scene, &newer);
                played.push(go(&["update", "e2e/other"]));
                played.push(go(&["update"]));
                fs::remove_dir_all(scene.project().join("vendor/e2e/other")).expect("removed");
                played.push(go(&["install"]));
                played
            };
            scene.forget_all();
            let plain = life(Side::Serial);
            let dir = beside(&scene, "other", &alone, ROOT);
            let fill = way.call(&scene, Side::Allegro, &["install"]).dir(&dir);
            let _ = fill.run().expect(0);
            let before = Snapshot::of(&dir);
            let rounds = if way.links() {
                &["cold", "warm"][..]
            } else {
                &["cold"]
            };
            for round in rounds {
                let ours = life(Side::Allegro);
                for (at, (plain, ours)) in plain.iter().zip(&ours).enumerate() {
                    let what = format!("{way:?}, first: {is_first}, {round}, step {at}");
                    assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
                    same_tree(&what, plain, ours);
                    quiet(&ours.run);
                }
                assert_eq!(
                    diff(&before, &Snapshot::of(&dir)),
                    "",
                    "{way:?}: the other project"
                );
            }
            sound(&scene, "programs");
        }
    }
}
