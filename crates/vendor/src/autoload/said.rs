//! The messages of a dump, as Composer hands them to its output.

use std::collections::HashSet;

use allegro_composer::Unfamiliar;
use indexmap::IndexMap;

use super::DumpPlan;
use super::paths::normalize;
use super::render::Codes;
use super::traits::{Ambiguity, Violations};
use crate::classmap::{Scan, ScanKind};

/// The page about exclusions.
const PAGE: &str = "https://getcomposer.org/doc/04-schema.md#exclude-files-from-classmaps";

/// Returns the warnings about classes (`AutoloadGenerator::dump`, composer 2.10.2), and how many of
/// them are about classes that don't fit their paths.
pub fn of_scan(plan: &DumpPlan, scan: &Scan) -> Result<(Vec<String>, usize), Unfamiliar> {
    if plan.traits.ambiguity == Ambiguity::BuiltIn {
        return if scan.ambiguous.is_empty() && scan.rejected.is_empty() {
            Ok((Vec::new(), 0))
        } else {
            let reason = "classes are ambiguous, or don't fit their paths";
            Err(Unfamiliar(reason.to_owned()))
        };
    }
    let mut messages = ambiguous(plan, scan);
    if !messages.is_empty()
        && let Some(key) = plan.traits.ambiguity_hint
    {
        messages.push(format!(
            "<info>To resolve ambiguity in classes not under your control you can ignore them by \
             path using <href={PAGE}>{key}</>"
        ));
    }
    let violations = match plan.traits.violations {
        Violations::Listed => listed(plan, scan),
        Violations::Filed => filed(plan, scan),
    };
    let count = violations.len();
    messages.extend(violations);
    Ok((messages, count))
}

fn ambiguous(plan: &DumpPlan, scan: &Scan) -> Vec<String> {
    let first: IndexMap<&str, &str> = if scan.ambiguous.is_empty() {
        IndexMap::new()
    } else {
        let at = scan.at.iter().map(|at| &*scan.files[*at as usize]);
        scan.names.iter().map(String::as_str).zip(at).collect()
    };
    let mut others: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for (class, at) in &scan.ambiguous {
        let (class, path) = (class.as_str(), &*scan.files[*at as usize]);
        let is_kept = !looks_like_test(path);
        let paths = match plan.traits.ambiguity {
            // Such pairs don't even count for the order.
            Ambiguity::EitherIsTest if !is_kept || looks_like_test(first[class]) => continue,
            _ => others.entry(class).or_default(),
        };
        if is_kept {
            paths.push(path);
        }
    }
    others.retain(|_, paths| !paths.is_empty());
    others
        .into_iter()
        .map(|(class, paths)| {
            let count = match paths.len() {
                1 => "in both".to_owned(),
                further => format!("{}x: in", further + 1),
            };
            format!(
                "<warning>Warning: Ambiguous class resolution, \"{class}\" was found {count} \
                 \"{}\" and \"{}\", the first will be used.</warning>",
                first[class],
                paths.join("\", \"")
            )
        })
        .collect()
}

/// Returns whether a directory in a path is named `tests`, or something like it.
fn looks_like_test(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let (directories, _) = path.rsplit_once('/').unwrap_or_default();
    directories.split('/').skip(1).any(|part| {
        let part = part.strip_suffix('s').unwrap_or(part);
        matches!(part, "test" | "fixture" | "example" | "stub")
    })
}

/// Returns the warnings of a generator that keeps all of them, with the classes that have the
/// namespace of the rule.
fn listed(plan: &DumpPlan, scan: &Scan) -> Vec<String> {
    let mut messages = Vec::new();
    for rejected in &scan.rejected {
        let rule = &plan.rules[rejected.rule];
        let path = short(plan, &rejected.path);
        for class in &rejected.classes {
            if class.starts_with(&rule.namespace) {
                messages.push(format!(
                    "<warning>Class {class} located in {path} does not comply with {} autoloading \
                     standard. Skipping.</warning>",
                    standard(rule.kind)
                ));
            }
        }
    }
    messages
}

/// Returns the warnings of a generator that forgets them for files that count after all.
fn filed(plan: &DumpPlan, scan: &Scan) -> Vec<String> {
    let counted: HashSet<&str> = scan
        .at
        .iter()
        .map(|at| &*scan.files[*at as usize])
        .collect();
    let within_vendor = format!("{}/", plan.bases.vendor);
    let mut by_path: IndexMap<&str, Vec<String>> = IndexMap::new();
    for rejected in &scan.rejected {
        let path = &*rejected.path;
        if counted.contains(path) || plan.traits.spares_vendor && path.starts_with(&within_vendor) {
            continue;
        }
        let rule = &plan.rules[rejected.rule];
        let short_path = short(plan, &normalize(path));
        let short_base = short(plan, &normalize(&rule.path));
        let messages = by_path.entry(path).or_default();
        for class in &rejected.classes {
            messages.push(format!(
                "<warning>Class {class} located in {short_path} does not comply with {} \
                 autoloading standard (rule: {} => {short_base}). Skipping.</warning>",
                standard(rule.kind),
                rule.namespace
            ));
        }
    }
    by_path.into_values().flatten().collect()
}

fn standard(kind: ScanKind) -> &'static str {
    match kind {
        ScanKind::Classmap => "classmap",
        ScanKind::Psr0 => "psr-0",
        ScanKind::Psr4 => "psr-4",
    }
}

/// Returns a path with a dot for the working directory. Like Composer, doesn't look whether the
/// directory's name ends there.
fn short(plan: &DumpPlan, path: &str) -> String {
    match path.strip_prefix(plan.bases.base.as_str()) {
        Some(rest) => format!(".{rest}"),
        None => path.to_owned(),
    }
}

/// Returns the warnings about files that several rules name
/// (`AutoloadGenerator::getIncludeFilesFile`, composer 2.10.2).
pub fn of_files(plan: &DumpPlan, codes: &Codes<'_>) -> Vec<String> {
    if !plan.traits.reports_duplicate_files {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut repeated: IndexMap<String, ()> = IndexMap::new();
    for (_, path) in &codes.files {
        let mut code = String::new();
        path.write(&mut code);
        if !seen.insert(code.clone()) {
            repeated.insert(code, ());
        }
    }
    if repeated.is_empty() {
        return Vec::new();
    }
    let head = "<warning>The following \"files\" autoload rules are included multiple times, this \
                may cause issues and should be resolved:</warning>";
    let lines = repeated
        .into_keys()
        .map(|code| format!("<warning> - {code}</warning>"));
    std::iter::once(head.to_owned()).chain(lines).collect()
}
