//! The platform's packages as the lock sees them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use allegro_composer::json::Json;
use allegro_semver::constraint::{Terms, VersionId};
use allegro_semver::version::normalize;
use regex::Regex;

use super::{Doubt, Question};
use crate::machine::PlatformLink;

/// A package of the platform after overrides.
pub(super) struct Known<'a> {
    pub(super) name: String,
    pub(super) version: VersionId,
    pub(super) provides: &'a [PlatformLink],
    pub(super) replaces: &'a [PlatformLink],
}

#[expect(clippy::expect_used, reason = "the pattern is a constant")]
static PLATFORM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        "(?i-u)^(?:php(?:-64bit|-ipv6|-zts|-debug)?|hhvm|(?:ext|lib)-[a-z0-9](?:[_.-]?[a-z0-9]+)*\
         |composer(?:-(?:plugin|runtime)-api)?)$",
    )
    .expect("a valid pattern")
});

/// Returns whether a name belongs to the platform (`PlatformRepository::isPlatformPackage`, composer
/// 2.10.2).
pub fn is_platform(name: &str) -> bool {
    !name.contains('/') && PLATFORM.is_match(name)
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
