//! Tests `--security-only`.

use std::fs;

use serde_json::{Value, json};

use super::super::{Registry, manifest, release};
use super::{WAYS, compare_ways, refuses, resolve, resolve_each_way, version};
use crate::support::Side;

const CLEAN: &str = "Allegro: no security advisory affects what is locked, the lock stays as it is";

fn advisory(id: &str, affected: &str) -> Value {
    json!({
        "advisoryId": id,
        "affectedVersions": affected,
        "title": format!("Trouble <{id}>\u{7}"),
        "cve": format!("CVE-{id}"),
        "link": format!("https://example.org/{id}"),
        "reportedAt": "2024-05-06 07:08:09",
        "sources": [{ "name": "somebody", "remoteId": format!("GHSA-{id}") }],
        "severity": "high",
    })
}

/// Returns a registry that has the advisories with each package's metadata.
fn registry() -> Option<Registry> {
    let registry = Registry::new()?;
    let root = json!({
        "security-advisories": { "metadata": true },
        // Newer Composers ask for the advisories of a package only if they know that the repository
        // has it.
        "available-package-patterns": ["*/*"],
    });
    registry.root("", root);
    Some(registry)
}

fn package(registry: &Registry, name: &str, versions: &[(&str, Value)], advisories: &[Value]) {
    let versions: Vec<Value> = versions
        .iter()
        .map(|(version, require)| release(name, version, json!({ "require": require })))
        .collect();
    let (branches, tags): (Vec<_>, Vec<_>) = versions.into_iter().partition(|version| {
        version["version"]
            .as_str()
            .is_some_and(|version| version.starts_with("dev-"))
    });
    for (file, list) in [(name.to_owned(), tags), (format!("{name}~dev"), branches)] {
        let body = json!({ "packages": { name: list }, "security-advisories": advisories });
        registry
            .files
            .put(&format!("p2/{file}.json"), body.to_string().as_bytes());
    }
    for side in [Side::Serial, Side::Allegro] {
        registry.scene.forget_cache(side);
    }
}

fn project(registry: &Registry, require: Value) -> Value {
    manifest(&registry.files, &[""], json!({ "require": require }))
}

/// Locks these versions, with a manifest that allows more.
fn locked(registry: &Registry, manifest: &Value, versions: &[&str]) -> String {
    let with: Vec<String> = versions
        .iter()
        .map(|pair| format!("--with={pair}"))
        .collect();
    let mut with: Vec<&str> = with.iter().map(String::as_str).collect();
    // Newer Composers keep out affected versions here as well.
    if crate::support::home::composer_version() >= (2, 9) {
        with.push("--no-security-blocking");
    }
    let (run, lock) = registry.play(Side::Serial, manifest, None, &with);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    lock.expect("a lock")
}

/// Returns a project and its lock with one package, which is affected and has one newer version.
fn one_affected(registry: &Registry) -> (Value, String) {
    let none = json!({});
    package(
        registry,
        "a/a",
        &[("1.1.0", none.clone()), ("1.0.0", none)],
        &[advisory("A", "<1.1")],
    );
    let project = project(registry, json!({ "a/a": "*" }));
    let lock = locked(registry, &project, &["a/a:1.0.0"]);
    (project, lock)
}

/// Returns versions of a lock as text.
fn versions(lock: &str, names: &[&str]) -> String {
    let versions = names
        .iter()
        .map(|name| version(lock, name).unwrap_or_else(|| "-".to_owned()));
    versions.collect::<Vec<_>>().join(" ")
}

/// An affected package gets the lowest version that is not affected, and nothing else moves. The
/// lock is that of Composer's partial update.
#[test]
fn as_little_as_possible() {
    let Some(registry) = registry() else { return };
    let b = json!({ "b/b": "*" });
    let all = ["2.0.0", "1.3.0", "1.2.0", "1.2.0-beta1", "1.1.0", "1.0.0"]
        .map(|version| (version, b.clone()));
    package(
        &registry,
        "a/a",
        &all,
        &[advisory("A1", "<1.1"), advisory("A2", "=1.1.0")],
    );
    package(
        &registry,
        "b/b",
        &[("1.5.0", json!({})), ("1.0.0", json!({}))],
        &[advisory("B", ">1.0,<1.5")],
    );
    let mut project = project(&registry, json!({ "a/a": "*", "b/b": "*" }));
    project["minimum-stability"] = json!("beta");
    let lock = locked(&registry, &project, &["a/a:1.0.0", "b/b:1.0.0"]);
    let (run, found) = resolve_each_way(&registry, &project, Some(&lock), &["--security-only"]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    assert_eq!(versions(&found, &["a/a", "b/b"]), "1.2.0 1.0.0");
    let (_, wanted) = registry.play(Side::Serial, &project, Some(&lock), &["a/a:1.2.0"]);
    assert_eq!(wanted.as_deref(), Some(found.as_str()));
    assert_eq!(
        run.ours(),
        ["Allegro: 1 package is affected by security advisories"]
    );
    for line in [
        "  - a/a 1.0.0 → 1.2.0",
        ", CVE-A1",
        "Trouble <A1>",
        "https://example.org/A1",
    ] {
        assert!(run.stderr.contains(line), "{line}: {}", run.stderr);
    }
    assert!(
        !run.stderr.contains("A2") && !run.stderr.contains('\u{7}'),
        "{}",
        run.stderr
    );
    // A dry run writes nothing, and prints the changes to standard output.
    let (run, same) = resolve(
        &registry,
        &project,
        Some(&lock),
        &["--security-only", "--dry-run", "--diff"],
        None,
    );
    assert_eq!(same.as_deref(), Some(lock.as_str()));
    assert_eq!(run.stdout, "1 upgraded\n  upgraded   a/a  1.0.0 → 1.2.0\n");
    // A second run finds nothing to do.
    let (_, run, same) = compare_ways(&registry, &project, Some(&found), &["--security-only"]);
    assert_eq!((run.exit, run.ours()), (0, vec![CLEAN]));
    assert_eq!(same, found);
    // composer.json may leave fewer versions.
    let mut narrow = project.clone();
    narrow["require"]["a/a"] = json!("!=1.2.0");
    let (run, found) = resolve(&registry, &narrow, Some(&lock), &["--security-only"], None);
    assert_eq!(
        versions(&found.expect("a lock"), &["a/a"]),
        "1.3.0",
        "{}",
        run.stderr
    );
    narrow["require"]["a/a"] = json!("*");
    narrow["extra"] = json!({ "allegro": { "exceptions": { "a/a": ">=1.0 <1.2 || ^2" } } });
    let (run, found) = resolve(&registry, &narrow, Some(&lock), &["--security-only"], None);
    assert_eq!(
        versions(&found.expect("a lock"), &["a/a"]),
        "2.0.0",
        "{}",
        run.stderr
    );
}

/// Other packages move if nothing else helps, and no further than they must.
#[test]
fn others_move_as_far_as_needed() {
    let Some(registry) = registry() else { return };
    let none = json!({});
    let names = ["a/a", "d/d", "q/q", "n/n", "o/o"];
    let more = |versions: &[&str]| -> Vec<(String, Value)> {
        versions
            .iter()
            .map(|version| ((*version).to_owned(), none.clone()))
            .collect()
    };
    let put = |name: &str, versions: &[&str], advisories: &[Value]| {
        let versions = more(versions);
        let versions: Vec<(&str, Value)> = versions
            .iter()
            .map(|(version, require)| (version.as_str(), require.clone()))
            .collect();
        package(&registry, name, &versions, advisories);
    };
    put(
        "d/d",
        &["1.4.0", "1.3.0", "1.2.0", "1.1.0", "1.0.0"],
        &[advisory("D", "=1.2.0")],
    );
    put(
        "n/n",
        &["1.2.0", "1.1.0", "1.0.0"],
        &[advisory("N", "=1.2.0 || =1.0.0")],
    );
    put("o/o", &["1.1.0", "1.0.0"], &[]);
    let q = [
        ("2.1.0", json!({ "a/a": "*" })),
        ("2.0.0", json!({ "a/a": "*" })),
        ("1.0.0", json!({ "a/a": "<2" })),
    ];
    package(&registry, "q/q", &q, &[]);
    let require = json!({ "a/a": "*", "d/d": "*", "q/q": "*", "o/o": "*" });
    let project = project(&registry, require);
    for (what, fixes, wanted) in [
        // The first version that is not affected needs another package, and the next one doesn't.
        (
            "alone",
            vec![
                ("1.1.0", json!({ "d/d": ">=1.1" })),
                ("1.2.0", none.clone()),
            ],
            "1.2.0 1.0.0 1.0.0 - 1.0.0",
        ),
        // Version 1.2.0 of d/d is affected itself. So is the first choice of n/n, which is new and
        // gets the newest version possible.
        (
            "with what it requires",
            vec![("1.1.0", json!({ "d/d": ">1.1", "n/n": "*" }))],
            "1.1.0 1.3.0 1.0.0 1.1.0 1.0.0",
        ),
        // q/q 1.0.0 doesn't allow the version.
        (
            "with what requires it",
            vec![("2.0.0", none.clone()), ("2.1.0", none.clone())],
            "2.0.0 1.0.0 2.0.0 - 1.0.0",
        ),
    ] {
        let mut all = fixes;
        all.reverse();
        all.push(("1.0.0", none.clone()));
        package(&registry, "a/a", &all, &[advisory("A", "<1.1")]);
        let lock = locked(
            &registry,
            &project,
            &["a/a:1.0.0", "d/d:1.0.0", "q/q:1.0.0", "o/o:1.0.0"],
        );
        let (run, found) = resolve_each_way(&registry, &project, Some(&lock), &["--security-only"]);
        assert_eq!(run.exit, 0, "{what}: {}", run.stderr);
        assert_eq!(versions(&found, &names), wanted, "{what}: {}", run.stderr);
        assert!(
            run.stderr.contains("along with them") || what == "alone",
            "{what}: {}",
            run.stderr
        );
    }
}

/// Allegro names the packages that it can't mend, with the reasons, and mends the others.
#[test]
fn what_stays_affected() {
    let Some(registry) = registry() else { return };
    let none = json!({});
    let both = |name: &str, newer: &str, affected: &str| {
        package(
            &registry,
            name,
            &[(newer, none.clone()), ("1.0.0", none.clone())],
            &[advisory(name, affected)],
        );
    };
    both("a/a", "1.1.0", "<1.1");
    both("b/b", "1.1.0", "<2");
    both("c/c", "2.0.0", "<2");
    both("h/h", "2.0.0", "<2");
    package(&registry, "k/k", &[("1.0.0", json!({ "h/h": "^1" }))], &[]);
    package(
        &registry,
        "x/x",
        &[("dev-main", none.clone())],
        &[advisory("X", "dev-main")],
    );
    let require =
        json!({ "a/a": "*", "b/b": "*", "c/c": "^1", "h/h": "*", "k/k": "*", "x/x": "@dev" });
    let project = project(&registry, require);
    let lock = locked(
        &registry,
        &project,
        &["a/a:1.0.0", "b/b:1.0.0", "h/h:1.0.0"],
    );
    let (run, found) = resolve_each_way(&registry, &project, Some(&lock), &["--security-only"]);
    assert_eq!(run.exit, 5, "{}", run.stderr);
    assert_eq!(
        versions(&found, &["a/a", "b/b", "c/c", "h/h", "k/k", "x/x"]),
        "1.1.0 1.0.0 1.0.0 1.0.0 1.0.0 dev-main"
    );
    for line in [
        "  - a/a 1.0.0 → 1.1.0",
        "  - b/b 1.0.0 is not mended: the repositories have no newer version that is not affected",
        "  - c/c 1.0.0 is not mended: 2.0.0 would do, but composer.json requires ^1",
        "  - h/h 1.0.0 is not mended: 2.0.0 would do, but k/k 1.0.0 requires ^1",
        "  - x/x dev-main is not mended: a branch is locked",
        "Allegro: 4 packages are still affected",
    ] {
        assert!(run.stderr.contains(line), "{line}: {}", run.stderr);
    }
    // The changes are shown with this exit code as well.
    let (run, _) = resolve(
        &registry,
        &project,
        Some(&lock),
        &["--security-only", "--diff=json"],
        None,
    );
    let changes: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(
        (run.exit, changes["changes"].as_array().map(Vec::len)),
        (5, Some(1))
    );

    // Names and patterns restrict the search to some packages.
    for (names, exit, wanted) in [
        (&["a/*"][..], 0, "1.1.0"),
        (&["b/b"], 5, "1.0.0"),
        (&["k/k"], 0, "1.0.0"),
    ] {
        let (run, found) = resolve(
            &registry,
            &project,
            Some(&lock),
            &[&["--security-only"], names].concat(),
            None,
        );
        assert_eq!(run.exit, exit, "{names:?}: {}", run.stderr);
        assert_eq!(
            versions(&found.expect("a lock"), &["a/a"]),
            wanted,
            "{names:?}"
        );
        let others = format!(
            "Allegro: beside those that were named, {} packages are affected",
            if names == ["k/k"] { 5 } else { 4 }
        );
        assert!(run.stderr.contains(&others), "{names:?}: {}", run.stderr);
    }
}

/// Advisories that audits are told to ignore don't count here.
#[test]
fn ignored_advisories() {
    let Some(registry) = registry() else { return };
    let (plain, lock) = one_affected(&registry);
    let mut configs = vec![
        json!({ "audit": { "ignore": ["A"] } }),
        json!({ "audit": { "ignore": ["CVE-A"] } }),
        json!({ "audit": { "ignore": { "GHSA-A": "it is not for us" } } }),
    ];
    if crate::support::home::composer_version() >= (2, 9) {
        configs.push(
            json!({ "audit": { "ignore": { "A": { "apply": "audit", "reason": "none" } } } }),
        );
        configs.push(json!({ "audit": { "ignore-severity": ["high"] } }));
    }
    if crate::support::home::composer_version() >= (2, 10) {
        configs.push(json!({ "policy": { "advisories": { "ignore-id": ["CVE-A"] } } }));
        configs.push(json!({ "policy": { "advisories": { "ignore": ["a/a"] } } }));
    }
    for config in configs {
        let mut project = plain.clone();
        crate::support::files::merge(&mut project["config"], config.clone());
        let (run, found) = resolve(&registry, &project, Some(&lock), &["--security-only"], None);
        // Composer takes some of these settings for changes that matter to the lock, so an earlier
        // line may warn of that.
        let told = run.ours().pop();
        assert_eq!((run.exit, told), (0, Some(CLEAN)), "{config}");
        assert_eq!(found.as_deref(), Some(lock.as_str()), "{config}");
    }
    let mut project = plain;
    project["config"]["audit"] = json!({ "ignore": ["B", "CVE-B"] });
    let (run, found) = resolve(&registry, &project, Some(&lock), &["--security-only"], None);
    assert_eq!(
        versions(&found.expect("a lock"), &["a/a"]),
        "1.1.0",
        "{}",
        run.stderr
    );
}

/// Advisories may come from the address that a repository names for all of them. If none can be
/// fetched, the run ends with an error.
#[test]
fn where_advisories_come_from() {
    let Some(registry) = registry() else { return };
    let none = json!({});
    package(
        &registry,
        "a/a",
        &[("1.1.0", none.clone()), ("1.0.0", none)],
        &[],
    );
    let project = project(&registry, json!({ "a/a": "*" }));
    let lock = locked(&registry, &project, &["a/a:1.0.0"]);
    let offer = |url: &str| {
        let url = registry.files.url(url);
        registry.root(
            "",
            json!({ "security-advisories": { "metadata": true, "api-url": url } }),
        );
        for side in [Side::Serial, Side::Allegro] {
            registry.scene.forget_cache(side);
        }
    };
    let mut own = advisory("A", "<1.1");
    own["packageName"] = json!("a/a");
    let all = json!({ "advisories": { "a/a": [own] } });
    registry
        .files
        .put("advisories.json", all.to_string().as_bytes());
    offer("advisories.json");
    let (run, found) = resolve_each_way(&registry, &project, Some(&lock), &["--security-only"]);
    assert_eq!(
        (run.exit, versions(&found, &["a/a"])),
        (0, "1.1.0".to_owned()),
        "{}",
        run.stderr
    );
    registry.files.put("empty.json", br#"{"advisories": []}"#);
    offer("empty.json");
    let (run, found) = resolve(&registry, &project, Some(&lock), &["--security-only"], None);
    assert_eq!((run.exit, run.ours()), (0, vec![CLEAN]));
    assert_eq!(found.as_deref(), Some(lock.as_str()));

    let stays = "The lock stays as it is";
    registry
        .files
        .put("page.json", b"<html>Please log in</html>");
    for (url, word) in [("nothing.json", "404"), ("page.json", "page.json")] {
        offer(url);
        refuses(
            &registry,
            &project,
            &lock,
            &["--security-only"],
            &["advisories can not be had", word, stays],
        );
    }
    offer("advisories.json");
    for (what, way) in WAYS {
        registry.project(&project, Some(&lock));
        let mut call = registry
            .scene
            .call(Side::Allegro, &["resolve", "--security-only"]);
        if let Some((name, value)) = way {
            call = call.env(name, value);
        }
        let run = call.env("COMPOSER_DISABLE_NETWORK", "1").run();
        assert_eq!(run.exit, 1, "{what}: {}", run.stderr);
        assert!(
            run.stderr.contains("advisories can not be had"),
            "{what}: {}",
            run.stderr
        );
        let found = fs::read_to_string(registry.scene.project().join("composer.lock")).ok();
        assert_eq!(found.as_deref(), Some(lock.as_str()), "{what}");
    }
    registry.root("", json!({}));
    for side in [Side::Serial, Side::Allegro] {
        registry.scene.forget_cache(side);
    }
    refuses(
        &registry,
        &project,
        &lock,
        &["--security-only"],
        &[
            "No repository of this project offers security advisories",
            stays,
        ],
    );
}

/// Without the native part there is no search, and the lock stays as it is.
#[test]
fn without_the_native_part() {
    let Some(registry) = registry() else { return };
    let (project, lock) = one_affected(&registry);
    let package = registry.scene.own_home().join("vendor/allegro/plugin");
    let away = registry.scene.dir().join("native");
    fs::rename(package.join("native"), &away).expect("moved away");
    for (what, way) in WAYS {
        let (run, found) = resolve(&registry, &project, Some(&lock), &["--security-only"], way);
        assert_eq!(run.exit, 1, "{what}: {}", run.stderr);
        for words in [
            "--security-only needs the native part of Allegro",
            "there is no native part for",
            "do what \"composer allegro:doctor\" advises",
            "composer.lock is as it was",
        ] {
            assert!(run.stderr.contains(words), "{what}: {}", run.stderr);
        }
        assert_eq!(found.as_deref(), Some(lock.as_str()), "{what}");
    }
    // With a helper that fails, the run ends in the same way.
    let helper = away.read_dir().expect("a directory").next();
    let platform = helper.expect("a platform").expect("an entry").file_name();
    let broken = package.join("native").join(platform);
    fs::create_dir_all(&broken).expect("a directory");
    fs::copy("/bin/false", broken.join("allegro")).expect("a program that fails");
    let (run, found) = resolve(&registry, &project, Some(&lock), &["--security-only"], None);
    let words = "--security-only needs the native part of Allegro: the native helper";
    assert!(run.stderr.contains(words), "{}", run.stderr);
    assert_eq!((run.exit, found.as_deref()), (1, Some(lock.as_str())));
}

/// Allegro refuses options that contradict this one, meaningless names, and a missing lock.
#[test]
fn contrary_options_are_refused() {
    let Some(registry) = registry() else { return };
    let (project, lock) = one_affected(&registry);
    for (args, words) in [
        (&["--with=a/a:1.1.0"][..], &["--with"][..]),
        (&["-w"], &["--with-dependencies"]),
        (&["-W"], &["--with-all-dependencies"]),
        (&["--lock"], &["--lock"]),
        (&["--prefer-lowest"], &["--prefer-lowest"]),
        (&["--root-reqs"], &["--root-reqs"]),
        (&["a/a:1.1.0"], &["a/a:1.1.0"]),
        (&["lock"], &["\"lock\""]),
        (&["b/*"], &["\"b/*\""]),
    ] {
        let args = [&["--security-only"], args].concat();
        refuses(&registry, &project, &lock, &args, words);
    }
    let (run, found) = resolve(&registry, &project, None, &["--security-only"], None);
    assert_eq!((run.exit, found), (1, None));
    assert!(
        run.stderr.contains("needs a composer.lock"),
        "{}",
        run.stderr
    );
}

/// An affected version that comes from the parent can only be mended in the parent.
#[test]
fn versions_of_a_parent() {
    let Some(registry) = registry() else { return };
    let (mut project, lock) = one_affected(&registry);
    let dir = registry.scene.project().with_file_name("app");
    fs::create_dir_all(&dir).expect("a directory");
    for file in ["composer.json", "composer.lock"] {
        fs::copy(registry.scene.project().join(file), dir.join(file)).expect("a file");
    }
    project["extra"] = json!({ "allegro": { "parent": "../app" } });
    let (_, run, _) = compare_ways(&registry, &project, Some(&lock), &["--security-only"]);
    assert_eq!(run.exit, 5, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("its version is that of ../app, mend it there first"),
        "{}",
        run.stderr
    );
    // The parent has been mended in the meantime.
    let newer = lock.replace("1.0.0", "1.1.0");
    fs::write(dir.join("composer.lock"), newer).expect("a lock");
    let (_, run, found) = compare_ways(&registry, &project, Some(&lock), &["--security-only"]);
    assert_eq!(
        (run.exit, versions(&found, &["a/a"])),
        (0, "1.1.0".to_owned()),
        "{}",
        run.stderr
    );
}
