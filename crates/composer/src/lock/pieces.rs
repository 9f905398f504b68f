//! Parts the text of a composer.lock, so that its packages can be read side by side.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::NAME;
use crate::Unfamiliar;
use crate::json::Json;

/// The parts of a lock.
pub(super) struct Pieces<'t> {
    /// Texts of the packages: first those that are always installed, then those for development.
    pub(super) packages: Vec<&'t RawValue>,
    /// Number of packages for development.
    pub(super) dev: usize,
    /// The lock without packages.
    pub(super) others: Json,
}

impl<'t> Pieces<'t> {
    /// Parts a text. The packages are not read yet, and may be no plain JSON.
    pub(super) fn of(text: &'t str) -> Result<Self, Unfamiliar> {
        serde_json::from_str(text)
            .map_err(|error| no_json(text, format!("{NAME} is no plain lock: {error}")))
    }

    /// Reads one of the packages.
    pub(super) fn read(text: &str, package: &RawValue) -> Result<Json, Unfamiliar> {
        Json::parse(package.get())
            .map_err(|error| no_json(text, format!("{NAME} is not plain JSON: {error}")))
    }
}

/// Returns the reason for which a text is no JSON, with the place in the whole text. If it is JSON,
/// the other reason stays.
fn no_json(text: &str, other: String) -> Unfamiliar {
    Json::read(NAME, text).err().unwrap_or(Unfamiliar(other))
}

impl<'de> Deserialize<'de> for Pieces<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

/// Takes the members of a lock.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Pieces<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with packages and packages-dev")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pieces<'de>, A::Error> {
        let (mut packages, mut dev) = (None, None);
        let mut others = Json::object();
        while let Some(key) = map.next_key::<String>()? {
            let list = match key.as_str() {
                "packages" => &mut packages,
                "packages-dev" => &mut dev,
                _ => {
                    let text: &RawValue = map.next_value()?;
                    // PHP keeps the place of the first key and the value of the last.
                    others.set(&key, Json::parse(text.get()).map_err(A::Error::custom)?);
                    continue;
                }
            };
            *list = Some(map.next_value::<Vec<&RawValue>>()?);
        }
        let missing = || A::Error::custom("it has no list of packages");
        let mut packages = packages.ok_or_else(missing)?;
        let dev = dev.ok_or_else(missing)?;
        packages.extend(&dev);
        Ok(Pieces {
            packages,
            dev: dev.len(),
            others,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Lock;
    use crate::dialect::Dialect;
    use crate::json::Json;

    fn read(text: &str) -> Result<Lock, String> {
        Lock::parse(text, Dialect::default()).map_err(|reason| reason.0)
    }

    fn package(name: &str) -> String {
        format!(r#"{{"name": "a/{name}", "version": "1.0.0", "extra": {{"n": -0}}}}"#)
    }

    #[test]
    fn packages_keep_their_order_and_their_lists() {
        let list = |from: usize, to: usize| {
            let packages: Vec<String> = (from..to).map(|at| package(&format!("p{at}"))).collect();
            packages.join(", ")
        };
        for (dev, all) in [(0, 1), (200, 300), (300, 300), (0, 0)] {
            let (packages, others) = (list(0, dev), list(dev, all));
            let text = format!(
                r#"{{"packages-dev": [{others}], "content-hash": "x", "packages": [{packages}]}}"#
            );
            let lock = read(&text).expect("a lock");
            assert_eq!(lock.packages.len(), dev);
            let names = lock.packages.iter().chain(&lock.packages_dev);
            for (at, package) in names.enumerate() {
                assert_eq!(package.name, format!("a/p{at}"));
                assert_eq!(
                    package.entry.get("extra").map(Json::to_line).as_deref(),
                    Some(r#"{"n":0}"#)
                );
            }
            assert_eq!(lock.content_hash.as_deref(), Some("x"));
        }
    }

    #[test]
    fn odd_locks_are_refused() {
        let package = package("b");
        let bad = package.replace("1.0.0", "\\ud800");
        for (text, reason) in [
            (r#"{"packages": []}"#.to_owned(), "no list of packages"),
            (
                r#"{"packages": {}, "packages-dev": []}"#.to_owned(),
                "expected a sequence",
            ),
            (
                r#"{"packages": null, "packages-dev": []}"#.to_owned(),
                "expected a sequence",
            ),
            ("[]".to_owned(), "expected an object"),
            (
                format!(r#"{{"packages": [{package}], "packages-dev": [{bad}]}}"#),
                "not plain JSON",
            ),
            (
                format!(r#"{{"packages": [{package}], "packages-dev": [1]}}"#),
                "has no name",
            ),
            (
                format!(r#"{{"packages": [{package}], "packages-dev": []}} x"#),
                "trailing",
            ),
        ] {
            let found = read(&text).expect_err("refused");
            assert!(found.contains(reason), "{found}");
        }
    }

    #[test]
    fn a_fault_of_the_text_has_its_place() {
        let one = package("one");
        let head = format!("{{\n\"packages-dev\": [],\n\"packages\": [{one}");
        for (end, place) in [
            ("\n,}]}", "line 4 column 2"),
            (",\n{\"name\": \"\\ud800\"}]}", "line 4 column 17"),
            ("\n", "line 4 column 0"),
        ] {
            let found = read(&format!("{head}{end}")).expect_err("refused");
            let begin = "composer.lock is not plain JSON: ";
            assert!(found.starts_with(begin) && found.contains(place), "{found}");
        }
    }

    #[test]
    fn the_last_of_two_lists_counts() {
        let (one, two) = (package("one"), package("two"));
        let text = format!(
            r#"{{"packages": [{one}], "packages": [{two}], "packages-dev": [], "packages-dev": [{one}]}}"#
        );
        let lock = read(&text).expect("a lock");
        assert_eq!(lock.packages[0].name, "a/two");
        assert_eq!(lock.packages_dev[0].name, "a/one");
    }
}
