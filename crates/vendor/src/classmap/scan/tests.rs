use super::*;
use std::fs;

struct Nothing;

impl Memory for Nothing {
    fn recall(&self, _found: &Found) -> Option<Classes<'_>> {
        None
    }
}

fn rule(path: &str, kind: ScanKind, namespace: &str) -> ScanRule {
    ScanRule {
        path: path.to_owned(),
        kind,
        namespace: namespace.to_owned(),
        excluded: None,
    }
}

/// Returns the class map as `class file` lines, with paths below the project.
fn map(files: &[(&str, &str)], rules: &[ScanRule], traits: Traits) -> (Vec<String>, Scan) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path().canonicalize().expect("real");
    for (path, content) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("directories");
        fs::write(path, content).expect("a file");
    }
    let cwd = root.to_str().expect("UTF-8");
    let rules: Vec<ScanRule> = rules
        .iter()
        .map(|rule| ScanRule {
            // Composer gives PSR directories as absolute paths, and class map paths as they are
            // written.
            path: match rule.kind {
                ScanKind::Classmap => rule.path.clone(),
                _ => format!("{cwd}/{}", rule.path),
            },
            ..rule.clone()
        })
        .collect();
    let cancel = AtomicBool::new(false);
    let survey = survey(&rules, cwd, Dialect::PHP_8_2, &Nothing, &cancel).expect("a survey");
    let scan = survey.decide(&rules, traits).expect("a scan");
    let mut lines: Vec<String> = scan
        .names
        .iter()
        .zip(&scan.at)
        .map(|(name, &at)| {
            let path = &scan.files[at as usize];
            format!("{name} {}", path.strip_prefix(cwd).expect("below"))
        })
        .collect();
    lines.sort();
    (lines, scan)
}

const NEW: Traits = Traits {
    psr4_prefix: false,
    psr0_prefix: true,
};

#[test]
fn classes_must_be_where_their_names_say() {
    let files = [
        ("src/One.php", "<?php namespace App; class One {}"),
        ("src/Sub/Two.php", "<?php namespace App\\Sub; class Two {}"),
        (
            "src/Sub/three.php",
            "<?php namespace App\\Sub; class Three {}",
        ),
        ("src/Bad.php", "<?php namespace Odd; class Bad {}"),
        ("lib/Old/Style_Class.php", "<?php class Old_Style_Class {}"),
        (
            "lib/Old/Style/Class.php",
            "<?php class Old_Style_Class {} class Old_Other {}",
        ),
    ];
    let rules = [
        rule("src", ScanKind::Psr4, "App\\"),
        rule("lib", ScanKind::Psr0, "Old_"),
    ];
    let (lines, scan) = map(&files, &rules, NEW);
    // Only the length of a PSR-4 namespace counts in newer generators: "Odd\" is as long as "App\".
    assert_eq!(
        lines,
        [
            "App\\One /src/One.php",
            "App\\Sub\\Two /src/Sub/Two.php",
            "Odd\\Bad /src/Bad.php",
            "Old_Style_Class /lib/Old/Style/Class.php",
        ]
    );
    assert_eq!(scan.rejected.len(), 2);
    let old = Traits {
        psr4_prefix: true,
        psr0_prefix: true,
    };
    let (lines, _) = map(&files, &rules, old);
    assert!(!lines.iter().any(|line| line.starts_with("Odd")));
}

#[test]
fn a_file_counts_once_and_the_first_class_of_a_name_wins() {
    let files = [
        ("a/x.php", "<?php class X {} class Y {} class Y {}"),
        ("b/x.php", "<?php class X {}"),
    ];
    let rules = [
        rule("b/../a/", ScanKind::Classmap, ""),
        rule("a", ScanKind::Psr4, ""),
        rule("./b//x.php", ScanKind::Classmap, ""),
    ];
    let (lines, scan) = map(&files, &rules, NEW);
    assert_eq!(lines, ["X /a/x.php", "Y /a/x.php"]);
    assert_eq!(scan.ambiguous.len(), 1);
    assert_eq!(scan.ambiguous[0].0, "X");
    assert!(scan.rejected.is_empty());
}

#[test]
fn what_can_not_be_told_is_declined() {
    for path in ["src/*", "phar://x", "src\\x", "nowhere", "/"] {
        let rules = [rule(path, ScanKind::Classmap, "")];
        let cancel = AtomicBool::new(false);
        let survey = survey(&rules, "/tmp", Dialect::PHP_8_2, &Nothing, &cancel);
        assert!(survey.is_err(), "{path}");
    }
}
