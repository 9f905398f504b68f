//! Compares configurations and requests with those of real Composers.
//!
//! The classes of Debian's package take part, and each Composer that `ALLEGRO_TEST_COMPOSERS`
//! names: files or source trees, separated by colons.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs
)]

#[path = "config/cases.rs"]
mod cases;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use allegro_composer::access::{Access, Agent, CertificateProbe, Found, HttpSetup, proxies};
use allegro_composer::config::{Config, Directories, Files, Probes, Release, manifest_path};
use allegro_composer::json::Json;
use allegro_composer::package::{Package, Place};

use cases::{Case, DistCase};

/// The files that load the classes of each Composer.
fn autoloaders() -> Vec<String> {
    let mut found = Vec::new();
    let debian = "/usr/share/php/Composer/autoload.php";
    if Path::new(debian).exists() {
        found.push(debian.to_owned());
    }
    let named = std::env::var("ALLEGRO_TEST_COMPOSERS").unwrap_or_default();
    for composer in named.split(':').filter(|name| !name.is_empty()) {
        found.push(if Path::new(composer).is_dir() {
            format!("{composer}/vendor/autoload.php")
        } else {
            format!("phar://{composer}/vendor/autoload.php")
        });
    }
    found
}

/// Returns facts about a Composer and its machine, and its answers to the cases.
fn ask(autoload: &str, cases: &[Case], directory: &Path) -> Option<(Vec<String>, Vec<Json>)> {
    let (input, output) = (directory.join("cases.json"), directory.join("answers.json"));
    let all = Json::Array(cases.iter().map(Case::to_json).collect());
    fs::write(&input, all.to_line()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/oracle.php");
    let status = Command::new("php")
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap_or_default())
        .arg(script)
        .args([Path::new(autoload), &input, &output])
        .status();
    let Ok(status) = status else {
        println!("skipped: there is no PHP");
        return None;
    };
    assert!(status.success(), "{autoload}: {status}");
    let text = fs::read_to_string(output).unwrap();
    let mut lines = text.lines().map(|line| Json::parse(line).unwrap());
    let facts = lines.next().unwrap();
    let facts = facts
        .items()
        .iter()
        .map(|fact| fact.as_str().unwrap().to_owned());
    Some((facts.collect(), lines.collect()))
}

/// The number of cases. Those of 400 were the same with all releases when this was written.
const CASES: u64 = 100;

/// What was compared, and how often.
#[derive(Default)]
struct Tally(HashMap<&'static str, (u32, u32)>);

impl Tally {
    /// Compares an answer of ours, if we have one, with Composer's `{"ok": …}` or `{"error": …}`.
    fn compare(&mut self, what: &'static str, ours: Option<&Json>, theirs: &Json, case: &str) {
        let (same, unfamiliar) = self.0.entry(what).or_default();
        let Some(ours) = ours else {
            *unfamiliar += 1;
            return;
        };
        *same += 1;
        let wanted = theirs.get("ok");
        assert_eq!(
            Some(ours.to_line()),
            wanted.map(Json::to_line),
            "{what}: {}\n{case}",
            theirs.to_line()
        );
    }
}

#[test]
fn settings_and_requests_are_those_of_composer() {
    let autoloaders = autoloaders();
    if autoloaders.is_empty() {
        println!("skipped: there is no Composer");
    }
    let root = tempfile::tempdir().unwrap();
    let cases = cases::all(root.path(), CASES);
    for autoload in autoloaders {
        let Some((facts, answers)) = ask(&autoload, &cases, root.path()) else {
            return;
        };
        let version = &facts[0];
        let Some(release) = Release::parse(version.split('-').next().unwrap()) else {
            println!("skipped: Composer {version} is no release");
            continue;
        };
        let mut tally = Tally::default();
        assert_eq!(answers.len(), cases.len());
        for (case, theirs) in cases.iter().zip(&answers) {
            check(release, &facts, case, theirs, &mut tally);
        }
        let mut counts: Vec<_> = tally.0.into_iter().collect();
        counts.sort_unstable();
        println!("Composer {version}: {counts:?}");
        for (what, (same, unfamiliar)) in counts {
            assert!(same > unfamiliar / 4, "{what}: {same} of {unfamiliar}");
        }
    }
}

fn list(items: impl IntoIterator<Item = Json>) -> Json {
    Json::Array(items.into_iter().collect())
}

fn check(release: Release, facts: &[String], case: &Case, theirs: &Json, tally: &mut Tally) {
    let text = case.to_json().to_line();
    let environment = |name: &str| {
        let found = case.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let directories = Directories::choose(&Probes {
        environment: &environment,
        has_xdg_variable: case
            .environment
            .iter()
            .any(|(name, _)| name.starts_with("XDG_")),
        is_dir: &|path| Path::new(path).is_dir(),
        is_macos: false,
    });
    let chosen = directories
        .as_ref()
        .ok()
        .map(|found| Json::strings([&found.home, &found.cache, &found.data].map(String::clone)));
    tally.compare(
        "directories",
        chosen.as_ref(),
        theirs.get("directories").unwrap(),
        &text,
    );
    check_proxies(release, case, theirs, &environment, tally, &text);

    let directories = directories.unwrap_or_else(|_| Directories {
        home: "/home".to_owned(),
        cache: "/cache".to_owned(),
        data: "/data".to_owned(),
    });
    let mut config = Config::new(release, &environment, &case.base, &directories);
    for source in &case.sources {
        let json = Json::parse(&source.text).unwrap();
        let merged = if source.is_auth {
            config.merge_auth(&json, &source.name)
        } else {
            config.merge(&json, &source.name)
        };
        if merged.is_err() {
            tally.compare("merges", None, &Json::Null, &text);
            return;
        }
    }
    let rejected = theirs.get("rejected");
    assert_eq!(rejected, None, "{text}");
    tally.compare(
        "merges",
        Some(&Json::Null),
        &Json::parse("{\"ok\":null}").unwrap(),
        &text,
    );

    check_values(&config, theirs, tally, &text);
    if !check_requests(&mut config, case, theirs, tally, &text) {
        return;
    }
    let agent = Agent {
        composer: &facts[0],
        system: &facts[1],
        system_release: &facts[2],
        php: &facts[3],
        client: &facts[4],
        command: Some("install"),
    };
    let probe = CertificateProbe {
        ini_cafile: "",
        ini_capath: "",
        look: &|path| match path {
            path if path.contains("certs/ca-certificates.crt") || path.ends_with("ca.pem") => {
                Found::File
            }
            "/etc/ssl/certs" => Found::Directory,
            _ => Found::Nothing,
        },
    };
    let setup = HttpSetup::new(&config, &environment, &agent, &probe).ok();
    let ours = setup.map(|setup| Json::str(setup.user_agent));
    tally.compare("agents", ours.as_ref(), theirs.get("agent").unwrap(), &text);
}

fn check_values(config: &Config, theirs: &Json, tally: &mut Tally, text: &str) {
    let keys = Json::strings(config.keys());
    assert_eq!(
        keys.to_line(),
        theirs.get("keys").unwrap().to_line(),
        "{text}"
    );
    for entry in theirs.items_at("values") {
        let [Json::Str(key), absolute, relative, source] = entry.items() else {
            panic!("{entry:?}");
        };
        let at = format!("{key} of {text}");
        let value = config.get(key).map(|value| value.to_json()).ok();
        tally.compare("values", value.as_ref(), absolute, &at);
        let value = config.get_relative(key).map(|value| value.to_json()).ok();
        tally.compare("values", value.as_ref(), relative, &at);
        let value = config.source_of(key).map(Json::str).ok();
        tally.compare("sources", value.as_ref(), source, &at);
    }
    let repositories = config.repositories_json().to_line();
    assert_eq!(
        repositories,
        theirs.get("repositories").unwrap().to_line(),
        "{text}"
    );
    let sources = config.repositories().entries().iter().map(|(key, _)| {
        config
            .source_of(&format!("repositories.{}", key.text()))
            .unwrap()
    });
    let sources = Json::strings(sources).to_line();
    assert_eq!(
        sources,
        theirs.get("repository_sources").unwrap().to_line(),
        "{text}"
    );
}

fn check_proxies(
    release: Release,
    case: &Case,
    theirs: &Json,
    environment: &dyn Fn(&str) -> Option<String>,
    tally: &mut Tally,
    text: &str,
) {
    let proxies = proxies(release, environment).ok();
    for (url, theirs) in case.proxied.iter().zip(theirs.items_at("proxies")) {
        let ours = proxies.as_ref().map(|proxies| {
            let proxy = if url.starts_with("https:") {
                &proxies.https
            } else {
                &proxies.http
            };
            let proxy = proxy.clone().filter(|_| proxies.no_proxy.is_empty());
            Json::str(proxy.unwrap_or_default())
        });
        // Composer leaves out the scheme until 2.7.2, and curl takes http then.
        let theirs = match theirs.str_at("ok") {
            Some(url) if !url.is_empty() && !url.contains("://") => {
                let mut ok = Json::object();
                ok.set("ok", Json::str(format!("http://{url}")));
                ok
            }
            _ => theirs.clone(),
        };
        tally.compare("proxies", ours.as_ref(), &theirs, text);
    }
}

/// Returns whether the credentials are familiar.
fn check_requests(
    config: &mut Config,
    case: &Case,
    theirs: &Json,
    tally: &mut Tally,
    text: &str,
) -> bool {
    let requests = theirs.get("requests").unwrap();
    let Ok(mut access) = Access::new(config) else {
        tally.compare("credentials", None, requests, text);
        return false;
    };
    let credentials = requests
        .get("ok")
        .unwrap_or_else(|| panic!("{requests:?}: {text}"));
    let [warnings, answers, github, gitlab] = credentials.items() else {
        panic!("{credentials:?}");
    };
    let domains = list([
        Json::str(""),
        Json::strings(config.github_domains().unwrap()),
        Json::strings(config.gitlab_domains().unwrap()),
    ]);
    let mut wanted = Json::object();
    wanted.set(
        "ok",
        list([warnings.clone(), github.clone(), gitlab.clone()]),
    );
    tally.compare("credentials", Some(&domains), &wanted, text);
    for (url, theirs) in case.urls.iter().zip(answers.items()) {
        let request = access.request(url, None);
        if request.is_err() && url.contains('@') {
            // Composer goes on with the credentials of this URL.
            break;
        }
        let ours = request.as_ref().ok().map(|request| {
            list([
                Json::strings(request.headers.iter().cloned()),
                Json::Null,
                Json::str(request.warning.clone().unwrap_or_default()),
            ])
        });
        let theirs = match theirs.get("ok") {
            Some(ok) => {
                let mut without_origin = Json::object();
                let [_, headers, ssl, warning] = ok.items() else {
                    panic!("{ok:?}");
                };
                without_origin.set("ok", list([headers.clone(), ssl.clone(), warning.clone()]));
                without_origin
            }
            None => theirs.clone(),
        };
        tally.compare(
            "requests",
            ours.as_ref(),
            &theirs,
            &format!("{url} of {text}"),
        );
    }
    for (dist, theirs) in case.dists.iter().zip(theirs.items_at("dists")) {
        let urls = access.dist_urls(&package(dist));
        let ours = urls.as_ref().ok().map(|urls| {
            list(urls.iter().map(|url| {
                Json::strings([&url.base, &url.processed, &url.cache_key].map(String::clone))
            }))
        });
        tally.compare(
            "archives",
            ours.as_ref(),
            theirs,
            &format!("{dist:?} of {text}"),
        );
    }
    true
}

fn package(dist: &DistCase) -> Package {
    Package {
        name: dist.name.clone(),
        pretty_name: dist.name.clone(),
        version: dist.version.clone(),
        pretty_version: dist.pretty.clone(),
        kind: "library".to_owned(),
        target_dir: None,
        source: None,
        dist: Some(Place {
            kind: "zip".to_owned(),
            url: dist.url.clone(),
            reference: dist.reference.clone(),
            shasum: None,
            mirrors: dist.mirrors.clone(),
        }),
        requires: Vec::new(),
        conflicts: Vec::new(),
        provides: Vec::new(),
        replaces: Vec::new(),
        dev_requires: Vec::new(),
        bins: Vec::new(),
        autoload: Json::Null,
        include_paths: Vec::new(),
        alias: None,
        notification_url: None,
        abandoned: None,
        has_funding: false,
        entry: Json::Null,
    }
}

#[test]
fn sources_are_merged_in_the_order_of_composer() {
    let root = tempfile::tempdir().unwrap();
    let real = fs::canonicalize(root.path()).unwrap();
    let (home, project) = (real.join("home"), real.join("project"));
    let write = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        Json::parse(text).unwrap()
    };
    // Each file sets what those after it set too, and one thing more.
    let login = |host: &str, user: &str| {
        format!("\"{host}\":{{\"username\":\"{user}\",\"password\":\"p\"}}")
    };
    let logins = |from: usize, user: &str| {
        let hosts: Vec<String> = (from..7).map(|at| login(&format!("h{at}"), user)).collect();
        format!("\"http-basic\":{{{}}}", hosts.join(","))
    };
    let home_config = write(
        &home.join("config.json"),
        &format!(
            "{{\"config\":{{{},\"bin-dir\":\"b\",\"vendor-dir\":\"v\"}}}}",
            logins(0, "config")
        ),
    );
    let home_auth = write(
        &home.join("auth.json"),
        &format!("{{{}}}", logins(1, "auth")),
    );
    let manifest = write(
        &project.join("composer.json"),
        &format!(
            "{{\"version\":\"1\",\"config\":{{{},\"vendor-dir\":\"w\"}}}}",
            logins(2, "json")
        ),
    );
    let auth = write(
        &project.join("auth.json"),
        &format!("{{{}}}", logins(4, "local")),
    );
    let variables = [
        ("HOME", real.to_str().unwrap().to_owned()),
        ("COMPOSER_HOME", home.to_str().unwrap().to_owned()),
        ("COMPOSER_AUTH", format!("{{{}}}", logins(5, "variable"))),
        ("COMPOSER_ALLOW_SUPERUSER", "1".to_owned()),
    ];
    let environment = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    };
    for autoload in autoloaders() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/loaded.php");
        let output = Command::new("php")
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .envs(variables.iter().cloned())
            .arg(script)
            .arg(&autoload)
            .current_dir(&project)
            .output();
        let Ok(output) = output else {
            println!("skipped: there is no PHP");
            return;
        };
        let text = String::from_utf8(output.stdout).unwrap();
        let answer = Json::parse(text.lines().last().unwrap_or_default()).unwrap();
        let [Json::Str(version), Json::Array(values)] = answer.items() else {
            panic!("{autoload}: {text}");
        };
        let release = Release::parse(version).unwrap();
        let directories = Directories::choose(&Probes {
            environment: &environment,
            has_xdg_variable: false,
            is_dir: &|path| Path::new(path).is_dir(),
            is_macos: false,
        });
        let auth_path = project.join("auth.json");
        let files = Files {
            home_config: Some(&home_config),
            home_auth: Some(&home_auth),
            manifest: Some(&manifest),
            manifest_path: &manifest_path(&environment),
            auth: Some(&auth),
            auth_path: auth_path.to_str().unwrap(),
        };
        let base = project.to_str().unwrap();
        let config = Config::load(release, &environment, base, &directories.unwrap(), &files);
        let config = config.unwrap();
        assert_eq!(config.keys().count(), values.len(), "{version}");
        for entry in values {
            let [Json::Str(key), value, source] = entry.items() else {
                panic!("{entry:?}");
            };
            let ours = config.get(key).unwrap().to_json();
            assert_eq!(ours.to_line(), value.to_line(), "{key} of {version}");
            let ours = config.source_of(key).unwrap();
            assert_eq!(Some(&*ours), source.as_str(), "{key} of {version}");
        }
    }
}
