//! Tests wishes of a project beyond Composer's own settings: exceptions, a parent project, and
//! security updates alone.

mod exceptions;
mod parent;
mod security;

use std::fs;

use serde_json::Value;

use super::Registry;
use crate::support::home::composer_version;
use crate::support::{Run, Side};

/// The ways to a result: the native part chooses, it declines, or it is switched off.
const WAYS: [(&str, Option<(&str, &str)>); 3] = [
    ("natively", None),
    ("declined", Some(("COMPOSER_POOL_OPTIMIZER", "0"))),
    ("switched off", Some(("ALLEGRO_DISABLE", "1"))),
];

/// Runs `composer resolve` in a project, and returns the run and the lock.
fn resolve(
    registry: &Registry,
    manifest: &Value,
    lock: Option<&str>,
    args: &[&str],
    way: Option<(&str, &str)>,
) -> (Run, Option<String>) {
    registry.project(manifest, lock);
    let mut call = registry
        .scene
        .call(Side::Allegro, &[&["resolve"], args].concat());
    if let Some((name, value)) = way {
        call = call.env(name, value);
    }
    let run = call.run();
    (
        run,
        fs::read_to_string(registry.scene.project().join("composer.lock")).ok(),
    )
}

/// Checks that all ways have the same result. Returns the run without `-v`, and the lock.
///
/// The native part chooses first, unless Composer has policies that advisories of the registry put
/// in force. With `-v` the run tells who has chosen.
#[track_caller]
fn resolve_each_way(
    registry: &Registry,
    manifest: &Value,
    lock: Option<&str>,
    args: &[&str],
) -> (Run, String) {
    let (is_native, run, found) = compare_ways(registry, manifest, lock, args);
    let are_policies = || {
        let (loud, _) = resolve(registry, manifest, lock, &[args, &["-v"]].concat(), None);
        composer_version() >= (2, 9) && loud.stderr.contains("(config.policy.advisories)")
    };
    assert!(is_native || are_policies(), "{}", run.stderr);
    (run, found)
}

/// Compares all ways, even if there is nothing to choose.
#[track_caller]
fn compare_ways(
    registry: &Registry,
    manifest: &Value,
    lock: Option<&str>,
    args: &[&str],
) -> (bool, Run, String) {
    let mut results: Vec<(Run, Option<String>)> = Vec::new();
    let mut is_native = false;
    for (what, way) in WAYS {
        let (run, found) = resolve(registry, manifest, lock, args, way);
        if let Some((first, wanted)) = results.first() {
            assert_eq!(first.exit, run.exit, "{what}: {}", run.stderr);
            assert_eq!(first.ours(), run.ours(), "{what}");
            assert!(
                *wanted == found,
                "{what}: {}\n{}",
                super::difference(wanted.as_deref(), found.as_deref()),
                run.stderr
            );
        }
        let (loud, again) = resolve(registry, manifest, lock, &[args, &["-v"]].concat(), way);
        assert!(found == again, "{what}, with -v");
        let considered = loud.stderr.contains(" of them considered");
        assert!(!considered || way.is_none(), "{what}: {}", loud.stderr);
        is_native |= considered;
        let why = "Allegro: Composer resolves by itself, the pool optimizer is off";
        let declined = loud.stderr.contains(why);
        assert_eq!(declined, is_native && what == "declined", "{}", loud.stderr);
        results.push((run, found));
    }
    let (run, found) = results.swap_remove(0);
    (is_native, run, found.expect("a lock"))
}

/// Checks that the run ends with exit code 1 and with these words, and that the lock stays as it
/// was.
#[track_caller]
fn refuses(registry: &Registry, manifest: &Value, lock: &str, args: &[&str], words: &[&str]) {
    let (run, found) = resolve(registry, manifest, Some(lock), args, None);
    assert_eq!(run.exit, 1, "{manifest}\n{}", run.stderr);
    for word in words {
        assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
    }
    assert_eq!(found.as_deref(), Some(lock), "the old lock stays");
}

/// Returns the text of a package's entry in a lock, byte for byte.
fn entry<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let start = lock.find(&format!("        {{\n            \"name\": \"{name}\","))?;
    let end = lock[start..].find("\n        }")?;
    Some(&lock[start..start + end])
}

/// Returns the version of a package in a lock.
fn version(lock: &str, name: &str) -> Option<String> {
    let text = entry(lock, name)?;
    let version = text.split("\"version\": \"").nth(1)?.split('"').next()?;
    Some(version.to_owned())
}
