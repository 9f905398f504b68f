//! Tests the explanations of packages that are locked, and of packages that are not.

use super::*;
use allegro_semver::version::{Dialect, normalize};

/// Builds packages and links from texts in the way in which Composer loads them.
#[derive(Default)]
struct Loader {
    terms: Terms,
}

impl Loader {
    fn version(&mut self, pretty: &str) -> VersionId {
        let text = normalize(Dialect::default(), pretty).expect("a version");
        self.terms.version(&text)
    }

    fn links(&mut self, links: &[(&str, &str)]) -> Vec<WrittenLink> {
        let links = links.iter().map(|(target, text)| WrittenLink {
            target: (*target).to_owned(),
            constraint: self.terms.parse(text).expect("a constraint"),
            text: (*text).to_owned(),
        });
        links.collect()
    }

    fn package(&mut self, name: &str, pretty: &str) -> WrittenPackage {
        WrittenPackage {
            name: name.to_owned(),
            version: self.version(pretty),
            pretty: pretty.to_owned(),
            full: pretty.to_owned(),
            requires: Vec::new(),
            conflicts: Vec::new(),
            replaces: Vec::new(),
            provides: Vec::new(),
        }
    }

    fn requiring(&mut self, name: &str, pretty: &str, links: &[(&str, &str)]) -> WrittenPackage {
        WrittenPackage {
            requires: self.links(links),
            ..self.package(name, pretty)
        }
    }

    fn platform(&mut self, name: &str, pretty: &str) -> PlatformVersion {
        PlatformVersion {
            name: name.to_owned(),
            version: self.version(pretty),
            pretty: pretty.to_owned(),
        }
    }

    /// Returns a lock of a project that requires `a/a` in any version.
    fn facts(&mut self, locked: Vec<WrittenPackage>) -> LockFacts {
        LockFacts {
            project: ProjectFacts {
                requires: self.links(&[("a/a", "*")]),
                conflicts: Vec::new(),
                minimum_stability: 0,
                stability_flags: Vec::new(),
            },
            locked,
            aliases: Vec::new(),
            platform: Vec::new(),
            ignored: Vec::new(),
        }
    }

    fn explain(
        &self,
        facts: &LockFacts,
        name: &str,
        candidates: Vec<WrittenPackage>,
    ) -> Vec<String> {
        Explanation::new(&self.terms, facts).of(&Subject {
            name: name.to_owned(),
            parent: None,
            candidates,
        })
    }
}

/// Returns the lines after the package's own one and its requirement by the project.
#[track_caller]
fn reasons(lines: &[String]) -> Vec<&str> {
    assert_eq!(lines[1], "  the project requires *");
    lines[2..].iter().map(String::as_str).collect()
}

#[test]
fn the_newest_version_needs_no_reason() {
    let mut loader = Loader::default();
    let a = WrittenPackage {
        full: "1.0.0 with a commit".to_owned(),
        ..loader.package("a/a", "1.0.0")
    };
    let b = loader.requiring("b/b", "2.0.0", &[("a/a", "^1"), ("c/c", "*")]);
    let facts = loader.facts(vec![a, b]);
    let candidates = ["1.0.0", "0.9.0", "dev-main", "1.0.0-beta1"];
    let candidates = candidates.map(|version| loader.package("a/a", version));
    assert_eq!(
        loader.explain(&facts, "a/a", candidates.into()),
        [
            "a/a 1.0.0 with a commit",
            "  the project requires *",
            "  b/b 2.0.0 requires ^1",
            "  it is the newest version that the repositories have",
        ]
    );
}

#[test]
fn a_parent_project_is_the_reason_for_its_packages() {
    let mut loader = Loader::default();
    let a = loader.package("a/a", "1.0.0");
    let facts = loader.facts(vec![a]);
    let lines = Explanation::new(&loader.terms, &facts).of(&Subject {
        name: "a/a".to_owned(),
        parent: Some("acme/platform".to_owned()),
        candidates: Vec::new(),
    });
    assert_eq!(
        reasons(&lines),
        ["  extra.allegro.parent: versions of acme/platform are taken as they are"]
    );
}

#[test]
fn stability_is_the_first_reason() {
    let mut loader = Loader::default();
    let a = loader.package("a/a", "1.0.0");
    let mut facts = loader.facts(vec![a]);
    let candidates = ["4.0.0-RC2", "5.0.0-alpha3", "dev-main", "6.x-dev"];
    let candidates = candidates.map(|version| loader.package("a/a", version));
    let lines = loader.explain(&facts, "a/a", candidates.to_vec());
    assert_eq!(
        reasons(&lines),
        [
            "  not 5.0.0-alpha3: it is alpha, and the project takes stable",
            "  not 4.0.0-RC2: it is RC, and the project takes stable",
        ]
    );
    facts.project.stability_flags = vec![("a/a".to_owned(), 5)];
    let lines = loader.explain(&facts, "a/a", candidates.to_vec());
    assert_eq!(
        reasons(&lines)[0],
        "  not 5.0.0-alpha3: it is alpha, and the project takes RC"
    );
    assert!(reasons(&lines)[1].starts_with("  not 4.0.0-RC2: nothing that is locked speaks"));
}

#[test]
fn numbered_branches_are_newer_than_a_branch() {
    let mut loader = Loader::default();
    let a = loader.package("a/a", "1.x-dev");
    let facts = loader.facts(vec![a]);
    let candidates = ["2.x-dev", "1.0.0", "dev-main"];
    let candidates = candidates.map(|version| loader.package("a/a", version));
    let lines = loader.explain(&facts, "a/a", candidates.into());
    assert_eq!(
        reasons(&lines),
        ["  not 2.x-dev: it is dev, and the project takes stable"]
    );
}

#[test]
fn requirements_and_conflicts_of_others_are_reasons() {
    let mut loader = Loader::default();
    let a = loader.package("a/a", "1.0.0");
    let b = loader.requiring("b/b", "2.0.0", &[("a/a", "<3")]);
    let c = WrittenPackage {
        conflicts: loader.links(&[("a/a", "2.5.*")]),
        ..loader.package("c/c", "0.1")
    };
    let mut facts = loader.facts(vec![a, b, c]);
    facts.project.conflicts = loader.links(&[("a/a", "2.0.0")]);
    let candidates = ["2.0.0", "2.5.1", "3.0.0"];
    let candidates = candidates.map(|version| loader.package("a/a", version));
    let lines = loader.explain(&facts, "a/a", candidates.into());
    assert_eq!(
        reasons(&lines),
        [
            "  b/b 2.0.0 requires <3",
            "  not 3.0.0: b/b 2.0.0 requires <3",
            "  not 2.5.1: c/c 0.1 conflicts with 2.5.*",
            "  not 2.0.0: the project conflicts with 2.0.0",
        ]
    );
}

#[test]
fn requirements_of_a_newer_version_are_reasons() {
    let mut loader = Loader::default();
    let a = loader.package("a/a", "1.0.0");
    let b = loader.package("b/b", "1.0.0");
    let mut facts = loader.facts(vec![a, b]);
    facts.platform = vec![loader.platform("php", "8.2.1")];
    let candidates = vec![
        loader.requiring("a/a", "2.0.0", &[("php", ">=99")]),
        loader.requiring("a/a", "2.1.0", &[("php", "^8"), ("ext-none", "*")]),
        loader.requiring("a/a", "2.2.0", &[("b/b", "^2")]),
        // A package that isn't locked could be added, so its requirement is no reason.
        loader.requiring("a/a", "2.3.0", &[("b/b", "^1"), ("d/d", "^2")]),
    ];
    let lines = loader.explain(&facts, "a/a", candidates.clone());
    assert_eq!(
        reasons(&lines),
        [
            "  not 2.3.0: nothing that is locked speaks against it alone: an option or a policy of \
             this run leaves it out, it was not to be updated, or what it needs can not be had \
             (composer why-not a/a 2.3.0)",
            "  not 2.2.0: it requires b/b ^2, and there is 1.0.0",
            "  not 2.1.0: it requires ext-none *, and there is none",
            "  not 2.0.0: it requires php >=99, and there is 8.2.1",
        ]
    );
    facts.ignored = vec!["php".to_owned(), "ext-none".to_owned()];
    let lines = loader.explain(&facts, "a/a", candidates);
    assert!(reasons(&lines)[2].contains("nothing that is locked"));
}

#[test]
fn aliases_and_other_packages_stand_for_a_name() {
    let mut loader = Loader::default();
    let a = loader.package("a/a", "1.0.0");
    let b = loader.package("b/b", "dev-main");
    let c = WrittenPackage {
        replaces: loader.links(&[("r/r", "^1")]),
        provides: loader.links(&[("p/p", "2.0"), ("ext-p", "*")]),
        ..loader.package("c/c", "3.0")
    };
    let mut facts = loader.facts(vec![a, b, c]);
    facts.aliases = vec![loader.package("b/b", "1.5.x-dev")];
    let mut candidate = |version: &str, target: &str, text: &str| {
        let links = [(target, text)];
        let required = loader.requiring("a/a", version, &links);
        let conflicting = WrittenPackage {
            conflicts: loader.links(&links),
            ..loader.package("a/a", version)
        };
        (required, conflicting)
    };
    let (required, conflicting): (Vec<WrittenPackage>, Vec<WrittenPackage>) = [
        candidate("2.4", "b/b", "^1.5@dev"),
        candidate("2.3", "r/r", "^1.2"),
        candidate("2.2", "p/p", "^2"),
        candidate("2.1", "ext-p", "*"),
    ]
    .into_iter()
    .unzip();
    let lines = loader.explain(&facts, "a/a", required);
    assert_eq!(lines.len(), 6);
    let met = "nothing that is locked speaks against it alone";
    assert!(lines[2..].iter().all(|line| line.contains(met)));
    let lines = loader.explain(&facts, "a/a", conflicting);
    assert_eq!(
        reasons(&lines),
        [
            "  not 2.4: it conflicts with b/b ^1.5@dev, and there is 1.5.x-dev",
            "  not 2.3: it conflicts with r/r ^1.2, and there is ^1 of c/c 3.0",
            "  not 2.2: it conflicts with p/p ^2, and there is 2.0 of c/c 3.0",
            "  not 2.1: it conflicts with ext-p *, and there is * of c/c 3.0",
        ]
    );
    let lacking = loader.requiring("a/a", "2.0", &[("r/r", "^2")]);
    let lines = loader.explain(&facts, "a/a", vec![lacking]);
    assert_eq!(
        reasons(&lines),
        ["  not 2.0: it requires r/r ^2, and there is ^1 of c/c 3.0"]
    );
}

#[test]
fn neighbours_share_a_line_and_old_reasons_are_counted() {
    let mut loader = Loader::default();
    let a = loader.package("a/a", "1.0.0");
    let b = loader.package("b/b", "1.0.0");
    let facts = loader.facts(vec![a, b]);
    let mut candidates = Vec::new();
    for minor in 1..=20 {
        let pretty = format!("1.{minor}.0");
        // The versions 1.18 to 1.20 share one reason.
        let text = format!(">={}", 2 + minor.min(18));
        candidates.push(loader.requiring("a/a", &pretty, &[("b/b", &text)]));
    }
    let lines = loader.explain(&facts, "a/a", candidates);
    assert_eq!(
        reasons(&lines),
        [
            "  not 1.20.0 to 1.18.0: it requires b/b >=20, and there is 1.0.0",
            "  not 1.17.0: it requires b/b >=19, and there is 1.0.0",
            "  not 1.16.0: it requires b/b >=18, and there is 1.0.0",
            "  not 1.15.0: it requires b/b >=17, and there is 1.0.0",
            "  not 1.14.0: it requires b/b >=16, and there is 1.0.0",
            "  and 13 more that are newer",
        ]
    );
}

#[test]
fn the_last_of_two_candidates_of_a_version_counts() {
    let mut loader = Loader::default();
    let a = loader.package("a/a", "1.0.0");
    let facts = loader.facts(vec![a]);
    let candidates = vec![
        loader.requiring("a/a", "1.1", &[("ext-a", "*")]),
        loader.requiring("a/a", "v1.1.0", &[("ext-b", "*")]),
    ];
    let lines = loader.explain(&facts, "a/a", candidates);
    assert_eq!(
        reasons(&lines),
        ["  not v1.1.0: it requires ext-b *, and there is none"]
    );
}

#[test]
fn a_package_that_is_not_locked_may_be_replaced_or_required() {
    let mut loader = Loader::default();
    let c = WrittenPackage {
        replaces: loader.links(&[("r/r", "1.0.0")]),
        provides: loader.links(&[("r/r", "2.0"), ("x/x", "*")]),
        ..loader.package("c/c", "1.0.0")
    };
    let d = loader.requiring("d/d", "1.0.0", &[("r/r", "^1")]);
    let facts = loader.facts(vec![c, d]);
    assert_eq!(
        loader.explain(&facts, "r/r", Vec::new()),
        [
            "r/r is not locked",
            "  c/c 1.0.0 replaces it (1.0.0)",
            "  c/c 1.0.0 provides it (2.0)",
            "  d/d 1.0.0 requires ^1",
        ]
    );
    assert_eq!(
        loader.explain(&facts, "y/y", Vec::new()),
        ["y/y is not locked: nothing that is locked requires it"]
    );
}
