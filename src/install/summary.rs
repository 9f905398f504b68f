//! Makes Allegro's own line about an install, as the plugin does (`Io\Report`).

use std::time::Duration;

use crate::protocol::prepare::{PackageOutcome, PrepareAnswer, Provenance};
use crate::protocol::store::Method;

/// The numbers of an install.
#[derive(Debug, Default)]
pub struct Summary {
    store: usize,
    archive: usize,
    download: usize,
    bytes: u64,
    method: Option<Method>,
}

impl Summary {
    /// Counts the packages of an answer.
    pub fn of(answer: &PrepareAnswer) -> Self {
        let mut summary = Self {
            method: answer.method,
            ..Self::default()
        };
        for package in &answer.packages {
            if let PackageOutcome::Ready {
                from, downloaded, ..
            } = &package.outcome
            {
                summary.bytes += downloaded;
                match from {
                    Provenance::Store => summary.store += 1,
                    Provenance::Archive => summary.archive += 1,
                    Provenance::Download => summary.download += 1,
                }
            }
        }
        summary
    }

    /// Returns the line, such as "Allegro: 201 packages, 198 from the store, 3 downloaded, 0.31 s,
    /// hardlink"; `None` if there were no packages.
    pub fn line(&self, took: Duration) -> Option<String> {
        let total = self.store + self.archive + self.download;
        if total == 0 {
            return None;
        }
        let mut parts = vec![format!(
            "{total} package{}",
            if total == 1 { "" } else { "s" }
        )];
        if self.store > 0 {
            parts.push(format!("{} from the store", self.store));
        }
        if self.archive > 0 {
            parts.push(format!("{} from Composer's cache", self.archive));
        }
        if self.download > 0 {
            parts.push(format!(
                "{} downloaded ({})",
                self.download,
                bytes(self.bytes)
            ));
        }
        parts.push(format!("{:.2} s", took.as_secs_f64()));
        if let Some(method) = self.method {
            parts.push(
                match method {
                    Method::Reflink => "reflink",
                    Method::Hardlink => "hardlink",
                    Method::Copy => "copy",
                }
                .to_owned(),
            );
        }
        Some(format!("<info>Allegro:</info> {}", parts.join(", ")))
    }
}

/// Formats a number of bytes, such as "1.4 MiB".
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub fn bytes(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    for unit in ["KiB", "MiB"] {
        if size < 1024.0 {
            return format!("{size:.1} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.1} GiB")
}
