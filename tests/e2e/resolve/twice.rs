//! Tests packages that a project has in both `require` and `require-dev`.

use serde_json::json;

use super::{Registry, family, manifest, release};

/// Composer merges both lists, in which the constraint of `require-dev` counts. Then it checks
/// whether the result also satisfies `require` alone. It prints messages about that once.
#[test]
fn required_twice() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    for (what, require, for_development, is_enough) in [
        ("the same", "^1.0", "^1.0", true),
        ("development wants more", "*", "1.0.0", true),
        ("development wants less", "1.0.0", "*", false),
        ("nothing in common", "^1.0", "^2.0", false),
    ] {
        let lists = json!({ "require": { "a/a": require, "c/c": "*" }, "require-dev": { "a/a": for_development } });
        let project = manifest(&registry.files, &[""], lists);
        let (run, lock) = registry.compare(what, &project, None, &["-v"]);
        assert!(run.stderr.contains("considered"), "{what}: {}", run.stderr);
        assert_eq!(lock.is_some(), is_enough, "{what}");
    }
}

/// The lock stays as it is, but does not satisfy `require` alone.
#[test]
fn required_twice_and_locked() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    let for_development = json!({ "require-dev": { "a/a": "^2.0" } });
    let before = manifest(&registry.files, &[""], for_development);
    let (_, lock) = registry.compare("for development", &before, None, &[]);
    let lists = json!({ "require": { "a/a": "^1.0" }, "require-dev": { "a/a": "^2.0" } });
    let project = manifest(&registry.files, &[""], lists);
    for args in [&["x/x"][..], &["x/x", "-v"], &["x/x", "-w", "-vv"]] {
        let (run, _) = registry.compare("nothing to do", &project, lock.as_deref(), args);
        assert_eq!(run.exit, 2, "{}", run.stderr);
        assert_eq!(
            run.stderr.matches("Nothing to modify").count(),
            1,
            "{}",
            run.stderr
        );
    }
}

/// Two packages provide a name that the project needs, and `require-dev` needs both. The order of
/// Composer's decisions determines which of them counts as the project's own.
#[test]
fn offered_twice() {
    let Some(registry) = Registry::new() else {
        return;
    };
    let thing = || json!({ "provide": { "v/thing": "1.0.0" } });
    for (what, requirers) in [
        ("at once", vec![("d/d", vec!["o/a", "o/b"])]),
        (
            "one by one",
            vec![("d/d", vec!["o/a"]), ("e/e", vec!["o/b"])],
        ),
        (
            "the other way round",
            vec![("d/d", vec!["o/b"]), ("e/e", vec!["o/a"])],
        ),
        (
            "deeper",
            vec![("d/d", vec!["e/e", "o/b"]), ("e/e", vec!["o/a"])],
        ),
    ] {
        registry.forget();
        registry.root("", json!({}));
        let needs = json!({ "require": { "v/thing": "*" } });
        registry.package("", "c/c", vec![release("c/c", "1.0.0", needs)]);
        for name in ["o/a", "o/b"] {
            registry.package("", name, vec![release(name, "1.0.0", thing())]);
        }
        let mut for_development = json!({});
        for (name, needed) in &requirers {
            let mut require = json!({});
            for other in needed {
                require[*other] = json!("*");
            }
            let entry = release(name, "1.0.0", json!({ "require": require }));
            registry.package("", name, vec![entry]);
            for_development[*name] = json!("*");
        }
        for own in [json!({ "c/c": "*" }), json!({ "c/c": "*", "v/thing": "*" })] {
            let lists = json!({ "require": own, "require-dev": for_development });
            let project = manifest(&registry.files, &[""], lists);
            let (is_native, lock) = registry.agree(what, &project, None, &[]);
            assert_eq!((is_native, lock.is_some()), (true, true), "{what}");
        }
    }
}

/// The lock has a branch and its alias. The project doesn't require the branch any more, so the
/// alias stands alone.
#[test]
fn an_alias_that_has_lost_its_package() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    let versions = ["dev-main", "1.0.0"].map(|version| release("o/o", version, json!({})));
    registry.package("", "o/o", versions.to_vec());
    let requires = |constraint: &str| {
        let more = json!({ "require": { "o/o": constraint, "c/c": "*" } });
        manifest(&registry.files, &[""], more)
    };
    let (_, lock) = registry.compare("as", &requires("dev-main as 3.0.0"), None, &[]);
    for args in [&["c/c"][..], &["c/c", "-v"], &["c/c", "-W", "-v"]] {
        registry.compare("a part", &requires(">=2"), lock.as_deref(), args);
    }
}
