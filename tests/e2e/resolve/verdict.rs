//! Tests the lines that are printed first if requirements can't be met, and that their proposal
//! works when it is followed.

use std::fs;
use std::process::Command;

use fastrand::Rng;
use serde_json::{Value, json};

use super::made_up::{requirements, versions};
use super::{Registry, manifest, number, release, said};
use crate::support::home::extension;
use crate::support::{Engine, Run, Side};

/// Returns the lines of the verdict, and checks whether Composer's text follows.
fn verdict(run: &Run) -> Vec<String> {
    let lines: Vec<&str> = run.stderr.lines().collect();
    let Some(first) = lines.iter().position(|line| line.starts_with("Allegro: ")) else {
        return Vec::new();
    };
    let more = lines[first + 1..].iter();
    let more = more.take_while(|line| line.starts_with("         "));
    let verdict: Vec<String> = [lines[first]]
        .iter()
        .chain(more)
        .map(|line| (*line).to_owned())
        .collect();
    let after = lines[first + verdict.len()..].join("\n");
    let refusal = "Your requirements could not be resolved to an installable set of packages.";
    assert_eq!(
        (run.stderr.matches(refusal).count(), after.contains(refusal)),
        (1, true),
        "{}",
        run.stderr
    );
    verdict
}

/// A project that can't be resolved.
struct Case {
    what: &'static str,
    require: Value,
    more: Value,
    args: &'static [&'static str],
    /// The lines of the verdict.
    lines: Vec<String>,
    /// The requirements that change if the proposal is followed; `null` removes one. Without a
    /// change, `instead` has the arguments that work.
    change: Option<Value>,
    instead: Option<&'static [&'static str]>,
}

impl Case {
    fn new(what: &'static str, require: Value, lines: &[&str], change: Value) -> Self {
        Self {
            what,
            require,
            more: json!({}),
            args: &[],
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            change: Some(change),
            instead: None,
        }
    }

    /// Returns the case for a verdict without a change that works.
    fn hopeless(self) -> Self {
        Self {
            change: None,
            ..self
        }
    }
}

impl Registry {
    /// Checks that both sides refuse the project, with the verdict before Composer's words. Then
    /// follows the proposal, which must work.
    fn judges(&self, case: &Case, lock: &str) {
        let what = case.what;
        let mut project = manifest(&self.files, &[""], json!({ "require": case.require }));
        crate::support::files::merge(&mut project, case.more.clone());
        let (plain, wanted) = self.play(Side::Serial, &project, Some(lock), case.args);
        self.files.asked();
        let (ours, found) = self.play(Side::Allegro, &project, Some(lock), case.args);
        assert_eq!(verdict(&ours), case.lines, "{what}");
        assert_eq!(ours.exit, 2, "{what}: {}", ours.stderr);
        assert_eq!(
            (plain.exit, said(&plain)),
            (ours.exit, said(&ours)),
            "{what}"
        );
        assert_eq!(
            (wanted.as_deref(), found.as_deref()),
            (Some(lock), Some(lock)),
            "{what}"
        );
        assert!(!ours.stderr.contains("http://"), "{what}: {}", ours.stderr);
        if extension().is_some() {
            self.project(&project, Some(lock));
            let call = self
                .scene
                .call(Side::Allegro, &[&["resolve"], case.args].concat());
            let run = call.engine(Engine::Extension).run().expect(2);
            assert_eq!(verdict(&run), case.lines, "{what}, with the extension");
        }
        let mut args = case.args;
        match (&case.change, case.instead) {
            (Some(change), _) => {
                for (name, constraint) in change.as_object().expect("changes") {
                    let require = project["require"].as_object_mut().expect("requirements");
                    require.remove(name);
                    if !constraint.is_null() {
                        require.insert(name.clone(), constraint.clone());
                    }
                }
            }
            (None, Some(instead)) => args = instead,
            (None, None) => return,
        }
        let (works, _) = self.play(Side::Serial, &project, Some(lock), args);
        assert_eq!(works.exit, 0, "{what}: {}", works.stderr);
    }
}

fn php_version() -> String {
    let mut php = Command::new(crate::support::home::php());
    let run = php.args(["-r", "echo PHP_VERSION;"]).output().expect("php");
    let version = String::from_utf8_lossy(&run.stdout).into_owned();
    let end = version.find(['~', '+', '-']).unwrap_or(version.len());
    version[..end].to_owned()
}

fn registry() -> Option<Registry> {
    let registry = Registry::new()?;
    let base = |name: &str, version: &str, base: &str| {
        release(name, version, json!({ "require": { "a/base": base } }))
    };
    let plain = |name: &str, version: &str| release(name, version, json!({}));
    let packages = [
        (
            "a/app",
            vec![
                base("a/app", "3.1.0", "^2.0"),
                base("a/app", "3.0.0", "^2.0"),
                base("a/app", "2.0.0", "^1.0"),
            ],
        ),
        (
            "a/lib",
            vec![
                base("a/lib", "3.2.1", "^2.0"),
                base("a/lib", "2.1.0", "^1.0"),
                base("a/lib", "2.0.0", "^1.0"),
            ],
        ),
        (
            "a/base",
            vec![plain("a/base", "2.0.0"), plain("a/base", "1.0.0")],
        ),
        ("a/stuck", vec![base("a/stuck", "1.0.0", "^1.0")]),
        (
            "a/early",
            vec![
                plain("a/early", "2.0.0-beta1"),
                plain("a/early", "2.0.0-alpha3"),
            ],
        ),
        (
            "a/branch",
            vec![release(
                "a/branch",
                "dev-main",
                json!({ "extra": { "branch-alias": { "dev-main": "2.3.x-dev" } } }),
            )],
        ),
        (
            "a/user",
            vec![release(
                "a/user",
                "1.0.0",
                json!({ "require": { "a/early": "^2.0" } }),
            )],
        ),
        (
            "a/modern",
            vec![
                release(
                    "a/modern",
                    "2.0.0",
                    json!({ "require": { "php": ">=9.0" } }),
                ),
                release(
                    "a/modern",
                    "1.5.0",
                    json!({ "require": { "php": ">=7.4" } }),
                ),
            ],
        ),
        (
            "a/needs",
            vec![release(
                "a/needs",
                "1.0.0",
                json!({ "require": { "php": "^8.1" } }),
            )],
        ),
        (
            "a/enemy",
            vec![release(
                "a/enemy",
                "1.0.0",
                json!({ "conflict": { "a/lib": "<3" } }),
            )],
        ),
        (
            "a/hopeless",
            vec![release(
                "a/hopeless",
                "1.0.0",
                json!({ "require": { "ext-none": "*" } }),
            )],
        ),
    ];
    for (name, versions) in packages {
        registry.package("", name, versions);
    }
    for name in ["b/one", "b/two", "b/three", "b/four", "b/five", "b/six"] {
        let versions = vec![release(
            name,
            "1.0.0",
            json!({ "require": { "ext-none": "*" } }),
        )];
        registry.package("", name, versions);
    }
    Some(registry)
}

#[test]
fn the_proposal_works() {
    let Some(registry) = registry() else { return };
    let start = manifest(
        &registry.files,
        &[""],
        json!({ "require": { "a/base": "^1.0" } }),
    );
    let (_, lock) = registry.agree("at first", &start, None, &[]);
    let lock = lock.expect("a lock");
    let mut cases = vec![
        Case::new(
            "by way of a third package",
            json!({ "a/app": "^3.0", "a/lib": "^2.0" }),
            &[
                "Allegro: a/app ^3.0 and a/lib ^2.0 can't be had together",
                "         a/app 3.0.0 to 3.1.0 (required by you: ^3.0) requires a/base ^2.0, a/lib 2.0.0 to 2.1.0 (required by you: ^2.0) requires a/base ^1.0",
                "         tried and works: \"a/lib\": \"^3.2\" in composer.json",
            ],
            json!({ "a/lib": "^3.2" }),
        ),
        Case::new(
            "only an older version goes with it",
            json!({ "a/app": "^3.0", "a/stuck": "^1.0" }),
            &[
                "Allegro: a/app ^3.0 and a/stuck ^1.0 can't be had together",
                "         a/app 3.0.0 to 3.1.0 (required by you: ^3.0) requires a/base ^2.0, a/stuck 1.0.0 (required by you: ^1.0) requires a/base ^1.0",
                "         tried and works: \"a/app\": \"^2.0\" in composer.json",
            ],
            json!({ "a/app": "^2.0" }),
        ),
        Case::new(
            "a slip of the fingers",
            json!({ "a/baze": "^2.0", "a/app": "*" }),
            &[
                "Allegro: a/baze ^2.0 can't be had",
                "         no repository has a/baze; much like it: a/base",
                "         tried and works: \"a/base\": \"^2.0\" instead of \"a/baze\" in composer.json",
            ],
            json!({ "a/baze": null, "a/base": "^2.0" }),
        ),
        Case::new(
            "a slip of the fingers, and versions that don't fit",
            json!({ "a/baze": "^7.0", "a/app": "^3.0" }),
            &[
                "Allegro: a/baze ^7.0 can't be had",
                "         no repository has a/baze; much like it: a/base",
                "         tried and works: \"a/base\": \"^2.0\" instead of \"a/baze\" in composer.json",
            ],
            json!({ "a/baze": null, "a/base": "^2.0" }),
        ),
        Case::new(
            "a version that isn't there",
            json!({ "a/app": "^7" }),
            &[
                "Allegro: a/app ^7 can't be had",
                "         there is a/app 2.0.0 to 3.1.0",
                "         tried and works: \"a/app\": \"^3.1\" in composer.json",
            ],
            json!({ "a/app": "^3.1" }),
        ),
        Case::new(
            "only versions that are less stable",
            json!({ "a/early": "^2.0" }),
            &[
                "Allegro: a/early ^2.0 can't be had",
                "         there is a/early 2.0.0-beta1 at most, which is beta",
                "         tried and works: \"a/early\": \"^2.0@beta\" in composer.json",
            ],
            json!({ "a/early": "^2.0@beta" }),
        ),
        Case::new(
            "only a branch",
            json!({ "a/branch": "^3.0" }),
            &[
                "Allegro: a/branch ^3.0 can't be had",
                "         there is a/branch dev-main",
                "         tried and works: \"a/branch\": \"^2.3@dev\" in composer.json",
            ],
            json!({ "a/branch": "^2.3@dev" }),
        ),
        Case::new(
            "a dependency that is less stable",
            json!({ "a/user": "^1.0" }),
            &[
                "Allegro: a/user ^1.0 can't be had",
                "         a/user 1.0.0 (required by you: ^1.0) requires a/early ^2.0, and there is a/early 2.0.0-beta1 at most, which is beta",
                "         tried and works: \"a/early\": \"*@beta\" in composer.json",
            ],
            json!({ "a/early": "*@beta" }),
        ),
        Case::new(
            "PHP is too old",
            json!({ "a/modern": "^2.0" }),
            &[
                "Allegro: a/modern ^2.0 can't be had",
                "         a/modern 2.0.0 (required by you: ^2.0) requires php >=9.0, and there is php 8.1.2 (config.platform)",
                "         tried and works: \"a/modern\": \"^1.5\" in composer.json",
            ],
            json!({ "a/modern": "^1.5" }),
        ),
        Case::new(
            "a conflict",
            json!({ "a/enemy": "*", "a/lib": "^2.0" }),
            &[
                "Allegro: a/enemy * and a/lib ^2.0 can't be had together",
                "         a/enemy 1.0.0 (required by you: *) conflicts with a/lib <3, you require a/lib ^2.0",
                "         tried and works: \"a/lib\": \"^3.2\" in composer.json",
            ],
            json!({ "a/lib": "^3.2" }),
        ),
        Case::new(
            "an extension that is not there",
            json!({ "a/hopeless": "*" }),
            &[
                "Allegro: a/hopeless * can't be had",
                "         a/hopeless 1.0.0 (required by you: *) requires ext-none *, and there is no ext-none",
                "         tried and works: without \"a/hopeless\" in composer.json",
            ],
            json!({ "a/hopeless": null }),
        ),
    ];
    cases[8].more = json!({ "config": { "platform": { "php": "8.1.2" } } });
    for case in &cases {
        registry.judges(case, &lock);
    }
}

#[test]
fn other_ways_to_call_it_and_none() {
    let Some(registry) = registry() else { return };
    let start = manifest(
        &registry.files,
        &[""],
        json!({ "require": { "a/app": "^2.0", "a/lib": "^2.0" } }),
    );
    let (_, lock) = registry.agree("at first", &start, None, &[]);
    let lock = lock.expect("a lock");
    let case = |what, require, args, instead, lines: &[&str]| Case {
        args,
        instead,
        ..Case::new(what, require, lines, json!({})).hopeless()
    };
    let both = json!({ "a/app": "^3.0", "a/lib": "^3.0" });
    let old = json!({ "config": { "platform": { "php": "8.0.1" } } });
    let here = php_version();
    let cases = [
        case(
            "a part",
            json!({ "a/app": "^3.0" }),
            &["a/app"],
            Some(&["a/app", "-W"]),
            &[
                "Allegro: a/app ^3.0 can't be had",
                "         a/app 3.0.0 to 3.1.0 (required by you: ^3.0) requires a/base ^2.0, and a/base 1.0.0 is locked and not to be updated",
                "         tried and works: the same with --with-all-dependencies (-W)",
            ],
        ),
        case(
            "a smaller part",
            both.clone(),
            &["a/app"],
            Some(&[]),
            &[
                "Allegro: a/lib ^3.0 can't be had",
                "         a/lib 2.1.0 is locked and not to be updated",
                "         tried and works: an update of everything, without names of packages",
            ],
        ),
        case(
            "--with",
            both,
            &["--with", "a/base:1.0.0"],
            Some(&[]),
            &[
                "Allegro: a/app ^3.0 can't be had",
                "         a/app 3.0.0 to 3.1.0 (required by you: ^3.0) requires a/base ^2.0, and this run leaves out the versions of a/base that fit",
                "         tried and works: the same without --with",
            ],
        ),
        Case {
            more: old,
            ..case(
                "another PHP than the machine's",
                json!({ "a/needs": "*" }),
                &[],
                None,
                &[
                    "Allegro: a/needs * can't be had",
                    "         a/needs 1.0.0 (required by you: *) requires php ^8.1, and there is php 8.0.1 (config.platform)",
                    &format!(
                        "         tried and works: without \"php\" in config.platform (here is {here})"
                    ),
                ],
            )
        },
        case(
            "whatever is tried",
            json!({ "b/one": "*", "b/two": "*", "b/three": "*", "b/four": "*", "b/five": "*", "b/six": "*" }),
            &[],
            None,
            &[
                "Allegro: b/five * can't be had",
                "         b/five 1.0.0 (required by you: *) requires ext-none *, and there is no ext-none",
                "         tried in vain: 17 changes to composer.json",
            ],
        ),
    ];
    for case in &cases {
        registry.judges(case, &lock);
    }
}

#[test]
fn where_nobody_listens_nothing_is_said() {
    let Some(registry) = registry() else { return };
    let project = manifest(
        &registry.files,
        &[""],
        json!({ "require": { "a/app": "^7" } }),
    );
    let (run, lock) = registry.play(Side::Allegro, &project, None, &["-q"]);
    let run = run.expect(2);
    assert_eq!((run.ours(), lock), (Vec::new(), None), "{}", run.stderr);
    assert!(!fs::exists(registry.scene.project().join("vendor")).expect("a look"));
}

/// Returns the manifest after the change that a verdict proposes; `None` if it proposes no change.
fn followed(project: &Value, verdict: &[String]) -> Option<Value> {
    let proposal = verdict.last()?.strip_prefix("         tried and works: ")?;
    let mut project = project.clone();
    let quoted: Vec<&str> = proposal.split('"').collect();
    let lists = ["require", "require-dev"];
    let mut at = 1;
    let mut is_removal = false;
    while at < quoted.len() {
        let name = quoted[at];
        is_removal |= ["without ", "instead of "]
            .iter()
            .any(|word| quoted[at - 1].contains(word));
        let list = lists.iter().find(|list| !project[**list][name].is_null());
        let list = project[*list.unwrap_or(&"require")].as_object_mut()?;
        if is_removal {
            list.remove(name);
            at += 2;
        } else {
            list.insert(name.to_owned(), json!(quoted[at + 2]));
            at += 4;
        }
    }
    (quoted.len() > 1).then_some(project)
}

/// The number of made-up registries that a plain test run plays.
const ROUNDS: u64 = 20;

#[test]
fn made_up_proposals_work() {
    let Some(registry) = Registry::new() else {
        return;
    };
    let first = number("ALLEGRO_TEST_SEED").unwrap_or(1);
    let rounds = number("ALLEGRO_TEST_RESOLVE_ROUNDS").unwrap_or(ROUNDS);
    let (mut refused, mut proposed) = (0, 0);
    for seed in first..first + rounds {
        let mut random = Rng::with_seed(seed);
        registry.forget();
        registry.root("", json!({}));
        for vendor in ["a", "b"] {
            for word in ["one", "two", "three", "four", "five", "six"] {
                if random.u32(..16) > 0 {
                    let name = format!("{vendor}/{word}");
                    registry.package("", &name, versions(&mut random, &name));
                }
            }
        }
        let mut more = json!({ "require": requirements(&mut random, 4) });
        let mut dev = requirements(&mut random, 2);
        if let (Some(dev), Some(own)) = (dev.as_object_mut(), more["require"].as_object()) {
            // Composer takes one of two requirements of the same name, and warns of them.
            dev.retain(|name, _| !own.contains_key(name));
        }
        more["require-dev"] = dev;
        if random.u32(..3) == 0 {
            more["minimum-stability"] = json!("beta");
        }
        let project = manifest(&registry.files, &[""], more);
        let (run, _) = registry.play(Side::Allegro, &project, None, &[]);
        if run.exit != 2 {
            continue;
        }
        refused += 1;
        let verdict = verdict(&run);
        println!(
            "resolve: ALLEGRO_TEST_SEED={seed} ALLEGRO_TEST_RESOLVE_ROUNDS=1\n{}",
            verdict.join("\n")
        );
        assert!(!verdict.is_empty(), "{project}\n{}", run.stderr);
        if let Some(changed) = followed(&project, &verdict) {
            proposed += 1;
            let (works, _) = registry.play(Side::Serial, &changed, None, &[]);
            assert_eq!(
                works.exit,
                0,
                "seed {seed}: {project}\n{}\n{changed}\n{}",
                verdict.join("\n"),
                works.stderr
            );
        }
    }
    println!("resolve: {rounds} rounds, {refused} refused, {proposed} proposals");
    if rounds >= ROUNDS {
        assert!(proposed > 5, "only {proposed} proposals");
    }
}
