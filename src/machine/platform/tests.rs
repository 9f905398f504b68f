//! Compares the check with Composer's own verification of made-up locks.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::too_many_lines
)]

use std::fs;
use std::path::Path;

use allegro_composer::json::Json;
use allegro_composer::package::{Alias, Link, Package};
use allegro_semver::version::{Dialect, normalize};
use fastrand::Rng;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Ignored, Question, Root, RootAlias, Verdict, check};
use crate::machine::run::succeeds;
use crate::machine::tests::{composers, probe, store};
use crate::machine::{Machine, PlatformPackage};
use crate::settings::Environment;

/// Reads the packages of a lock, as far as the locks of these tests need it.
fn packages(lock: &Json, key: &str, dialect: Dialect) -> Vec<Package> {
    lock.items_at(key)
        .iter()
        .map(|entry| package(entry, dialect))
        .collect()
}

fn package(entry: &Json, dialect: Dialect) -> Package {
    let text = |key: &str| entry.str_at(key).expect("text").to_owned();
    let pretty_version = text("version");
    let version = normalize(dialect, &pretty_version).expect("a version");
    let links = |key: &str| links(entry, key, &pretty_version);
    let alias = if entry.get("extra").is_some() {
        // The only branch alias of these tests is `1.x-dev`.
        Some("1.9999999.9999999.9999999-dev")
    } else if entry.get("default-branch").is_some() {
        Some("9999999-dev")
    } else {
        None
    };
    let name = text("name");
    Package {
        pretty_name: name.clone(),
        name,
        kind: "library".to_owned(),
        target_dir: None,
        source: None,
        dist: None,
        requires: links("require"),
        conflicts: links("conflict"),
        provides: links("provide"),
        replaces: links("replace"),
        dev_requires: Vec::new(),
        bins: Vec::new(),
        autoload: Json::Null,
        include_paths: Vec::new(),
        alias: alias.map(|version| Alias {
            version: version.to_owned(),
            pretty_version: version.to_owned(),
        }),
        notification_url: None,
        abandoned: None,
        has_funding: false,
        entry: entry.clone(),
        version,
        pretty_version,
    }
}

fn links(object: &Json, key: &str, version: &str) -> Vec<Link> {
    object
        .entries_at(key)
        .iter()
        .map(|(target, constraint)| Link {
            target: target.to_lowercase(),
            constraint: match constraint.as_str().expect("text") {
                "self.version" => version.to_owned(),
                text => text.to_owned(),
            },
        })
        .collect()
}

/// A project with a lock, and options of the command.
struct Case {
    manifest: Value,
    lock: Value,
    dev: bool,
    ignored: Value,
}

const NAMES: [&str; 6] = ["a/a", "a/b", "a/c", "a/d", "a/e", "root/root"];
const VIRTUAL: [&str; 3] = ["v/v", "v/w", "ext-virtual"];
const VERSIONS: [&str; 7] = [
    "1.0.0",
    "1.2.3",
    "v2.1.0",
    "2.0.0-beta1",
    "dev-main",
    "1.x-dev",
    "1.2.x-dev",
];

/// Returns a constraint that a version probably meets.
fn constraint(rng: &mut Rng, version: &str) -> String {
    if rng.u8(..25) == 0 {
        return rng
            .choice(["^3.0", "<0.5", "dev-other", "!=1.0"])
            .expect("one")
            .to_owned();
    }
    match version {
        "dev-main" => rng.choice(["dev-main", "*", "dev-main || ^1.0", "1.x-dev"]),
        "1.x-dev" | "1.2.x-dev" => rng.choice(["*", "^1.0@dev", ">=1.0", "1.x-dev", "1.2.x-dev"]),
        "v2.1.0" => rng.choice(["^2.0", "*", ">=1.5 <3", "2.1.*", "~2.0"]),
        "2.0.0-beta1" => rng.choice(["^2.0@beta", "*", ">=2.0-beta", "2.0.0-beta1"]),
        _ => rng.choice(["^1.0", "*", "1.*", ">=1.0,<2", "~1.0 || ^2.0", "!=1.1"]),
    }
    .expect("one")
    .to_owned()
}

fn platform_requirement(rng: &mut Rng) -> (&'static str, &'static str) {
    if rng.u8(..12) == 0 {
        return rng
            .choice([
                ("php", "<7"),
                ("php", "^9"),
                ("ext-nope", "*"),
                ("ext-json", "^99"),
                ("lib-nope", "*"),
                ("php-64bit", "<7"),
                ("composer-plugin-api", "^1.0"),
            ])
            .expect("one");
    }
    rng.choice([
        ("php", ">=7.2"),
        ("php", "^7.2 || ^8.0"),
        ("ext-json", "*"),
        ("ext-spl", ">=5"),
        ("lib-pcre", "*"),
        ("composer-runtime-api", "^2.0"),
        ("composer-plugin-api", "^2.0"),
        ("php-64bit", "*"),
        ("ext-zend-opcache", "*"),
    ])
    .expect("one")
}

fn case(seed: u64) -> Case {
    let mut rng = Rng::with_seed(seed);
    let count = rng.usize(1..=5);
    let chosen: Vec<(&str, &str)> = NAMES[..5]
        .iter()
        .take(count)
        .map(|name| (*name, rng.choice(VERSIONS).expect("one")))
        .collect();
    let version_of = |name: &str| {
        chosen
            .iter()
            .find(|(known, _)| *known == name)
            .map_or("1.0.0", |(_, version)| version)
    };
    let mut lists = [Vec::new(), Vec::new()];
    let mut aliases = Vec::new();
    for (name, version) in &chosen {
        let mut entry = json!({"name": name, "version": version, "type": "library"});
        entry["dist"] =
            json!({"type": "zip", "url": "https://example.org/a.zip", "reference": "a"});
        let mut requires = Map::new();
        for _ in 0..rng.usize(..3) {
            let all = [
                &chosen.iter().map(|(name, _)| *name).collect::<Vec<_>>()[..],
                &NAMES[5..],
                &VIRTUAL[..1],
            ]
            .concat();
            let target = rng.choice(all).expect("one");
            let wanted = if rng.u8(..6) == 0 {
                "self.version".to_owned()
            } else {
                constraint(&mut rng, version_of(target))
            };
            if target != *name {
                requires.insert(target.to_owned(), wanted.into());
            }
        }
        if rng.bool() {
            let (target, wanted) = platform_requirement(&mut rng);
            requires.insert(target.to_owned(), wanted.into());
        }
        entry["require"] = requires.into();
        for (key, chance) in [("provide", 3), ("replace", 6)] {
            if rng.u8(..chance) == 0 {
                let target = rng.choice(VIRTUAL).expect("one");
                let wanted = rng
                    .choice(["1.0.0", "self.version", "^1.0", "*"])
                    .expect("one");
                entry[key] = json!({target: wanted});
            }
        }
        if rng.u8(..4) == 0 {
            let target = rng
                .choice(["a/a", "a/b", "v/v", "php", "ext-json", "root/root", "x/x"])
                .expect("one");
            let wanted = rng
                .choice(["<0.9", "^9", "self.version", "dev-main", "^1.0", ">=100"])
                .expect("one");
            entry["conflict"] = json!({target: wanted});
        }
        if *version == "dev-main" {
            match rng.u8(..3) {
                0 => entry["extra"] = json!({"branch-alias": {"dev-main": "1.x-dev"}}),
                1 => entry["default-branch"] = true.into(),
                _ => {}
            }
            if rng.u8(..3) == 0 {
                aliases.push(json!({
                    "package": name, "version": "dev-main", "alias": "1.5.0",
                    "alias_normalized": "1.5.0.0",
                }));
            }
        }
        lists[usize::from(rng.u8(..4) == 0)].push(entry);
    }
    let least = rng
        .choice(["dev", "dev", "dev", "beta", "stable"])
        .expect("one");
    let mut flags = Map::new();
    for (name, _) in &chosen {
        if rng.u8(..if least == "dev" { 30 } else { 2 }) == 0 {
            let number = if least == "dev" { 5 } else { 20 };
            flags.insert((*name).to_owned(), number.into());
        }
    }
    let mut requires = [Map::new(), Map::new()];
    for (list, is_dev) in [(&lists[0], 0), (&lists[1], 1)] {
        for entry in list {
            let name = entry["name"].as_str().expect("text");
            if rng.u8(..3) > 0 {
                let place = if rng.u8(..40) == 0 { 0 } else { is_dev };
                let wanted = constraint(&mut rng, version_of(name));
                requires[place].insert(name.to_owned(), wanted.into());
            }
        }
    }
    if rng.u8(..20) == 0 {
        requires[0].insert("v/v".to_owned(), "*".into());
    }
    let mut platform = [Map::new(), Map::new()];
    for list in &mut platform {
        if rng.bool() {
            let (target, wanted) = platform_requirement(&mut rng);
            list.insert(target.to_owned(), wanted.into());
        }
    }
    for (requires, platform) in requires.iter_mut().zip(&platform) {
        requires.extend(platform.clone());
    }
    let mut manifest = json!({
        "name": "root/root", "version": "1.0.0", "repositories": [{"packagist.org": false}],
        "require": requires[0], "require-dev": requires[1],
    });
    for key in ["conflict", "provide", "replace"] {
        if rng.u8(..12) == 0 {
            let target = rng
                .choice(["a/a", "v/v", "php", "ext-json", "x/x"])
                .expect("one");
            manifest[key] = json!({target: rng.choice(["^1.0", "*", "<0.1"]).expect("one")});
        }
    }
    let lists: Vec<Value> = lists.into_iter().map(Value::from).collect();
    let mut lock = json!({
        "content-hash": "0", "packages": lists[0], "packages-dev": lists[1], "aliases": aliases,
        "minimum-stability": least, "stability-flags": flags, "prefer-stable": false,
        "prefer-lowest": false, "platform": platform[0], "platform-dev": platform[1],
    });
    if rng.u8(..4) == 0 {
        lock["platform-overrides"] = rng
            .choice([
                json!({"php": "7.4.3"}),
                json!({"php": "8.1", "ext-json": "1.0.0"}),
                json!({"ext-nope": "1.0", "ext-spl": false}),
                json!({"PHP": "7.3.0", "php-64bit": "7.1.0"}),
            ])
            .expect("one");
    }
    let ignored = match rng.u8(..8) {
        0 => true.into(),
        1 => json!(["ext-*", "php+"]),
        2 => json!(["php", "lib-*", "composer-plugin-api"]),
        _ => false.into(),
    };
    Case {
        manifest,
        lock,
        dev: rng.bool(),
        ignored,
    }
}

fn verdict(case: &Case, dialect: Dialect, platform: &[PlatformPackage]) -> Verdict {
    let json = |value: &Value| Json::parse(&value.to_string()).expect("JSON");
    let (manifest, lock) = (json(&case.manifest), json(&case.lock));
    let of_root = |key: &str| links(&manifest, key, "1.0.0");
    let [requires, dev_requires, conflicts, provides, replaces] =
        ["require", "require-dev", "conflict", "provide", "replace"].map(of_root);
    let [platform_requires, dev_platform_requires] =
        ["platform", "platform-dev"].map(|key| links(&lock, key, "1.0.0"));
    let flags: Vec<(String, u8)> = lock
        .entries_at("stability-flags")
        .iter()
        .filter_map(|(name, value)| match value {
            Json::Int(number) => Some((name.clone(), u8::try_from(*number).ok()?)),
            _ => None,
        })
        .collect();
    let aliases: Vec<RootAlias<'_>> = lock
        .items_at("aliases")
        .iter()
        .map(|alias| RootAlias {
            package: alias.str_at("package").expect("text"),
            version: alias.str_at("alias_normalized").expect("text"),
        })
        .collect();
    let ignored = match &case.ignored {
        Value::Bool(true) => Ignored::All,
        Value::Array(list) => {
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            Ignored::These(list.iter().map(text).collect())
        }
        _ => Ignored::None,
    };
    check(&Question {
        dialect,
        root: Root {
            name: "root/root",
            version: "1.0.0.0",
            alias: None,
            requires: &requires,
            dev_requires: &dev_requires,
            conflicts: &conflicts,
            provides: &provides,
            replaces: &replaces,
        },
        packages: &packages(&lock, "packages", dialect),
        dev_packages: &packages(&lock, "packages-dev", dialect),
        dev: case.dev,
        aliases: &aliases,
        minimum_stability: lock.str_at("minimum-stability").expect("text"),
        stability_flags: &flags,
        platform_requires: &platform_requires,
        dev_platform_requires: &dev_platform_requires,
        platform,
        overrides: lock.get("platform-overrides").unwrap_or(&Json::Null),
        ignored: &ignored,
    })
}

/// Returns cases that differ in one point from a lock that fits.
fn by_hand() -> Vec<(&'static str, Case, bool)> {
    let case = |change: fn(&mut Case)| {
        let dist = json!({"type": "zip", "url": "https://example.org/a.zip", "reference": "a"});
        let package =
            |name: &str, version: &str| json!({"name": name, "version": version, "dist": dist});
        let mut case = Case {
            manifest: json!({
                "name": "root/root", "version": "1.0.0", "repositories": [{"packagist.org": false}],
                "require": {"a/a": "^1.0", "php": ">=7"}, "require-dev": {"a/b": "*"},
            }),
            lock: json!({
                "content-hash": "0", "packages": [package("a/a", "1.2.3")],
                "packages-dev": [package("a/b", "dev-main")], "aliases": [],
                "minimum-stability": "stable", "stability-flags": {"a/b": 20},
                "prefer-stable": false, "prefer-lowest": false, "platform": {"php": ">=7"},
                "platform-dev": {},
            }),
            dev: true,
            ignored: false.into(),
        };
        change(&mut case);
        case
    };
    vec![
        ("nothing", case(|_| {}), true),
        (
            "a flag is missing",
            case(|case| case.lock["stability-flags"] = json!({})),
            false,
        ),
        (
            "the unstable package is not installed",
            case(|case| {
                case.lock["stability-flags"] = json!({});
                case.dev = false;
            }),
            true,
        ),
        (
            "a requirement is not met",
            case(|case| case.lock["packages"][0]["require"] = json!({"x/x": "*"})),
            false,
        ),
        (
            "a package for development meets a requirement",
            case(|case| case.lock["packages"][0]["require"] = json!({"a/b": "dev-main"})),
            true,
        ),
        (
            "a replaced package meets a requirement",
            case(|case| {
                case.lock["packages"][0]["require"] = json!({"v/v": "^1.2"});
                case.lock["packages-dev"][0]["replace"] = json!({"v/v": "1.2.0"});
            }),
            true,
        ),
        (
            "two packages replace the same one",
            case(|case| {
                case.lock["packages"][0]["replace"] = json!({"v/v": "*"});
                case.lock["packages-dev"][0]["replace"] = json!({"v/v": "*"});
            }),
            false,
        ),
        (
            "a package conflicts with another one",
            case(|case| case.lock["packages"][0]["conflict"] = json!({"a/b": "dev-main"})),
            false,
        ),
        (
            "an alias meets a requirement",
            case(|case| {
                case.lock["packages"][0]["require"] = json!({"a/b": "^1.4"});
                case.lock["aliases"] = json!([{
                    "package": "a/b", "version": "dev-main", "alias": "1.5.0",
                    "alias_normalized": "1.5.0.0",
                }]);
            }),
            true,
        ),
        (
            "a requirement of an alias is not met",
            case(|case| {
                case.lock["packages-dev"][0]["require"] = json!({"v/v": "self.version"});
                case.lock["packages"][0]["provide"] = json!({"v/v": "dev-main"});
                case.lock["packages-dev"][0]["extra"] =
                    json!({"branch-alias": {"dev-main": "1.x-dev"}});
            }),
            false,
        ),
        (
            "the platform is too old",
            case(|case| case.lock["packages"][0]["require"] = json!({"php": ">=99"})),
            false,
        ),
        (
            "the platform is overridden",
            case(|case| {
                case.lock["packages"][0]["require"] = json!({"php": "^99"});
                case.lock["platform-overrides"] = json!({"php": "99.1"});
            }),
            true,
        ),
        (
            "the platform lacks an extension by an override",
            case(|case| {
                case.lock["packages"][0]["require"] = json!({"ext-spl": "*"});
                case.lock["platform-overrides"] = json!({"ext-spl": false});
            }),
            false,
        ),
        (
            "the upper bound is ignored",
            case(|case| {
                case.lock["packages"][0]["require"] = json!({"php": "^7.0"});
                case.ignored = json!(["php+"]);
            }),
            true,
        ),
        (
            "everything of the platform is ignored",
            case(|case| {
                case.lock["packages"][0]["require"] = json!({"php": "<5", "ext-nope": "*"});
                case.ignored = true.into();
            }),
            true,
        ),
    ]
}

#[test]
fn each_rule_counts() {
    let package = |name: &str, version: &str| PlatformPackage {
        name: name.to_owned(),
        version: format!("{version}.0"),
        pretty_version: version.to_owned(),
        provides: Vec::new(),
        replaces: Vec::new(),
    };
    let platform = [package("php", "8.2.1"), package("ext-spl", "8.2.1")];
    for (name, case, fits) in by_hand() {
        let verdict = verdict(&case, Dialect::default(), &platform);
        assert_eq!(verdict == Verdict::Met, fits, "{name}: {verdict:?}");
    }
}

#[derive(Debug, Deserialize)]
struct Answer {
    code: i32,
    output: String,
}

/// Returns what Composer does with the projects.
fn ask(machine: &Machine, composer: &Path, at: &Path, cases: &[Case]) -> Vec<Answer> {
    let mut list = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let directory = at.join(index.to_string());
        fs::create_dir_all(&directory).expect("a directory");
        fs::write(directory.join("composer.json"), case.manifest.to_string()).expect("a file");
        fs::write(directory.join("composer.lock"), case.lock.to_string()).expect("a file");
        list.push(json!({"directory": directory, "dev": case.dev, "ignored": case.ignored}));
    }
    fs::write(at.join("cases.json"), Value::from(list).to_string()).expect("a file");
    let script = at.join("verify.php");
    fs::write(&script, include_str!("tests/verify.php")).expect("a file");
    let mut command = machine.command(machine.php.as_ref().expect("a PHP"), at);
    command
        .arg("-d")
        .arg(format!("auto_prepend_file={}", script.display()));
    command
        .arg(composer)
        .args(["--version", "--no-interaction"]);
    assert!(succeeds(command).expect("a run"));
    let codes = fs::read(at.join("codes.json")).expect("codes");
    serde_json::from_slice(&codes).expect("codes")
}

#[test]
fn locks_that_fit_are_those_that_composer_installs() {
    let count = std::env::var("ALLEGRO_TEST_CASES").ok();
    let count: u64 = count.and_then(|text| text.parse().ok()).unwrap_or(80);
    let by_hand = by_hand();
    let fits: Vec<bool> = by_hand.iter().map(|(_, _, fits)| *fits).collect();
    let by_hand = by_hand.into_iter().map(|(_, case, _)| case);
    let cases: Vec<Case> = by_hand.chain((0..count).map(case)).collect();
    for path in composers() {
        let (dir, store) = store();
        let machine = Machine::find(&Environment::PROCESS, Some(&path));
        let facts = probe(&machine, &store).composer.expect("a Composer");
        let answers = ask(
            &machine,
            &path,
            &dir.path().canonicalize().expect("a path"),
            &cases,
        );
        let (mut met, mut cautious) = (0, 0);
        for (index, (case, answer)) in cases.iter().zip(&answers).enumerate() {
            let verdict = verdict(case, facts.semver.into(), &facts.platform);
            if let Some(fits) = fits.get(index) {
                assert_eq!(answer.code == 0, *fits, "{} {index}", facts.version);
            }
            let about = || {
                format!(
                    "{} {index}: {}\n{}",
                    facts.version, case.manifest, case.lock
                )
            };
            match (&verdict, answer.code) {
                (Verdict::Met, 0) => met += 1,
                (Verdict::Met, code) => panic!("{code} {}\n{}", answer.output, about()),
                (Verdict::NotMet(reason), 0) => {
                    if std::env::var_os("ALLEGRO_TEST_VERBOSE").is_some() {
                        println!("{reason}\n{}", about());
                    }
                    cautious += 1;
                }
                _ => {}
            }
        }
        println!(
            "{}: {met} of {count} fit, {cautious} more for Composer",
            facts.version
        );
        assert!(met * 6 > count && cautious * 10 < count);
    }
}
