//! Asks Composer's own classes.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const SCRIPT: &str = include_str!("../records.php");

/// One installation.
#[derive(Debug, Clone)]
pub struct Job {
    pub lock: String,
    pub manifest: String,
    pub vendor: String,
    pub dev: bool,
    pub source: String,
    /// Version, pretty version and commit.
    pub guessed: Option<[String; 3]>,
    pub environment: Option<String>,
    pub old: Option<String>,
}

impl Job {
    pub fn new(lock: &str, manifest: &str) -> Self {
        Self {
            lock: lock.to_owned(),
            manifest: manifest.to_owned(),
            vendor: "vendor".to_owned(),
            dev: true,
            source: "dist".to_owned(),
            guessed: None,
            environment: None,
            old: None,
        }
    }

    fn text(&self) -> String {
        let guessed = self
            .guessed
            .as_ref()
            .map(|[version, pretty_version, commit]| {
                json!({"version": version, "pretty_version": pretty_version, "commit": commit,
                "feature_version": null, "feature_pretty_version": null})
            });
        let job = json!({
            "lock": self.lock, "manifest": self.manifest, "vendor": self.vendor, "dev": self.dev,
            "source": self.source, "guessed": guessed, "environment": self.environment,
            "old": self.old,
        });
        format!("{job}\n")
    }
}

/// The classes of one Composer.
#[derive(Debug, Clone)]
pub struct Classes {
    root: PathBuf,
    autoloader: String,
}

/// Returns the Composers that can be asked.
pub fn classes() -> Vec<Classes> {
    let root = std::env::var_os("ALLEGRO_TEST_PHP_ROOT");
    let root = root.map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let named = std::env::var("ALLEGRO_COMPOSER_CLASSES");
    let named = named.unwrap_or_else(|_| "/usr/share/php/Composer/autoload.php".to_owned());
    let found: Vec<Classes> = named
        .split(':')
        .filter(|autoloader| root.join(autoloader.trim_start_matches('/')).is_file())
        .map(|autoloader| Classes {
            root: root.clone(),
            autoloader: autoloader.to_owned(),
        })
        .collect();
    if found.is_empty() {
        println!("skipped: {named} is missing");
    }
    found
}

/// What a Composer says about itself, and its answers.
pub struct Answers {
    pub version: String,
    pub checks_versions: bool,
    pub values: Vec<Value>,
}

impl Classes {
    /// Asks about all jobs.
    pub fn ask(&self, jobs: &[Job]) -> Answers {
        let mut php = if self.root == Path::new("/") {
            Command::new("php")
        } else {
            let mut chroot = Command::new("chroot");
            chroot.arg(&self.root).arg("php");
            chroot
        };
        let script = SCRIPT.trim_start_matches("<?php");
        let mut child = php
            .args(["-d", "memory_limit=-1", "-d", "display_errors=stderr"])
            .args(["-r", script, "--", &self.autoloader])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut next = || -> Value {
            let line = lines.next().unwrap().unwrap();
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("PHP said {line}"))
        };
        let composer = next();
        let answers = jobs.iter().map(|job| {
            stdin.write_all(job.text().as_bytes()).unwrap();
            next()
        });
        let answers = answers.collect();
        drop(stdin);
        assert!(child.wait().unwrap().success());
        Answers {
            version: composer["version"].as_str().unwrap().to_owned(),
            checks_versions: composer["checks"].as_bool().unwrap(),
            values: answers,
        }
    }
}
