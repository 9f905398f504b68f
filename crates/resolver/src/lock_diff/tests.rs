//! Tests the comparison, the links and the three formats.

use super::*;

const OLD: &str = "0123456789abcdef0123456789abcdef01234567";
const NEW: &str = "fedcba9876543210fedcba9876543210fedcba98";

fn entry(name: &str, version: &str, reference: &str) -> LockEntry {
    LockEntry {
        name: name.to_owned(),
        version: version.to_owned(),
        is_dev: false,
        url: Some(format!("https://github.com/{name}.git")),
        source_reference: Some(reference.to_owned()),
        dist_reference: None,
    }
}

fn dev(entry: LockEntry) -> LockEntry {
    LockEntry {
        is_dev: true,
        ..entry
    }
}

#[test]
fn each_change_has_its_name_and_its_versions() {
    let at = |version: &str, reference: &str| Some(entry("a/a", version, reference));
    let cases = [
        (at("1.0.0", OLD), at("1.0.0", OLD), None, ""),
        (None, at("v1.0.0", OLD), Some("added"), "v1.0.0"),
        (at("1.0.0", OLD), None, Some("removed"), "1.0.0"),
        (
            at("1.9.0", OLD),
            at("1.10.0", NEW),
            Some("upgraded"),
            "1.9.0 → 1.10.0",
        ),
        (
            at("1.10.0", OLD),
            at("1.9.0", NEW),
            Some("downgraded"),
            "1.10.0 → 1.9.0",
        ),
        // A branch got new commits.
        (
            at("dev-main", OLD),
            at("dev-main", NEW),
            Some("changed"),
            "dev-main#0123456789 → dev-main#fedcba9876",
        ),
        // A tag was moved to another commit.
        (
            at("1.0", OLD),
            at("1.0", NEW),
            Some("changed"),
            "1.0#0123456789 → 1.0#fedcba9876",
        ),
        (
            at("dev-main", OLD),
            at("1.0", NEW),
            Some("changed"),
            "dev-main#0123456789 → 1.0",
        ),
        // Both versions are the same, written in different ways.
        (
            at("1.0", OLD),
            at("v1.0.0", OLD),
            Some("changed"),
            "1.0 → v1.0.0",
        ),
        // Numbered branches have an order.
        (
            at("1.x-dev", OLD),
            at("2.x-dev", NEW),
            Some("upgraded"),
            "1.x-dev#0123456789 → 2.x-dev#fedcba9876",
        ),
        // A version that Composer refuses has no order.
        (
            at("what?", OLD),
            at("1.0", NEW),
            Some("changed"),
            "what? → 1.0",
        ),
    ];
    for (from, to, change, versions) in cases {
        let from: Vec<LockEntry> = from.into_iter().collect();
        let to: Vec<LockEntry> = to.into_iter().collect();
        let diff = LockDiff::between(&from, &to, &[]);
        let found: Vec<&str> = diff.0.iter().map(|change| change.kind.text()).collect();
        assert_eq!(found, Vec::from_iter(change), "{versions}");
        let text = diff.render(LockDiffFormat::Text);
        match change {
            Some(change) => assert!(text.starts_with(&format!("1 {change}\n")), "{text}"),
            None => assert_eq!(text, "Nothing changes in the lock."),
        }
        assert!(text.contains(versions), "{text}");
        assert!(diff.render(LockDiffFormat::Markdown).contains(versions));
    }
}

#[test]
fn the_reference_of_a_dist_counts_where_there_is_no_source() {
    let dist = |reference: &str| LockEntry {
        url: None,
        source_reference: None,
        dist_reference: Some(reference.to_owned()),
        ..entry("a/a", "1.0", "")
    };
    let diff = LockDiff::between(&[dist(OLD)], &[dist("né")], &[]);
    assert_eq!(
        diff.render(LockDiffFormat::Text),
        "1 changed\n  changed    a/a  1.0#0123456789 → 1.0#né"
    );
    let diff = LockDiff::between(&[dist(OLD)], &[entry("a/a", "1.0", OLD)], &[]);
    assert_eq!(diff.0, []);
}

#[test]
fn both_lists_of_the_lock_are_compared() {
    let (a, b) = (entry("a/a", "1.0.0", OLD), entry("b/b", "1.0.0", OLD));
    let before = [a.clone(), dev(b.clone())];
    let diff = LockDiff::between(&before, &[dev(b.clone()), dev(a.clone())], &[]);
    assert_eq!(
        diff.render(LockDiffFormat::Text),
        "1 moved\n  moved      a/a  1.0.0 (dev)"
    );
    let diff = LockDiff::between(&[], &[b, a], &[]);
    assert_eq!(
        diff.render(LockDiffFormat::Markdown),
        "| package | change | versions | |\n|---|---|---|---|\n\
         | a/a | added | 1.0.0 |  |\n| b/b | added | 1.0.0 |  |"
    );
}

#[test]
fn text_is_aligned_and_counted_in_the_order_of_names() {
    let before = [entry("c/longer", "2.0", OLD), entry("b/b", "1.0", OLD)];
    let after = [
        entry("b/b", "1.1", NEW),
        entry("a/a", "1.0", OLD),
        dev(entry("c/longer", "1.0", NEW)),
    ];
    assert_eq!(
        LockDiff::between(&before, &after, &[]).render(LockDiffFormat::Text),
        "1 added, 1 upgraded, 1 downgraded\n  \
         added      a/a       1.0\n  \
         upgraded   b/b       1.0 → 1.1  https://github.com/b/b/compare/0123456789...fedcba9876\n  \
         downgraded c/longer  2.0 → 1.0 (dev)  \
         https://github.com/c/longer/compare/0123456789...fedcba9876"
    );
}

#[test]
fn json_is_written_as_php_does() {
    let before = [entry("a/a", "1.0", OLD)];
    let after = [entry("a/a", "1.1", NEW), dev(entry("é/\"", "dev-x|y", OLD))];
    let diff = LockDiff::between(&before, &after, &[]);
    let expected = r#"{
    "changes": [
        {
            "name": "a/a",
            "change": "upgraded",
            "from": "1.0",
            "to": "1.1",
            "dev": false,
            "compare": "https://github.com/a/a/compare/0123456789...fedcba9876"
        },
        {
            "name": "é/\"",
            "change": "added",
            "from": null,
            "to": "dev-x|y#0123456789",
            "dev": true,
            "compare": null
        }
    ]
}"#;
    assert_eq!(diff.render(LockDiffFormat::Json), expected);
    assert!(
        diff.render(LockDiffFormat::Markdown)
            .contains("| dev-x\\|y#0123456789 |")
    );
    assert_eq!(
        LockDiff::between(&[], &[], &[]).render(LockDiffFormat::Json),
        "{\n    \"changes\": []\n}"
    );
}

#[test]
fn forges_compare_what_changes() {
    let gitlab = "https://gitlab.example.org/a/b/-/compare/0123456789...fedcba9876";
    let github = "https://github.com/a/b/compare/0123456789...fedcba9876";
    let cases = [
        ("https://github.com/a/b.git", Some(github)),
        ("git@github.com:a/b.git", Some(github)),
        ("ssh://git@gitlab.example.org:2222/a/b.git", Some(gitlab)),
        ("https://user:secret@github.com/a/b", Some(github)),
        (
            "https://gitlab.com/a/b/c.git",
            Some("https://gitlab.com/a/b/c/-/compare/0123456789...fedcba9876"),
        ),
        ("https://gitlab.example.org/a/b.git", Some(gitlab)),
        (
            "https://bitbucket.org/a/b.git",
            Some("https://bitbucket.org/a/b/branches/compare/fedcba9876%0D0123456789"),
        ),
        ("https://git.example.org/a/b.git", None),
        ("/srv/git/b", None),
    ];
    let gitlabs = ["gitlab.com", "gitlab.example.org"].map(str::to_owned);
    let at = |version: &str, reference: &str, url: &str| LockEntry {
        url: Some(url.to_owned()),
        ..entry("a/b", version, reference)
    };
    let before = [at("1.0.0", OLD, "https://example.org/moved")];
    for (url, link) in cases {
        let diff = LockDiff::between(&before, &[at("1.1.0", NEW, url)], &gitlabs);
        assert_eq!(diff.0[0].compare.as_deref(), link, "{url}");
        for format in [
            LockDiffFormat::Text,
            LockDiffFormat::Markdown,
            LockDiffFormat::Json,
        ] {
            assert!(!diff.render(format).contains("secret"));
        }
        if let Some(link) = link {
            assert!(
                diff.render(LockDiffFormat::Text)
                    .ends_with(&format!("  {link}"))
            );
            let markdown = diff.render(LockDiffFormat::Markdown);
            assert!(markdown.contains(&format!("[compare]({link})")));
        }
    }
}
