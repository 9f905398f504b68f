//! Parses the constraints of the chosen packages in PHP's place. Composer's parser takes longer for
//! them than for everything else about the packages.

use std::borrow::Cow;
use std::collections::HashSet;

use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use allegro_resolver::metadata_text::links;
use allegro_semver::constraint::{Constraint, ConstraintId, Terms};

/// Returns the texts of constraints in the packages' links, each once, with their meaning.
///
/// The meaning is that of `VersionParser::parseConstraints()`, in the form of
/// [`ResolveAnswer::Solved`](crate::protocol::resolve::ResolveAnswer::Solved). Texts that aren't
/// understood are left out, and Composer parses them itself.
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

/// Returns the constraints in a package's links. In place of `self.version`, it returns the
/// version, as Composer parses that.
fn texts(json: &str) -> Option<Vec<Cow<'_, str>>> {
    let Links {
        version,
        require,
        require_dev,
        conflict,
        provide,
        replace,
    } = serde_json::from_str(json).ok()?;
    let lists = [require, require_dev, conflict, provide, replace];
    let mut texts = Vec::new();
    for list in lists.into_iter().flatten() {
        for (_, text) in links(list.get()).ok()? {
            if text == "self.version" {
                texts.extend(version.clone());
            } else {
                texts.push(text);
            }
        }
    }
    Some(texts)
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Links<'a> {
    #[serde(borrow, default)]
    version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    require: Option<&'a RawValue>,
    #[serde(borrow, default)]
    require_dev: Option<&'a RawValue>,
    #[serde(borrow, default)]
    conflict: Option<&'a RawValue>,
    #[serde(borrow, default)]
    provide: Option<&'a RawValue>,
    #[serde(borrow, default)]
    replace: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use allegro_base::threads::with_pool;

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
