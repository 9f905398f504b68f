//! Compares dumps with those of Composer's own classes, byte for byte.
//!
//! Composer is the installed one, and each one that `ALLEGRO_TEST_COMPOSERS` names (see
//! CONTRIBUTING.md). `ALLEGRO_TEST_LOCKS` names directories with real projects, separated by
//! colons. `ALLEGRO_TEST_DUMPS` is the number of projects that are made up.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs
)]

#[path = "dump/made_up.rs"]
mod made_up;
#[path = "dump/project.rs"]
mod project;

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use allegro_composer::Unfamiliar;
use allegro_composer::json::Json;
use allegro_vendor::autoload::{Rendered, Traits, plan};
use allegro_vendor::classmap::scan::{Classes, Memory, survey};
use allegro_vendor::classmap::walk::Found;
use allegro_vendor::classmap::{Dialect, Scan};
use project::Case;

/// A Composer to compare with.
struct Composer {
    autoloader: PathBuf,
    traits: Traits,
    dialect: Dialect,
}

struct Forgetful;

impl Memory for Forgetful {
    fn recall(&self, _: &Found) -> Option<Classes<'_>> {
        None
    }
}

fn ask(autoloader: &Path, lines: &str) -> Vec<Json> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dump/dump.php");
    let mut php = Command::new("php")
        .args(["-d", "memory_limit=-1"])
        .arg(script)
        .arg(autoloader)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = php.stdin.take().unwrap();
    let lines = lines.to_owned();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = php.wait_with_output().unwrap();
    let written = writer.join().unwrap();
    assert!(output.status.success(), "PHP ends with {}", output.status);
    written.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| Json::parse(line).unwrap_or_else(|_| panic!("PHP says: {text}")))
        .collect()
}

/// All Composers that are there.
fn composers() -> Vec<Composer> {
    if Command::new("php").arg("--version").output().is_err() {
        return Vec::new();
    }
    let mut autoloaders = vec![PathBuf::from("/usr/share/php/Composer/autoload.php")];
    let named = env::var("ALLEGRO_TEST_COMPOSERS").unwrap_or_default();
    autoloaders.extend(
        named
            .split(':')
            .map(|tree| Path::new(tree).join("vendor/autoload.php")),
    );
    autoloaders.retain(|autoloader| autoloader.is_file());
    autoloaders.into_iter().map(composer).collect()
}

fn composer(autoloader: PathBuf) -> Composer {
    let told = ask(&autoloader, "").remove(0);
    let number = match told.get("php") {
        Some(Json::Int(number)) => u32::try_from(*number).unwrap(),
        _ => panic!("{told:?}"),
    };
    // A source tree doesn't know its version, which is then the name of its directory.
    let version = match told.str_at("version").unwrap() {
        "@package_version@" => autoloader.ancestors().nth(2).unwrap().file_name().unwrap(),
        version => version.as_ref(),
    };
    let traits = Traits::of(version.to_str().unwrap()).unwrap();
    let generator = told.str_at("generator").unwrap_or_default();
    let traits = traits.with_generator(generator).unwrap_or(traits);
    Composer {
        autoloader,
        traits,
        dialect: Dialect {
            php: number,
            short_open_tag: told.get("short_open_tag") == Some(&Json::Bool(true)),
            backslash_guards: traits.backslash_guards,
        },
    }
}

/// Makes a dump natively.
fn native(case: &Case, composer: &Composer) -> Result<Rendered, Unfamiliar> {
    case.with_input(|input| {
        let plan = plan(input, &composer.traits)?;
        plan.render(&scan(plan.rules(), case, composer)?)
    })
}

fn scan(
    rules: &[allegro_vendor::classmap::ScanRule],
    case: &Case,
    composer: &Composer,
) -> Result<Scan, Unfamiliar> {
    let cwd = case.base.to_str().unwrap();
    let cancel = AtomicBool::new(false);
    let declined = |declined: allegro_vendor::classmap::walk::Declined| {
        Unfamiliar(format!("declined: {}", declined.0))
    };
    let survey = survey(rules, cwd, composer.dialect, &Forgetful, &cancel).map_err(declined)?;
    survey.decide(rules, composer.traits.scan).map_err(declined)
}

#[derive(Default)]
struct Tally {
    same: usize,
    left: usize,
}

/// Compares dumps. Composer overwrites the existing files after the native dump has read them.
fn compare(composer: &Composer, cases: &[Case]) -> Tally {
    let natives: Vec<_> = cases.iter().map(|case| native(case, composer)).collect();
    let lines: Vec<String> = cases.iter().map(Case::to_line).collect();
    let answers = ask(&composer.autoloader, &format!("{}\n", lines.join("\n")));
    assert_eq!(answers.len(), cases.len() + 1);
    let name = composer.autoloader.display();
    let mut tally = Tally::default();
    for (((case, native), answer), line) in cases.iter().zip(natives).zip(&answers[1..]).zip(&lines)
    {
        let rendered = match native {
            Ok(rendered) => rendered,
            Err(Unfamiliar(reason)) => {
                if env::var_os("ALLEGRO_TEST_REASONS").is_some() {
                    eprintln!("{reason}: {:?}", answer.str_at("error"));
                }
                tally.left += 1;
                continue;
            }
        };
        assert_eq!(answer.str_at("error"), None, "{name}: {line}");
        for (path, text) in &rendered.files {
            let theirs = fs::read_to_string(case.vendor.join(path)).ok();
            if theirs != *text {
                let ours = env::temp_dir().join("allegro-dump-ours.txt");
                fs::write(&ours, text.clone().unwrap_or_default()).unwrap();
                panic!(
                    "{name}: {path} differs, ours is in {}: {theirs:?}\n{line}",
                    ours.display()
                );
            }
        }
        let messages: Vec<&str> = answer
            .items_at("messages")
            .iter()
            .filter_map(Json::as_str)
            .collect();
        assert_eq!(rendered.messages, messages, "{name}: {line}");
        let classes = i64::try_from(rendered.classes).unwrap();
        assert_eq!(answer.get("classes"), Some(&Json::Int(classes)), "{line}");
        tally.same += 1;
    }
    tally
}

#[test]
fn made_up_projects_are_dumped_as_composer_does() {
    let composers = composers();
    if composers.is_empty() {
        eprintln!("skipped: PHP or the classes of Composer aren't there");
        return;
    }
    let count = env::var("ALLEGRO_TEST_DUMPS").map_or(60, |count| count.parse().unwrap());
    let seed = env::var("ALLEGRO_TEST_SEED").map_or(7, |seed| seed.parse().unwrap());
    for composer in &composers {
        let mut random = fastrand::Rng::with_seed(seed);
        let scratch = tempfile::tempdir().unwrap();
        let scratch = scratch.path().canonicalize().unwrap();
        let cases: Vec<Case> = (0..count)
            .map(|number| made_up::project(&mut random, &scratch.join(number.to_string())))
            .collect();
        let tally = compare(composer, &cases);
        let name = composer.autoloader.display();
        eprintln!("{name}: {} same, {} left", tally.same, tally.left);
        assert!(tally.same * 5 > count, "{name}: too many are left");
    }
}

/// The packages of a lock in the order of their names, as after reading `installed.json`.
fn locked(directory: &Path, scratch: &Path, dev: bool, optimize: bool) -> Case {
    let read =
        |name: &str| Json::parse(&fs::read_to_string(directory.join(name)).unwrap()).unwrap();
    let (mut root, lock) = (read("composer.json"), read("composer.lock"));
    let (base, vendor) = (scratch.to_owned(), scratch.join("vendor"));
    let dev_names = lock
        .items_at("packages-dev")
        .iter()
        .map(|entry| entry.str_at("name").unwrap().to_lowercase())
        .collect();
    let mut packages: Vec<(Json, Option<String>)> = lock
        .items_at("packages")
        .iter()
        .chain(lock.items_at("packages-dev"))
        .map(|entry| {
            let mut entry = entry.clone();
            // Aliases are no matter of the dump.
            entry.remove("extra");
            entry.remove("default-branch");
            let name = entry.str_at("name").unwrap();
            let target = entry
                .str_at("target-dir")
                .map_or_else(String::new, |directory| format!("/{directory}"));
            let path = (entry.str_at("type") != Some("metapackage"))
                .then(|| format!("{}/{name}{target}", vendor.display()));
            (entry, path)
        })
        .collect();
    packages.sort_by_key(|(entry, _)| entry.str_at("name").unwrap().to_owned());
    root.remove("extra");
    root.remove("version");
    let case = Case {
        base,
        vendor,
        config: Json::Object(vec![("platform-check".to_owned(), Json::Bool(true))]),
        root,
        packages,
        dev,
        dev_names,
        optimize,
        authoritative: false,
        apcu_prefix: None,
        ignored: Json::Bool(false),
        hash: lock.str_at("content-hash").map(str::to_owned),
    };
    let text = "ComposerAutoloaderInitFormer::getLoader();";
    case.make_directories();
    fs::write(case.vendor.join("autoload.php"), text).unwrap();
    case
}

#[test]
fn real_projects_are_dumped_as_composer_does() {
    let named = env::var("ALLEGRO_TEST_LOCKS").unwrap_or_default();
    let directories: Vec<&str> = named.split(':').filter(|name| !name.is_empty()).collect();
    if directories.is_empty() {
        eprintln!("skipped: ALLEGRO_TEST_LOCKS names no projects");
        return;
    }
    let composers = composers();
    let scratch = tempfile::tempdir().unwrap();
    let scratch = scratch.path().canonicalize().unwrap();
    for (number, directory) in directories.iter().enumerate() {
        let cases: Vec<Case> = [(true, true), (false, false)]
            .into_iter()
            .map(|(dev, optimize)| {
                let project = scratch.join(format!("{number}-{dev}"));
                fs::create_dir_all(&project).unwrap();
                locked(Path::new(directory), &project, dev, optimize)
            })
            .collect();
        for composer in &composers {
            let tally = compare(composer, &cases);
            let name = composer.autoloader.display();
            eprintln!(
                "{directory}, {name}: {} same, {} left",
                tally.same, tally.left
            );
        }
    }
}

/// Returns the time that this thread has run.
fn on_processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

/// Returns the result of some work, and the time of this thread.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = on_processor();
    let result = work();
    (result, on_processor().saturating_sub(start))
}

/// Prints the processor time that a dump takes without the scan.
#[test]
#[ignore = "measures"]
fn speed() {
    let directory = env::var("ALLEGRO_TEST_LOCKS").unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let scratch = scratch.path().canonicalize().unwrap();
    let case = locked(Path::new(&directory), &scratch, true, true);
    let traits = Traits::of("2.10.2").unwrap();
    let vendor = case.vendor.to_str().unwrap();
    let classes = 50_000;
    let name = |number| format!("Some\\Package{}\\Class{number}", number % 1_500);
    let scan = Scan {
        files: (0..classes)
            .map(|number| format!("{vendor}/some/package/src/Class{number}.php").into())
            .collect(),
        names: (0..classes).map(name).collect(),
        at: (0..classes).collect(),
        ..Scan::default()
    };
    for optimize in [false, true] {
        let mut case = locked(Path::new(&directory), &scratch, true, optimize);
        case.optimize = optimize;
        case.with_input(|input| {
            for _ in 0..12 {
                let (plan, planned) = timed(|| plan(input, &traits).unwrap());
                let (_, plain) = timed(|| plan.render(&Scan::default()).unwrap());
                let (_, all) = timed(|| plan.render(&scan).unwrap());
                eprintln!(
                    "{} packages, {} rules: planned {planned:?}, plain {plain:?}, {classes} \
                     classes {all:?}",
                    case.packages.len(),
                    plan.rules().len()
                );
            }
        });
    }
}
