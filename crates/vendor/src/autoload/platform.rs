//! The requirements on PHP that `platform_check.php` checks.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use allegro_composer::Unfamiliar;
use allegro_composer::package::Link;
use allegro_composer::php;
use allegro_semver::constraint::{Constraint, ConstraintId, Op, Terms};
use allegro_semver::version::Version;

use super::rules::Item;
use super::traits::Traits;
use super::{IgnoredPlatform, Input, PlatformCheck};

/// The least of all versions.
const LEAST: &str = "0.0.0.0-dev";

/// The lower end of a constraint (`Bound`, composer/semver 3.4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    version: String,
    is_inclusive: bool,
}

impl Bound {
    fn zero() -> Self {
        Self {
            version: LEAST.to_owned(),
            is_inclusive: true,
        }
    }

    /// Returns whether this bound is above another one, or below it (`Bound::compareTo`).
    fn is(&self, order: Ordering, other: &Self) -> bool {
        if self == other {
            return false;
        }
        match Version::new(&self.version).compare(&Version::new(&other.version)) {
            Ordering::Equal if order == Ordering::Greater => other.is_inclusive,
            Ordering::Equal => !other.is_inclusive,
            compared => compared == order,
        }
    }

    /// Returns the first three numbers of the version.
    fn numbers(&self) -> Vec<String> {
        let numbers = self.version.replace('-', ".");
        numbers.split('.').take(3).map(str::to_owned).collect()
    }
}

/// Returns the lower end of a constraint (`getLowerBound` of the classes of constraints,
/// composer/semver 3.4.3).
fn lower_bound(terms: &Terms, constraint: ConstraintId) -> Bound {
    match terms.constraint_of(constraint) {
        Constraint::All => Bound::zero(),
        Constraint::None => Bound {
            version: LEAST.to_owned(),
            is_inclusive: false,
        },
        Constraint::Single(op, version) => {
            let version = terms.version_of(*version);
            match op {
                _ if version.is_branch() => Bound::zero(),
                Op::Eq | Op::Ge | Op::Gt => Bound {
                    version: version.text().to_owned(),
                    is_inclusive: *op != Op::Gt,
                },
                _ => Bound::zero(),
            }
        }
        Constraint::Multi { conjunctive, parts } => {
            let wanted = if *conjunctive {
                Ordering::Greater
            } else {
                Ordering::Less
            };
            let mut bounds = parts.iter().map(|part| lower_bound(terms, *part));
            let first = bounds.next().unwrap_or_else(Bound::zero);
            bounds.fold(first, |known, bound| {
                if bound.is(wanted, &known) {
                    bound
                } else {
                    known
                }
            })
        }
    }
}

/// Parses a constraint that all versions of composer/semver read alike.
fn parse(terms: &mut Terms, link: &Link) -> Result<ConstraintId, Unfamiliar> {
    let text = &link.constraint;
    let odd = || {
        Unfamiliar(format!(
            "the constraint {text} on {} is unusual",
            link.target
        ))
    };
    let has_long_number = text
        .split(|character: char| !character.is_ascii_digit())
        .any(|digits| digits.len() > 5);
    if has_long_number || text.to_ascii_lowercase().contains("rc") {
        return Err(odd());
    }
    terms.parse(text).ok_or_else(odd)
}

fn extension(name: &str) -> Option<&str> {
    name.strip_prefix("ext-").filter(|name| !name.is_empty())
}

impl IgnoredPlatform {
    /// Returns whether a requirement is ignored (`IgnoreListPlatformRequirementFilter::isIgnored`,
    /// composer 2.10.2). Names that end with `+` concern upper ends only.
    fn covers(&self, target: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Names(names) => names
                .iter()
                .any(|name| fits(name.to_ascii_lowercase().as_bytes(), target.as_bytes())),
        }
    }
}

/// Returns whether a name fits a pattern, in which `*` stands for any text.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|at| fits(rest, &name[at..])),
        Some((first, rest)) => name
            .split_first()
            .is_some_and(|(start, name)| start == first && fits(rest, name)),
    }
}

/// Returns the text of `platform_check.php`, or `None` if nothing is to be checked
/// (`AutoloadGenerator::getPlatformCheck`, composer 2.10.2).
pub fn check(
    items: &[Item<'_>],
    input: &Input<'_>,
    traits: &Traits,
) -> Result<Option<String>, Unfamiliar> {
    let all = match (input.platform_check, &input.ignored_platform) {
        (PlatformCheck::Off, _) | (_, IgnoredPlatform::All) => return Ok(None),
        (PlatformCheck::PhpOnly, _) => false,
        (PlatformCheck::Full, _) => true,
    };
    let mut terms = Terms::default();
    let mut providers: HashMap<&str, Vec<&Link>> = HashMap::new();
    for item in items {
        // Composer merges both lists by target, so `provide` wins over `replace`.
        let is_provided = |link: &&Link| item.provides.iter().any(|one| one.target == link.target);
        let replaces = item.replaces.iter().filter(|link| !is_provided(link));
        for link in replaces.chain(item.provides) {
            if let Some(name) = extension(&link.target) {
                providers.entry(name).or_default().push(link);
            }
        }
    }
    let mut lowest = Bound::zero();
    let mut needs_64bit = false;
    let mut extensions: BTreeMap<String, String> = BTreeMap::new();
    for item in items {
        if input.dev_package_names.contains(item.name) {
            continue;
        }
        for link in item.requires {
            let target = link.target.as_str();
            let is_64bit = traits.php_64bit && target == "php-64bit";
            let is_php = target == "php" || is_64bit;
            let extension = extension(target).filter(|_| all);
            if !is_php && extension.is_none() || input.ignored_platform.covers(target) {
                continue;
            }
            if is_php {
                let constraint = parse(&mut terms, link)?;
                let bound = lower_bound(&terms, constraint);
                if bound.is(Ordering::Greater, &lowest) {
                    lowest = bound;
                }
                needs_64bit |= is_64bit;
            }
            if let Some(name) = extension
                && !is_provided(&mut terms, providers.get(name), link)?
            {
                let name = if name == "zend-opcache" {
                    "zend opcache"
                } else {
                    name
                };
                let literal = php::string(name);
                let only_cli = if matches!(name, "pcntl" | "readline") {
                    "PHP_SAPI !== 'cli' || "
                } else {
                    ""
                };
                let line = format!(
                    "{only_cli}extension_loaded({literal}) || $missingExtensions[] = {literal};\n"
                );
                extensions.insert(literal, line);
            }
        }
    }
    let mut checks = String::new();
    if lowest != Bound::zero() {
        checks.push_str(&php_check(&lowest)?);
    }
    if needs_64bit {
        checks.push_str(
            "\nif (PHP_INT_SIZE !== 8) {\n    $issues[] = 'Your Composer dependencies require a \
             64-bit build of PHP.';\n}\n",
        );
    }
    if !extensions.is_empty() {
        let lines: String = extensions.into_values().collect();
        checks.push_str(&extension_check(&lines));
    }
    Ok((!checks.is_empty()).then(|| file(&checks, traits)))
}

fn is_provided(
    terms: &mut Terms,
    providers: Option<&Vec<&Link>>,
    link: &Link,
) -> Result<bool, Unfamiliar> {
    let Some(providers) = providers else {
        return Ok(false);
    };
    let wanted = parse(terms, link)?;
    for provider in providers {
        let provided = parse(terms, provider)?;
        if terms.matches(provided, wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn php_check(lowest: &Bound) -> Result<String, Unfamiliar> {
    let odd = || Unfamiliar(format!("PHP {} is required", lowest.version));
    let numbers = lowest.numbers();
    let [major, minor, patch] = numbers
        .iter()
        .map(|number| number.parse::<u32>().ok().filter(|number| *number < 1_000))
        .collect::<Option<Vec<u32>>>()
        .ok_or_else(odd)?[..]
    else {
        return Err(odd());
    };
    let id = major * 10_000 + minor * 100 + patch;
    let op = if lowest.is_inclusive { ">=" } else { ">" };
    let pretty = numbers.join(".");
    Ok(format!(
        r#"
if (!(PHP_VERSION_ID {op} {id})) {{
    $issues[] = 'Your Composer dependencies require a PHP version "{op} {pretty}". You are running ' . PHP_VERSION . '.';
}}
"#
    ))
}

fn extension_check(lines: &str) -> String {
    format!(
        r"
$missingExtensions = array();
{lines}
if ($missingExtensions) {{
    $issues[] = 'Your Composer dependencies require the following PHP extensions to be installed: ' . implode(', ', $missingExtensions) . '.';
}}
"
    )
}

fn file(checks: &str, traits: &Traits) -> String {
    let end = if traits.check_throws {
        r"    throw new \RuntimeException(
        'Composer detected issues in your platform: ' . implode(' ', $issues)
    );"
    } else {
        r"    trigger_error(
        'Composer detected issues in your platform: ' . implode(' ', $issues),
        E_USER_ERROR
    );"
    };
    format!(
        r"<?php

// platform_check.php @generated by Composer

$issues = array();
{checks}
if ($issues) {{
    if (!headers_sent()) {{
        header('HTTP/1.1 500 Internal Server Error');
    }}
    if (!ini_get('display_errors')) {{
        if (PHP_SAPI === 'cli' || PHP_SAPI === 'phpdbg') {{
            fwrite(STDERR, 'Composer detected issues in your platform:' . PHP_EOL.PHP_EOL . implode(PHP_EOL, $issues) . PHP_EOL.PHP_EOL);
        }} elseif (!headers_sent()) {{
            echo 'Composer detected issues in your platform:' . PHP_EOL.PHP_EOL . str_replace('You are running '.PHP_VERSION.'.', '', implode(PHP_EOL, $issues)) . PHP_EOL.PHP_EOL;
        }}
    }}
{end}
}}
"
    )
}
