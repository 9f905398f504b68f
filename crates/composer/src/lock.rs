//! Reads and writes composer.lock.

mod pieces;
mod write;

use allegro_base::threads;

use crate::Unfamiliar;
use crate::dialect::Dialect;
use crate::json::Json;
use crate::package::fields::Fields;
use crate::package::{Link, Loader, Package};

use pieces::Pieces;
pub use write::NewLock;

/// The name of the file in messages.
const NAME: &str = "composer.lock";

/// The content of a composer.lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    /// The packages that are always installed, in the order of the text.
    pub packages: Vec<Package>,
    /// The packages for development, in the order of the text.
    pub packages_dev: Vec<Package>,
    /// The aliases that requirements of the root package made.
    pub aliases: Vec<LockedAlias>,
    /// The least stable stability that a package may have.
    pub minimum_stability: String,
    /// Stabilities of single packages by the numbers of Composer, such as 20 for `dev`.
    pub stability_flags: Vec<(String, u8)>,
    /// Whether the lock prefers stable versions, if it says so.
    pub prefer_stable: Option<bool>,
    /// Whether the lock prefers the lowest versions, if it says so.
    pub prefer_lowest: Option<bool>,
    /// The platform requirements of the root package.
    pub platform: Vec<Link>,
    /// The platform requirements of the root package for development.
    pub platform_dev: Vec<Link>,
    /// Value of `platform-overrides`: versions of platform packages that the project sets.
    pub platform_overrides: Vec<(String, Json)>,
    /// The hash over the manifest that the lock belongs to.
    pub content_hash: Option<String>,
    /// The version of the plugin API with which the lock was written.
    pub plugin_api_version: String,
}

/// Another version of a locked package that a requirement asks for, as in `dev-main as 1.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedAlias {
    /// Name of the package in lower case.
    pub package: String,
    /// Normalized version of the package.
    pub version: String,
    /// The alias as it is written.
    pub alias: String,
    /// The normalized alias.
    pub alias_normalized: String,
}

impl Lock {
    /// Reads the text of a composer.lock (`Locker`, composer 2.10.2).
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, Unfamiliar> {
        let Pieces {
            packages,
            dev,
            others,
        } = Pieces::of(text)?;
        let fields = Fields::new(&others, NAME);
        let mut read: Vec<Package> = threads::map(
            &packages,
            || Loader::new(dialect),
            |loader, package| loader.load(Pieces::read(text, package)?),
        )
        .into_iter()
        .collect::<Result<_, _>>()?;
        let packages_dev = read.split_off(packages.len() - dev);
        let mut loader = Loader::new(dialect);
        let mut link = |key| loader.links(&fields, key, "1.0.0");
        Ok(Self {
            packages: read,
            packages_dev,
            platform: link("platform")?,
            platform_dev: link("platform-dev")?,
            aliases: aliases(&fields)?,
            minimum_stability: fields
                .text("minimum-stability")?
                .unwrap_or("stable")
                .to_owned(),
            stability_flags: stability_flags(&fields)?,
            prefer_stable: flag(&fields, "prefer-stable")?,
            prefer_lowest: flag(&fields, "prefer-lowest")?,
            platform_overrides: match fields.array("platform-overrides")? {
                Some(value) if !value.items().is_empty() => {
                    return fields.odd("platform-overrides");
                }
                Some(value) => value.entries().to_vec(),
                None => Vec::new(),
            },
            content_hash: fields.text("content-hash")?.map(str::to_owned),
            plugin_api_version: fields
                .text("plugin-api-version")?
                .unwrap_or("1.1.0")
                .to_owned(),
        })
    }
}

fn aliases(fields: &Fields<'_>) -> Result<Vec<LockedAlias>, Unfamiliar> {
    let Some(value) = fields.array("aliases")? else {
        return Ok(Vec::new());
    };
    if !value.entries().is_empty() {
        return fields.odd("aliases");
    }
    let alias = |alias: &Json| {
        let text = |key| alias.str_at(key).map(str::to_owned);
        Some(LockedAlias {
            package: text("package")?,
            version: text("version")?,
            alias: text("alias")?,
            alias_normalized: text("alias_normalized")?,
        })
    };
    let aliases: Option<Vec<_>> = value.items().iter().map(alias).collect();
    aliases.map_or_else(|| fields.odd("aliases"), Ok)
}

fn stability_flags(fields: &Fields<'_>) -> Result<Vec<(String, u8)>, Unfamiliar> {
    let Some(value) = fields.array("stability-flags")? else {
        return Ok(Vec::new());
    };
    let flag = |(name, flag): &(String, Json)| match flag {
        Json::Int(flag @ (0 | 5 | 10 | 15 | 20)) => Some((name.clone(), u8::try_from(*flag).ok()?)),
        _ => None,
    };
    let flags: Option<Vec<_>> = value.entries().iter().map(flag).collect();
    let flags = flags.filter(|_| value.items().is_empty());
    flags.map_or_else(|| fields.odd("stability-flags"), Ok)
}

fn flag(fields: &Fields<'_>, key: &str) -> Result<Option<bool>, Unfamiliar> {
    match fields.set(key) {
        None => Ok(None),
        Some(Json::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => fields.odd(key),
    }
}
