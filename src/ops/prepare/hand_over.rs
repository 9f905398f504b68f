//! Decides which packages are left to Composer although their archive can be unpacked. It also
//! refuses packages where Composer would write outside of them.

use std::fs;
use std::path::Path;

use allegro_archive::Unpacking;
use allegro_base::error::{Error, Result};
use allegro_store::{ItemKind, Manifest, refused};

use super::notices::READ_ONLY;
use crate::protocol::prepare::{PackageOutcome, PackageRequest};

/// Returns the outcome of a package that can't be added to the store.
pub fn read_only() -> PackageOutcome {
    PackageOutcome::Declined {
        reason: READ_ONLY.to_owned(),
        loud: false,
    }
}

/// Checks a package before it is linked.
///
/// # Errors
/// - [`Error::Declined`] if Composer's result would differ from ours.
/// - [`Error::Integrity`] if Composer would write outside of the package.
pub fn check(
    package: &PackageRequest,
    manifest: &Manifest,
    staging: &Path,
    unpacking: &Unpacking<'_>,
) -> Result<()> {
    if unpacking.after_unzip && manifest.has_listed_directories() && takes_links(staging) {
        not_through_links(package, manifest, "lets no modes be set")?;
    }
    let mut items = manifest.items.iter();
    if unpacking.by_zip_archive && items.any(|item| matches!(item.kind, ItemKind::Symlink { .. })) {
        return Err(Error::Declined {
            reason: "it has symbolic links, which PHP's ZipArchive unpacks as files; install unzip"
                .to_owned(),
        });
    }
    if !unpacking.utf8_locale
        && package.dist.kind == "zip"
        && manifest.items.iter().any(|item| !item.path.is_ascii())
    {
        return Err(Error::Declined {
            reason: "it has names that unzip spells by the locale".to_owned(),
        });
    }
    Ok(())
}

/// Returns whether a directory allows symbolic links. Without links, nothing can be written through
/// them.
fn takes_links(directory: &Path) -> bool {
    let path = directory.join(allegro_base::fs::unique());
    let made = std::os::unix::fs::symlink("nowhere", &path).is_ok();
    let _ = fs::remove_file(&path);
    made
}

/// Refuses a package with a link that leads out, on a file system where unzip fails. Composer would
/// then write through the links that unzip has made.
pub fn not_through_links(
    package: &PackageRequest,
    manifest: &Manifest,
    file_system: &str,
) -> Result<()> {
    // PharData makes no links.
    let link = manifest.link_that_leads_out();
    let Some(link) = link.filter(|_| package.dist.kind == "zip") else {
        return Ok(());
    };
    Err(refused(
        &package.name,
        &package.version,
        Some(link),
        &format!(
            "the symbolic link leads out of the package, and Composer would write through it, because the file system {file_system}"
        ),
    ))
}
