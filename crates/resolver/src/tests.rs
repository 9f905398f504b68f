//! Tests with small problems that need neither files nor servers.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Resolution;
use super::metadata_text::Versions;
use super::outline::{Outline, Unclear};
use super::request::Problem;
use super::{Answer, Provider, Stop};
use allegro_composer::json::PhpJson;

/// Metadata files by name.
#[derive(Clone, Default)]
pub(super) struct Files {
    texts: HashMap<String, String>,
    pub asked: Vec<String>,
    names: Vec<String>,
}

impl Files {
    pub fn with(mut self, name: &str, versions: &Value) -> Self {
        let package = name.trim_end_matches("~dev");
        let text = json!({ "packages": { package: versions } }).to_string();
        self.texts.insert(name.to_owned(), text);
        self
    }

    /// Adds names of packages that an earlier run has met.
    pub fn keeping(mut self, names: &[&str]) -> Self {
        self.names = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }
}

impl Provider for Files {
    fn names(&mut self) -> Vec<String> {
        self.names.clone()
    }

    fn prepare(&mut self, _repository: usize, files: &[String]) -> Result<(), Stop> {
        self.asked.extend(files.iter().cloned());
        Ok(())
    }

    fn file(&mut self, _repository: usize, file: &str) -> Result<Option<Arc<Outline>>, Stop> {
        let Some(text) = self.texts.get(file) else {
            return Ok(None);
        };
        let name = file.trim_end_matches("~dev");
        let read = || {
            let text = PhpJson::of(text.clone()).map_err(Unclear::from)?;
            let versions = Versions::read(text, name)?;
            versions.as_ref().map(Outline::of).transpose()
        };
        let outline = read().map_err(|unclear| Stop::Unclear(unclear.0))?;
        Ok(outline.map(Arc::new))
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it reads better where it is called"
)]
pub(super) fn problem(more: Value) -> Problem {
    let mut problem = json!({
        "requires": [["a/a", true]],
        "fixed": [{ "name": "php", "version": "8.2.0.0", "always": true }],
        "repositories": [{ "kind": "metadata" }],
        "stabilities": [0],
    });
    for (key, value) in more.as_object().expect("an object") {
        problem[key] = value.clone();
    }
    serde_json::from_value(problem).expect("a problem")
}

fn solve(
    problem: &Problem,
    files: &mut dyn Provider,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Answer, Stop> {
    match super::solve(problem, files, is_cancelled)? {
        Resolution::Solved(answer, _) => Ok(answer),
        Resolution::Unsolvable(_) => Err(Stop::Unsolvable),
    }
}

fn versions(answer: Result<Answer, Stop>) -> Vec<String> {
    let mut list: Vec<String> = answer
        .expect("an answer")
        .packages
        .into_iter()
        .map(|package| format!("{} {}", package.name, package.version))
        .collect();
    list.sort();
    list
}

pub(super) fn never() -> bool {
    false
}

#[test]
fn the_newest_that_fits_is_taken() {
    let mut files = Files::default()
        .with(
            "a/a",
            &json!([
                { "version": "3.0.0", "require": { "php": ">=9" } },
                { "version": "2.0.0", "require": { "b/b": "^1.0" } },
                { "version": "1.0.0" },
            ]),
        )
        .with(
            "b/b",
            &json!([{ "version": "2.0.0" }, { "version": "1.1.0" }, { "version": "1.0.0" }]),
        );
    let answer = solve(&problem(json!({})), &mut files, &never);
    assert_eq!(versions(answer), ["a/a 2.0.0.0", "b/b 1.1.0.0"]);
    assert_eq!(
        files.asked,
        ["a/a", "b/b"],
        "each file once, none for branches"
    );
}

#[test]
fn preferences_of_the_run() {
    let files = || {
        Files::default().with("a/a", &json!([
            { "version": "2.0.0" }, { "version": "1.2.0" }, { "version": "1.1.0" }, { "version": "1.0.0-beta1" },
        ]))
    };
    let lowest = problem(json!({ "prefer_lowest": true }));
    assert_eq!(
        versions(solve(&lowest, &mut files(), &never)),
        ["a/a 1.1.0.0"]
    );
    let beta = problem(json!({ "prefer_lowest": true, "stability_flags": [["a/a", 10]] }));
    assert_eq!(
        versions(solve(&beta, &mut files(), &never)),
        ["a/a 1.0.0.0-beta1"]
    );
    let kept = problem(json!({ "preferred": [["a/a", "1.2.0.0"]] }));
    assert_eq!(
        versions(solve(&kept, &mut files(), &never)),
        ["a/a 1.2.0.0"]
    );
    let only = problem(
        json!({ "temporary": [["a/a", { "and": [[">=", "1.0.0.0-dev"], ["<", "1.2.0.0-dev"]] }]] }),
    );
    assert_eq!(
        versions(solve(&only, &mut files(), &never)),
        ["a/a 1.1.0.0"]
    );
}

#[test]
fn what_replaces_another_stands_for_it_and_excludes_it() {
    let mut files = Files::default()
        .with(
            "a/a",
            &json!([{ "version": "1.0.0", "require": { "b/b": "^1.0", "c/c": "*" } }]),
        )
        .with("b/b", &json!([{ "version": "1.5.0" }]))
        .with(
            "c/c",
            &json!([{ "version": "1.0.0", "replace": { "b/b": "self.version" } }]),
        );
    let answer = solve(&problem(json!({})), &mut files, &never);
    assert_eq!(versions(answer), ["a/a 1.0.0.0", "c/c 1.0.0.0"]);
}

#[test]
fn an_alias_is_locked_as_its_branch() {
    let mut files = Files::default()
        .with("a/a", &json!([{ "version": "1.0.0", "require": { "b/b": "^2.0" } }]))
        .with("b/b~dev", &json!([{ "version": "dev-main", "extra": { "branch-alias": { "dev-main": "2.x-dev" } } }]));
    let flags = json!({ "stability_flags": [["b/b", 20]] });
    assert_eq!(
        versions(solve(&problem(flags), &mut files, &never)),
        ["a/a 1.0.0.0", "b/b dev-main"]
    );
}

#[test]
fn a_partial_update_leaves_the_rest() {
    let files = || {
        Files::default()
            .with("a/a", &json!([{ "version": "2.0.0", "require": { "b/b": "*" } }, { "version": "1.0.0", "require": { "b/b": "*" } }]))
            .with("b/b", &json!([{ "version": "2.0.0" }, { "version": "1.0.0" }]))
    };
    let locked = json!([
        { "name": "a/a", "version": "1.0.0.0", "requires": [["b/b", true, false]] },
        { "name": "b/b", "version": "1.0.0.0" },
    ]);
    let with = |reach: &str| problem(json!({ "locked": locked, "allow": ["A/*"], "reach": reach }));
    assert_eq!(
        versions(solve(&with("listed"), &mut files(), &never)),
        ["a/a 2.0.0.0", "b/b 1.0.0.0"]
    );
    assert_eq!(
        versions(solve(&with("dependencies"), &mut files(), &never)),
        ["a/a 2.0.0.0", "b/b 2.0.0.0"]
    );
}

#[test]
fn the_platform_counts_as_far_as_it_is_wanted() {
    let files = || {
        Files::default().with(
            "a/a",
            &json!([{ "version": "1.0.0", "require": { "php": "^7.0", "ext-none": "*" } }]),
        )
    };
    let plain = solve(&problem(json!({})), &mut files(), &never);
    assert_eq!(plain.expect_err("no solution"), Stop::Unsolvable);
    let all = problem(json!({ "platform": { "all": true } }));
    assert_eq!(versions(solve(&all, &mut files(), &never)), ["a/a 1.0.0.0"]);
    let some = problem(
        json!({ "platform": { "names": "(?i)^(?:ext-.*)$", "upper_bounds": "(?i)^(?:php)$" } }),
    );
    assert_eq!(
        versions(solve(&some, &mut files(), &never)),
        ["a/a 1.0.0.0"]
    );
}

#[test]
fn what_is_not_certain_is_not_answered() {
    let odd = |version: Value| {
        let mut files = Files::default().with("a/a", &json!([version]));
        solve(&problem(json!({})), &mut files, &never)
    };
    for version in [
        json!({ "version": "not a version" }),
        json!({ "version": "1.0", "require": { "b/b": "=> 1" } }),
        json!({ "version": "1.0", "require": { "b/b": 1 } }),
    ] {
        assert!(
            matches!(odd(version.clone()), Err(Stop::Unclear(_))),
            "{version}"
        );
    }
    let mut files = Files::default();
    files.texts.insert("a/a".to_owned(), "<html>".to_owned());
    assert!(matches!(
        solve(&problem(json!({})), &mut files, &never),
        Err(Stop::Unclear(_))
    ));
}

#[test]
fn it_stops_when_it_is_asked_to() {
    let mut files = Files::default().with(
        "a/a",
        &json!([{ "version": "2.0.0", "conflict": { "b/b": "*" } }, { "version": "1.0.0" }]),
    );
    assert_eq!(
        solve(&problem(json!({})), &mut files, &|| true).expect_err("stopped"),
        Stop::Interrupted
    );
}

/// Provides stale files until [`Provider::settle`] is called.
struct Late {
    before: Files,
    now: Files,
    is_settled: bool,
    notices: bool,
}

impl Provider for Late {
    fn prepare(&mut self, repository: usize, files: &[String]) -> Result<(), Stop> {
        self.now.prepare(repository, files)
    }

    fn file(&mut self, repository: usize, file: &str) -> Result<Option<Arc<Outline>>, Stop> {
        let files = if self.is_settled {
            &mut self.now
        } else {
            &mut self.before
        };
        files.file(repository, file)
    }

    fn is_outdated(&mut self) -> bool {
        self.notices && !self.is_settled
    }

    fn settle(&mut self) -> Result<bool, Stop> {
        self.is_settled = true;
        Ok(self.before.texts == self.now.texts)
    }
}

#[test]
fn what_is_not_true_any_more_does_not_count() {
    let one = |version| Files::default().with("a/a", &json!([{ "version": version }]));
    let newer = || Ok(vec!["a/a 2.0.0.0".to_owned()]);
    for (before, now, expected) in [
        (one("2.0"), one("2.0"), newer()),
        (one("1.0"), one("2.0"), newer()),
        (Files::default(), one("2.0"), newer()),
        (one("nonsense"), one("2.0"), newer()),
        (one("1.0"), Files::default(), Err(Stop::Unsolvable)),
        (Files::default(), Files::default(), Err(Stop::Unsolvable)),
    ] {
        for notices in [false, true] {
            let mut files = Late {
                before: before.clone(),
                now: now.clone(),
                is_settled: false,
                notices: notices && before.texts != now.texts,
            };
            let result = solve(&problem(json!({})), &mut files, &never);
            let found = match result {
                Ok(answer) => Ok(versions(Ok(answer))),
                Err(stop) => Err(stop),
            };
            assert_eq!(found, expected);
        }
    }
}
