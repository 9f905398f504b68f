//! Measures the disk space of several copies of one project.

use serde::Serialize;

use crate::bed::Bed;
use crate::cli::Scenario;
use crate::command::Seat;
use crate::error::Result;
use crate::progress;
use crate::scenario::Finding;
use crate::side::Side;
use crate::tree;

/// The number of projects that are installed.
const COPIES: usize = 10;

/// Bytes in use on the file system, beyond those before the first install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// Bytes of one install by Composer, without its cache.
    pub composer_one: u64,
    /// Bytes of one install by Allegro, with its store.
    pub one: u64,
    /// Bytes of ten installs by Allegro, with their one store.
    pub ten: u64,
}

impl Disk {
    /// Returns the ratio of ten installs to one.
    pub fn ratio(&self) -> f64 {
        float(self.ten) / float(self.one.max(1))
    }

    /// Returns the ratio of ten installs to ten of Composer's.
    pub fn of_composer(&self) -> f64 {
        float(self.ten) / float((self.composer_one * COPIES as u64).max(1))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio of disk sizes needs no more than 52 bits"
)]
fn float(bytes: u64) -> f64 {
    bytes as f64
}

/// Measures ten installs of one project.
pub fn measure(bed: &Bed<'_>) -> Result<Finding> {
    progress(&format!(
        "{}: space of {COPIES} installs",
        bed.project.name()
    ));
    let mut seats: Vec<Seat> = Vec::new();
    for number in 0..COPIES {
        let project = bed.dir.join(format!("copy-{number}"));
        tree::copy(&bed.template(0), &project)?;
        seats.push(Seat {
            project,
            store: bed.dir.join("store-copies"),
            ..bed.seat(Side::Helper)
        });
    }
    let composer = Seat {
        side: Side::Composer,
        ..seats[0].clone()
    };
    let empty = tree::used(&bed.dir)?;
    composer.run(bed)?;
    let composer_one = tree::used(&bed.dir)?.saturating_sub(empty);
    tree::remove(&composer.vendor())?;

    let empty = tree::used(&bed.dir)?;
    let mut sizes = Vec::new();
    for seat in &seats {
        seat.run(bed)?;
        sizes.push(tree::used(&bed.dir)?.saturating_sub(empty));
    }
    let disk = Disk {
        composer_one,
        one: sizes[0],
        ten: sizes[COPIES - 1],
    };
    for seat in &seats {
        tree::remove(&seat.project)?;
    }
    tree::remove(&seats[0].store)?;
    Ok(Finding {
        project: bed.project,
        source: bed.source.clone(),
        scenario: Scenario::Disk,
        entries: Vec::new(),
        absent: Vec::new(),
        disk: Some(disk),
    })
}
