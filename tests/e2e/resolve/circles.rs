//! Tests packages that replace or provide each other in circles. The choice depends on the order in
//! which the solver meets them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Registry, manifest, release};

fn publish(registry: &Registry, packages: &[Value]) {
    registry.forget();
    registry.root("", json!({}));
    let mut list: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        list.entry(name).or_default().push(package.clone());
    }
    for (name, versions) in list {
        registry.package("", name, versions);
    }
}

fn plain(name: &str, more: Value) -> Value {
    release(name, "1.0.0", more)
}

/// Of packages that replace each other, each is preferred to the other, or neither is. PHP's sort
/// algorithm decides the order then.
#[test]
fn packages_that_replace_each_other() {
    let Some(registry) = Registry::new() else {
        return;
    };
    let names = ["v/a", "v/b", "v/c", "v/d", "v/e", "v/f", "v/g"];
    for count in 2..=names.len() {
        let members = &names[..count];
        let others = |own: &str| -> Value {
            let others = members.iter().filter(|name| **name != own);
            others
                .map(|name| ((*name).to_owned(), json!("1.0.0")))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let next = |place: usize| json!({ members[(place + 1) % count]: "1.0.0" });
        for (what, replaced) in [("all", true), ("the next", false)] {
            let packages = members.iter().enumerate().map(|(place, name)| {
                let list = if replaced { others(name) } else { next(place) };
                plain(
                    name,
                    json!({ "replace": list, "provide": { "v/thing": "1.0.0" } }),
                )
            });
            // Each package is met through a package of its own, in this order.
            let users = (0..count).map(|place| {
                let needs = json!({ members[count - 1 - place]: "*" });
                release(&format!("u/u{place}"), "0.5.0", json!({ "require": needs }))
            });
            let newer = (0..count).map(|place| plain(&format!("u/u{place}"), json!({})));
            publish(
                &registry,
                &packages.chain(users).chain(newer).collect::<Vec<_>>(),
            );
            let mut require = json!({ "v/thing": "*" });
            for place in 0..count {
                require[format!("u/u{place}")] = json!("*");
            }
            let project = manifest(&registry.files, &[""], json!({ "require": require }));
            let what = format!("{count}, {what}");
            let (is_native, lock) = registry.agree_loudly(&what, &project, None, &[]);
            assert_eq!((is_native, lock.is_some()), (true, true), "{what}");
        }
    }
}

/// After the choice, fewer packages would be enough. A package that was chosen for a name is needed
/// by the package that replaces that name.
#[test]
fn what_has_become_needless_stays() {
    let Some(registry) = Registry::new() else {
        return;
    };
    let both = |more: Value| {
        let mut all = json!({ "provide": { "v/thing": "1.0.0" } });
        crate::support::files::merge(&mut all, more);
        all
    };
    publish(
        &registry,
        &[
            plain("a/a", json!({ "require": { "r/r": "*" } })),
            plain("r/r", json!({ "require": { "x/x": "*" } })),
            plain("x/x", both(json!({ "require": { "y/y": "*" } }))),
            plain("y/y", json!({ "require": { "z/z": "*" } })),
            plain("z/z", json!({ "require": { "w/w": "*" } })),
            plain("w/w", both(json!({ "replace": { "r/r": "1.0.0" } }))),
        ],
    );
    let require = json!({ "a/a": "*", "v/thing": "*" });
    let project = manifest(&registry.files, &[""], json!({ "require": require }));
    let (is_native, lock) = registry.agree("replaced", &project, None, &[]);
    assert!(is_native, "replaced");
    assert!(lock.expect("a lock").contains("\"name\": \"y/y\""));
    publish(
        &registry,
        &[
            release("d/d", "1.2.0", json!({})),
            release("d/d", "dev-main", json!({ "provide": { "a/a": "1.0.0" } })),
            plain("a/a", json!({ "replace": { "s/s": "1.0.0" } })),
            release(
                "b/b",
                "2.2.1",
                json!({ "require": { "d/d": "^1.0 || ^3.1" } }),
            ),
            release("b/b", "2.0.x-dev", json!({})),
            release("c/c", "1.0.0", json!({ "require": { "e/e": "*" } })),
            release("c/c", "dev-main", json!({ "require": { "d/d": "*" } })),
            release("e/e", "1.x-dev", json!({ "require": { "s/s": "*" } })),
        ],
    );
    let lists = json!({ "require": { "a/a": "*" }, "require-dev": { "b/b": "*", "c/c": "*" }, "minimum-stability": "dev" });
    let project = manifest(&registry.files, &[""], lists);
    let (is_native, lock) = registry.agree("provided", &project, None, &[]);
    assert!(is_native, "provided");
    assert!(lock.expect("a lock").contains("\"name\": \"d/d\""));
}

/// An update covers a package that replaced another one. Since Composer 2.6 the pool builder looks
/// for the replaced package at once, and before that when it meets the name. The output tells which
/// came first.
#[test]
fn what_was_replaced_is_looked_for() {
    let Some(registry) = Registry::new() else {
        return;
    };
    let needs = |names: &[&str]| {
        let list = names.iter().map(|name| ((*name).to_owned(), json!("*")));
        json!({ "require": list.collect::<serde_json::Map<_, _>>() })
    };
    let replacer = plain("a/two", json!({ "replace": { "r/old": "1.0.0" } }));
    let before = [
        plain("b/five", needs(&["a/two", "c/six"])),
        plain("c/six", needs(&["r/old"])),
        plain("x/five", json!({})),
        plain("x/six", json!({})),
        replacer,
    ];
    publish(&registry, &before);
    let require = json!({ "b/five": "*", "x/five": "*", "x/six": "*" });
    let project = manifest(&registry.files, &[""], json!({ "require": require }));
    let (is_native, lock) = registry.agree("before", &project, None, &[]);
    assert!(is_native, "before");
    let after = [
        release(
            "a/two",
            "2.0.0",
            json!({ "replace": { "x/five": "self.version" } }),
        ),
        plain("r/old", needs(&["x/six"])),
    ];
    publish(&registry, &[&before[..], &after[..]].concat());
    for args in [
        &["b/five", "-w"][..],
        &["b/five", "-W"],
        &["a/two", "-w"],
        &["b/*", "a/*"],
    ] {
        let what = format!("{args:?}");
        let (is_native, _) = registry.agree(&what, &project, lock.as_deref(), args);
        assert!(is_native, "{what}");
    }
}
