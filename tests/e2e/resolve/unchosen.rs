//! Tests versions that nobody chooses and that matter all the same.
//!
//! A greedy solver takes the best version of each requirement as it meets it. In each of these
//! scenarios it comes to the end without a conflict, and to another lock than Composer's. A version
//! that it doesn't take brings a package into the pool, or gives rules an earlier place. Places
//! decide between equal candidates. So nothing less than the whole pool gives Composer's answer.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Registry, manifest, release};

/// A registry, and its expected results.
struct Scenario {
    what: &'static str,
    /// The version that matters without being chosen.
    unchosen: (&'static str, &'static str),
    packages: Vec<Value>,
    project: Value,
    /// The versions that Composer locks.
    composers: &'static [(&'static str, &'static str)],
    /// The versions that Composer locks if the deciding version doesn't exist, which are the best
    /// at first sight.
    at_first_sight: &'static [(&'static str, &'static str)],
}

/// Returns packages, two of which provide a name. One of the two comes first, because `a/a` 1.0.0
/// requires it.
fn offers(more: Value) -> Vec<Value> {
    let needs = json!({ "require": { "v/thing": "*", "z/z": "*" } });
    let mut offering = json!({ "provide": { "v/thing": "1.0.0" } });
    crate::support::files::merge(&mut offering, more);
    vec![
        release("a/a", "2.0.0", json!({})),
        release("a/a", "1.0.0", json!({ "require": { "v/offers": "*" } })),
        release("c/c", "1.0.0", needs),
        release("v/offers", "1.0.0", offering),
        release("v/thing", "1.0.0", json!({})),
        release("z/z", "2.0.0", json!({})),
        release("z/z", "1.0.0", json!({})),
    ]
}

/// Returns packages, two of which require different versions of `e/e`. The solver asks the second
/// one of them first, because `a/a` 1.0.0 requires it.
fn order(newest: Value) -> Vec<Value> {
    let both = json!({ "require": { "c/c": "*", "d/d": "*" } });
    let second = json!({ "require": { "e/e": "^2.0" } });
    vec![
        release("a/a", "2.0.0", json!({})),
        release("a/a", "1.0.0", json!({ "require": { "d/d": "*" } })),
        release("b/b", "1.0.0", both),
        release("c/c", "2.0.0", second),
        release("c/c", "1.0.0", json!({})),
        release("d/d", "1.0.0", json!({ "require": { "e/e": ">=1" } })),
        newest,
        release("e/e", "2.0.0", json!({})),
        release("e/e", "1.0.0", json!({})),
    ]
}

fn scenarios() -> Vec<Scenario> {
    let replacing = || json!({ "replace": { "v/thing": "1.0.0" } });
    let branch = json!({ "extra": { "branch-alias": { "dev-main": "3.x-dev" } } });
    let two = json!({ "require": { "a/a": "*", "c/c": "*" } });
    let three = json!({ "require": { "a/a": "*", "b/b": "*" } });
    vec![
        Scenario {
            what: "provided",
            unchosen: ("a/a", "1.0.0"),
            packages: offers(json!({})),
            project: two.clone(),
            composers: &[
                ("a/a", "2.0.0"),
                ("c/c", "1.0.0"),
                ("v/offers", "1.0.0"),
                ("z/z", "2.0.0"),
            ],
            at_first_sight: &[
                ("a/a", "2.0.0"),
                ("c/c", "1.0.0"),
                ("v/thing", "1.0.0"),
                ("z/z", "2.0.0"),
            ],
        },
        Scenario {
            what: "provided, with a conflict",
            unchosen: ("a/a", "1.0.0"),
            packages: offers(json!({ "conflict": { "z/z": "^2.0" } })),
            project: two,
            composers: &[
                ("a/a", "2.0.0"),
                ("c/c", "1.0.0"),
                ("v/offers", "1.0.0"),
                ("z/z", "1.0.0"),
            ],
            at_first_sight: &[
                ("a/a", "2.0.0"),
                ("c/c", "1.0.0"),
                ("v/thing", "1.0.0"),
                ("z/z", "2.0.0"),
            ],
        },
        Scenario {
            what: "replaced",
            unchosen: ("a/a", "1.0.0"),
            packages: vec![
                release("a/a", "2.0.0", json!({})),
                release(
                    "a/a",
                    "1.0.0",
                    json!({ "require": { "d/d": "*", "v/new": "*" } }),
                ),
                release(
                    "b/b",
                    "1.0.0",
                    json!({ "require": { "c/c": "*", "d/d": "*" } }),
                ),
                release("c/c", "2.0.0", json!({ "require": { "x/x": "*" } })),
                release("c/c", "1.0.0", json!({})),
                release("x/x", "1.0.0", replacing()),
                release("v/new", "1.0.0", replacing()),
                release("d/d", "1.0.0", json!({ "require": { "v/thing": "*" } })),
            ],
            project: three.clone(),
            composers: &[
                ("a/a", "2.0.0"),
                ("b/b", "1.0.0"),
                ("c/c", "1.0.0"),
                ("d/d", "1.0.0"),
                ("v/new", "1.0.0"),
            ],
            at_first_sight: &[
                ("a/a", "2.0.0"),
                ("b/b", "1.0.0"),
                ("c/c", "2.0.0"),
                ("d/d", "1.0.0"),
                ("x/x", "1.0.0"),
            ],
        },
        Scenario {
            what: "plain requirements",
            unchosen: ("a/a", "1.0.0"),
            packages: order(release("e/e", "3.0.0", json!({}))),
            project: three.clone(),
            composers: &[
                ("a/a", "2.0.0"),
                ("b/b", "1.0.0"),
                ("c/c", "1.0.0"),
                ("d/d", "1.0.0"),
                ("e/e", "3.0.0"),
            ],
            at_first_sight: &[
                ("a/a", "2.0.0"),
                ("b/b", "1.0.0"),
                ("c/c", "2.0.0"),
                ("d/d", "1.0.0"),
                ("e/e", "2.0.0"),
            ],
        },
        Scenario {
            what: "an alias",
            unchosen: ("a/a", "1.0.0"),
            packages: order(release("e/e", "dev-main", branch)),
            project: json!({ "require": three["require"], "minimum-stability": "dev" }),
            composers: &[
                ("a/a", "2.0.0"),
                ("b/b", "1.0.0"),
                ("c/c", "1.0.0"),
                ("d/d", "1.0.0"),
                ("e/e", "dev-main"),
            ],
            at_first_sight: &[
                ("a/a", "2.0.0"),
                ("b/b", "1.0.0"),
                ("c/c", "2.0.0"),
                ("d/d", "1.0.0"),
                ("e/e", "2.0.0"),
            ],
        },
    ]
}

#[test]
fn versions_that_nobody_chooses_decide() {
    let Some(registry) = Registry::new() else {
        return;
    };
    for scenario in scenarios() {
        let locked = |is_there: bool| {
            let what = format!(
                "{}, {}",
                scenario.what,
                if is_there { "decided" } else { "undecided" }
            );
            registry.forget();
            registry.root("", json!({}));
            let mut packages: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
            for package in &scenario.packages {
                let (name, version) = (&package["name"], &package["version"]);
                if is_there
                    || (name, version) != (&json!(scenario.unchosen.0), &json!(scenario.unchosen.1))
                {
                    let name = name.as_str().expect("a name");
                    packages.entry(name).or_default().push(package.clone());
                }
            }
            for (name, versions) in packages {
                registry.package("", name, versions);
            }
            let project = manifest(&registry.files, &[""], scenario.project.clone());
            let (is_native, lock) = registry.agree(&what, &project, None, &[]);
            assert!(is_native, "{what}");
            versions(&lock.expect("a lock"))
        };
        let expected = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            let list = list.iter();
            list.map(|(name, version)| ((*name).to_owned(), (*version).to_owned()))
                .collect()
        };
        assert_eq!(
            locked(true),
            expected(scenario.composers),
            "{}",
            scenario.what
        );
        assert_eq!(
            locked(false),
            expected(scenario.at_first_sight),
            "{}, without",
            scenario.what
        );
    }
}

fn versions(lock: &str) -> Vec<(String, String)> {
    let lock: Value = serde_json::from_str(lock).expect("a lock");
    let packages = lock["packages"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    packages
        .map(|package| (text(&package["name"]), text(&package["version"])))
        .collect()
}

/// The provider of a name is in a repository that is asked for no chosen package. An older version
/// that nobody takes causes the request.
#[test]
fn a_repository_that_nothing_chosen_asks() {
    let Some(registry) = Registry::new() else {
        return;
    };
    registry.root("more/", json!({}));
    let requires = |version: &str, requirement: Value| {
        release("b/b", version, json!({ "require": requirement }))
    };
    let versions = vec![
        requires("2.0.0", json!({ "a/a": "^2" })),
        requires("1.0.0", json!({ "c/c": "*" })),
    ];
    registry.package("", "b/b", versions);
    registry.package("", "a/a", vec![release("a/a", "1.0.0", json!({}))]);
    let replaces = json!({ "replace": { "a/a": "self.version" }, "require": { "d/d": "*" } });
    registry.package("more/", "c/c", vec![release("c/c", "2.0.0", replaces)]);
    registry.package("more/", "d/d", vec![release("d/d", "1.0.0", json!({}))]);
    for paths in [&["", "more/"], &["more/", ""]] {
        let more = json!({ "require": { "b/b": "*" } });
        let project = manifest(&registry.files, paths, more);
        let (is_native, lock) = registry.agree("a repository", &project, None, &[]);
        let lock = lock.expect("a lock");
        let names = ["b/b", "c/c", "d/d"].map(|name| format!("\"name\": \"{name}\""));
        assert!(names.iter().all(|name| lock.contains(name)), "{lock}");
        assert!(is_native);
        // In a partial update, the locked packages don't matter.
        registry.agree("a part", &project, Some(&lock), &["d/d"]);
    }
}
