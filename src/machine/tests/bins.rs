//! Compares programs in bin directories with those of Composer's own `BinaryInstaller`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use allegro_vendor::bins::{Bins, Failure, Templates, Traits};
use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::{composers, probe, store};
use crate::machine::run::succeeds;
use crate::machine::{FixedTexts, Machine};
use crate::settings::Environment;

/// Beginnings of programs. Composer tells them apart.
const PROGRAMS: [&str; 18] = [
    "<?php\necho 1;\n",
    "#!/usr/bin/env php\n<?php\necho 1;\n",
    "#!/usr/bin/php -d a=/b/c \r\n<?php\n",
    "#!/usr/bin/env php\n\n \t<?php\n",
    "\n<?php\n",
    "#!\n<?php\n",
    "#!/usr/bin/env php<?php\n",
    "#!/bin/sh\necho 1\n",
    "#!/bin/sh",
    "#!/usr/bin/env bash\nset -e\n",
    "#!/opt/x y/z'q\necho\n",
    "#! /bin/sh\necho\n",
    "echo 1\n",
    "<?PHP\n",
    "<?= 1 ?>\n",
    "\u{feff}<?php\n",
    "#!/usr/bin/env php\n#!/usr/bin/env php\n<?php\n",
    "#!/usr/bin/env php\n// \u{0}\u{fffd}\n<?php\n",
];

const NAMES: [&str; 12] = [
    "run",
    "bin/run",
    "bin/other",
    "./bin//run.sh",
    "run.bat",
    "x/run.exe",
    "phpunit",
    "it's",
    "a b",
    "../other/run",
    "bin/",
    ".bat",
];

#[derive(Debug, Serialize)]
struct Case {
    bin_dir: String,
    vendor_dir: String,
    compat: &'static str,
    calls: Vec<Call>,
    #[serde(skip)]
    seed: u64,
    #[serde(skip)]
    root: String,
}

#[derive(Debug, Serialize)]
struct Call {
    installs: bool,
    package: String,
    directory: String,
    bins: Vec<String>,
    reports: bool,
}

#[derive(Debug, Deserialize)]
struct Said {
    messages: String,
    failure: Option<String>,
}

fn case(at: &Path, seed: u64) -> Case {
    let mut rng = Rng::with_seed(seed);
    let root = at.join(format!("case-{seed}"));
    let root = root.to_str().expect("text").to_owned();
    let vendor_dir = rng
        .choice(["vendor", "lib/vendor", "linked", "it's"])
        .expect("one");
    let vendor_dir = format!("{root}/{vendor_dir}");
    let bin_dir = match rng.u8(..6) {
        0 => format!("{root}/bin"),
        1 => format!("{root}/a/b/c"),
        2 => root.clone(),
        // Composer leads there through the root directory.
        3 => format!("/allegro-bins-{}-{seed}", std::process::id()),
        _ => format!("{vendor_dir}/bin"),
    };
    let packages = ["a/b", "phpunit/phpunit", "x/y"];
    let bins = |rng: &mut Rng| {
        let count = rng.usize(..4);
        rng.choose_multiple(NAMES, count)
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    let calls = (0..rng.usize(1..5))
        .map(|index| {
            let package = rng.choice(packages).expect("one");
            // Composer has the vendor directory without links here.
            let real = vendor_dir.replace("/linked", "/real");
            Call {
                installs: index == 0 || rng.u8(..4) > 0,
                package: package.to_owned(),
                directory: format!("{real}/{package}"),
                bins: bins(&mut rng),
                reports: rng.bool(),
            }
        })
        .collect();
    Case {
        bin_dir,
        vendor_dir,
        compat: rng.choice(["full", "proxy", "auto"]).expect("one"),
        calls,
        seed,
        root,
    }
}

/// Makes the files of a case, always the same.
fn prepare(case: &Case) {
    let mut rng = Rng::with_seed(case.seed ^ 0xF11E);
    let root = Path::new(&case.root);
    fs::create_dir_all(root.join("real")).expect("a directory");
    symlink("real", root.join("linked")).expect("a link");
    fs::create_dir_all(&case.vendor_dir).expect("a directory");
    fs::write(root.join("target"), "target\n").expect("a file");
    let in_bin_dir = rng.bool();
    if in_bin_dir {
        fs::create_dir_all(&case.bin_dir).expect("a directory");
    }
    for call in &case.calls {
        for bin in &call.bins {
            let path = Path::new(&call.directory).join(bin);
            let name = path.file_name().expect("a name").to_owned();
            let link = Path::new(&case.bin_dir).join(name);
            let what = rng.u8(..12);
            let text = rng.choice(PROGRAMS).expect("one");
            let mode = rng.choice([0o644, 0o755, 0o600, 0o444]).expect("one");
            let there = rng.u8(..12);
            if path.exists() || link.symlink_metadata().is_ok() {
                continue;
            }
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            match what {
                0 => {}
                1 => fs::create_dir_all(&path).expect("a directory"),
                _ if bin.ends_with('/') => {}
                2 => {
                    fs::write(&path, format!("#!{}\n<?php\n", "x".repeat(600))).expect("a file");
                }
                _ => {
                    fs::write(&path, text).expect("a file");
                    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
                }
            }
            if !in_bin_dir {
                continue;
            }
            match there {
                0 => fs::write(&link, "there\n").expect("a file"),
                1 => symlink(&path, &link).expect("a link"),
                2 => symlink(root.join("target"), &link).expect("a link"),
                3 => symlink(root.join("nowhere"), &link).expect("a link"),
                4 => fs::write(link.with_extension("bat"), "there\n").expect("a file"),
                _ => {}
            }
        }
    }
}

/// Returns all files below the case's directories, with their types, modes and contents.
fn state(case: &Case) -> BTreeMap<String, String> {
    fn add(path: &Path, found: &mut BTreeMap<String, String>) {
        let Ok(facts) = path.symlink_metadata() else {
            return;
        };
        let text = if facts.is_symlink() {
            format!("-> {}", path.read_link().expect("a link").display())
        } else if facts.is_dir() {
            for entry in fs::read_dir(path).expect("a directory") {
                add(&entry.expect("an entry").path(), found);
            }
            format!("{:o}", facts.mode())
        } else {
            let text = fs::read(path).expect("a file");
            format!("{:o} {}", facts.mode(), String::from_utf8_lossy(&text))
        };
        found.insert(path.to_str().expect("text").to_owned(), text);
    }
    let mut found = BTreeMap::new();
    add(Path::new(&case.root), &mut found);
    add(Path::new(&case.bin_dir), &mut found);
    found
}

fn clean(case: &Case) {
    let _ = fs::remove_dir_all(&case.root);
    let _ = fs::remove_dir_all(&case.bin_dir);
}

fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|text| u32::from_str_radix(text.trim(), 8).ok())
        .unwrap_or(0o022)
}

/// Carries a case out natively. Returns the messages, or `None` if Composer must do
/// it.
fn native(case: &Case, traits: Traits, templates: &Templates) -> Result<Option<String>, String> {
    let vendor_real = fs::canonicalize(&case.vendor_dir).expect("a path");
    let bins = Bins {
        traits,
        templates,
        bin_dir: &case.bin_dir,
        vendor_dir: &case.vendor_dir,
        vendor_real: vendor_real.to_str().expect("text"),
        full: case.compat == "full",
        umask: umask(),
    };
    let mut messages = String::new();
    for call in &case.calls {
        let result = if call.installs {
            bins.install(&call.package, &call.directory, &call.bins, call.reports)
        } else {
            bins.remove(&call.bins).map(|()| Vec::new())
        };
        match result {
            Ok(lines) => {
                for line in lines {
                    messages.push_str(&line);
                    messages.push('\n');
                }
            }
            Err(Failure::Unfamiliar(_)) => return Ok(None),
            Err(Failure::Files(error)) => return Err(error.to_string()),
        }
    }
    Ok(Some(messages))
}

#[test]
fn programs_become_callable_as_with_composer() {
    let count = std::env::var("ALLEGRO_TEST_CASES").ok();
    let count: u64 = count.and_then(|text| text.parse().ok()).unwrap_or(100);
    for path in composers() {
        let (dir, store) = store();
        let machine = Machine::find(&Environment::PROCESS, Some(&path));
        let facts = probe(&machine, &store).composer.expect("a Composer");
        let texts = machine.texts(&store).expect("texts").expect("a Composer");
        let templates = texts.templates().expect("templates");
        if facts.version == "2.10.2" {
            assert_eq!(FixedTexts::built_in().templates(), Some(templates.clone()));
        }
        let traits = texts.bin_traits().expect("a known version");
        let at = dir.path().canonicalize().expect("a path").join("cases");
        let run = at.join("run");
        fs::create_dir_all(&run).expect("a directory");
        let cases: Vec<Case> = (0..count).map(|seed| case(&at, seed)).collect();
        cases.iter().for_each(prepare);
        let text = serde_json::to_string(&cases).expect("JSON");
        fs::write(run.join("cases.json"), text).expect("a file");
        fs::write(run.join("bins.php"), include_str!("bins.php")).expect("a file");
        let mut command = machine.command(machine.php.as_ref().expect("a PHP"), &run);
        let script = run.join("bins.php");
        command
            .arg("-d")
            .arg(format!("auto_prepend_file={}", script.display()));
        command.arg(&path).args(["--version", "--no-interaction"]);
        assert!(succeeds(command).expect("a run"));
        let said = fs::read(run.join("messages.json")).expect("messages");
        let said: Vec<Said> = serde_json::from_slice(&said).expect("messages");
        let mut left = 0;
        for (case, said) in cases.iter().zip(said) {
            let theirs = state(case);
            clean(case);
            prepare(case);
            match (native(case, traits, &templates), said.failure) {
                (Ok(None), _) => left += 1,
                (Err(_), Some(_)) => {}
                (Ok(Some(messages)), None) => {
                    let about = format!("{} {}: {case:#?}", facts.version, case.seed);
                    assert_eq!(messages, said.messages, "{about}");
                    assert_eq!(state(case), theirs, "{about}");
                }
                (ours, theirs) => panic!("{}: {ours:?} {theirs:?} {case:#?}", facts.version),
            }
            clean(case);
        }
        println!("{}: {left} of {count} are left to Composer", facts.version);
        assert!(left * 2 < count);
    }
}
