//! Finds the class names that Composer's `PhpFileParser` finds in a file.
//!
//! Parsing takes three steps, one module each, because each step sees exactly the output of the one
//! before:
//!
//! 1. [`strip`]: `php_strip_whitespace`, the running PHP's own lexer without comments and
//!    superfluous blanks
//! 2. [`clean`]: Composer's cleaner, which drops strings, heredocs and text outside of PHP, by
//!    simpler rules than PHP's
//! 3. [`names`]: the pattern for declarations
//!
//! No step can be left out. The steps disagree on what is code, for which a quote in an
//! interpolation is enough. Files that PHP could not even compile have class names too.

mod bytes;
mod clean;
mod names;
mod strip;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// The settings that decide how a PHP file is read: the PHP that runs Composer, and the parser of
/// its class-map-generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dialect {
    /// `PHP_VERSION_ID` of the PHP that runs Composer.
    pub php: u32,
    /// `short_open_tag` of that PHP: whether `<?` alone opens PHP for its lexer.
    pub short_open_tag: bool,
    /// Whether a backslash before a keyword makes it part of a name (class-map-generator 1.3.4 and
    /// later).
    pub backslash_guards: bool,
}

#[cfg(any(test, feature = "testing"))]
impl Dialect {
    /// PHP 8.2 with default settings and the class-map-generator of Composer 2.5. Tests use this
    /// dialect when any will do.
    pub const PHP_8_2: Self = Self {
        php: 80_200,
        short_open_tag: false,
        backslash_guards: false,
    };
}

/// The error for a file that this scanner leaves to PHP itself, with a short reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsure(pub &'static str);

/// The versions of PHP whose lexer [`strip`] follows. Enums exist from 8.1 on, and a later lexer is
/// not known yet.
const KNOWN: std::ops::Range<u32> = 80100..80600;

/// Returns the class names in the order of their declarations, as bytes (names needn't be UTF-8).
///
/// The result holds for a PHP without `zend.multibyte`, which converts files before it reads them.
/// The function takes time in proportion to the file, and memory of at most a few times its size.
pub fn find_classes(source: &[u8], dialect: Dialect) -> Result<Vec<Vec<u8>>, Unsure> {
    if !KNOWN.contains(&dialect.php) {
        return Err(Unsure("this version of PHP"));
    }
    if source.is_empty() {
        return Ok(Vec::new());
    }
    let stripped = strip::strip(source, dialect)?;
    if stripped.is_empty() {
        return Err(Unsure("nothing but comments"));
    }
    let candidates = names::candidates(&stripped);
    let cleaned = clean::clean(&stripped, candidates == 1);
    let names = names::names(&cleaned, dialect.backslash_guards);
    if candidates == 0 && !names.is_empty() {
        // The cleaner made the declaration, for instance of `class/**/ A` in backticks. Not all
        // parsers go on that far.
        return Err(Unsure("a declaration that was no candidate"));
    }
    Ok(names)
}
