//! Versions and constraints against composer/semver itself, on texts made up from a seed.
//!
//! * `ALLEGRO_TEST_SEED`: the seed of a run to be repeated
//! * `ALLEGRO_TEST_PHP_ROOT`: another system's root, whose PHP and Composer are asked

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use allegro_semver::constraint::{ConstraintId, Terms};
use allegro_semver::version::{
    Dialect, Stability, normalize, normalize_branch, numeric_alias_prefix, stability,
};
use fastrand::Rng;
use serde_json::{Value, json};

/// Answers a list of questions, each a name and arguments.
const ASK: &str = r"<?php
error_reporting(E_ALL & ~E_DEPRECATED);
spl_autoload_register(function ($class) {
    require '/usr/share/php/' . strtr($class, '\\', '/') . '.php';
});
use Composer\Semver\{CompilingMatcher, Intervals, VersionParser};
use Composer\Semver\Constraint\Constraint;
$parser = new VersionParser();
$known = [];
$parse = function ($text) use ($parser, &$known) {
    return $known[$text] ??= $parser->parseConstraints($text);
};
$answers = [];
foreach (json_decode(file_get_contents($argv[1]), true) as [$name, $a, $b]) {
    try {
        $answers[] = match ($name) {
            'normalize' => $parser->normalize($a),
            'branch' => $parser->normalizeBranch($a),
            'prefix' => $parser->parseNumericAliasPrefix($a) ?: null,
            'stability' => VersionParser::parseStability($a),
            'parse' => (string) $parse($a),
            'compact' => (string) Intervals::compactConstraint($parse($a)),
            'fits' => CompilingMatcher::match($parse($a), Constraint::OP_EQ, $b),
            'matches' => $parse($a)->matches($parse($b)),
            'subset' => Intervals::isSubsetOf($parse($a), $parse($b)),
            'compare' => version_compare($a, $b),
        };
    } catch (\UnexpectedValueException $e) {
        $answers[] = null;
    }
}
echo json_encode($answers);
";

fn ask(questions: &[(&str, String, String)]) -> Option<Vec<Value>> {
    let root =
        std::env::var_os("ALLEGRO_TEST_PHP_ROOT").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    if !root
        .join("usr/share/php/Composer/Semver/VersionParser.php")
        .is_file()
    {
        println!("skipped: there are no classes of Debian's composer package in /usr/share/php");
        return None;
    }
    let scratch = tempfile::tempdir_in(root.join("tmp")).unwrap();
    fs::write(scratch.path().join("ask.php"), ASK).unwrap();
    fs::write(
        scratch.path().join("questions"),
        serde_json::to_vec(questions).unwrap(),
    )
    .unwrap();
    let within = Path::new("/").join(scratch.path().strip_prefix(&root).unwrap());
    let mut php = if root == Path::new("/") {
        Command::new("php")
    } else {
        let mut chroot = Command::new("chroot");
        chroot.arg(&root).arg("php");
        chroot
    };
    let output = php
        .args(["-d", "memory_limit=-1"])
        .args([within.join("ask.php"), within.join("questions")])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(serde_json::from_str(&text).unwrap_or_else(|_| panic!("PHP said {text}")))
}

fn pick<'a>(random: &mut Rng, list: &[&'a str]) -> &'a str {
    list[random.usize(..list.len())]
}

fn number(random: &mut Rng) -> String {
    match random.u32(..12) {
        0 => "0".to_owned(),
        1 => "00".to_owned(),
        2 => random.u32(..3000).to_string(),
        3 => "20100102".to_owned(),
        4 => "01".to_owned(),
        _ => random.u32(..13).to_string(),
    }
}

fn version(random: &mut Rng) -> String {
    let mut text = pick(random, &["", "", "", "v", "V"]).to_owned();
    for at in 0..random.usize(1..6) {
        if at > 0 {
            text.push('.');
        }
        text.push_str(&number(random));
    }
    text.push_str(pick(
        random,
        &[
            "",
            "",
            "",
            "",
            "-",
            ".",
            "_",
            "+build.1",
            "@dev",
            "@RC",
            "#abcdef",
            " as 1.0",
            " as 2.x-dev",
        ],
    ));
    if random.u32(..3) == 0 {
        text.push_str(pick(
            random,
            &[
                "dev",
                "-dev",
                "alpha",
                "a1",
                "-beta.2",
                "b",
                "RC1",
                "rc-2",
                "-RC",
                "patch",
                "p1",
                "-pl3",
                "stable",
                "-stable",
                "-alpha1-dev",
                "x",
                "-x",
            ],
        ));
    }
    match random.u32(..14) {
        0 => pick(
            random,
            &[
                "dev-main",
                "dev-master",
                "dev-1.0",
                "master",
                "trunk",
                "default",
                "DEV-Foo",
                "dev-feature/x",
                "1.x-dev",
                "2.0.x-dev",
                "foo-dev",
                "dev-foo#abc",
                "9999999-dev",
                "3.*",
                "20100102-203040",
                "2010.01.02",
                "2010-01-02.5",
                "2010.01.02.10.20",
                "201903.0",
                "",
            ],
        )
        .to_owned(),
        1 => format!("dev-{text}"),
        2 => format!("{text}.x-dev"),
        _ => text,
    }
}

fn constraint(random: &mut Rng) -> String {
    let one = |random: &mut Rng| match random.u32(..12) {
        0 => pick(
            random,
            &[
                "*",
                "x",
                "v*",
                "*.*",
                "dev-main",
                "dev-foo",
                "!= dev-foo",
                "@dev",
                "@stable",
                "*@beta",
                "==dev-bar",
            ],
        )
        .to_owned(),
        1 => format!("{}.*", version(random)),
        2 => format!("{} - {}", version(random), version(random)),
        3 | 4 => format!("^{}", version(random)),
        5 | 6 => format!("~{}", version(random)),
        _ => {
            let op = pick(
                random,
                &["", "=", "==", ">", ">=", "<", "<=", "!=", "<>", "~>", "=>"],
            );
            format!("{op}{}{}", pick(random, &["", "", " "]), version(random))
        }
    };
    let mut text = one(random);
    for _ in 0..pick(random, &["", "", "1", "12"]).len() {
        text.push_str(pick(
            random,
            &[" ", ",", ", ", " , ", " || ", "|", "||", " | "],
        ));
        text.push_str(&one(random));
    }
    text
}

/// A smaller language, so that constraints have something to do with each other.
fn plain(random: &mut Rng) -> String {
    let version = |random: &mut Rng| format!("{}.{}", random.u32(1..4), random.u32(..3));
    let one = |random: &mut Rng| match random.u32(..10) {
        0 => pick(random, &["dev-a", "dev-b", "!=dev-a", "!=dev-b", "*"]).to_owned(),
        1..=3 => format!("^{}", version(random)),
        4 => format!("~{}.1", version(random)),
        5 => format!("{} - {}", version(random), version(random)),
        _ => format!(
            "{}{}",
            pick(random, &["", ">", ">=", "<", "<=", "!="]),
            version(random)
        ),
    };
    let mut text = one(random);
    for _ in 0..random.u32(..4) {
        text.push_str(pick(random, &[" ", " || ", " || "]));
        text.push_str(&one(random));
    }
    text
}

fn own(terms: &mut Terms, name: &str, a: &str, b: &str) -> Value {
    let dialect = terms.dialect;
    let mut id = |text: &str| -> Option<ConstraintId> { terms.parse(text) };
    match name {
        "normalize" => json!(normalize(dialect, a)),
        "branch" => json!(normalize_branch(a)),
        "prefix" => json!(numeric_alias_prefix(a)),
        "stability" => json!(match stability(a) {
            Stability::Stable => "stable",
            Stability::Rc => "RC",
            Stability::Beta => "beta",
            Stability::Alpha => "alpha",
            Stability::Dev => "dev",
        }),
        "compare" => {
            let (a, b) = (terms.version(a), terms.version(b));
            json!(terms.version_of(a).compare(terms.version_of(b)) as i8)
        }
        "parse" => id(a).map_or(Value::Null, |id| json!(terms.constraint_text(id))),
        "compact" => id(a).map_or(Value::Null, |id| {
            let compact = terms.compact(id);
            json!(terms.constraint_text(compact))
        }),
        "fits" => id(a).map_or(Value::Null, |id| {
            let version = terms.version(b);
            json!(terms.fits(id, version))
        }),
        _ => match (id(a), id(b)) {
            (Some(a), Some(b)) if name == "matches" => json!(terms.matches(a, b)),
            (Some(a), Some(b)) => json!(terms.is_subset(a, b)),
            _ => Value::Null,
        },
    }
}

#[test]
fn answers_are_those_of_composer() {
    let seed = std::env::var("ALLEGRO_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let any = Dialect::default();
    let mut questions: Vec<(&str, String, String)> = Vec::new();
    for _ in 0..4000 {
        let text = version(&mut random);
        for name in ["normalize", "branch", "prefix", "stability"] {
            questions.push((name, text.clone(), String::new()));
        }
        let (a, b) = (normalize(any, &text), normalize(any, &version(&mut random)));
        if let (Some(a), Some(b)) = (a, b) {
            questions.push(("compare", a, b));
        }
        let text = constraint(&mut random);
        questions.push(("parse", text.clone(), String::new()));
        questions.push(("compact", text.clone(), String::new()));
        if let Some(version) = normalize(any, &version(&mut random)) {
            questions.push(("fits", text, version));
        }
        let (a, b) = (plain(&mut random), plain(&mut random));
        questions.push(("compact", a.clone(), String::new()));
        questions.push(("matches", a.clone(), b.clone()));
        questions.push(("subset", a.clone(), b));
        let version = pick(
            &mut random,
            &[
                "1.0.0.0",
                "1.1.0.0",
                "2.0.0.0-dev",
                "2.1.1.0",
                "3.0.0.0-beta1",
                "dev-a",
                "dev-b",
                "dev-c",
            ],
        );
        questions.push(("fits", a, version.to_owned()));
    }
    // Versions of composer/semver differ in these points.
    questions.push(("compact", ">=2 !=3 || <=2".to_owned(), String::new()));
    questions.push(("subset", "<0.0.0.0-dev".to_owned(), "dev-a".to_owned()));
    questions.push(("normalize", "20100102.5.3".to_owned(), String::new()));
    questions.push(("parse", "<1.0-RC".to_owned(), String::new()));
    let Some(mut answers) = ask(&questions) else {
        return;
    };
    let rc = answers.pop().unwrap() == json!("< 1.0.0.0-RC");
    let dates = answers.pop().unwrap() != Value::Null;
    let zero = answers.pop().unwrap() == Value::Bool(true);
    let points = answers.pop().unwrap() != json!("!= 3.0.0.0");
    let dialect = Dialect {
        long_dates: dates,
        rc_is_a_modifier: rc,
        points_need_branches: points,
        zero_is_least: zero,
    };
    println!("{dialect:?}");
    questions.truncate(answers.len());
    assert_eq!(answers.len(), questions.len());
    let mut terms = Terms::new(dialect);
    let mut differences = 0;
    for ((name, a, b), answer) in questions.iter().zip(answers) {
        let ours = own(&mut terms, name, a, b);
        if ours != answer {
            differences += 1;
            println!("{name}({a:?}, {b:?}): Composer {answer}, Allegro {ours}");
        }
    }
    assert_eq!(
        differences,
        0,
        "of {} answers, seed {seed}",
        questions.len()
    );
}
