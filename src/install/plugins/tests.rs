//! Tests of the table, and of texts that plugins write.

#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::code::{Known, digest_of};
use super::known::KNOWN;
use super::pest::encoded;
use super::{COMMAND, POST_DUMP, POST_INSTALL, PRE_DUMP};

#[test]
fn the_table_is_sound() {
    let mut seen = HashSet::new();
    for known in KNOWN {
        assert!(known.files.is_sorted(), "{}", known.name);
        for (event, _) in known.listeners {
            assert!([COMMAND, PRE_DUMP, POST_DUMP, POST_INSTALL].contains(event));
        }
        for (digest, versions) in known.codes {
            assert_eq!(digest.len(), 64, "{}", known.name);
            for version in versions.split(' ') {
                assert!(!version.starts_with('v'), "{version}");
                assert_eq!(known.digest_of(version), Some(*digest), "{version}");
                assert!(
                    seen.insert((known.name, version)),
                    "{} {version}",
                    known.name
                );
            }
        }
        assert_eq!(known.digest_of("0.0.0"), None);
    }
}

/// The repository of a plugin below the directory that the test is given.
fn repository(all: &Path, name: &str) -> PathBuf {
    let name = match name {
        "dealerdirect/phpcodesniffer-composer-installer" => "PHPCSStandards/composer-installer",
        name => name,
    };
    all.join(name.replace('/', "+")).join("repo")
}

fn git(repository: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(arguments)
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
}

fn digest_in(repository: &Path, tag: &str, known: &Known) -> Option<String> {
    let contents = known
        .files
        .iter()
        .map(|file| git(repository, &["show", &format!("{tag}:{file}")]))
        .collect::<Option<Vec<_>>>()?;
    Some(digest_of(known.files, &contents))
}

/// Compares the table with the repositories of the plugins: `ALLEGRO_TEST_PLUGINS` names a
/// directory in which `OWNER+NAME/repo` is a git directory. Tags that are not in the table are
/// listed with their digests.
#[test]
fn digests() {
    let Some(all) = std::env::var_os("ALLEGRO_TEST_PLUGINS").map(PathBuf::from) else {
        println!("skipped: ALLEGRO_TEST_PLUGINS names no repositories of plugins");
        return;
    };
    let mut compared = 0;
    for known in KNOWN {
        let repository = repository(&all, known.name);
        let Some(tags) = git(&repository, &["tag"]) else {
            println!("skipped: there is no {}", repository.display());
            continue;
        };
        let tags = String::from_utf8(tags).expect("tags");
        for tag in tags.lines() {
            let Some(digest) = digest_in(&repository, tag, known) else {
                continue;
            };
            match known.digest_of(tag) {
                Some(expected) => {
                    assert_eq!(digest, expected, "{} {tag}", known.name);
                    compared += 1;
                }
                None => println!("{} {tag} {digest}", known.name),
            }
        }
    }
    println!("{compared} versions compared");
}

#[test]
fn texts_are_encoded_as_php_does() {
    assert_eq!(encoded(&[]), "[]");
    let texts = ["A\\B".to_owned(), "ä/\"\u{7f}\u{1}\n😀".to_owned()];
    assert_eq!(
        encoded(&texts),
        "[\n    \"A\\\\B\",\n    \"\\u00e4\\/\\\"\u{7f}\\u0001\\n\\ud83d\\ude00\"\n]"
    );
}
