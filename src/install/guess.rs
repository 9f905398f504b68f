//! Guesses the root package's version from its Git repository (`VersionGuesser`, composer 2.10.2).
//!
//! The common case, a branch such as `main` or `1.x`, is read from the repository's files. All other
//! cases ask `git`, as Composer does.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use allegro_composer::Unfamiliar;
use allegro_composer::json::Json;
use allegro_semver::version::{Dialect, normalize, normalize_branch};

use crate::settings::Environment;

/// A version that was guessed, in Composer's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// Normalized version, without one if only the commit is known.
    pub version: Option<String>,
    /// Version as people write it.
    pub pretty_version: Option<String>,
    /// The commit that is checked out.
    pub commit: Option<String>,
}

/// Files from which the guess was read. The guess holds as long as they stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The repository's `HEAD` and the file that has its commit.
    pub files: Vec<PathBuf>,
    /// Whether `git` was asked, so that the files alone don't decide.
    pub is_asked: bool,
}

/// Branches that are versions of their own (`VersionGuesser::isFeatureBranch`).
const MAIN_BRANCHES: [&str; 10] = [
    "master", "main", "latest", "next", "current", "support", "tip", "trunk", "default", "develop",
];

/// Returns the guess for the project in `directory`; `None` if it is in no repository.
pub fn guess(
    directory: &Path,
    manifest: &Json,
    dialect: Dialect,
) -> Result<(Option<Guess>, Origin), Unfamiliar> {
    let Some(place) = find_repository(directory)? else {
        return Ok((None, Origin::default()));
    };
    if let Some((guess, files)) = read(&place) {
        let origin = Origin {
            files,
            is_asked: false,
        };
        return Ok((Some(guess), origin));
    }
    let origin = Origin {
        files: Vec::new(),
        is_asked: true,
    };
    Ok((ask(directory, manifest, dialect)?, origin))
}

/// Returns the `.git` of the repository that a directory is in.
fn find_repository(directory: &Path) -> Result<Option<PathBuf>, Unfamiliar> {
    let device = fs::metadata(directory).map(|facts| facts.dev()).ok();
    for parent in directory.ancestors() {
        for other in [".hg", ".svn", ".fslckout", "_FOSSIL_"] {
            if parent.join(other).exists() {
                return Err(Unfamiliar(format!(
                    "the project is in a repository of another kind ({other})"
                )));
            }
        }
        let place = parent.join(".git");
        if place.exists() {
            // Git itself stops at the boundary of a file system.
            let is_same_device = fs::metadata(parent).map(|facts| facts.dev()).ok() == device;
            return is_same_device.then_some(Some(place)).ok_or_else(|| {
                Unfamiliar("the project's repository is on another file system".to_owned())
            });
        }
        if parent.join("HEAD").is_file() && parent.join("objects").is_dir() {
            return Err(Unfamiliar("the project is in a bare repository".to_owned()));
        }
    }
    Ok(None)
}

/// Reads the guess for a main branch from the repository's files.
fn read(place: &Path) -> Option<(Guess, Vec<PathBuf>)> {
    let euid = rustix::process::geteuid().as_raw();
    let is_ours = |path: &Path| fs::metadata(path).is_ok_and(|facts| facts.uid() == euid);
    // Git refuses repositories of other users.
    if !place.is_dir() || !is_ours(place) || !is_ours(place.parent()?) {
        return None;
    }
    let has_prefix = Environment::PROCESS.has_prefix;
    if has_prefix("GIT_CONFIG") || has_prefix("GIT_CEILING_DIRECTORIES") {
        return None;
    }
    let head = place.join("HEAD");
    let text = fs::read_to_string(&head).ok()?;
    let branch = text.trim_end().strip_prefix("ref: refs/heads/")?;
    if is_feature_branch(branch) || branch.starts_with('.') {
        return None;
    }
    let loose = place.join("refs/heads").join(branch);
    let packed = place.join("packed-refs");
    let (commit, file) = if let Ok(text) = fs::read_to_string(&loose) {
        (text.trim_end().to_owned(), loose)
    } else {
        let suffix = format!(" refs/heads/{branch}");
        let text = fs::read_to_string(&packed).ok()?;
        let line = text.lines().find_map(|line| line.strip_suffix(&suffix))?;
        (line.to_owned(), packed)
    };
    if commit.len() != 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let guess = Guess::of_branch(branch, commit);
    Some((guess, vec![head, file]))
}

impl Guess {
    fn of_branch(branch: &str, commit: String) -> Self {
        let version = normalize_branch(branch);
        Self {
            pretty_version: Some(pretty(&version, &format!("dev-{branch}"))),
            version: Some(version),
            commit: Some(commit),
        }
    }
}

/// Returns the version of a numbered branch as people write it (`VersionGuesser::postprocess`).
fn pretty(version: &str, otherwise: &str) -> String {
    if !version.ends_with("-dev") || !version.contains(".9999999") {
        return otherwise.to_owned();
    }
    let mut out = version.replace(".9999999", ".x");
    while out.contains(".x.x") {
        out = out.replace(".x.x", ".x");
    }
    out
}

fn is_feature_branch(name: &str) -> bool {
    let is_numbered = || {
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0 && name[digits..].starts_with('.') && name.len() > digits + 1
    };
    !MAIN_BRANCHES.contains(&name) && !is_numbered()
}

/// Runs `git` as Composer does, and returns its output if it succeeded.
fn git(directory: &Path, args: &[&str]) -> Result<Option<String>, Unfamiliar> {
    let output = Command::new("git")
        .args(args)
        .current_dir(directory)
        .stdin(Stdio::null())
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "echo")
        .env("LANGUAGE", "C")
        .output()
        .map_err(|_| Unfamiliar("git can't be started".to_owned()))?;
    if String::from_utf8_lossy(&output.stderr).contains("dubious ownership") {
        return Err(Unfamiliar(
            "git refuses the project's repository, because it belongs to another user".to_owned(),
        ));
    }
    Ok(output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// A line of `git branch -a --no-color --no-abbrev -v`.
struct BranchLine<'a> {
    is_current: bool,
    name: &'a str,
    commit: &'a str,
}

impl<'a> BranchLine<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (is_current, rest) = match line.strip_prefix("* ") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let rest = rest.trim_start_matches(' ');
        let end = if rest.starts_with('(') {
            rest.find(')')? + 1
        } else {
            rest.find(' ')?
        };
        let (name, rest) = rest.split_at(end);
        let rest = rest.trim_start_matches(' ');
        let (commit, _) = rest.split_once(' ')?;
        let is_commit = !commit.is_empty()
            && commit
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        is_commit.then_some(Self {
            is_current,
            name,
            commit,
        })
    }

    fn is_detached(&self) -> bool {
        self.name.starts_with('(')
    }
}

fn ask(directory: &Path, manifest: &Json, dialect: Dialect) -> Result<Option<Guess>, Unfamiliar> {
    if manifest.get("non-feature-branches").is_some() {
        return Err(Unfamiliar(
            "composer.json names non-feature-branches".to_owned(),
        ));
    }
    let Some(output) = git(
        directory,
        &["branch", "-a", "--no-color", "--no-abbrev", "-v"],
    )?
    else {
        return Ok(None);
    };
    let lines: Vec<BranchLine<'_>> = output.lines().filter_map(BranchLine::parse).collect();
    let mut guess = Guess {
        version: None,
        pretty_version: None,
        commit: None,
    };
    let mut is_detached = false;
    if let Some(current) = lines.iter().find(|line| line.is_current) {
        guess.commit = Some(current.commit.to_owned());
        is_detached = current.is_detached();
        if is_detached && !is_known_detachment(current.name) {
            return Err(Unfamiliar(
                "the repository is in the middle of something".to_owned(),
            ));
        }
        let (version, branch) = if is_detached {
            (format!("dev-{}", current.commit), current.commit)
        } else {
            (normalize_branch(current.name), current.name)
        };
        let pretty_version = format!("dev-{branch}");
        guess.pretty_version = Some(pretty_version);
        guess.version = Some(version);
        if is_detached || is_feature_branch(branch) {
            resolve_feature(directory, manifest, &lines, branch, &mut guess)?;
        }
    }
    if (guess.version.is_none() || is_detached)
        && let Some(tag) = git(directory, &["describe", "--exact-match", "--tags"])?
        && let Some(version) = normalize(dialect, tag.trim())
    {
        guess.version = Some(version);
        guess.pretty_version = Some(tag.trim().to_owned());
    }
    if guess.commit.is_none() {
        let args = ["log", "--pretty=%H", "-n1", "HEAD", "--no-show-signature"];
        guess.commit = git(directory, &args)?
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
    }
    if let (Some(version), Some(text)) = (&guess.version, &guess.pretty_version) {
        guess.pretty_version = Some(pretty(version, text));
    }
    // Without a version, Composer takes no part of the guess.
    Ok(guess.version.is_some().then_some(guess))
}

/// Returns whether Composer's expression knows this text for a detached head.
fn is_known_detachment(name: &str) -> bool {
    let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    name == "(no branch)"
        || ["(detached from ", "(HEAD detached at "]
            .iter()
            .any(|start| {
                name.strip_prefix(start)
                    .and_then(|rest| rest.strip_suffix(')'))
                    .is_some_and(is_word)
            })
}

/// Looks for the main branch that a feature branch came from
/// (`VersionGuesser::guessFeatureVersion`).
fn resolve_feature(
    directory: &Path,
    manifest: &Json,
    lines: &[BranchLine<'_>],
    branch: &str,
    guess: &mut Guess,
) -> Result<(), Unfamiliar> {
    let version = guess.version.clone().unwrap_or_default();
    let has_alias = manifest
        .get("extra")
        .and_then(|extra| extra.get("branch-alias"))
        .and_then(|aliases| aliases.get(&version))
        .is_some_and(|alias| *alias != Json::Null);
    if has_alias && !manifest.to_line().contains("\"self.version\"") {
        guess.pretty_version = Some(version);
        return Ok(());
    }
    guess.pretty_version = Some(version.clone());
    let mut nearest: Option<(usize, &str)> = None;
    for line in lines {
        let candidate = line.name;
        let name = ["remotes/origin/", "remotes/upstream/"]
            .iter()
            .find_map(|prefix| candidate.strip_prefix(prefix))
            .unwrap_or(candidate);
        let is_listed = !line.is_detached() && !name.contains('/');
        let without_prefix = version.strip_prefix("dev-").unwrap_or(&version);
        if !is_listed || candidate == without_prefix || is_feature_branch(name) {
            continue;
        }
        let range = format!("{candidate}..{without_prefix}");
        let Some(output) = git(directory, &["rev-list", &range])? else {
            continue;
        };
        match nearest {
            Some((length, _)) if length == output.len() => {
                return Err(Unfamiliar(format!(
                    "the branch {branch} is equally near to two main branches"
                )));
            }
            Some((length, _)) if length < output.len() => {}
            _ => nearest = Some((output.len(), name)),
        }
    }
    if let Some((_, name)) = nearest {
        guess.version = Some(normalize_branch(name));
        guess.pretty_version = Some(format!("dev-{name}"));
    }
    Ok(())
}
