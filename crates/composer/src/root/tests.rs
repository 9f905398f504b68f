#![allow(clippy::unwrap_used)]

use super::{DEFAULT_PRETTY_VERSION, GuessedVersion, RootPackage};
use crate::json::Json;
use crate::{Dialect, Unfamiliar};

fn load(text: &str, environment: Option<&str>) -> Result<RootPackage, Unfamiliar> {
    let guessed = GuessedVersion {
        version: "dev-main".to_owned(),
        pretty_version: "dev-main".to_owned(),
        commit: Some("c0ffee".to_owned()),
    };
    let manifest = Json::parse(text).unwrap();
    RootPackage::load(&manifest, Some(&guessed), environment, Dialect::default())
}

#[test]
fn a_version_goes_before_the_environment_and_that_before_the_guess() {
    let told = |text: &str, environment| {
        let root = load(text, environment).unwrap();
        let reference = root.package.source.and_then(|place| place.reference);
        (root.package.pretty_version, reference.is_some())
    };
    let of = |version: &str, has_commit| (version.to_owned(), has_commit);
    assert_eq!(
        told(r#"{"version": "1.0"}"#, Some("2-dev")),
        of("1.0", false)
    );
    assert_eq!(told("{}", Some("2-dev")), of("2.x-dev", false));
    assert_eq!(told("{}", None), of("dev-main", true));
    let nothing = RootPackage::load(&Json::object(), None, None, Dialect::default()).unwrap();
    assert_eq!(nothing.package.name, "__root__");
    assert_eq!(nothing.package.version, "1.0.0.0");
    assert_eq!(nothing.package.pretty_version, DEFAULT_PRETTY_VERSION);
}

#[test]
fn what_composer_refuses_is_unfamiliar() {
    for text in [
        "[]",
        "1",
        r#"{"name": "Root/Root"}"#,
        r#"{"name": "root"}"#,
        r#"{"name": "a/a", "require": {"a/a": "*"}}"#,
        r#"{"require": {"a": "*"}}"#,
        r#"{"require": {"a/a": "not a version"}}"#,
        r#"{"require": {"a/a": "1.0 as x"}}"#,
        r#"{"require": {"a/a": 1}}"#,
        r#"{"minimum-stability": "any"}"#,
        r#"{"prefer-stable": 1}"#,
    ] {
        assert!(load(text, None).is_err(), "{text}");
    }
}

#[test]
fn alternatives_have_aliases_since_2_4_3() {
    let text = r#"{"require": {"a/a": "dev-main#abc as 1.0 || ^2.0"}}"#;
    let load = |version: &str| {
        let dialect = Dialect::of(version).unwrap();
        RootPackage::load(&Json::parse(text).unwrap(), None, None, dialect)
    };
    assert!(load("2.4.2").is_err());
    let aliases = load("2.4.3").unwrap().aliases;
    assert_eq!(aliases.len(), 1);
    assert_eq!(aliases[0].version, "dev-main");
    assert_eq!(aliases[0].alias_normalized, "1.0.0.0");
}
