//! The PHP that Composer runs in, and the command line by which listeners start it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use allegro_composer::Unfamiliar;
use serde::Deserialize;

use super::lookup;
use super::step::escape;
use super::variables::{Variables, integer};

/// The limit below which Composer raises `memory_limit` (`bin/composer`, composer 2.10.2).
const MEMORY: i64 = 1536 << 20;

/// Prints the fields of [`Php`] as JSON.
const PROBE: &str = r"
echo json_encode([
    'binary' => PHP_BINARY,
    'sapi' => PHP_SAPI,
    'version' => PHP_VERSION_ID,
    'allow_url_fopen' => (string) ini_get('allow_url_fopen'),
    'disable_functions' => (string) ini_get('disable_functions'),
    'memory_limit' => (string) ini_get('memory_limit'),
    'has_xdebug' => extension_loaded('xdebug'),
], JSON_INVALID_UTF8_SUBSTITUTE);";

/// What is known about a PHP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Php {
    /// The constant `PHP_BINARY`.
    pub binary: PathBuf,
    /// The constant `PHP_SAPI`.
    pub sapi: String,
    /// The constant `PHP_VERSION_ID`.
    pub version: u32,
    /// The setting `allow_url_fopen` as `ini_get` returns it.
    pub allow_url_fopen: String,
    /// The setting `disable_functions` as `ini_get` returns it.
    pub disable_functions: String,
    /// The setting `memory_limit` as the configuration has it.
    pub memory_limit: String,
    /// Whether Xdebug is loaded. Composer then starts itself a second time.
    pub has_xdebug: bool,
}

impl Php {
    /// Asks a PHP for its facts. This starts it once.
    ///
    /// # Errors
    /// The program doesn't start, or its answer makes no sense.
    pub fn probe(path: &Path) -> io::Result<Self> {
        let output = Command::new(path)
            .args(["-r", PROBE])
            .stdin(Stdio::null())
            .output()?;
        serde_json::from_slice(&output.stdout).map_err(io::Error::from)
    }

    /// Checks that Composer runs in this PHP without peculiarities.
    pub(super) fn check(&self) -> Result<(), Unfamiliar> {
        if self.has_xdebug {
            return Err(Unfamiliar("Xdebug is loaded".to_owned()));
        }
        if self.sapi != "cli" {
            return Err(Unfamiliar(format!("PHP is built for {}", self.sapi)));
        }
        let needed = ["proc_open", "putenv", "getenv", "ini_set", "exec"];
        let mut disabled = self.disable_functions.split([',', ' ']);
        match disabled.find(|name| needed.contains(name)) {
            Some(name) => Err(Unfamiliar(format!("the PHP function {name} is disabled"))),
            None => Ok(()),
        }
    }

    /// Returns the `memory_limit` under which Composer runs (`bin/composer`, composer 2.10.2).
    ///
    /// # Errors
    /// `COMPOSER_MEMORY_LIMIT` is no number of bytes.
    pub(super) fn memory_limit(&self, variables: &Variables) -> Result<String, Unfamiliar> {
        if variables.is_true("COMPOSER_MEMORY_LIMIT") {
            let given = variables
                .get("COMPOSER_MEMORY_LIMIT")
                .and_then(OsStr::to_str);
            return given
                .filter(|given| is_size(given))
                .map(str::to_owned)
                .ok_or_else(|| Unfamiliar("COMPOSER_MEMORY_LIMIT is no size".to_owned()));
        }
        let limit = self.memory_limit.trim();
        let is_limited = limit != "-1";
        Ok(if is_limited && bytes(limit) < MEMORY {
            "1536M".to_owned()
        } else {
            self.memory_limit.clone()
        })
    }

    /// Returns the path by which Composer starts PHP (`PhpExecutableFinder::find`,
    /// symfony/process 5.4).
    pub(super) fn find(&self, variables: &Variables, root: &Path) -> Option<Vec<u8>> {
        if !variables.is_true("PHP_BINARY") {
            return Some(self.binary.as_os_str().as_bytes().to_vec());
        }
        let given = variables.get("PHP_BINARY")?.to_owned();
        let found = if lookup::is_executable(&root.join(&given)) {
            given.into_vec()
        } else {
            lookup::program(given.as_bytes(), variables.get("PATH"), root)?
        };
        let is_directory = root.join(OsStr::from_bytes(&found)).is_dir();
        (!is_directory).then_some(found)
    }

    /// Returns the start of a command line that runs PHP (`EventDispatcher::getPhpExecCommand`,
    /// composer 2.10.2).
    pub(super) fn command(&self, memory_limit: &str, binary: &[u8]) -> Vec<u8> {
        let mut command = escape_bytes(binary);
        for (name, value) in [
            ("allow_url_fopen", self.allow_url_fopen.as_str()),
            ("disable_functions", &self.disable_functions),
            ("memory_limit", memory_limit),
        ] {
            command.extend_from_slice(format!(" -d {name}={}", escape(value)).as_bytes());
        }
        command
    }
}

/// Returns the bytes as one word for the shell.
pub(super) fn escape_bytes(word: &[u8]) -> Vec<u8> {
    let mut escaped = vec![b'\''];
    for &byte in word {
        match byte {
            b'\'' => escaped.extend_from_slice(b"'\\''"),
            _ => escaped.push(byte),
        }
    }
    escaped.push(b'\'');
    escaped
}

fn is_size(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let digits = digits
        .strip_suffix(['k', 'K', 'm', 'M', 'g', 'G'])
        .unwrap_or(digits);
    !digits.is_empty() && digits.len() < 16 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the bytes that a size such as `128M` means.
fn bytes(size: &str) -> i64 {
    let shift = match size.bytes().last().map(|unit| unit.to_ascii_lowercase()) {
        Some(b'g') => 30,
        Some(b'm') => 20,
        Some(b'k') => 10,
        _ => 0,
    };
    integer(OsStr::new(size)).saturating_mul(1 << shift)
}
