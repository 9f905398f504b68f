//! The language of constraints, as composer/semver's `VersionParser` reads it.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::constraint::{Constraint, ConstraintId, Op, Terms};
use super::version::{Stability, ends_with_modifier, normalize, pattern, stability, without_alias};

const VERSION: &str = r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:\.([0-9]+))?(?:MODIFIER|\.([x*][.-]?dev))(?:\+[^\s]+)?";

fn with_version(text: &str) -> Regex {
    pattern(&text.replace("VERSION", VERSION))
}

static OR: LazyLock<Regex> = LazyLock::new(|| pattern(r"\s*\|\|?\s*"));
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

/// `VersionParser::parseConstraints()`.
pub(super) fn parse(terms: &mut Terms, pretty: &str) -> Option<ConstraintId> {
    let mut alternatives = Vec::new();
    for alternative in OR.split(pretty.trim()) {
        let mut parts = Vec::new();
        for part in split_and(alternative) {
            parse_one(terms, part, &mut parts)?;
        }
        alternatives.push(match parts.as_slice() {
            [one] => *one,
            _ => terms.multi(true, &parts),
        });
    }
    Some(terms.create(false, &alternatives))
}

/// Parts between spaces and commas; not where one belongs to an operator, to ` as ` or to a range with ` - `.
fn split_and(text: &str) -> Vec<&str> {
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

/// The end of the separator that begins here: `(?<!^|as|[=>< ,]) *(?<!-)[, ](?!-) *(?!,|as|$)`.
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

/// As PHP's `empty()` on a string.
fn is_empty(text: &str) -> bool {
    text.is_empty() || text == "0"
}

fn parse_one(terms: &mut Terms, constraint: &str, parts: &mut Vec<ConstraintId>) -> Option<()> {
    let mut constraint = without_alias(constraint);
    let mut flag = "";
    if let Some(found) = FLAGGED.captures(constraint) {
        let (text, word) = (group(&found, 1), group(&found, 2));
        constraint = if text.is_empty() { "*" } else { text };
        flag = if word == "stable" { "" } else { word };
    }
    if let Some(found) = REFERENCE.captures(constraint) {
        constraint = found.get(1).map_or("", |part| part.as_str());
    }
    if let Some(found) = ANY.captures(constraint) {
        parts.push(
            if group(&found, 1).is_empty() && group(&found, 2).is_empty() {
                terms.constraint(Constraint::All)
            } else {
                terms.single(Op::Ge, "0.0.0.0-dev")
            },
        );
        return Some(());
    }
    if let Some(found) = TILDE.captures(constraint) {
        if constraint.starts_with("~>") {
            return None;
        }
        let mut position = (2..=4)
            .rev()
            .find(|at| !group(&found, *at).is_empty())
            .unwrap_or(1);
        if !is_empty(group(&found, 8)) {
            position += 1;
        }
        return bounds(
            terms,
            parts,
            constraint,
            &found,
            std::cmp::max(1, position - 1),
        );
    }
    if let Some(found) = CARET.captures(constraint) {
        let position = if group(&found, 1) != "0" || group(&found, 2).is_empty() {
            1
        } else if group(&found, 2) != "0" || group(&found, 3).is_empty() {
            2
        } else {
            3
        };
        return bounds(terms, parts, constraint, &found, position);
    }
    if let Some(found) = WILDCARD.captures(constraint) {
        let position = (2..=3)
            .rev()
            .find(|at| !group(&found, *at).is_empty())
            .unwrap_or(1);
        let numbers = [group(&found, 1), group(&found, 2), group(&found, 3), ""];
        let low = format!("{}-dev", manipulate(numbers, position, 0));
        let high = format!("{}-dev", manipulate(numbers, position, 1));
        if low != "0.0.0.0-dev" {
            parts.push(terms.single(Op::Ge, &low));
        }
        parts.push(terms.single(Op::Lt, &high));
        return Some(());
    }
    if let Some(found) = HYPHEN.captures(constraint) {
        return hyphen(terms, parts, &found);
    }
    compare(terms, parts, constraint, flag)
}

/// The range of a tilde or caret: from the version on, to the next one at a position.
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
    let numbers = [
        group(found, 1),
        group(found, 2),
        group(found, 3),
        group(found, 4),
    ];
    let high = format!("{}-dev", manipulate(numbers, position, 1));
    parts.push(terms.single(Op::Ge, &low));
    parts.push(terms.single(Op::Lt, &high));
    Some(())
}

/// Groups of the pattern: 1 and 10 the versions, 2 to 9 and 11 to 18 what they are made of.
fn hyphen(terms: &mut Terms, parts: &mut Vec<ConstraintId>, found: &Captures<'_>) -> Option<()> {
    let plain = [6, 8, 9].iter().all(|at| is_empty(group(found, *at)));
    let low = normalize(terms.dialect, group(found, 1))?;
    let low = format!("{low}{}", if plain { "-dev" } else { "" });
    let to = normalize(terms.dialect, group(found, 10))?;
    // Here "0" is a number like others.
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
        let high = format!("{}-dev", manipulate(numbers, position, 1));
        parts.push(terms.single(Op::Lt, &high));
    }
    Some(())
}

/// One operator and a version.
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

/// `VersionParser::manipulateVersionString()`: zeros after a position, which may be counted up.
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
