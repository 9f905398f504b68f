//! Turns rules into a class map, as Composer's `ClassMapGenerator::scanPaths` does rule by rule.
//!
//! Many threads find and read files. One thread then decides in Composer's order which classes
//! count.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::parser::{Dialect, find_classes};
use super::pattern::Exclusion;
use super::walk::{
    Declined, Found, STOPPED, Target, Walk, Walked, follow, is_php, real_path, walk,
};
use allegro_base::hex::hex;
use allegro_base::identity::{Clock, Identity};
use allegro_base::progress;

/// The kind of a rule, which decides the classes that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ScanKind {
    /// Every class counts.
    Classmap,
    /// A class counts if its path follows from its name. Underscores stand for directories too.
    Psr0,
    /// A class counts if its path follows from its name without the namespace.
    Psr4,
}

/// A rule of the class map, which stands for one call of `scanPaths`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanRule {
    /// Path of a directory or file, absolute or below the working directory.
    pub path: String,
    /// Kind of the rule.
    pub kind: ScanKind,
    /// Namespace of a PSR rule.
    pub namespace: String,
    /// Composer's expression for excluded paths.
    pub excluded: Option<String>,
}

/// The behaviour of the running class-map-generator, which differs between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traits {
    /// Whether a class outside the namespace of its PSR-4 rule doesn't count, even if the length
    /// fits.
    pub psr4_prefix: bool,
    /// Whether a class outside the namespace of its PSR-0 rule doesn't count, even if the length
    /// fits.
    pub psr0_prefix: bool,
}

/// The classes of one file, separated by NUL.
pub type Classes<'a> = Cow<'a, [u8]>;

/// A file and its classes, for the records.
#[derive(Debug)]
pub struct Read<'a> {
    /// File that was found.
    pub found: Found,
    /// Classes of the file. `None` where the parser isn't sure.
    pub classes: Option<Classes<'a>>,
}

/// A file of a PSR rule that has classes, none of which counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Index of the rule.
    pub rule: usize,
    /// Path of the file.
    pub path: Arc<str>,
    /// All classes of the file.
    pub classes: Vec<String>,
}

/// The class map.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Paths that the numbers in `at` and `ambiguous` point to.
    pub files: Vec<Arc<str>>,
    /// Class names, in the order in which they were found. A name that isn't UTF-8 is written as a
    /// NUL and its bytes in hexadecimal, here and below.
    pub names: Vec<String>,
    /// File of each name, as an index of `files`.
    pub at: Vec<u32>,
    /// Further files of a class, in the order in which they were found.
    pub ambiguous: Vec<(String, u32)>,
    /// Candidates for warnings.
    pub rejected: Vec<Rejected>,
}

impl Scan {
    /// Returns a digest of the whole class map.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let mut text = |text: &str| {
            hasher.update(text.as_bytes());
            hasher.update([0]);
        };
        for (name, &at) in self.names.iter().zip(&self.at) {
            text(name);
            text(&self.files[at as usize]);
        }
        text("");
        for (name, at) in &self.ambiguous {
            text(name);
            text(&self.files[*at as usize]);
        }
        for rejected in &self.rejected {
            text("");
            text(&rejected.rule.to_string());
            text(&rejected.path);
            rejected.classes.iter().for_each(|class| text(class));
        }
        hasher.finalize().into()
    }
}

/// A source of known classes for files that are unchanged. The scan asks it before it reads a file.
pub trait Memory: Sync {
    /// Returns the classes of the file, if they are known for sure.
    fn recall(&self, found: &Found) -> Option<Classes<'_>>;
}

/// The files that rules cover.
pub struct Survey<'m> {
    /// For each rule, the numbers of its files in Composer's order, with the path as spelled for
    /// this rule.
    covered: Vec<Vec<(u32, Arc<str>)>>,
    /// All files, each once by real path.
    pub files: Vec<Read<'m>>,
    /// Everything that the survey looked at, where that determines the result.
    pub seen: Option<Seen>,
}

/// Everything that a survey looked at.
#[derive(Debug, Default)]
pub struct Seen {
    /// Directories with their files.
    pub directories: Vec<Walked>,
    /// Files that are a rule of their own.
    pub files: Vec<(String, Identity)>,
    /// Paths that lead through links.
    pub links: Vec<(Arc<str>, Target)>,
}

impl Seen {
    /// Adds a walk. Returns `None` if the walk depends on more than it has met.
    fn with(mut self, walk: &mut Walk) -> Option<Self> {
        if walk.directories.is_empty() && walk.links.is_empty() {
            self.files.push(walk.single.take()?);
        }
        self.directories.append(&mut walk.directories);
        self.links.append(&mut walk.links);
        Some(self)
    }
}

/// Finds and reads the files that the rules cover.
///
/// # Errors
/// [`Declined`] where PHP would throw or may see something else. [`STOPPED`] if the survey was
/// cancelled.
pub fn survey<'m>(
    rules: &[ScanRule],
    cwd: &str,
    dialect: Dialect,
    memory: &'m dyn Memory,
    cancel: &AtomicBool,
) -> Result<Survey<'m>, Declined> {
    let exclusions = rules
        .iter()
        .map(|rule| match &rule.excluded {
            None => Ok(None),
            Some(expression) => Exclusion::parse(expression)
                .map(Some)
                .ok_or(Declined("an exclusion isn't understood")),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let spelled = rules
        .iter()
        .map(|rule| spelling(&rule.path, cwd))
        .collect::<Result<Vec<_>, _>>()?;
    // Exclusion comes before reading, as in Composer, because a file may be excluded for being
    // unreadable.
    let walks = spelled
        .par_iter()
        .zip(&exclusions)
        .map(|(path, exclusion)| {
            let mut walk = find(path, cancel)?;
            if let Some(exclusion) = exclusion {
                walk.found.retain(|file| {
                    !exclusion.matches(file.real()) && !exclusion.matches(&file.path)
                });
            }
            Ok(walk)
        })
        .collect::<Result<Vec<_>, Declined>>()?;
    let mut numbers: HashMap<Arc<str>, u32> = HashMap::new();
    let mut files = Vec::new();
    let mut covered = Vec::with_capacity(rules.len());
    let mut seen = Some(Seen::default());
    for mut walk in walks {
        seen = seen.and_then(|seen| seen.with(&mut walk));
        let mut list = Vec::with_capacity(walk.found.len());
        for file in walk.found {
            let path = Arc::clone(&file.path);
            let number = if let Some(&number) = numbers.get(file.real()) {
                number
            } else {
                let number = u32::try_from(files.len()).map_err(|_| Declined("too many files"))?;
                numbers.insert(Arc::clone(file.real()), number);
                files.push(file);
                number
            };
            list.push((number, path));
        }
        covered.push(list);
    }
    drop(numbers);
    let files = files
        .into_par_iter()
        .map(|found| {
            if cancel.load(Ordering::Relaxed) {
                return Err(STOPPED);
            }
            progress::step();
            let classes = memory
                .recall(&found)
                .or_else(|| parse(&found, dialect).map(Cow::Owned));
            Ok(Read { found, classes })
        })
        .collect::<Result<Vec<_>, Declined>>()?;
    Ok(Survey {
        covered,
        files,
        seen,
    })
}

/// Reads a file and returns its classes, or `None` if the parser isn't sure.
fn parse(found: &Found, dialect: Dialect) -> Option<Vec<u8>> {
    let source = std::fs::read(found.real().as_ref()).ok()?;
    let classes = find_classes(&source, dialect).ok()?;
    Some(join(&classes))
}

/// Returns classes as one text, separated by NUL.
pub fn join<T: AsRef<[u8]>>(classes: &[T]) -> Vec<u8> {
    let mut joined = Vec::new();
    for (index, class) in classes.iter().enumerate() {
        if index > 0 {
            joined.push(0);
        }
        joined.extend_from_slice(class.as_ref());
    }
    joined
}

/// Returns the absolute path of a rule, as Composer spells the files below it.
fn spelling(path: &str, cwd: &str) -> Result<String, Declined> {
    if path.contains('\\') || cwd.contains('\\') || path.contains('*') || path.contains("://") {
        return Err(Declined("a path is special"));
    }
    let absolute = if path.starts_with('/') {
        // Runs of slashes become one slash, and everything else stays.
        let mut spelled = String::with_capacity(path.len());
        for character in path.chars() {
            if character != '/' || !spelled.ends_with('/') {
                spelled.push(character);
            }
        }
        spelled.truncate(spelled.trim_end_matches('/').len());
        spelled
    } else {
        if path.as_bytes().get(1) == Some(&b':') {
            return Err(Declined("a path is special"));
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in cwd.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        let spelled = format!("/{}", parts.join("/"));
        // `a/../b` is another place than `b` where `a` is a link. Composer mixes both.
        if path.split('/').any(|part| part == "..")
            && real_path(&spelled)? != real_path(&format!("{cwd}/{path}"))?
        {
            return Err(Declined("a path leads through a link and back"));
        }
        spelled
    };
    if absolute.len() < 2 {
        return Err(Declined("a path is the root directory"));
    }
    Ok(absolute)
}

/// Returns the files that a rule's path covers. A walk without directories is that of a single
/// file.
fn find(path: &str, cancel: &AtomicBool) -> Result<Walk, Declined> {
    let metadata = std::fs::metadata(path).map_err(|_| Declined("a path isn't there"))?;
    if metadata.is_dir() {
        return walk(path, cancel);
    }
    if !metadata.is_file() {
        return Err(Declined("a path is neither file nor directory"));
    }
    let mut walk = Walk::default();
    let real = real_path(path)?;
    let stat = rustix::fs::lstat(real.as_str()).map_err(|_| Declined("a file vanished"))?;
    let identity = Identity::from(&stat);
    let is_php = is_php(path.rsplit('/').next().unwrap_or(path));
    if real == path {
        walk.single = Some((real.clone(), identity));
    } else if is_php {
        walk.links.push((path.into(), follow(path)?));
    }
    if is_php {
        walk.found.push(Found {
            real: (real != path).then(|| real.into()),
            path: path.into(),
            identity,
        });
    }
    Ok(walk)
}

impl Survey<'_> {
    /// Returns the files whose classes the parser isn't sure of.
    pub fn unsure(&self) -> impl Iterator<Item = &Found> {
        self.files
            .iter()
            .filter(|file| file.classes.is_none())
            .map(|file| &file.found)
    }

    /// Returns real path, identity and classes of all files that a later scan may trust.
    pub fn settled<'s>(
        &'s self,
        clock: &'s Clock,
    ) -> impl Iterator<Item = (&'s str, Identity, &'s [u8])> {
        self.files.iter().filter_map(|file| {
            let classes = file.classes.as_deref()?;
            clock.has_settled(&file.found.identity).then_some((
                &**file.found.real(),
                file.found.identity,
                classes,
            ))
        })
    }

    /// Decides which classes count, and returns the class map.
    ///
    /// # Errors
    /// [`Declined`] if a file's classes are not known.
    pub fn decide(&self, rules: &[ScanRule], traits: Traits) -> Result<Scan, Declined> {
        let mut scan = Scan::default();
        let mut scanned: HashSet<u32> = HashSet::new();
        let mut places: HashMap<&[u8], u32> = HashMap::new();
        for (index, (rule, covered)) in rules.iter().zip(&self.covered).enumerate() {
            let base = match rule.kind {
                ScanKind::Classmap => 0,
                // Composer counts the length of the rule's path, which it has normalized before.
                ScanKind::Psr0 | ScanKind::Psr4 => rule.path.len() + 1,
            };
            for (number, path) in covered {
                if scanned.contains(number) {
                    continue;
                }
                let classes = self.files[*number as usize]
                    .classes
                    .as_deref()
                    .ok_or(Declined("a file must be read by PHP"))?;
                let names = || {
                    classes
                        .split(|&byte| byte == 0)
                        .filter(|name| !name.is_empty())
                };
                if rule.kind == ScanKind::Classmap {
                    scanned.insert(*number);
                    add(&mut scan, &mut places, path, names());
                    continue;
                }
                let sub_path = path.get(base..).unwrap_or_default();
                let sub_path = sub_path.rsplit_once('.').map_or(sub_path, |(stem, _)| stem);
                let counts = |class: &[u8]| counts(class, rule, traits, sub_path);
                if names().any(counts) {
                    scanned.insert(*number);
                    add(
                        &mut scan,
                        &mut places,
                        path,
                        names().filter(|class| counts(class)),
                    );
                } else if names().next().is_some() {
                    scan.rejected.push(Rejected {
                        rule: index,
                        path: Arc::clone(path),
                        classes: names().map(to_wire).collect(),
                    });
                }
            }
        }
        Ok(scan)
    }
}

/// Returns a class name in the form of the protocol (see [`Scan::names`]).
fn to_wire(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(name) => name.to_owned(),
        Err(_) => format!("\0{}", hex(name)),
    }
}

/// Returns whether a class belongs to the file at `sub_path`, which is relative to the rule's
/// directory and has no extension.
fn counts(class: &[u8], rule: &ScanRule, traits: Traits, sub_path: &str) -> bool {
    let namespace = rule.namespace.as_str();
    let check = match rule.kind {
        ScanKind::Psr4 => traits.psr4_prefix,
        ScanKind::Psr0 | ScanKind::Classmap => traits.psr0_prefix,
    };
    if check && !class.starts_with(namespace.as_bytes()) {
        return false;
    }
    let same = |name: &[u8], underscores: bool, path: &[u8]| {
        name.len() == path.len()
            && name.iter().zip(path).all(|(&name, &path)| match name {
                b'\\' => path == b'/',
                b'_' if underscores => path == b'/',
                name => name == path,
            })
    };
    let sub_path = sub_path.as_bytes();
    if rule.kind == ScanKind::Psr4 {
        let rest = class.get(namespace.len()..).unwrap_or_default();
        return same(rest, false, sub_path);
    }
    let (space, name) = match class.iter().rposition(|&byte| byte == b'\\') {
        Some(end) => class.split_at(end + 1),
        None => (&[][..], class),
    };
    sub_path.len() == class.len()
        && same(space, false, &sub_path[..space.len()])
        && same(name, true, &sub_path[space.len()..])
}

fn add<'s>(
    scan: &mut Scan,
    places: &mut HashMap<&'s [u8], u32>,
    path: &Arc<str>,
    classes: impl Iterator<Item = &'s [u8]>,
) {
    let mut file = None;
    for class in classes {
        let number = *file.get_or_insert_with(|| {
            scan.files.push(Arc::clone(path));
            u32::try_from(scan.files.len() - 1).unwrap_or(u32::MAX)
        });
        match places.get(class) {
            None => {
                places.insert(class, number);
                scan.names.push(to_wire(class));
                scan.at.push(number);
            }
            Some(&first) if scan.files[first as usize] != *path => {
                scan.ambiguous.push((to_wire(class), number));
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
