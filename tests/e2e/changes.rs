//! Tests changes from one state of a project to another, and the commands that make them.

use allegro_registry::{Catalog, Format, OlderOptions, Profile};
use serde_json::{Value, json};

use crate::support::files::{archive, bare, manifest, package, write};
use crate::support::home::PROCESSES;
use crate::support::packages::{add, entry, file};
use crate::support::{Outcome, Scene, SceneOptions, Side, compare, same_tree};

/// An update, a removal and an addition in one run give the same result, and so does the way back.
#[test]
fn there_and_back() {
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    let older = catalog.add_older(&OlderOptions {
        seed: 7,
        changed: 40,
        absent: 10,
        extra: 10,
    });
    let Some(scene) = Scene::of(catalog) else {
        return;
    };
    let newer = scene.server.catalog().project().clone();
    for args in [&["install"][..], &["install", "--no-dev", "-o"]] {
        let played = compare(&scene, &args.join(" "), |scene, side| {
            scene.write_state(&older);
            let mut outcomes = Vec::new();
            let mut run = |step: &str, args: &[&str]| {
                outcomes.push((step.to_owned(), scene.outcome(&scene.call(side, args))));
            };
            run("older", args);
            scene.overwrite_state(&newer, &scene.project());
            run("newer", args);
            run("newer again", args);
            scene.overwrite_state(&older, &scene.project());
            run("older again", args);
            outcomes
        });
        let said = &played[1].1.run.stderr;
        for word in ["  - Upgrading ", "  - Installing ", "  - Removing "] {
            assert!(said.contains(word), "there is something to see: {said}");
        }
        assert!(
            played[2].1.run.stderr.contains("Nothing to install"),
            "{}",
            played[2].1.run.stderr
        );
        assert!(
            played[3].1.run.stderr.contains("  - Downgrading "),
            "{}",
            played[3].1.run.stderr
        );
    }
}

/// `install` and `install --no-dev` in turn add and remove the same packages.
#[test]
fn dev_and_no_dev_in_turn() {
    let Some(scene) = Scene::small() else { return };
    compare(&scene, "dev and no dev", |scene, side| {
        scene.write_project();
        [&["install"][..], &["install", "--no-dev"], &["install"]]
            .into_iter()
            .map(|args| (args.join(" "), scene.outcome(&scene.call(side, args))))
            .collect()
    });
}

/// Every command that changes installed packages, or looks at them, gives the same result.
#[test]
fn commands() {
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    catalog.add_older(&OlderOptions {
        seed: 3,
        changed: 40,
        absent: 0,
        extra: 0,
    });
    let lone = entry(
        "e2e/lone",
        "1.0.0",
        r#"{"autoload": {"psr-4": {"E2e\\Lone\\": "src/"}}, "bin": ["bin/lone"]}"#,
    );
    for version in ["1.0.0", "1.1.0", "2.0.0"] {
        let mut lone = lone.clone();
        lone.set("version", allegro_registry::Json::str(version));
        add(
            &mut catalog,
            lone,
            true,
            Format::Zip,
            vec![
                file(
                    "src/Lone.php",
                    &format!(
                        "<?php\nnamespace E2e\\Lone;\nclass Lone {{ const V = '{version}'; }}\n"
                    ),
                ),
                file("bin/lone", "#!/usr/bin/env php\n<?php echo 1;\n"),
                file(&format!("only-{version}.txt"), version),
            ],
        );
    }
    let Some(scene) = Scene::of(catalog) else {
        return;
    };
    let packages = scene
        .server
        .catalog()
        .project()
        .entries()
        .filter_map(|entry| entry.str_at("name").map(str::to_owned))
        .collect::<Vec<_>>();
    let manifest = scene.server.catalog().project().manifest.clone();
    // A package that nothing in the lock requires is required by the root alone.
    let is_wanted = |name: &str| {
        scene.server.catalog().project().entries().any(|entry| {
            entry
                .entries_at("require")
                .iter()
                .any(|(wanted, _)| wanted == name)
        })
    };
    let root: Vec<&str> = manifest
        .entries_at("require")
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.contains('/') && !is_wanted(name))
        .collect();
    let (first, second) = (root[0], packages[3].as_str());
    let played = compare(&scene, "commands", |scene, side| {
        scene.write_project();
        let steps: &[&[&str]] = &[
            &["install"],
            &["install"],
            &["require", "e2e/lone:^1.0,<1.1"],
            &["status", "-v"],
            &["require", "e2e/lone:^1.0"],
            &["update", "e2e/lone"],
            &["require", "e2e/lone:^2.0", "-W"],
            &["reinstall", second],
            &["reinstall", "e2e/*"],
            &["remove", first],
            &["dump-autoload"],
            &["dump-autoload", "-o"],
            &["dump-autoload", "-a", "--no-dev"],
            &["update"],
            &["update", "--lock"],
            &["remove", "e2e/lone"],
            &["update", "--prefer-lowest"],
            &["install", "--no-dev"],
            &["validate", "--no-check-publish"],
            &["show"],
            &["licenses"],
            &["check-platform-reqs"],
        ];
        steps
            .iter()
            .map(|args| (args.join(" "), scene.outcome(&scene.call(side, args))))
            .collect::<Vec<(String, Outcome)>>()
    });
    let said = |step: usize| played[step].1.run.stderr.as_str();
    assert!(
        said(1).contains("Nothing to install, update or remove"),
        "{}",
        said(1)
    );
    for (step, outcome) in &played {
        assert_eq!(outcome.run.exit, 0, "{step}: {}", outcome.run.stderr);
    }
    assert!(
        said(4).contains("Upgrading e2e/lone (1.0.0 => 1.1.0)"),
        "{}",
        said(4)
    );
    assert!(said(7).contains("Installing"), "{}", said(7));
    assert_ne!(
        played[14].1.tree.text("composer.lock"),
        played[16].1.tree.text("composer.lock")
    );
}

/// An update that doesn't find a package changes nothing and has the same exit code.
#[test]
fn failing_commands() {
    let Some(scene) = Scene::small() else { return };
    compare(&scene, "failing commands", |scene, side| {
        scene.write_project();
        [
            &["install"][..],
            &["require", "e2e/nowhere"],
            &["remove", "e2e/nowhere"],
            &["reinstall", "e2e/nowhere"],
            &["update", "e2e/nowhere"],
        ]
        .into_iter()
        .map(|args| (args.join(" "), scene.outcome(&scene.call(side, args))))
        .collect()
    });
}

/// `vendor-dir`, `bin-dir`, a vendor directory that is a link, and a project that is entered
/// through a link give the same result.
#[test]
fn unusual_places() {
    use allegro_registry::Json;
    use std::fs;
    let Some(scene) = Scene::small() else { return };
    for place in ["vendor-dir", "vendor-link", "project-link", "bin-compat"] {
        compare(&scene, place, |scene, side| {
            scene.write_project();
            let elsewhere = scene.dir().join("elsewhere");
            let _ = fs::remove_dir_all(&elsewhere);
            let _ = fs::remove_file(scene.dir().join("door"));
            let mut call = scene.call(side, &["install"]);
            match place {
                "vendor-dir" => scene.edit_manifest(|manifest| {
                    let config = manifest.child("config");
                    config.set("vendor-dir", Json::str("lib/php"));
                    config.set("bin-dir", Json::str("tools"));
                }),
                "bin-compat" => scene.edit_manifest(|manifest| {
                    manifest
                        .child("config")
                        .set("bin-compat", Json::str("full"))
                }),
                "vendor-link" => {
                    fs::create_dir(&elsewhere).expect("a directory");
                    std::os::unix::fs::symlink(&elsewhere, scene.project().join("vendor"))
                        .expect("a link");
                }
                _ => {
                    std::os::unix::fs::symlink(scene.project(), scene.dir().join("door"))
                        .expect("a link");
                    call = call.dir(scene.dir().join("door"));
                }
            }
            let mut outcome = scene.outcome(&call);
            if elsewhere.exists() {
                outcome.tree = crate::support::Snapshot::of(&elsewhere);
            }
            assert!(outcome.tree.files() > 180, "it was installed");
            vec![("install".to_owned(), outcome)]
        });
    }
}

/// `create-project` with a template from the registry gives the same result, and so does the
/// following install.
#[test]
fn create_project() {
    use std::fs;
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    let name = catalog
        .project()
        .entries()
        .next()
        .and_then(|entry| entry.str_at("name"))
        .expect("a package")
        .to_owned();
    let skeleton = entry(
        "e2e/skeleton",
        "1.0.0",
        &format!(r#"{{"type": "project", "require": {{"{name}": "*"}}}}"#),
    );
    let manifest = format!(
        r#"{{"name": "e2e/skeleton", "type": "project", "require": {{"{name}": "*"}}, "config": {{"autoloader-suffix": "E2e", "secure-http": false}}}}"#
    );
    add(
        &mut catalog,
        skeleton,
        true,
        Format::Zip,
        vec![
            file("composer.json", &manifest),
            file("src/App.php", "<?php class App {}\n"),
        ],
    );
    let Some(scene) = Scene::with(catalog, SceneOptions::default()) else {
        return;
    };
    let repository = format!(
        r#"{{"type": "composer", "url": "{}"}}"#,
        scene.server.base_url()
    );
    compare(&scene, "create-project", |scene, side| {
        let _ = fs::remove_dir_all(scene.project());
        let call = scene.call(
            side,
            &[
                "create-project",
                "--no-secure-http",
                "--add-repository",
                &format!("--repository={repository}"),
                "e2e/skeleton",
                "project",
            ],
        );
        let outcome = scene.outcome(&call.dir(scene.dir()));
        assert!(
            outcome.tree.nodes.contains_key("vendor/autoload.php"),
            "{}",
            outcome.run.stderr
        );
        vec![("create-project".to_owned(), outcome)]
    });
}

/// Composer creates the directory of programs for each package that it removes. It removes that
/// directory again after packages that have programs. So an empty directory stays if the last
/// package has none.
///
/// Composer removes packages side by side. The last one is the largest of them, not the last one of
/// the list.
#[test]
fn the_directory_of_programs() {
    let Some((scene, files)) = bare() else { return };
    let release = |name: &str, entries: usize, has_program: bool| {
        // Each package has a program of its own name, because Composer gives a shared name to the
        // package that is there first.
        let program = format!("bin/{}", name.replace('/', "-"));
        let mut content = vec![file(&program, "#!/usr/bin/env php\n<?php echo 1;\n")];
        content
            .extend((0..entries).map(|at| file(&format!("src/{}/{at}.php", at % 50), "<?php\n")));
        let bytes = archive(Format::Zip, true, content);
        let url = files.put(&format!("dist/{name}.zip"), &bytes);
        let bins = if has_program {
            json!([program])
        } else {
            json!([])
        };
        package(name, "zip", &url, json!({ "bin": bins }))
    };
    // Composer removes the packages from the last to the first.
    let cases = [
        (
            "the last is small",
            "many",
            [(1, false), (3000, true), (1, false)],
            false,
        ),
        (
            "the last is large",
            "many",
            [(3000, false), (1, true), (1, false)],
            true,
        ),
        (
            "one at a time",
            "one",
            [(1, false), (3000, true), (1, false)],
            true,
        ),
        (
            "all have programs",
            "many",
            [(1, true), (3000, true), (1, true)],
            false,
        ),
    ];
    for (what, processes, packages, stays) in cases {
        let packages: Vec<Value> = packages
            .iter()
            .zip(["x/a", "x/b", "x/c"])
            .map(|((entries, has_program), name)| release(name, *entries, *has_program))
            .collect();
        for dir in ["vendor/bin", "tools/programs"] {
            let mut manifest = manifest(&packages, json!({ "config": { "bin-dir": dir } }));
            manifest["require-dev"] = manifest["require"].take();
            manifest["require"] = json!({});
            let play = |side: Side| {
                scene.forget_cache(side);
                write(&scene, &manifest);
                let commands: [&[&str]; 2] = [&["update"], &["install", "--no-dev"]];
                commands.map(|args| {
                    let call = scene.call(side, args).env(PROCESSES, processes);
                    (args.join(" "), scene.outcome(&call))
                })
            };
            // Composer removes packages in parallel processes. On a busy machine, a process with
            // little to do may end after one with much to do.
            let plain = (0..5)
                .map(|_| play(Side::Serial))
                .find(|plain| plain[1].1.tree.nodes.contains_key(dir) == stays)
                .unwrap_or_else(|| panic!("{what}, {dir}: Composer does otherwise"));
            let ours = play(Side::Allegro);
            for ((step, plain), (_, ours)) in plain.iter().zip(&ours) {
                assert_eq!(plain.run.exit, 0, "{what}: {}", plain.run.stderr);
                same_tree(&format!("{what}, {dir}, {step}"), plain, ours);
            }
        }
    }
}
