//! Writes the autoloader as Composer's `AutoloadGenerator::dump` does, byte for byte.
//!
//! - [`traits`]: the differences between versions of Composer.
//! - [`plan`]: collects the rules of all packages, and returns the rules of the class map.
//! - [`DumpPlan::render`]: returns the text of each file once the class map is known.
//!
//! A dump that needs anything unusual is [`Unfamiliar`], and Composer makes it. The module doesn't
//! write files. `ClassLoader.php`, `InstalledVersions.php`, and `LICENSE` don't depend on the
//! project, so they come from elsewhere.

mod exclude;
mod order;
mod paths;
mod platform;
mod render;
mod rules;
mod said;
pub mod traits;

use std::collections::HashSet;
use std::path::Path;

use allegro_base::hex::hex;
use allegro_composer::Unfamiliar;
use allegro_composer::json::Json;
use allegro_composer::package::{Link, Package};

use crate::classmap::{Scan, ScanKind, ScanRule};
use exclude::Exclusions;
use paths::{Bases, Reals};
use rules::{Autoloads, Item};
pub use traits::Traits;

/// An installed package.
#[derive(Debug, Clone)]
pub struct AutoloadPackage<'a> {
    /// The package.
    pub package: &'a Package,
    /// Result of `InstallationManager::getInstallPath`, with the package's `target-dir`. It is
    /// `None` for a metapackage, whatever the version of Composer.
    pub install_path: Option<String>,
}

/// The root package. Constraints have the root's version in place of `self.version`.
#[derive(Debug, Clone, Copy)]
pub struct Root<'a> {
    /// Name in lower case, `__root__` if the project has none.
    pub name: &'a str,
    /// Value of `autoload`.
    pub autoload: &'a Json,
    /// Value of `autoload-dev`.
    pub autoload_dev: &'a Json,
    /// Links under `require`.
    pub requires: &'a [Link],
    /// Links under `provide`.
    pub provides: &'a [Link],
    /// Links under `replace`.
    pub replaces: &'a [Link],
    /// Values of `include-path`.
    pub include_paths: &'a [String],
    /// Value of `target-dir`.
    pub target_dir: Option<&'a str>,
}

/// The setting `platform-check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlatformCheck {
    /// Nothing is checked.
    Off,
    /// The version of PHP is checked.
    PhpOnly,
    /// The version of PHP and its extensions are checked.
    Full,
}

/// The platform requirements that the command ignores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IgnoredPlatform {
    /// No requirement is ignored.
    Nothing,
    /// All requirements are ignored.
    All,
    /// Requirements are ignored whose name fits one of these patterns.
    Names(Vec<String>),
}

/// Everything that a dump depends on, apart from files.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of Composer"
)]
pub struct Input<'a> {
    /// The working directory without links.
    pub base_path: &'a str,
    /// The vendor directory without links.
    pub vendor_path: &'a str,
    /// The root package.
    pub root: Root<'a>,
    /// The canonical packages of the local repository, in its order.
    pub packages: &'a [AutoloadPackage<'a>],
    /// Whether development packages are installed.
    pub dev_mode: bool,
    /// Names of the development packages.
    pub dev_package_names: &'a HashSet<String>,
    /// Whether classes of PSR rules are put into the class map too.
    pub optimize: bool,
    /// Whether the class map is authoritative, which implies `optimize`.
    pub authoritative: bool,
    /// Whether APCu is used.
    pub apcu: bool,
    /// The prefix of keys in APCu. Composer draws a random one if there is none.
    pub apcu_prefix: Option<&'a str>,
    /// Setting `prepend-autoloader`.
    pub prepend: bool,
    /// Setting `use-include-path`.
    pub use_include_path: bool,
    /// Setting `platform-check`.
    pub platform_check: PlatformCheck,
    /// Platform requirements that are ignored.
    pub ignored_platform: IgnoredPlatform,
    /// Setting `autoloader-suffix`.
    pub suffix: Option<&'a str>,
    /// The `content-hash` of the lock, if there is a lock.
    pub content_hash: Option<&'a str>,
    /// Random bytes for a suffix and a prefix that Composer would draw. Without them, a dump that
    /// needs them is unfamiliar.
    pub entropy: Option<[u8; 32]>,
}

/// A dump whose class map isn't known yet.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "most are settings of Composer"
)]
pub struct DumpPlan {
    rules: Vec<ScanRule>,
    traits: Traits,
    bases: Bases,
    autoloads: Autoloads,
    include_paths: Vec<String>,
    platform_check: Option<String>,
    suffix: String,
    apcu_prefix: Option<String>,
    authoritative: bool,
    prepend: bool,
    use_include_path: bool,
    depends_on_files: bool,
}

/// The result of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Paths below the vendor directory in the order in which Composer writes them, and texts.
    /// `None` stands for a file that must not exist.
    pub files: Vec<(&'static str, Option<String>)>,
    /// Messages that Composer writes to its error output, one a line, with tags.
    pub messages: Vec<String>,
    /// Number of classes that don't fit their paths, as Composer counts them.
    pub violations: usize,
    /// Number of classes in the class map, as Composer reports it.
    pub classes: usize,
}

/// Prepares a dump. The packages must be in their places, because exclusions depend on links.
///
/// # Errors
/// Fails for inputs that Composer refuses, and for those whose result isn't certain.
pub fn plan(input: &Input<'_>, traits: &Traits) -> Result<DumpPlan, Unfamiliar> {
    let bases = Bases::of(input.base_path, input.vendor_path, traits)?;
    let target = Path::new(input.vendor_path).join("composer");
    if target
        .symlink_metadata()
        .is_ok_and(|target| target.is_symlink())
    {
        return Err(Unfamiliar("vendor/composer is a link".to_owned()));
    }
    let mut reals = Reals::new(input.base_path);
    let items = rules::items(input, traits)?;
    let autoloads = rules::autoloads(&items, input, traits, &mut reals)?;
    let rules = scan_rules(&autoloads, input, traits, &bases, &mut reals)?;
    let (suffix, apcu_prefix) = (suffix(input, traits)?, apcu_prefix(input, traits)?);
    Ok(DumpPlan {
        rules,
        traits: *traits,
        include_paths: include_paths(&items),
        platform_check: platform::check(&items, input, traits)?,
        suffix,
        apcu_prefix,
        authoritative: input.authoritative,
        prepend: input.prepend,
        use_include_path: input.use_include_path,
        depends_on_files: reals.is_used(),
        bases,
        autoloads,
    })
}

impl DumpPlan {
    /// Returns whether the plan depends on files and links below the project, so that it must be
    /// made when packages are in their places.
    pub fn depends_on_files(&self) -> bool {
        self.depends_on_files
    }

    /// Returns the rules of the class map, in Composer's order.
    pub fn rules(&self) -> &[ScanRule] {
        &self.rules
    }

    /// Returns the texts of all files. The scan is that of [`rules`](Self::rules).
    ///
    /// # Errors
    /// Fails for class maps whose text isn't certain.
    pub fn render(&self, scan: &Scan) -> Result<Rendered, Unfamiliar> {
        render::render(self, scan)
    }
}

/// Returns one rule for each call of `ClassMapGenerator::scanPaths` in `AutoloadGenerator::dump`
/// (composer 2.10.2).
fn scan_rules(
    autoloads: &Autoloads,
    input: &Input<'_>,
    traits: &Traits,
    bases: &Bases,
    reals: &mut Reals<'_>,
) -> Result<Vec<ScanRule>, Unfamiliar> {
    let exclusions = Exclusions::new(&autoloads.excluded, traits);
    let mut rules = Vec::new();
    for path in &autoloads.classmap {
        rules.push(ScanRule {
            path: path.clone(),
            kind: ScanKind::Classmap,
            namespace: String::new(),
            excluded: exclusions.for_rule(path, None, bases, reals)?,
        });
    }
    if !input.optimize && !input.authoritative {
        return Ok(rules);
    }
    let kinds = [
        (ScanKind::Psr4, &autoloads.psr4),
        (ScanKind::Psr0, &autoloads.psr0),
    ];
    let mut namespaces: Vec<(&String, ScanKind, &Vec<String>)> = kinds
        .into_iter()
        .flat_map(|(kind, rules)| rules.iter().map(move |(name, paths)| (name, kind, paths)))
        .collect();
    namespaces.sort_by(|left, right| right.0.cmp(left.0));
    let mut directories = Vec::new();
    for path in namespaces.iter().flat_map(|(_, _, paths)| *paths) {
        paths::demand_normalizable(path)?;
        directories.push(bases.absolute(path));
    }
    reals.prepare(&directories);
    let mut directories = directories.into_iter();
    for (namespace, kind, paths) in namespaces {
        for path in directories.by_ref().take(paths.len()) {
            if !reals.of(&path)?.is_some_and(|real| real.is_dir) {
                continue;
            }
            let vendor = format!("{}/", bases.vendor);
            let holds_vendor = traits.spares_vendor && bases.vendor.contains(&format!("{path}/"));
            let extra = holds_vendor.then_some(vendor.as_str());
            rules.push(ScanRule {
                excluded: exclusions.for_rule(&path, extra, bases, reals)?,
                path,
                kind,
                namespace: namespace.clone(),
            });
        }
    }
    Ok(rules)
}

/// Returns the directories for PHP's include path (`AutoloadGenerator::getIncludePathsFile`,
/// composer 2.10.2).
fn include_paths(items: &[Item<'_>]) -> Vec<String> {
    let mut all = Vec::new();
    for item in items {
        let Some(base) = item.path else { continue };
        for path in item.include_paths {
            let path = path.trim_matches('/');
            all.push(if base.is_empty() {
                path.to_owned()
            } else {
                format!("{base}/{path}")
            });
        }
    }
    all
}

/// Returns the suffix of the autoloader's class names (`AutoloadGenerator::dump`, composer 2.10.2).
fn suffix(input: &Input<'_>, traits: &Traits) -> Result<String, Unfamiliar> {
    let chosen = input.suffix.filter(|suffix| !suffix.is_empty());
    let suffix = match chosen {
        Some(suffix) => Some(suffix.to_owned()),
        None => present_suffix(input.vendor_path)?,
    };
    let content_hash = input.content_hash.filter(|_| traits.lock_suffix);
    let suffix = match suffix.or_else(|| content_hash.map(str::to_owned)) {
        Some(suffix) => suffix,
        None => match &input.entropy {
            Some(bytes) => hex(&bytes[..16]),
            None => return Err(Unfamiliar("the suffix is random".to_owned())),
        },
    };
    // Up to Composer 2.3.4, the suffix "0" is none.
    if rules::is_empty(&suffix) || suffix.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(Unfamiliar(format!("the suffix {suffix:?} is unusual")));
    }
    Ok(suffix)
}

/// Returns the suffix in an existing `vendor/autoload.php`.
fn present_suffix(vendor: &str) -> Result<Option<String>, Unfamiliar> {
    const START: &[u8] = b"ComposerAutoloaderInit";
    let Ok(text) = std::fs::read(Path::new(vendor).join("autoload.php")) else {
        return Ok(None);
    };
    for at in memchr::memmem::find_iter(&text, START) {
        let rest = &text[at + START.len()..];
        let is_end = |byte: &u8| matches!(byte, b':' | b' ' | b'\t'..=b'\r');
        let Some(end) = rest.iter().position(is_end) else {
            continue;
        };
        if end > 0 && rest[end..].starts_with(b"::") {
            let suffix = String::from_utf8(rest[..end].to_vec());
            return suffix
                .map(Some)
                .map_err(|_| Unfamiliar("the suffix isn't UTF-8".to_owned()));
        }
    }
    Ok(None)
}

/// Returns the prefix of keys in APCu (`AutoloadGenerator::getAutoloadRealFile`, composer 2.10.2).
fn apcu_prefix(input: &Input<'_>, traits: &Traits) -> Result<Option<String>, Unfamiliar> {
    if !input.apcu {
        return Ok(None);
    }
    let prefix = match (input.apcu_prefix, &input.entropy) {
        (Some(prefix), _) => prefix.to_owned(),
        (None, None) => return Err(Unfamiliar("the APCu prefix is random".to_owned())),
        (None, Some(bytes)) if traits.hex_apcu_prefix => hex(&bytes[16..26]),
        (None, Some(bytes)) => letters(&bytes[16..]),
    };
    if prefix.contains('\0') {
        return Err(Unfamiliar("the APCu prefix is unusual".to_owned()));
    }
    Ok(Some(prefix))
}

/// Returns 16 bytes in the alphabet of Base64, without the last letter and the padding.
fn letters(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |bytes: &[u8]| {
        let three = bytes
            .iter()
            .fold(0, |all, byte| all << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[three >> shift & 63]))
    };
    bytes
        .chunks_exact(3)
        .flat_map(group)
        .chain(
            bytes
                .last()
                .map(|last| char::from(ALPHABET[usize::from(*last) >> 2])),
        )
        .collect()
}

#[cfg(test)]
mod tests;
