//! Versions, normalized and compared as composer/semver does.

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::Regex;

/// The stability of a version. The numbers are those of Composer's `BasePackage::STABILITIES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stability {
    /// A stable release.
    Stable = 0,
    /// A release candidate.
    Rc = 5,
    /// A beta version.
    Beta = 10,
    /// An alpha version.
    Alpha = 15,
    /// A development version or branch.
    Dev = 20,
}

impl Stability {
    /// Returns the stability that Composer knows by a number.
    pub fn of(number: u8) -> Option<Self> {
        let all = [Self::Stable, Self::Rc, Self::Beta, Self::Alpha, Self::Dev];
        all.into_iter().find(|one| *one as u8 == number)
    }

    /// Returns the name that composer.json has for the stability.
    pub fn text(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Rc => "RC",
            Self::Beta => "beta",
            Self::Alpha => "alpha",
            Self::Dev => "dev",
        }
    }
}

/// The differences between versions of composer/semver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub struct Dialect {
    /// Whether two numbers may follow a date; otherwise one may.
    pub long_dates: bool,
    /// Whether `-RC` in a constraint such as `<1.0-RC` counts as a stability, like `-beta`.
    pub rc_is_a_modifier: bool,
    /// Whether ranges that exclude only single points are written with `!=` only if all branches
    /// match too.
    pub points_need_branches: bool,
    /// Whether no version is below `0.0.0.0-dev`.
    pub zero_is_least: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            long_dates: true,
            rc_is_a_modifier: true,
            points_need_branches: true,
            zero_is_least: true,
        }
    }
}

/// The alias of a default branch whose name is no number.
pub const DEFAULT_BRANCH_ALIAS: &str = "9999999-dev";

/// A normalized version, with a key for comparisons.
#[derive(Debug, Clone)]
pub struct Version {
    text: Box<str>,
    branch: bool,
    key: Box<[u64]>,
}

impl Version {
    /// Takes a version that [`normalize`] has returned.
    pub fn new(normalized: &str) -> Self {
        Self {
            text: normalized.into(),
            branch: normalized.starts_with("dev-"),
            key: key_of(normalized),
        }
    }

    /// Returns the normalized version.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether the version is a branch without a number (`dev-main`).
    pub fn is_branch(&self) -> bool {
        self.branch
    }

    /// Compares two versions as PHP's `version_compare()` does.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

const CLASS: u32 = 56;
const END: u64 = 5 << CLASS;
const NUMBER: u64 = 6 << CLASS;

/// Returns a key whose order is that of PHP's `version_compare()`.
///
/// The parts of a version rank in this order: any other string, dev, alpha, beta, RC, the end,
/// numbers, patch. Parts with the same name are equal, whatever follows the name.
fn key_of(text: &str) -> Box<[u64]> {
    let mut key = Vec::with_capacity(6);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let digits = bytes[at].is_ascii_digit();
        if !bytes[at].is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        while at < bytes.len()
            && bytes[at].is_ascii_alphanumeric()
            && bytes[at].is_ascii_digit() == digits
        {
            at += 1;
        }
        let part = &text[start..at];
        key.push(if digits {
            let number: u64 = part.parse().unwrap_or(u64::MAX);
            NUMBER | number.min((1 << CLASS) - 1)
        } else {
            let class = match part {
                _ if part.starts_with("dev") => 1_u64,
                _ if part.starts_with('a') => 2,
                _ if part.starts_with('b') => 3,
                _ if part.starts_with("RC") || part.starts_with("rc") => 4,
                _ if part.starts_with('p') => 7,
                _ => 0,
            };
            class << CLASS
        });
    }
    key.push(END);
    key.into()
}

const MODIFIER: &str =
    r"[._-]?(?:(stable|beta|b|RC|alpha|a|patch|pl|p)((?:[.-]?[0-9]+)*)?)?([.-]?dev)?";
const STABILITIES: &str = "stable|RC|beta|alpha|dev";

#[expect(
    clippy::unwrap_used,
    reason = "the patterns are constants, and tests use each"
)]
pub(crate) fn pattern(text: &str) -> Regex {
    let text = text
        .replace("MODIFIER", MODIFIER)
        .replace("STABILITIES", STABILITIES);
    Regex::new(&text).unwrap()
}

static ALIASED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^([^,\s]+) +as +([^,\s]+)$"));
static FLAGGED: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)@(?:STABILITIES)$"));
static BUILD: LazyLock<Regex> = LazyLock::new(|| pattern(r"^([^,\s+]+)\+[^\s]+$"));
static CLASSICAL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^v?([0-9]{1,5})(\.[0-9]+)?(\.[0-9]+)?(\.[0-9]+)?MODIFIER$"));
static DATED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)^v?([0-9]{4}(?:[.:-]?[0-9]{2}){1,6}(?:[.:-]?[0-9]{1,3}){0,2})MODIFIER$")
});
static DATED_SHORT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)^v?([0-9]{4}(?:[.:-]?[0-9]{2}){1,6}(?:[.:-]?[0-9]{1,3})?)MODIFIER$")
});
static DEV: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)^(.*?)[.-]?dev$"));
static BRANCH: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)^v?([0-9]+)(\.(?:[0-9]+|[x*]))?(\.(?:[0-9]+|[x*]))?(\.(?:[0-9]+|[x*]))?$")
});
static STABILITY: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)MODIFIER(?:\+.*)?$"));
static NUMERIC_ALIAS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^((?:[0-9]+\.)*[0-9]+)(?:\.x)?-dev$"));

/// Removes a suffix such as ` as 1.0`.
pub fn without_alias(text: &str) -> &str {
    if !text.contains(" as ") {
        return text;
    }
    ALIASED
        .captures(text)
        .and_then(|found| found.get(1))
        .map_or(text, |found| found.as_str())
}

/// Normalizes a version (`VersionParser::normalize`, composer/semver 3.3.2); `None` where
/// composer/semver throws.
pub fn normalize(dialect: Dialect, version: &str) -> Option<String> {
    let mut version = without_alias(version.trim());
    // Most versions consist of numbers only, and need no pattern.
    if let Some(numbers) = plain(version.strip_prefix(['v', 'V']).unwrap_or(version)) {
        return Some(normal(numbers));
    }
    if version.contains('@')
        && let Some(found) = FLAGGED.find(version)
    {
        version = &version[..found.start()];
    }
    if matches!(version, "master" | "trunk" | "default") {
        return Some(format!("dev-{version}"));
    }
    if version
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("dev-"))
    {
        return Some(format!("dev-{}", &version[4..]));
    }
    if version.contains('+')
        && let Some(found) = BUILD.captures(version)
    {
        version = found.get(1).map_or("", |found| found.as_str());
    }
    let dated = if dialect.long_dates {
        &DATED
    } else {
        &DATED_SHORT
    };
    let (mut text, found, index) = if let Some(found) = CLASSICAL.captures(version) {
        let part = |at: usize| found.get(at).map_or(".0", |part| part.as_str());
        let text = format!("{}{}{}{}", part(1), part(2), part(3), part(4));
        (text, found, 5)
    } else if let Some(found) = dated.captures(version) {
        let digits = found.get(1).map_or("", |found| found.as_str());
        let dots = digits
            .chars()
            .map(|one| if one.is_ascii_digit() { one } else { '.' });
        (dots.collect(), found, 2)
    } else {
        return normalize_dev(version);
    };
    let part = |at: usize| found.get(at).map_or("", |part| part.as_str());
    let stability = part(index);
    // PHP compares this word case-sensitively.
    if stability == "stable" {
        return Some(text);
    }
    if !stability.is_empty() {
        text.push('-');
        text.push_str(&expand(stability));
        text.push_str(part(index + 1).trim_start_matches(['.', '-']));
    }
    if !part(index + 2).is_empty() {
        text.push_str("-dev");
    }
    Some(text)
}

/// Splits a plain version into up to four numbers; missing numbers are empty. Returns `None` for
/// other texts, and for versions that begin with a date.
pub(crate) fn plain(text: &str) -> Option<[&str; 4]> {
    let mut numbers = [""; 4];
    let mut parts = text.split('.');
    for (number, part) in numbers.iter_mut().zip(&mut parts) {
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part;
    }
    (parts.next().is_none() && numbers[0].len() <= 5).then_some(numbers)
}

/// Returns the numbers as [`normalize`] writes them.
pub(crate) fn normal(numbers: [&str; 4]) -> String {
    numbers
        .map(|number| if number.is_empty() { "0" } else { number })
        .join(".")
}

/// Normalizes a numeric branch, such as `1.x-dev`.
fn normalize_dev(version: &str) -> Option<String> {
    let found = DEV.captures(version)?;
    let branch = normalize_branch(found.get(1).map_or("", |name| name.as_str()));
    (!branch.contains("dev-")).then_some(branch)
}

/// Expands an abbreviated stability (`VersionParser::expandStability`, composer/semver 3.3.2).
fn expand(stability: &str) -> String {
    let lower = stability.to_ascii_lowercase();
    match lower.as_str() {
        "a" => "alpha".to_owned(),
        "b" => "beta".to_owned(),
        "p" | "pl" => "patch".to_owned(),
        "rc" => "RC".to_owned(),
        _ => lower,
    }
}

/// Normalizes the name of a branch (`VersionParser::normalizeBranch`, composer/semver 3.3.2).
pub fn normalize_branch(name: &str) -> String {
    let name = name.trim();
    let Some(found) = BRANCH.captures(name) else {
        return format!("dev-{name}");
    };
    let mut text = String::with_capacity(40);
    for at in 1..5 {
        text.push_str(found.get(at).map_or(".x", |part| part.as_str()));
    }
    format!("{}-dev", text.replace(['x', 'X', '*'], "9999999"))
}

/// Returns the stability of a version (`VersionParser::parseStability`, composer/semver 3.3.2).
pub fn stability(version: &str) -> Stability {
    // Most versions consist of numbers only.
    if version
        .bytes()
        .all(|byte| byte == b'.' || byte.is_ascii_digit())
    {
        return Stability::Stable;
    }
    // A reference to a commit is ignored; a `#` at the very end is kept.
    let version = match version.find('#') {
        Some(at) if at + 1 < version.len() => &version[..at],
        _ => version,
    };
    if version.starts_with("dev-") || version.ends_with("-dev") {
        return Stability::Dev;
    }
    let lower = version.to_lowercase();
    let Some(found) = STABILITY.captures(&lower) else {
        return Stability::Stable;
    };
    if found.get(3).is_some_and(|part| !part.is_empty()) {
        return Stability::Dev;
    }
    match found.get(1).map_or("", |part| part.as_str()) {
        "beta" | "b" => Stability::Beta,
        "alpha" | "a" => Stability::Alpha,
        "rc" => Stability::Rc,
        _ => Stability::Stable,
    }
}

/// Returns whether a version in a constraint ends with a stability.
pub fn ends_with_modifier(dialect: Dialect, text: &str) -> bool {
    static ANY_CASE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)-MODIFIER$"));
    // Versions of composer/semver without this rule convert the text to lower case, but the
    // pattern has `RC`.
    static LOWER: LazyLock<Regex> = LazyLock::new(|| pattern(r"-MODIFIER$"));
    if dialect.rc_is_a_modifier {
        ANY_CASE.is_match(text)
    } else {
        LOWER.is_match(&text.to_lowercase())
    }
}

/// Returns the numeric prefix of a branch: `1.2.` for `1.2.x-dev`
/// (`VersionParser::parseNumericAliasPrefix`, composer/semver 3.3.2).
pub fn numeric_alias_prefix(branch: &str) -> Option<String> {
    let found = NUMERIC_ALIAS.captures(branch)?;
    Some(format!("{}.", &found[1]))
}
