//! The texts of programs in the bin directory, learned from samples that Composer has written.
//!
//! Composer's texts differ between versions, and distributions change them. A template is a sample
//! in which the known paths of the sample are replaced by marks.

use std::collections::BTreeMap;

use super::paths;

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Value(Mark),
}

/// A value that differs between programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Path of the program, as a PHP expression.
    ProgramCode,
    /// Path of the autoloader, as a PHP expression.
    AutoloadCode,
    /// Path of the program relative to the proxy.
    Program,
    /// Directory of the program relative to the proxy, in quotes.
    Directory,
    /// File name of the program.
    FileName,
    /// Name of the interpreter.
    Caller,
}

/// Values for the marks of a template.
pub(super) type Values<'a> = &'a [(Mark, &'a str)];

/// A text with places for values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

impl Template {
    /// Makes a template of a sample, in which the values stand. Each value must occur.
    fn learn(sample: &[u8], values: Values<'_>) -> Option<Self> {
        let mut parts = vec![Part::Text(sample.to_vec())];
        for &(mark, value) in values {
            let before = parts.len();
            parts = parts
                .into_iter()
                .flat_map(|part| match part {
                    Part::Text(text) => split(&text, value.as_bytes(), mark),
                    value @ Part::Value(_) => vec![value],
                })
                .collect();
            if parts.len() == before {
                return None;
            }
        }
        Some(Self(parts))
    }

    /// Returns the text with these values.
    pub(super) fn render(&self, values: Values<'_>) -> Vec<u8> {
        let mut text = Vec::new();
        for part in &self.0 {
            match part {
                Part::Text(bytes) => text.extend_from_slice(bytes),
                Part::Value(mark) => {
                    let value = values.iter().find(|(known, _)| known == mark);
                    text.extend_from_slice(value.map_or(b"", |(_, value)| value.as_bytes()));
                }
            }
        }
        text
    }

    /// Returns the lines of the template that hold a word, as a template.
    fn lines_with(&self, word: &str) -> Option<Self> {
        let mut lines: Vec<Vec<Part>> = vec![Vec::new()];
        for part in &self.0 {
            match part {
                Part::Text(text) => {
                    for piece in text.split_inclusive(|byte| *byte == b'\n') {
                        lines.last_mut()?.push(Part::Text(piece.to_vec()));
                        if piece.ends_with(b"\n") {
                            lines.push(Vec::new());
                        }
                    }
                }
                value @ Part::Value(_) => lines.last_mut()?.push(value.clone()),
            }
        }
        let has_word = |line: &Vec<Part>| {
            line.iter().any(|part| {
                matches!(part, Part::Text(text)
                    if memchr::memmem::find(text, word.as_bytes()).is_some())
            })
        };
        let found: Vec<Part> = lines.into_iter().filter(has_word).flatten().collect();
        (!found.is_empty()).then_some(Self(found))
    }

    /// Returns the template with another one put behind the line of a mark.
    fn with_lines_after(&self, mark: Mark, lines: &Self) -> Option<Self> {
        let at = self.0.iter().position(|part| *part == Part::Value(mark))?;
        let Part::Text(after) = self.0.get(at + 1)? else {
            return None;
        };
        let end = memchr::memchr(b'\n', after)? + 1;
        let mut parts = self.0[..=at].to_vec();
        parts.push(Part::Text(after[..end].to_vec()));
        parts.extend(lines.0.iter().cloned());
        parts.push(Part::Text(after[end..].to_vec()));
        parts.extend(self.0[at + 2..].iter().cloned());
        Some(Self(parts))
    }
}

fn split(text: &[u8], value: &[u8], mark: Mark) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut start = 0;
    for at in memchr::memmem::find_iter(text, value) {
        parts.push(Part::Text(text[start..at].to_vec()));
        parts.push(Part::Value(mark));
        start = at + value.len();
    }
    parts.push(Part::Text(text[start..].to_vec()));
    parts
}

/// Files of the sample project that a template is made of, relative to its vendor directory.
pub mod sample {
    /// Package with the sample programs.
    pub const PACKAGE: &str = "allegro-probe/programs";
    /// Directory of the sample programs in their package.
    pub const DIRECTORY: &str = "texts";
    /// PHP program without a line for the kernel.
    pub const PLAIN: &str = "probe-plain";
    /// PHP program with a line for the kernel.
    pub const SHEBANG: &str = "probe-shebang";
    /// Program that the interpreter [`CALLER`] runs.
    pub const SHELL: &str = "probe-shell";
    /// Interpreter of the program [`SHELL`].
    pub const CALLER: &str = "probe-caller";
    /// Line for the kernel of the program [`SHEBANG`].
    pub const FIRST_LINE: &str = "#!/usr/bin/env -S php -n";
    /// PHP program with blank space at its beginning.
    pub const SPACE: &str = "probe-space";
    /// PHP program with a line for the kernel that is longer than 500 bytes.
    pub const LONG: &str = "probe-long";
    /// PHP program that lies outside of its package.
    pub const OUTSIDE: &str = "probe-outside";
    /// PHPUnit's own program, which has the same line for the kernel.
    pub const PHPUNIT: &str = "phpunit";
}

/// The word that is in each line that Composer adds for PHPUnit.
const PHPUNIT_LINE: &str = "__PHPUNIT_ISOLATION_EXCLUDE_LIST";

/// The line for the kernel that Composer writes for a program without one.
pub(super) const DEFAULT_FIRST_LINE: &str = "#!/usr/bin/env php";

/// Templates of all texts in a bin directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates {
    /// Proxy of a PHP program without a line for the kernel.
    pub(super) plain: Template,
    /// Proxy of a PHP program with a line for the kernel.
    pub(super) shebang: Template,
    /// As `plain`, for PHPUnit.
    pub(super) phpunit_plain: Template,
    /// As `shebang`, for PHPUnit.
    pub(super) phpunit_shebang: Template,
    /// Proxy of another program.
    pub(super) shell: Template,
    /// File for `cmd.exe`. Its mark [`Mark::Program`] is a program or a proxy.
    pub(super) batch: Template,
}

impl Templates {
    /// Makes templates of the sample files, which have names such as `bin/probe-plain`.
    ///
    /// The function returns `None` if a file is missing, or if the templates don't reproduce the
    /// samples.
    pub fn learn(samples: &BTreeMap<String, Vec<u8>>) -> Option<Self> {
        let program = |name: &str| match name {
            sample::PHPUNIT => "/v/phpunit/phpunit/phpunit".to_owned(),
            _ => format!("/v/{}/{}/{name}", sample::PACKAGE, sample::DIRECTORY),
        };
        let php = |name: &str, first_line: &str| {
            let (link, program) = (format!("/v/bin/{name}"), program(name));
            let text = samples.get(&format!("bin/{name}"))?;
            let text = text.strip_prefix(format!("{first_line}\n").as_bytes())?;
            let values = [
                (Mark::ProgramCode, paths::code(&link, &program, false).ok()?),
                (
                    Mark::AutoloadCode,
                    paths::code(&link, "/v/autoload.php", false).ok()?,
                ),
                (Mark::Program, paths::relative(&link, &program, false).ok()?),
            ];
            let values = values.each_ref().map(|(mark, text)| (*mark, text.as_str()));
            let template = Template::learn(text, &values)?;
            (template.render(&values) == text).then_some(template)
        };
        let plain = php(sample::PLAIN, DEFAULT_FIRST_LINE)?;
        let shebang = php(sample::SHEBANG, sample::FIRST_LINE)?;
        let phpunit_shebang = php(sample::PHPUNIT, sample::FIRST_LINE)?;
        let phpunit_plain = match phpunit_shebang.lines_with(PHPUNIT_LINE) {
            Some(lines) => plain.with_lines_after(Mark::AutoloadCode, &lines)?,
            // Composer 2.2.0 and 2.2.1 treat PHPUnit as any program.
            None if phpunit_shebang == shebang => plain.clone(),
            None => return None,
        };
        let shell = Self::shell(samples, &program(sample::SHELL))?;
        let batch = Self::batch(samples, &program(sample::SHELL))?;
        Some(Self {
            plain,
            shebang,
            phpunit_plain,
            phpunit_shebang,
            shell,
            batch,
        })
    }

    fn shell(samples: &BTreeMap<String, Vec<u8>>, program: &str) -> Option<Template> {
        let text = samples.get(&format!("bin/{}", sample::SHELL))?;
        let path = paths::relative(&format!("/v/bin/{}", sample::SHELL), program, false).ok()?;
        let directory = paths::shell_quoted(paths::directory_name(&path));
        let values = [
            (Mark::Directory, directory.as_str()),
            (Mark::FileName, sample::SHELL),
        ];
        Template::learn(text, &values)
    }

    fn batch(samples: &BTreeMap<String, Vec<u8>>, program: &str) -> Option<Template> {
        let text = samples.get(&format!("bin/{}.bat", sample::SHELL))?;
        let link = format!("/v/bin/{}.bat", sample::SHELL);
        let path = paths::relative(&link, program, false).ok()?;
        let values = [
            (Mark::Program, path.as_str()),
            (Mark::Caller, sample::CALLER),
        ];
        let template = Template::learn(text, &values)?;
        // The proxy of a PHP program has the same form. Its target is the proxy beside it.
        let php = [(Mark::Program, sample::PLAIN), (Mark::Caller, "php")];
        let known = samples.get(&format!("bin/{}.bat", sample::PLAIN))?;
        (template.render(&php) == *known).then_some(template)
    }
}
