//! Tests verdicts on small problems, and that the proposed changes work.

use serde_json::{Value, json};

use super::super::package::GivenConstraint;
use super::super::tests::{Files, never, problem};
use super::super::{Chosen, Resolution, Stop, solve};
use super::search::MOST_TRIES;
use super::*;
use allegro_semver::constraint::Terms;
use allegro_semver::version::stability;

#[expect(
    clippy::needless_pass_by_value,
    reason = "it reads better where it is called"
)]
/// Returns the verdict on a problem with these requirements of the project.
fn verdict(require: &[(&str, &str)], more: Value, files: &mut Files) -> Verdict {
    let mut terms = Terms::default();
    let requires: Vec<Value> = require
        .iter()
        .map(|(name, text)| {
            let id = terms.parse(text).expect("a constraint");
            json!([name, GivenConstraint::of(&terms, id)])
        })
        .collect();
    let mut own = json!({ "requires": requires, "written": require });
    for (key, value) in more.as_object().expect("an object") {
        own[key] = value.clone();
    }
    match solve(&problem(own), files, &never).expect("an outcome") {
        Resolution::Unsolvable(verdict) => verdict.expect("a verdict"),
        Resolution::Solved(answer, _) => panic!("solved: {answer:?}"),
    }
}

fn require(name: &str, constraint: &str) -> Change {
    Change::Require {
        name: name.to_owned(),
        constraint: constraint.to_owned(),
    }
}

/// Returns each claim as `by newest..oldest what target constraint`.
fn claims(verdict: &Verdict) -> Vec<String> {
    let text = |claim: &Claim| {
        format!(
            "{} {}..{} {:?} {} {}",
            claim.by.as_deref().unwrap_or("project"),
            claim.newest,
            claim.oldest,
            claim.what,
            claim.target,
            claim.constraint
        )
    };
    verdict.claims.iter().map(text).collect()
}

/// Returns packages of which `a/app` 3 and `a/lib` 2 require different versions of `a/base`.
/// `a/lib` 3 goes with both.
fn through_a_third() -> Files {
    let version =
        |version: &str, base: &str| json!({ "version": version, "require": { "a/base": base } });
    Files::default()
        .with(
            "a/app",
            &json!([
                version("3.1.0", "^2.0"),
                version("3.0.0", "^2.0"),
                version("2.0.0", "^1.0")
            ]),
        )
        .with(
            "a/lib",
            &json!([
                version("3.2.1", "^2.0"),
                version("2.1.0", "^1.0"),
                version("2.0.0", "^1.0")
            ]),
        )
        .with(
            "a/base",
            &json!([{ "version": "2.0.0" }, { "version": "1.0.0" }]),
        )
}

#[test]
fn two_requirements_by_way_of_a_third_package() {
    let mut files = through_a_third();
    let verdict = verdict(
        &[("a/app", "^3.0"), ("a/lib", "^2.0")],
        json!({}),
        &mut files,
    );
    assert_eq!(verdict.requires, ["a/app", "a/lib"]);
    assert_eq!(
        claims(&verdict),
        [
            "a/app 3.1.0..3.0.0 Requires a/base ^2.0",
            "a/lib 2.1.0..2.0.0 Requires a/base ^1.0"
        ]
    );
    assert_eq!(
        verdict.change,
        [require("a/lib", "^3.2")],
        "what is newer rather than what is older"
    );
    let mut asked = files.asked.clone();
    asked.sort();
    asked.dedup();
    assert_eq!(
        asked.len(),
        files.asked.len(),
        "each file once: {:?}",
        files.asked
    );
}

#[test]
fn older_versions_where_nothing_newer_helps() {
    let mut files = Files::default()
        .with("a/app", &json!([{ "version": "3.0.0", "require": { "a/base": "^2.0" } }, { "version": "2.5.0", "require": { "a/base": "^1.0" } }]))
        .with("a/lib", &json!([{ "version": "2.0.0", "require": { "a/base": "^1.0" } }]))
        .with("a/base", &json!([{ "version": "2.0.0" }, { "version": "1.0.0" }]));
    let verdict = verdict(
        &[("a/app", "^3.0"), ("a/lib", "^2.0")],
        json!({}),
        &mut files,
    );
    assert_eq!(verdict.change, [require("a/app", "^2.5")]);
}

#[test]
fn two_changes_where_one_is_not_enough() {
    // Each of the three requires its own version of the base. Any two of them agree in one way
    // only.
    let one =
        |version: &str, base: &str| json!({ "version": version, "require": { "a/base": base } });
    let mut files = Files::default()
        .with("a/one", &json!([one("2.0.0", "2.*"), one("1.0.0", "1.*")]))
        .with("a/two", &json!([one("2.0.0", "3.*"), one("1.0.0", "1.*")]))
        .with("a/three", &json!([one("1.0.0", "1.*")]))
        .with(
            "a/base",
            &json!([{ "version": "3.0.0" }, { "version": "2.0.0" }, { "version": "1.0.0" }]),
        );
    let own = [("a/one", "^2.0"), ("a/two", "^2.0"), ("a/three", "^1.0")];
    let verdict = verdict(&own, json!({}), &mut files);
    let mut change = verdict.change.clone();
    change.sort_by_key(|change| format!("{change:?}"));
    assert_eq!(change, [require("a/one", "^1.0"), require("a/two", "^1.0")]);
}

#[test]
fn what_nobody_has() {
    let mut files = through_a_third();
    let own = [("a/base", "^2.0"), ("a/ap", "^3.0")];
    let verdict = verdict(&own, json!({}), &mut files);
    assert_eq!(verdict.requires, ["a/ap"]);
    assert_eq!(verdict.lack, Some(Lack::Name));
    assert_eq!(
        verdict.change,
        [Change::Remove {
            name: "a/ap".to_owned()
        }]
    );
    assert_eq!(verdict.tried, 1, "there is nothing else to try");
}

#[test]
fn a_name_with_a_typing_error() {
    let lines = |require: &[(&str, &str)], files: &mut Files| {
        let verdict = verdict(require, json!({}), files);
        verdict.lines(&problem(json!({ "written": require })))
    };
    let mut files = through_a_third().keeping(&["a/base", "a/bass", "a/app"]);
    let [_, like, help] = lines(&[("a/baze", "^2.0"), ("a/app", "*")], &mut files)
        .try_into()
        .expect("three lines");
    assert_eq!(
        like,
        "         no repository has a/baze; much like it: a/base"
    );
    assert_eq!(
        help,
        "         tried and works: \"a/base\": \"^2.0\" instead of \"a/baze\" in composer.json"
    );
    // The constraint has to change too; the search tries that with the nearest name only.
    let other = lines(&[("a/baze", "^7.0"), ("a/app", "^3.0")], &mut files);
    assert_eq!(other[2], help);
    let mut files = through_a_third().keeping(&["a/bace", "a/base"]);
    let second = lines(&[("a/baze", "^7.0")], &mut files);
    assert_eq!(
        second[1..],
        [
            "         no repository has a/baze; much like it: a/bace, a/base",
            "         tried and works: without \"a/baze\" in composer.json"
        ]
    );
    // A name that the project requires already is not proposed.
    let required = lines(&[("a/baze", "^2.0"), ("a/base", "^2.0")], &mut files);
    assert_eq!(
        required[1],
        "         no repository has a/baze; much like it: a/bace"
    );
}

#[test]
fn names_of_lock_and_lists_are_known() {
    let package = |name: &str| json!({ "name": name, "version": "1.0.0.0" });
    let more = json!({
        "locked": [package("a/one")],
        "repositories": [
            { "kind": "metadata", "available": ["a/onf"] },
            { "kind": "list", "packages": [package("a/ond")] },
        ],
    });
    let found = verdict(&[("a/onr", "^1.0")], more, &mut Files::default());
    assert_eq!(found.nearest, ["a/ond", "a/one", "a/onf"]);
    let instead = ("a/ond".to_owned(), "^1.0".to_owned());
    assert_eq!(found.instead, Some(instead));
}

#[test]
fn the_platform_of_the_machine_is_tried() {
    let mut files = Files::default().with(
        "a/app",
        &json!([{ "version": "2.0.0", "require": { "php": ">=8.3" } }]),
    );
    let mut real = |real: Value| {
        let more = json!({ "overridden": [{ "name": "php", "real": real }] });
        verdict(&[("a/app", "^2.0")], more, &mut files).real
    };
    let works = ("php".to_owned(), "8.3.1".to_owned());
    assert_eq!(real(json!(["8.3.1.0", "8.3.1"])), Some(works));
    assert_eq!(real(json!(["8.2.9.0", "8.2.9"])), None);
    assert_eq!(real(Value::Null), None);
}

#[test]
fn a_version_that_is_not_there() {
    let files = through_a_third();
    let branch = json!([{ "version": "dev-main" }]);
    let mut files = files.with("a/app~dev", &branch);
    let dev = json!({ "stability_flags": [["a/app", 20]] });
    let verdict = verdict(&[("a/app", "^7.0")], dev, &mut files);
    let lack = Lack::Version {
        oldest: "2.0.0".to_owned(),
        newest: "3.1.0".to_owned(),
    };
    assert_eq!(verdict.lack, Some(lack));
    assert_eq!(verdict.change, [require("a/app", "^3.1")]);
}

#[test]
fn versions_that_are_not_stable_enough() {
    let files = || {
        Files::default()
            .with("a/app", &json!([{ "version": "2.0.0-beta2" }, { "version": "2.0.0-alpha1" }]))
            .with("a/user", &json!([{ "version": "1.0.0", "require": { "a/app": "^2.0" } }]))
            .with("a/branch~dev", &json!([
                { "version": "dev-main", "extra": { "branch-alias": { "dev-main": "2.3.x-dev" } } },
            ]))
            .with("a/branch", &json!([]))
    };
    let own = verdict(&[("a/app", "^2.0")], json!({}), &mut files());
    let lack = Lack::Stability {
        version: "2.0.0-beta2".to_owned(),
        stability: "beta".to_owned(),
    };
    assert_eq!(own.lack.as_ref(), Some(&lack));
    assert_eq!(own.change, [require("a/app", "^2.0@beta")]);
    let both = verdict(&[("a/app", "^1.0")], json!({}), &mut files());
    assert_eq!(both.change, [require("a/app", "^2.0@beta")]);
    let branch = verdict(&[("a/branch", "^3.0")], json!({}), &mut files());
    assert_eq!(branch.change, [require("a/branch", "^2.3@dev")]);
    // The project doesn't require the package itself, and may do so just to state its stability.
    let other = verdict(&[("a/user", "^1.0")], json!({}), &mut files());
    assert_eq!(claims(&other), ["a/user 1.0.0..1.0.0 Requires a/app ^2.0"]);
    assert_eq!(other.claims[0].lack, Some(lack));
    assert_eq!(other.change, [require("a/app", "*@beta")]);
}

#[test]
fn the_platform_is_told_but_not_changed() {
    let mut files = Files::default().with(
        "a/app",
        &json!([{ "version": "2.0.0", "require": { "php": ">=9" } }, { "version": "1.5.0" }]),
    );
    let own = verdict(&[("a/app", "^2.0")], json!({}), &mut files);
    assert_eq!(claims(&own), ["a/app 2.0.0..2.0.0 Requires php >=9"]);
    let has = Lack::Platform {
        has: Some("8.2.0".to_owned()),
    };
    assert_eq!(own.claims[0].lack, Some(has.clone()));
    assert_eq!(own.change, [require("a/app", "^1.5")]);
    let root = verdict(&[("a/app", "^1.0"), ("php", "^9.0")], json!({}), &mut files);
    assert_eq!(
        (root.lack, root.change),
        (Some(has), vec![require("php", "^8.2")])
    );
    let absent = verdict(
        &[("a/app", "^1.0"), ("ext-none", "*")],
        json!({}),
        &mut files,
    );
    assert_eq!(absent.lack, Some(Lack::Platform { has: None }));
    assert_eq!(
        absent.change,
        [Change::Remove {
            name: "ext-none".to_owned()
        }]
    );
}

#[test]
fn conflicts_and_replacements() {
    let mut files = Files::default()
        .with(
            "a/app",
            &json!([{ "version": "2.0.0", "conflict": { "a/lib": "<3" } }]),
        )
        .with(
            "a/lib",
            &json!([{ "version": "3.0.0" }, { "version": "2.0.0" }]),
        )
        .with(
            "a/old",
            &json!([{ "version": "1.0.0", "conflict": { "php": ">=8" } }]),
        );
    let own = verdict(&[("a/app", "*"), ("a/lib", "^2.0")], json!({}), &mut files);
    assert_eq!(
        claims(&own),
        [
            "a/app 2.0.0..2.0.0 Conflicts a/lib <3",
            "project .. Requires a/lib ^2.0"
        ]
    );
    assert_eq!(own.change, [require("a/lib", "^3.0")]);
    let php = verdict(&[("a/old", "*")], json!({}), &mut files);
    assert_eq!(claims(&php), ["a/old 1.0.0..1.0.0 Conflicts php >=8"]);
    assert!(matches!(php.claims[0].lack, Some(Lack::Platform { .. })));
    let mut files = Files::default()
        .with(
            "a/frame",
            &json!([{ "version": "8.0.0", "replace": { "a/part": "self.version" } }]),
        )
        .with(
            "a/user",
            &json!([{ "version": "1.0.0", "require": { "a/part": "^7.0" } }]),
        )
        .with("a/part", &json!([{ "version": "7.0.0" }]));
    let own = verdict(
        &[("a/frame", "^8.0"), ("a/user", "*")],
        json!({}),
        &mut files,
    );
    assert_eq!(
        claims(&own),
        [
            "a/frame 8.0.0..8.0.0 Replaces a/part 8.0.0",
            "a/user 1.0.0..1.0.0 Requires a/part ^7.0"
        ]
    );
    assert_eq!(own.change.len(), 1, "one of them goes: {:?}", own.change);
    assert!(matches!(own.change[0], Change::Remove { .. }));
    // No repository has the part alone, so the remedy is another version of the package that
    // replaces it.
    let frame =
        |version: &str| json!({ "version": version, "replace": { "a/part": "self.version" } });
    let mut files = Files::default()
        .with("a/frame", &json!([frame("8.0.0"), frame("7.2.0")]))
        .with(
            "a/user",
            &json!([{ "version": "1.0.0", "require": { "a/part": "^8.0" } }]),
        );
    let own = verdict(
        &[("a/frame", "^7.0"), ("a/user", "*")],
        json!({}),
        &mut files,
    );
    assert_eq!(own.requires, ["a/user", "a/frame"]);
    assert_eq!(
        claims(&own),
        [
            "a/user 1.0.0..1.0.0 Requires a/part ^8.0",
            "a/frame 7.2.0..7.2.0 Replaces a/part 7.2.0"
        ]
    );
    assert_eq!(own.change, [require("a/frame", "^8.0")]);
}

#[test]
fn a_requirement_of_the_project_limits_what_others_want() {
    let mut files = through_a_third();
    let own = [("a/app", "^3.0"), ("a/base", "^1.0")];
    let verdict = verdict(&own, json!({}), &mut files);
    assert_eq!(verdict.requires, ["a/app", "a/base"]);
    assert_eq!(
        claims(&verdict),
        [
            "a/app 3.1.0..3.0.0 Requires a/base ^2.0",
            "project .. Requires a/base ^1.0"
        ]
    );
    assert_eq!(verdict.change, [require("a/base", "^2.0")]);
}

#[test]
fn another_way_to_call_it_changes_nothing() {
    let locked = json!([
        { "name": "a/app", "version": "2.0.0.0", "requires": [["a/base", ["==", "1.0.0.0"], false]] },
        { "name": "a/base", "version": "1.0.0.0" },
    ]);
    let own = [("a/app", "^3.0")];
    let part = |allow: Value| json!({ "locked": locked, "allow": allow, "reach": "dependencies" });
    let everything = verdict(&own, part(json!(["a/base"])), &mut through_a_third());
    assert_eq!(
        everything.lack,
        Some(Lack::Locked {
            version: "2.0.0".to_owned()
        })
    );
    assert_eq!(everything.change, [Change::Everything]);
    let with = json!({ "temporary": [["a/base", ["==", "1.0.0.0"]]] });
    let temporary = verdict(&own, with, &mut through_a_third());
    assert_eq!(temporary.change, [Change::WithoutTemporary]);
}

#[test]
fn several_problems_at_once() {
    let problem = |count: usize| {
        let mut files = Files::default();
        let mut own = Vec::new();
        for name in &["a/one", "a/two", "a/three", "a/four", "a/five", "a/six"][..count] {
            let old = json!({ "version": "1.0.0" });
            let new = json!({ "version": "2.0.0", "require": { "ext-none": "*" } });
            files = files.with(name, &json!([new, old]));
            own.push((*name, "^2.0"));
        }
        verdict(&own, json!({}), &mut files)
    };
    let four = problem(4);
    let mut change = four.change.clone();
    change.sort_by_key(|change| format!("{change:?}"));
    let wanted = ["a/four", "a/one", "a/three", "a/two"].map(|name| require(name, "^1.0"));
    assert_eq!(change, wanted);
    assert!(four.tried <= MOST_TRIES);
}

#[test]
fn what_was_learned_on_the_way_is_traced_back() {
    // No version of `a/two` goes with any of `a/three`, but that shows only when the solver tries
    // one of them.
    let one = |version: &str, p: &str, q: &str| json!({ "version": version, "require": { "a/p": p, "a/q": q } });
    let both = json!([{ "version": "2.0.0" }, { "version": "1.0.0" }]);
    let mut files = Files::default()
        .with(
            "a/two",
            &json!([one("2.0.0", "1.*", "2.*"), one("1.0.0", "2.*", "1.*")]),
        )
        .with(
            "a/three",
            &json!([one("2.0.0", "2.*", "2.*"), one("1.0.0", "1.*", "1.*")]),
        )
        .with("a/p", &both)
        .with("a/q", &both)
        .with("a/one", &both);
    let own = [("a/one", "*"), ("a/two", "*"), ("a/three", "*")];
    let verdict = verdict(&own, json!({}), &mut files);
    assert_eq!(verdict.requires, ["a/two", "a/three"]);
    assert_eq!(
        claims(&verdict),
        [
            "a/two 2.0.0..2.0.0 Requires a/p 1.*",
            "a/three 2.0.0..2.0.0 Requires a/p 2.*"
        ]
    );
}

#[test]
fn a_proposal_is_tried_as_it_is_written() {
    // The other package is stable enough only as long as the name that it replaces is required as
    // beta.
    let package = json!({
        "name": "b/other", "version": "1.0.0.0-beta1", "replaces": [["a/one", ["==", "1.0.0.0"], false]],
    });
    let more = json!({
        "repositories": [{ "kind": "list", "packages": [package] }],
        "stability_flags": [["a/one", 10]],
    });
    let own = [("a/one", "^9.0@beta"), ("b/other", "*")];
    let verdict = verdict(&own, more, &mut Files::default());
    let lack = Lack::Offered {
        by: "b/other".to_owned(),
        version: "1.0.0-beta1".to_owned(),
        constraint: "1.0.0".to_owned(),
    };
    assert_eq!(verdict.lack, Some(lack));
    assert_eq!(
        verdict.change,
        [require("a/one", "*"), require("b/other", "^1.0@beta")]
    );
}

#[test]
fn nothing_helps() {
    // The project itself conflicts with PHP.
    let fixed = json!([
        { "name": "php", "version": "8.2.0.0", "always": true },
        { "name": "the/project", "version": "1.0.0.0", "always": true, "conflicts": [["php", true, false]] },
    ]);
    let mut files = Files::default().with("a/app", &json!([{ "version": "1.0.0" }]));
    let verdict = verdict(&[("a/app", "*")], json!({ "fixed": fixed }), &mut files);
    assert_eq!(verdict.change, []);
    assert_eq!(claims(&verdict), ["project .. Conflicts php *"]);
}

#[test]
fn it_is_told_only_if_it_is_asked_for_and_stops_when_it_is_asked_to() {
    let mut files = Files::default();
    let silent = solve(&problem(json!({})), &mut files, &never).expect("an outcome");
    assert!(matches!(silent, Resolution::Unsolvable(None)));
    let own = problem(json!({ "written": [["a/a", "*"]] }));
    let stop = solve(&own, &mut files, &|| true).expect_err("stopped");
    assert_eq!(stop, Stop::Interrupted);
}

#[test]
fn what_require_would_write() {
    let told = |version: &str, pretty: Option<&str>, alias: Option<&str>| {
        let chosen = Chosen {
            name: "a/a".to_owned(),
            version: version.to_owned(),
            pretty: pretty.map(str::to_owned),
            alias: alias.map(str::to_owned),
            place: None,
            is_dev: None,
        };
        let (text, flag) = changes::recommended(&chosen);
        assert_eq!(flag.unwrap_or(0), stability(version) as u8, "{version}");
        text
    };
    let text = |version: &str, alias: Option<&str>| told(version, None, alias);
    for (version, wanted) in [
        ("1.2.1.0", "^1.2"),
        ("0.3.1.0", "^0.3.1"),
        ("2.0.0.0-beta1", "^2.0@beta"),
        ("2.0.0.0-RC3", "^2.0@RC"),
        ("1.2.3.4", "1.2.3.4"),
        ("20240101.0.0.0", "^20240101.0"),
    ] {
        assert_eq!(text(version, None), wanted, "{version}");
    }
    for (alias, wanted) in [
        ("2.1.9999999.9999999-dev", "^2.1@dev"),
        ("2.9999999.9999999.9999999-dev", "^2.0@dev"),
        ("9999999-dev", "dev-main"),
    ] {
        assert_eq!(text("dev-main", Some(alias)), wanted, "{alias}");
    }
    assert_eq!(text("dev-main", None), "dev-main");
    assert_eq!(told("1.2.3.4", Some("v1.2.3.4"), None), "v1.2.3.4");
    for (written, wanted) in [
        ("^1.0", Some("^1.0@beta")),
        ("^1.0 || ^2.0@RC", Some("^1.0 || ^2.0@beta")),
        ("@RC", Some("*@beta")),
        ("dev-main", None),
        ("1.0.x-dev#abc", None),
        ("dev-main as 1.0", None),
    ] {
        let found = changes::with_stability(written, "beta");
        assert_eq!(found.as_deref(), wanted, "{written}");
    }
}

#[test]
fn words_for_what_is_not_at_hand() {
    let mut terms = Terms::default();
    for (written, wanted) in [
        ("^1.2", "^1.2"),
        ("^1.2.3 || ^3.0", "^1.2.3 || ^3.0"),
        ("^0.3", "^0.3"),
        ("~1.2.3", ">=1.2.3 <1.3"),
        ("1.2.0", "1.2.0"),
        ("dev-main", "dev-main"),
        ("*", "*"),
        ("!=1.0", "!=1.0"),
    ] {
        let id = terms.parse(written).expect("a constraint");
        assert_eq!(words::constraint(&terms, id), wanted, "{written}");
    }
    assert_eq!(words::version("2.1.0.0"), "2.1.0");
    assert_eq!(words::version("2.1.0.0-beta1"), "2.1.0-beta1");
    assert_eq!(words::version("2.1.9999999.9999999-dev"), "2.1.x-dev");
    assert_eq!(words::version("1.2.3.4"), "1.2.3.4");
}
