#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::cmp::Ordering;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{compare, compare_naturally, has_leading_zero, sort_by_text, sort_naturally};
use crate::json::Json;

const TEXTS: [&str; 40] = [
    "",
    "a",
    "B",
    "b",
    "0",
    "1",
    "9",
    "10",
    "2fa",
    "404",
    "+5",
    "-5",
    ".5",
    "5.",
    "1.5",
    "1e3",
    "1000",
    "1.0",
    "10a",
    "a10",
    "a9",
    "a 9",
    "é",
    "-",
    ".",
    "1.0 || 2.0",
    "1.0 | 2.0",
    "1.0|2.0",
    "^1.10",
    "^1.9",
    "dev-main",
    "9999999-dev",
    "1.x-dev",
    "2.0.5",
    "2.0.10",
    "1 ",
    " 1",
    "1  2",
    "1 2",
    "v1",
];

/// Returns PHP's opinion about each pair of texts.
fn asked(expression: &str) -> Option<Vec<i64>> {
    let code = format!(
        "$texts = json_decode(stream_get_contents(STDIN)); $all = []; foreach ($texts as $a) \
         {{ foreach ($texts as $b) {{ $all[] = {expression}; }} }} echo json_encode($all);"
    );
    let php = Command::new("php")
        .args(["-n", "-r", &code])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = match php {
        Ok(child) => child,
        Err(error) => {
            eprintln!("skipped: php: {error}");
            return None;
        }
    };
    let texts = Json::strings(TEXTS).to_line();
    child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(texts.as_bytes())
        .unwrap();
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let answers = Json::parse(&output).unwrap();
    let number = |answer: &Json| match answer {
        Json::Int(number) => *number,
        _ => panic!("{answer:?}"),
    };
    Some(answers.items().iter().map(number).collect())
}

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    TEXTS
        .iter()
        .flat_map(|left| TEXTS.iter().map(move |right| (*left, *right)))
}

#[test]
fn texts_are_compared_as_php_compares_them() {
    let Some(answers) = asked("$a <=> $b") else {
        return;
    };
    let mut known = 0;
    for ((left, right), answer) in pairs().zip(answers) {
        if let Some(order) = compare(left, right) {
            assert_eq!(order, answer.cmp(&0), "{left:?} {right:?}");
            known += 1;
        }
    }
    assert!(known > 1250, "{known}");
}

#[test]
fn texts_are_compared_naturally_as_php_compares_them() {
    let Some(answers) = asked("strnatcmp($a, $b)") else {
        return;
    };
    for ((left, right), answer) in pairs().zip(answers) {
        if !has_leading_zero(left) && !has_leading_zero(right) {
            assert_eq!(
                compare_naturally(left, right),
                answer.cmp(&0),
                "{left:?} {right:?}"
            );
        }
    }
    assert_eq!(compare_naturally("1.9", "1.10"), Ordering::Less);
}

#[test]
fn an_open_order_is_refused() {
    let sorted = |texts: &[&str]| {
        let mut texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        sort_by_text(&mut texts, |text| text)
            .ok()
            .map(|()| texts.join(","))
    };
    assert_eq!(sorted(&["b", "10", "9", "B"]).as_deref(), Some("9,10,B,b"));
    // To PHP, 9 < 1e1 < 5a < 9.
    assert_eq!(sorted(&["1e1", "5a", "9"]), None);
    assert_eq!(sorted(&["1234567890123456", "2"]), None);
    assert_eq!(sorted(&["1 ", "2"]), None);
    let mut versions = ["1.01".to_owned(), "1.1".to_owned()];
    assert!(sort_naturally(&mut versions).is_err());
}

#[test]
fn names_that_only_begin_with_a_digit_are_sorted_byte_by_byte() {
    let mut rng = fastrand::Rng::with_seed(7);
    let parts = [
        "3f/a", "9", "10", "1e1", "b", "a/b", "-x", "5a", "+", ".5", "7-zip/x",
    ];
    let mut refused = 0;
    for _ in 0..2_000 {
        let mut texts: Vec<&str> = (0..rng.usize(0..6))
            .map(|_| parts[rng.usize(..parts.len())])
            .collect();
        let mut slowly = texts.clone();
        let expected = super::sort_with(&mut slowly, |left, right| compare(left, right));
        assert_eq!(sort_by_text(&mut texts, |text| text), expected);
        if expected.is_ok() {
            assert_eq!(texts, slowly);
        }
        refused += usize::from(expected.is_err());
    }
    assert!(refused > 10, "{refused} lists have no certain order");
}
