//! Compares `allegro update --no-install` with `composer update --no-install`.

use serde_json::json;

use super::{Registry, family, manifest};

#[test]
fn a_small_project_is_updated_natively() {
    let Some(registry) = Registry::native() else {
        return;
    };
    family(&registry);
    let project = manifest(
        &registry.files,
        &[""],
        json!({ "require": { "a/a": "*" }, "require-dev": { "c/c": "^1.0" } }),
    );
    let (is_native, lock) = registry.agree("at first", &project, None, &[]);
    assert!(is_native && lock.is_some());
    let (is_native, again) = registry.agree("again", &project, lock.as_deref(), &[]);
    assert!(is_native && again == lock);
}
