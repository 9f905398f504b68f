//! Packages that a project requires both for itself and for its development.

use serde_json::json;

use super::{Registry, family, manifest};

/// Composer puts both lists together, where what development asks for counts, and then looks whether the rest is enough
/// without it. What it says then, it says once.
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
