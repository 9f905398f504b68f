//! Everything that the files of a package made ahead depend on.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use allegro_base::hex::hex;
use allegro_store::link::Linker;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::protocol::dist::Dist;
use crate::protocol::prepare::{PackageRequest, PrepareRequest};
use crate::settings::Settings;

/// Returns the name of a package's place. It stands for everything that its files depend on, beside
/// the terms.
pub(super) fn digest(package: &PackageRequest) -> String {
    #[derive(Serialize)]
    struct Parts<'a> {
        version: &'a str,
        dist: &'a Dist,
        archive: Option<&'a Path>,
        private: bool,
        bins: &'a [String],
        plain_modes: bool,
    }
    let parts = Parts {
        version: &package.version,
        dist: &package.dist,
        archive: package.archive.as_deref(),
        private: package.private,
        bins: &package.bins,
        plain_modes: package.plain_modes,
    };
    let text = serde_json::to_vec(&parts).unwrap_or_default();
    hex(&Sha256::digest(text)[..16])
}

/// Returns everything that all packages of a request depend on, as a text. `dir` is the directory
/// in which they are made.
pub fn terms(
    request: &PrepareRequest,
    settings: &Settings,
    linker: &Linker<'_>,
    dir: &Path,
) -> String {
    format!(
        "{} {:o} {:?} {} {} {} {}\n{}\n{}",
        env!("CARGO_PKG_VERSION"),
        request.umask,
        request.timezone,
        settings.strategy,
        settings.verify,
        settings.utf8_locale,
        settings.zone_directory.display(),
        linker.facts(),
        inherited(dir),
    )
}

/// Returns what new directories inherit from a directory, and its file system.
fn inherited(dir: &Path) -> String {
    let facts = fs::metadata(dir).map(|facts| (facts.dev(), facts.mode() & 0o2000));
    let mut label = [0_u8; 1024];
    let length = rustix::fs::lgetxattr(dir, "security.selinux", &mut label[..]).unwrap_or(0);
    format!("{facts:?} {} {:?}", hex(&label[..length]), flags(dir))
}

/// Returns the inode flags of a directory (`chattr(1)`) without those that tell how the file system
/// stores it.
#[cfg(target_os = "linux")]
fn flags(dir: &Path) -> Option<u32> {
    const OF_STORAGE: u32 = 0x1000 | 0x2_0000 | 0x8_0000 | 0x1000_0000;
    let flags = rustix::fs::ioctl_getflags(File::open(dir).ok()?).ok()?;
    Some(flags.bits() & !OF_STORAGE)
}

#[cfg(not(target_os = "linux"))]
fn flags(_dir: &Path) -> Option<u32> {
    None
}
