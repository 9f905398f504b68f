//! The differences between releases of Composer that a configuration meets.

/// A release of Composer, such as 2.5.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    major: u16,
    minor: u16,
    patch: u16,
}

impl Release {
    /// The newest release whose configuration was compared with this one.
    pub const NEWEST: Self = Self::of(2, 10, 2);

    const fn of(major: u16, minor: u16, patch: u16) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Returns the release that `Composer::getVersion` names. A version that is no release of 2.2
    /// or later gives `None`.
    pub fn parse(version: &str) -> Option<Self> {
        let mut numbers = version.split('.').map(str::parse::<u16>);
        let mut next = || numbers.next()?.ok();
        let release = Self::of(next()?, next()?, next()?);
        let is_plain = numbers.next().is_none() && !version.contains('+');
        (is_plain && release.major == 2 && release.minor >= 2).then_some(release)
    }

    /// Returns whether the release has a change that came with `2.minor.patch`. Releases of 2.2
    /// have it since `2.2.lts`, if they ever got it.
    fn has(self, lts: Option<u16>, minor: u16, patch: u16) -> bool {
        if self.minor == 2 {
            return lts.is_some_and(|lts| self.patch >= lts);
        }
        self >= Self::of(2, minor, patch)
    }

    /// Returns whether this is `2.minor.patch` or later.
    pub(crate) fn since(self, minor: u16, patch: u16) -> bool {
        self >= Self::of(2, minor, patch)
    }

    /// Returns whether numbers below zero become zero, and sizes and times are integers.
    pub(super) fn clamps_numbers(self) -> bool {
        self.has(None, 3, 6)
    }

    /// Returns whether `autoloader-suffix` turns from an empty string into null.
    pub(super) fn knows_empty_suffix(self) -> bool {
        self.has(Some(12), 3, 5)
    }

    /// Returns whether `allow-plugins` may be a boolean over an array.
    pub(super) fn knows_plain_allow_plugins(self) -> bool {
        self.has(Some(15), 3, 8)
    }

    /// Returns whether COMPOSER_DISCARD_CHANGES counts even if it is `0` or empty.
    pub(super) fn reads_all_of_discard_changes(self) -> bool {
        self.has(Some(19), 4, 2)
    }

    /// Returns whether COMPOSER_AUTH is merged once more after the project's files.
    pub(super) fn repeats_variable(self) -> bool {
        self.since(7, 8)
    }

    /// Returns whether a credential makes its host one of the `github-domains` or `gitlab-domains`.
    pub(crate) fn implies_domains(self) -> bool {
        self.has(None, 5, 0)
    }

    /// Returns whether `gitlab-oauth` may hold objects.
    pub(super) fn knows_gitlab_oauth_objects(self) -> bool {
        self.has(None, 4, 0)
    }

    /// Returns whether `gitlab-token` may hold objects.
    pub(super) fn knows_gitlab_token_objects(self) -> bool {
        self.has(Some(14), 3, 6)
    }

    /// Returns whether each string is a GitHub token.
    pub(crate) fn takes_any_github_token(self) -> bool {
        self.has(Some(29), 10, 0)
    }

    /// Returns whether a GitHub token may contain a hyphen.
    pub(crate) fn takes_hyphens_in_github_tokens(self) -> bool {
        self.has(Some(28), 9, 8)
    }

    /// Returns whether the User-Agent header names the command.
    pub(crate) fn names_command(self) -> bool {
        self.has(Some(29), 10, 2)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_releases_are_parsed() {
        assert_eq!(Release::parse("2.5.5"), Some(Release::of(2, 5, 5)));
        assert_eq!(Release::parse("2.10.2"), Some(Release::NEWEST));
        for other in [
            "2.1.14",
            "1.10.27",
            "3.0.0",
            "2.9.0-RC1",
            "2.9-dev+a",
            "2.9",
            "+2.9.0",
            "",
        ] {
            assert_eq!(Release::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_long_term_release_has_its_own_patches() {
        let release = |text| Release::parse(text).unwrap();
        assert!(!release("2.2.11").knows_empty_suffix());
        assert!(release("2.2.12").knows_empty_suffix());
        assert!(!release("2.3.4").knows_empty_suffix());
        assert!(release("2.3.5").knows_empty_suffix());
        assert!(!release("2.2.28").clamps_numbers());
    }
}
