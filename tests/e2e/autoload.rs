//! Tests the autoloader. Its files are the same whatever packages declare and whatever happened
//! since the last dump. A dump that changes nothing writes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::{Duration, SystemTime};

use allegro_registry::{Catalog, FileSpec, Format, Json, Mode, ProjectOptions};

use crate::content::Traps;
use crate::support::packages::{dir, file, link};
use crate::support::{Engine, Outcome, Scene, SceneOptions, Side, home, same, skipped};

/// Returns the code of a class in a namespace.
fn class(namespace: &str, name: &str) -> String {
    format!("<?php\n\nnamespace {namespace};\n\nfinal class {name}\n{{\n}}\n")
}

/// Features of packages that make it hard to leave out a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Odd {
    /// No such feature.
    No,
    /// Links, for which looking at directories and files isn't enough.
    Links,
    /// Links, and a package with a target directory. With such a package no dump is left out.
    TargetDir,
}

/// Returns packages with every kind of autoload rule, and with code that is hard to read.
fn rules(odd: Odd) -> Traps {
    let links = odd != Odd::No;
    let mut traps = Traps::new();
    let zip = Format::Zip;
    traps.package(
        "auto/psr4",
        r#"{"autoload": {"psr-4": {"Auto\\Four\\": ["src/", "more"], "Auto\\Four\\Deep\\": "deep/", "Auto\\Gone\\": "gone/"},
            "exclude-from-classmap": ["/src/Tests/", "**/skip/*.php", "src/../more/Not*"]},
            "require": {"auto/psr0": "*"}}"#,
        true,
        zip,
        vec![
            file("src/One.php", &class("Auto\\Four", "One")),
            file("src/Sub/Two.php", &class("Auto\\Four\\Sub", "Two")),
            file("src/Sub/wrong.php", &class("Auto\\Four\\Sub", "Right")),
            file("src/Elsewhere.php", &class("Other", "Elsewhere")),
            file("src/Tests/OneTest.php", &class("Auto\\Four\\Tests", "OneTest")),
            file("src/skip/Skipped.php", &class("Auto\\Four\\skip", "Skipped")),
            file("src/kept/deeper/skip/a/Kept.php", &class("Auto\\Four\\kept\\deeper\\skip\\a", "Kept")),
            file("src/Twice.php", &format!("{}class Other {{}}\nclass Twice {{}}\n", class("Auto\\Four", "Twice"))),
            file("src/Enumeration.php", "<?php namespace Auto\\Four; enum Enumeration: string { case A = 'a'; }"),
            file("src/Old.inc", &class("Auto\\Four", "Old")),
            file("src/.hidden/Hidden.php", &class("Auto\\Four\\hidden", "Hidden")),
            file("src/CVS/Versioned.php", &class("Auto\\Four\\CVS", "Versioned")),
            file("more/One.php", &class("Auto\\Four", "One")),
            file("more/NotThis.php", &class("Auto\\Four", "NotThis")),
            file("deep/Three.php", &class("Auto\\Four\\Deep", "Three")),
        ]
        .into_iter()
        .chain(links.then(|| link("src/Linked.php", "One.php")))
        .chain(links.then(|| link("src/linked-dir", "../deep")))
        .collect(),
    );
    traps.package(
        "auto/psr0",
        r#"{"autoload": {"psr-0": {"Auto_Zero_": "lib/", "Zero\\": ["lib", "zero/"], "": "bare/"}}, "include-path": ["lib/"],
            "require": {"auto/psr4": "*"}}"#,
        true,
        zip,
        vec![
            file("lib/Auto/Zero/One.php", "<?php class Auto_Zero_One {}"),
            file("lib/Auto/Zero/Wrong.php", "<?php class Auto_Zero_Right {}"),
            file("lib/Zero/Under_Score.php", &class("Zero", "Under_Score")),
            file("lib/Zero/Under/Score.php", &class("Zero", "Under_Score")),
            file("zero/Zero/Two.php", &class("Zero", "Two")),
            file("bare/Bare.php", "<?php class Bare {}"),
        ],
    );
    traps.package(
        "auto/map",
        r#"{"autoload": {"classmap": ["src/", "single.php", "lib.inc", "data.txt"], "files": ["functions.php", "src/more.php"]}}"#,
        true,
        zip,
        vec![
            file("src/a.php", "<?php # class Commented {}\n/* class Commented2 {} */ class MapA {} interface MapB extends X {} trait MapC {}"),
            file("src/more.php", "<?php namespace Map { class D {} } namespace { class E {} function class_like() {} }"),
            file("src/heredoc.php", "<?php $x = <<<'EOT'\n class NotMe {}\n  EOT;\n$y = \"class Nor {}\"; class AfterHeredoc {}\n"),
            file("src/html.php", "class Html {}\n<?php if (true): ?>\nclass Html2 {}\n<?php endif; class InPhp {} ?>\nclass Html3 {}"),
            file("src/crlf.php", "<?php\r\nnamespace Map\\Crlf;\r\nabstract class\r\n  Cr\r\n{\r\n}\r\n"),
            file("src/anonymous.php", "<?php $a = new class extends MapA {}; $b = new class { const X = self::class; }; class Named {}"),
            file("src/halt.php", "<?php class Before {} __halt_compiler(); class Behind {}"),
            file("src/empty.php", ""),
            file("src/twice.php", "<?php class MapA {} if (1) { class Cond {} } else { class Cond {} }"),
            file("single.php", "<?php class Single {}"),
            file("lib.inc", "<?php class Inc {}"),
            file("data.txt", "<?php class Text {}"),
            file("functions.php", "<?php function auto_map_function() {}"),
        ],
    );
    if odd == Odd::TargetDir {
        traps.package(
        "auto/target",
        r#"{"autoload": {"psr-0": {"Target\\Dir": ""}, "classmap": ["Extra.php"]}, "target-dir": "Target/Dir"}"#,
        true,
        zip,
        vec![
            file("Thing.php", &class("Target\\Dir", "Thing")),
            file("Extra.php", "<?php class TargetExtra {}"),
        ],
    );
    }
    traps.package(
        "auto/dev",
        r#"{"autoload": {"psr-4": {"Auto\\Dev\\": ""}, "files": ["bootstrap.php"]}}"#,
        true,
        zip,
        vec![
            file("Thing.php", &class("Auto\\Dev", "Thing")),
            file("bootstrap.php", "<?php"),
        ],
    );
    traps
}

/// Adds the project's own rules: the root as a directory, paths outside, and a directory that does
/// not exist yet.
fn with_own_rules(scene: &Scene) {
    scene.edit_manifest(|manifest| {
        let rules = r#"{"psr-4": {"App\\": "app/", "Later\\": "later/", "Out\\": "../elsewhere/", "": "anything/"}, "psr-0": {"Root_": "roots"},
            "classmap": ["outside/../legacy/", "database", "../elsewhere/map", "ABSOLUTE/", "tool.phar"], "files": ["helpers.php"],
            "exclude-from-classmap": ["legacy/old/*", "../outside"]}"#;
        let absolute = scene.dir().join("absolute");
        let rules = rules.replace("ABSOLUTE", absolute.to_str().expect("UTF-8"));
        manifest.set("autoload", allegro_registry::parse_json(&rules, "rules").expect("JSON"));
        let rules = r#"{"psr-4": {"App\\Tests\\": "tests/"}, "classmap": ["tests/support.php"]}"#;
        manifest.set("autoload-dev", allegro_registry::parse_json(rules, "rules").expect("JSON"));
    });
    let project = scene.project();
    for (path, content) in [
        ("app/Model/User.php", class("App\\Model", "User")),
        ("app/Odd.php", class("Elsewhere", "Odd")),
        ("anything/Plain.php", "<?php class Plain {}".to_owned()),
        (
            "roots/Root/Thing.php",
            "<?php class Root_Thing {}".to_owned(),
        ),
        (
            "legacy/things.php",
            "<?php class Thing1 {} class Thing2 {}".to_owned(),
        ),
        ("legacy/old/gone.php", "<?php class GoneAway {}".to_owned()),
        (
            "legacy/dup.php",
            "<?php class Thing1 {} class MapA {}".to_owned(),
        ),
        ("outside/x.php", "<?php class Outside {}".to_owned()),
        ("database/seed.php", "<?php class Seed {}".to_owned()),
        ("tests/UserTest.php", class("App\\Tests", "UserTest")),
        ("tests/support.php", "<?php class Support {}".to_owned()),
        ("helpers.php", "<?php".to_owned()),
        ("../elsewhere/Side.php", class("Out", "Side")),
        (
            "../elsewhere/map/thing.php",
            "<?php class OutThing {}".to_owned(),
        ),
        (
            "../absolute/thing.php",
            "<?php class AbsoluteThing {}".to_owned(),
        ),
        ("tool.phar", "<?php class NotInAPhar {}".to_owned()),
    ] {
        let path = project.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, content).expect("a file");
    }
}

fn scene() -> Option<Scene> {
    rules(Odd::No).scene()
}

/// A step: its name, a change of the project, and the arguments of the following call.
type Step<'a> = (&'a str, &'a dyn Fn(&Path), &'a [&'a str]);

/// Installs, plays `steps` on one side, and returns the outcome after each of them.
fn play(scene: &Scene, side: Side, engine: Engine, steps: &[Step<'_>]) -> Vec<Outcome> {
    scene.write_project();
    with_own_rules(scene);
    let mut outcomes = vec![scene.outcome(&scene.call(side, &["install"]).engine(engine))];
    for (_, step, arguments) in steps {
        step(&scene.project());
        outcomes.push(scene.outcome(&scene.call(side, arguments).engine(engine)));
    }
    outcomes
}

fn compare_steps(scene: &Scene, engine: Engine, steps: &[Step<'_>]) {
    let plain = play(scene, Side::Serial, engine, steps);
    let ours = play(scene, Side::Allegro, engine, steps);
    let names = std::iter::once("install").chain(steps.iter().map(|step| step.0));
    for ((name, plain), ours) in names.zip(&plain).zip(&ours) {
        same(name, plain, ours);
    }
}

fn nothing(_: &Path) {}

#[test]
fn every_option_gives_the_same_files() {
    for odd in [Odd::No, Odd::TargetDir] {
        let Some(scene) = rules(odd).scene() else {
            return;
        };
        every_option(&scene);
    }
}

fn every_option(scene: &Scene) {
    let steps: Vec<Step<'_>> = vec![
        ("plain", &nothing, &["dump-autoload"]),
        ("optimized", &nothing, &["dump-autoload", "-o"]),
        ("optimized again", &nothing, &["dump-autoload", "-o"]),
        ("verbose", &nothing, &["dump-autoload", "-o", "-v"]),
        ("authoritative", &nothing, &["dump-autoload", "-a"]),
        (
            "without dev",
            &nothing,
            &["dump-autoload", "-o", "--no-dev"],
        ),
        (
            "without dev again",
            &nothing,
            &["dump-autoload", "-o", "--no-dev"],
        ),
        ("with dev", &nothing, &["dump-autoload", "-o", "--dev"]),
        (
            "apcu",
            &nothing,
            &["dump-autoload", "--apcu-prefix", "here"],
        ),
        (
            "apcu again",
            &nothing,
            &["dump-autoload", "--apcu-prefix", "here"],
        ),
        ("strict", &nothing, &["dump-autoload", "-o", "--strict-psr"]),
        (
            "strict again",
            &nothing,
            &["dump-autoload", "-o", "--strict-psr"],
        ),
        (
            "ambiguous classes",
            &nothing,
            &["dump-autoload", "-o", "--strict-ambiguous"],
        ),
        (
            "ambiguous classes again",
            &nothing,
            &["dump-autoload", "-o", "--strict-ambiguous"],
        ),
        (
            "strict install",
            &nothing,
            &["install", "-o", "--strict-psr-autoloader"],
        ),
        (
            "without platform",
            &nothing,
            &["dump-autoload", "--ignore-platform-reqs"],
        ),
        ("plain at last", &nothing, &["dump-autoload"]),
        ("dry", &nothing, &["dump-autoload", "-o", "--dry-run"]),
        ("install", &nothing, &["install", "-o"]),
        ("install again", &nothing, &["install", "-o"]),
        ("remove", &nothing, &["remove", "auto/dev", "-o"]),
    ];
    compare_steps(scene, Engine::Helper, &steps);
}

#[test]
fn the_extension_does_the_same() {
    if home::extension().is_none() {
        return skipped("the extension isn't built").unwrap_or(());
    }
    let Some(scene) = scene() else { return };
    let steps: Vec<Step<'_>> = vec![
        ("optimized", &nothing, &["dump-autoload", "-o"]),
        ("optimized again", &nothing, &["dump-autoload", "-o"]),
        ("without dev", &nothing, &["install", "-a", "--no-dev"]),
    ];
    compare_steps(&scene, Engine::Extension, &steps);
}

#[test]
fn settings_of_the_project_count() {
    let Some(scene) = scene() else { return };
    let config = |name: &'static str, value: &'static str| {
        move |project: &Path| {
            let path = project.join("composer.json");
            let mut manifest = allegro_registry::read_json(&path).expect("the manifest");
            let mut config = manifest.get("config").expect("a config").clone();
            config.set(
                name,
                allegro_registry::parse_json(value, "a value").expect("JSON"),
            );
            manifest.set("config", config);
            fs::write(&path, manifest.to_file_text()).expect("the manifest");
        }
    };
    let checks = config("platform-check", "true");
    let no_checks = config("platform-check", "false");
    let includes = config("use-include-path", "true");
    let prepends = config("prepend-autoloader", "false");
    let suffix = config("autoloader-suffix", "\"Other\"");
    let no_suffix = config("autoloader-suffix", "null");
    let authoritative = config("classmap-authoritative", "true");
    let dump: &[&str] = &["dump-autoload"];
    let steps: Vec<Step<'_>> = vec![
        ("platform check", &checks, dump),
        ("no platform check", &no_checks, dump),
        ("include path", &includes, dump),
        ("prepend", &prepends, dump),
        ("suffix", &suffix, dump),
        ("suffix carried over", &no_suffix, dump),
        ("suffix carried over again", &no_suffix, dump),
        ("authoritative", &authoritative, dump),
    ];
    compare_steps(&scene, Engine::Helper, &steps);
}

#[test]
fn a_fresh_clone_has_it_too() {
    let Some(scene) = rules(Odd::No).scene_with(true) else {
        return;
    };
    let steps: Vec<Step<'_>> = vec![
        ("optimized", &nothing, &["dump-autoload", "-o"]),
        (
            "without vendor",
            &|project| fs::remove_dir_all(project.join("vendor")).expect("removed"),
            &["install", "-o"],
        ),
        ("update", &nothing, &["update", "-a"]),
        ("without us", &nothing, &["remove", "allegro/plugin", "-o"]),
    ];
    compare_steps(&scene, Engine::Helper, &steps);
    scene.write_project();
    let run = scene.run(Side::Allegro, &["install", "-o", "-v"]).expect(0);
    assert!(
        run.ours().iter().any(|line| line.contains("class map of ")),
        "{}",
        run.stderr
    );
}

/// Edits a file and restores its modification time.
fn keeping_time(path: &Path, edit: impl FnOnce(&Path)) {
    let time = fs::metadata(path)
        .expect("a file")
        .modified()
        .expect("a time");
    edit(path);
    fs::File::options()
        .write(true)
        .open(path)
        .expect("a file")
        .set_modified(time)
        .expect("a time");
}

/// Writes into the file itself, as an editor does that keeps the inode.
fn overwrite(path: &Path, content: &str) {
    // The copy breaks a hard link into the store, which the edit must not reach.
    let copy = fs::read(path).expect("a file");
    fs::remove_file(path).expect("removed");
    fs::write(path, copy).expect("a copy");
    fs::write(path, content).expect("edited");
}

#[test]
fn no_answer_is_stale() {
    for odd in [Odd::Links, Odd::TargetDir] {
        let Some(scene) = rules(odd).scene() else {
            return;
        };
        no_answer(&scene);
    }
}

fn no_answer(scene: &Scene) {
    let one = "vendor/auto/psr4/src/One.php";
    let edit = |project: &Path| {
        overwrite(
            &project.join(one),
            &class("Auto\\Four", "One").replace("final class One", "class Uno"),
        )
    };
    let same_size = |project: &Path| {
        keeping_time(&project.join(one), |path| {
            fs::write(
                path,
                class("Auto\\Four", "One").replace("final class One", "class Due"),
            )
            .expect("edited");
        });
    };
    // Two edits follow each other within one tick of the clock, and the time is restored.
    let twice = |project: &Path| {
        keeping_time(&project.join(one), |path| {
            for name in ["Tre", "One"] {
                fs::write(
                    path,
                    class("Auto\\Four", "One").replace("final class One", &format!("class {name}")),
                )
                .expect("edited");
            }
        });
    };
    let swap = |project: &Path| {
        let (a, b) = (
            project.join("vendor/auto/psr4/src/Sub/Two.php"),
            project.join("app/Model/User.php"),
        );
        let aside = project.join("aside");
        fs::rename(&a, &aside).expect("moved");
        fs::rename(&b, &a).expect("moved");
        fs::rename(&aside, &b).expect("moved");
    };
    let touch = |project: &Path| {
        fs::File::options()
            .write(true)
            .open(project.join("vendor/auto/psr0/bare/Bare.php"))
            .expect("a file")
            .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000))
            .expect("a time");
    };
    let add = |project: &Path| {
        fs::write(
            project.join("vendor/auto/psr4/src/New.php"),
            class("Auto\\Four", "New"),
        )
        .expect("added")
    };
    let delete = |project: &Path| {
        fs::remove_file(project.join("vendor/auto/psr4/src/New.php")).expect("removed")
    };
    let rename = |project: &Path| {
        fs::rename(
            project.join("vendor/auto/map/src/a.php"),
            project.join("vendor/auto/map/src/z.php"),
        )
        .expect("renamed");
    };
    let later = |project: &Path| {
        fs::create_dir(project.join("later")).expect("a directory");
        fs::write(project.join("later/Now.php"), class("Later", "Now")).expect("a file");
    };
    let gone = |project: &Path| {
        fs::remove_dir_all(project.join("vendor/auto/psr0/zero")).expect("removed")
    };
    let retarget = |project: &Path| {
        let path = project.join("vendor/auto/psr4/src/linked-dir");
        fs::remove_file(&path).expect("removed");
        symlink("../more", &path).expect("a link");
    };
    let restore = |project: &Path| {
        // A backup restores a directory with its old times.
        let dir = project.join("vendor/auto/psr0");
        let copy = project.join("copy");
        let status = Command::new("cp")
            .arg("-a")
            .args([&dir, &copy])
            .status()
            .expect("cp");
        assert!(status.success());
        fs::write(
            copy.join("lib/Auto/Zero/One.php"),
            "<?php class Auto_Zero_Two {}",
        )
        .expect("edited");
        fs::remove_dir_all(&dir).expect("removed");
        fs::rename(&copy, &dir).expect("restored");
    };
    let spoil = |project: &Path| {
        fs::write(
            project.join("vendor/composer/autoload_static.php"),
            "<?php // spoilt",
        )
        .expect("spoilt")
    };
    let lose = |project: &Path| {
        fs::remove_file(project.join("vendor/composer/autoload_classmap.php")).expect("removed")
    };
    let unread = |project: &Path| {
        fs::write(
            project.join("vendor/auto/map/src/data.php"),
            b"<?php class Late\x80 {} class Ra\xff {}",
        )
        .expect("odd")
    };
    let whole = |project: &Path| {
        // This rule covers everything below the project, including vendor and the generated files.
        let path = project.join("composer.json");
        let text = fs::read_to_string(&path)
            .expect("the manifest")
            .replace("\"roots\"", "\"\"");
        fs::write(&path, text).expect("the manifest");
    };
    let dump: &[&str] = &["dump-autoload", "-o"];
    let steps: Vec<Step<'_>> = vec![
        ("at first", &nothing, dump),
        ("edited", &edit, dump),
        ("edited to the same size and time", &same_size, dump),
        ("edited twice in a tick", &twice, dump),
        ("nothing", &nothing, dump),
        ("two files swapped", &swap, dump),
        ("touched", &touch, dump),
        ("added", &add, dump),
        ("deleted", &delete, dump),
        ("renamed", &rename, dump),
        ("a directory comes into being", &later, dump),
        ("a directory goes", &gone, dump),
        ("a link leads elsewhere", &retarget, dump),
        ("restored from a backup", &restore, dump),
        ("a generated file is spoilt", &spoil, dump),
        ("a generated file is lost", &lose, dump),
        ("a file with odd names", &unread, dump),
        ("reinstalled", &nothing, &["reinstall", "auto/psr4", "-o"]),
        ("at last", &nothing, dump),
        ("the whole project", &whole, dump),
        ("the whole project again", &nothing, dump),
    ];
    compare_steps(scene, Engine::Helper, &steps);
}

#[test]
fn nothing_is_read_twice() {
    // The packages contain links. They must not cause a second look at everything either.
    let Some(scene) = rules(Odd::Links).scene() else {
        return;
    };
    scene.write_project();
    with_own_rules(&scene);
    let say = |arguments: &[&str]| -> Vec<String> {
        let run = scene.run(Side::Allegro, arguments).expect(0);
        run.ours()
            .into_iter()
            .filter(|line| line.contains("class map") || line.contains("autoloader"))
            .map(str::to_owned)
            .collect()
    };
    let settle = || std::thread::sleep(Duration::from_millis(50));
    let read = |lines: &[String]| -> usize {
        let [line] = lines else {
            panic!("one line: {lines:?}")
        };
        let number = line
            .rsplit(", ")
            .next()
            .and_then(|part| part.split(' ').next());
        number
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("{line}"))
    };
    settle();
    let first = read(&say(&["install", "-o", "-v"]));
    assert!(first > 20, "{first}");
    // Packages are in the order of their installation at first, and in the order of their names
    // later, which is another input. Links made within a tick of the first scan are read once more.
    settle();
    assert!(read(&say(&["dump-autoload", "-o", "-v"])) <= first);
    let up_to_date = ["Allegro: the autoloader is up to date".to_owned()];
    assert_eq!(say(&["dump-autoload", "-o", "-v"]), up_to_date);
    assert_eq!(say(&["install", "-o", "-v"]), up_to_date);
    // The walk alone tells that nothing changed, so this dump needs no records. A scan would write
    // them again.
    let kept = |kind: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(scene.bucket("autoload").expect("records")).expect("records");
        entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == kind))
            .collect()
    };
    let [records] = &kept("records")[..] else {
        panic!("one project: {:?}", kept("records"))
    };
    let bytes = fs::read(records).expect("records");
    fs::remove_file(records).expect("removed");
    assert_eq!(say(&["dump-autoload", "-o", "-v"]), up_to_date);
    assert_eq!(kept("records"), Vec::<PathBuf>::new());
    fs::write(records, bytes).expect("records");
    // Another kind of dump uses the same records of files.
    assert_eq!(read(&say(&["dump-autoload", "-a", "-v"])), 0);
    assert_eq!(read(&say(&["dump-autoload", "-v"])), 0);
    assert_eq!(read(&say(&["dump-autoload", "-o", "-v"])), 0);
    fs::write(scene.project().join("app/New.php"), class("App", "New")).expect("a file");
    settle();
    assert_eq!(read(&say(&["dump-autoload", "-o", "-v"])), 1);
    assert_eq!(say(&["dump-autoload", "-o", "-v"]), up_to_date);
}

/// Returns inode and change time of every file that a dump generates.
fn generated(project: &Path) -> BTreeMap<String, (u64, i64, i64)> {
    let mut files = BTreeMap::new();
    for dir in ["vendor", "vendor/composer"] {
        for entry in fs::read_dir(project.join(dir))
            .expect("a directory")
            .flatten()
        {
            let metadata = entry.metadata().expect("metadata");
            let name = entry.file_name().to_string_lossy().into_owned();
            if metadata.is_file() {
                files.insert(
                    format!("{dir}/{name}"),
                    (metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
                );
            }
        }
    }
    files
}

#[test]
fn what_does_not_change_is_not_written() {
    let Some(scene) = scene() else { return };
    scene.write_project();
    with_own_rules(&scene);
    let run = |arguments: &[&str]| drop(scene.run(Side::Allegro, arguments).expect(0));
    run(&["install", "-o"]);
    let first = generated(&scene.project());
    run(&["dump-autoload", "-o"]);
    run(&["install", "-o"]);
    assert_eq!(first, generated(&scene.project()), "nothing changed");
    // A new class changes the class map and the static file, and nothing else.
    fs::write(scene.project().join("app/New.php"), class("App", "New")).expect("a file");
    run(&["dump-autoload", "-o"]);
    let second = generated(&scene.project());
    let changed: Vec<&str> = second
        .iter()
        .filter(|(name, state)| first.get(*name) != Some(state))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        changed,
        [
            "vendor/composer/autoload_classmap.php",
            "vendor/composer/autoload_static.php"
        ]
    );
    let is_new = |name: &str| first[name].0 != second[name].0;
    assert!(
        changed.into_iter().all(is_new),
        "changed files are replaced, not rewritten"
    );
}

#[test]
fn a_dump_that_is_killed_leaves_an_autoloader_that_works() {
    let Some(scene) = scene() else { return };
    scene.write_project();
    with_own_rules(&scene);
    drop(scene.run(Side::Allegro, &["install"]).expect(0));
    let works = |round: u64| {
        let status = Command::new(home::php())
            .current_dir(scene.project())
            .args(["-r", "require 'vendor/autoload.php'; exit(class_exists('Auto\\Four\\Sub\\Two') && class_exists('MapA') ? 0 : 1);"])
            .status()
            .expect("PHP");
        assert!(status.success(), "round {round}");
    };
    let mut gone = 0;
    for round in 0..30_u64 {
        // Each round writes everything anew: other platform checks and other maps.
        fs::write(
            scene.project().join("app/New.php"),
            class("App", &format!("New{round}")),
        )
        .expect("a file");
        let arguments: &[&str] = match round % 3 {
            0 => &["dump-autoload", "-o", "--ignore-platform-reqs"],
            1 => &["dump-autoload", "-a"],
            _ => &["dump-autoload"],
        };
        let mut child = scene
            .call(Side::Allegro, arguments)
            .command()
            .spawn()
            .expect("Composer");
        std::thread::sleep(Duration::from_millis(60 + 9 * round));
        let _ = child.kill();
        let _ = child.wait();
        gone = child.id();
        works(round);
    }
    drop(scene.run(Side::Allegro, &["dump-autoload", "-o"]).expect(0));
    works(99);
    // A dump removes temporary files of killed dumps, and keeps those of running ones.
    let left = || -> Vec<String> {
        generated(&scene.project())
            .into_keys()
            .filter(|name| name.contains("/."))
            .collect()
    };
    assert_eq!(left(), Vec::<String>::new());
    let ours = format!("vendor/.autoload.php.allegro-{:x}-01234567", process::id());
    let theirs = [
        format!("vendor/.autoload.php.allegro-{gone:x}-01234567"),
        format!("vendor/composer/.autoload_real.php.allegro-{gone:x}-89abcdef"),
    ];
    let put = || {
        for name in theirs.iter().chain([&ours]) {
            fs::write(scene.project().join(name), "<?php").expect("a file");
        }
    };
    // The first of these dumps changes files. The second one finds nothing to change.
    for _ in 0..2 {
        put();
        drop(scene.run(Side::Allegro, &["dump-autoload"]).expect(0));
        assert_eq!(left(), [ours.as_str()]);
    }
}

#[test]
fn two_packages_of_one_name_go_by_readdir() {
    let mut traps = Traps::new();
    let many: Vec<FileSpec> = (0..40)
        .map(|number| {
            file(
                &format!("src/{:x}.php", number * 7919 % 1000),
                "<?php class Same {} class Other {}",
            )
        })
        .chain([file("src/Tests/Same.php", "<?php class Same {}")])
        .collect();
    traps.package(
        "auto/many",
        r#"{"autoload": {"classmap": ["src/"]}}"#,
        true,
        Format::Zip,
        many,
    );
    let Some(scene) = traps.scene() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let text = |outcome: &Outcome| {
        outcome
            .tree
            .text("vendor/composer/autoload_classmap.php")
            .expect("a class map")
            .to_owned()
    };
    // The file system decides the order of entries, so the dump runs in the existing directory,
    // whichever side made it.
    drop(scene.run(Side::Allegro, &["dump-autoload"]).expect(0));
    let ours = scene.outcome(&scene.call(Side::Allegro, &["dump-autoload"]));
    assert_eq!(text(&plain), text(&ours));
    let plain = scene.outcome(&scene.call(Side::Serial, &["dump-autoload"]));
    same("the same directory", &plain, &ours);
}
