//! The parser of constraints: composer/semver's `VersionParser`.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::constraint::{Constraint, ConstraintId, Op, Terms};
use super::version::{
    Stability, ends_with_modifier, normal, normalize, pattern, plain, stability, without_alias,
};

const VERSION: &str = r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:\.([0-9]+))?(?:MODIFIER|\.([x*][.-]?dev))(?:\+[^\s]+)?";

fn with_version(text: &str) -> Regex {
    pattern(&text.replace("VERSION", VERSION))
}

static FLAGGED: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)^([^,\s]*?)@(STABILITIES)$"));
static REFERENCE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^(dev-[^,\s@]+?|[^,\s@]+?\.x-dev)#.+$"));
static ANY: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)^(v)?[x*](\.[x*])*$"));
static TILDE: LazyLock<Regex> = LazyLock::new(|| with_version(r"(?i)^~>?VERSION$"));
static CARET: LazyLock<Regex> = LazyLock::new(|| with_version(r"(?i)^\^VERSION$"));
static WILDCARD: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:\.[xX*])+$"));
static HYPHEN: LazyLock<Regex> = LazyLock::new(|| with_version(r"(?i)^(VERSION) +- +(VERSION)$"));
static COMPARISON: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)^(<>|!=|>=?|<=?|==?)?\s*(.*)"));
static BRANCH_BACKWARDS: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[0-9a-zA-Z./-]+$"));

/// Parses a constraint with alternatives (`VersionParser::parseConstraints`, composer/semver
/// 3.3.2).
pub fn parse(terms: &mut Terms, pretty: &str) -> Option<ConstraintId> {
    let mut alternatives = Vec::new();
    let mut rest = Some(pretty.trim());
    while let Some(text) = rest {
        let alternative;
        (alternative, rest) = split_or(text);
        let mut parts = Vec::new();
        for part in split_and(alternative) {
            if parse_plain(terms, part, &mut parts).is_none() {
                parse_one(terms, part, &mut parts)?;
            }
        }
        alternatives.push(match parts.as_slice() {
            [one] => *one,
            _ => terms.multi(true, &parts),
        });
    }
    Some(terms.create(false, &alternatives))
}

/// Splits a text at the first separator of alternatives, which is `\s*\|\|?\s*`.
fn split_or(text: &str) -> (&str, Option<&str>) {
    match text.split_once('|') {
        Some((first, rest)) => {
            let rest = rest.strip_prefix('|').unwrap_or(rest);
            (first.trim_end(), Some(rest.trim_start()))
        }
        None => (text, None),
    }
}

/// Parses an operator followed by numbers only, as [`parse_one`] does, but in a tenth of the time.
/// Most constraints have this form. Returns `None` for any other form, and then adds nothing.
fn parse_plain(terms: &mut Terms, constraint: &str, parts: &mut Vec<ConstraintId>) -> Option<()> {
    if constraint == "*" {
        parts.push(terms.constraint(Constraint::All));
        return Some(());
    }
    let digits = constraint.find(|one: char| one.is_ascii_digit())?;
    let (op, text) = constraint.split_at(digits);
    if let Some(text) = text.strip_suffix(".*").filter(|_| op.is_empty()) {
        let numbers = plain(text).filter(|numbers| numbers[3].is_empty())?;
        wildcard(terms, parts, numbers);
        return Some(());
    }
    let numbers = plain(text)?;
    let position = match op {
        "^" => caret(numbers),
        "~" => tilde(numbers),
        "" | "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" => {
            let mut version = normal(numbers);
            if matches!(op, "<" | ">=") {
                version.push_str("-dev");
            }
            let op = if op.is_empty() { Op::Eq } else { Op::of(op)? };
            parts.push(terms.single(op, &version));
            return Some(());
        }
        _ => return None,
    };
    let low = format!("{}-dev", normal(numbers));
    parts.push(terms.single(Op::Ge, &low));
    below_next(terms, parts, numbers, position);
    Some(())
}

/// Adds the upper bound of a range: the next version at a position.
fn below_next(
    terms: &mut Terms,
    parts: &mut Vec<ConstraintId>,
    numbers: [&str; 4],
    position: usize,
) {
    let high = format!("{}-dev", manipulate(numbers, position, 1));
    parts.push(terms.single(Op::Lt, &high));
}

/// Returns the position that the upper bound of a caret increments.
fn caret(numbers: [&str; 4]) -> usize {
    if numbers[0] != "0" || numbers[1].is_empty() {
        1
    } else if numbers[1] != "0" || numbers[2].is_empty() {
        2
    } else {
        3
    }
}

/// Returns the position that the upper bound of a tilde increments.
fn tilde(numbers: [&str; 4]) -> usize {
    let last = (1..4).rev().find(|at| !numbers[*at].is_empty());
    last.unwrap_or(1)
}

/// Adds the range of a wildcard.
fn wildcard(terms: &mut Terms, parts: &mut Vec<ConstraintId>, numbers: [&str; 4]) {
    let last = (1..3).rev().find(|at| !numbers[*at].is_empty());
    let position = last.map_or(1, |last| last + 1);
    let low = format!("{}-dev", manipulate(numbers, position, 0));
    if low != "0.0.0.0-dev" {
        parts.push(terms.single(Op::Ge, &low));
    }
    below_next(terms, parts, numbers, position);
}

/// Splits a conjunction at spaces and commas. Those next to an operator, in ` as ` or in a range
/// with ` - ` don't separate.
pub fn split_and(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        if let Some(end) = separator(bytes, at) {
            parts.push(&text[start..at]);
            start = end;
            at = end.max(at + 1);
        } else {
            at += 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Returns the end of a separator that begins at `at`. Its pattern is
///
/// `(?<!^|as|[=>< ,]) *(?<!-)[, ](?!-) *(?!,|as|$)`.
fn separator(bytes: &[u8], at: usize) -> Option<usize> {
    if !matches!(bytes[at], b' ' | b',') {
        return None;
    }
    let before = *bytes.get(at.checked_sub(1)?)?;
    if matches!(before, b'=' | b'>' | b'<' | b' ' | b',') || bytes[..at].ends_with(b"as") {
        return None;
    }
    let spaces = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|byte| **byte == b' ')
            .count()
    };
    for skipped in (0..=spaces(at)).rev() {
        let mark = at + skipped;
        let fits = matches!(bytes.get(mark), Some(b' ' | b','))
            && bytes[mark - 1] != b'-'
            && bytes.get(mark + 1) != Some(&b'-');
        if !fits {
            continue;
        }
        for more in (0..=spaces(mark + 1)).rev() {
            let end = mark + 1 + more;
            let rest = &bytes[end..];
            if !rest.is_empty() && rest[0] != b',' && !rest.starts_with(b"as") {
                return Some(end);
            }
        }
    }
    None
}

fn group<'t>(found: &Captures<'t>, at: usize) -> &'t str {
    found.get(at).map_or("", |part| part.as_str())
}

/// Returns the numbers of the version in the first groups of a match.
fn numbers<'t>(found: &Captures<'t>) -> [&'t str; 4] {
    [1, 2, 3, 4].map(|at| group(found, at))
}

/// Returns the result of PHP's `empty()` for a string.
fn is_empty(text: &str) -> bool {
    text.is_empty() || text == "0"
}

/// Parses one constraint (`VersionParser::parseConstraint`, composer/semver 3.3.2).
fn parse_one(terms: &mut Terms, constraint: &str, parts: &mut Vec<ConstraintId>) -> Option<()> {
    let mut constraint = without_alias(constraint);
    let mut flag = "";
    if constraint.contains('@')
        && let Some(found) = FLAGGED.captures(constraint)
    {
        let (text, word) = (group(&found, 1), group(&found, 2));
        constraint = if text.is_empty() { "*" } else { text };
        flag = if word == "stable" { "" } else { word };
    }
    if constraint.contains('#')
        && let Some(found) = REFERENCE.captures(constraint)
    {
        constraint = found.get(1).map_or("", |part| part.as_str());
    }
    let has_wildcard = constraint.contains(['x', 'X', '*']);
    if has_wildcard && let Some(found) = ANY.captures(constraint) {
        parts.push(
            if group(&found, 1).is_empty() && group(&found, 2).is_empty() {
                terms.constraint(Constraint::All)
            } else {
                terms.single(Op::Ge, "0.0.0.0-dev")
            },
        );
        return Some(());
    }
    if constraint.starts_with('~')
        && let Some(found) = TILDE.captures(constraint)
    {
        if constraint.starts_with("~>") {
            return None;
        }
        let mut position = tilde(numbers(&found));
        if !is_empty(group(&found, 8)) && !group(&found, 2).is_empty() {
            position += 1;
        }
        return bounds(terms, parts, constraint, &found, position);
    }
    if constraint.starts_with('^')
        && let Some(found) = CARET.captures(constraint)
    {
        let position = caret(numbers(&found));
        return bounds(terms, parts, constraint, &found, position);
    }
    if has_wildcard && let Some(found) = WILDCARD.captures(constraint) {
        let [first, second, third] = [1, 2, 3].map(|at| group(&found, at));
        wildcard(terms, parts, [first, second, third, ""]);
        return Some(());
    }
    if constraint.contains(" - ")
        && let Some(found) = HYPHEN.captures(constraint)
    {
        return hyphen(terms, parts, &found);
    }
    compare(terms, parts, constraint, flag)
}

/// Adds the range of a tilde or caret: from the version to the next one at a position.
fn bounds(
    terms: &mut Terms,
    parts: &mut Vec<ConstraintId>,
    constraint: &str,
    found: &Captures<'_>,
    position: usize,
) -> Option<()> {
    let plain = [5, 7, 8].iter().all(|at| is_empty(group(found, *at)));
    let low = normalize(
        terms.dialect,
        &format!("{}{}", &constraint[1..], if plain { "-dev" } else { "" }),
    )?;
    parts.push(terms.single(Op::Ge, &low));
    below_next(terms, parts, numbers(found), position);
    Some(())
}

/// Adds the range of a hyphen. Groups 1 and 10 of the match are the versions; groups 2 to 9 and 11
/// to 18 are their parts.
fn hyphen(terms: &mut Terms, parts: &mut Vec<ConstraintId>, found: &Captures<'_>) -> Option<()> {
    let plain = [6, 8, 9].iter().all(|at| is_empty(group(found, *at)));
    let low = normalize(terms.dialect, group(found, 1))?;
    let low = format!("{low}{}", if plain { "-dev" } else { "" });
    let to = normalize(terms.dialect, group(found, 10))?;
    // In these groups "0" counts as a number.
    let full = !group(found, 12).is_empty() && !group(found, 13).is_empty();
    let full = full || [15, 17, 18].iter().any(|at| !is_empty(group(found, *at)));
    parts.push(terms.single(Op::Ge, &low));
    if full {
        parts.push(terms.single(Op::Le, &to));
    } else {
        let numbers = [
            group(found, 11),
            group(found, 12),
            group(found, 13),
            group(found, 14),
        ];
        let position = if group(found, 12).is_empty() { 1 } else { 2 };
        below_next(terms, parts, numbers, position);
    }
    Some(())
}

/// Adds a comparison: an operator and a version.
fn compare(
    terms: &mut Terms,
    parts: &mut Vec<ConstraintId>,
    constraint: &str,
    flag: &str,
) -> Option<()> {
    let found = COMPARISON.captures(constraint)?;
    let dialect = terms.dialect;
    let (op, text) = (group(&found, 1), group(&found, 2));
    let mut version = normalize(dialect, text).or_else(|| {
        let name = text
            .strip_suffix("-dev")
            .filter(|_| BRANCH_BACKWARDS.is_match(text))?;
        normalize(dialect, &format!("dev-{name}"))
    })?;
    if !matches!(op, "" | "=" | "==")
        && !flag.is_empty()
        && stability(&version) == Stability::Stable
    {
        version = format!("{version}-{flag}");
    } else if matches!(op, "<" | ">=")
        && !ends_with_modifier(dialect, text)
        && !text.starts_with("dev-")
    {
        version.push_str("-dev");
    }
    parts.push(terms.single(if op.is_empty() { Op::Eq } else { Op::of(op)? }, &version));
    Some(())
}

/// Returns a version with zeros after a position. The number at the position is incremented
/// (`VersionParser::manipulateVersionString`, composer/semver 3.3.2).
fn manipulate(numbers: [&str; 4], position: usize, increment: u64) -> String {
    let mut text = String::new();
    for (at, number) in numbers.iter().enumerate() {
        if at > 0 {
            text.push('.');
        }
        if at + 1 > position {
            text.push('0');
        } else if at + 1 == position && increment > 0 {
            let number: u64 = number.parse().unwrap_or_default();
            text.push_str(&number.saturating_add(increment).to_string());
        } else {
            text.push_str(number);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Dialect;

    /// The parser of plain constraints must agree with the general one.
    #[test]
    fn plain_ones_are_read_as_all_others() {
        let versions = [
            "0",
            "1",
            "01",
            "10",
            "99999",
            "100000",
            "20240101",
            "0.0",
            "0.3",
            "1.2",
            "1.02",
            "0.0.3",
            "0.2.3",
            "1.2.3",
            "1.0.0",
            "0.0.0.4",
            "1.2.3.4",
            "1.2.3.4.5",
            "2024.01.02",
            "1.123456",
            "1.",
            ".1",
            "1..2",
            "1.x",
            "x",
            "*",
            "1.*",
            "1.2.*",
            "0.*",
            "0.0.*",
            "1.2.3.*",
            "1.2.3.4.*",
            "1.*.*",
            "100000.*",
            "1.2-dev",
            "1.2@dev",
            "v1.2",
            "dev-main",
        ];
        let ops = [
            "", "^", "~", "=", "==", "!=", "<>", "<", "<=", ">", ">=", "~>", "=>", "^ ", "> ", "!",
            "v",
        ];
        let mut plain = 0;
        for dialect in [
            Dialect::default(),
            Dialect {
                long_dates: false,
                rc_is_a_modifier: false,
                points_need_branches: false,
                zero_is_least: false,
            },
        ] {
            for (op, version) in ops
                .iter()
                .flat_map(|op| versions.map(|version| (op, version)))
            {
                let text = format!("{op}{version}");
                let mut terms = Terms::new(dialect);
                let (mut fast, mut slow) = (Vec::new(), Vec::new());
                if parse_plain(&mut terms, &text, &mut fast).is_none() {
                    assert!(fast.is_empty(), "{text}");
                    continue;
                }
                plain += 1;
                assert_eq!(parse_one(&mut terms, &text, &mut slow), Some(()), "{text}");
                assert_eq!(fast, slow, "{text}");
            }
        }
        assert!(plain > 300, "{plain}");
    }

    #[test]
    fn alternatives_are_between_bars() {
        let bars = Regex::new(r"\s*\|\|?\s*").expect("a pattern");
        for text in [
            "a",
            "a|b",
            "a||b",
            "a |b",
            "a || b",
            "a |||b",
            "a | | b",
            "|a",
            "a||",
            "",
            "a\u{a0}|\u{2003}b",
            "|",
        ] {
            let mut found = Vec::new();
            let mut rest = Some(text);
            while let Some(text) = rest {
                let first;
                (first, rest) = split_or(text);
                found.push(first);
            }
            assert_eq!(found, bars.split(text).collect::<Vec<_>>(), "{text}");
        }
    }
}
