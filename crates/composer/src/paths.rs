//! Computes with absolute paths as Composer's `Filesystem` does.

use crate::dialect::Dialect;

/// Returns an absolute path without `.`, `..` and repeated slashes
/// (`Filesystem::normalizePath`, composer 2.10.2).
pub fn normalized(path: &str) -> String {
    let path = path.replace('\\', "/");
    // Two slashes at the beginning stay, because Windows names hosts by them.
    let absolute = if path.starts_with("//") && path.len() > 2 {
        if path[2..].starts_with('/') {
            "/"
        } else {
            "//"
        }
    } else {
        "/"
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => {
                parts.pop();
            }
            "" | "." => {}
            _ => parts.push(part),
        }
    }
    format!("{absolute}{}", parts.join("/"))
}

/// Returns the shortest path from one directory to another; both are absolute
/// (`Filesystem::findShortestPath` with `$directories`, composer 2.10.2).
pub fn shortest(dialect: Dialect, from: &str, to: &str) -> String {
    let from = format!("{}/dummy_file", normalized(from).trim_end_matches('/'));
    let to = normalized(to);
    if parent(&from) == parent(&to) {
        return format!("./{}", name(&to));
    }
    let mut common = to.as_str();
    while !starts_with_directory(&from, common) && common != "/" {
        common = parent(common);
    }
    if !from.starts_with(common) || common == "/" && !dialect.relative_at_the_top {
        return to;
    }
    let common = format!("{}/", common.trim_end_matches('/'));
    let depth = rest(&from, common.len()).matches('/').count();
    if common == "/" && depth > 1 {
        return to;
    }
    let path = "../".repeat(depth) + rest(&to, common.len());
    if path.is_empty() {
        return "./".to_owned();
    }
    path
}

fn rest(path: &str, from: usize) -> &str {
    path.get(from..).unwrap_or_default()
}

/// Returns whether `path`, with a slash after it, begins with `directory` and a slash.
fn starts_with_directory(path: &str, directory: &str) -> bool {
    match path.strip_prefix(directory) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// Returns the directory of a normalized path, as PHP's `dirname` does.
fn parent(path: &str) -> &str {
    match path.trim_end_matches('/').rfind('/') {
        Some(at) => match path[..at].trim_end_matches('/') {
            "" => "/",
            parent => parent,
        },
        None => "/",
    }
}

/// Returns the last part of a path, as PHP's `basename` does.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
