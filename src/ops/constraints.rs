//! Constraints of the chosen packages, read in PHP's stead: Composer's parser takes longer for them than for all else
//! that it makes of the packages.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::resolve::constraint::{Constraint, ConstraintId, Terms};

/// What is written in the links of packages, each once, and how `VersionParser::parseConstraints()` reads it, in the
/// form of [`ResolveAnswer::Solved`](crate::wire::ResolveAnswer::Solved). What isn't understood is left out: Composer
/// reads it itself.
pub fn parsed(terms: &mut Terms, packages: &[String], pool: &ThreadPool) -> Vec<(String, Value)> {
    let texts: Vec<Vec<Cow<'_, str>>> = pool.install(|| {
        let packages = packages.par_iter();
        packages
            .map(|json| texts(json).unwrap_or_default())
            .collect()
    });
    let mut done = HashSet::new();
    let mut list = Vec::new();
    for text in texts.into_iter().flatten() {
        if done.contains(&text) {
            continue;
        }
        let id = terms.parse(&text);
        if let Some(means) = id.and_then(|id| meaning(terms, id)) {
            list.push((text.clone().into_owned(), means));
        }
        done.insert(text);
    }
    list
}

fn meaning(terms: &Terms, id: ConstraintId) -> Option<Value> {
    let parts = match terms.constraint_of(id) {
        Constraint::All => vec!["*".into()],
        Constraint::None => return None,
        Constraint::Single(op, version) => {
            vec![op.text().into(), terms.version_of(*version).text().into()]
        }
        Constraint::Multi { conjunctive, parts } => {
            let word = if *conjunctive { "and" } else { "or" };
            let parts = parts.iter().map(|part| meaning(terms, *part));
            let parts: Option<Vec<Value>> = parts.collect();
            std::iter::once(word.into()).chain(parts?).collect()
        }
    };
    Some(Value::Array(parts))
}

/// Constraints in a package's links; for `self.version` the version, which is read in its place.
fn texts(json: &str) -> Option<Vec<Cow<'_, str>>> {
    let Links {
        version,
        require,
        require_dev,
        conflict,
        provide,
        replace,
    } = serde_json::from_str(json).ok()?;
    let links = [require, require_dev, conflict, provide, replace];
    let texts = links.into_iter().flat_map(|list| list.0);
    let texts = texts.filter_map(|text| {
        if text == "self.version" {
            version.clone()
        } else {
            Some(text)
        }
    });
    Some(texts.collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Links<'a> {
    #[serde(borrow, default)]
    version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    require: Constraints<'a>,
    #[serde(borrow, default)]
    require_dev: Constraints<'a>,
    #[serde(borrow, default)]
    conflict: Constraints<'a>,
    #[serde(borrow, default)]
    provide: Constraints<'a>,
    #[serde(borrow, default)]
    replace: Constraints<'a>,
}

/// Values of a list of links. An empty one is often `[]`.
#[derive(Default)]
struct Constraints<'a>(Vec<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Constraints<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;

        impl<'de> Visitor<'de> for Values {
            type Value = Constraints<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("links")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while map.next_key::<IgnoredAny>()?.is_some() {
                    list.push(map.next_value::<Text<'de>>()?.0);
                }
                Ok(Constraints(list))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                match list.next_element::<IgnoredAny>()? {
                    None => Ok(Constraints::default()),
                    Some(_) => Err(A::Error::custom("a list without names")),
                }
            }
        }

        deserializer.deserialize_any(Values)
    }
}

/// Borrowed where nothing in it is escaped; a `Cow` alone would be copied within a list.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pool::with_pool;

    #[test]
    fn what_links_say_is_read_once() {
        let packages = [
            r#"{"version":"v1.5","require":{"a/a":"^1.2","b/b":"*"},"require-dev":{"c/c":"^1.2"},"conflict":[]}"#,
            r#"{"version":"v2.0","replace":{"d/d":"self.version"},"provide":{"e/e":"not | a ( version"}}"#,
            r#"{"version":"v3.0","require":["what"]}"#,
            r#"{"version":"v3.0","require":{"f/f":">=1,<2 || 3.*"}}"#,
        ]
        .map(str::to_owned);
        let mut terms = Terms::default();
        let read = with_pool(1, |pool| parsed(&mut terms, &packages, pool)).expect("threads");
        let read: Value = serde_json::to_value(read).expect("JSON");
        let expected = serde_json::json!([
            ["^1.2", ["and", [">=", "1.2.0.0-dev"], ["<", "2.0.0.0-dev"]]],
            ["*", ["*"]],
            ["v2.0", ["==", "2.0.0.0"]],
            [
                ">=1,<2 || 3.*",
                [
                    "or",
                    ["and", [">=", "1.0.0.0-dev"], ["<", "2.0.0.0-dev"]],
                    ["and", [">=", "3.0.0.0-dev"], ["<", "4.0.0.0-dev"]]
                ]
            ],
        ]);
        assert_eq!(read, expected);
    }
}
