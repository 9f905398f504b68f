//! The state of a blob, by its `stat` alone.

use allegro_base::fs::inode_clock;

/// What `stat` says of a sound blob beside its seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The owner.
    pub user: u32,
    /// The group.
    pub group: u32,
    /// How many names the inode has.
    pub links: u64,
    /// Change time in nanoseconds since 1970.
    pub changed: i64,
}

impl Facts {
    /// Whether the inode was changed moments ago.
    pub(super) fn is_recent(&self) -> bool {
        const MOMENTS: u64 = 5_000_000_000;
        inode_clock().abs_diff(self.changed) <= MOMENTS
    }
}

/// What the cheap check says of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobState {
    /// The seal is whole.
    Sealed(Facts),
    /// There is nothing of that name.
    Missing,
    /// A regular file without a whole seal: torn by a crash, changed through a hard link, or copied by a
    /// tool that keeps no times.
    Unsealed(Facts),
    /// Something else than a regular file.
    Odd,
}
