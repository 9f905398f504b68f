//! Tests the search. A closure gives the results of trials in place of Composer.

use allegro_semver::constraint::Terms;

use super::{
    AffectedPackage, GivenConstraint, LockedPackage, Plan, Requirement, Step, Task, Trial,
    TrialPackage, TrialResult, mend,
};

fn requirement(name: &str, written: &str) -> Requirement {
    let mut terms = Terms::default();
    let constraint = terms.parse(written).expect("a constraint");
    Requirement {
        name: name.to_owned(),
        written: written.to_owned(),
        constraint: GivenConstraint::of(&terms, constraint),
    }
}

fn version(pretty: &str) -> String {
    let mut terms = Terms::default();
    let version = terms.normalized(pretty).expect("a version");
    terms.version_of(version).text().to_owned()
}

/// Returns a locked package from `name version`, with its requirements.
fn locked(text: &str, requires: &[(&str, &str)]) -> LockedPackage {
    let (name, pretty) = text.split_once(' ').expect("a version");
    let requires = requires.iter();
    LockedPackage {
        name: name.to_owned(),
        version: version(pretty),
        pretty: pretty.to_owned(),
        reference: Some("old".to_owned()),
        is_affected: false,
        requires: requires
            .map(|(name, written)| requirement(name, written))
            .collect(),
    }
}

/// Returns a package of a trial's lock from `name version`. A `!` at the end marks it as affected.
fn found(text: &str) -> TrialPackage {
    let (name, pretty) = text
        .trim_end_matches('!')
        .split_once(' ')
        .expect("a version");
    TrialPackage {
        name: name.to_owned(),
        version: version(pretty),
        reference: Some("old".to_owned()),
        is_affected: text.ends_with('!'),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is the result of a trial")]
fn lock(packages: &[&str]) -> TrialResult {
    Some(packages.iter().map(|text| found(text)).collect())
}

/// Returns a task without requirements, whose policies allow every candidate. Each affected package
/// comes with the versions that the repositories have.
fn task(packages: &[&str], affected: &[(&str, &[&str])]) -> Task {
    let mut task = Task {
        locked: packages.iter().map(|text| locked(text, &[])).collect(),
        ..Task::default()
    };
    let mut allowed = Vec::new();
    for (name, versions) in affected {
        for package in task.locked.iter_mut().filter(|one| one.name == *name) {
            package.is_affected = true;
        }
        let versions = versions
            .iter()
            .map(|pretty| (version(pretty), (*pretty).to_owned()));
        let versions: Vec<(String, String)> = versions.collect();
        let all = versions
            .iter()
            .map(|(version, _)| version.clone())
            .collect();
        allowed.push(((*name).to_owned(), all));
        task.affected.push(AffectedPackage {
            name: (*name).to_owned(),
            versions,
            parent: None,
        });
    }
    task.allowed = Some(allowed);
    task
}

/// Describes a trial in a line: its preference, its packages and its constraints.
fn told(trial: &Trial) -> String {
    let mut words = vec![if trial.prefer_lowest {
        "lowest"
    } else {
        "pinned"
    }];
    words.extend(trial.with_all_dependencies.then_some("-W"));
    words.extend(trial.ignore_policies.then_some("freely"));
    assert_ne!(trial.needs_advisories, trial.prefer_lowest, "{trial:?}");
    let (packages, with) = (trial.packages.join(" "), trial.with.join(", "));
    format!("{}: {packages}; {with}", words.join(" "))
}

/// Runs a search to its end, and returns the plan and the trials. `composer` gives the results of
/// the trials.
///
/// The function also checks that the protocol's way, with one call for each step, makes the same
/// trials.
fn search(task: &Task, composer: impl Fn(&Trial) -> TrialResult) -> (Plan, Vec<String>) {
    let mut trials = Vec::new();
    let mut results: Vec<TrialResult> = Vec::new();
    let whole = mend(task, &mut |trial| {
        trials.push(told(trial));
        results.push(composer(trial));
        results.last().cloned()
    });
    let Some(Step::Plan(plan)) = whole else {
        panic!("{whole:?}");
    };
    for (count, wanted) in trials.iter().enumerate() {
        let mut known = results[..count].iter().cloned();
        match mend(task, &mut |_| known.next()) {
            Some(Step::Try(trial)) => assert_eq!(told(&trial), *wanted),
            other => panic!("{other:?} instead of {wanted}"),
        }
    }
    (plan, trials)
}

/// Returns Composer's answer if every trial gives these packages.
fn always(packages: &'static [&'static str]) -> impl Fn(&Trial) -> TrialResult {
    |_| lock(packages)
}

fn reason(plan: &Plan) -> &str {
    &plan.reasons[0].1
}

#[test]
fn candidates_are_newer_and_stable() {
    let candidates = |locked: &str, versions: &[&str]| {
        let mut task = task(&[&format!("a/a {locked}")], &[("a/a", versions)]);
        task.allowed = None;
        match mend(&task, &mut |_| panic!("no trial")) {
            Some(Step::Filter(lists)) => lists[0].1.clone(),
            other => panic!("{other:?}"),
        }
    };
    let all = ["2.0.0", "1.10.0", "1.2.0-beta1", "1.2.0", "1.0.0", "0.9.0"];
    assert_eq!(
        candidates("1.0.0", &all),
        ["1.2.0.0", "1.10.0.0", "2.0.0.0"]
    );
    assert_eq!(
        candidates("1.0.0-RC1", &["1.0.0-RC2", "1.0.0"]),
        ["1.0.0.0-RC2", "1.0.0.0"]
    );
    assert_eq!(candidates("1.0.0", &["1.1.0-RC1"]), ["1.1.0.0-RC1"]);
    assert_eq!(candidates("dev-main", &["1.1.0"]), [""; 0]);
}

#[test]
fn the_lowest_version_and_nothing_else() {
    let task = task(&["a/a 1.0.0", "b/b 1.0.0"], &[("a/a", &["1.2.0", "1.1.0"])]);
    let (plan, trials) = search(&task, always(&["a/a 1.1.0", "b/b 1.0.0"]));
    assert_eq!(
        trials,
        [
            "lowest: a/a; a/a:==1.1.0.0 || ==1.2.0.0",
            "pinned: a/a; a/a:==1.1.0.0"
        ]
    );
    assert_eq!(plan.packages, ["a/a"]);
    assert_eq!(plan.with, ["a/a:==1.1.0.0"]);
    assert_eq!(
        reason(&plan),
        "1.1.0 would do, but can not be had here (composer why-not a/a 1.1.0)"
    );
}

#[test]
fn others_move_only_where_nothing_else_helps() {
    let mut task = task(
        &["a/a 1.0.0", "b/b 1.0.0", "c/c dev-main", "old/old 1.0.0"],
        &[("a/a", &["1.1.0"])],
    );
    // The lock is older than this requirement.
    task.requires = vec![requirement("old/old", "^2"), requirement("b/b", "^1")];
    let everything = |trial: &Trial| {
        let is_everything = trial.packages.len() == 4 || !trial.prefer_lowest;
        let moved = ["a/a 1.1.0", "b/b 1.3.0", "c/c dev-main", "old/old 1.0.0"];
        is_everything.then(|| lock(&moved)).flatten()
    };
    let (plan, trials) = search(&task, everything);
    let bounds = "a/a:==1.1.0.0, b/b:* >=1.0.0.0, c/c:* ==dev-main";
    assert_eq!(
        trials,
        [
            "lowest: a/a; a/a:==1.1.0.0".to_owned(),
            format!("lowest -W: a/a; {bounds}"),
            format!("lowest: a/a b/b c/c old/old; {bounds}"),
            "pinned: a/a b/b; a/a:==1.1.0.0, b/b:==1.3.0.0".to_owned(),
        ]
    );
    assert_eq!(plan.packages, ["a/a", "b/b"]);
}

#[test]
fn versions_that_are_affected_themselves_are_left_out() {
    let task = task(&["a/a 1.0.0", "d/d 1.0.0"], &[("a/a", &["1.1.0"])]);
    let composer = |trial: &Trial| match trial.with.last().map(String::as_str) {
        _ if trial.packages == ["a/a"] && !trial.with_all_dependencies => None,
        Some("n/n:* !=1.2.0.0") => lock(&["a/a 1.1.0", "d/d 1.3.0", "n/n 1.1.0"]),
        _ => lock(&["a/a 1.1.0", "d/d 1.2.0!", "n/n 1.2.0!"]),
    };
    let (plan, trials) = search(&task, composer);
    assert_eq!(
        trials[1..],
        [
            "lowest -W: a/a; a/a:==1.1.0.0, d/d:* >=1.0.0.0",
            "pinned: a/a d/d; a/a:==1.1.0.0, d/d:==1.2.0.0",
            "lowest -W: a/a; a/a:==1.1.0.0, d/d:* >=1.0.0.0 !=1.2.0.0, n/n:* !=1.2.0.0",
            "pinned: a/a d/d; a/a:==1.1.0.0, d/d:==1.3.0.0, n/n:* !=1.2.0.0",
        ]
    );
    assert_eq!(
        plan.with,
        ["a/a:==1.1.0.0", "d/d:==1.3.0.0", "n/n:* !=1.2.0.0"]
    );
}

#[test]
fn a_search_that_meets_affected_versions_again_and_again_ends() {
    let task = task(&["a/a 1.0.0"], &[("a/a", &["1.1.0"])]);
    let composer = |trial: &Trial| {
        let known = trial
            .with
            .last()
            .map_or(0, |with| with.matches("!=").count());
        lock(&["a/a 1.1.0", &format!("n/n 1.{known}.0!")])
    };
    let (plan, trials) = search(&task, composer);
    assert_eq!(plan.packages, [""; 0]);
    assert_eq!(trials.len(), 3 * 2 * super::search::MOST_ROUNDS);
}

#[test]
fn what_can_be_mended_is_mended() {
    let task = task(
        &["a/a 1.0.0", "b/b 1.0.0"],
        &[("a/a", &["1.1.0"]), ("b/b", &["1.1.0"])],
    );
    let composer = |trial: &Trial| {
        let is_hopeless = trial.with.iter().any(|with| with == "a/a:==1.1.0.0");
        (!is_hopeless)
            .then(|| lock(&["a/a 1.0.0", "b/b 1.1.0"]))
            .flatten()
    };
    let (plan, trials) = search(&task, composer);
    assert_eq!(
        trials[..4],
        [
            "lowest: a/a b/b; a/a:==1.1.0.0, b/b:==1.1.0.0",
            "lowest: a/a; a/a:==1.1.0.0",
            "lowest: b/b; b/b:==1.1.0.0",
            "pinned: b/b; b/b:==1.1.0.0",
        ]
    );
    // The search tries the other packages together with the one that it has mended already.
    assert_eq!(
        trials[4..],
        [
            "lowest -W: b/b a/a; b/b:==1.1.0.0, a/a:==1.1.0.0",
            "lowest: a/a b/b; b/b:==1.1.0.0, a/a:==1.1.0.0",
        ]
    );
    assert_eq!(
        (plan.packages, plan.with),
        (vec!["b/b".to_owned()], vec!["b/b:==1.1.0.0".to_owned()])
    );
}

#[test]
fn a_package_that_has_moved_stays_there() {
    // For the sake of a/a, b/b moves above all of its candidates.
    let task = task(
        &["a/a 1.0.0", "b/b 1.0.0", "c/c 1.0.0"],
        &[("a/a", &["1.1.0"]), ("b/b", &["1.1.0"])],
    );
    let composer = |trial: &Trial| {
        let has = |start: &str| trial.with.iter().any(|with| with.starts_with(start));
        let is_together = has("a/a:==1.1.0.0") && has("b/b:==1.1.0.0");
        let is_alone = trial.prefer_lowest && !trial.with_all_dependencies;
        (!is_together && !is_alone)
            .then(|| lock(&["a/a 1.1.0", "b/b 2.0.0", "c/c 1.0.0"]))
            .flatten()
    };
    let (plan, trials) = search(&task, composer);
    assert_eq!(plan.packages, ["a/a", "b/b"]);
    assert_eq!(plan.with, ["a/a:==1.1.0.0", "b/b:==2.0.0.0"]);
    let last = trials.last().map(String::as_str);
    assert_eq!(last, Some("pinned: a/a b/b; a/a:==1.1.0.0, b/b:==2.0.0.0"));
}

#[test]
fn packages_that_nobody_requires_any_more_go() {
    let task = task(&["a/a 1.0.0", "b/b 1.0.0"], &[("a/a", &["1.1.0"])]);
    let (plan, trials) = search(&task, always(&["b/b 1.0.0"]));
    assert_eq!(trials[1], "pinned: a/a; ");
    assert_eq!((plan.packages, plan.with), (vec!["a/a".to_owned()], vec![]));
}

#[test]
fn a_commit_moves_where_the_version_alone_does_not_do() {
    let task = task(&["a/a 1.0.0", "b/b dev-main"], &[("a/a", &["1.1.0"])]);
    let composer = |trial: &Trial| {
        let mut packages = lock(&["a/a 1.1.0", "b/b dev-main"])?;
        packages[1].reference = Some("new".to_owned());
        let is_done = trial.prefer_lowest || trial.packages == ["a/a", "b/b"];
        is_done.then_some(packages)
    };
    let (plan, trials) = search(&task, composer);
    assert_eq!(
        trials[1..],
        [
            "pinned: a/a; a/a:==1.1.0.0",
            "pinned: a/a b/b; a/a:==1.1.0.0, b/b:==dev-main",
        ]
    );
    assert_eq!(plan.packages, ["a/a", "b/b"]);
}

#[test]
fn requirements_and_pins_limit_the_candidates() {
    let versions = ["1.1.0", "1.2.0", "2.0.0"];
    let mut task = task(
        &["a/a 1.0.0", "b/b 1.0.0", "c/c 1.0.0"],
        &[("a/a", &versions)],
    );
    task.requires = vec![requirement("a/a", "!=1.2.0")];
    task.pinned = vec![
        requirement("n/n", "^1 | ^3"),
        requirement("a/a", ">=1.0 <1.2 || ^2"),
        requirement("b/b", "~1.0.0||^1.5"),
        // The locked version is older than this pin, and may stay.
        requirement("c/c", "^2"),
    ];
    let composer = |trial: &Trial| {
        let is_alone = trial.prefer_lowest && !trial.with_all_dependencies;
        (!is_alone)
            .then(|| lock(&["a/a 1.1.0", "b/b 1.0.0", "c/c 1.0.0"]))
            .flatten()
    };
    let (plan, trials) = search(&task, composer);
    assert_eq!(
        trials,
        [
            "lowest: a/a; a/a:==1.1.0.0 || ==2.0.0.0, n/n:^1 || ^3",
            "lowest -W: a/a; a/a:==1.1.0.0 || ==2.0.0.0, b/b:~1.0.0 >=1.0.0.0 || ^1.5 >=1.0.0.0, c/c:* >=1.0.0.0, n/n:^1 || ^3",
            "pinned: a/a; a/a:==1.1.0.0, n/n:^1 || ^3",
        ]
    );
    assert_eq!(plan.with, ["a/a:==1.1.0.0", "n/n:^1 || ^3"]);
}

#[test]
fn policies_are_told_where_they_stand_against_it() {
    let mut task = task(&["a/a 1.0.0"], &[("a/a", &["1.1.0"])]);
    let composer = |trial: &Trial| {
        trial
            .ignore_policies
            .then(|| lock(&["a/a 1.1.0"]))
            .flatten()
    };
    let (plan, trials) = search(&task, composer);
    assert_eq!((plan.packages.len(), trials.len()), (0, 3));
    task.has_policies = true;
    let (plan, trials) = search(&task, composer);
    assert_eq!(
        trials[3..],
        [
            "lowest freely: a/a; a/a:==1.1.0.0",
            "pinned freely: a/a; a/a:==1.1.0.0"
        ]
    );
    assert_eq!(plan.packages, [""; 0]);
    assert_eq!(
        reason(&plan),
        "1.1.0 would do, but policies of this project (config.policy) keep out what it needs"
    );
    // A package that is mended is not tried again.
    let (plan, trials) = search(&task, always(&["a/a 1.1.0"]));
    assert_eq!((plan.packages.len(), trials.len()), (1, 2));
}

#[test]
fn reasons_that_need_no_trial() {
    let with = |change: &dyn Fn(&mut Task)| {
        let mut task = task(&["a/a 1.0.0", "k/k 1.4.0"], &[("a/a", &["2.0.0", "2.1.0"])]);
        change(&mut task);
        let (plan, _) = search(&task, |_| None);
        reason(&plan).to_owned()
    };
    assert_eq!(
        with(&|task| task.requires = vec![requirement("a/a", "^1")]),
        "2.0.0 would do, but composer.json requires ^1"
    );
    assert_eq!(
        with(&|task| task.locked[1].requires = vec![requirement("a/a", "~1.0")]),
        "2.0.0 would do, but k/k 1.4.0 requires ~1.0"
    );
    let none = "the repositories have no newer version that is not affected";
    assert_eq!(with(&|task| task.affected[0].versions.clear()), none);
    let of_parent = |task: &mut Task| {
        task.affected[0].versions.clear();
        task.affected[0].parent = Some("../parent".to_owned());
    };
    assert_eq!(
        with(&of_parent),
        "its version is that of ../parent, mend it there first"
    );
    assert_eq!(
        with(&|task| task.allowed = Some(Vec::new())),
        "2.0.0 would do, but a policy of this project keeps it out (config.policy)"
    );
    assert_eq!(
        with(&|task| task.locked[0] = locked("a/a dev-main", &[])),
        "a branch is locked; its newest commit comes with `composer resolve a/a`"
    );
}

#[test]
fn an_operator_that_does_not_exist_is_refused() {
    let mut task = task(&["a/a 1.0.0"], &[("a/a", &["1.1.0"])]);
    let mut odd = requirement("a/a", "*");
    odd.constraint = GivenConstraint::Single("~".to_owned(), "1.0.0.0".to_owned());
    task.requires = vec![odd];
    assert_eq!(mend(&task, &mut |_| None), None);
}
