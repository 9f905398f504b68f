//! Compares reports with those of Composer's own classes.
//!
//! `ALLEGRO_TEST_COMPOSERS` may name further source trees of Composer, separated by colons.

#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::path::Path;
use std::process::Command;

use allegro_composer::config::{Config, Directories, Probes, Release};
use allegro_composer::dialect::Dialect;
use allegro_composer::package::Package;

use super::*;
use crate::protocol::prepare::PackageAnswer;

const PACKAGIST_URL: &str = "https://packagist.org/downloads/";

/// A package with its pretty version, version, URL, and the size of its download.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<u64>,
);

const CASES: [&[Case]; 6] = [
    &[],
    &[("a/a", "1.0", "1.0.0.0", None, Some(1))],
    &[
        (
            "Vendor/Pack-Age",
            "v1.2.3",
            "1.2.3.0",
            Some(PACKAGIST_URL),
            Some(12_345),
        ),
        (
            "b/b",
            "dev-feature/x",
            "dev-feature/x",
            Some(PACKAGIST_URL),
            None,
        ),
        (
            "c/c",
            "dev-ünï",
            "dev-ünï",
            Some("https://example.org/d/"),
            Some(3),
        ),
        (
            "d/d",
            "1.0-beta1",
            "1.0.0.0-beta1",
            Some(PACKAGIST_URL),
            Some(0),
        ),
    ],
    &[
        (
            "a/a",
            "2.0 & ~more+_-.",
            "2.0.0.0",
            Some("https://example.org/%package%/x"),
            Some(1),
        ),
        (
            "b/b",
            "dev-a/b#ü",
            "dev-a/b",
            Some("https://example.org/%package%/x"),
            None,
        ),
        (
            "c/c",
            "1.0",
            "1.0.0.0",
            Some("https://example.org/d/?a=b"),
            None,
        ),
        (
            "D/D",
            "1",
            "1.0.0.0",
            Some("https://h.packagist.org/%package%/%package%.json"),
            None,
        ),
    ],
    &[
        (
            "a/a",
            "1.0",
            "1.0.0.0",
            Some("https://example.org/packagist.org/d"),
            Some(7),
        ),
        (
            "b/b",
            "1.0",
            "1.0.0.0",
            Some("https://packagist.org"),
            Some(7),
        ),
    ],
    &[
        ("z/z", "1.0", "1.0.0.0", Some("https://b.org/"), None),
        ("y/y", "1.0", "1.0.0.0", Some("https://a.org/"), None),
        ("x/x", "1.0", "1.0.0.0", Some("https://b.org/"), None),
    ],
];

fn packages(cases: &[Case]) -> Vec<Package> {
    let package = |(name, pretty, version, url, _): &Case| {
        let mut entry = Json::object();
        entry.set("name", Json::str(*name));
        entry.set("version", Json::str("1.0"));
        let mut package = Package::load(entry, Dialect::default()).expect("a package");
        package.pretty_version = (*pretty).to_owned();
        package.version = (*version).to_owned();
        package.notification_url = url.map(str::to_owned);
        package
    };
    cases.iter().map(package).collect()
}

fn access(manifest: &str) -> Access {
    let environment = |name: &str| (name == "HOME").then(|| "/home".to_owned());
    let probes = Probes {
        environment: &environment,
        has_xdg_variable: false,
        is_dir: &|_| false,
        is_macos: false,
    };
    let directories = Directories::choose(&probes).expect("directories");
    let release = Release::parse("2.10.2").expect("a release");
    let mut config = Config::new(release, &environment, "/project", &directories);
    let manifest = Json::parse(manifest).expect("JSON");
    config.merge(&manifest, "composer.json").expect("merged");
    Access::new(&mut config).expect("an access")
}

/// Returns the requests as a text.
fn requests(cases: &[Case]) -> Vec<String> {
    let packages = packages(cases);
    let planned = Notifications::of(packages.iter(), &mut access("{}"), true).expect("a plan");
    let sizes = cases.iter().filter_map(|case| Some((case.0, case.4?)));
    let sizes: Vec<(String, u64)> = sizes
        .map(|(name, size)| (name.to_lowercase(), size))
        .collect();
    let sizes = sizes
        .iter()
        .map(|(name, size)| (name.as_str(), *size))
        .collect();
    planned
        .0
        .iter()
        .map(|planned| {
            let report = planned.report(&sizes);
            assert_eq!(report.headers, [""; 0]);
            format!(
                "{} {} {} {}",
                report.url,
                report.content_type,
                report.body,
                report.timeout.as_secs()
            )
        })
        .collect()
}

fn autoloaders() -> Vec<String> {
    let named = std::env::var("ALLEGRO_TEST_COMPOSERS").unwrap_or_default();
    let named = named
        .split(':')
        .map(|tree| format!("{tree}/vendor/autoload.php"));
    std::iter::once("/usr/share/php/Composer/autoload.php".to_owned())
        .chain(named)
        .filter(|path| Path::new(path).is_file())
        .collect()
}

#[test]
fn reports_are_those_of_composer() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("cases.json");
    let json: Vec<Vec<serde_json::Value>> = CASES
        .iter()
        .map(|cases| {
            let entry = |(name, pretty, version, url, size): &Case| {
                serde_json::json!({
                    "name": name, "pretty": pretty, "version": version, "url": url, "size": size,
                })
            };
            cases.iter().map(entry).collect()
        })
        .collect();
    std::fs::write(&path, serde_json::to_string(&json).expect("JSON")).expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/install/notifications/oracle.php");
    let autoloaders = autoloaders();
    if autoloaders.is_empty() {
        println!("skipped: there is no Composer");
    }
    for autoloader in autoloaders {
        let mut command = Command::new("php");
        command.arg(&script).arg(&autoloader).arg(&path);
        let Ok(status) = command.status() else {
            println!("skipped: there is no PHP");
            return;
        };
        assert!(status.success(), "{autoloader}");
        let answers = dir.path().join("cases.json.answers");
        let answers = std::fs::read_to_string(answers).expect("answers");
        let answers: Vec<Vec<serde_json::Value>> = serde_json::from_str(&answers).expect("JSON");
        assert_eq!(answers.len(), CASES.len());
        for (cases, answer) in CASES.iter().zip(answers) {
            let expected: Vec<String> = answer
                .iter()
                .map(|request| {
                    let text = |key: &str| request[key].as_str().expect("text");
                    assert_eq!(text("method"), "POST");
                    let (name, kind) = text("header").split_once(": ").expect("a header");
                    assert!(name.eq_ignore_ascii_case("content-type"));
                    format!(
                        "{} {kind} {} {}",
                        text("url"),
                        text("content"),
                        request["timeout"]
                    )
                })
                .collect();
            assert_eq!(requests(cases), expected, "{autoloader}");
        }
    }
}

#[test]
fn plain_http_is_refused_or_warned_about_once() {
    let url = Some("http://example.org/d/");
    let other = Some("http://example.org/e/");
    let cases: [Case; 2] = [
        ("a/a", "1", "1.0.0.0", url, None),
        ("b/b", "1", "1.0.0.0", other, None),
    ];
    let packages = packages(&cases);
    let planned = Notifications::of(packages.iter(), &mut access("{}"), true).expect("a plan");
    assert!(planned.0.is_empty());
    let manifest = r#"{"config":{"secure-http":false,"http-basic":{"example.org":{"username":"u","password":"p"}}}}"#;
    let mut access = access(manifest);
    let planned = Notifications::of(packages.iter(), &mut access, false).expect("a plan");
    let warnings: Vec<bool> = planned
        .0
        .iter()
        .map(|planned| planned.warning.is_some())
        .collect();
    assert_eq!(warnings, [true, false]);
    assert_eq!(planned.0[1].headers, ["Authorization: Basic dTpw"]);
    let odd: [Case; 1] = [("a/a", "1", "1.0.0.0", Some("ftp://example.org/"), None)];
    let odd = self::packages(&odd);
    assert!(Notifications::of(odd.iter(), &mut access, false).is_err());
}

#[test]
fn only_downloads_have_sizes_and_warnings() {
    let cases: [Case; 2] = [
        ("a/a", "1", "1.0.0.0", None, None),
        ("b/b", "1", "1.0.0.0", None, None),
    ];
    let packages = packages(&cases);
    let ready = |id, from| PackageAnswer {
        id,
        outcome: PackageOutcome::Ready {
            stage: "/stage".into(),
            from,
            files: 1,
            downloaded: 7,
            archive: None,
        },
    };
    let answer = PrepareAnswer {
        packages: vec![ready(1, Provenance::Download), ready(0, Provenance::Store)],
        method: None,
        notices: Vec::new(),
        made: (0, 0),
    };
    let prepared = Prepared {
        packages: packages.iter().collect(),
        answer: &answer,
        warnings: &[(0, "not given".to_owned()), (1, "given".to_owned())],
        given: &["before".to_owned()],
    };
    assert_eq!(prepared.sizes(), HashMap::from([("b/b", 7)]));
    assert_eq!(prepared.warned(), ["given", "before"]);
}
