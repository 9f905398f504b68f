//! Writes the changes of a lock in each format.

use allegro_base::tables::IndexMap;
use allegro_composer::json::Json;

use super::PackageChange;

/// A format of the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockDiffFormat {
    /// Lines for people.
    Text,
    /// A Markdown table, for pull requests.
    Markdown,
    /// JSON as PHP writes it, for programs.
    Json,
}

pub(super) fn render(changes: &[PackageChange], format: LockDiffFormat) -> String {
    match format {
        LockDiffFormat::Json => json(changes),
        _ if changes.is_empty() => "Nothing changes in the lock.".to_owned(),
        LockDiffFormat::Text => text(changes),
        LockDiffFormat::Markdown => markdown(changes),
    }
}

fn text(changes: &[PackageChange]) -> String {
    let mut counts: IndexMap<&str, usize> = IndexMap::default();
    for change in changes {
        *counts.entry(change.kind.text()).or_default() += 1;
    }
    let counts = counts.iter().map(|(kind, count)| format!("{count} {kind}"));
    let mut lines = vec![counts.collect::<Vec<_>>().join(", ")];
    let widths = changes.iter().map(|change| change.name.len());
    let width = widths.max().unwrap_or_default();
    for change in changes {
        let line = format!(
            "  {:<10} {}{}  {}{}  {}",
            change.kind.text(),
            change.name,
            // PHP counts bytes.
            " ".repeat(width - change.name.len()),
            versions(change),
            if change.is_dev { " (dev)" } else { "" },
            change.compare.as_deref().unwrap_or_default(),
        );
        // The characters that PHP's rtrim() removes.
        let end = [' ', '\t', '\n', '\r', '\0', '\u{b}'];
        lines.push(line.trim_end_matches(end).to_owned());
    }
    lines.join("\n")
}

fn markdown(changes: &[PackageChange]) -> String {
    let mut lines = vec![
        "| package | change | versions | |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ];
    for change in changes {
        let link = change.compare.as_ref();
        lines.push(format!(
            "| {}{} | {} | {} | {} |",
            change.name,
            if change.is_dev { " (dev)" } else { "" },
            change.kind.text(),
            versions(change).replace('|', "\\|"),
            link.map_or_else(String::new, |link| format!("[compare]({link})")),
        ));
    }
    lines.join("\n")
}

/// Returns both versions with an arrow between them, or one of them if they are the same.
fn versions(change: &PackageChange) -> String {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) if from != to => format!("{from} → {to}"),
        (Some(one), _) | (_, Some(one)) => one.clone(),
        (None, None) => String::new(),
    }
}

fn json(changes: &[PackageChange]) -> String {
    let changes = changes.iter().map(|change| {
        let text = |text: &Option<String>| text.as_ref().map_or(Json::Null, Json::str);
        let fields = [
            ("name", Json::str(&change.name)),
            ("change", Json::str(change.kind.text())),
            ("from", text(&change.from)),
            ("to", text(&change.to)),
            ("dev", Json::Bool(change.is_dev)),
            ("compare", text(&change.compare)),
        ];
        Json::Object(fields.map(|(key, value)| (key.to_owned(), value)).into())
    });
    let mut document = Json::object();
    document.set("changes", Json::Array(changes.collect()));
    let mut text = document.to_file_text();
    text.truncate(text.trim_end().len());
    text
}
