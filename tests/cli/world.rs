//! A home, a store and a project for one test.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub struct World {
    dir: TempDir,
}

/// What a command has done.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["home", "project/src"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a script that can be started.
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        self.write(name, text);
        let path = self.path(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Returns a command with an environment that holds nothing of the machine's user.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>, words: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(words.split_whitespace())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"))
            .env("COMPOSER_ALLOW_SUPERUSER", "1")
            .env("COMPOSER_NO_AUDIT", "1")
            .current_dir(self.path("project"))
            .stdin(Stdio::null());
        command
    }

    pub fn allegro(&self, words: &str) -> Ran {
        ran(&mut self.command(env!("CARGO_BIN_EXE_allegro"), words))
    }

    /// Writes `count` packages below `packages/`, as directories of a path repository.
    pub fn packages(&self, count: usize) {
        for number in 0..count {
            let name = format!("packages/p{number}");
            self.write(
                &format!("{name}/composer.json"),
                &format!(
                    r#"{{"name": "acme/p{number}", "version": "1.0.0", "bin": ["bin/p{number}", "bin/show"],
                        "autoload": {{"psr-4": {{"Acme\\P{number}\\": "src/"}}}}}}"#
                ),
            );
            self.write(
                &format!("{name}/src/One.php"),
                &format!("<?php\nnamespace Acme\\P{number};\nclass One {{}}\n"),
            );
            self.program(
                &format!("{name}/bin/p{number}"),
                "#!/usr/bin/env php\n<?php\necho json_encode([array_slice($argv, 1), getcwd()]), \"\\n\";\nexit(7);\n",
            );
            self.program(&format!("{name}/bin/show"), "#!/bin/sh\necho show \"$@\"\n");
        }
    }

    /// Returns the text of a repository with the packages.
    pub fn repository(&self) -> String {
        format!(
            r#"[{{"packagist.org": false}}, {{"type": "path", "url": "{}/*", "options": {{"symlink": false}}}}]"#,
            self.path("packages").display()
        )
    }
}

pub fn ran(command: &mut Command) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    Ran {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

impl Ran {
    /// Checks the exit code and returns the standard output.
    #[track_caller]
    pub fn expect(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self.out
    }

    /// Checks the exit code and a part of standard error.
    #[track_caller]
    pub fn fails(self, code: i32, part: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(self.err.contains(part), "{part}: {self:#?}");
        assert_eq!(self.err.matches("allegro:").count(), 1, "{self:#?}");
    }
}

/// Returns the Composers of the machine, or none with a note.
pub fn composers() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap();
    let installed = std::env::split_paths(&path)
        .map(|directory| directory.join("composer"))
        .find(|path| path.is_file());
    let more = std::env::var("ALLEGRO_TEST_COMPOSERS").unwrap_or_default();
    let more = more.split(':').filter(|text| !text.is_empty()).map(|text| {
        let path = PathBuf::from(text);
        if path.is_dir() {
            path.join("bin/composer")
        } else {
            path
        }
    });
    let found: Vec<_> = installed.into_iter().chain(more).collect();
    if found.is_empty() {
        println!("skipped: there is no Composer");
    }
    found
}

/// Returns every file, link and directory below a path with its content.
pub fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let facts = fs::symlink_metadata(&path).unwrap();
            let content = if facts.is_dir() {
                open.push(path.clone());
                "directory".to_owned()
            } else if facts.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else {
                String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
            };
            let mode = facts.permissions().mode();
            found.insert(
                path.strip_prefix(root).unwrap().to_owned(),
                format!("{mode:o} {content}"),
            );
        }
    }
    found
}

/// Checks that two trees are equal, and names the first difference.
#[track_caller]
pub fn same(left: &BTreeMap<PathBuf, String>, right: &BTreeMap<PathBuf, String>) {
    for (path, content) in left {
        assert_eq!(Some(content), right.get(path), "{}", path.display());
    }
    for path in right.keys() {
        assert!(left.contains_key(path), "{} is new", path.display());
    }
}
