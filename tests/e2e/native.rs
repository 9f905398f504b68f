//! Tests the native command line in Composer's place.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use allegro_registry::{Catalog, Fault, Format, Json, Profile, Rule};

use crate::support::home::{composer, in_root};
use crate::support::packages::{add, entry, file, link};
use crate::support::screen::on_terminal;
use crate::support::tools::path_with;
use crate::support::{Scene, SceneOptions, Side, same, same_tree};

/// Plays Composer, and the command line cold, warm and with nothing to do.
#[test]
fn small_project() {
    let Some(scene) = Scene::small() else { return };
    for args in [
        &["install"][..],
        &["install", "--no-dev"],
        &["install", "-o"],
        &["install", "-a", "--no-dev"],
        &["install", "--no-autoloader"],
    ] {
        let what = args.join(" ");
        scene.forget_all();
        let plain = scene.fresh(Side::Serial, args);
        let cold = scene.fresh(Side::Native, args);
        same(&format!("{what}: cold"), &plain, &cold);
        let warm = scene.fresh(Side::Native, args);
        same_tree(&format!("{what}: warm"), &plain, &warm);
        let again = scene.outcome(&scene.call(Side::Native, args));
        scene.write_project();
        let _ = scene.run(Side::Serial, args);
        let plain_again = scene.outcome(&scene.call(Side::Serial, args));
        same(&format!("{what}: again"), &plain_again, &again);
    }
}

#[test]
fn the_check_of_the_platform_is_told() {
    let Some(scene) = Scene::small() else { return };
    let told = |side: Side| -> Vec<Vec<String>> {
        scene.write_project();
        (0..3)
            .map(|_| {
                let run = scene
                    .run(side, &["install", "-v", "--no-progress"])
                    .expect(0);
                let words = |line: &str| line.split(' ').take(4).collect::<Vec<_>>().join(" ");
                run.stderr.lines().map(words).take(4).collect()
            })
            .collect()
    };
    let plain = told(Side::Serial);
    assert!(
        plain[2]
            .iter()
            .any(|line| line.starts_with("Dependency resolution"))
    );
    assert_eq!(told(Side::Native), plain);
}

/// A machine without `unzip`, such as an image for containers. Composer warns before the first zip.
#[test]
fn without_unzip_composer_warns() {
    let Some(scene) = Scene::small() else { return };
    let Some(file) = composer() else { return };
    let mut tools = vec![("composer", file.to_owned())];
    if !in_root(Path::new("/")).is_empty() {
        tools.push(("chroot", PathBuf::from("/usr/sbin/chroot")));
    }
    let path = path_with(&scene, &tools);
    let play = |side: Side, again: bool, args: &[&str]| {
        if !again {
            scene.write_project();
        }
        scene.outcome(&scene.call(side, args).env("PATH", &path))
    };
    for args in [&["install"][..], &["install", "--no-plugins", "-q"]] {
        scene.forget_all();
        let plain = [false, true].map(|again| play(Side::Serial, again, args));
        scene.forget_all();
        let ours = [false, true].map(|again| play(Side::Native, again, args));
        same("cold", &plain[0], &ours[0]);
        same("again", &plain[1], &ours[1]);
        let warm = play(Side::Native, false, args);
        same_tree("warm", &plain[0], &warm);
        for run in [&ours[0].run, &warm.run] {
            let is_told = run.stderr.contains("As there is no 'unzip'");
            assert_eq!(is_told, !args.contains(&"-q"), "{}", run.stderr);
        }
    }
}

/// Composer empties the directory of a package that is not on record, but for links that lead
/// nowhere.
#[test]
fn a_package_that_nobody_knows_has_a_link_to_nowhere() {
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    let mut options = SceneOptions::default();
    let files = vec![file("one.txt", "one\n"), link("away", "nowhere/at/all")];
    let entry = entry("e2e/links", "1.0.0", "{}");
    let locked = add(&mut catalog, entry, true, Format::Zip, files);
    options.project.extra_packages.push(locked);
    let required = ("e2e/links".to_owned(), "*".to_owned());
    options.project.extra_requires.push(required);
    let Some(scene) = Scene::with(catalog, options) else {
        return;
    };
    let play = |side| {
        scene.write_project();
        let _ = scene.run(Side::Serial, &["install"]).expect(0);
        for name in ["installed.json", "installed.php"] {
            fs::remove_file(scene.project().join("vendor/composer").join(name)).expect("removed");
        }
        scene.outcome(&scene.call(side, &["install", "-v"]))
    };
    let plain = play(Side::Serial);
    same_tree("by the plugin", &plain, &play(Side::Allegro));
    same_tree("by the command line", &plain, &play(Side::Native));
    // Without such a vendor, the next install is native.
    let told = |_| {
        fs::remove_dir_all(scene.project().join("vendor")).expect("removed");
        let run = scene.run(Side::Native, &["install", "-v"]).expect(0);
        run.stderr.contains("Composer does it")
    };
    assert_eq!([1, 2].map(told), [false, false]);
}

/// Scripts that write down that they run. One of them plays another event once more.
const COUNTED: &str = r#"{
    "pre-install-cmd": "echo before >> runs",
    "pre-autoload-dump": ["echo dump >> runs", "echo dumping >> runs"],
    "post-autoload-dump": "echo dumped >> runs",
    "post-install-cmd": ["@pre-install-cmd", "echo after >> runs"]
}"#;

fn with_scripts(scene: &Scene) {
    scene.write_project();
    scene.edit_manifest(|manifest| {
        manifest.set("scripts", Json::parse(COUNTED).expect("JSON"));
    });
}

fn runs(scene: &Scene) -> String {
    fs::read_to_string(scene.project().join("runs")).expect("a script ran")
}

/// A download fails here after the first script, and Composer's own attempt succeeds.
#[test]
fn scripts_before_an_install_run_once() {
    let Some(scene) = Scene::small() else { return };
    with_scripts(&scene);
    let plain = scene.outcome(&scene.call(Side::Serial, &["install"]));
    let wanted = "before\ndump\ndumping\ndumped\nbefore\nafter\n";
    assert_eq!(runs(&scene), wanted);
    scene.forget_all();
    with_scripts(&scene);
    let name = &scene.server.catalog().packages()[5].spec.name;
    let rule = Rule::times(format!("/dist/{name}/*"), Fault::Hang(0), 4);
    scene.server.set_faults(vec![rule]);
    let call = scene.call(Side::Native, &["install", "-v"]);
    let ours = scene.outcome(&call.env("ALLEGRO_IDLE_TIMEOUT_MS", "300"));
    let said = &ours.run.stderr;
    assert!(said.contains("Allegro: Composer finishes it: "), "{said}");
    assert_eq!(runs(&scene), wanted, "{said}");
    same_tree("a download fails", &plain, &ours);
    // Without the plugin, Composer would play the script again. So it does the whole install.
    scene.forget_all();
    with_scripts(&scene);
    let ours = scene.outcome(&scene.call(Side::Native, &["install", "-v", "--no-plugins"]));
    let said = "Allegro: Composer does it: scripts come before the work, and --no-plugins is given";
    assert!(ours.run.stderr.contains(said), "{}", ours.run.stderr);
    same_tree("without plugins", &plain, &ours);
}

/// The class map turns out to be unfamiliar when all packages are in their places.
#[test]
fn scripts_before_a_dump_run_once() {
    let Some(scene) = Scene::small() else { return };
    let write = |scene: &Scene| {
        with_scripts(scene);
        scene.edit_manifest(|manifest| {
            let rules = r#"{"psr-4": {"Odd\\": "odd*one/"}}"#;
            manifest.set("autoload", Json::parse(rules).expect("JSON"));
        });
        let class = scene.project().join("odd*one/One.php");
        fs::create_dir_all(class.parent().expect("a directory")).expect("made");
        fs::write(class, "<?php\nnamespace Odd;\nclass One {}\n").expect("written");
    };
    for (args, wanted) in [
        (
            &["install", "-o"][..],
            "before\ndump\ndumping\ndumped\nbefore\nafter\n",
        ),
        (&["dump-autoload", "-o"], "dump\ndumping\ndumped\n"),
    ] {
        let steps = |side| {
            write(&scene);
            if args[0] == "dump-autoload" {
                let _ = scene
                    .run(Side::Serial, &["install", "--no-scripts"])
                    .expect(0);
            }
            let mut loud = args.to_vec();
            if side == Side::Native {
                loud.push("-v");
            }
            scene.outcome(&scene.call(side, &loud))
        };
        let plain = steps(Side::Serial);
        assert_eq!(runs(&scene), wanted);
        let ours = steps(Side::Native);
        let said = &ours.run.stderr;
        assert!(said.contains("Allegro: Composer finishes it: "), "{said}");
        assert_eq!(runs(&scene), wanted, "{said}");
        same_tree(args[0], &plain, &ours);
    }
}

/// Colours are those of Composer: on a terminal, and where an option asks for them.
#[test]
fn colours_are_composers() {
    let Some(scene) = Scene::small() else { return };
    let lines = |text: &str| -> Vec<String> {
        let is_ours = |line: &&str| line.contains("Allegro:");
        let lines = text.lines().filter(|line| !is_ours(line));
        lines.map(str::to_owned).collect()
    };
    for option in ["--ansi", "--no-ansi", "-n"] {
        let args = ["install", "--no-progress", option];
        let piped = |side| {
            scene.write_project();
            let first = scene.run(side, &args).expect(0);
            let again = scene.run(side, &args).expect(0);
            [lines(&first.stderr), lines(&again.stderr)].concat()
        };
        assert_eq!(piped(Side::Serial), piped(Side::Native), "{option}");
        let on_terminal = |side| {
            scene.write_project();
            let (exit, written) = on_terminal(&scene.call(side, &args), 300, |_| false)?;
            assert_eq!(exit, 0, "{written}");
            Some(lines(&written))
        };
        assert_eq!(
            on_terminal(Side::Serial),
            on_terminal(Side::Native),
            "{option}"
        );
    }
}

/// A dump that changes nothing is not made again, but its warnings are told again. Classes of
/// packages that don't fit their paths count for no exit code.
#[test]
fn a_repeated_dump_tells_its_warnings_again() {
    let Some(scene) = Scene::small() else { return };
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains("Allegro:"));
        lines.map(str::to_owned).collect()
    };
    let write = |has_odd_class: bool| {
        scene.write_project();
        scene.edit_manifest(|manifest| {
            let rules = r#"{"psr-4": {"Own\\": "own/"}}"#;
            manifest.set("autoload", Json::parse(rules).expect("JSON"));
        });
        let own = scene.project().join("own");
        fs::create_dir_all(&own).expect("made");
        let name = if has_odd_class { "Odd" } else { "Even" };
        fs::write(
            own.join("Even.php"),
            format!("<?php\nnamespace Own;\nclass {name} {{}}\n"),
        )
        .expect("written");
    };
    for has_odd_class in [true, false] {
        write(has_odd_class);
        let _ = scene.run(Side::Serial, &["install"]).expect(0);
        let package = fs::read_dir(scene.project().join("vendor"))
            .expect("vendor")
            .flatten()
            .filter(|entry| entry.path().is_dir())
            .find_map(|entry| {
                fs::read_dir(entry.path())
                    .ok()?
                    .flatten()
                    .find(|it| it.path().join("src").is_dir())
            })
            .expect("a package with classes");
        fs::write(
            package.path().join("src/Stray.php"),
            "<?php\nclass NoStray {}\n",
        )
        .expect("written");
        for strict in [&[][..], &["--strict-psr"]] {
            let args = [&["dump-autoload", "-o"][..], strict].concat();
            let plain = scene.call(Side::Serial, &args).run();
            for round in 0..3 {
                // Files that were written just now are not trusted.
                std::thread::sleep(Duration::from_millis(50));
                let loud = [&args[..], &["-v"]].concat();
                let ours = scene.call(Side::Native, &loud).run();
                let case = format!("{args:?}, round {round}, an odd class: {has_odd_class}");
                assert_eq!(ours.exit, plain.exit, "{case}: {}", ours.stderr);
                assert_eq!(lines(&ours.stderr), lines(&plain.stderr), "{case}");
                assert_eq!(ours.stdout, plain.stdout, "{case}");
                let is_repeated = ours.stderr.contains("the autoloader is up to date");
                if round == 2 {
                    assert_eq!(is_repeated, ours.exit == 0, "{case}: {}", ours.stderr);
                }
            }
        }
    }
}

/// PHP ignores broken pipes, and the children of scripts inherit that.
#[test]
fn scripts_find_broken_pipes_ignored() {
    let Some(scene) = Scene::small() else { return };
    let script = r#"{"post-install-cmd": "(yes; echo $? >&2) | head -1"}"#;
    let played = |side| {
        scene.write_project();
        scene.edit_manifest(|manifest| {
            manifest.set("scripts", Json::parse(script).expect("JSON"));
        });
        scene.outcome(&scene.call(side, &["install"]))
    };
    let plain = played(Side::Serial);
    assert!(plain.run.stderr.contains("Broken pipe"), "{plain:?}");
    same("broken pipes", &plain, &played(Side::Native));
}

/// Composer looks at the format of an audit, at directories for temporary files and at its own
/// extensions before it does anything.
#[test]
fn circumstances_of_which_composer_complains() {
    let Some(scene) = Scene::small() else { return };
    let nowhere = scene.dir().join("nowhere");
    let scan_dir = ("PHP_INI_SCAN_DIR", scene.dir());
    for (args, variable) in [
        (&["install", "--audit-format=none"][..], None),
        (&["install"], Some(("TMPDIR", nowhere.as_path()))),
        (&["install"], Some(scan_dir)),
    ] {
        scene.forget_all();
        let played = |side| {
            scene.write_project();
            let mut call = scene.call(side, args);
            if let Some((name, value)) = variable {
                call = call.env(name, value);
            }
            scene.outcome(&call)
        };
        let what = format!("{args:?}, {variable:?}");
        same(&what, &played(Side::Serial), &played(Side::Native));
    }
}

/// The project's configuration says nothing about directories that get a `.htaccess`, and Composer
/// fails where `vendor-dir` leads through a directory that is missing.
#[test]
fn odd_directories() {
    let Some(scene) = Scene::small() else { return };
    for config in [
        r#""data-dir": "data", "cache-dir": "caches""#,
        r#""vendor-dir": "absent/../lib""#,
        r#""vendor-dir": "./lib/", "bin-dir": "absent/../bin""#,
    ] {
        let all = format!(r#"{{{config}, "autoloader-suffix": "Odd", "secure-http": false}}"#);
        let played = |side| {
            scene.forget_all();
            scene.write_project();
            scene.edit_manifest(|manifest| {
                manifest.set("config", Json::parse(&all).expect("JSON"));
            });
            scene.outcome(&scene.call(side, &["install"]))
        };
        same(config, &played(Side::Serial), &played(Side::Native));
    }
}

/// `--working-dir` works from a directory that is gone.
#[test]
fn a_working_directory_that_is_gone() {
    if !in_root(Path::new("/")).is_empty() {
        println!("skipped: the programs under test lie in a root directory of their own");
        return;
    }
    let Some(scene) = Scene::small() else { return };
    let project = scene.project();
    let option = format!("--working-dir={}", project.display());
    let played = |side| {
        scene.write_project();
        let call = scene.call(side, &["install", &option]);
        scene.outcome(&call.before("mkdir gone && cd gone && rmdir ../gone"))
    };
    let plain = played(Side::Serial);
    assert_eq!(plain.run.exit, 0, "{plain:?}");
    same("a directory that is gone", &plain, &played(Side::Native));
}

/// Composer finds a lock outdated that has no hash, or only that of the whole manifest.
#[test]
fn locks_without_a_content_hash() {
    let Some(scene) = Scene::small() else { return };
    let path = scene.project().join("composer.lock");
    for hash in ["", "\"content-hash\": \"\",", "\"hash\": \"0123\","] {
        let played = |side| {
            scene.write_project();
            let lock = fs::read_to_string(&path).expect("a lock");
            let lines = lock.lines().map(|line| {
                let is_hash = line.trim_start().starts_with("\"content-hash\"");
                if is_hash { hash } else { line }
            });
            fs::write(&path, lines.collect::<Vec<_>>().join("\n")).expect("written");
            scene.outcome(&scene.call(side, &["install"]))
        };
        let plain = played(Side::Serial);
        same(hash, &plain, &played(Side::Native));
    }
}
