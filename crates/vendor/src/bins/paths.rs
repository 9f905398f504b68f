//! Relative paths as Composer's `Filesystem` makes them. Every function works on text alone.

use allegro_composer::Unfamiliar;

/// Returns a path without `.`, `..` and repeated slashes (`Filesystem::normalizePath`, composer
/// 2.10.2).
///
/// The path must be absolute and must not look like a path of Windows.
pub fn normalized(path: &str) -> Result<String, Unfamiliar> {
    if !path.starts_with('/') || path.starts_with("//") || path.contains(['\\', '\0']) {
        return Err(Unfamiliar(format!("the path \"{path}\" is unusual")));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    Ok(format!("/{}", parts.join("/")))
}

/// Returns the last component of a path, as PHP's `basename` does under the locale `C`.
pub fn base_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}

/// Returns a path up to its last slash, as PHP's `dirname` does with a path that has no slash at
/// its end.
pub fn directory_name(path: &str) -> &str {
    match path.rsplit_once('/') {
        None => ".",
        Some(("", _)) => "/",
        Some((directory, _)) => directory,
    }
}

/// The part that two paths share, and the number of directories from it down to the first path.
struct Common<'a> {
    length: usize,
    depth: usize,
    rest: &'a str,
}

/// Returns what the normalized paths share, or `None` where Composer writes the absolute path.
///
/// `across_root` tells whether a path may lead through the root directory (since composer 2.5.0).
fn common<'a>(from: &str, to: &'a str, across_root: bool) -> Option<Common<'a>> {
    let mut shared = to;
    let is_within = |shared: &str| {
        from.strip_prefix(shared)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    while shared != "/" && !is_within(shared) {
        shared = directory_name(shared);
    }
    let is_root = shared == "/";
    let length = shared.trim_end_matches('/').len() + 1;
    let depth = from.get(length..).unwrap_or_default().matches('/').count();
    if is_root && (!across_root || depth > 1) {
        return None;
    }
    Some(Common {
        length,
        depth,
        rest: to.get(length..).unwrap_or_default(),
    })
}

/// Returns the path from the file `from` to the file `to` (`Filesystem::findShortestPath`,
/// composer 2.10.2).
pub fn relative(from: &str, to: &str, across_root: bool) -> Result<String, Unfamiliar> {
    let (from, to) = (normalized(from)?, normalized(to)?);
    if directory_name(&from) == directory_name(&to) {
        return Ok(format!("./{}", base_name(&to)));
    }
    let Some(common) = common(&from, &to, across_root) else {
        return Ok(to);
    };
    let path = format!("{}{}", "../".repeat(common.depth), common.rest);
    Ok(if path.is_empty() {
        "./".to_owned()
    } else {
        path
    })
}

/// Returns a PHP expression, for the file `from`, of the path of the file `to`
/// (`Filesystem::findShortestPathCode` with static code, composer 2.10.2).
pub fn code(from: &str, to: &str, across_root: bool) -> Result<String, Unfamiliar> {
    let (from, to) = (normalized(from)?, normalized(to)?);
    if from == to {
        return Ok("__FILE__".to_owned());
    }
    let Some(common) = common(&from, &to, across_root) else {
        return Ok(literal(&to));
    };
    if let Some(below) = to
        .strip_prefix(from.as_str())
        .filter(|below| below.starts_with('/'))
    {
        return Ok(format!("__DIR__ . {}", literal(below)));
    }
    let up = format!("__DIR__ . '{}'", "/..".repeat(common.depth));
    Ok(if to.len() > common.length {
        format!("{up}.{}", literal(&format!("/{}", common.rest)))
    } else {
        up
    })
}

/// Returns the PHP literal of a text without NUL, as `var_export` writes it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Returns a text in quotes for a shell (`ProcessExecutor::escape`, composer 2.10.2).
pub fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
