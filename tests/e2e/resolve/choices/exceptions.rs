//! Tests `extra.allegro.exceptions`.

use serde_json::{Value, json};

use super::super::{Registry, family, manifest, release};
use super::{refuses, resolve, resolve_each_way};
use crate::support::Side;

const HELD: &str = "Allegro: held by extra.allegro.exceptions: ";

fn project(registry: &Registry, exceptions: Value) -> Value {
    let mut project = manifest(&registry.files, &[""], json!({ "require": { "a/a": "*" } }));
    project["extra"] = json!({ "allegro": { "exceptions": exceptions } });
    project
}

/// Exceptions have the effect of `--with`.
#[test]
fn they_hold_as_with_does() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    registry.package(
        "",
        "b/b",
        vec![
            release("b/b", "3.0.0-beta1", json!({ "require": { "c/c": "*" } })),
            release("b/b", "2.0.0", json!({ "require": { "c/c": "*" } })),
            release("b/b", "dev-main", json!({ "require": { "c/c": "*" } })),
        ],
    );
    for (exceptions, with) in [
        (json!({ "C/c": "2.0.*" }), vec!["c/c:2.0.*"]),
        (
            json!({ "c/c": "1.0.0 || 2.0.0", "a/a": "<2.1" }),
            vec!["c/c:1.0.0 || 2.0.0", "a/a:<2.1"],
        ),
        (json!({ "b/b": "^3.0@beta" }), vec!["b/b:^3.0@beta"]),
        (json!({ "b/b": "dev-main#0123" }), vec!["b/b:dev-main#0123"]),
    ] {
        let project = project(&registry, exceptions.clone());
        let with: Vec<String> = with.iter().map(|pair| format!("--with={pair}")).collect();
        let with: Vec<&str> = with.iter().map(String::as_str).collect();
        let (plain, wanted) = registry.play(Side::Serial, &project, None, &with);
        assert_eq!(plain.exit, 0, "{}", plain.stderr);
        let (run, found) = resolve_each_way(&registry, &project, None, &[]);
        assert_eq!(wanted.as_deref(), Some(found.as_str()), "{exceptions}");
        assert_eq!(run.ours().len(), 1, "{:?}", run.ours());
        assert!(run.ours()[0].starts_with(HELD), "{:?}", run.ours());
        // Exceptions hold in a partial update too.
        let (_, lock) = registry.play(Side::Serial, &project, None, &["--with=c/c:1.0.0"]);
        let part = [&["c/c"][..], &with].concat();
        let (plain, wanted) = registry.play(Side::Serial, &project, lock.as_deref(), &part);
        let (run, found) = resolve(&registry, &project, lock.as_deref(), &["c/c"], None);
        assert_eq!(
            (plain.exit, wanted),
            (run.exit, found),
            "{exceptions}: {}",
            run.stderr
        );
    }
}

/// A constraint on the command line takes precedence over an exception.
#[test]
fn an_explicit_constraint_wins() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    let project = project(&registry, json!({ "b/b": "1.0.0", "c/c": "2.0.0" }));
    for args in [&["--with", "B/b:2.0.0"][..], &["--with=b/b=2.0.0"]] {
        let own = [args, &["--with=c/c:2.0.0"]].concat();
        let (_, wanted) = registry.play(Side::Serial, &project, None, &own);
        let (run, found) = resolve(&registry, &project, None, args, None);
        assert_eq!(wanted, found, "{args:?}: {}", run.stderr);
        assert_eq!(run.ours()[0], format!("{HELD}c/c 2.0.0"));
    }
    let (_, lock) = resolve(&registry, &project, None, &[], None);
    let (run, found) = resolve(&registry, &project, lock.as_deref(), &["b/b:2.1.0"], None);
    let own = ["b/b:2.1.0", "--with=c/c:2.0.0"];
    let (_, wanted) = registry.play(Side::Serial, &project, lock.as_deref(), &own);
    assert_eq!(wanted, found, "{}", run.stderr);
    assert_eq!(run.ours(), [format!("{HELD}c/c 2.0.0")]);
}

/// Allegro reports exceptions that change nothing, whoever resolves.
#[test]
fn unneeded_ones_are_told() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    let same = "without it the same version is locked";
    let absent = "the package is not locked";
    for (exceptions, args, told) in [
        (json!({ "a/a": "^2" }), &[][..], vec![("a/a", same)]),
        (json!({ "b/b": "2.0.0" }), &[], vec![]),
        (
            json!({ "a/a": "^2", "b/b": "2.0.0", "x/x": "^1", "c/c": "2.1.0" }),
            &[],
            vec![("a/a", same), ("c/c", same), ("x/x", absent)],
        ),
        (json!({ "a/a": "^2" }), &["--dry-run"], vec![("a/a", same)]),
        // The preference for lowest versions keeps the versions here.
        (json!({ "a/a": "<3" }), &["--prefer-lowest"], vec![]),
    ] {
        let project = project(&registry, exceptions.clone());
        let (run, lock) = if args.is_empty() {
            let (run, lock) = resolve_each_way(&registry, &project, None, args);
            (run, Some(lock))
        } else {
            resolve(&registry, &project, None, args, None)
        };
        assert_eq!(run.exit, 0, "{}", run.stderr);
        let mut found: Vec<&str> = run.ours().split_off(1);
        found.sort_unstable();
        let wanted: Vec<String> = told
            .iter()
            .map(|(name, why)| {
                format!("Allegro: extra.allegro.exceptions needs no {name} any more, {why}")
            })
            .collect();
        assert_eq!(found, wanted, "{exceptions} {args:?}");
        // Trials have changed nothing, so a run with the lock has the same result.
        if let Some(lock) = lock {
            let (again, unchanged) = resolve(&registry, &project, Some(&lock), args, None);
            assert_eq!(unchanged.as_deref(), Some(lock.as_str()));
            assert_eq!(again.ours(), run.ours());
        }
    }
}

/// Trials are forgotten. The changes that are shown and the lock are those of the resolution
/// itself.
#[test]
fn trials_leave_nothing_behind() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    let project = project(&registry, json!({ "b/b": "2.0.0" }));
    let shown =
        "3 added\n  added      a/a  2.1.0\n  added      b/b  2.0.0\n  added      c/c  2.1.0\n";
    for args in [&["--diff"][..], &["--diff", "--dry-run"]] {
        let (run, _) = resolve(&registry, &project, None, args, None);
        assert_eq!(run.stdout, shown, "{args:?}: {}", run.stderr);
    }
}

/// If either of two exceptions has the effect of both, Allegro reports one of them.
#[test]
fn one_of_two_that_do_the_same_is_unneeded() {
    let Some(registry) = Registry::new() else {
        return;
    };
    let of = |version: &str, require: Value| release("a/a", version, json!({ "require": require }));
    registry.package(
        "",
        "a/a",
        vec![
            of("2.1.0", json!({ "b/b": "2.1.*" })),
            of("2.0.0", json!({ "b/b": "2.0.*" })),
        ],
    );
    let versions = ["2.1.0", "2.0.0"].map(|version| release("b/b", version, json!({})));
    registry.package("", "b/b", versions.to_vec());
    let project = project(&registry, json!({ "a/a": "2.0.*", "b/b": "2.0.*" }));
    let (run, _) = resolve_each_way(&registry, &project, None, &[]);
    let told = "Allegro: extra.allegro.exceptions needs no a/a any more, without it the same version is locked";
    assert_eq!(run.ours().split_off(1), [told]);
}

/// Allegro reports meaningless values with their keys, and writes nothing.
#[test]
fn bad_values_are_refused() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    let (_, lock) = resolve(&registry, &project(&registry, json!({})), None, &[], None);
    let lock = lock.expect("a lock");
    for (exceptions, words) in [
        (json!("a/a"), &["extra.allegro.exceptions", "object"][..]),
        (json!(["a/a"]), &["extra.allegro.exceptions", "object"]),
        (json!({ "a/a": 1 }), &["\"a/a\"", "constraint"]),
        (json!({ "a/a": null }), &["\"a/a\"", "constraint"]),
        (json!({ "a/a": " " }), &["\"a/a\"", "constraint"]),
        (json!({ "c/c": "^1", "b/b": "=> 1" }), &["\"b/b\"", "=> 1"]),
        (json!({ "a/*": "^1" }), &["\"a/*\"", "pattern"]),
        (json!({ "php": "^8" }), &["\"php\"", "vendor/name"]),
    ] {
        refuses(
            &registry,
            &project(&registry, exceptions),
            &lock,
            &[],
            words,
        );
    }
    let mut apart = project(&registry, json!({ "a/a": "^3" }));
    apart["require"] = json!({ "a/a": "^2" });
    refuses(&registry, &apart, &lock, &[], &["\"a/a\"", "^3", "^2"]);
}

/// A project without these settings gets the result of `composer update`.
#[test]
fn nothing_changes_without_them() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    for extra in [
        json!({}),
        json!({ "allegro": { "copy": ["a/*"] } }),
        json!({ "allegro": { "exceptions": {} } }),
        json!({ "allegro": { "exceptions": [], "parent": null } }),
        json!({ "allegro": "what" }),
    ] {
        let mut project = manifest(
            &registry.files,
            &[""],
            json!({ "require": { "a/a": "^2" } }),
        );
        project["extra"] = extra;
        let (is_native, lock) = registry.agree("without settings", &project, None, &[]);
        assert!(is_native);
        registry.agree("a part", &project, lock.as_deref(), &["c/c"]);
    }
}
