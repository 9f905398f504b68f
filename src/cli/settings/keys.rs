//! The keys of the configuration file.

use serde_json::Value;

use super::{MOST, is_on};

/// A key of the configuration file.
#[derive(Debug)]
pub struct Key {
    /// Name of the key.
    pub name: &'static str,
    /// Name of the option with the same meaning, or nothing.
    pub option: &'static str,
    /// Values that make sense.
    pub kind: Kind,
    /// Value that counts if nobody says anything.
    pub default: &'static str,
}

/// The values that make sense for a key.
#[derive(Debug)]
pub enum Kind {
    /// A path that does not depend on the working directory.
    Path,
    /// A path as above, or the name of a program.
    Program,
    /// A number from one to another.
    Number(u64, u64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// On or off.
    Switch,
}

/// All keys, in the order in which they are listed.
pub const KEYS: [Key; 10] = [
    key("store_path", "store-path", Kind::Path, ""),
    key("workers", "workers", Kind::Number(1, MOST), "16"),
    key(
        "link_strategy",
        "link-strategy",
        Kind::Word(&["auto", "reflink", "hardlink", "copy"]),
        "auto",
    ),
    key("no_progress", "no-progress", Kind::Switch, "false"),
    key("no_color", "no-color", Kind::Switch, "false"),
    key("composer_path", "", Kind::Program, ""),
    key("php_path", "", Kind::Program, ""),
    key("no_dev", "no-dev", Kind::Switch, "false"),
    key("no_scripts", "no-scripts", Kind::Switch, "false"),
    key("prune_stale_days", "", Kind::Number(1, 365), "90"),
];

const fn key(name: &'static str, option: &'static str, kind: Kind, default: &'static str) -> Key {
    Key {
        name,
        option,
        kind,
        default,
    }
}

impl Key {
    /// Returns the key with a name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Returns the value that a text on the command line stands for.
    ///
    /// # Errors
    /// Fails with a clause that names the key and the values that make sense.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let value = match &self.kind {
            Kind::Number(..) => match text.trim().parse::<u64>() {
                Ok(number) => Value::from(number),
                Err(_) => Value::from(text),
            },
            Kind::Switch => match text.trim().to_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => Value::from(true),
                other if !other.is_empty() && !is_on(other) => Value::from(false),
                _ => Value::from(text),
            },
            Kind::Path | Kind::Program | Kind::Word(_) => Value::from(text),
        };
        self.check(&value)?;
        Ok(value)
    }

    /// Checks a value of the file.
    ///
    /// # Errors
    /// Fails with a clause that names the key and the values that make sense.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let is_valid = match &self.kind {
            Kind::Number(least, most) => value
                .as_u64()
                .is_some_and(|number| (*least..=*most).contains(&number)),
            Kind::Switch => value.is_boolean(),
            Kind::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Kind::Path => value.as_str().is_some_and(is_fixed),
            Kind::Program => value
                .as_str()
                .is_some_and(|text| is_fixed(text) || (!text.is_empty() && !text.contains('/'))),
        };
        if is_valid {
            return Ok(());
        }
        let wanted = match &self.kind {
            Kind::Number(least, most) => format!("a number from {least} to {most}"),
            Kind::Switch => "true or false".to_owned(),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Path => "an absolute path, or one that begins with ~/".to_owned(),
            Kind::Program => "an absolute path or the name of a program".to_owned(),
        };
        let shown = value
            .as_str()
            .map_or_else(|| value.to_string(), |text| format!("\"{text}\""));
        Err(format!("{} must be {wanted}, not {shown}", self.name))
    }
}

/// Returns whether a path means the same in each working directory.
fn is_fixed(text: &str) -> bool {
    text.starts_with('/') || text.starts_with("~/") || text.starts_with('$')
}
