//! Makes the programs of packages callable in the bin directory, as Composer's `BinaryInstaller`
//! does.
//!
//! [`Bins::action`] decides from the state of the files, and [`Bins::install`] and [`Bins::remove`]
//! read the state and carry the decision out. The texts come from [`Templates`].

mod files;
mod paths;
mod templates;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use allegro_composer::Unfamiliar;
use regex::bytes::Regex;

pub use files::Failure;
pub use templates::{Templates, sample};

use templates::{DEFAULT_FIRST_LINE, Mark};

/// Behaviour of `BinaryInstaller` that differs between versions of Composer, apart from the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub struct Traits {
    /// Whether blank space may stand before `<?php` (since 2.2.3).
    pub space_before_php: bool,
    /// Whether a directory in a program's place is reported (since 2.2.5).
    pub reports_directories: bool,
    /// Whether relative paths may lead through the root directory (since 2.5.0).
    pub across_root: bool,
    /// Whether the autoloader is named by the vendor directory without links (since 2.7.5).
    pub resolves_vendor: bool,
    /// Whether only the first 500 bytes of a program count (since 2.7.8).
    pub reads_head: bool,
    /// Whether a program must lie in its package after all links are resolved. Composer's answer to
    /// GHSA-96h3-5x6v-m776 has this rule, also in old versions of distributions.
    pub confines: bool,
}

impl Traits {
    /// Returns the behaviour of a Composer, as far as its samples show it, and otherwise that of its
    /// version. Distributions change what their Composer does, but not its version.
    ///
    /// The function returns `None` for an unknown version, or if a sample is missing.
    pub fn learn(version: &str, samples: &BTreeMap<String, Vec<u8>>) -> Option<Self> {
        let text = |name: &str| samples.get(&format!("bin/{name}"));
        let has_php = |name: &str| Some(memchr::memmem::find(text(name)?, b"<?php").is_some());
        Some(Self {
            space_before_php: has_php(sample::SPACE)?,
            reads_head: !has_php(sample::LONG)?,
            confines: text(sample::OUTSIDE).is_none(),
            ..Self::of(version)?
        })
    }

    /// Returns the behaviour of a published version of Composer, such as `2.8.8`, if it is known.
    pub fn of(version: &str) -> Option<Self> {
        let numbers: Vec<u32> = version
            .split('.')
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?;
        let [2, minor @ 2..=11, patch] = numbers[..] else {
            return None;
        };
        let since = |other: (u32, u32)| (minor, patch) >= other;
        Some(Self {
            space_before_php: since((2, 3)),
            reports_directories: since((2, 5)),
            across_root: since((5, 0)),
            resolves_vendor: since((7, 5)),
            reads_head: since((7, 8)),
            confines: false,
        })
    }
}

/// The bin directory of a project.
#[derive(Debug, Clone, Copy)]
pub struct Bins<'a> {
    /// Behaviour of the Composer in use.
    pub traits: Traits,
    /// Texts of the Composer in use.
    pub templates: &'a Templates,
    /// Bin directory as the configuration has it, absolute.
    pub bin_dir: &'a str,
    /// Vendor directory as the configuration has it, absolute.
    pub vendor_dir: &'a str,
    /// Vendor directory without links.
    pub vendor_real: &'a str,
    /// Whether each program gets a file for `cmd.exe` too: `bin-compat` is `full`, or it is `auto`
    /// in the Windows Subsystem for Linux.
    pub full: bool,
    /// The umask of the process, because files become executable for all whom it allows.
    pub umask: u32,
}

/// A program of a package.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// Name of the package in lower case, for messages.
    pub package: &'a str,
    /// Program as the package writes it.
    pub bin: &'a str,
    /// Directory of the package, absolute.
    pub directory: &'a str,
}

/// State of the file that a package names as a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// Nothing is there.
    Missing,
    /// A directory is there.
    Directory,
    /// A file is there that doesn't lie in the package, because of a link or of `..`.
    Outside,
    /// A file is there, with these bytes at its beginning.
    File(&'a [u8]),
}

/// State of a place in the bin directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nothing is there, or a link that leads nowhere.
    Free,
    /// A link to the program is there.
    Link,
    /// A link to something else is there.
    OtherLink,
    /// A file or a directory is there.
    Taken,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Path of the file.
    pub path: String,
    /// Content of the file.
    pub text: Vec<u8>,
}

/// The steps that make a program callable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing happens but this message, if there is one.
    Skip(Option<String>),
    /// The files are written and become executable, and so does the program.
    Write {
        /// Whether the link in the place of the proxy is removed first.
        replaces_link: bool,
        /// Proxy, which a file of type `.bat` doesn't get.
        proxy: Option<Text>,
        /// File for `cmd.exe`. A place that is taken keeps its file.
        batch: Option<Text>,
        /// Message for the case that the place of `batch` is taken.
        batch_is_taken: Option<String>,
    },
}

/// The number of bytes at the beginning of a program that count since Composer 2.7.8.
pub const HEAD: usize = 500;

#[expect(clippy::expect_used, reason = "the patterns are constants")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a valid pattern")
}

static PHP: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?-u)\A(#!.*\r?\n)?([\r\n\t ]*)<\?php"));
static CALLER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?-u)\A#!/(?:usr/bin/env )?(?:[^/]+/)*(.+)"));

/// The beginning of a program that a longer text may still make a match of [`PHP`].
static UNDECIDED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?-u)\A(?:#!.*|(?:#!.*\r?\n)?[\r\n\t ]*(?:<(?:\?(?:p(?:hp?)?)?)?)?)\z")
});

/// Returns whether the beginning of a program decides about its proxy, whatever follows.
fn decides(head: &[u8]) -> bool {
    memchr::memchr(b'\n', head).is_some() && !UNDECIDED.is_match(head)
}

impl Bins<'_> {
    /// Checks whether the names of a package's programs are familiar. The other functions fail for
    /// names that this function rejects.
    pub fn check<'b>(
        &self,
        directory: &str,
        bins: impl IntoIterator<Item = &'b str>,
    ) -> Result<(), Unfamiliar> {
        for path in [self.bin_dir, self.vendor_dir, self.vendor_real] {
            paths::normalized(path)?;
        }
        for bin in bins {
            link_name(bin)?;
            paths::normalized(&format!("{directory}/{bin}"))?;
        }
        Ok(())
    }

    /// Decides what happens to a program (`BinaryInstaller::installBinaries`, composer 2.10.2).
    ///
    /// `bin_dir` is the bin directory without links. `reports_conflicts` is false for the check at
    /// the end of a run.
    pub fn action(
        &self,
        program: Program<'_>,
        target: Target<'_>,
        bin_dir: &str,
        place: Place,
        reports_conflicts: bool,
    ) -> Result<Action, Unfamiliar> {
        let Program { package, bin, .. } = program;
        let skipped = |reason: &str| {
            Action::Skip(Some(format!(
                "    <warning>Skipped installation of bin {bin} for package {package}: {reason}\
                 </warning>"
            )))
        };
        let head = match target {
            Target::Missing => return Ok(skipped("file not found in package")),
            Target::Directory if self.traits.reports_directories => {
                return Ok(skipped("found a directory at that path"));
            }
            Target::Directory => {
                return Err(Unfamiliar(format!("the program {bin} is a directory")));
            }
            Target::Outside => {
                return Ok(skipped(
                    "the bin resolves to a path outside of the package directory",
                ));
            }
            Target::File(head) => head,
        };
        if place == Place::Taken {
            let message = format!(
                "    Skipped installation of bin {bin} for package {package}: name conflicts with \
                 an existing file"
            );
            return Ok(Action::Skip(reports_conflicts.then_some(message)));
        }
        let path = format!("{}/{bin}", program.directory);
        let link = format!("{bin_dir}/{}", link_name(bin)?);
        // An extension `.bat` belongs to a program of Windows, which needs no proxy.
        let is_batch = has_suffix(bin, ".bat");
        let proxy = if self.full && is_batch {
            None
        } else {
            Some(Text {
                text: self.proxy(&path, &link, head)?,
                path: link.clone(),
            })
        };
        let batch = if self.full {
            let link = if is_batch { link } else { link + ".bat" };
            Some(Text {
                text: self.batch(&path, &link, head)?,
                path: link,
            })
        } else {
            None
        };
        let batch_is_taken = (self.full && !is_batch).then(|| {
            format!(
                "    Skipped installation of bin {bin}.bat proxy for package {package}: a .bat \
                 proxy was already installed"
            )
        });
        Ok(Action::Write {
            replaces_link: place == Place::Link,
            proxy,
            batch,
            batch_is_taken,
        })
    }

    /// Returns the text that calls a program (`BinaryInstaller::generateUnixyProxyCode`, composer
    /// 2.10.2).
    fn proxy(&self, program: &str, link: &str, head: &[u8]) -> Result<Vec<u8>, Unfamiliar> {
        let across_root = self.traits.across_root;
        let path = paths::relative(link, program, across_root)?;
        let head = if self.traits.reads_head {
            &head[..head.len().min(HEAD)]
        } else {
            head
        };
        let php = PHP.captures(head).filter(|found| {
            self.traits.space_before_php || found.get(2).is_none_or(|space| space.is_empty())
        });
        let Some(php) = php else {
            let directory = paths::shell_quoted(paths::directory_name(&path));
            return Ok(self.templates.shell.render(&[
                (Mark::Directory, &directory),
                (Mark::FileName, paths::base_name(&path)),
            ]));
        };
        let is_phpunit = paths::normalized(program)?
            == paths::normalized(&format!("{}/phpunit/phpunit/phpunit", self.vendor_dir))?;
        let first_line = php.get(1).map(|found| trimmed(found.as_bytes()));
        let template = match (is_phpunit, first_line.is_some()) {
            (false, false) => &self.templates.plain,
            (false, true) => &self.templates.shebang,
            (true, false) => &self.templates.phpunit_plain,
            (true, true) => &self.templates.phpunit_shebang,
        };
        let vendor_dir = if self.traits.resolves_vendor {
            self.vendor_real
        } else {
            self.vendor_dir
        };
        let program_code = paths::code(link, program, across_root)?;
        let autoload_code = paths::code(link, &format!("{vendor_dir}/autoload.php"), across_root)?;
        let mut text = first_line.unwrap_or(DEFAULT_FIRST_LINE.as_bytes()).to_vec();
        text.push(b'\n');
        text.extend(template.render(&[
            (Mark::ProgramCode, &program_code),
            (Mark::AutoloadCode, &autoload_code),
            (Mark::Program, &path),
        ]));
        Ok(text)
    }

    /// Returns the text of a file for `cmd.exe` (`BinaryInstaller::generateWindowsProxyCode`,
    /// composer 2.10.2).
    fn batch(&self, program: &str, link: &str, head: &[u8]) -> Result<Vec<u8>, Unfamiliar> {
        let path = paths::relative(link, program, self.traits.across_root)?;
        let caller = caller(program, head)?;
        let target = if caller == "php" {
            let name = paths::base_name(link);
            // PHP leaves a suffix in place that is the whole name.
            name.strip_suffix(".bat")
                .filter(|stem| !stem.is_empty())
                .unwrap_or(name)
        } else {
            &path
        };
        let quoted = paths::shell_quoted(target);
        Ok(self.templates.batch.render(&[
            (Mark::Program, quoted.trim_matches(['\'', '"'])),
            (Mark::Caller, &caller),
        ]))
    }
}

/// Returns the name under which a program stands in the bin directory.
fn link_name(bin: &str) -> Result<&str, Unfamiliar> {
    let name = paths::base_name(bin);
    let is_plain = bin.is_ascii() && !bin.contains(|letter: char| letter.is_ascii_control());
    if !is_plain || matches!(name, "" | "." | "..") || bin.contains('\\') {
        return Err(Unfamiliar(format!(
            "the name of the program {bin} is unusual"
        )));
    }
    Ok(name)
}

/// Returns the interpreter of a program (`BinaryInstaller::determineBinaryCaller`, composer
/// 2.10.2).
fn caller(program: &str, head: &[u8]) -> Result<String, Unfamiliar> {
    if has_suffix(program, ".bat") || has_suffix(program, ".exe") {
        return Ok("call".to_owned());
    }
    if head.is_empty() {
        // PHP reads no line here, for which versions of Composer have different answers.
        return Err(Unfamiliar(format!("the program {program} is empty")));
    }
    let end = memchr::memchr(b'\n', head).unwrap_or(head.len());
    let Some(found) = CALLER.captures(&head[..end]).and_then(|found| found.get(1)) else {
        return Ok("php".to_owned());
    };
    let caller = trimmed(found.as_bytes()).to_vec();
    String::from_utf8(caller).map_err(|_| {
        Unfamiliar(format!(
            "the interpreter of the program {program} is unusual"
        ))
    })
}

/// Returns whether a path ends with a suffix in lower case, the only case that Composer knows.
fn has_suffix(path: &str, suffix: &str) -> bool {
    path.ends_with(suffix)
}

/// Returns a text without the blank space that PHP's `trim` removes.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0 | 0x0b);
    let start = text.iter().position(|byte| !is_blank(byte));
    let end = text.iter().rposition(|byte| !is_blank(byte));
    match (start, end) {
        (Some(start), Some(end)) => &text[start..=end],
        _ => b"",
    }
}

#[cfg(test)]
mod tests;
