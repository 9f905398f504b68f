//! Runs the scenarios: the sides in their order, and the removals in between.

use allegro_store::Bucket;

use crate::bed::Bed;
use crate::cli::{Cli, Project, Scenario};
use crate::command::Seat;
use crate::disk::{self, Disk};
use crate::error::Result;
use crate::job::Job;
use crate::parity::Comparison;
use crate::progress;
use crate::side::Side;
use crate::tree;
use crate::turns::{Absent, Entry, Turns, say_absent};

/// Sides that install with full caches.
const WARM: [Side; 8] = [
    Side::Composer,
    Side::Helper,
    Side::Extension,
    Side::Native,
    Side::Viv,
    Side::Vivacity,
    Side::Composr,
    Side::Floor,
];

/// Sides that start from Composer's archives. The others take what only they have.
const ARCHIVES: [Side; 5] = [
    Side::Composer,
    Side::Archives,
    Side::NativeArchives,
    Side::Copy,
    Side::Unzip,
];

/// Sides that work in a project in which everything is installed.
const AGAIN: [Side; 7] = [
    Side::Composer,
    Side::Helper,
    Side::Extension,
    Side::Native,
    Side::Viv,
    Side::Vivacity,
    Side::Composr,
];

/// Sides whose records of classes can be removed, because they are laid out as Allegro's.
const FIRST: [Side; 4] = [Side::Composer, Side::Helper, Side::Extension, Side::Native];

/// Sides that download through https with an authority of its own.
const COLD: [Side; 3] = [Side::Composer, Side::Helper, Side::Native];

/// The results of a scenario.
#[derive(Debug)]
pub struct Finding {
    /// Project that was installed.
    pub project: Project,
    /// Origin of its packages.
    pub source: String,
    /// Scenario that was measured.
    pub scenario: Scenario,
    /// Runs of the sides.
    pub entries: Vec<Entry>,
    /// Sides without figures.
    pub absent: Vec<Absent>,
    /// Disk space, if the scenario measures it.
    pub disk: Option<Disk>,
}

impl Finding {
    /// Returns the comparisons of trees that must be equal.
    fn parities(&self) -> impl Iterator<Item = &Comparison> {
        let own = self.entries.iter().filter(|entry| entry.side.must_equal());
        own.filter_map(|entry| entry.parity.as_ref())
    }

    /// Returns whether a tree was compared with Composer's.
    pub fn is_compared(&self) -> bool {
        self.parities().next().is_some()
    }

    /// Returns whether all compared trees are equal, except for rivals'.
    pub fn equal(&self) -> bool {
        self.parities().all(|parity| parity.count == 0)
    }

    /// Returns whether a side wrote autoload entries in another order.
    pub fn reordered(&self) -> bool {
        self.parities().any(|parity| !parity.reordered.is_empty())
    }

    /// Returns the runs of a side.
    pub fn entry(&self, side: Side) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.side == side)
    }
}

/// Runs every wanted scenario of a project.
pub fn all(cli: &Cli, bed: &Bed<'_>) -> Result<Vec<Finding>> {
    let wants = |scenario| cli.wants(scenario, bed.project);
    let mut findings = Vec::new();
    if [
        Scenario::Warm,
        Scenario::Archives,
        Scenario::FreshClone,
        Scenario::NoOp,
        Scenario::Dump,
        Scenario::DumpOptimized,
        Scenario::FirstScan,
        Scenario::Disk,
    ]
    .into_iter()
    .any(wants)
    {
        let seats = Side::ALL.map(|side| bed.seat(side));
        let registry = bed.serve(0, &seats)?;
        let absent = fill(cli, bed)?;
        findings.extend(with_full_caches(cli, bed, &absent)?);
        if wants(Scenario::FreshClone) && cli.wants_side(Side::Helper) {
            findings.push(fresh_clone(cli, bed)?);
        }
        for (scenario, job, sides) in [
            (Scenario::NoOp, Job::Install, &AGAIN[..]),
            (Scenario::Dump, Job::Dump, &AGAIN),
            (Scenario::FirstScan, Job::DumpOptimized, &FIRST),
            (Scenario::DumpOptimized, Job::DumpOptimized, &AGAIN),
        ] {
            if wants(scenario) {
                findings.push(again(cli, bed, scenario, job, &cli.wanted(sides), &absent)?);
            }
        }
        if wants(Scenario::Disk) && cli.wants_side(Side::Helper) {
            findings.push(disk::measure(bed)?);
        }
        drop(registry);
        for seat in &seats {
            for path in [&seat.project, &seat.store, &seat.cache] {
                tree::remove(path)?;
            }
            tree::remove(&seat.project.with_extension("twin"))?;
        }
    }
    if wants(Scenario::Cold) {
        findings.push(cold(cli, bed)?);
    }
    Ok(findings)
}

/// Fills every cache and store once. Returns the sides that cannot do it.
fn fill(cli: &Cli, bed: &Bed<'_>) -> Result<Vec<Absent>> {
    progress(&format!("{}: filling the caches", bed.project.name()));
    if cli.wants_plugin() {
        // This run of Allegro fills both its store and Composer's cache.
        bed.seat(Side::Helper).run(bed)?;
    } else if !cli.wanted(&ARCHIVES).is_empty() {
        let mut seat = bed.seat(Side::Composer);
        seat.job = Job::Download;
        seat.run(bed)?;
    }
    let of_rivals = [
        Scenario::Warm,
        Scenario::NoOp,
        Scenario::Dump,
        Scenario::DumpOptimized,
    ];
    let has_rivals = of_rivals.map(|scenario| cli.wants(scenario, bed.project));
    let has_rivals = has_rivals.contains(&true);
    let mut absent = Vec::new();
    for side in cli.wanted(&WARM) {
        if !(side.is_native() || (side.is_rival() && has_rivals)) {
            continue;
        }
        if let Err(error) = bed.seat(side).run(bed) {
            let reason = error.to_string();
            say_absent(bed, "filling the caches", side, &reason);
            absent.push(Absent { side, reason });
        }
    }
    Ok(absent)
}

/// Measures `warm` and `archives`, which share Composer's runs, because Composer does the same in
/// both.
fn with_full_caches(cli: &Cli, bed: &Bed<'_>, absent: &[Absent]) -> Result<Vec<Finding>> {
    let mut scenarios = Vec::new();
    for (scenario, sides) in [
        (Scenario::Warm, &WARM[..]),
        (Scenario::Archives, &ARCHIVES[..]),
    ] {
        if cli.wants(scenario, bed.project) {
            scenarios.push((scenario, cli.wanted(sides)));
        }
    }
    let mut sides: Vec<Side> = scenarios
        .iter()
        .flat_map(|(_, sides)| sides.clone())
        .collect();
    sides.sort_unstable();
    sides.dedup();
    if sides.is_empty() {
        return Ok(Vec::new());
    }
    let seats = sides.iter().map(|side| bed.seat(*side)).collect();
    let mut turns = Turns::new(cli, bed, "full caches", seats, absent);
    turns.take(|seat| {
        tree::remove(&seat.vendor())?;
        if seat.side.has_empty_store() {
            tree::remove(&seat.store)?;
        }
        Ok(())
    })?;
    for side in [Side::Composer, Side::NativeArchives] {
        turns.expect_no_download(side)?;
    }
    turns.expect(Side::Helper, "from the store")?;
    turns.expect(Side::Extension, "from the store")?;
    turns.expect(Side::Archives, "from Composer's cache")?;
    let (entries, absent) = turns.entries()?;
    let findings = scenarios.into_iter().map(|(scenario, sides)| {
        let own = entries.iter().filter(|entry| sides.contains(&entry.side));
        let gone = absent.iter().filter(|absent| sides.contains(&absent.side));
        let both = (own.cloned().collect(), gone.cloned().collect());
        finding(bed, scenario, both)
    });
    Ok(findings.collect())
}

/// Measures a job in a project in which everything is installed.
fn again(
    cli: &Cli,
    bed: &Bed<'_>,
    scenario: Scenario,
    job: Job,
    sides: &[Side],
    absent: &[Absent],
) -> Result<Finding> {
    let seats = sides.iter().map(|side| bed.seat(*side)).collect();
    let what = match scenario {
        Scenario::NoOp => "no-op",
        _ => job.name(),
    };
    let mut turns = Turns::new(cli, bed, what, seats, absent);
    turns.slow = false;
    turns.prepare(|seat| {
        if !seat.vendor().exists() {
            seat.run(bed)?;
        }
        seat.job = job;
        // Packages are in the order of their installation until they are loaded from disk.
        seat.run(bed)?;
        Ok(())
    })?;
    turns.take(|seat| {
        if scenario == Scenario::FirstScan {
            for bucket in [Bucket::Autoload, Bucket::Classes] {
                tree::remove(&seat.store.join(bucket.name()))?;
            }
        }
        Ok(())
    })?;
    Ok(finding(bed, scenario, turns.entries()?))
}

fn fresh_clone(cli: &Cli, bed: &Bed<'_>) -> Result<Finding> {
    let seats = [Side::Composer, Side::Helper].map(|side| bed.fresh_seat(side));
    bed.require_plugin(&seats)?;
    let mut turns = Turns::new(cli, bed, "fresh clone", seats.to_vec(), &[]);
    turns.take(|seat| tree::remove(&seat.vendor()))?;
    turns.expect(Side::Helper, "from the store")?;
    let both = turns.entries()?;
    for seat in &seats {
        tree::remove(&seat.project)?;
    }
    Ok(finding(bed, Scenario::FreshClone, both))
}

fn cold(cli: &Cli, bed: &Bed<'_>) -> Result<Finding> {
    let sides = cli.wanted(&COLD);
    let seats: Vec<Seat> = sides.iter().map(|side| bed.cold_seat(*side)).collect();
    let registry = bed.serve(cli.latency, &seats)?;
    let mut turns = Turns::new(cli, bed, "nothing cached", seats, &[]);
    turns.take(|seat| {
        tree::remove(&seat.vendor())?;
        tree::remove(&seat.cache)?;
        tree::remove(&seat.store)
    })?;
    turns.expect(Side::Helper, "downloaded")?;
    let both = turns.entries()?;
    drop(registry);
    Ok(finding(bed, Scenario::Cold, both))
}

fn finding(
    bed: &Bed<'_>,
    scenario: Scenario,
    (entries, absent): (Vec<Entry>, Vec<Absent>),
) -> Finding {
    Finding {
        project: bed.project,
        source: bed.source.clone(),
        scenario,
        entries,
        absent,
        disk: None,
    }
}
