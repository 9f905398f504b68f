//! Reads settings (`Config::get`, composer 2.10.2).

use super::Config;
use super::value::{Array, Key, Value, is_true};
use crate::unfamiliar::Unfamiliar;

/// References within references that are followed. Composer would follow a circle forever.
const DEEPEST: usize = 16;

type Answer = Result<Value, Unfamiliar>;

impl Config<'_> {
    /// Returns the value of a setting as `Config::get` gives it, with absolute paths.
    pub fn get(&self, key: &str) -> Answer {
        self.look_up(key, false, 0)
    }

    /// Returns the value of a setting with paths as they are written, which is what
    /// `composer config` shows (`Config::RELATIVE_PATHS`).
    pub fn get_relative(&self, key: &str) -> Answer {
        self.look_up(key, true, 0)
    }

    /// Returns the name of the source of a value: `default`, a file, a variable of the environment,
    /// or `unknown` (`Config::getSourceOfValue`, composer 2.10.2).
    pub fn source_of(&self, key: &str) -> Result<String, Unfamiliar> {
        self.get(key)?;
        if is_path(key)
            || matches!(
                key,
                "process-timeout" | "cache-read-only" | "htaccess-protect"
            )
        {
            let variable = variable_of(key);
            if self.variable(&variable).is_some() {
                return Ok(variable);
            }
        }
        let source = self.sources.get(key);
        Ok(source.map_or_else(|| "unknown".to_owned(), Clone::clone))
    }

    fn look_up(&self, key: &str, relative: bool, depth: usize) -> Answer {
        match key {
            key if is_path(key) => self.path(key, relative, depth),
            "process-timeout" => self.timeout(relative, depth),
            "cache-read-only" | "htaccess-protect" => {
                let value = self.variable(&variable_of(key)).map(Value::Str);
                Ok(Value::Bool(is_on(
                    value.as_ref().unwrap_or_else(|| self.raw(key)),
                )))
            }
            "secure-http" if is_on(self.raw("disable-tls")) => Ok(Value::Bool(false)),
            "disable-tls" | "secure-http" | "use-github-api" | "lock" => {
                Ok(Value::Bool(is_on(self.raw(key))))
            }
            "source-fallback" if self.release.since(10, 0) => Ok(Value::Bool(is_on(self.raw(key)))),
            "cache-files-ttl" if *self.raw(key) == Value::Null => self.time("cache-ttl"),
            "cache-ttl" | "cache-files-ttl" => self.time(key),
            "cache-files-maxsize" => self.size(key),
            "home" => self.home_dir(relative, depth),
            "bin-compat" => self.bin_compat_value(),
            "discard-changes" => self.discard_changes_value(),
            "github-protocols" => self.github_protocols(),
            "autoloader-suffix"
                if self.release.knows_empty_suffix() && self.raw(key).as_str() == Some("") =>
            {
                Ok(Value::Null)
            }
            "audit" if self.release.since(7, 0) => self.audit_value(),
            "policy" if self.release.since(10, 0) => self.policy_value(),
            _ => self.processed(self.raw(key), relative, depth),
        }
    }

    fn path(&self, key: &str, relative: bool, depth: usize) -> Answer {
        let value = match self.variable(&variable_of(key)) {
            Some(value) => Value::Str(value),
            None => self.raw(key).clone(),
        };
        let path = match self.processed(&value, relative, depth)? {
            Value::Str(path) => path,
            Value::Null => String::new(),
            _ => return Err(unusual(key)),
        };
        if path.contains(['\\', '\n', '\0']) {
            return Err(unusual(key));
        }
        let path = self.expanded(path.trim_end_matches('/'))?;
        Ok(Value::Str(if relative || !key.ends_with("-dir") {
            path
        } else {
            self.absolute(path)
        }))
    }

    /// Makes a path absolute without looking at the disk (`Config::realpath`, composer 2.10.2).
    fn absolute(&self, path: String) -> String {
        let bytes = path.as_bytes();
        let is_drive =
            bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.get(1) == Some(&b':');
        let is_scheme = |(scheme, _): (&str, &str)| {
            !scheme.is_empty()
                && scheme
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        };
        if path.starts_with('/') || is_drive || path.split_once("://").is_some_and(is_scheme) {
            return path;
        }
        format!("{}/{path}", self.base_dir)
    }

    fn timeout(&self, relative: bool, depth: usize) -> Answer {
        const KEY: &str = "process-timeout";
        let variable = self.variable(&variable_of(KEY));
        if !self.release.clamps_numbers() {
            let value = match (variable, self.raw(KEY)) {
                (Some(value), _) => value,
                (None, Value::Int(number)) => number.to_string(),
                _ => return Err(unusual(KEY)),
            };
            let value = self.processed(&Value::Str(value), relative, depth)?;
            let value = value.as_str().ok_or_else(|| unusual(KEY))?;
            return match value.parse::<i64>() {
                Ok(number) if number.to_string() == value => Ok(Value::str(value)),
                _ => Err(unusual(KEY)),
            };
        }
        let number = match (variable, self.raw(KEY)) {
            (Some(value), _) => value.parse::<i64>().map_err(|_| unusual(KEY))?,
            (None, Value::Int(number)) => *number,
            _ => return Err(unusual(KEY)),
        };
        Ok(Value::Int(number.max(0)))
    }

    fn time(&self, key: &str) -> Answer {
        match self.raw(key) {
            Value::Int(time) if self.release.clamps_numbers() => Ok(Value::Int((*time).max(0))),
            Value::Int(time) => Ok(Value::Int(*time)),
            _ => Err(unusual(key)),
        }
    }

    /// Reads a size such as `300MiB`.
    fn size(&self, key: &str) -> Answer {
        let text = match self.raw(key) {
            Value::Str(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            _ => return Err(unusual(key)),
        };
        let text = text.trim_matches(['\t', '\n', '\u{b}', '\u{c}', '\r', ' ']);
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start_matches(['\t', '\n', '\u{b}', '\u{c}', '\r', ' ']);
        let factor: i64 = match &*unit.to_ascii_lowercase() {
            "" => 1,
            "k" | "kb" | "kib" => 1 << 10,
            "m" | "mb" | "mib" => 1 << 20,
            "g" | "gb" | "gib" => 1 << 30,
            _ => return Err(unusual(key)),
        };
        if !self.release.clamps_numbers() && unit.is_empty() {
            // Without a unit these releases return the text, which may have zeros in front.
            return if number.is_empty() {
                Err(unusual(key))
            } else {
                Ok(Value::str(number))
            };
        }
        let number: i64 = number.parse().map_err(|_| unusual(key))?;
        let size = number.checked_mul(factor).filter(|size| *size < 1 << 53);
        size.map(Value::Int).ok_or_else(|| unusual(key))
    }

    fn home_dir(&self, relative: bool, depth: usize) -> Answer {
        let home = self.raw("home").as_str().ok_or_else(|| unusual("home"))?;
        if home.contains(['\\', '\n', '\0']) {
            return Err(unusual("home"));
        }
        let home = if self.release.since(3, 0) {
            self.expanded(home)?
        } else {
            // Composer 2.2 knows no other variable here.
            let rest = ["$HOME", "~"]
                .iter()
                .find_map(|name| home.strip_prefix(name));
            match rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
                Some(rest) => {
                    let user = self.variable("HOME").filter(|user| is_true(user));
                    let user = user.ok_or_else(|| unusual("home"))?;
                    let user = user.trim_end_matches(['/', '\\']);
                    format!("{user}/{}", rest.strip_prefix('/').unwrap_or_default())
                }
                None => home.to_owned(),
            }
        };
        match self.processed(&Value::Str(home), relative, depth)? {
            Value::Str(home) => Ok(Value::str(home.trim_end_matches(['/', '\\']))),
            _ => Err(unusual("home")),
        }
    }

    fn bin_compat_value(&self) -> Answer {
        let variable = self
            .variable("COMPOSER_BIN_COMPAT")
            .filter(|value| is_true(value));
        let value = variable.map_or_else(|| self.raw("bin-compat").clone(), Value::Str);
        match value.as_str() {
            Some("auto" | "full" | "proxy") => Ok(value),
            _ => Err(unusual("bin-compat")),
        }
    }

    fn discard_changes_value(&self) -> Answer {
        let reads_all = self.release.reads_all_of_discard_changes();
        let variable = self.variable("COMPOSER_DISCARD_CHANGES");
        if let Some(value) = variable.filter(|value| reads_all || is_true(value)) {
            return match &*value {
                "stash" => Ok(Value::Str(value)),
                "true" | "1" => Ok(Value::Bool(true)),
                "false" | "0" => Ok(Value::Bool(false)),
                _ => Err(unusual("COMPOSER_DISCARD_CHANGES")),
            };
        }
        let value = self.raw("discard-changes");
        match value {
            Value::Bool(_) => Ok(value.clone()),
            Value::Str(text) if text == "stash" => Ok(value.clone()),
            _ => Err(unusual("discard-changes")),
        }
    }

    fn github_protocols(&self) -> Answer {
        const KEY: &str = "github-protocols";
        let protocols = self.raw(KEY).as_array().ok_or_else(|| unusual(KEY))?;
        let mut protocols = protocols.clone();
        if self.raw("secure-http").is_true() {
            let git = protocols
                .entries()
                .iter()
                .find(|(_, name)| name.as_str() == Some("git"));
            if let Some((key, _)) = git.cloned() {
                protocols.remove(&key);
            }
        }
        if protocols.values().next().and_then(Value::as_str) == Some("http") {
            return Err(unusual(KEY));
        }
        Ok(Value::Array(protocols))
    }

    fn audit_value(&self) -> Answer {
        let mut audit = self
            .raw("audit")
            .as_array()
            .ok_or_else(|| unusual("audit"))?
            .clone();
        if let Some(abandoned) = self.variable("COMPOSER_AUDIT_ABANDONED") {
            if !["ignore", "report", "fail"].contains(&&*abandoned) {
                return Err(unusual("COMPOSER_AUDIT_ABANDONED"));
            }
            audit.put("abandoned", Value::Str(abandoned));
        }
        let name = "COMPOSER_SECURITY_BLOCKING_ABANDONED";
        if let Some(value) = self.variable(name).filter(|_| self.release.since(9, 2)) {
            let block = match &*value {
                "0" => Value::Bool(false),
                "1" => Value::Bool(true),
                _ if self.release.since(10, 0) => {
                    switch(name, &value)?.map_or(Value::Null, Value::Bool)
                }
                _ => return Err(unusual(name)),
            };
            audit.put("block-abandoned", block);
        }
        Ok(Value::Array(audit))
    }

    fn policy_value(&self) -> Answer {
        let name = "COMPOSER_POLICY";
        let switched = self
            .variable(name)
            .map(|value| switch(name, &value))
            .transpose()?;
        let policy = self.raw("policy");
        Ok(match switched.flatten() {
            Some(false) => Value::Bool(false),
            Some(true) if *policy == Value::Bool(false) => Value::Bool(true),
            _ => policy.clone(),
        })
    }

    /// Replaces references such as `{$vendor-dir}` in a string (`Config::process`, composer
    /// 2.10.2). A reference extends to the last brace of its line, as in Composer.
    fn processed(&self, value: &Value, relative: bool, depth: usize) -> Answer {
        let Value::Str(text) = value else {
            return Ok(value.clone());
        };
        let mut replaced = String::with_capacity(text.len());
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                replaced.push('\n');
            }
            let ends = line.find("{$").zip(line.rfind('}'));
            let Some((start, end)) = ends.filter(|(start, end)| start + 2 < *end) else {
                replaced.push_str(line);
                continue;
            };
            if depth == DEEPEST {
                return Err(Unfamiliar("the configuration refers to itself".to_owned()));
            }
            replaced.push_str(&line[..start]);
            let key = &line[start + 2..end];
            match self.look_up(key, relative, depth + 1)? {
                Value::Str(text) => replaced.push_str(&text),
                Value::Null | Value::Bool(false) => {}
                Value::Bool(true) => replaced.push('1'),
                Value::Int(number) => replaced.push_str(&number.to_string()),
                Value::Float(_) | Value::Array(_) => return Err(unusual(key)),
            }
            replaced.push_str(&line[end + 1..]);
        }
        Ok(Value::Str(replaced))
    }

    /// Expands `~/`, and `$NAME` or `%NAME%` at the beginning (`Platform::expandPath`, composer
    /// 2.10.2).
    fn expanded(&self, path: &str) -> Result<String, Unfamiliar> {
        if path.starts_with("~/") {
            let home = self
                .variable("HOME")
                .ok_or_else(|| Unfamiliar("HOME is not set".to_owned()))?;
            return Ok(format!("{home}{}", &path[1..]));
        }
        let (rest, end) = match path.as_bytes().first() {
            Some(b'$') => (&path[1..], ""),
            Some(b'%') => (&path[1..], "%"),
            _ => return Ok(path.to_owned()),
        };
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let (name, rest) = rest.split_at(rest.bytes().take_while(is_word).count());
        match rest.strip_prefix(end) {
            Some(rest) if !name.is_empty() => {
                // PHP has variables of its own among those of the environment.
                if ["argv", "argc"].contains(&name)
                    || !name.starts_with(|first: char| first.is_ascii_uppercase() || first == '_')
                    || SERVER.contains(&name)
                {
                    return Err(Unfamiliar(format!(
                        "the path {path} has an unusual variable"
                    )));
                }
                Ok(self.variable(name).unwrap_or_default() + rest)
            }
            _ => Ok(path.to_owned()),
        }
    }
}

/// Variables that PHP sets in `$_SERVER` in place of those of the environment.
const SERVER: [&str; 8] = [
    "PHP_SELF",
    "SCRIPT_NAME",
    "SCRIPT_FILENAME",
    "PATH_TRANSLATED",
    "DOCUMENT_ROOT",
    "REQUEST_TIME",
    "REQUEST_TIME_FLOAT",
    "_",
];

/// Returns whether a setting is a path that the environment may replace.
fn is_path(key: &str) -> bool {
    matches!(
        key,
        "vendor-dir"
            | "bin-dir"
            | "data-dir"
            | "cache-dir"
            | "cache-files-dir"
            | "cache-repo-dir"
            | "cache-vcs-dir"
            | "cafile"
            | "capath"
    )
}

/// Returns the variable that replaces a setting.
fn variable_of(key: &str) -> String {
    format!("COMPOSER_{}", key.replace('-', "_").to_ascii_uppercase())
}

/// Returns whether a setting is on, which may be the text `false`.
fn is_on(value: &Value) -> bool {
    value.as_str() != Some("false") && value.is_true()
}

/// Reads a variable that is on, off or empty (`Platform::getBoolEnv`, composer 2.10.2).
fn switch(name: &str, value: &str) -> Result<Option<bool>, Unfamiliar> {
    match value {
        "" => Ok(None),
        "1" | "true" | "on" => Ok(Some(true)),
        "0" | "false" | "off" => Ok(Some(false)),
        _ => Err(unusual(name)),
    }
}

fn unusual(key: &str) -> Unfamiliar {
    Unfamiliar(format!("the value of {key} is unusual"))
}

impl Config<'_> {
    /// Appends to a list of domains, as credentials do (`BaseIO::loadConfiguration`, composer
    /// 2.10.2).
    pub(crate) fn imply_domain(&mut self, key: &str, domain: &str) -> Result<(), Unfamiliar> {
        let domains = self.raw(key).as_array().cloned().unwrap_or_default();
        let domain: Array = [(Key::Int(0), Value::str(domain))].into_iter().collect();
        self.merge_value(
            key,
            &Value::Array(domains.merged(&domain)),
            "implicit-due-to-auth",
        )
    }
}
