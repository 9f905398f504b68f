//! Matches Composer's exclusion expressions (`exclude-from-classmap`) without PCRE.
//!
//! `AutoloadGenerator::parseAutoloadsType` makes them of quoted text, with `.+?` for `**`, `[^/]+?`
//! for `*`, and `($|/)` at the end. `buildExclusionRegex` joins them to `{(…|…)}`. The path of the
//! vendor directory, which `dump` adds, isn't quoted, so dots and hyphens may stand alone. The
//! parser understands nothing else.

use regex::bytes::{Regex, RegexBuilder};

/// A pattern for the paths that a rule leaves out.
#[derive(Debug, Clone)]
pub struct Exclusion(Regex);

impl Exclusion {
    /// Parses Composer's expression. Returns `None` if the expression isn't of the expected form.
    pub fn parse(expression: &str) -> Option<Self> {
        let body = expression.strip_prefix('{')?.strip_suffix('}')?;
        let mut pattern = String::with_capacity(body.len() + 16);
        let mut rest = body;
        while let Some(first) = rest.chars().next() {
            let taken = if let Some(wild) = [".+?", "[^/]+?", "(", ")", "|", "$"]
                .into_iter()
                .find(|token| rest.starts_with(token))
            {
                pattern.push_str(wild);
                wild.len()
            } else if first == '\\' {
                // `preg_quote` puts a backslash before punctuation. Before a letter or digit, a
                // backslash means something else.
                let quoted = rest[1..]
                    .chars()
                    .next()
                    .filter(char::is_ascii_punctuation)?;
                pattern.push_str(&regex::escape(quoted.encode_utf8(&mut [0; 4])));
                2
            } else if first == '.' {
                pattern.push('.');
                1
            } else if first.is_ascii_punctuation() && !"/_-\"',;@`~&%".contains(first) {
                return None;
            } else {
                pattern.push_str(&regex::escape(first.encode_utf8(&mut [0; 4])));
                first.len_utf8()
            };
            rest = &rest[taken..];
        }
        RegexBuilder::new(&pattern)
            .unicode(false)
            .build()
            .ok()
            .map(Self)
    }

    /// Returns whether the expression matches anywhere in the path.
    pub fn matches(&self, path: &str) -> bool {
        self.0.is_match(path.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_composer_writes_is_understood() {
        let exclusion = Exclusion::parse(
            r"{(/project/vendor/a/b/Tests($|/)|/project/vendor/a\-b/.+?/fix\#tures/[^/]+?\.php($|/)|/caf\é($|/))}",
        );
        assert!(exclusion.is_none(), "a backslash before a letter");
        let exclusion = Exclusion::parse(
            r"{(/project/vendor/a/b/Tests($|/)|/project/vendor/a\-b/.+?/fix\#tures/[^/]+?\.php($|/)|/café\<x($|/))}",
        )
        .expect("an exclusion");
        for (path, expected) in [
            ("/project/vendor/a/b/Tests/A.php", true),
            ("/project/vendor/a/b/Tests", true),
            ("/project/vendor/a/b/TestsMore/A.php", false),
            ("/elsewhere/project/vendor/a/b/Tests/A.php", true),
            ("/project/vendor/a-b/x/y/fix#tures/A.php", true),
            ("/project/vendor/a-b/fix#tures/A.php", false),
            ("/project/vendor/a-b/x/fix#tures/d/A.php", false),
            ("/café<x/A.php", true),
        ] {
            assert_eq!(exclusion.matches(path), expected, "{path}");
        }
    }

    #[test]
    fn the_vendor_directory_is_not_quoted() {
        let exclusion = Exclusion::parse("{(/my-app/v.d/)}").expect("an exclusion");
        for (path, expected) in [
            ("/my-app/v.d/A.php", true),
            ("/my-app/v-d/A.php", true),
            ("/my-app/vd/A.php", false),
        ] {
            assert_eq!(exclusion.matches(path), expected, "{path}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for expression in [
            "(/a)",
            "{(/a.*)}",
            "{(/a+)}",
            "{([a-z])}",
            "{(\\d)}",
            "{(a{2})}",
            "{(^a)}",
        ] {
            assert!(Exclusion::parse(expression).is_none(), "{expression}");
        }
    }
}
