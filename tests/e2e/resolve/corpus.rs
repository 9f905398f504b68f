//! Real manifests, with the repository as it stood at their moment.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::Read as _;

use serde_json::{Map, Value, json};

use super::{Registry, number};
use crate::support::files::merge;
use crate::support::shared;

/// Projects of the corpus, with the repository as it stood then.
#[test]
fn real_manifests() {
    let Some(corpus) = shared("corpus") else {
        println!("skipped: there is no ../shared/corpus");
        return;
    };
    let Some(registry) = Registry::new() else {
        return;
    };
    let list = fs::File::open(corpus.join("packages.jsonl.gz")).expect("the corpus");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(list)
        .read_to_string(&mut text)
        .expect("the corpus");
    let lines: HashMap<&str, &str> = text
        .lines()
        .filter_map(|line| Some((line.strip_prefix("{\"name\":\"")?.split('"').next()?, line)))
        .collect();
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
        publish(
            &registry,
            &lines,
            &project,
            facts["cutoff"].as_str().expect("a moment"),
        );
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

/// Puts all packages there that a project may come to need, with what they had at a moment.
fn publish(registry: &Registry, lines: &HashMap<&str, &str>, project: &Value, cutoff: &str) {
    let targets = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .into_iter()
            .flat_map(|links| links.keys().map(|name| name.to_lowercase()))
            .collect()
    };
    let mut queue = targets(&project["require"]);
    queue.extend(targets(&project["require-dev"]));
    let mut seen = HashSet::new();
    while let Some(name) = queue.pop() {
        let Some(line) = lines
            .get(name.as_str())
            .filter(|_| seen.insert(name.clone()))
        else {
            continue;
        };
        let entry: Value = serde_json::from_str(line).expect("a line of the corpus");
        let mut versions = Vec::new();
        for list in ["stable", "dev"] {
            let mut current = Map::new();
            let mut newest: BTreeMap<String, (String, usize)> = BTreeMap::new();
            for said in entry[list].as_array().into_iter().flatten() {
                for (key, value) in said.as_object().into_iter().flatten() {
                    if value == "__unset" {
                        current.remove(key);
                    } else {
                        current.insert(key.clone(), value.clone());
                    }
                }
                let time = current["time"].as_str().unwrap_or_default().to_owned();
                if time[..19.min(time.len())] > cutoff[..19] {
                    continue;
                }
                queue.extend(targets(
                    &current.get("require").cloned().unwrap_or_default(),
                ));
                let version = current["version"].as_str().unwrap_or_default().to_owned();
                let whole = Value::Object(current.clone());
                match newest.get_mut(&version) {
                    Some((known, place)) if *known < time => {
                        *known = time;
                        versions[*place] = whole;
                    }
                    Some(_) => {}
                    None => {
                        newest.insert(version, (time, versions.len()));
                        versions.push(whole);
                    }
                }
            }
        }
        registry.package("", &name, versions);
    }
}
