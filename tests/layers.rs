//! The order of the crates, and the size of files.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

/// The crates, low to high. A crate may use those before it.
const ORDER: [&str; 8] = [
    "base", "semver", "composer", "archive", "fetch", "store", "vendor", "resolver",
];

/// A file that is longer says in its head why.
const LONGEST: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The crates that a manifest names as dependencies.
fn dependencies(manifest: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifest).unwrap();
    let (_, rest) = text.split_once("\n[dependencies]\n").unwrap();
    let section = rest.split("\n[").next().unwrap();
    section
        .lines()
        .filter_map(|line| line.strip_prefix("allegro-"))
        .map(|line| line.split(['.', ' ']).next().unwrap().to_owned())
        .collect()
}

#[test]
fn no_crate_depends_upward() {
    let mut crates: Vec<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    crates.sort();
    let mut known = ORDER.map(str::to_owned).to_vec();
    known.sort();
    assert_eq!(crates, known);
    for (at, name) in ORDER.iter().enumerate() {
        for used in dependencies(&root().join("crates").join(name).join("Cargo.toml")) {
            assert!(ORDER[..at].contains(&used.as_str()), "{name} uses {used}");
        }
    }
    // The extension is a face: it converts values and dispatches.
    assert_eq!(dependencies(&root().join("ext/Cargo.toml")), ["base"]);
}

#[test]
fn the_table_of_rooms_names_every_crate_in_order() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let rooms: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `crates/"))
        .filter_map(|line| line.split('`').next())
        .collect();
    assert_eq!(rooms, ORDER);
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" && name != "target" {
            sources(&path, found);
        } else if name != "tests.rs"
            && path
                .extension()
                .is_some_and(|kind| kind == "rs" || kind == "php")
        {
            found.push(path);
        }
    }
}

#[test]
fn files_are_short() {
    let mut files = Vec::new();
    for directory in ["crates", "ext", "src", "php-plugin/src", "tools"] {
        sources(&root().join(directory), &mut files);
    }
    assert!(files.len() > 200);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        let has_reason = text
            .lines()
            .take(30)
            .any(|line| line.contains("This file is long because"));
        assert!(
            lines <= LONGEST || has_reason,
            "{} has {lines} lines",
            file.display()
        );
    }
}
