//! The differences between versions of Composer in what they read from a lock and record in vendor.

/// The habits of one version of Composer, as far as they reach a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub struct Dialect {
    /// Whether `php-ext` reaches installed.json (since 2.8.2).
    pub records_php_ext: bool,
    /// Whether installed.php has the aliases, replaced and provided versions in natural order
    /// (since 2.8.4). Otherwise they stay in the order of the repository.
    pub sorts_versions: bool,
    /// Whether installed.php has `null` in small letters and escaped keys (since 2.7.0, and in
    /// 2.2 since 2.2.23). Distributions have this fix in older versions too, since it belongs to
    /// CVE-2024-24821; [`Self::with_checked_versions`] says so.
    pub checks_versions: bool,
    /// Whether installed.php has the reference before the type (since 2.3.6).
    pub reference_before_type: bool,
    /// Whether a path of one directory at the top of the file system may be relative (since
    /// 2.5.0).
    pub relative_at_the_top: bool,
    /// Whether a rewritten file keeps its indentation (since 2.6.0).
    pub keeps_indentation: bool,
    /// Whether `v1.x-dev` is a numeric branch, which gets no default alias (since 2.5.6).
    pub v_is_numeric: bool,
    /// Whether an alternative of a requirement may have an alias (since 2.4.3).
    pub aliases_in_alternatives: bool,
    /// Whether only the last part of a requirement decides if it has a stability flag (up to 2.2).
    pub last_flag_decides: bool,
    /// Whether `COMPOSER_ROOT_VERSION=1.2-dev` means `1.2.x-dev` (since 2.8.0).
    pub root_version_is_a_branch: bool,
    /// Whether a development version without a source is shown with the reference of its dist
    /// (since 2.9.0).
    pub shows_dists: bool,
}

impl Dialect {
    /// Returns the dialect of a version such as `2.5.5`. Versions before 2.2 have none.
    pub fn of(version: &str) -> Option<Self> {
        let numbers = version.split(['-', '+']).next()?;
        let mut parts = numbers.split('.').map(|part| part.parse::<u32>().ok());
        let version = (parts.next()??, parts.next()??, parts.next()??);
        if !((2, 2, 0)..(3, 0, 0)).contains(&version) {
            return None;
        }
        Some(Self {
            records_php_ext: version >= (2, 8, 2),
            sorts_versions: version >= (2, 8, 4),
            checks_versions: version >= (2, 7, 0) || version.1 == 2 && version.2 >= 23,
            reference_before_type: version >= (2, 3, 6),
            relative_at_the_top: version >= (2, 5, 0),
            keeps_indentation: version >= (2, 6, 0),
            v_is_numeric: version >= (2, 5, 6),
            aliases_in_alternatives: version >= (2, 4, 3),
            last_flag_decides: version.1 == 2,
            root_version_is_a_branch: version >= (2, 8, 0),
            shows_dists: version >= (2, 9, 0),
        })
    }

    /// Returns the dialect of a Composer whose `FilesystemRepository` has the method
    /// `safelyLoadInstalledVersions`, whatever its version.
    #[must_use]
    pub fn with_checked_versions(self, checks_versions: bool) -> Self {
        Self {
            checks_versions,
            ..self
        }
    }
}

impl Default for Dialect {
    /// Returns the newest dialect.
    fn default() -> Self {
        Self {
            records_php_ext: true,
            sorts_versions: true,
            checks_versions: true,
            reference_before_type: true,
            relative_at_the_top: true,
            keeps_indentation: true,
            v_is_numeric: true,
            aliases_in_alternatives: true,
            last_flag_decides: false,
            root_version_is_a_branch: true,
            shows_dists: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect;

    #[test]
    fn the_check_of_installed_php_came_with_two_versions() {
        let checks = |version: &str| Dialect::of(version).map(|dialect| dialect.checks_versions);
        for version in ["2.2.0", "2.2.22", "2.3.10", "2.6.6"] {
            assert_eq!(checks(version), Some(false), "{version}");
        }
        for version in ["2.2.23", "2.2.29", "2.7.0", "2.10.2", "2.9.0-RC1"] {
            assert_eq!(checks(version), Some(true), "{version}");
        }
    }

    #[test]
    fn other_versions_have_no_dialect() {
        for version in [
            "2.1.14",
            "1.10.28",
            "3.0.0",
            "2",
            "2.x-dev",
            "@package_version@",
        ] {
            assert_eq!(Dialect::of(version), None, "{version}");
        }
    }
}
