//! Collects the notices of an answer. Each reports once a reason that several packages share.

use std::path::Path;

use allegro_base::error::Error;
use allegro_store::Store;
use allegro_store::link::Refusal;

use crate::protocol::prepare::{PackageAnswer, PackageOutcome, PrepareAnswer, PrepareRequest};

/// The reason for a package that finds no room in the store.
pub const STORE_IS_FULL: &str = "the store is full";

/// The reason for a package that can't be added to the store.
pub const READ_ONLY: &str = "the store can't be written";

/// The reason for packages that find no room beside those that they replace.
pub const CROWDED: &str = "there is no room for all packages at once";

/// Moves reasons that several packages share into notices.
pub fn gather(packages: &mut [PackageAnswer], store: &Store, vendor_dir: &Path) -> Vec<String> {
    let mut notices: Vec<String> = quieten(packages).into_iter().collect();
    if tell_once(packages, CROWDED) {
        notices.push(format!(
            "there is no room for all packages at once in {}; Composer installs them one after the other",
            vendor_dir.display()
        ));
    }
    let root = store.root();
    if tell_once(packages, STORE_IS_FULL) {
        notices.push(full(root));
    }
    if tell_once(packages, READ_ONLY) {
        notices.push(format!(
            "the store at {} can't be written; Composer installs what it lacks",
            root.display()
        ));
    }
    notices
}

/// Returns the notice why files are copied, once for each vendor directory.
pub fn of_copies(store: &Store, vendor_dir: &Path, refusal: Refusal) -> Option<String> {
    store
        .is_first_telling(vendor_dir, &format!("{refusal:?}"))
        .then(|| {
            format!(
                "files are copied from the store at {}, because {}; {}",
                store.root().display(),
                refusal.reason(),
                refusal.advice()
            )
        })
}

/// Returns the answer for a store that can't be used at all. Composer does the run, and one notice
/// says why it is slow.
pub fn decline_all(request: &PrepareRequest, root: &Path, error: Error) -> PrepareAnswer {
    let is_full = error.is_full();
    let outcome = PackageOutcome::from(error);
    let notices = match &outcome {
        _ if is_full => vec![full(root)],
        PackageOutcome::Declined { reason, .. } => vec![format!(
            "the store can't be used, Composer installs by itself: {reason}"
        )],
        _ => Vec::new(),
    };
    let quiet = match outcome {
        PackageOutcome::Declined { .. } => PackageOutcome::Declined {
            reason: String::new(),
            loud: false,
        },
        other => other,
    };
    PrepareAnswer {
        packages: request
            .packages
            .iter()
            .map(|package| PackageAnswer {
                id: package.id,
                outcome: quiet.clone(),
            })
            .collect(),
        method: None,
        notices,
        made: (0, 0),
    }
}

/// Returns the notice about a full store. Its text is the same each time, so that it is shown once.
fn full(root: &Path) -> String {
    format!(
        "the store at {} is full; Composer installs what it lacks. Free some space there, or name another place in {}",
        root.display(),
        allegro_base::env::STORE
    )
}

/// Replaces the reasons of several packages by one line, if several would be shown.
fn quieten(packages: &mut [PackageAnswer]) -> Option<String> {
    let mut said: Vec<(&mut bool, &mut String)> = packages
        .iter_mut()
        .filter_map(|package| match &mut package.outcome {
            PackageOutcome::Declined { reason, loud } if *loud => Some((loud, reason)),
            _ => None,
        })
        .collect();
    let [(_, reason), _, ..] = said.as_slice() else {
        return None;
    };
    let text = format!(
        "Composer installs {} packages by itself: {reason}",
        said.len()
    );
    for (loud, reason) in &mut said {
        **loud = false;
        reason.clear();
    }
    Some(text)
}

/// Takes a reason from all packages that have it. Returns whether there are any, so that a notice
/// must tell it.
fn tell_once(packages: &mut [PackageAnswer], what: &str) -> bool {
    let mut is_there = false;
    for package in packages {
        if let PackageOutcome::Declined { reason, .. } = &mut package.outcome
            && reason == what
        {
            is_there = true;
            reason.clear();
        }
    }
    is_there
}

/// Returns the first three of some names, and the number of the others.
pub fn first_names(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
