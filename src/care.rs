//! Looks after vendor and the store: the operations behind `allegro fetch`, `status`, `verify` and
//! `unshare`.
//!
//! They read a project as an install does (see [`crate::install`]), and also where the install would
//! be Composer's.

mod carry;
mod fetch;
mod generated;
mod members;
mod mend;
mod plugins;
mod status;
mod surplus;
mod tree_hash;
mod unshare;
mod verify;

use std::path::{Path, PathBuf};

use allegro_store::Store;

pub use carry::{Cargo, cargo};
pub use fetch::{Fetched, Trouble, fetch};
pub use mend::{Mended, mend};
pub use status::{Change, Status, Turn, status};
pub use tree_hash::tree_hash;
pub use unshare::{Unshared, names, unshare};
pub use verify::{Asked, Aspect, Finding, Report, Unchecked, verify};

use crate::install::decide::Habits;
use crate::install::look::{Look, Manifest};
use crate::install::project::Unread;
use crate::install::{Context, Undecided};

impl From<Unread> for Undecided {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Unfamiliar(reason) => Self::Composer(reason),
            Unread::NoManifest(path) => Self::NoManifest(path),
            Unread::NoLock(path) => Self::NoLock(path),
        }
    }
}

/// A project with the habits of the Composer that made its vendor directory.
struct Sight {
    look: Look,
    habits: Habits,
    /// Reason why the habits of the machine's Composer are not known. The built-in ones are used
    /// then.
    strange: Option<String>,
}

impl Sight {
    /// Reads the project of a context.
    fn of(context: &Context<'_>) -> Result<Self, Undecided> {
        let habits = Store::open(&context.settings.store)
            .map_err(Undecided::from)
            .and_then(|store| Habits::of(context, &store));
        let (habits, strange) = match habits {
            Ok(habits) => (habits, None),
            Err(Undecided::Composer(reason) | Undecided::ThisTime(reason)) => {
                (Habits::built_in(None)?, Some(reason.0))
            }
            Err(Undecided::Failed(error)) => (Habits::built_in(None)?, Some(error.to_string())),
            Err(other) => return Err(other),
        };
        let directory = &context.directory;
        let target = &habits.target;
        let look = Look::at(directory, context.variable, target, Manifest::Needed)?;
        Ok(Self {
            look,
            habits,
            strange,
        })
    }
}

/// Returns the vendor directory of a project.
///
/// # Errors
/// Fails where the manifest or the lock is missing or can't be read.
pub fn vendor_directory(context: &Context<'_>) -> Result<PathBuf, Undecided> {
    Ok(Sight::of(context)?.look.project.settings.vendor_dir)
}

/// Returns whether a variable of Composer is on.
fn is_on(context: &Context<'_>, name: &str) -> bool {
    (context.variable)(name).is_some_and(|value| !matches!(value.as_str(), "" | "0"))
}

/// Returns a path relative to the project's directory, if it lies there.
fn shown<'p>(path: &'p Path, directory: &Path) -> &'p Path {
    path.strip_prefix(directory).unwrap_or(path)
}
