//! Expressions for the paths that a class map leaves out.

use std::borrow::Cow;

use allegro_composer::Unfamiliar;

use super::paths::{Bases, Reals, demand_plain};
use super::rules::is_empty;
use super::traits::Traits;

/// The characters that `preg_quote` puts a backslash before, except the zero byte.
const SPECIAL: &[u8] = br".\+*?[^]$(){}=!<>|:-#";

/// Returns a text as it stands in an expression, as PHP's `preg_quote` does.
fn quote(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| SPECIAL.contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if u8::try_from(character).is_ok_and(|byte| SPECIAL.contains(&byte)) {
            out.push('\\');
        }
        out.push(character);
    }
    Cow::Owned(out)
}

/// Returns the expression for a value of `exclude-from-classmap`, or `None` if Composer skips it
/// (`AutoloadGenerator::parseAutoloadsType`, composer 2.10.2).
pub fn pattern(
    base: &str,
    path: &str,
    traits: &Traits,
    reals: &mut Reals<'_>,
) -> Result<Option<String>, Unfamiliar> {
    let slashed = path.replace('\\', "/");
    let mut quoted = String::with_capacity(path.len() + 8);
    for character in quote(slashed.trim_matches('/')).chars() {
        if character != '/' || !quoted.ends_with('/') {
            quoted.push(character);
        }
    }
    let quoted = quoted.replace(r"\*\*", ".+?").replace(r"\*", "[^/]+?");
    let rest = without_up(&quoted);
    let up = quoted[..quoted.len() - rest.len()].replace(r"\.", ".");
    let directory = if is_empty(base) {
        format!("./{up}")
    } else {
        format!("{base}/{up}")
    };
    match reals.of(&directory)? {
        Some(real) => Ok(Some(format!("{}/{rest}($|/)", quote(&real)))),
        None if traits.skips_lost_exclusions => Ok(None),
        None => Err(Unfamiliar(format!("there is nothing at {directory:?}"))),
    }
}

/// Returns what follows the steps `./` and `../` at the start of a quoted path.
fn without_up(quoted: &str) -> &str {
    let mut rest = quoted;
    loop {
        let step = rest
            .strip_prefix(r"\.\.")
            .or_else(|| rest.strip_prefix(r"\."))
            .and_then(|rest| rest.strip_prefix('/'));
        match step {
            Some(step) => rest = step,
            None => return rest,
        }
    }
}

/// Returns the text that each match of an expression begins with, as it stands in the expression.
fn constant(pattern: &str) -> &str {
    let bytes = pattern.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if !SPECIAL.contains(byte) {
            at += 1;
        } else if *byte == b'\\'
            && bytes
                .get(at + 1)
                .is_some_and(|next| *next != b'\\' && SPECIAL.contains(next))
        {
            at += 2;
        } else {
            break;
        }
    }
    &pattern[..at]
}

/// The expressions of a dump with the texts that they begin with.
pub struct Exclusions<'p> {
    patterns: Vec<(&'p str, &'p str)>,
    through_links: bool,
}

impl<'p> Exclusions<'p> {
    /// Returns the expressions of a dump.
    pub fn new(patterns: &'p [String], traits: &Traits) -> Self {
        Self {
            patterns: patterns
                .iter()
                .map(|pattern| (pattern.as_str(), constant(pattern)))
                .collect(),
            through_links: traits.excludes_through_links,
        }
    }

    /// Returns the expression for the files of one rule
    /// (`AutoloadGenerator::buildExclusionRegex`, composer 2.10.2). `extra` is one more expression
    /// for this rule.
    pub fn for_rule(
        &self,
        path: &str,
        extra: Option<&str>,
        bases: &Bases,
        reals: &mut Reals<'_>,
    ) -> Result<Option<String>, Unfamiliar> {
        if self.patterns.is_empty() && extra.is_none() {
            return Ok(None);
        }
        demand_plain(path)?;
        let real = reals.of(path)?;
        let normal = if self.through_links && real.is_some() {
            Some(bases.absolute(path)).filter(|normal| Some(normal) != real.as_ref())
        } else {
            None
        };
        let directories: Vec<Cow<'_, str>> =
            real.iter().chain(&normal).map(|path| quote(path)).collect();
        let concerns = |start: &str| {
            let related = |directory: &Cow<'_, str>| {
                start.starts_with(directory.as_ref()) || directory.starts_with(start)
            };
            directories.is_empty() || directories.iter().any(related)
        };
        let extra = extra.map(|pattern| (pattern, constant(pattern)));
        let chosen: Vec<&str> = self
            .patterns
            .iter()
            .copied()
            .chain(extra)
            .filter(|(_, start)| concerns(start))
            .map(|(pattern, _)| pattern)
            .collect();
        Ok((!chosen.is_empty()).then(|| format!("{{({})}}", chosen.join("|"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_upwards_are_taken_off() {
        for (quoted, expected) in [
            (r"\.\./\./a", "a"),
            (r"\.\.\./a", r"\.\.\./a"),
            (r"\.\.", r"\.\."),
            (r"a/\.\./b", r"a/\.\./b"),
            (r"\./", ""),
        ] {
            assert_eq!(without_up(quoted), expected, "{quoted}");
        }
    }

    #[test]
    fn expressions_begin_with_constant_text() {
        for (pattern, expected) in [
            (r"/a/b\-c/.+?/d($|/)", r"/a/b\-c/"),
            (r"/a/[^/]+?", "/a/"),
            (r"/a\.b($|/)", r"/a\.b"),
            ("/a-b/c", "/a"),
        ] {
            assert_eq!(constant(pattern), expected);
        }
    }
}
