//! Defines the figures to reach.

use crate::cli::{Project, Scenario};
use crate::resolve::Known;
use crate::side::Side;

/// A limit for a ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// The speed must be at least this multiple of Composer's.
    AtLeast(f64),
    /// The quantity must be at most this multiple of Composer's.
    AtMost(f64),
}

/// Limit of the largest process's size: Allegro's may be as large as Composer's.
pub const MEMORY: Target = Target::AtMost(1.0);

/// Limit of the time of resolving: it may take as long as a dry install of the lock.
pub const DRY_RUN: Target = Target::AtLeast(1.0);

/// Limit of the disk space of ten installs, as a multiple of one.
pub const DISK: Target = Target::AtMost(1.3);

impl Target {
    /// Returns how many times as fast as Composer a scenario has to be.
    pub fn of(scenario: Scenario, project: Project) -> Option<Self> {
        let times = match (scenario, project) {
            (Scenario::Warm, Project::Koel | Project::KoelClassmap)
            | (Scenario::DumpOptimized, Project::Symfony) => 12.0,
            (Scenario::Warm, Project::Symfony) => 8.0,
            (Scenario::Warm, Project::Suite) => 60.0,
            (Scenario::FreshClone, Project::Koel | Project::KoelClassmap) => 6.0,
            (Scenario::FreshClone, Project::Suite) => 45.0,
            (Scenario::DumpOptimized, Project::Koel) => 5.0,
            (Scenario::DumpOptimized, Project::Suite) => 15.0,
            (Scenario::FirstScan, _) => 4.0,
            (Scenario::Dump, _) => 3.0,
            (Scenario::Archives, Project::Suite) => 20.0,
            (Scenario::Archives, Project::Koel) | (Scenario::Cold | Scenario::NoOp, _) => 2.0,
            (
                Scenario::Archives
                | Scenario::Disk
                | Scenario::DumpOptimized
                | Scenario::FreshClone
                | Scenario::Resolve
                | Scenario::Growth
                | Scenario::InstallGrowth
                // Projects by road have marks for the command line.
                | Scenario::Warm,
                _,
            ) => return None,
        };
        Some(Self::AtLeast(times))
    }

    /// Returns how many times as fast as `composer update` resolving has to be, with metadata in
    /// the cache.
    pub fn of_resolving(case: &str) -> Self {
        Self::AtLeast(if case.starts_with("suite-") {
            10.0
        } else {
            5.0
        })
    }

    /// Returns whether a ratio reaches the target.
    pub fn reached(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(limit) => ratio >= limit,
            Self::AtMost(limit) => ratio <= limit,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(limit) => write!(formatter, "≥ {limit}×"),
            Self::AtMost(limit) => write!(formatter, "≤ {limit}×"),
        }
    }
}

/// The quantity that a mark compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Seconds.
    Time,
    /// Bytes of the largest process.
    Memory,
}

/// A limit for the command line in relation to another side of the same run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// Side with the limit.
    pub side: Side,
    /// Side that it is compared with.
    pub reference: Side,
    /// Quantity that is compared.
    pub measure: Measure,
    /// Largest ratio that is good enough.
    pub limit: f64,
}

impl Mark {
    const fn time(side: Side, reference: Side, limit: f64) -> Self {
        Self {
            side,
            reference,
            measure: Measure::Time,
            limit,
        }
    }

    /// Returns the limits of a scenario.
    pub fn of(scenario: Scenario, project: Project) -> Vec<Self> {
        let native = |reference, limit| Self::time(Side::Native, reference, limit);
        let mut marks = match (scenario, project) {
            (Scenario::Warm, Project::Koel) => {
                vec![native(Side::Viv, 0.85), native(Side::Floor, 1.45)]
            }
            (Scenario::Warm, Project::Suite) => {
                vec![native(Side::Viv, 0.86), native(Side::Floor, 1.5)]
            }
            (Scenario::Warm, Project::Symfony) => vec![native(Side::Viv, 1.0)],
            (Scenario::Warm, project) if Project::BY_ROAD.contains(&project) => {
                return vec![native(Side::Helper, 0.75)];
            }
            (Scenario::NoOp, Project::Koel) => vec![native(Side::Viv, 0.7)],
            (Scenario::NoOp, Project::Suite) => vec![native(Side::Viv, 0.5)],
            (Scenario::DumpOptimized, Project::Koel) => vec![native(Side::Viv, 0.08)],
            (Scenario::DumpOptimized, Project::Suite) => vec![native(Side::Viv, 0.05)],
            (Scenario::Archives, _) => {
                vec![Self::time(Side::NativeArchives, Side::Unzip, 1.3)]
            }
            _ => Vec::new(),
        };
        if scenario == Scenario::Warm {
            marks.push(Self {
                measure: Measure::Memory,
                ..native(Side::Viv, 1.0)
            });
        }
        marks
    }

    /// Returns the limits of making a lock.
    pub fn of_resolving(case: &str, known: Known) -> Vec<Self> {
        if known == Known::Metadata && case.starts_with("suite-") {
            vec![Self::time(Side::Native, Side::Helper, 0.75)]
        } else {
            Vec::new()
        }
    }

    /// Returns the mark's name in the table.
    pub fn name(&self) -> String {
        let ratio = format!("{} ÷ {}", self.side.title(), self.reference.title());
        match self.measure {
            Measure::Time => ratio,
            Measure::Memory => format!("memory of {ratio}"),
        }
    }
}
