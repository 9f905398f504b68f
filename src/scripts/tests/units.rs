//! Decisions, and parts that need neither PHP nor Composer.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::child::{End, Line};
use super::super::lookup;
use super::super::step::{Kind, Step};
use super::super::variables::{Variables, integer, is_git_since_2_3};
use super::*;

const NEW: Version = Version(2, 10, 2);
const OLD: Version = Version(2, 5, 5);

fn scripts(manifest: &str) -> Scripts {
    Scripts::of(&Json::parse(manifest).unwrap()).unwrap()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    of.iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn php() -> Php {
    Php {
        binary: "/usr/bin/php8.2".into(),
        sapi: "cli".to_owned(),
        version: 80_200,
        allow_url_fopen: "1".to_owned(),
        disable_functions: String::new(),
        memory_limit: "128M".to_owned(),
        has_xdebug: false,
    }
}

/// A project directory with a program `composer`.
fn setup(root: &Path) -> Setup {
    let composer = root.join("composer");
    fs::write(&composer, "#!/usr/bin/env php\n<?php\n").unwrap();
    Setup {
        root: root.to_owned(),
        bin_dir: root.join("vendor/bin"),
        dev_mode: true,
        command: "install".to_owned(),
        arguments: vec!["install".to_owned()],
        php: Some(php()),
        composer: Some(ComposerBinary {
            path: composer,
            version: NEW,
        }),
        timeout: 300,
        is_interactive: false,
        is_terminal: false,
        verbosity: Verbosity::Normal,
        environment: pairs(&[("PATH", "/usr/bin:/bin")]),
        plugins_are_off: false,
    }
}

/// Returns the reason for which a run is left to Composer.
fn reason(manifest: &str, change: impl FnOnce(&mut Setup)) -> Option<String> {
    let scratch = tempfile::tempdir().unwrap();
    let mut setup = setup(scratch.path());
    change(&mut setup);
    match scripts(manifest).plan(&INSTALL_EVENTS, &setup) {
        Road::Native(_) => None,
        Road::Composer(Unfamiliar(reason)) | Road::Missing(reason) => Some(reason),
    }
}

fn post(listener: &str) -> String {
    format!(r#"{{"scripts": {{"post-install-cmd": {listener}}}}}"#)
}

#[test]
fn listeners_keep_their_order_and_the_last_of_equal_keys_counts() {
    let scripts = scripts(r#"{"scripts": {"a": ["x", "y"], "b": "z", "a": ["w", "v"]}}"#);
    assert_eq!(scripts.listeners("a"), ["w", "v"]);
    assert_eq!(scripts.listeners("b"), ["z"]);
    assert!(scripts.listeners("c").is_empty());
    for wrong in [
        "[]",
        "null",
        r#"{"a": {"b": "c"}}"#,
        r#"{"a": [1]}"#,
        r#"{"a": null}"#,
    ] {
        let manifest = Json::parse(&format!(r#"{{"scripts": {wrong}}}"#)).unwrap();
        assert!(Scripts::of(&manifest).is_err(), "{wrong}");
    }
}

#[test]
fn common_runs_are_native() {
    for listener in [
        r#""echo hi""#,
        r#"["@php artisan x", "@putenv A=1", "@composer validate", "@other"]"#,
        r#"["Composer\\Config::disableProcessTimeout", "A\\B::c"]"#,
        r#""if [ 1 -lt 2 ]; then echo '5 < 6' > x; fi""#,
    ] {
        assert_eq!(reason(&post(listener), |_| {}), None, "{listener}");
    }
    assert_eq!(reason("{}", |setup| setup.php = None), None);
    assert_eq!(reason(&post(r#""echo""#), |setup| setup.php = None), None);
}

#[test]
fn odd_runs_are_left_to_composer() {
    let manifests = [
        r#"{"scripts": {"pre-install-cmd": "A\\B::c"}}"#,
        r#"{"scripts": {"pre-autoload-dump": "@x", "x": "A\\B::c"}}"#,
        r#"{"scripts": {"pre-install-cmd": "@putenv A=1"}}"#,
        r#"{"scripts": {"pre-install-cmd": "x"}, "autoload": {"classmap": ["gone"]}}"#,
        r#"{"scripts": {"post-install-cmd": "@putenv http_proxy=x"}}"#,
        r#"{"scripts": {"post-install-cmd": "@putenv =x"}}"#,
        r#"{"scripts": {"post-install-cmd": "echo <info>x</info>"}}"#,
        r#"{"scripts": {"post-install-cmd": "echo \\<x"}}"#,
        r#"{"scripts": {"post-install-cmd": "echo \u001b[1m"}}"#,
        r#"{"scripts": {"post-install-cmd": "echo \"${:HOME}\""}}"#,
        r#"{"scripts": {"post-install-cmd": "@a", "a": "@b", "b": "@a"}}"#,
        r#"{"scripts": {"post-install-cmd": "@post-install-cmd"}}"#,
        r#"{"scripts": {"post-install-cmd": "tool"}, "bin": ["bin/tool"]}"#,
        r#"{"scripts": {"post-package-install": "x"}}"#,
        r#"{"scripts": {"pre-pool-create": "x"}}"#,
        r#"{"scripts": {"php": "x"}}"#,
    ];
    for manifest in manifests {
        assert!(reason(manifest, |_| {}).is_some(), "{manifest}");
    }
}

fn set(setup: &mut Setup, name: &str, value: &str) {
    setup.environment.extend(pairs(&[(name, value)]));
}

#[test]
fn odd_machines_are_left_to_composer() {
    let manifest = post(r#"["@php x"]"#);
    let changes: [fn(&mut Setup); 10] = [
        |setup| setup.php.as_mut().unwrap().has_xdebug = true,
        |setup| setup.php.as_mut().unwrap().disable_functions = "a,proc_open".to_owned(),
        |setup| setup.php = None,
        |setup| setup.verbosity = Verbosity::Debug,
        |setup| setup.environment.clear(),
        |setup| set(setup, "COLUMNS", "wide"),
        |setup| set(setup, "COMPOSER_MEMORY_LIMIT", "much"),
        |setup| set(setup, "COMPOSER_DEBUG_EVENTS", "1"),
        |setup| setup.composer.as_mut().unwrap().version = Version(2, 1, 9),
        |setup| fs::write(&setup.composer.as_ref().unwrap().path, "#!/bin/sh\n").unwrap(),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        assert!(reason(&manifest, change).is_some(), "{at}");
    }
    let missing = reason(&post(r#""@composer x""#), |setup| setup.composer = None).unwrap();
    assert!(missing.contains("@composer x") && missing.contains("Install Composer"));
}

#[test]
fn listeners_are_told_apart_as_composer_does() {
    let kinds = [
        ("@composer x", Kind::Composer),
        ("@composer", Kind::Script("composer".to_owned())),
        ("@php x", Kind::Line),
        ("@php", Kind::Script("php".to_owned())),
        ("@putenv A", Kind::Putenv),
        ("@x  y", Kind::Script("x".to_owned())),
        ("A::b", Kind::Callback),
        ("A::b c", Kind::Line),
        ("A\\BCommand", Kind::Callback),
        ("A\\Bcommand", Kind::Line),
        (
            "Composer\\Config::disableProcessTimeout",
            Kind::DisableTimeout,
        ),
        ("", Kind::Line),
    ];
    for (text, kind) in kinds {
        assert_eq!(Step::of(text, NEW).kind, kind, "{text}");
    }
    assert_eq!(Step::of("A\\BCommand", Version(2, 4, 4)).kind, Kind::Line);
}

#[test]
fn arguments_go_where_the_marks_say() {
    let given = ["a".to_owned(), "b'c".to_owned()];
    let line = |text: &str, version| Step::of(text, version).line(&given, version);
    assert_eq!(line("x", NEW), r"x 'a' 'b'\''c'");
    assert_eq!(line("x @additional_args y", NEW), r"x 'a' 'b'\''c' y");
    assert_eq!(
        line("x @additional_args", OLD),
        r"x @additional_args 'a' 'b'\''c'"
    );
    let step = Step::of("x @no_additional_args", NEW);
    assert_eq!((step.text.as_str(), step.takes_arguments), ("x", false));
    assert!(Step::of("x @no_additional_args", OLD).takes_arguments);
    let words = |text: &str, version| Step::of(text, version).arguments(&given, version);
    assert_eq!(words("@x y", NEW), ["y", "a", "b'c"]);
    assert!(words("@x @additional_args y", NEW).is_empty());
    assert_eq!(
        words("@x @additional_args", OLD),
        ["@additional_args", "a", "b'c"]
    );
}

#[test]
fn the_program_directory_is_put_into_the_path_once() {
    let scratch = tempfile::tempdir().unwrap();
    let bin = scratch.path().canonicalize().unwrap().join("bin");
    let mut variables = Variables::of(&pairs(&[("PATH", "/usr/bin")]));
    variables.ensure_in_path(&bin);
    assert_eq!(variables.get("PATH").unwrap(), "/usr/bin");
    fs::create_dir(&bin).unwrap();
    let expected = format!("{}:/usr/bin", bin.display());
    for _ in 0..2 {
        variables.ensure_in_path(&bin);
        assert_eq!(variables.get("PATH").unwrap(), expected.as_str());
    }
}

#[test]
fn programs_are_found_in_the_path() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path();
    for (name, mode) in [("one", 0o755), ("two", 0o644)] {
        fs::write(root.join(name), "").unwrap();
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let find = |name: &str, path: &str| {
        lookup::program(name.as_bytes(), Some(OsStr::new(path)), root)
            .map(|found| String::from_utf8(found).unwrap())
    };
    assert_eq!(find("one", "/nowhere:"), Some("./one".to_owned()));
    assert_eq!(find("two", "."), None);
    assert_eq!(find("sh", "/nowhere:/bin"), Some("/bin/sh".to_owned()));
    let itself = root.join("one").display().to_string();
    assert_eq!(find("one", &itself), Some(itself.clone()));
}

#[test]
fn numbers_and_versions_are_read_as_php_reads_them() {
    for (text, value) in [
        ("12", 12),
        (" -3x", -3),
        ("x", 0),
        ("", 0),
        ("+4", 4),
        ("--1", 0),
    ] {
        assert_eq!(integer(OsStr::new(text)), value, "{text}");
    }
    assert!(is_git_since_2_3("git version 2.39.5 (Apple Git-154)\n"));
    assert!(is_git_since_2_3("warning\ngit version 2.3.0"));
    assert!(!is_git_since_2_3("git version 2.2.9") && !is_git_since_2_3(""));
    assert_eq!(Version::parse("2.10.2"), Some(NEW));
    assert_eq!(Version::parse("2.9.0-RC1"), Some(Version(2, 9, 0)));
    assert_eq!(Version::parse("2.9-dev"), None);
}

#[test]
fn the_memory_limit_is_raised() {
    let none = Variables::default();
    let limit = |text: &str| {
        let memory_limit = text.to_owned();
        Php {
            memory_limit,
            ..php()
        }
        .memory_limit(&none)
        .unwrap()
    };
    assert_eq!(limit("128M"), "1536M");
    assert_eq!(limit("-1"), "-1");
    assert_eq!(limit("2G"), "2G");
    assert_eq!(limit("1536M"), "1536M");
    assert_eq!(limit("1610612735"), "1536M");
}

/// Output that is kept.
#[derive(Default)]
struct Kept(Vec<u8>, Vec<u8>);

impl ScriptIo for Kept {
    fn write_error(&mut self, line: &str) {
        self.1.extend_from_slice(line.as_bytes());
        self.1.push(b'\n');
    }

    fn write_raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn write_error_raw(&mut self, bytes: &[u8]) {
        self.1.extend_from_slice(bytes);
    }

    fn flush(&mut self) {}
}

fn run(command: &str, timeout: u64, io: &mut Kept) -> Result<End, Stop> {
    let line = Line {
        command: command.as_bytes(),
        directory: Path::new("/"),
        variables: &Variables::of(&pairs(&[("PATH", "/usr/bin:/bin")])),
        timeout,
        wants_terminal: false,
        is_quiet: false,
    };
    line.run(io)
}

#[test]
fn a_child_that_runs_too_long_is_ended() {
    for command in [
        "sleep 30",
        "exec sleep 30 >/dev/null 2>&1",
        "trap '' TERM; sleep 30",
    ] {
        let started = Instant::now();
        let stop = run(command, 1, &mut Kept::default()).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(10), "{command}");
        assert_eq!(
            stop.to_string(),
            format!("The process \"{command}\" exceeded the timeout of 1 seconds.")
        );
        assert_eq!(stop.code(), 1);
    }
}

#[test]
fn output_of_a_child_is_passed_on() {
    let mut io = Kept::default();
    let end = run("printf a; printf b >&2; exit 3", 0, &mut io).unwrap();
    assert_eq!(
        (end, io.0, io.1),
        (End::Code(3), b"a".to_vec(), b"b".to_vec())
    );
    let end = run("kill -TERM $$", 5, &mut Kept::default()).unwrap();
    assert_eq!(end, End::Signal(15));
}

#[test]
fn a_failure_names_plugins_that_are_off() {
    let scratch = tempfile::tempdir().unwrap();
    let mut setup = setup(scratch.path());
    setup.plugins_are_off = true;
    setup.php = None;
    let scripts = scripts(&post(r#""exit 4 #""#));
    let mut io = Kept::default();
    let mut dispatcher = Dispatcher::new(&scripts, &setup);
    let stop = dispatcher
        .dispatch(Event::named("post-install-cmd"), &mut io)
        .unwrap_err();
    assert_eq!(stop.code(), 4);
    assert_eq!(
        markup::formatted(&String::from_utf8(io.1).unwrap(), false),
        "> exit 4 #\n\
         Script exit 4 # handling the post-install-cmd event returned with error code 4\n\
         Plugins have been disabled automatically as you are running as root, this may be the \
         cause of the script failure.\n\
         See also https://getcomposer.org/root\n"
    );
}
