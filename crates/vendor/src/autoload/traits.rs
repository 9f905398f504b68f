//! The differences between versions of Composer that show in a dump.

use crate::classmap::Traits as ScanTraits;

/// The behaviour of one version of Composer and of the class-map-generator that it comes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub struct Traits {
    /// Form of the code that runs the autoloader.
    pub code: Code,
    /// The check for PHP before 5.6 in `autoload.php`.
    pub guard: Guard,
    /// The code that loads the files of `files` rules.
    pub require: Require,
    /// Whether packages of equal weight are sorted by name; otherwise they keep their order, and
    /// `require-dev` counts as `require` does (2.2.8, 2.3.0).
    pub sorts_by_name: bool,
    /// Whether an exclusion below a directory that isn't there is skipped (2.2.11, 2.3.3).
    pub skips_lost_exclusions: bool,
    /// Whether the content-hash of the lock is the last resort for the suffix (2.6.4).
    pub lock_suffix: bool,
    /// Whether the platform check knows `php-64bit` (2.6.0).
    pub php_64bit: bool,
    /// Whether files that several `files` rules name are reported (2.6.3).
    pub reports_duplicate_files: bool,
    /// Whether the vendor directory is left out of a PSR directory that contains it, and warnings
    /// about classes below it are too (2.7.7).
    pub spares_vendor: bool,
    /// Whether leading backslashes of namespaces are dropped (2.7.8).
    pub trims_namespaces: bool,
    /// Whether a random APCu prefix is written in hexadecimal (2.7.8).
    pub hex_apcu_prefix: bool,
    /// The key that the hint after ambiguous classes names.
    pub ambiguity_hint: Option<&'static str>,
    /// Whether paths of PSR rules are in the order of dependencies (2.8.5).
    pub sorts_psr: bool,
    /// Whether `.phar` counts only at the end of a path's part (2.8.7).
    pub strict_phar: bool,
    /// Whether the platform check throws instead of raising an error (2.8.10).
    pub check_throws: bool,
    /// Whether exclusions are matched with the links of a directory too (2.8.11).
    pub excludes_through_links: bool,
    /// Whether spaces at the ends of lines are dropped from `autoload_static.php` (2.9.0).
    pub trims_lines: bool,
    /// The treatment of packages without a directory.
    pub metapackages: Metapackages,
    /// Whether directories at the root of the file system are reached by relative paths (2.5.0).
    pub relative_at_root: bool,
    /// The treatment of classes that stand in several files.
    pub ambiguity: Ambiguity,
    /// The warnings about files whose path doesn't fit their class.
    pub violations: Violations,
    /// Classes that the class-map-generator accepts.
    pub scan: ScanTraits,
    /// Whether a backslash before a keyword makes it part of a name (class-map-generator 1.3.4).
    pub backslash_guards: bool,
}

/// The form of the code that runs the autoloader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The code falls back to the plain files for an old PHP (before 2.3.0).
    WithFallback,
    /// The initializer is called with two pairs of parentheses (2.3.0).
    Direct,
    /// The initializer is called through `call_user_func` (2.3.4).
    Called,
}

/// The check for PHP before 5.6 in `autoload.php`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// There is no check.
    None,
    /// The check prints a message and exits (2.3.4).
    Exits,
    /// The check raises an error (2.4.3).
    Triggers,
    /// The check throws an exception (2.8.7).
    Throws,
}

/// The code that loads the files of `files` rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// A function with the suffix in its name.
    Function,
    /// A closure (2.5.0).
    Closure,
    /// A closure without scope (2.5.2).
    Bound,
}

/// The treatment of packages without a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metapackages {
    /// Their rules apply to the root directory (before 2.5.6).
    AtRoot,
    /// They are ignored altogether (2.5.6).
    Dropped,
    /// Their rules are ignored, but their links count (2.5.7).
    WithoutRules,
}

/// The treatment of classes that stand in several files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguity {
    /// Composer has a class map of its own, with other warnings (before 2.4.0).
    BuiltIn,
    /// A pair of files is ignored if one of both looks like a test.
    EitherIsTest,
    /// A further file is ignored if it looks like a test (class-map-generator 1.4.0).
    OtherIsTest,
}

/// The warnings about files whose path doesn't fit their class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violations {
    /// Each file of a rule is reported, even if another rule accepts it.
    Listed,
    /// Files are reported that no rule accepts, with the rule (class-map-generator 1.3.1).
    Filed,
}

impl Traits {
    /// Returns the behaviour of a version of Composer with the libraries of its published form.
    /// Returns `None` for versions that aren't known, such as development versions.
    ///
    /// A distribution may combine Composer with another class-map-generator. Then
    /// [`ambiguity`](Self::ambiguity), [`violations`](Self::violations), [`scan`](Self::scan), and
    /// [`backslash_guards`](Self::backslash_guards) must be set anew, see
    /// [`with_generator`](Self::with_generator).
    pub fn of(version: &str) -> Option<Self> {
        let version = numbers(version)?;
        if !((2, 2, 0)..(2, 12, 0)).contains(&version) {
            return None;
        }
        let since = |major, minor, patch| version >= (major, minor, patch);
        let generator = match () {
            () if since(2, 9, 6) => (1, 7, 2),
            () if since(2, 8, 1) => (1, 4, 0),
            () if since(2, 7, 8) => (1, 3, 4),
            () if since(2, 7, 7) => (1, 3, 3),
            () => (1, 0, 0),
        };
        let traits = Self {
            code: match () {
                () if since(2, 3, 4) => Code::Called,
                () if since(2, 3, 0) => Code::Direct,
                () => Code::WithFallback,
            },
            guard: match () {
                () if since(2, 8, 7) => Guard::Throws,
                () if since(2, 4, 3) => Guard::Triggers,
                () if since(2, 3, 4) => Guard::Exits,
                () => Guard::None,
            },
            require: match () {
                () if since(2, 5, 2) => Require::Bound,
                () if since(2, 5, 0) => Require::Closure,
                () => Require::Function,
            },
            sorts_by_name: since(2, 2, 8),
            skips_lost_exclusions: since(2, 3, 3) || since(2, 2, 11) && !since(2, 3, 0),
            lock_suffix: since(2, 6, 4),
            php_64bit: since(2, 6, 0),
            reports_duplicate_files: since(2, 6, 3),
            spares_vendor: since(2, 7, 7),
            trims_namespaces: since(2, 7, 8),
            hex_apcu_prefix: since(2, 7, 8),
            ambiguity_hint: match () {
                () if since(2, 8, 10) => Some("exclude-from-classmap"),
                () if since(2, 8, 2) => Some("exclude-files-from-classmap"),
                () => None,
            },
            sorts_psr: since(2, 8, 5),
            strict_phar: since(2, 8, 7),
            check_throws: since(2, 8, 10),
            excludes_through_links: since(2, 8, 11),
            trims_lines: since(2, 9, 0),
            metapackages: match () {
                () if since(2, 5, 7) => Metapackages::WithoutRules,
                () if since(2, 5, 6) => Metapackages::Dropped,
                () => Metapackages::AtRoot,
            },
            relative_at_root: since(2, 5, 0),
            ambiguity: Ambiguity::BuiltIn,
            violations: Violations::Listed,
            scan: ScanTraits {
                psr4_prefix: true,
                psr0_prefix: true,
            },
            backslash_guards: false,
        };
        Some(if since(2, 4, 0) {
            traits.for_generator(generator)
        } else {
            traits
        })
    }

    /// Returns this Composer with another version of the class-map-generator. Returns `None` for
    /// versions that no Composer comes with. Composer before 2.4 has no such library.
    pub fn with_generator(self, version: &str) -> Option<Self> {
        let version = numbers(version)?;
        let is_known = !((1, 2, 0)..(1, 3, 3)).contains(&version);
        let is_plausible = ((1, 0, 0)..(1, 8, 0)).contains(&version);
        // Composer 2.7.7 calls what the library has since 1.3.
        let fits = !self.spares_vendor || version >= (1, 3, 3);
        (is_known && is_plausible && fits && self.ambiguity != Ambiguity::BuiltIn)
            .then(|| self.for_generator(version))
    }

    fn for_generator(self, version: (u32, u32, u32)) -> Self {
        Self {
            ambiguity: if version >= (1, 4, 0) {
                Ambiguity::OtherIsTest
            } else {
                Ambiguity::EitherIsTest
            },
            violations: if version >= (1, 3, 3) {
                Violations::Filed
            } else {
                Violations::Listed
            },
            scan: ScanTraits {
                psr4_prefix: version < (1, 2, 0),
                psr0_prefix: !((1, 2, 0)..(1, 7, 2)).contains(&version),
            },
            backslash_guards: version >= (1, 3, 4),
            ..self
        }
    }
}

/// Returns the three numbers of a release.
fn numbers(version: &str) -> Option<(u32, u32, u32)> {
    let mut parts = version.split('.').map(|part| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| part.parse().ok())
            .flatten()
    });
    let numbers = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(numbers)
}
