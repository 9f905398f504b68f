//! Paths as Composer's `Filesystem` computes them, and their PHP code.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use allegro_composer::Unfamiliar;
use allegro_composer::php;
use rayon::prelude::*;

use super::traits::Traits;

/// Returns an error unless a path consists of plain names and slashes. Other paths have a meaning
/// of their own on Windows or for PHP's streams.
pub fn demand_plain(path: &str) -> Result<(), Unfamiliar> {
    demand(path, !path.as_bytes().contains(&b'\\'))
}

/// Returns an error unless [`normalize`] makes a plain path of a path. It turns backslashes into
/// slashes.
pub fn demand_normalizable(path: &str) -> Result<(), Unfamiliar> {
    demand(path, !path.starts_with(r"\\"))
}

fn demand(path: &str, is_fine: bool) -> Result<(), Unfamiliar> {
    let is_odd = path
        .bytes()
        .any(|byte| byte == b':' || byte.is_ascii_control());
    if is_fine && !is_odd && !path.starts_with("//") {
        return Ok(());
    }
    Err(Unfamiliar(format!("the path {path:?} is special")))
}

/// Normalizes a plain path (`Filesystem::normalizePath`, composer 2.10.2).
pub fn normalize(path: &str) -> String {
    let path = path.replace('\\', "/");
    let path = path.as_str();
    let (absolute, rest) = match path.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", path),
    };
    let mut parts: Vec<&str> = Vec::new();
    let mut up = false;
    for part in rest.split('/') {
        if part == ".." && (!absolute.is_empty() || up) {
            parts.pop();
            up = parts.last().is_some_and(|last| *last != "..");
        } else if !part.is_empty() && part != "." {
            parts.push(part);
            up = part != "..";
        }
    }
    format!("{absolute}{}", parts.join("/"))
}

/// Returns whether [`normalize`] leaves an absolute path as it is.
fn is_normal(path: &str) -> bool {
    let bytes = path.as_bytes();
    let has_name = |at: usize| {
        let is_end = |at: usize| matches!(bytes.get(at), None | Some(b'/'));
        match bytes.get(at) {
            None | Some(b'/') => false,
            Some(b'.') if is_end(at + 1) => false,
            Some(b'.') => bytes[at + 1] != b'.' || !is_end(at + 2),
            Some(_) => true,
        }
    };
    memchr::memchr2_iter(b'/', b'\\', bytes).all(|at| bytes[at] == b'/' && has_name(at + 1))
}

/// Returns the parent of a normalized absolute path, as PHP's `dirname` does.
fn dirname(path: &str) -> &str {
    match path.rfind('/') {
        Some(at) if at > 0 => &path[..at],
        _ => "/",
    }
}

/// Returns whether a path is a directory or lies below it. Both are normalized.
fn is_within(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns the closest common ancestor of two paths. The second may itself be the ancestor.
fn common<'p>(from: &str, to: &'p str) -> &'p str {
    let mut common = to;
    while common != "/" && !is_within(from, common) {
        common = dirname(common);
    }
    common
}

/// The directories that a dump refers to. Both are real paths.
#[derive(Debug, Clone)]
pub struct Bases {
    /// The working directory.
    pub base: String,
    /// The vendor directory.
    pub vendor: String,
    relative_at_root: bool,
    strict_phar: bool,
    /// Prefixes of absolute paths, and the code for them in `autoload_static.php`. The longest
    /// prefix comes first.
    statics: Vec<(String, String)>,
}

/// A path as the code of a dump names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathCode {
    /// Whether the path leads into a PHP archive.
    pub phar: bool,
    /// The variable that the path begins with.
    pub variable: Option<Variable>,
    /// The rest of the path.
    pub rest: String,
}

/// A variable of the generated files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// `$vendorDir`
    Vendor,
    /// `$baseDir`
    Base,
}

impl Bases {
    /// Returns the directories of a dump.
    ///
    /// # Errors
    /// Fails for directories that aren't plain, and for the root of the file system.
    pub fn of(base: &str, vendor: &str, traits: &Traits) -> Result<Self, Unfamiliar> {
        for path in [base, vendor] {
            demand_plain(path)?;
            if !path.starts_with('/') || path.len() < 2 || normalize(path) != path {
                return Err(Unfamiliar(format!("{path:?} is no real path")));
            }
        }
        let mut bases = Self {
            base: base.to_owned(),
            vendor: vendor.to_owned(),
            relative_at_root: traits.relative_at_root,
            strict_phar: traits.strict_phar,
            statics: Vec::new(),
        };
        let target = format!("{vendor}/composer");
        let vendor_code = bases.shortest_code(&target, vendor, true);
        let base_code = bases.shortest_code(&target, base, true);
        bases.statics = vec![
            (format!("{base}/"), base_code),
            (format!("{vendor}/"), vendor_code),
        ];
        bases
            .statics
            .sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Ok(bases)
    }

    /// Returns code that gives a directory, seen from a file in another directory
    /// (`Filesystem::findShortestPathCode`, composer 2.10.2). Both are normalized.
    pub fn shortest_code(&self, from: &str, to: &str, is_static: bool) -> String {
        if from == to {
            return "__DIR__".to_owned();
        }
        let common = common(from, to).trim_end_matches('/');
        if is_within(to, from) {
            return format!("__DIR__ . {}", php::string(&to[from.len()..]));
        }
        let below = &from[common.len() + 1..];
        let depth = below.bytes().filter(|byte| *byte == b'/').count() + 1;
        if common.is_empty() && (!self.relative_at_root || depth > 1) {
            return php::string(to);
        }
        let mut code = if is_static {
            format!("__DIR__ . '{}'", "/..".repeat(depth))
        } else {
            format!("{}__DIR__{}", "dirname(".repeat(depth), ")".repeat(depth))
        };
        let rest = to.get(common.len() + 1..).unwrap_or_default();
        if !rest.is_empty() {
            code.push('.');
            php::write_string(&mut code, &format!("/{rest}"));
        }
        code
    }

    /// Returns the shortest path from the working directory (`Filesystem::findShortestPath`,
    /// composer 2.10.2), normalized.
    fn shortest(&self, to: &str) -> String {
        let from = format!("{}/dummy_file", self.base);
        let common = common(&from, to).trim_end_matches('/');
        let depth = from[common.len() + 1..]
            .bytes()
            .filter(|byte| *byte == b'/')
            .count();
        if common.is_empty() && (!self.relative_at_root || depth > 1) {
            return to.to_owned();
        }
        let rest = to.get(common.len() + 1..).unwrap_or_default();
        normalize(&format!("{}{rest}", "../".repeat(depth)))
    }

    /// Returns the absolute form of a path, normalized.
    pub fn absolute(&self, path: &str) -> String {
        if !path.starts_with('/') {
            normalize(&format!("{}/{path}", self.base))
        } else if is_normal(path) {
            path.to_owned()
        } else {
            normalize(path)
        }
    }

    /// Returns the code of a path (`AutoloadGenerator::getPathCode`, composer 2.10.2).
    ///
    /// # Errors
    /// Fails for paths that aren't [normalizable](demand_normalizable).
    pub fn code(&self, path: &str) -> Result<PathCode, Unfamiliar> {
        demand_normalizable(path)?;
        let path = self.absolute(path);
        let (variable, rest) = if is_within(&path, &self.vendor) {
            let rest = path[self.vendor.len()..].to_owned();
            (Some(Variable::Vendor), rest)
        } else {
            let shortest = self.shortest(&path);
            if shortest.starts_with('/') {
                (None, shortest)
            } else {
                (Some(Variable::Base), format!("/{shortest}"))
            }
        };
        Ok(PathCode {
            phar: self.is_phar(&rest),
            variable,
            rest,
        })
    }

    fn is_phar(&self, path: &str) -> bool {
        if self.strict_phar {
            path.split('/')
                .any(|part| part.strip_suffix(".phar").is_some())
        } else {
            path.contains(".phar")
        }
    }

    /// Appends a path that the code of another file gives, as `autoload_static.php` has it
    /// (`AutoloadGenerator::getStaticFile`, composer 2.10.2).
    pub fn write_static(&self, out: &mut String, code: &PathCode) {
        let start = match code.variable {
            Some(Variable::Vendor) => self.vendor.as_str(),
            Some(Variable::Base) => self.base.as_str(),
            None => "",
        };
        for (prefix, dir) in &self.statics {
            // The absolute path is `start` and `code.rest`.
            let (head, tail) = if let Some(prefix) = prefix.strip_prefix(start) {
                match code.rest.strip_prefix(prefix) {
                    Some(tail) => ("", tail),
                    None => continue,
                }
            } else {
                match start.strip_prefix(prefix.as_str()) {
                    Some(head) => (head, code.rest.as_str()),
                    None => continue,
                }
            };
            if code.phar {
                out.push_str("'phar://' . ");
            }
            out.push_str(dir);
            out.push_str(" . '/");
            php::write_escaped(out, head);
            php::write_escaped(out, tail);
            out.push('\'');
            return;
        }
        out.push('\'');
        if code.phar {
            out.push_str("phar://");
        }
        php::write_escaped(out, start);
        php::write_escaped(out, &code.rest);
        out.push('\'');
    }
}

impl PathCode {
    /// Appends the code of the path.
    pub fn write(&self, out: &mut String) {
        if self.phar {
            out.push_str("'phar://' . ");
        }
        match self.variable {
            Some(Variable::Vendor) => out.push_str("$vendorDir . "),
            Some(Variable::Base) => out.push_str("$baseDir . "),
            None => {}
        }
        php::write_string(out, &self.rest);
    }
}

/// Returns whether a path leads to a directory without links. The answer may be no without need.
#[cfg(target_os = "linux")]
fn is_real_directory(path: &str) -> bool {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).is_ok()
}

/// Returns whether a path leads to a directory without links. The answer may be no without need.
#[cfg(not(target_os = "linux"))]
fn is_real_directory(_path: &str) -> bool {
    false
}

/// Resolves links in many paths that share directories, with one look at each part.
#[derive(Debug)]
pub struct Reals<'c> {
    cwd: &'c str,
    known: HashMap<String, Option<Real>>,
    is_used: bool,
}

/// A path without links.
#[derive(Debug, Clone)]
pub struct Real {
    /// The path.
    pub path: Rc<str>,
    /// Whether a directory is there.
    pub is_dir: bool,
}

impl<'c> Reals<'c> {
    /// Returns a resolver for paths below a working directory, which is a real path.
    pub fn new(cwd: &'c str) -> Self {
        Self {
            cwd,
            known: HashMap::new(),
            is_used: false,
        }
    }

    /// Returns whether any path was looked at.
    pub fn is_used(&self) -> bool {
        self.is_used
    }

    /// Looks at many absolute paths at once, if they are normal.
    pub fn prepare(&mut self, paths: &[String]) {
        let found: Vec<_> = paths
            .par_iter()
            .filter(|path| is_normal(path) && is_real_directory(path))
            .collect();
        self.known.reserve(paths.len() * 2);
        for path in found {
            let real = Real {
                path: path.as_str().into(),
                is_dir: true,
            };
            self.known.insert(path.clone(), Some(real));
        }
    }

    /// Returns the path without links, as PHP's `realpath` does. Returns `None` if there is nothing
    /// at the path.
    ///
    /// # Errors
    /// Fails if the real path isn't plain.
    pub fn of(&mut self, path: &str) -> Result<Option<Real>, Unfamiliar> {
        self.is_used = true;
        if path.starts_with('/') && is_normal(path) {
            return self.of_plain(path);
        }
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("{}/{path}", self.cwd)
        };
        if path.split('/').any(|part| part == "." || part == "..") {
            return Self::resolve(&path);
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        self.of_plain(&format!("/{}", parts.join("/")))
    }

    fn of_plain(&mut self, path: &str) -> Result<Option<Real>, Unfamiliar> {
        if path == "/" {
            return Ok(Some(Real {
                path: path.into(),
                is_dir: true,
            }));
        }
        if let Some(known) = self.known.get(path) {
            return Ok(known.clone());
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = if parent.is_empty() { "/" } else { parent };
        let real = match self.of_plain(parent)? {
            None => None,
            Some(parent) => {
                let path = format!("{}/{name}", parent.path.trim_end_matches('/'));
                match Path::new(&path).symlink_metadata() {
                    Err(_) => None,
                    Ok(metadata) if metadata.is_symlink() => Self::resolve(&path)?,
                    Ok(metadata) => Some(Real {
                        path: path.into(),
                        is_dir: metadata.is_dir(),
                    }),
                }
            }
        };
        self.known.insert(path.to_owned(), real.clone());
        Ok(real)
    }

    fn resolve(path: &str) -> Result<Option<Real>, Unfamiliar> {
        let Ok(real) = Path::new(path).canonicalize() else {
            return Ok(None);
        };
        let is_dir = real.is_dir();
        let real = real
            .into_os_string()
            .into_string()
            .map_err(|_| Unfamiliar(format!("{path:?} leads to a path that isn't UTF-8")))?;
        demand_plain(&real)?;
        Ok(Some(Real {
            path: real.into(),
            is_dir,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_paths_stay_as_they_are() {
        for (path, expected) in [
            ("/a/b", true),
            ("/.a/..b/...", true),
            ("/a/..", false),
            ("/a/.", false),
            ("/a/./b", false),
            ("/../b", false),
            ("/a//b", false),
            ("/a/", false),
            ("/", false),
            (r"/a\b", false),
        ] {
            assert_eq!(is_normal(path), expected, "{path}");
            assert!(!expected || normalize(path) == path, "{path}");
        }
        assert_eq!(normalize("../../a/../b"), "../../b");
        assert_eq!(normalize("a/../../b"), "../b");
        assert_eq!(normalize(r"/a\..\b/."), "/b");
        assert_eq!(normalize("./"), "");
    }
}
