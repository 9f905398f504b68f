//! Expressions for the paths that a class map leaves out.

use std::borrow::Cow;
use std::collections::BTreeSet;

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
        Some(real) => Ok(Some(format!("{}/{rest}($|/)", quote(&real.path)))),
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
    patterns: &'p [String],
    /// The texts in their order, with the numbers of their expressions.
    starts: Vec<(&'p str, usize)>,
    /// For each text, the place of the last one before it that it begins with.
    parents: Vec<Option<usize>>,
    through_links: bool,
}

impl<'p> Exclusions<'p> {
    /// Returns the expressions of a dump.
    pub fn new(patterns: &'p [String], traits: &Traits) -> Self {
        let mut starts: Vec<(&str, usize)> = patterns
            .iter()
            .enumerate()
            .map(|(number, pattern)| (constant(pattern), number))
            .collect();
        starts.sort_unstable();
        let mut parents: Vec<Option<usize>> = Vec::with_capacity(starts.len());
        for (at, (start, _)) in starts.iter().enumerate() {
            let mut parent = at.checked_sub(1);
            while let Some(other) = parent.filter(|at| !start.starts_with(starts[*at].0)) {
                parent = parents[other];
            }
            parents.push(parent);
        }
        Self {
            patterns,
            parents,
            starts,
            through_links: traits.excludes_through_links,
        }
    }

    /// Adds the expressions that may match below a directory, or that match the directory.
    fn add_related(&self, directory: &str, chosen: &mut BTreeSet<usize>) {
        let from = self.starts.partition_point(|(start, _)| *start < directory);
        let below = self.starts[from..]
            .iter()
            .take_while(|(start, _)| start.starts_with(directory));
        chosen.extend(below.map(|(_, number)| number));
        // Whatever the directory begins with, its predecessor begins with too.
        let mut above = from.checked_sub(1);
        while let Some(at) = above {
            let (start, number) = self.starts[at];
            if directory.starts_with(start) {
                chosen.insert(number);
            }
            above = self.parents[at];
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
        let mut directories = Vec::new();
        if let Some(real) = reals.of(path)? {
            let normal = bases.absolute(path);
            if self.through_links && normal != *real.path {
                directories.push(quote(&normal).into_owned());
            }
            directories.push(quote(&real.path).into_owned());
        }
        let mut chosen = BTreeSet::new();
        for directory in &directories {
            self.add_related(directory, &mut chosen);
        }
        if directories.is_empty() {
            chosen.extend(0..self.patterns.len());
        }
        let is_related = |pattern: &&str| {
            let start = constant(pattern);
            let is_related = |directory: &String| {
                start.starts_with(directory.as_str()) || directory.starts_with(start)
            };
            directories.is_empty() || directories.iter().any(is_related)
        };
        let chosen: Vec<&str> = chosen
            .into_iter()
            .map(|number| self.patterns[number].as_str())
            .chain(extra.filter(is_related))
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
