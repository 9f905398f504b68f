//! Compares vendor with the lock, and the lock with the manifest.

use allegro_composer::dialect::Dialect;
use allegro_composer::operation_text::full_pretty_version;
use allegro_composer::package::Package;
use allegro_composer::transaction::{Known, Operation, operations};
use serde::Serialize;

use super::{Sight, is_on};
use crate::install::look::Look;
use crate::install::{Context, Undecided};
use crate::scripts::Version;

/// The state of a vendor directory.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Whether an install would change no package.
    pub up_to_date: bool,
    /// Whether the lock fits the manifest.
    pub lock_fits: bool,
    /// Whether packages for development are compared.
    pub dev: bool,
    /// Whether vendor has packages for development, if it says so.
    pub installed_dev: Option<bool>,
    /// Number of packages that the lock names.
    pub locked: usize,
    /// Number of packages in vendor.
    pub installed: usize,
    /// Differences, sorted by name.
    pub changes: Vec<Change>,
    /// Reason why `installed.json` can't be read.
    pub problem: Option<String>,
}

/// A difference between vendor and the lock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// Name of the package.
    pub name: String,
    /// What an install would do.
    pub change: Turn,
    /// Version in vendor.
    pub from: Option<String>,
    /// Version in the lock.
    pub to: Option<String>,
}

/// The kind of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// The package is not in vendor.
    New,
    /// The package is in vendor, and the lock doesn't name it.
    Gone,
    /// The package has another version, or another archive.
    Changed,
    /// The package is on record, and its directory is missing.
    Missing,
}

impl Status {
    /// Returns whether anything differs.
    pub fn differs(&self) -> bool {
        !self.up_to_date || !self.lock_fits
    }
}

/// Compares the vendor directory of a project with its lock.
///
/// # Errors
/// Fails where the manifest or the lock is missing or can't be read.
pub fn status(context: &Context<'_>, no_dev: bool) -> Result<Status, Undecided> {
    let sight = Sight::of(context)?;
    let look = &sight.look;
    let dev = !no_dev && !is_on(context, "COMPOSER_NO_DEV");
    let compares_abandoned = Version::parse(&sight.habits.target.version) >= Some(Version(2, 9, 0));
    let mut changes = changes(look, dev, compares_abandoned);
    changes.sort();
    changes.dedup();
    let other_mode = look.was_dev.is_some_and(|was| was != dev) && !look.records.is_empty();
    Ok(Status {
        up_to_date: changes.is_empty() && !other_mode && look.broken_records.is_none(),
        lock_fits: look.project.is_fresh,
        dev,
        installed_dev: look.was_dev,
        locked: look.project.locked(dev).len(),
        installed: look.project.installed.len(),
        changes,
        problem: look.broken_records.clone(),
    })
}

fn changes(look: &Look, dev: bool, compares_abandoned: bool) -> Vec<Change> {
    let project = &look.project;
    let locked = project.locked(dev);
    let root_aliases = project.root_aliases(&locked);
    let known = Known::all(&locked, &root_aliases);
    let installed: Vec<&Package> = look.records.iter().map(|record| &record.package).collect();
    let version = |package: &Package| Some(full_pretty_version(package, Dialect::default()));
    let change = |package: &Package, change, from, to| Change {
        name: package.pretty_name.clone(),
        change,
        from,
        to,
    };
    let mut changes: Vec<Change> = operations(&installed, &known, compares_abandoned)
        .into_iter()
        .filter_map(|operation| match operation {
            Operation::Install(to) => {
                let package = locked[to];
                Some(change(package, Turn::New, None, version(package)))
            }
            Operation::Update { from, to } => {
                let (from, to) = (installed[from], locked[to]);
                Some(change(to, Turn::Changed, version(from), version(to)))
            }
            Operation::Uninstall(from) => {
                let package = installed[from];
                Some(change(package, Turn::Gone, version(package), None))
            }
            Operation::MarkAliasInstalled(_) | Operation::MarkAliasUninstalled(_) => None,
        })
        .collect();
    let named: Vec<String> = changes.iter().map(|change| change.name.clone()).collect();
    for record in &look.records {
        let package = &record.package;
        if look.is_gone(record) && !named.contains(&package.pretty_name) {
            let missing = change(package, Turn::Missing, version(package), version(package));
            changes.push(missing);
        }
    }
    changes
}
