//! Requirements that `--ignore-platform-req` and `--ignore-platform-reqs` name.

use allegro_composer::package::is_platform;

/// The platform requirements that are ignored (`PlatformRequirementFilterFactory::fromBoolOrList`,
/// composer 2.10.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ignored {
    /// Every requirement counts.
    #[default]
    None,
    /// No requirement counts.
    All,
    /// These requirements don't count. A `*` stands for any text, and a `+` at the end means that
    /// only the upper bound doesn't count.
    These(Vec<String>),
}

impl Ignored {
    /// Returns whether a requirement doesn't count
    /// (`IgnoreListPlatformRequirementFilter::isIgnored`, composer 2.10.2).
    pub fn is_ignored(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => is_platform(name),
            Self::These(patterns) => {
                is_platform(name)
                    && patterns
                        .iter()
                        .any(|pattern| !pattern.ends_with('+') && matches(pattern, name))
            }
        }
    }

    /// Returns whether the upper bound of a requirement doesn't count
    /// (`IgnoreListPlatformRequirementFilter::filterConstraint`, composer 2.10.2).
    pub fn is_upper_bound_ignored(&self, name: &str) -> bool {
        match self {
            Self::None | Self::All => false,
            Self::These(patterns) => {
                is_platform(name)
                    && patterns
                        .iter()
                        .filter_map(|pattern| pattern.strip_suffix('+'))
                        .any(|pattern| matches(pattern, name))
            }
        }
    }
}

/// Returns whether a pattern with `*` covers a name, regardless of case
/// (`BasePackage::packageNamesToRegexp`, composer 2.10.2).
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_names() {
        let cases = [
            ("ext-gd", "ext-gd", true),
            ("EXT-gd", "ext-gd", true),
            ("ext-*", "ext-gd", true),
            ("*", "php", true),
            ("ext-*d", "ext-gd", true),
            ("ext-*x", "ext-gd", false),
            ("e*t-*g*", "ext-gd", true),
            ("ext-gd*gd", "ext-gd", false),
            ("ext", "ext-gd", false),
            ("php-*", "php", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn only_platform_requirements_are_ignored() {
        assert!(Ignored::All.is_ignored("ext-gd"));
        assert!(!Ignored::All.is_ignored("a/a"));
        let these = Ignored::These(vec!["php+".into(), "ext-*".into(), "a/*".into()]);
        assert!(these.is_ignored("ext-gd"));
        assert!(!these.is_ignored("a/a"));
        assert!(!these.is_ignored("php"));
        assert!(these.is_upper_bound_ignored("php"));
        assert!(!these.is_upper_bound_ignored("ext-gd"));
    }
}
