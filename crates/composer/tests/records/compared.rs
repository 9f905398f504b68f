//! Compares the answers of Composer with native ones.

use allegro_composer::installed::{Installed, Member, Present, Vendor};
use allegro_composer::json::Json;
use allegro_composer::lock::Lock;
use allegro_composer::package::{Link, Package};
use allegro_composer::root::{GuessedVersion, RootPackage};
use allegro_composer::{Dialect, Unfamiliar};
use serde_json::{Value, json};

use super::asked::{Classes, Job};

/// The result of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Both sides say the same.
    Alike,
    /// The native side leaves the job to Composer.
    Left,
}

/// Compares all jobs with all Composers, and fails at the first difference.
pub fn compare(classes: &[Classes], jobs: &[Job]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for classes in classes {
        let composer = classes.ask(jobs);
        let dialect = Dialect::of(&composer.version).unwrap();
        let dialect = dialect.with_checked_versions(composer.checks_versions);
        println!("composer {}: {} jobs", composer.version, jobs.len());
        for (job, answer) in jobs.iter().zip(&composer.values) {
            match answered(job, answer, dialect) {
                Ok(native) => {
                    assert!(answer["error"].is_null(), "{answer}: {job:#?}");
                    for (key, value) in native.as_object().unwrap() {
                        if *value != answer[key] {
                            let text = |value: &Value| match value {
                                Value::String(text) => text.clone(),
                                value => serde_json::to_string_pretty(value).unwrap(),
                            };
                            let (ours, theirs) = (text(value), text(&answer[key]));
                            let mut lines = ours.lines().zip(theirs.lines()).enumerate();
                            let first = lines.find(|(_, (ours, theirs))| ours != theirs);
                            if jobs.len() < 10 {
                                println!("{theirs}");
                            }
                            panic!(
                                "composer {}: {key} differs at {first:?}\n{}\n{}",
                                composer.version,
                                job.lock.get(..20_000).unwrap_or(""),
                                job.manifest
                            );
                        }
                    }
                    outcomes.push(Outcome::Alike);
                }
                Err(Unfamiliar(reason)) => {
                    if answer["error"].is_null() {
                        println!("left to Composer: {reason}");
                    }
                    outcomes.push(Outcome::Left);
                }
            }
        }
    }
    outcomes
}

fn links<'a>(links: impl IntoIterator<Item = &'a Link>) -> Value {
    let pair = |link: &Link| json!([link.target, link.constraint]);
    links.into_iter().map(pair).collect()
}

/// Returns what PHP calls a link's constraint, which may be `self.version`.
fn pretty_links(package: &Package, key: &str, links: &[Link]) -> Value {
    let is_own = |link: &Link| {
        let mut entries = package.entry.entries_at(key).iter().rev();
        let entry = entries.find(|(name, _)| name.eq_ignore_ascii_case(&link.target));
        entry.is_some_and(|(_, constraint)| constraint.as_str() == Some("self.version"))
    };
    let pretty = |link: &Link| {
        let own = "self.version".to_owned();
        let constraint = if is_own(link) { &own } else { &link.constraint };
        json!([link.target, constraint])
    };
    links.iter().map(pretty).collect()
}

fn answered(job: &Job, answer: &Value, dialect: Dialect) -> Result<Value, Unfamiliar> {
    let manifest = Json::parse(&job.manifest).unwrap();
    let guessed = job
        .guessed
        .clone()
        .map(|[version, pretty_version, commit]| GuessedVersion {
            version,
            pretty_version,
            commit: Some(commit),
        });
    let environment = job.environment.as_deref();
    let root = RootPackage::load(&manifest, guessed.as_ref(), environment, dialect)?;
    let lock = Lock::parse(&job.lock, dialect)?;
    let text = |key: &str| answer[key].as_str().unwrap_or("/").to_owned();
    let [directory, vendor, root_directory] = ["directory", "vendor", "root"].map(text);

    let packages: Vec<&Package> = lock.packages.iter().chain(&lock.packages_dev).collect();
    let path = |package: &Package| {
        let below = package.target_dir.iter().map(|below| format!("/{below}"));
        let below: String = below.collect();
        (package.kind != "metapackage").then(|| format!("{vendor}/{}{below}", package.pretty_name))
    };
    let paths: Vec<Option<String>> = packages.iter().map(|package| path(package)).collect();
    let mut members: Vec<Member<'_>> = packages
        .iter()
        .zip(&paths)
        .map(|(package, path)| {
            Member::Package(Present {
                package,
                installation_source: path.as_ref().map(|_| job.source.as_str()),
                path: path.as_deref(),
            })
        })
        .collect();
    members.extend(
        packages
            .iter()
            .filter_map(|package| Some(Member::Alias(package, package.alias.as_ref()?))),
    );
    let root_aliases: Vec<_> = lock
        .aliases
        .iter()
        .filter_map(|alias| {
            let package = packages
                .iter()
                .rfind(|package| package.name == alias.package)?;
            let alias = allegro_composer::package::Alias {
                version: alias.alias_normalized.clone(),
                pretty_version: alias.alias.clone(),
            };
            Some((*package, alias))
        })
        .collect();
    members.extend(
        root_aliases
            .iter()
            .map(|(package, alias)| Member::Alias(package, alias)),
    );
    let dev_names = lock.packages_dev.iter().map(|package| package.name.clone());
    let dev_names: Vec<String> = dev_names.collect();
    let mut recorded = Vendor {
        directory: &directory,
        members: &members,
        dev_names: &dev_names,
        is_dev: job.dev,
        dialect,
    };
    let json = recorded.installed_json(job.old.as_deref())?;
    let php = recorded.installed_php(&root, &root_directory)?;

    check_entries(&recorded, &json);
    let installed = Installed::parse(&json, dialect)?;
    let paths: Vec<Option<String>> = installed
        .packages
        .iter()
        .map(|record| path(&record.package))
        .collect();
    let mut members = Vec::new();
    for (record, path) in installed.packages.iter().zip(&paths) {
        let package = &record.package;
        members.extend(
            package
                .alias
                .iter()
                .map(|alias| Member::Alias(package, alias)),
        );
        members.push(Member::Package(Present {
            package,
            installation_source: record.installation_source.as_deref(),
            path: path.as_deref(),
        }));
    }
    recorded.members = &members;
    recorded.dev_names = &installed.dev_names;
    recorded.is_dev = installed.is_dev.unwrap();
    Ok(json!({
        "json": json,
        "php": php,
        "json_again": recorded.installed_json(Some(&json))?,
        "php_again": recorded.installed_php(&root, &root_directory)?,
        "platform": links(platform(&lock)),
        "package": described(&root),
    }))
}

/// Returns the platform requirements as `array_merge` joins them.
fn platform(lock: &Lock) -> Vec<&Link> {
    let mut all: Vec<&Link> = lock.platform.iter().collect();
    for link in &lock.platform_dev {
        match all.iter_mut().find(|other| other.target == link.target) {
            Some(other) => *other = link,
            None => all.push(link),
        }
    }
    all
}

/// Returns what Composer's root package says.
fn described(root: &RootPackage) -> Value {
    let package = &root.package;
    let alias = package.alias.as_ref();
    let map = |pairs: Vec<(&String, Value)>| {
        let pairs = pairs.into_iter().map(|(key, value)| (key.clone(), value));
        Value::Object(pairs.collect())
    };
    let flags = root
        .stability_flags
        .iter()
        .map(|(name, flag)| (name, json!(*flag as u8)));
    let references = root
        .references
        .iter()
        .map(|(name, commit)| (name, json!(commit)));
    let place = package.source.as_ref();
    json!({
        "name": package.name,
        "version": package.version,
        "pretty_version": package.pretty_version,
        "type": package.kind,
        "alias": alias.map(|alias| [&alias.version, &alias.pretty_version]),
        "reference": place.and_then(|place| place.reference.as_ref()),
        "requires": pretty_links(package, "require", &package.requires),
        "dev_requires": pretty_links(package, "require-dev", &package.dev_requires),
        "minimum_stability": root.minimum_stability.text(),
        "prefer_stable": root.prefer_stable,
        "stability_flags": map(flags.collect()),
        "references": map(references.collect()),
        "aliases": root.aliases.iter().map(|alias| json!({
            "package": alias.package,
            "version": alias.version,
            "alias": alias.alias,
            "alias_normalized": alias.alias_normalized,
        })).collect::<Value>(),
        "bins": package.bins,
    })
}

/// Checks that the entries as values are those of the text.
fn check_entries(vendor: &Vendor<'_>, text: &str) {
    let json = Json::parse(text).unwrap();
    for member in vendor.members {
        let Member::Package(present) = member else {
            continue;
        };
        let name = present.package.pretty_name.as_str();
        let mut entries = json.items_at("packages").iter();
        let entry = entries
            .find(|entry| entry.str_at("name") == Some(name))
            .unwrap();
        let path = entry.str_at("install-path");
        let made = present
            .package
            .to_installed(vendor.dialect, present.installation_source, path);
        assert_eq!(made.to_file_text(), entry.to_file_text());
    }
}
