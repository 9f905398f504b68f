//! Describes the differences between two states of a lock.

use crate::protocol::lock_diff::{LockDiffAnswer, LockDiffFormat, LockDiffRequest, LockEntry};
use allegro_resolver::lock_diff;

/// Compares the two states of a request.
pub fn lock_diff(request: LockDiffRequest) -> LockDiffAnswer {
    let (before, after) = (entries(request.before), entries(request.after));
    let diff = lock_diff::LockDiff::between(&before, &after, &request.gitlab_domains);
    LockDiffAnswer {
        text: diff.render(request.format.into()),
    }
}

fn entries(list: Vec<LockEntry>) -> Vec<lock_diff::LockEntry> {
    list.into_iter().map(Into::into).collect()
}

impl From<LockEntry> for lock_diff::LockEntry {
    fn from(entry: LockEntry) -> Self {
        Self {
            name: entry.name,
            version: entry.version,
            is_dev: entry.is_dev,
            url: entry.url,
            source_reference: entry.source_reference,
            dist_reference: entry.dist_reference,
        }
    }
}

impl From<LockDiffFormat> for lock_diff::LockDiffFormat {
    fn from(format: LockDiffFormat) -> Self {
        match format {
            LockDiffFormat::Text => Self::Text,
            LockDiffFormat::Md => Self::Markdown,
            LockDiffFormat::Json => Self::Json,
        }
    }
}
