//! Tests with the PHP and the Composers of the machine. Each is skipped where they are missing.
//!
//! `ALLEGRO_TEST_COMPOSERS` may name further Composers: files or source trees, separated by colons.

#![allow(clippy::disallowed_methods, clippy::print_stdout)]

mod bins;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use allegro_store::{Record, Store};
use allegro_vendor::bins::Traits;
use tempfile::TempDir;

use super::{FixedTexts, Machine, Named, Probe};
use crate::settings::Environment;

/// Returns the Composers to test with.
pub(crate) fn composers() -> Vec<PathBuf> {
    let own = Machine::find(&Environment::PROCESS, None);
    if own.php.is_none() {
        println!("skipped: there is no PHP");
        return Vec::new();
    }
    let named = std::env::var("ALLEGRO_TEST_COMPOSERS").unwrap_or_default();
    let named = named
        .split(':')
        .filter(|path| !path.is_empty())
        .map(|path| {
            let tree = Path::new(path).join("bin/composer");
            if tree.is_file() { tree } else { path.into() }
        });
    let composers: Vec<PathBuf> = own
        .composer
        .map(|found| found.path)
        .into_iter()
        .chain(named)
        .collect();
    if composers.is_empty() {
        println!("skipped: there is no Composer");
    }
    composers
}

pub(crate) fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(&dir.path().join("store")).expect("a store");
    (dir, store)
}

pub(super) fn probe(machine: &Machine, store: &Store) -> Probe {
    machine.probe(store).expect("an answer").expect("a PHP")
}

#[test]
fn composer_is_probed_once() {
    for path in composers() {
        let (_dir, store) = store();
        let machine = Machine::find(&Environment::PROCESS, Some(&path));
        let first = probe(&machine, &store);
        let facts = first.composer.clone().expect("a Composer");
        assert_eq!(first.failure, None);
        assert_eq!(first.php.sapi, "cli");
        assert!(Traits::of(&facts.version).is_some(), "{}", facts.version);
        assert!(facts.platform.iter().any(|package| package.name == "php"));

        // The second answer comes from the record: PHP would not give this one.
        let place = Record::Probe.place(&machine.name(machine.php.as_ref().expect("a PHP")));
        let mut kept: super::probe::Kept = store
            .read_sealed(Record::Probe, &place)
            .expect("a record of files that are older than this test");
        kept.probe.php.version = "kept".to_owned();
        store
            .write_sealed(Record::Probe, &place, &kept)
            .expect("written");
        let times = (0..20).map(|_| {
            let start = Instant::now();
            let machine = Machine::find(&Environment::PROCESS, Some(&path));
            probe(&machine, &store);
            start.elapsed()
        });
        let fastest = times.min().expect("a time");
        let again = probe(&machine, &store);
        println!(
            "{}: {:?}, {} files",
            facts.version,
            fastest,
            kept.files.len()
        );
        assert_eq!(again.php.version, "kept");
        assert_eq!(again.composer, first.composer);

        // A file that is not as it was makes the record stale.
        let (name, identity) = kept.files.last_mut().expect("a file");
        assert!(name.starts_with('/'));
        *identity = None;
        store
            .write_sealed(Record::Probe, &place, &kept)
            .expect("written");
        assert_eq!(probe(&machine, &store), first);
    }
}

/// `composer show --platform` is the same list as Composer prints it.
#[test]
fn the_platform_is_that_which_composer_shows() {
    for path in composers() {
        let (dir, store) = store();
        let machine = Machine::find(&Environment::PROCESS, Some(&path));
        let php = machine.php.as_ref().expect("a PHP");
        let facts = probe(&machine, &store).composer.expect("a Composer");
        let mut command = machine.command(php, dir.path());
        command
            .arg(&path)
            .args(["show", "--platform", "--format=json", "--no-ansi"])
            .stdout(std::process::Stdio::piped());
        let output = command.output().expect("an output");
        let text = String::from_utf8(output.stdout).expect("text");
        // Composer 2.2 prints deprecations of this PHP before.
        let start = text.find("{\n").expect("an object");
        let shown: serde_json::Value = serde_json::from_str(&text[start..]).expect("JSON");
        let shown: Vec<(&str, &str)> = shown["platform"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|package| {
                let text = |key: &str| package[key].as_str().expect("text");
                (text("name"), text("version"))
            })
            .collect();
        let mut known: Vec<(&str, &str)> = facts
            .platform
            .iter()
            .map(|package| (package.name.as_str(), package.pretty_version.as_str()))
            .collect();
        known.sort_unstable();
        assert_eq!(known, shown, "{}", facts.version);
    }
}

#[test]
fn a_changed_configuration_of_php_is_noticed() {
    static DIRECTORY: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let Some(path) = composers().into_iter().next() else {
        return;
    };
    let (dir, store) = store();
    let scanned = dir.path().join("conf.d");
    fs::create_dir(&scanned).expect("a directory");
    let value = format!(":{}", scanned.display());
    DIRECTORY.set(value).expect("the first value");
    let environment = Environment {
        variable: |name| match name.to_str() {
            Some("PHP_INI_SCAN_DIR") => DIRECTORY.get().map(Into::into),
            _ => std::env::var_os(name),
        },
        ..Environment::PROCESS
    };
    // Identities that are younger than a tick aren't kept.
    let settle = || std::thread::sleep(std::time::Duration::from_millis(50));
    let ask = || {
        settle();
        probe(&Machine::find(&environment, Some(&path)), &store)
    };
    let open_tag = |probe: &Probe| probe.php.short_open_tag;
    let before = ask();
    let setting = format!("short_open_tag={}\n", u8::from(!open_tag(&before)));
    fs::write(scanned.join("a.ini"), &setting).expect("a file");
    let after = ask();
    assert_ne!(open_tag(&after), open_tag(&before));
    fs::write(scanned.join("a.ini"), "disable_functions=pclose\n").expect("a file");
    let other = ask();
    assert_eq!(open_tag(&other), open_tag(&before));
    assert_eq!(other.php.disabled_functions, ["pclose"]);
    let again = ask();
    assert_eq!(again, other);
    // Another directory for PHP's configuration is another question.
    assert_eq!(
        probe(&Machine::find(&Environment::PROCESS, Some(&path)), &store)
            .php
            .disabled_functions,
        before.php.disabled_functions
    );
}

#[test]
fn without_composer_php_answers_alone() {
    if composers().is_empty() {
        return;
    }
    let (dir, store) = store();
    let machine = Machine::find(&Environment::PROCESS, Some(&dir.path().join("none")));
    assert_eq!(machine.composer, None);
    let facts = probe(&machine, &store);
    assert!(facts.php.version_id > 70_000);
    assert_eq!(facts.composer, None);
    assert_eq!(facts.scan(), None);
    assert_eq!(machine.texts(&store).expect("an answer"), None);

    // A script of another kind may start any Composer.
    let script = dir.path().join("composer");
    fs::write(&script, "#!/bin/sh\nexec composer \"$@\"\n").expect("a file");
    let machine = Machine::find(&Environment::PROCESS, Some(&script));
    assert!(!machine.composer.as_ref().expect("a file").is_php);
    assert_eq!(probe(&machine, &store).composer, None);

    // A file that isn't Composer may become one, so the answer is not kept.
    fs::write(&script, "#!/usr/bin/env php\n<?php\n").expect("a file");
    std::thread::sleep(std::time::Duration::from_millis(50));
    let machine = Machine::find(&Environment::PROCESS, Some(&script));
    assert_eq!(probe(&machine, &store).composer, None);
    let name = machine.name(machine.php.as_ref().expect("a PHP"));
    assert_eq!(
        store.read_bytes(&Record::Probe.place(&name)).map(|_| ()),
        None
    );
}

#[test]
fn without_php_there_is_no_answer() {
    let environment = Environment {
        variable: |name| (name == OsStr::new("PATH")).then(|| "/nowhere".into()),
        ..Environment::PROCESS
    };
    let (dir, store) = store();
    let composer = dir.path().join("composer.phar");
    fs::write(&composer, "#!/usr/bin/env php\n<?php\n").expect("a file");
    let machine = Machine::find(&environment, Some(&composer));
    assert_eq!(machine.php, None);
    assert!(machine.composer.as_ref().is_some_and(|found| found.is_php));
    assert_eq!(machine.probe(&store).expect("an answer"), None);
    assert_eq!(machine.texts(&store).expect("an answer"), None);
    assert_eq!(Machine::find(&environment, None).composer, None);
}

#[test]
fn settings_name_programs_by_path_or_name() {
    let found = |composer: &str, php: &str| {
        let named = Named {
            composer: Some(Path::new(composer)),
            php: Some(Path::new(php)),
        };
        let machine = Machine::find_named(&Environment::PROCESS, named);
        let php = machine.php.map(|php| php.path);
        (machine.composer.map(|composer| composer.path), php)
    };
    let (composer, php) = found("sh", "sh");
    let composer = composer.expect("a shell in PATH");
    assert!(composer.ends_with("sh") && composer.is_absolute());
    assert_eq!(php, Some(composer.clone()));
    let path = composer.to_str().expect("a path");
    assert_eq!(found(path, path), (Some(composer.clone()), php));
    assert_eq!(found("no-such-program", "/no/such/program"), (None, None));
}

#[test]
fn composer_shows_its_texts_once() {
    for path in composers() {
        let (_dir, store) = store();
        let machine = Machine::find(&Environment::PROCESS, Some(&path));
        let texts = machine.texts(&store).expect("texts").expect("a Composer");
        for name in [
            "autoload.php",
            "composer/ClassLoader.php",
            "composer/InstalledVersions.php",
            "composer/LICENSE",
            "composer/autoload_files.php",
            "composer/autoload_real.php",
            "composer/autoload_static.php",
            "composer/installed.json",
            "composer/installed.php",
            "composer/platform_check.php",
        ] {
            assert!(texts.get(name).is_some(), "{name} of {}", texts.version);
        }
        assert!(texts.templates().is_some(), "{}", texts.version);
        let (learned, known) = (texts.bin_traits(), Traits::of(&texts.version));
        let confines = learned.is_some_and(|traits| traits.confines);
        let expected = known.map(|known| Traits { confines, ..known });
        assert_eq!(learned, expected, "{}", texts.version);
        if texts.version == "2.10.2" {
            for (name, text) in FixedTexts::built_in().files {
                assert_eq!(texts.get(&name), Some(text.as_slice()), "{name}");
            }
        }
        let start = Instant::now();
        assert_eq!(machine.texts(&store).expect("texts"), Some(texts));
        println!("{:?}", start.elapsed());
        // Nothing is left behind.
        assert_eq!(
            fs::read_dir(store.root().join("tmp"))
                .expect("a directory")
                .count(),
            0
        );
    }
}

#[test]
fn the_built_in_texts_are_complete() {
    let texts = FixedTexts::built_in();
    assert_eq!(texts.composer_version(), "2.10.2");
    assert!(texts.templates().is_some());
    let known = Traits::of("2.10.2").expect("a known version");
    let expected = Traits {
        confines: true,
        ..known
    };
    assert_eq!(texts.bin_traits(), Some(expected));
    let license = texts.get("composer/LICENSE").expect("a license");
    assert!(license.starts_with(b"Copyright (c) Nils Adermann, Jordi Boggiano"));
}
