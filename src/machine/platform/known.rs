//! The platform's packages as the lock sees them.

use std::collections::BTreeMap;

use allegro_composer::json::Json;
use allegro_composer::package::is_platform;
use allegro_semver::constraint::{Terms, VersionId};
use allegro_semver::version::normalize;

use super::{Doubt, Question};
use crate::machine::PlatformLink;

/// A package of the platform after overrides.
pub(super) struct Known<'a> {
    pub(super) name: String,
    pub(super) version: VersionId,
    pub(super) provides: &'a [PlatformLink],
    pub(super) replaces: &'a [PlatformLink],
}

impl<'a> Known<'a> {
    /// Returns the packages of the machine, changed by the lock's overrides
    /// (`PlatformRepository::initialize`, composer 2.10.2).
    pub(super) fn of(terms: &mut Terms, question: &Question<'a>) -> Result<Vec<Self>, Doubt> {
        let mut overrides: BTreeMap<String, Option<VersionId>> = BTreeMap::new();
        for (name, value) in question.overrides.entries() {
            let version = match value {
                Json::Bool(false) if name != "php" => None,
                Json::Str(version) => {
                    let normalized = normalize(question.dialect, version)
                        .ok_or_else(|| format!("the version {version} of {name} is invalid"))?;
                    Some(terms.version(&normalized))
                }
                _ => return Err(format!("the override of {name} is unusual")),
            };
            if !is_platform(name) {
                return Err(format!("{name} is no platform package"));
            }
            overrides.insert(name.to_ascii_lowercase(), version);
        }
        let php = overrides.get("php").copied().flatten();
        if overrides.contains_key("php") && php.is_none() {
            return Err("the override of php is unusual".to_owned());
        }
        let mut known: Vec<Self> = overrides
            .iter()
            .filter_map(|(name, version)| Some(Self::bare(name, (*version)?)))
            .collect();
        for package in question.platform {
            if overrides.contains_key(&package.name) {
                continue;
            }
            if let Some(php) = php.filter(|_| package.name.starts_with("php-")) {
                known.push(Self::bare(&package.name, php));
                continue;
            }
            known.push(Self {
                name: package.name.clone(),
                version: terms.version(&package.version),
                provides: &package.provides,
                replaces: &package.replaces,
            });
        }
        Ok(known)
    }

    fn bare(name: &str, version: VersionId) -> Self {
        Self {
            name: name.to_owned(),
            version,
            provides: &[],
            replaces: &[],
        }
    }
}
