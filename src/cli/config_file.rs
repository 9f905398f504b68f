//! Reads and writes the user's configuration file, `config.json`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use allegro_base::fs::write_atomically;
use serde_json::{Map, Value};

use super::failure::{Code, Failure};
use crate::settings::Environment;

/// The configuration file of the user, or its absence.
///
/// The file is `$XDG_CONFIG_HOME/allegro/config.json`. Where it does not exist, the file of the
/// first Allegro, `~/.allegro/config.json`, is read.
#[derive(Debug, Default)]
pub struct ConfigFile {
    /// Path to which changes are written, or `None` where no home directory is known.
    path: Option<PathBuf>,
    /// Path from which the values were read, or `None` where there is no file.
    source: Option<PathBuf>,
    values: Map<String, Value>,
    problem: Option<String>,
}

impl ConfigFile {
    /// Reads the file. A malformed file counts as empty, and [`Self::problem`] describes it.
    pub fn read(environment: &Environment) -> Self {
        let path = environment
            .path("XDG_CONFIG_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| Some(environment.path("HOME")?.join(".config")))
            .map(|base| base.join("allegro/config.json"));
        let former = environment
            .path("HOME")
            .map(|home| home.join(".allegro/config.json"));
        let mut file = Self {
            path: path.clone(),
            ..Self::default()
        };
        for candidate in [path, former].into_iter().flatten() {
            match fs::read(&candidate) {
                Ok(bytes) => {
                    match parse(&bytes) {
                        Ok(values) => file.values = values,
                        Err(problem) => {
                            file.problem = Some(format!("{}: {problem}", candidate.display()));
                        }
                    }
                    file.source = Some(candidate);
                    return file;
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) => {}
                Err(error) => {
                    file.problem = Some(format!("{}: {error}", candidate.display()));
                    file.source = Some(candidate);
                    return file;
                }
            }
        }
        file
    }

    /// Reads the file at one path, for tests.
    #[cfg(test)]
    pub(crate) fn at(path: &Path) -> Self {
        Self {
            path: Some(path.to_owned()),
            source: Some(path.to_owned()),
            values: parse(&fs::read(path).expect("it works")).expect("it works"),
            problem: None,
        }
    }

    /// Returns what is wrong with the file, with its place.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Returns the path from which the values were read.
    pub fn source(&self) -> Option<&Path> {
        self.source.as_deref()
    }

    /// Returns the path to which changes are written.
    pub fn path(&self) -> Result<&Path, Failure> {
        self.path.as_deref().ok_or_else(|| {
            Failure::new(
                Code::General,
                "neither HOME nor XDG_CONFIG_HOME is set, so there is no place for a configuration",
            )
        })
    }

    /// Returns a value of the file.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Returns the names of all values in the file.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Sets or removes a value and writes the file. Unknown keys of the file stay.
    ///
    /// # Errors
    /// Fails where the present file is malformed, because writing would lose its content.
    pub fn store(&mut self, key: &str, value: Option<Value>) -> Result<(), Failure> {
        if let Some(problem) = &self.problem {
            return Err(Failure::new(Code::General, problem)
                .hint("correct the file, or remove it, and run the command again"));
        }
        match value {
            Some(value) => {
                self.values.insert(key.to_owned(), value);
            }
            None => {
                self.values.remove(key);
            }
        }
        let path = self.path()?;
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |error| Failure::from(allegro_base::error::at(action, &path)(error))
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed("creating", parent))?;
        }
        let mut text = serde_json::to_string_pretty(&self.values)
            .map_err(|error| allegro_base::error::Error::Internal(error.to_string()))?;
        text.push('\n');
        // The file may be a symbolic link into a directory of dotfiles.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        write_atomically(&target, text.as_bytes()).map_err(failed("writing", path))
    }
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(values)) => Ok(values),
        Ok(_) => Err("the file must hold a JSON object".to_owned()),
        Err(error) => Err(format!("the file is not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_file_names_the_place() {
        assert_eq!(parse(b" \n"), Ok(Map::new()));
        assert!(parse(b"[]").expect_err("refused").contains("object"));
        let problem = parse(b"{\n \"workers\": \n}").expect_err("refused");
        assert!(problem.contains("line 3 column 1"), "{problem}");
    }

    #[test]
    fn a_change_keeps_unknown_keys_and_spares_a_malformed_file() {
        let dir = tempfile::tempdir().expect("it works");
        let path = dir.path().join("deep/config.json");
        let mut file = ConfigFile {
            path: Some(path.clone()),
            values: parse(b"{\"theirs\": [1.0], \"workers\": 3}").expect("it works"),
            ..ConfigFile::default()
        };
        file.store("workers", Some(Value::from(5)))
            .expect("it works");
        let values = parse(&fs::read(&path).expect("it works")).expect("it works");
        assert_eq!(values["theirs"].to_string(), "[1.0]");
        assert_eq!(values["workers"], 5);
        file.store("workers", None).expect("it works");
        let values = parse(&fs::read(&path).expect("it works")).expect("it works");
        assert!(!values.contains_key("workers"));

        file.problem = Some("config.json: the file is not JSON".to_owned());
        file.store("workers", Some(Value::from(5)))
            .expect_err("refused");
        assert_eq!(
            parse(&fs::read(&path).expect("it works")).expect("it works"),
            values
        );
    }
}
