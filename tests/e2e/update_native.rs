//! Tests `allegro update` in Composer's place: the lock, the vendor directory and the output.

use std::fs;

use allegro_registry::{Catalog, Format, OlderOptions, Profile};
use serde_json::json;

use crate::support::files::{archive, bare};
use crate::support::home::composer_version;
use crate::support::packages::file;
use crate::support::{Outcome, Scene, Side, same};

fn scene() -> Option<Scene> {
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    catalog.add_older(&OlderOptions {
        seed: 3,
        changed: 40,
        absent: 0,
        extra: 0,
    });
    Scene::of(catalog)
}

fn play(scene: &Scene, side: Side, steps: &[&[&str]], loud: bool) -> Vec<Outcome> {
    scene.forget_all();
    scene.write_project();
    let _ = std::fs::remove_file(scene.project().join("composer.lock"));
    let steps = steps.iter().map(|args| {
        let more: &[&str] = if loud { &["-v"] } else { &[] };
        let call = scene.call(side, &[args, more].concat());
        scene.outcome(&call.env_remove("COMPOSER_NO_AUDIT"))
    });
    steps.collect()
}

/// Plays updates with the installs that follow them.
#[test]
fn updates_are_followed_by_installs() {
    let Some(scene) = scene() else { return };
    let project = scene.server.catalog().project();
    let names = project.entries().filter_map(|entry| entry.str_at("name"));
    let names: Vec<String> = names.map(str::to_owned).collect();
    let steps: [&[&str]; 12] = [
        &["update", "--no-install"],
        &["update"],
        &["update"],
        &["update", "--prefer-lowest"],
        &["update", &names[3], "-W", "--no-install"],
        &["update", &names[3], &names[5], "-w"],
        &["update", "--dry-run", "--no-install"],
        &["update", "--no-dev", "-o"],
        &["update", "--no-autoloader"],
        &["update", "e2e/nowhere"],
        &["update", "--root-reqs"],
        &["update", "--no-audit", "-a"],
    ];
    let plain = play(&scene, Side::Serial, &steps, false);
    let ours = play(&scene, Side::Native, &steps, false);
    for ((args, plain), ours) in steps.iter().zip(&plain).zip(&ours) {
        same(&args.join(" "), plain, ours);
    }
    let partly = composer_version() == (2, 6);
    let loud = play(&scene, Side::Native, &steps, true);
    for (args, ours) in steps.iter().zip(&loud) {
        let said = &ours.run.stderr;
        println!("{}: {}", args.join(" "), ours.run.took.as_millis());
        // The registry lists its packages, and whether it is asked for another one is not certain.
        let is_certain = !args.contains(&"e2e/nowhere");
        let is_native = !said.contains("Composer does it");
        // Composer 2.6.0 to 2.6.2 have a fault in partial updates, and audits of later versions
        // are Composer's.
        if !partly && composer_version() < (2, 9) {
            assert_eq!(is_native, is_certain, "{}: {said}", args.join(" "));
        }
    }
}

/// A package that is known under another version is recorded so.
#[test]
fn an_aliased_branch_is_installed() {
    let Some((scene, files)) = bare() else { return };
    let bytes = archive(Format::Zip, true, vec![file("a.php", "<?php class A {}\n")]);
    let dist = json!({ "type": "zip", "url": files.put("a.zip", &bytes), "reference": "abc" });
    let source = json!({ "type": "git", "url": "https://example.com/a.git", "reference": "abc" });
    let entry = json!({
        "name": "a/a", "version": "dev-master", "dist": dist, "source": source, "default-branch": true,
        "autoload": { "classmap": ["."] }, "funding": [{ "type": "a", "url": "b" }],
    });
    let root = json!({ "packages": [], "metadata-url": "/p2/%package%.json" });
    files.put("packages.json", root.to_string().as_bytes());
    for (file, list) in [("a/a", json!([])), ("a/a~dev", json!([entry]))] {
        let body = json!({ "packages": { "a/a": list } });
        files.put(&format!("p2/{file}.json"), body.to_string().as_bytes());
    }
    let manifest = json!({
        "name": "the/project", "version": "1.0.0", "require": { "a/a": "dev-master as 1.2.0" },
        "repositories": [{ "type": "composer", "url": files.url("") }, { "packagist.org": false }],
        "config": { "secure-http": false, "autoloader-suffix": "E2e" },
        "scripts": { "post-update-cmd": "echo updated", "post-install-cmd": "echo installed" },
    });
    let play = |side: Side| {
        let _ = fs::remove_dir_all(scene.project());
        fs::create_dir_all(scene.project()).expect("the project");
        fs::write(scene.project().join("composer.json"), manifest.to_string()).expect("written");
        [&["update"][..], &["install"], &["update", "a/a"]]
            .map(|args| scene.outcome(&scene.call(side, args)))
    };
    let (plain, ours) = (play(Side::Serial), play(Side::Native));
    for (plain, ours) in plain.iter().zip(&ours) {
        same("an alias", plain, ours);
        assert_eq!(ours.run.exit, 0);
    }
}
