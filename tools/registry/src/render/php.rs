//! Writes PHP code that declares given classes and has a given size. It parses, and compresses
//! about as real code does.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::words::{NOUNS, PROSE, RESERVED, TYPES, VERBS};
use crate::rng::Rng;

/// Formats to the end of a text, which cannot fail.
macro_rules! put {
    ($out:expr, $($format:tt)*) => {{
        let _ = write!($out, $($format)*);
    }};
}

/// The required content of one PHP file.
pub(super) struct PhpFile<'a> {
    pub(super) package: &'a str,
    pub(super) version: &'a str,
    pub(super) reference: &'a str,
    pub(super) classes: &'a [String],
    /// Classes that Composer will load as plugins, with the expected interface.
    pub(super) plugins: &'a [(String, PluginKind)],
    /// Function to define, for a file that is loaded on every request.
    pub(super) function: Option<String>,
    pub(super) size: usize,
}

/// The interface that Composer expects of a plugin's class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginKind {
    /// `Composer\Plugin\PluginInterface`
    Plugin,
    /// `Composer\Installer\InstallerInterface`, for packages of type `composer-installer`.
    Installer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Class,
    Interface,
    Trait,
}

pub(super) fn render(file: &PhpFile<'_>, rng: &mut Rng) -> String {
    let mut out = String::with_capacity(file.size + 256);
    out.push_str("<?php\n");
    let namespaces = by_namespace(file.classes);
    if namespaces.is_empty() && file.function.is_none() {
        without_classes(&mut out, file, rng);
        return out;
    }
    if file.size > 400 {
        header(&mut out, file, rng);
    }
    if let Some(function) = &file.function {
        guarded_function(&mut out, function, file);
    }
    let one = namespaces.len() == 1 && file.function.is_none();
    let total: usize = namespaces.values().map(Vec::len).sum();
    let mut left = total;
    for (namespace, names) in &namespaces {
        let bracketed = !one;
        if bracketed {
            put!(
                out,
                "\nnamespace{}{namespace} {{\n",
                if namespace.is_empty() { "" } else { " " }
            );
        } else if !namespace.is_empty() {
            put!(out, "\nnamespace {namespace};\n");
        }
        for name in names {
            let end = out.len() + file.size.saturating_sub(out.len()) / left.max(1);
            left -= 1;
            class(&mut out, namespace, name, end, file, rng);
        }
        if bracketed {
            out.push_str("}\n");
        }
    }
    pad(&mut out, file.size, rng);
    out
}

/// Returns the declarable classes by namespace, each name once. PHP compares names without regard
/// to case.
fn by_namespace(classes: &[String]) -> BTreeMap<&str, Vec<&str>> {
    let mut seen = std::collections::HashSet::new();
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for class in classes {
        let class = class.trim_start_matches('\\');
        let (namespace, name) = class.rsplit_once('\\').unwrap_or(("", class));
        if is_declarable(namespace, name) && seen.insert(class.to_ascii_lowercase()) {
            found.entry(namespace).or_default().push(name);
        }
    }
    found
}

/// Returns whether a class may have this name. File lists of real packages also name the classes of
/// broken fixtures.
fn is_declarable(namespace: &str, name: &str) -> bool {
    let is_name = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part
                .chars()
                .all(|other| other.is_ascii_alphanumeric() || other == '_')
    };
    is_name(name)
        && (namespace.is_empty() || namespace.split('\\').all(is_name))
        && !namespace
            .to_ascii_lowercase()
            .split('\\')
            .any(|part| part == "namespace")
        && !RESERVED.contains(&name.to_ascii_lowercase().as_str())
}

fn header(out: &mut String, file: &PhpFile<'_>, rng: &mut Rng) {
    out.push_str("\n/**\n * This file is part of the package ");
    out.push_str(file.package);
    out.push_str(".\n *\n * ");
    sentence(out, 8, rng);
    put!(
        out,
        "\n *\n * @version {} {}\n */\n",
        file.version,
        file.reference
    );
}

fn without_classes(out: &mut String, file: &PhpFile<'_>, rng: &mut Rng) {
    if file.size < 120 {
        pad(out, file.size, rng);
        return;
    }
    if file.size > 400 {
        header(out, file, rng);
    }
    out.push_str("\nreturn [\n");
    let mut line = 0_usize;
    while out.len() + 100 < file.size {
        out.push_str("    '");
        out.push_str(rng.skewed::<&str>(PROSE));
        out.push('_');
        out.push_str(&line.to_string());
        out.push_str("' => '");
        sentence(out, 4, rng);
        out.push_str("',\n");
        line += 1;
    }
    out.push_str("];\n");
    pad(out, file.size, rng);
}

fn guarded_function(out: &mut String, function: &str, file: &PhpFile<'_>) {
    // The namespace has braces, because the file may continue with namespaces of its own.
    put!(
        out,
        "\nnamespace {{\n    if (!function_exists('{function}')) {{\n        function {function}(): string\n        {{\n            \
         return '{} {}';\n        }}\n    }}\n}}\n",
        file.package,
        file.version
    );
}

fn class(
    out: &mut String,
    namespace: &str,
    name: &str,
    end: usize,
    file: &PhpFile<'_>,
    rng: &mut Rng,
) {
    let full = if namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}\\{name}")
    };
    if let Some((_, plugin)) = file
        .plugins
        .iter()
        .find(|(class, _)| class.trim_start_matches('\\') == full)
    {
        plugin_class(out, name, *plugin);
        return;
    }
    let kind = if name.ends_with("Interface") {
        Kind::Interface
    } else if name.ends_with("Trait") {
        Kind::Trait
    } else {
        Kind::Class
    };
    // PHP or an extension may already have a global class of this name. Real polyfills check for it
    // too.
    let word = match kind {
        Kind::Interface => "interface",
        Kind::Trait => "trait",
        Kind::Class => "class",
    };
    out.push('\n');
    let guarded = namespace.is_empty();
    if guarded {
        put!(out, "if (!{word}_exists('{name}', false)) {{\n");
    } else if end > out.len() + 400 {
        out.push_str("/**\n * ");
        sentence(out, 9, rng);
        out.push_str("\n */\n");
    }
    out.push_str(word);
    out.push(' ');
    out.push_str(name);
    if kind == Kind::Class && (name.ends_with("Exception") || name.ends_with("Error")) {
        out.push_str(" extends \\RuntimeException");
    }
    out.push_str("\n{\n");
    if end > out.len() + 150 && kind != Kind::Trait {
        put!(
            out,
            "    public const PACKAGE_REFERENCE = '{}';\n",
            short(file.reference)
        );
    }
    members(out, kind, end.saturating_sub(4), rng);
    out.push_str(if guarded { "}\n}\n" } else { "}\n" });
}

fn short(reference: &str) -> &str {
    reference.get(..12).unwrap_or(reference)
}

fn plugin_class(out: &mut String, name: &str, kind: PluginKind) {
    match kind {
        PluginKind::Plugin => {
            put!(
                out,
                "\nclass {name} implements \\Composer\\Plugin\\PluginInterface\n{{\n"
            );
            for method in ["activate", "deactivate", "uninstall"] {
                put!(
                    out,
                    "    public function {method}(\\Composer\\Composer $composer, \\Composer\\IO\\IOInterface $io): void\n    {{\n    }}\n\n"
                );
            }
        }
        PluginKind::Installer => {
            put!(
                out,
                "\nclass {name} extends \\Composer\\Installer\\LibraryInstaller\n{{\n"
            );
            out.push_str("    public function supports(string $packageType)\n    {\n        return false;\n    }\n");
        }
    }
    out.push_str("}\n");
}

/// Writes methods, then constants or properties, until little space is left.
fn members(out: &mut String, kind: Kind, end: usize, rng: &mut Rng) {
    let mut number = 0_usize;
    let largest = if kind == Kind::Interface { 420 } else { 900 };
    while out.len() + largest < end || (number == 0 && out.len() + largest / 2 < end) {
        number += 1;
        method(out, kind, number, rng);
    }
    while out.len() + 90 < end {
        number += 1;
        out.push_str(if kind == Kind::Trait {
            "    private $"
        } else {
            "    public const "
        });
        let name = format!("{}_{}_{number}", rng.skewed(NOUNS), rng.skewed(NOUNS));
        out.push_str(&if kind == Kind::Trait {
            name.to_lowercase()
        } else {
            name.to_uppercase()
        });
        out.push_str(" = '");
        sentence(out, 3, rng);
        out.push_str("';\n");
    }
}

fn method(out: &mut String, kind: Kind, number: usize, rng: &mut Rng) {
    let (noun, other) = (*rng.skewed(NOUNS), *rng.skewed(NOUNS));
    let parameter = lower_first(noun);
    let kind_of = rng.skewed(TYPES);
    let name = format!(
        "{}{noun}{other}{}",
        rng.skewed(VERBS),
        if number > 9 {
            number.to_string()
        } else {
            digits(number)
        }
    );
    out.push_str("    /**\n     * ");
    sentence(out, 7, rng);
    out.push_str("\n     *\n     * @param ");
    out.push_str(kind_of);
    out.push_str(" $");
    out.push_str(&parameter);
    out.push(' ');
    sentence(out, 3, rng);
    out.push_str("\n     * @param array<string, mixed> $options\n     *\n     * @return array|null\n     */\n    public function ");
    out.push_str(&name);
    put!(out, "({kind_of} ${parameter}, array $options = []): ?array");
    if kind == Kind::Interface {
        out.push_str(";\n\n");
        return;
    }
    out.push_str("\n    {\n");
    for _ in 0..rng.range(1, 3) {
        statement(out, &parameter, &lower_first(other), rng);
    }
    out.push_str("        return $options;\n    }\n\n");
}

/// Returns a word for a small number. It keeps method names apart without looking counted.
fn digits(number: usize) -> String {
    ["", "", "For", "By", "With", "From", "As", "On", "At", "In"][number].to_owned()
}

fn statement(out: &mut String, parameter: &str, local: &str, rng: &mut Rng) {
    let word = rng.skewed(PROSE);
    match rng.below(6) {
        0 => put!(
            out,
            "        if (${parameter} === null) {{\n            return null;\n        }}\n\n"
        ),
        1 => put!(
            out,
            "        foreach ($options as $key => $value) {{\n            ${local}[$key] = $this->{}{}($value);\n        }}\n\n",
            rng.skewed(VERBS),
            rng.skewed(NOUNS)
        ),
        2 => put!(
            out,
            "        $options['{word}'] = isset($options['{word}']) ? $options['{word}'] : ${parameter};\n"
        ),
        3 => put!(
            out,
            "        ${local} = sprintf('{word} \"%s\" {} {}.', json_encode(${parameter}));\n",
            rng.skewed(PROSE),
            rng.skewed(PROSE)
        ),
        4 => put!(
            out,
            "        if (isset($options['{word}'])) {{\n            throw new \\InvalidArgumentException('{} {} {word}.');\n        }}\n\n",
            rng.skewed(NOUNS),
            rng.skewed(PROSE)
        ),
        _ => put!(
            out,
            "        // {} {} {word}\n        ${local} = array_merge($options, ['{}' => ${parameter}]);\n",
            rng.skewed(PROSE),
            rng.skewed(PROSE),
            rng.skewed(PROSE)
        ),
    }
}

pub(super) fn lower_first(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_ascii_lowercase().to_string() + characters.as_str()
    })
}

/// Returns some words of prose. They have letters and spaces only, so they fit into any comment or
/// string.
pub(super) fn sentence(out: &mut String, words: usize, rng: &mut Rng) {
    for index in 0..rng.range(words.saturating_sub(2).max(1), words + 2) {
        if index > 0 {
            out.push(' ');
        }
        out.push_str(rng.skewed::<&str>(PROSE));
    }
}

/// Adds comment lines up to exactly `size` bytes. A longer text stays as it is.
fn pad(out: &mut String, size: usize, rng: &mut Rng) {
    while out.len() < size {
        let left = size - out.len();
        if left < 8 {
            out.extend(std::iter::repeat_n('\n', left));
            return;
        }
        // A rest of less than 8 bytes would give empty lines, so one comment becomes longer.
        let length = if left < 80 { left } else { 72 };
        let start = out.len();
        out.push_str("// ");
        while out.len() - start < length {
            out.push_str(rng.skewed::<&str>(PROSE));
            out.push(' ');
        }
        out.truncate(start + length - 1);
        out.push('\n');
    }
}
