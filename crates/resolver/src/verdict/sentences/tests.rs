//! Tests the sentences for each part of a verdict.

use serde_json::json;

use super::super::super::request::Problem;
use super::super::super::tests::problem;
use super::super::conflict::What;
use super::super::{Change, Claim, Lack, Verdict};

/// Returns a problem with the requirements that the verdicts of these tests name.
fn asked() -> Problem {
    problem(json!({
        "written": [["a/app", "^3.0"], ["a/lib", "^2.0"], ["a/ap", "^1.0"], ["php", "^9"]],
        "overridden": [{ "name": "php", "real": ["8.3.1.0", "8.3.1"] }],
    }))
}

fn verdict() -> Verdict {
    Verdict {
        requires: vec!["a/app".to_owned(), "a/lib".to_owned()],
        tried: 7,
        ..Verdict::default()
    }
}

/// Returns a verdict on one requirement that can't be met by itself.
fn lacking(name: &str, lack: Lack) -> Verdict {
    Verdict {
        requires: vec![name.to_owned()],
        lack: Some(lack),
        ..verdict()
    }
}

fn claim(by: &str) -> Claim {
    Claim {
        by: (!by.is_empty()).then(|| by.to_owned()),
        newest: "2.1.0".to_owned(),
        oldest: "2.1.0".to_owned(),
        what: What::Requires,
        target: "a/base".to_owned(),
        constraint: "^1.0".to_owned(),
        via: None,
        lack: None,
    }
}

fn claiming(claim: Claim) -> Verdict {
    Verdict {
        claims: vec![claim],
        ..verdict()
    }
}

fn changing(change: &[Change]) -> Verdict {
    Verdict {
        change: change.to_vec(),
        ..verdict()
    }
}

fn require(name: &str, constraint: &str) -> Change {
    Change::Require {
        name: name.to_owned(),
        constraint: constraint.to_owned(),
    }
}

fn remove(name: &str) -> Change {
    Change::Remove {
        name: name.to_owned(),
    }
}

fn platform(has: Option<&str>) -> Lack {
    Lack::Platform {
        has: has.map(str::to_owned),
    }
}

/// Checks that a verdict contains a line.
#[track_caller]
fn says(verdict: &Verdict, line: &str) {
    let lines = verdict.lines(&asked());
    assert!(lines.iter().any(|own| own == line), "{lines:#?}");
}

#[test]
fn two_requirements_by_way_of_a_third_package() {
    let inner = Claim {
        newest: "3.4.1".to_owned(),
        oldest: "3.0.0".to_owned(),
        constraint: "^2.0".to_owned(),
        via: Some("a/app 3.1.0".to_owned()),
        ..claim("b/inner")
    };
    let verdict = Verdict {
        claims: vec![claim("a/lib"), inner],
        change: vec![require("a/lib", "^3.0")],
        ..verdict()
    };
    assert_eq!(
        verdict.lines(&asked()),
        [
            "Allegro: a/app ^3.0 and a/lib ^2.0 can't be had together",
            "         a/lib 2.1.0 (required by you: ^2.0) requires a/base ^1.0, b/inner 3.0.0 to 3.4.1 (required by a/app 3.1.0) requires a/base ^2.0",
            "         tried and works: \"a/lib\": \"^3.0\" in composer.json",
        ]
    );
}

#[test]
fn requirements() {
    let of = |names: &[&str], lack: Option<Lack>, more: usize| Verdict {
        requires: names.iter().map(|name| (*name).to_owned()).collect(),
        lack,
        more,
        ..verdict()
    };
    let two = ["a/app", "a/lib"];
    says(&of(&["a/app"], None, 0), "Allegro: a/app ^3.0 can't be had");
    says(
        &of(&two, None, 3),
        "Allegro: a/app ^3.0, a/lib ^2.0 and 3 more can't be had together",
    );
    says(
        &of(&two, Some(Lack::Name), 0),
        "Allegro: a/app ^3.0 can't be had, nor can a/lib ^2.0",
    );
    says(
        &of(
            &["a/app", "a/lib", "a/ap", "php", "x/y"],
            Some(Lack::Name),
            0,
        ),
        "Allegro: a/app ^3.0 can't be had, nor can a/lib ^2.0, a/ap ^1.0 and 2 more",
    );
}

#[test]
fn lacks() {
    let text = str::to_owned;
    let version = |oldest: &str| Lack::Version {
        oldest: text(oldest),
        newest: text("2.5"),
    };
    let stability = Lack::Stability {
        version: text("3.0.0-RC1"),
        stability: text("RC"),
    };
    let offered = Lack::Offered {
        by: text("x/y"),
        version: text("v1.5"),
        constraint: text("^1.0"),
    };
    let locked = Lack::Locked {
        version: text("2.0"),
    };
    for (lack, line) in [
        (Lack::Name, "no repository has a/app"),
        (version("1.0"), "there is a/app 1.0 to 2.5"),
        (version("2.5"), "there is a/app 2.5"),
        (stability, "there is a/app 3.0.0-RC1 at most, which is RC"),
        (offered, "there is x/y v1.5, which stands for a/app ^1.0"),
        (locked, "a/app 2.0 is locked and not to be updated"),
        (
            Lack::Elsewhere,
            "this run leaves out the versions of a/app that fit",
        ),
    ] {
        says(&lacking("a/app", lack), &format!("         {line}"));
    }
    let none = lacking("ext-none", platform(None));
    says(&none, "         there is no ext-none");
    let php = lacking("php", platform(Some("8.1.2")));
    says(&php, "         there is php 8.1.2 (config.platform)");
}

#[test]
fn claims() {
    let is = |what: What| Claim {
        what,
        ..claim("x/y")
    };
    let project = |what: What| Claim { what, ..claim("") };
    let extension = Claim {
        target: "ext-none".to_owned(),
        constraint: ">=2".to_owned(),
        lack: Some(platform(Some("1.0"))),
        ..claim("a/app")
    };
    let php = Claim {
        target: "php".to_owned(),
        constraint: "8.1.2".to_owned(),
        ..project(What::Is)
    };
    for (claim, line) in [
        (
            extension,
            "a/app 2.1.0 (required by you: ^3.0) requires ext-none >=2, and there is ext-none 1.0",
        ),
        (is(What::Conflicts), "x/y 2.1.0 conflicts with a/base ^1.0"),
        (is(What::Replaces), "x/y 2.1.0 replaces a/base ^1.0"),
        (is(What::Provides), "x/y 2.1.0 provides a/base ^1.0"),
        (project(What::Requires), "you require a/base ^1.0"),
        (project(What::Conflicts), "you conflict with a/base ^1.0"),
        (project(What::Replaces), "you replace a/base ^1.0"),
        (php, "there is php 8.1.2 (config.platform)"),
    ] {
        says(&claiming(claim), &format!("         {line}"));
    }
    let old = Claim {
        oldest: "1.0".to_owned(),
        newest: "1.0".to_owned(),
        target: "b/base".to_owned(),
        ..claim("a/app")
    };
    let twice = Verdict {
        claims: vec![claim("a/app"), old],
        ..verdict()
    };
    says(
        &twice,
        "         a/app 2.1.0 (required by you: ^3.0) requires a/base ^1.0, a/app 1.0 requires b/base ^1.0",
    );
}

#[test]
fn changes() {
    let beta = require("a/lib", "^3.0@beta");
    for (change, line) in [
        (
            vec![beta.clone(), require("a/app", "^2.0")],
            "tried and works: \"a/lib\": \"^3.0@beta\" and \"a/app\": \"^2.0\" in composer.json",
        ),
        (
            vec![remove("a/app")],
            "tried and works: without \"a/app\" in composer.json",
        ),
        (
            vec![remove("a/app"), beta],
            "tried and works: \"a/lib\": \"^3.0@beta\" in composer.json, without \"a/app\"",
        ),
        (
            vec![Change::AllDependencies],
            "tried and works: the same with --with-all-dependencies (-W)",
        ),
        (
            vec![Change::Everything],
            "tried and works: an update of everything, without names of packages",
        ),
        (
            vec![Change::WithoutTemporary],
            "tried and works: the same without --with",
        ),
        (vec![], "tried in vain: 7 changes to composer.json"),
    ] {
        says(&changing(&change), &format!("         {line}"));
    }
    let tried = |tried: usize| Verdict { tried, ..verdict() };
    says(
        &tried(1),
        "         tried in vain: 1 change to composer.json",
    );
    assert_eq!(tried(0).lines(&asked()).len(), 1);
}

#[test]
fn a_name_that_no_repository_has() {
    let named = |nearest: &[&str], instead: Option<(&str, &str)>| Verdict {
        change: vec![remove("a/ap")],
        nearest: nearest.iter().map(|name| (*name).to_owned()).collect(),
        instead: instead.map(|(name, constraint)| (name.to_owned(), constraint.to_owned())),
        ..lacking("a/ap", Lack::Name)
    };
    let works = named(&["a/app", "a/zap"], Some(("a/app", "^1.0")));
    assert_eq!(works.missing(), Some("a/ap"));
    assert_eq!(verdict().missing(), None);
    assert_eq!(
        works.lines(&asked()),
        [
            "Allegro: a/ap ^1.0 can't be had",
            "         no repository has a/ap; much like it: a/app, a/zap",
            "         tried and works: \"a/app\": \"^1.0\" instead of \"a/ap\" in composer.json",
        ]
    );
    says(
        &named(&["a/app"], None),
        "         tried and works: without \"a/ap\" in composer.json",
    );
}

#[test]
fn a_platform_that_the_configuration_states() {
    let problem = asked();
    let overridden = |verdict: &Verdict| {
        let found = verdict.overridden(&problem);
        found.map(|found| found.name.clone())
    };
    let own = lacking("php", platform(Some("8.1.2")));
    assert_eq!(overridden(&own).as_deref(), Some("php"));
    let claim = Claim {
        target: "php".to_owned(),
        lack: Some(platform(Some("8.1.2"))),
        ..claim("a/app")
    };
    let claimed = Verdict {
        change: vec![remove("a/app")],
        real: Some(("php".to_owned(), "8.3.1".to_owned())),
        ..claiming(claim)
    };
    assert_eq!(overridden(&claimed).as_deref(), Some("php"));
    says(
        &claimed,
        "         tried and works: without \"php\" in config.platform (here is 8.3.1)",
    );
    let helped = Verdict {
        change: vec![require("php", "^8.1")],
        ..own
    };
    assert_eq!(overridden(&helped), None, "another constraint helps");
    let none = lacking("ext-none", platform(None));
    assert_eq!(overridden(&none), None, "the configuration has no entry");
    assert_eq!(overridden(&verdict()), None);
}
