//! Resolves real manifests, with the repository as it stood at their moment.

use std::fs;

use allegro_registry::History;
use serde_json::{Value, json};

use super::{Registry, number};
use crate::support::files::merge;
use crate::support::{Side, shared};

/// Projects of the corpus resolve to Composer's lock, with the repository as it stood then.
#[test]
fn real_manifests() {
    compare(Side::Allegro);
}

/// The command line writes the same locks without PHP.
#[test]
fn real_manifests_without_php() {
    compare(Side::Native);
}

fn compare(ours: Side) {
    let Some(corpus) = shared("corpus") else {
        println!("skipped: there is no ../shared/corpus");
        return;
    };
    let Some(mut registry) = Registry::new() else {
        return;
    };
    registry.ours = ours;
    let history = History::open(&corpus.join("packages.jsonl.gz")).expect("the corpus");
    let mut cases: Vec<_> = fs::read_dir(corpus.join("cases"))
        .expect("cases")
        .flatten()
        .map(|case| case.path())
        .collect();
    cases.sort();
    let step = number("ALLEGRO_TEST_CASES_STEP").unwrap_or(17);
    for case in cases
        .iter()
        .skip(5)
        .step_by(usize::try_from(step).expect("a number"))
    {
        let read = |name: &str| -> Value {
            serde_json::from_slice(&fs::read(case.join(name)).expect(name)).expect(name)
        };
        let (mut project, facts) = (read("composer.json"), read("case.json"));
        let what = case
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        registry.forget();
        registry.root("", json!({}));
        let moment = facts["cutoff"].as_str().expect("a moment");
        let packages = history.reachable(&project, moment).expect("the corpus");
        for (name, released) in packages {
            let versions = [released.tags, released.branches].concat();
            registry.package("", &name, versions);
        }
        project["repositories"] = json!([{ "type": "composer", "url": registry.files.url("") }, { "packagist.org": false }]);
        merge(
            &mut project,
            json!({ "config": { "secure-http": false, "allow-plugins": true } }),
        );
        let flags = [
            "ext-*",
            "lib-*",
            "composer-plugin-api",
            "composer-runtime-api",
        ]
        .map(|name| format!("--ignore-platform-req={name}"));
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let (is_native, lock) = registry.agree(&what, &project, None, &flags);
        println!(
            "resolve: {what}: {}",
            if is_native { "native" } else { "Composer" }
        );
        assert_eq!(is_native, lock.is_some(), "{what}");
    }
}
