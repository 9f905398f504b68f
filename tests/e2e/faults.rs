//! Tests servers, archives and file systems that misbehave. A run ends with Composer's exit code
//! and a clear message. It leaves nothing half-written, and a rerun heals the project.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use allegro_registry::{Catalog, Fault, Format, Json, Rule, Server};

use crate::support::mount::Mount;
use crate::support::packages::{add, entry, file};
use crate::support::{
    Engine, Outcome, Scene, SceneOptions, Side, Snapshot, diff, same_tree, skipped,
};

/// Returns the path pattern of one package's dist, which is the same in every run.
fn victim(scene: &Scene) -> String {
    let catalog = scene.server.catalog();
    let name = catalog.names()[3].to_owned();
    format!("/dist/{name}/*")
}

/// Checks that a vendor directory contains none of Allegro's temporary files.
#[track_caller]
fn no_leftovers(project: &Path) {
    let composer = project.join("vendor/composer");
    for entry in fs::read_dir(&composer).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(
            !name.starts_with(".allegro"),
            "{name} is left in {}",
            composer.display()
        );
    }
}

/// Plays the fault on both sides without caches and compares exit codes. Then removes the fault and
/// runs again.
#[track_caller]
fn fails_alike(what: &str, scene: &Scene, rules: &[Rule]) -> (Outcome, Outcome) {
    scene.forget_cache(Side::Plain);
    scene.forget_cache(Side::Allegro);
    scene.forget_store();
    let healthy = scene.fresh(Side::Plain, &["install"]);
    assert_eq!(healthy.run.exit, 0, "{}", healthy.run.stderr);
    scene.forget_cache(Side::Plain);
    scene.server.set_faults(rules.to_vec());
    let plain = scene.fresh(Side::Plain, &["install"]);
    let ours = scene.fresh(Side::Allegro, &["install"]);
    scene.server.set_faults(Vec::new());
    assert_eq!(
        plain.run.exit, ours.run.exit,
        "{what}: Composer says\n{}\nwith Allegro\n{}",
        plain.run.stderr, ours.run.stderr
    );
    no_leftovers(&scene.project());
    let healed = scene.outcome(&scene.call(Side::Allegro, &["install"]));
    same_tree(&format!("{what}, healed"), &healthy, &healed);
    no_leftovers(&scene.project());
    (plain, ours)
}

#[test]
fn statuses_are_reported_as_composer_does() {
    let Some(scene) = Scene::small() else { return };
    let victim = victim(&scene);
    for code in [404, 401, 403, 410, 500] {
        let fault = Fault::Status {
            code,
            retry_after: None,
        };
        let (plain, ours) = fails_alike(
            &format!("status {code}"),
            &scene,
            &[Rule::always(&victim, fault)],
        );
        assert_ne!(plain.run.exit, 0);
        assert!(
            ours.run.stderr.contains(&code.to_string()),
            "{code}: {}",
            ours.run.stderr
        );
    }
}

#[test]
fn what_passes_is_waited_for() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Plain, &["install"]);
    for (code, retry_after) in [(503, None), (500, None), (429, Some(1))] {
        scene.forget_cache(Side::Allegro);
        scene.forget_store();
        scene.server.set_faults(vec![Rule::times(
            "/dist/*",
            Fault::Status { code, retry_after },
            1,
        )]);
        let ours = scene.fresh(Side::Allegro, &["install"]);
        same_tree(&format!("{code} once"), &plain, &ours);
        assert_eq!(Scene::origins(&ours.run).2, 12, "{}", ours.run.stderr);
    }
}

#[test]
fn damaged_archives_are_reported_and_not_kept() {
    let Some(scene) = Scene::small() else { return };
    let victim = victim(&scene);
    for fault in [
        Fault::Truncate(700),
        Fault::Shorten(700),
        Fault::Html,
        Fault::Reset(300),
    ] {
        let what = format!("{fault:?}");
        let (plain, _) = fails_alike(&what, &scene, &[Rule::always(&victim, fault)]);
        assert_ne!(plain.run.exit, 0, "{what}");
    }
}

/// Content that doesn't match its checksum stops the run. Composer alone may not notice: where
/// unzip fails, PHP's ZipArchive leaves an empty file behind and succeeds.
#[test]
fn content_that_does_not_match_its_checksum_stops_the_run() {
    let Some(scene) = Scene::small() else { return };
    let victim = victim(&scene);
    let healthy = scene.fresh(Side::Plain, &["install"]);
    scene
        .server
        .set_faults(vec![Rule::always(&victim, Fault::Corrupt)]);
    let ours = scene.fresh(Side::Allegro, &["install"]);
    scene.server.set_faults(Vec::new());
    assert_ne!(ours.run.exit, 0);
    let name = scene.server.catalog().names()[3].to_owned();
    let said: Vec<&str> = ours.run.stderr.split_whitespace().collect();
    let said = said.join(" ");
    assert!(
        said.contains(&format!("the archive of {name}")) && said.contains("is damaged"),
        "{}",
        ours.run.stderr
    );
    no_leftovers(&scene.project());
    let healed = scene.outcome(&scene.call(Side::Allegro, &["install"]));
    same_tree("healed", &healthy, &healed);

    // An archive in Composer's cache with the same damage is downloaded again.
    scene.forget_store();
    let archives: Vec<_> = Snapshot::of(&scene.cache(Side::Allegro))
        .nodes
        .into_keys()
        .filter(|path| path.starts_with("files/") && path.ends_with(".zip"))
        .collect();
    assert_eq!(archives.len(), 12);
    let path = scene.cache(Side::Allegro).join(&archives[0]);
    let mut bytes = fs::read(&path).expect("an archive");
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 16] {
        *byte ^= 0x55;
    }
    fs::write(&path, bytes).expect("damaged");
    let ours = scene.fresh(Side::Allegro, &["install"]);
    same_tree("damaged in the cache", &healthy, &ours);
    assert_eq!(Scene::origins(&ours.run), (0, 11, 1), "{}", ours.run.stderr);
}

/// Allegro gives up on a server that stops answering. Composer's own attempt succeeds once it
/// answers again.
#[test]
fn silence_is_given_up() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Plain, &["install"]);
    // Allegro makes one attempt and three retries.
    scene
        .server
        .set_faults(vec![Rule::times(victim(&scene), Fault::Hang(0), 4)]);
    scene.write_project();
    let ours = scene.outcome(
        &scene
            .call(Side::Allegro, &["install", "-v"])
            .env("ALLEGRO_IDLE_TIMEOUT_MS", "300"),
    );
    same_tree("silence", &plain, &ours);
    assert!(ours.run.stderr.contains("by itself"), "{}", ours.run.stderr);
    assert_eq!(Scene::origins(&ours.run).2, 11, "{}", ours.run.stderr);
}

#[test]
fn a_wrong_checksum_stops_the_run() {
    let Some(scene) = Scene::small() else { return };
    let wrong = |scene: &Scene| {
        scene.write_project();
        let path = scene.project().join("composer.lock");
        let mut lock = allegro_registry::read_json(&path).expect("the lock");
        if let Some(Json::Array(packages)) = lock.get_mut("packages") {
            packages[2]
                .child("dist")
                .set("shasum", Json::str("0".repeat(40)));
        }
        fs::write(&path, lock.to_file_text()).expect("the lock");
    };
    wrong(&scene);
    let plain = scene.run(Side::Plain, &["install"]);
    wrong(&scene);
    let ours = scene.run(Side::Allegro, &["install"]);
    assert_ne!(plain.exit, 0);
    assert_eq!(plain.exit, ours.exit, "{}", ours.stderr);
    assert!(
        ours.stderr.contains("checksum verification"),
        "{}",
        ours.stderr
    );
    no_leftovers(&scene.project());
}

/// Moves three packages of the lock to a port on which nobody listens.
fn unreachable(scene: &Scene) -> Vec<String> {
    scene.write_project();
    let path = scene.project().join("composer.lock");
    let mut lock = allegro_registry::read_json(&path).expect("the lock");
    let mut names = Vec::new();
    if let Some(Json::Array(packages)) = lock.get_mut("packages") {
        for package in packages.iter_mut().take(3) {
            names.push(package.str_at("name").expect("a name").to_owned());
            let dist = package.child("dist");
            dist.set(
                "url",
                Json::str(format!("http://127.0.0.1:9/{}.zip", names.len())),
            );
        }
    }
    fs::write(&path, lock.to_file_text()).expect("the lock");
    names
}

#[test]
fn a_refused_connection_is_reported_as_composer_does() {
    let Some(scene) = Scene::small() else { return };
    unreachable(&scene);
    let plain = scene.run(Side::Plain, &["install"]);
    unreachable(&scene);
    let ours = scene.run(Side::Allegro, &["install"]);
    assert_ne!(plain.exit, 0);
    assert_eq!(plain.exit, ours.exit, "{}", ours.stderr);
    no_leftovers(&scene.project());
}

#[test]
fn without_network_all_missing_packages_are_named_at_once() {
    let Some(scene) = Scene::small() else { return };
    let _ = scene.fresh(Side::Plain, &["install"]).run.expect(0);
    let _ = scene.fresh(Side::Allegro, &["install"]).run.expect(0);
    let names = unreachable(&scene);
    let offline = |side| {
        scene
            .call(side, &["install"])
            .env("COMPOSER_DISABLE_NETWORK", "1")
            .run()
    };
    let plain = offline(Side::Plain);
    unreachable(&scene);
    let ours = offline(Side::Allegro);
    assert_ne!(plain.exit, 0);
    assert_eq!(plain.exit, ours.exit, "{}", ours.stderr);
    let line = ours
        .ours()
        .into_iter()
        .find(|line| line.contains("neither in the store nor"));
    let line = line.unwrap_or_else(|| panic!("no such line: {}", ours.stderr));
    assert!(line.contains("3 packages"), "{line}");
    for name in names {
        assert!(line.contains(&name), "{name}: {line}");
    }
    assert!(
        scene
            .server
            .log()
            .iter()
            .all(|entry| !entry.path.contains("/1.zip"))
    );

    // An install whose packages are all in the store needs no network.
    scene.write_project();
    assert_eq!(offline(Side::Allegro).exit, 0);
}

#[test]
fn an_archive_that_wants_out_stays_in_its_package() {
    let mut catalog = Catalog::new();
    let mut options = SceneOptions::default();
    let lock = add(
        &mut catalog,
        entry("e2e/hostile", "1.0.0", "{}"),
        true,
        Format::Zip,
        vec![
            file("fine.php", "<?php\n"),
            file("../../../evil.php", "<?php evil();\n"),
        ],
    );
    options.project.extra_packages.push(lock);
    options
        .project
        .extra_requires
        .push(("e2e/hostile".to_owned(), "*".to_owned()));
    let Some(scene) = Scene::with(catalog, options) else {
        return;
    };
    let plain = scene.fresh(Side::Serial, &["install"]);
    assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
    let ours = scene.fresh(Side::Allegro, &["install"]);
    same_tree("an archive that wants out", &plain, &ours);
    let everywhere = Snapshot::of(scene.dir());
    let mut found = everywhere
        .nodes
        .keys()
        .filter(|path| path.ends_with("evil.php"));
    assert!(
        found.all(|path| path.contains("vendor/e2e/hostile/")),
        "{:?}",
        everywhere.nodes.keys()
    );
    no_leftovers(&scene.project());
}

#[test]
fn a_full_disk_below_the_project_is_said_and_healed() {
    let Some(scene) = Scene::small() else { return };
    let healthy = scene.fresh(Side::Plain, &["install"]);
    let dir = scene.dir().join("small-disk");
    let Some(mount) = Mount::tmpfs(&dir, 500) else {
        return;
    };
    let state = scene.server.catalog();
    let run = |side| {
        scene.overwrite_state(state.project(), &dir);
        let _ = fs::remove_dir_all(dir.join("vendor"));
        scene.call(side, &["install"]).dir(&dir).run()
    };
    let plain = run(Side::Plain);
    let ours = run(Side::Allegro);
    assert_ne!(plain.exit, 0);
    assert_eq!(plain.exit, ours.exit, "{}\n{}", plain.stderr, ours.stderr);
    assert!(
        ours.stderr.to_lowercase().contains("no space left"),
        "{}",
        ours.stderr
    );
    no_leftovers(&dir);
    mount.resize(50 << 10);
    scene.overwrite_state(state.project(), &dir);
    let _ = scene
        .call(Side::Allegro, &["install"])
        .dir(&dir)
        .run()
        .expect(0);
    assert_eq!(diff(&healthy.tree, &Snapshot::of(&dir)), "");
}

/// A store that can't be written costs speed, but does not stop the install.
#[test]
fn a_full_or_read_only_store_leaves_the_work_to_composer() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Plain, &["install"]);
    for options in ["full", "read-only"] {
        let dir = scene.scratch();
        fs::create_dir_all(&dir).expect("a mount point");
        let mount = match options {
            "full" => Mount::tmpfs(&dir, 300),
            _ => Mount::read_only(&dir),
        };
        let Some(_mount) = mount else { return };
        scene.write_project();
        let ours = scene.outcome(
            &scene
                .call(Side::Allegro, &["install"])
                .env("ALLEGRO_STORE", dir.join("store")),
        );
        same_tree(options, &plain, &ours);
        let said = ours.run.ours().join("\n");
        assert!(said.contains("store"), "{options}: {}", ours.run.stderr);
        no_leftovers(&scene.project());
    }
}

#[test]
fn a_store_elsewhere_means_copies_and_one_notice() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Plain, &["install"]);
    let dir = scene.dir().join("elsewhere");
    let Some(_mount) = Mount::tmpfs(&dir, 100 << 10) else {
        return;
    };
    for (round, notices) in [("first", 1), ("second", 0)] {
        scene.write_project();
        let ours = scene.outcome(
            &scene
                .call(Side::Allegro, &["install"])
                .env("ALLEGRO_STORE", dir.join("store")),
        );
        same_tree(round, &plain, &ours);
        let said = ours.run.ours();
        assert!(said.iter().any(|line| line.ends_with(", copy")), "{said:?}");
        assert_eq!(
            said.iter()
                .filter(|line| line.contains("files are copied"))
                .count(),
            notices,
            "{said:?}"
        );
    }
}

#[test]
fn a_read_only_vendor_is_an_error_as_with_composer() {
    let Some(scene) = Scene::small() else { return };
    let _ = scene.fresh(Side::Allegro, &["install"]).run.expect(0);
    for engine in [Engine::Helper, Engine::Extension] {
        scene.write_project();
        let vendor = scene.project().join("vendor");
        fs::create_dir_all(&vendor).expect("a mount point");
        let Some(_mount) = Mount::read_only(&vendor) else {
            return;
        };
        let plain = scene.run(Side::Plain, &["install"]);
        let ours = scene.call(Side::Allegro, &["install"]).engine(engine).run();
        assert_ne!(plain.exit, 0);
        assert_eq!(plain.exit, ours.exit, "{}\n{}", plain.stderr, ours.stderr);
        assert_eq!(
            fs::read_dir(scene.project().join("vendor"))
                .expect("vendor")
                .count(),
            0
        );
    }
}

#[test]
fn a_cache_that_may_only_be_read_is_left_alone() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Plain, &["install"]);
    scene.write_project();
    let ours = scene.outcome(
        &scene
            .call(Side::Allegro, &["install"])
            .env("COMPOSER_CACHE_READ_ONLY", "1"),
    );
    same_tree("read-only cache", &plain, &ours);
    assert!(!scene.cache(Side::Allegro).join("files").exists());
}
