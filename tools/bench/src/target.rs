//! Defines the figures to reach.

use crate::cli::{Project, Scenario};

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
                | Scenario::Growth,
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
