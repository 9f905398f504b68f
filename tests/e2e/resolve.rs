//! Compares `composer resolve` with `composer update --no-install`: the lock, the output and the
//! exit code are the same.

mod again;
mod choices;
mod circles;
mod corpus;
mod documents;
mod made_up;
mod native;
mod policies;
mod told;
mod twice;
mod unchosen;
mod verdict;

use std::fmt::Write as _;
use std::fs;

use allegro_registry::{AuthRule, Credentials, Fault, Rule, ServerOptions};
use serde_json::{Value, json};

use crate::support::files::{Files, bare};
use crate::support::home::extension;
use crate::support::network;
use crate::support::{Engine, Run, Scene, Side};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.trim().parse().ok()
}

/// A registry of metadata files, and projects that use it.
struct Registry {
    scene: Scene,
    files: Files,
    /// Options of PHP for both sides.
    php: Vec<String>,
    /// The side that is compared with Composer.
    ours: Side,
}

impl Registry {
    fn new() -> Option<Self> {
        let (scene, files) = bare()?;
        files.answer_in_order();
        let registry = Self {
            scene,
            files,
            php: Vec::new(),
            ours: Side::Allegro,
        };
        registry.root("", json!({}));
        Some(registry)
    }

    /// Makes a registry whose projects `allegro update --no-install` updates.
    fn native() -> Option<Self> {
        Some(Self {
            ours: Side::Native,
            ..Self::new()?
        })
    }

    /// Writes `packages.json` below a path.
    fn root(&self, path: &str, more: Value) {
        let mut root =
            json!({ "packages": [], "metadata-url": format!("/{path}p2/%package%.json") });
        crate::support::files::merge(&mut root, more);
        self.files
            .put(&format!("{path}packages.json"), root.to_string().as_bytes());
    }

    /// Writes the versions of a package. Tags and branches go to files of their own.
    fn package(&self, path: &str, name: &str, versions: Vec<Value>) {
        let (branches, tags): (Vec<Value>, Vec<Value>) =
            versions.into_iter().partition(|version| {
                let version = version["version"].as_str().unwrap_or_default();
                version.starts_with("dev-") || version.ends_with("-dev")
            });
        for (file, list) in [(name.to_owned(), tags), (format!("{name}~dev"), branches)] {
            let body = json!({ "packages": { name: list } });
            self.files.put(
                &format!("{path}p2/{file}.json"),
                body.to_string().as_bytes(),
            );
        }
    }

    fn forget(&self) {
        let _ = fs::remove_dir_all(self.scene.dir().join("served"));
        self.forget_caches();
    }

    fn forget_caches(&self) {
        for side in [Side::Serial, Side::Allegro] {
            self.scene.forget_cache(side);
        }
    }

    fn project(&self, manifest: &Value, lock: Option<&str>) {
        fs::create_dir_all(self.scene.project()).expect("the project");
        fs::write(
            self.scene.project().join("composer.json"),
            manifest.to_string(),
        )
        .expect("composer.json");
        let path = self.scene.project().join("composer.lock");
        let _ = fs::remove_file(&path);
        if let Some(lock) = lock {
            fs::write(path, lock).expect("composer.lock");
        }
    }

    fn play(
        &self,
        side: Side,
        manifest: &Value,
        lock: Option<&str>,
        args: &[&str],
    ) -> (Run, Option<String>) {
        self.project(manifest, lock);
        let command = match side {
            Side::Allegro => vec!["resolve"],
            _ => vec!["update", "--no-install"],
        };
        let mut call = self.scene.call(side, &[&command, args].concat());
        // Between equal candidates, Composer takes the one that came first, so requests are made
        // one at a time.
        call = call.env("COMPOSER_MAX_PARALLEL_HTTP", "1");
        for option in &self.php {
            call = call.php_option(option);
        }
        (
            call.run(),
            fs::read_to_string(self.scene.project().join("composer.lock")).ok(),
        )
    }

    /// Checks that both sides have the same result. Returns whether the native part has chosen, and
    /// the lock.
    fn agree(
        &self,
        what: &str,
        manifest: &Value,
        lock: Option<&str>,
        args: &[&str],
    ) -> (bool, Option<String>) {
        let (_, found) = self.compare(what, manifest, lock, args);
        let (ours, again) = self.play(self.ours, manifest, lock, &[args, &["-v"]].concat());
        assert!(
            found == again,
            "{what}: {manifest}\n{}",
            difference(found.as_deref(), again.as_deref())
        );
        (self.is_native(what, &ours), found)
    }

    /// Makes the checks of [`Self::agree`] with two runs in place of three. Both runs use `-v`,
    /// with which ours tells what it did.
    fn agree_loudly(
        &self,
        what: &str,
        manifest: &Value,
        lock: Option<&str>,
        args: &[&str],
    ) -> (bool, Option<String>) {
        let (ours, found) = self.compare(what, manifest, lock, &[args, &["-v"]].concat());
        (self.is_native(what, &ours), found)
    }

    /// Checks that Allegro prints and locks the same as Composer. Returns Allegro's run, and the
    /// lock.
    fn compare(
        &self,
        what: &str,
        manifest: &Value,
        lock: Option<&str>,
        args: &[&str],
    ) -> (Run, Option<String>) {
        let (plain, wanted) = self.play(Side::Serial, manifest, lock, args);
        let (ours, found) = self.play(self.ours, manifest, lock, args);
        let context = || {
            format!(
                "{what}: {manifest}\nlock: {}\n{args:?}",
                lock.unwrap_or("none")
            )
        };
        assert_eq!(
            plain.exit,
            ours.exit,
            "{}\n{}\n{}",
            context(),
            plain.stderr,
            ours.stderr
        );
        assert!(
            wanted == found,
            "{}\n{}",
            context(),
            difference(wanted.as_deref(), found.as_deref())
        );
        assert_eq!(said(&plain), said(&ours), "{}", context());
        (ours, found)
    }

    /// Returns whether the native part has chosen, from the output with `-v`.
    fn is_native(&self, what: &str, run: &Run) -> bool {
        let lines = run.stderr.lines();
        for line in lines.filter(|line| line.starts_with("Allegro: ")) {
            println!("{what}: {line}");
        }
        if self.ours == Side::Native {
            return !run.stderr.contains("Composer does it");
        }
        let is_native = run.stderr.contains("considered");
        // Composer may refuse the choice because of the requirements without `require-dev`.
        if is_native && run.exit == 0 {
            assert_no_second_solving(what, &run.stderr);
        }
        is_native
    }
}

/// Checks that Composer has got the choice as its solver's result, because it reports the native
/// part's number of rules.
fn assert_no_second_solving(context: &str, stderr: &str) {
    let ours = stderr.lines().find(|line| line.contains("considered"));
    let rules = ours
        .and_then(|line| line.rsplit(", ").next())
        .map(|rules| rules.replace(',', ""));
    let rules = rules.expect("the line that counts rules");
    let said = format!("Analyzed {rules} to resolve dependencies");
    assert!(
        stderr.contains(&said) && !stderr.contains("by itself"),
        "{context}: no \"{said}\" in\n{stderr}"
    );
}

/// Returns the output without lines that differ by design. Those are the command's own synopsis,
/// and the calls behind exceptions. They are also the lines about the solver's work with `-v`,
/// because Composer's solver has less of it after a native choice.
fn said(run: &Run) -> Vec<String> {
    let differs = |line: &String| {
        line.starts_with("update [")
            || line.starts_with("resolve [")
            || line.contains("() at ") && line.ends_with(|last: char| last.is_ascii_digit())
            || line.starts_with("Analyzed ") && line.ends_with(" to resolve dependencies")
            || line.starts_with("Found ") && line.ends_with(" were optimized away.")
    };
    let lines = run.lines().into_iter();
    lines.filter(|line| !differs(line)).collect()
}

fn difference(wanted: Option<&str>, found: Option<&str>) -> String {
    let (Some(wanted), Some(found)) = (wanted, found) else {
        return format!(
            "Composer: {}, Allegro: {}",
            wanted.is_some(),
            found.is_some()
        );
    };
    let mut text = String::new();
    for line in diff(wanted, found) {
        let _ = writeln!(text, "{line}");
    }
    if let Some((at, (wanted, found))) = wanted
        .lines()
        .zip(found.lines())
        .enumerate()
        .find(|(_, (wanted, found))| wanted != found)
    {
        let _ = writeln!(text, "line {at}\n{wanted}\n{found}");
    }
    text
}

fn diff(wanted: &str, found: &str) -> Vec<String> {
    let versions = |lock: &str| -> Vec<String> {
        let lock: Value = serde_json::from_str(lock).expect("a lock");
        let lists = ["packages", "packages-dev"];
        lists
            .iter()
            .flat_map(|list| lock[*list].as_array().cloned().unwrap_or_default())
            .map(|package| format!("{} {}", package["name"], package["version"]))
            .collect()
    };
    let (left, right) = (versions(wanted), versions(found));
    let missing = left
        .iter()
        .filter(|line| !right.contains(line))
        .map(|line| format!("Composer {line}"));
    let more = right
        .iter()
        .filter(|line| !left.contains(line))
        .map(|line| format!("Allegro {line}"));
    missing.chain(more).collect()
}

fn manifest(files: &Files, paths: &[&str], more: Value) -> Value {
    let mut repositories: Vec<Value> = paths
        .iter()
        .map(|path| json!({ "type": "composer", "url": files.url(path) }))
        .collect();
    repositories.push(json!({ "packagist.org": false }));
    let mut manifest = json!({ "name": "the/project", "version": "1.0.0", "config": { "secure-http": false, "allow-plugins": true } });
    manifest["repositories"] = Value::Array(repositories);
    crate::support::files::merge(&mut manifest, more);
    manifest
}

/// Returns a version of a package, with a dist that nobody will fetch.
fn release(name: &str, version: &str, more: Value) -> Value {
    let url = format!("http://127.0.0.1:1/{name}/{version}.zip");
    let mut entry = json!({ "name": name, "version": version, "dist": { "type": "zip", "url": url, "reference": "abc" } });
    crate::support::files::merge(&mut entry, more);
    entry
}

/// Adds packages in three versions each, of which each requires the next package.
fn family(registry: &Registry) {
    for (name, other) in [("a/a", "b/b"), ("b/b", "c/c"), ("c/c", "php")] {
        let versions = ["2.1.0", "2.0.0", "1.0.0"]
            .map(|version| release(name, version, json!({ "require": { other: "*" } })));
        registry.package("", name, versions.to_vec());
    }
}

#[test]
fn kinds_of_repositories() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    let dir = registry.scene.dir().join("local");
    fs::create_dir_all(&dir).expect("a directory");
    let own = json!({ "name": "the/local", "version": "1.2.0", "require": { "a/a": "^2.0" }, "replace": { "c/c": "2.0.5" } });
    fs::write(dir.join("composer.json"), own.to_string()).expect("composer.json");
    let url = registry.files.url("");
    let composer = |more: Value| {
        let mut repository = json!({ "type": "composer", "url": url });
        crate::support::files::merge(&mut repository, more);
        repository
    };
    let path = json!({ "type": "path", "url": dir });
    let inline = json!({ "type": "package", "package": release("in/line", "3.0.0", json!({ "require": { "b/b": "<2.1" } })) });
    registry.package("more/", "a/a", vec![release("a/a", "2.5.0", json!({}))]);
    registry.root("more/", json!({ "available-packages": ["a/a"] }));
    registry.root(
        "patterns/",
        json!({ "available-package-patterns": ["a/*"] }),
    );
    registry.package("patterns/", "a/a", vec![release("a/a", "2.6.0", json!({}))]);
    registry.files.put(
        "flat/packages.json",
        json!({ "packages": { "a/a": { "2.7.0": release("a/a", "2.7.0", json!({})) } } })
            .to_string()
            .as_bytes(),
    );
    let other = |below: &str| json!({ "type": "composer", "url": registry.files.url(below) });
    let native: [(&str, Value, Value); 8] = [
        (
            "a path",
            json!([path, composer(json!({}))]),
            json!({ "the/local": "*" }),
        ),
        (
            "inline",
            json!([inline, composer(json!({}))]),
            json!({ "in/line": "*", "a/a": "*" }),
        ),
        (
            "only",
            json!([
                composer(json!({ "only": ["a/*", "b/b"] })),
                composer(json!({ "exclude": ["a/a"] }))
            ]),
            json!({ "a/a": "*" }),
        ),
        (
            "not canonical",
            json!([{ "type": "composer", "url": registry.files.url("more/"), "canonical": false }, composer(json!({}))]),
            json!({ "a/a": "2.1.0" }),
        ),
        (
            "canonical",
            json!([other("more/"), composer(json!({}))]),
            json!({ "a/a": "*" }),
        ),
        (
            "a list of names",
            json!([other("more/"), composer(json!({}))]),
            json!({ "a/a": "*", "b/b": "*" }),
        ),
        (
            "patterns of names",
            json!([other("patterns/"), composer(json!({}))]),
            json!({ "a/a": "*", "b/b": "*" }),
        ),
        (
            "all in packages.json",
            json!([other("flat/"), composer(json!({}))]),
            json!({ "a/a": "*", "b/b": "*" }),
        ),
    ];
    for (what, repositories, require) in native {
        let mut project = manifest(&registry.files, &[], json!({ "require": require }));
        let mut list = repositories.as_array().cloned().expect("a list");
        list.push(json!({ "packagist.org": false }));
        project["repositories"] = Value::Array(list);
        let (is_native, lock) = registry.agree(what, &project, None, &[]);
        assert!(is_native, "{what} is left to Composer");
        assert!(lock.is_some(), "{what}");
        if extension().is_some() {
            registry.project(&project, None);
            let call = registry.scene.call(Side::Allegro, &["resolve", "-v"]);
            let run = call.engine(Engine::Extension).run().expect(0);
            assert!(run.stderr.contains("considered"), "{what}: {}", run.stderr);
            let found = fs::read_to_string(registry.scene.project().join("composer.lock")).ok();
            assert!(found == lock, "{what}, with the extension");
        }
    }
}

#[test]
fn flags_of_update() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    let old = manifest(
        &registry.files,
        &[""],
        json!({ "require": { "a/a": "1.0.0", "b/b": "1.0.0", "ext-none": "*" }, "require-dev": { "c/c": "1.0.0" } }),
    );
    let (_, lock) = registry.agree("at first", &old, None, &["--ignore-platform-reqs"]);
    let lock = lock.expect("a lock");
    let new = manifest(
        &registry.files,
        &[""],
        json!({ "require": { "a/a": "*", "b/b": "*", "ext-none": "*" }, "require-dev": { "c/c": "*" } }),
    );
    let all = "--ignore-platform-reqs";
    for args in [
        vec![all],
        vec!["--ignore-platform-req=ext-*"],
        vec![
            "--ignore-platform-req=ext-none",
            "--ignore-platform-req=php+",
        ],
        vec![all, "--prefer-lowest"],
        vec![all, "--prefer-stable", "--no-dev"],
        vec![all, "--with", "a/a:2.0.*", "--with=c/c:1.0.0"],
        vec![all, "a/a"],
        vec![all, "a/a", "--with-dependencies"],
        vec![all, "a/a", "--with-all-dependencies"],
        vec![all, "a/a:2.0.0", "b/*"],
        vec![all, "nobody/nothing"],
        vec![all, "--lock"],
        vec![all, "--dry-run"],
        vec![all, "--root-reqs"],
        vec![all, "-q"],
    ] {
        registry.agree("flags", &new, Some(&lock), &args);
    }
    if crate::support::home::composer_version() >= (2, 8) {
        for args in [
            vec![all, "--minimal-changes"],
            vec![all, "--patch-only"],
            vec![all, "--bump-after-update"],
        ] {
            registry.agree("newer flags", &new, Some(&lock), &args);
        }
    }
}

/// Composer itself reports trouble, and the lock stays as it was.
#[test]
fn trouble_is_composers() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    let fine = manifest(
        &registry.files,
        &[""],
        json!({ "require": { "a/a": "1.*" } }),
    );
    let (_, lock) = registry.agree("at first", &fine, None, &[]);
    let lock = lock.expect("a lock");
    let project = |require: Value| manifest(&registry.files, &[""], json!({ "require": require }));
    for (what, require) in [
        ("a missing package", json!({ "a/aa": "*" })),
        ("a version that isn't there", json!({ "a/a": "^7" })),
        ("a conflict", json!({ "a/a": "*", "b/b": "^3" })),
        ("a constraint that is none", json!({ "a/a": "=> 1" })),
        ("an extension", json!({ "a/a": "*", "ext-none": "*" })),
    ] {
        let (is_native, _) = registry.agree(what, &project(require), Some(&lock), &[]);
        assert!(!is_native, "{what}");
    }
    for (what, body) in [
        ("torn", "{\"packages\": {\"b/b\": [{\"version\""),
        ("not JSON", "<html>Please log in</html>"),
        (
            "an odd version",
            r#"{"packages": {"b/b": [{"name": "b/b", "version": "what"}]}}"#,
        ),
        (
            "an odd constraint",
            r#"{"packages": {"b/b": [{"name": "b/b", "version": "1.0", "require": {"c/c": "=> 1"}}]}}"#,
        ),
        (
            "another name",
            r#"{"packages": {"x/x": [{"name": "x/x", "version": "1.0"}]}}"#,
        ),
    ] {
        registry.files.put("p2/b/b.json", body.as_bytes());
        for side in [Side::Serial, Side::Allegro] {
            registry.scene.forget_cache(side);
        }
        let (plain, wanted) = registry.play(Side::Serial, &fine, Some(&lock), &[]);
        let (ours, found) = registry.play(Side::Allegro, &fine, Some(&lock), &[]);
        // Composer goes on by itself here, and finds in its cache the file that Allegro has just
        // put there.
        let place = "cached file (provider-b~b.json originating from ";
        let lines = said(&ours).into_iter();
        let lines: Vec<String> = lines
            .map(|line| line.replace(place, "downloaded file ("))
            .collect();
        assert_eq!((plain.exit, said(&plain)), (ours.exit, lines), "{what}");
        assert_eq!(wanted, found, "{what}");
    }
}

#[test]
fn with_install_it_goes_on() {
    let Some(scene) = Scene::small() else { return };
    for round in ["cold", "warm"] {
        let plain = scene.fresh(Side::Serial, &["update"]);
        let ours = scene.fresh(Side::Allegro, &["resolve", "--install"]);
        crate::support::same(round, &plain, &ours);
        let by_us = |line: &&str| line.contains("from the store") || line.contains("downloaded");
        assert!(
            ours.run.ours().iter().any(by_us),
            "{round}: {}",
            ours.run.stderr
        );
    }
}

/// Returns the output without the names of packages. Chance decides which package's response fails
/// first, in Composer too.
fn anyone(scene: &Scene, run: &Run) -> Vec<String> {
    let packages = scene.server.catalog().packages();
    let mask = |line: String| {
        packages.iter().fold(line, |line, package| {
            line.replace(&package.spec.name, "any/body")
        })
    };
    said(run).into_iter().map(mask).collect()
}

/// Servers may fail, for good or for a moment, or ask for credentials.
#[test]
fn repositories_in_trouble() {
    let Some(scene) = network::scene(ServerOptions::default()) else {
        return;
    };
    let name = scene.server.catalog().packages()[1].spec.name.clone();
    let all = "/p2/*".to_owned();
    let status = |code| Fault::Status {
        code,
        retry_after: None,
    };
    let own = |path: &str| {
        AuthRule::new(
            path,
            Credentials::Basic {
                user: "me".to_owned(),
                password: "s3cr3t-basic".to_owned(),
            },
        )
    };
    let right = r#"{"http-basic": {"HOST": {"username": "me", "password": "s3cr3t-basic"}}}"#;
    let wrong = r#"{"http-basic": {"HOST": {"username": "me", "password": "s3cr3t-wrong"}}}"#;
    let none = Vec::new;
    for (what, faults, auth, said_auth, works) in [
        (
            "forbidden",
            vec![Rule::always(&all, status(403))],
            None,
            "{}",
            false,
        ),
        (
            "one is forbidden",
            vec![Rule::always(format!("/p2/{name}.json"), status(403))],
            None,
            "{}",
            false,
        ),
        (
            "broken",
            vec![Rule::always(&all, status(500))],
            None,
            "{}",
            false,
        ),
        (
            "a web page",
            vec![Rule::always(&all, Fault::Html)],
            None,
            "{}",
            false,
        ),
        (
            "torn",
            vec![Rule::always(&all, Fault::Shorten(60))],
            None,
            "{}",
            false,
        ),
        (
            "broken for a moment",
            vec![Rule::times(&all, status(503), 1)],
            None,
            "{}",
            true,
        ),
        ("credentials", none(), Some(own("*")), right, true),
        ("no credentials", none(), Some(own("*")), "{}", false),
        ("wrong credentials", none(), Some(own("*")), wrong, false),
        (
            "wrong credentials for metadata",
            none(),
            Some(own("/p2/*")),
            wrong,
            false,
        ),
    ] {
        let play = |side, command: &[&str]| {
            scene.forget_cache(side);
            scene.write_project();
            network::auth_json(&scene, said_auth);
            scene.server.set_faults(faults.clone());
            scene.server.set_auth(auth.clone().into_iter().collect());
            // If several files are torn, Composer reports the one that it gets first.
            let call = scene.call(side, command);
            let run = call.env("COMPOSER_MAX_PARALLEL_HTTP", "1").run();
            let lock = fs::read_to_string(scene.project().join("composer.lock")).expect("a lock");
            (run, lock)
        };
        let (plain, wanted) = play(Side::Serial, &["update", "--no-install"]);
        let (ours, found) = play(Side::Allegro, &["resolve"]);
        assert_eq!(plain.exit == 0, works, "{what}: {}", plain.stderr);
        assert_eq!(
            (plain.exit, anyone(&scene, &plain)),
            (ours.exit, anyone(&scene, &ours)),
            "{what}"
        );
        assert_eq!(wanted, found, "{what}");
        let (loud, _) = play(Side::Allegro, &["resolve", "-vvv"]);
        assert_eq!(plain.exit, loud.exit, "{what}: {}", loud.stderr);
        let text = [&*loud.stderr, &loud.stdout].concat();
        assert_eq!(works, text.contains("considered"), "{what}: {text}");
        for secret in ["s3cr3t", "bWU6czNjcjN0"] {
            assert!(!text.contains(secret), "{what}: {text}");
        }
        let secrets = ["s3cr3t".to_owned(), "bWU6czNjcjN0".to_owned()];
        for place in [scene.store(), scene.cache(Side::Allegro)] {
            assert_eq!(
                network::grep(&place, &secrets),
                Vec::<std::path::PathBuf>::new(),
                "{what}"
            );
        }
    }
}

/// Output beside Composer's messages goes to standard output, where programs read it.
#[test]
fn what_changes_and_why() {
    let Some(registry) = Registry::new() else {
        return;
    };
    let source = |name: &str, version: &str, more: Value| {
        let commit = version.replace('.', "0").repeat(8);
        let mut entry = release(name, version, more);
        entry["source"] = json!({ "type": "git", "url": format!("https://github.com/{name}.git"), "reference": commit });
        entry
    };
    registry.package(
        "",
        "a/a",
        vec![
            source("a/a", "4.0.0-beta1", json!({})),
            source(
                "a/a",
                "3.1.0",
                json!({ "require": { "ext-offered": "*", "ext-none": "*" } }),
            ),
            source("a/a", "3.0.0", json!({ "require": { "php": ">=99" } })),
            source("a/a", "2.2.0", json!({ "conflict": { "b/b": "1.0.0" } })),
            source("a/a", "2.1.1", json!({ "require": { "b/b": "^2" } })),
            source("a/a", "2.1.0", json!({ "require": { "b/b": "^2" } })),
            source("a/a", "2.0.0", json!({ "require": { "c/c": "*" } })),
            source("a/a", "1.0.0", json!({})),
        ],
    );
    registry.package(
        "",
        "b/b",
        vec![
            source("b/b", "2.0.0", json!({})),
            source("b/b", "1.0.0", json!({})),
        ],
    );
    registry.package(
        "",
        "c/c",
        vec![source(
            "c/c",
            "1.0.0",
            json!({ "replace": { "r/r": "self.version" }, "provide": { "ext-offered": "*" } }),
        )],
    );
    let project = |a: &str| {
        let require = json!({ "a/a": a, "b/b": "1.0.0" });
        manifest(
            &registry.files,
            &["", "more/"],
            json!({ "require": require }),
        )
    };
    // Composer doesn't ask the second repository for packages of the first one.
    registry.root("more/", json!({}));
    registry.package("more/", "a/a", vec![release("a/a", "99.0.0", json!({}))]);
    let (_, lock) = registry.agree("at first", &project("1.0.0"), None, &[]);
    let lock = lock.expect("a lock");
    let play = |args: &[&str]| registry.play(Side::Allegro, &project("*"), Some(&lock), args);

    let expected = "1 upgraded, 1 added\n  \
        upgraded   a/a  1.0.0 → 2.0.0  https://github.com/a/a/compare/1000010000...2000020000\n  \
        added      c/c  1.0.0\n";
    let (run, changed) = play(&["--diff"]);
    assert_eq!(run.expect(0).stdout, expected);
    let (run, same) = play(&["--diff=text", "--dry-run"]);
    assert_eq!(run.expect(0).stdout, expected);
    assert_eq!(
        same.as_deref(),
        Some(lock.as_str()),
        "a dry run writes nothing"
    );
    let (run, _) = play(&["--diff=md"]);
    let line = "| a/a | upgraded | 1.0.0 → 2.0.0 | [compare](https://github.com/a/a/compare/1000010000...2000020000) |";
    assert!(run.expect(0).stdout.lines().any(|found| found == line));
    registry.project(&project("*"), Some(&lock));
    let call = registry
        .scene
        .call(Side::Allegro, &["resolve", "--diff=json"]);
    // New Composers print the result of the audit to standard output.
    let run = call.env_remove("COMPOSER_NO_AUDIT").run().expect(0);
    let found: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(
        found["changes"][1],
        json!({ "name": "c/c", "change": "added", "from": null, "to": "1.0.0", "dev": false, "compare": null })
    );
    let (run, _) = registry.play(
        Side::Allegro,
        &project("*"),
        changed.as_deref(),
        &["--diff"],
    );
    assert_eq!(run.expect(0).stdout, "Nothing changes in the lock.\n");
    for args in [&["--diff=xml"][..], &["--diff=json", "--explain=a/a"]] {
        let (run, unchanged) = play(args);
        assert!(run.stderr.contains("--diff="), "{}", run.stderr);
        assert_eq!(
            (run.exit == 0, unchanged.as_deref()),
            (false, Some(lock.as_str()))
        );
    }
    // Composer replaces a torn lock.
    let torn = format!("<<<<<<< ours\n{lock}");
    let (run, _) = registry.play(Side::Allegro, &project("*"), Some(&torn), &["--diff"]);
    assert!(run.expect(0).stdout.starts_with("3 added\n"));

    let (run, _) = play(&["--explain=a/a", "--explain", "R/r", "--explain=x/x"]);
    let run = run.expect(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    let php = lines[4]
        .split("and there is ")
        .nth(1)
        .expect("PHP's version");
    assert_eq!(
        lines,
        [
            "a/a 2.0.0",
            "  the project requires *",
            "  not 4.0.0-beta1: it is beta, and the project takes stable",
            "  not 3.1.0: it requires ext-none *, and there is none",
            &format!("  not 3.0.0: it requires php >=99, and there is {php}"),
            "  not 2.2.0: it conflicts with b/b 1.0.0, and there is 1.0.0",
            "  not 2.1.1 to 2.1.0: it requires b/b ^2, and there is 1.0.0",
            "r/r is not locked: nothing that is locked requires it",
            "  c/c 1.0.0 replaces it (self.version)",
            "x/x is not locked: nothing that is locked requires it",
        ]
    );
    let (run, _) = play(&["--explain=a/a", "--ignore-platform-req=php"]);
    assert_eq!(
        run.expect(0).stdout.lines().next(),
        Some("a/a 3.0.0"),
        "what is ignored is no reason"
    );
}
