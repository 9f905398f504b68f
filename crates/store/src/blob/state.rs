//! The state of a blob, judged by its `stat` alone.

use allegro_base::fs::inode_clock;

/// The facts that `stat` gives of a blob beside its seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// User that owns the inode.
    pub user: u32,
    /// Group that owns the inode.
    pub group: u32,
    /// Number of names that the inode has.
    pub links: u64,
    /// Change time in nanoseconds since 1970.
    pub changed: i64,
}

impl Facts {
    /// Returns whether the inode was changed moments ago.
    pub(super) fn is_recent(&self) -> bool {
        const MOMENTS: u64 = 5_000_000_000;
        inode_clock().abs_diff(self.changed) <= MOMENTS
    }
}

/// The state of a blob, as the cheap check finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobState {
    /// The seal is whole.
    Sealed(Facts),
    /// The store has nothing of that name.
    Missing,
    /// The blob is a regular file without a whole seal. A crash has torn it, a hard link was
    /// edited, or a tool that keeps no times has copied it.
    Unsealed(Facts),
    /// The blob is something else than a regular file.
    Odd,
}
