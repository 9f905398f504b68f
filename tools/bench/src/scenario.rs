//! Runs the scenarios: the sides in their order, and the removals in between.

use std::time::Duration;

use allegro_store::Bucket;

use crate::bed::Bed;
use crate::cli::{Cli, Project, Scenario};
use crate::command::{INSTALL, Seat, Side};
use crate::disk::{self, Disk};
use crate::error::Result;
use crate::measure::Run;
use crate::parity::{self, Comparison};
use crate::progress;
use crate::stats::Spread;
use crate::tree;

/// The runs of a side in a scenario.
#[derive(Debug)]
pub struct Entry {
    /// Side of the runs.
    pub side: Side,
    /// Every measured run.
    pub runs: Vec<Run>,
    /// Allegro's own line about the last run.
    pub summary: Option<String>,
    /// Relation of the last tree to Composer's.
    pub parity: Comparison,
}

impl Entry {
    /// Returns the spread of the runs' seconds.
    pub fn wall(&self) -> Option<Spread> {
        Spread::of(self.runs.iter().map(|run| run.wall))
    }

    /// Returns the spread of the runs' processor seconds.
    pub fn processor(&self) -> Option<Spread> {
        Spread::of(self.runs.iter().map(|run| run.user + run.system))
    }

    /// Returns the run with the largest process.
    pub fn largest(&self) -> Option<&Run> {
        self.runs.iter().max_by_key(|run| run.peak)
    }
}

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
    /// Disk space, if the scenario measures it.
    pub disk: Option<Disk>,
}

impl Finding {
    /// Returns whether all sides have the same result.
    pub fn equal(&self) -> bool {
        self.entries
            .iter()
            .all(|entry| entry.parity.differences.is_empty())
    }

    /// Returns whether a side wrote autoload entries in another order.
    pub fn reordered(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| !entry.parity.reordered.is_empty())
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
        let all = [
            Side::Composer,
            Side::Helper,
            Side::Extension,
            Side::Archives,
            Side::Copy,
        ];
        let seats = all.map(|side| bed.seat(side));
        let registry = bed.serve(0, &seats)?;
        // This run of Allegro fills both its store and Composer's cache.
        progress(&format!("{}: filling the caches", bed.project.name()));
        bed.seat(Side::Helper).run(bed)?;
        findings.extend(with_full_caches(cli, bed)?);
        if wants(Scenario::FreshClone) {
            findings.push(fresh_clone(cli, bed)?);
        }
        if wants(Scenario::NoOp) {
            findings.push(again(cli, bed, Scenario::NoOp, INSTALL)?);
        }
        for (scenario, job) in [
            (Scenario::Dump, &["dump-autoload"][..]),
            (Scenario::FirstScan, &["dump-autoload", "-o"]),
            (Scenario::DumpOptimized, &["dump-autoload", "-o"]),
        ] {
            if wants(scenario) {
                findings.push(again(cli, bed, scenario, job)?);
            }
        }
        if wants(Scenario::Disk) {
            findings.push(disk::measure(bed)?);
        }
        drop(registry);
        for seat in &seats {
            tree::remove(&seat.project)?;
            tree::remove(&seat.store)?;
        }
        tree::remove(&bed.seat(Side::Composer).cache)?;
    }
    if wants(Scenario::Cold) {
        findings.push(cold(cli, bed)?);
    }
    Ok(findings)
}

/// Measures `warm` and `archives`, which share Composer's runs, because Composer does the same in
/// both.
fn with_full_caches(cli: &Cli, bed: &Bed<'_>) -> Result<Vec<Finding>> {
    let mut scenarios = Vec::new();
    if cli.wants(Scenario::Warm, bed.project) {
        scenarios.push((
            Scenario::Warm,
            vec![Side::Composer, Side::Helper, Side::Extension],
        ));
    }
    if cli.wants(Scenario::Archives, bed.project) {
        scenarios.push((
            Scenario::Archives,
            vec![Side::Composer, Side::Archives, Side::Copy],
        ));
    }
    let mut sides: Vec<Side> = scenarios
        .iter()
        .flat_map(|(_, sides)| sides.clone())
        .collect();
    sides.sort_by_key(|side| *side as usize);
    sides.dedup();
    if sides.is_empty() {
        return Ok(Vec::new());
    }
    let mut turns = Turns::new(
        cli,
        bed,
        "full caches",
        sides.iter().map(|side| bed.seat(*side)).collect(),
    );
    turns.take(|seat| {
        tree::remove(&seat.vendor())?;
        if seat.side == Side::Archives {
            tree::remove(&seat.store)?;
        }
        Ok(())
    })?;
    let composer = turns
        .seats
        .iter()
        .position(|seat| seat.side == Side::Composer);
    if composer.is_some_and(|at| turns.seats[at].output().contains("  - Downloading ")) {
        return Err("Composer downloaded something, although its cache should be full".into());
    }
    turns.expect(Side::Helper, "from the store")?;
    turns.expect(Side::Extension, "from the store")?;
    turns.expect(Side::Archives, "from Composer's cache")?;
    let entries = turns.entries()?;
    let mut entries: Vec<(Side, Entry)> = entries
        .into_iter()
        .map(|entry| (entry.side, entry))
        .collect();
    let mut findings = Vec::new();
    for (scenario, sides) in scenarios.into_iter().rev() {
        let mut own = Vec::new();
        for side in sides {
            let at = entries.iter().position(|(of, _)| *of == side);
            match at {
                // Both scenarios share Composer's runs.
                Some(at) if side == Side::Composer => own.push(entries[at].1.copy()),
                Some(at) => own.push(entries.remove(at).1),
                None => {}
            }
        }
        findings.insert(0, finding(bed, scenario, own));
    }
    Ok(findings)
}

/// Measures a job in a project in which everything is installed.
fn again(
    cli: &Cli,
    bed: &Bed<'_>,
    scenario: Scenario,
    job: &'static [&'static str],
) -> Result<Finding> {
    let sides = [Side::Composer, Side::Helper, Side::Extension];
    let mut turns = Turns::new(cli, bed, job[0], sides.map(|side| bed.seat(side)).to_vec());
    turns.slow = false;
    for seat in &mut turns.seats {
        if !seat.vendor().exists() {
            seat.run(bed)?;
        }
        seat.job = job;
        // Packages are in the order of their installation until they are loaded from disk.
        seat.run(bed)?;
    }
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
    let mut turns = Turns::new(cli, bed, "fresh clone", seats.to_vec());
    turns.take(|seat| tree::remove(&seat.vendor()))?;
    turns.expect(Side::Helper, "from the store")?;
    let entries = turns.entries()?;
    for seat in &seats {
        tree::remove(&seat.project)?;
    }
    Ok(finding(bed, Scenario::FreshClone, entries))
}

fn cold(cli: &Cli, bed: &Bed<'_>) -> Result<Finding> {
    let seats: Vec<Seat> = [Side::Composer, Side::Helper]
        .iter()
        .map(|side| bed.cold_seat(*side))
        .collect();
    let registry = bed.serve(cli.latency, &seats)?;
    let mut turns = Turns::new(cli, bed, "nothing cached", seats);
    turns.take(|seat| {
        tree::remove(&seat.vendor())?;
        tree::remove(&seat.cache)?;
        tree::remove(&seat.store)
    })?;
    turns.expect(Side::Helper, "downloaded")?;
    let entries = turns.entries()?;
    drop(registry);
    Ok(finding(bed, Scenario::Cold, entries))
}

fn finding(bed: &Bed<'_>, scenario: Scenario, entries: Vec<Entry>) -> Finding {
    Finding {
        project: bed.project,
        source: bed.source.clone(),
        scenario,
        entries,
        disk: None,
    }
}

impl Entry {
    fn copy(&self) -> Self {
        Self {
            side: self.side,
            runs: self.runs.clone(),
            summary: self.summary.clone(),
            parity: self.parity.clone(),
        }
    }
}

/// Sides that take turns.
struct Turns<'a> {
    cli: &'a Cli,
    bed: &'a Bed<'a>,
    what: &'a str,
    seats: Vec<Seat>,
    runs: Vec<Vec<Run>>,
    /// Whether a run of plain Composer takes minutes.
    slow: bool,
}

impl<'a> Turns<'a> {
    fn new(cli: &'a Cli, bed: &'a Bed<'a>, what: &'a str, seats: Vec<Seat>) -> Self {
        Self {
            runs: seats.iter().map(|_| Vec::new()).collect(),
            slow: bed.project.is_slow(),
            cli,
            bed,
            what,
            seats,
        }
    }

    /// Makes one round that does not count, so that every side finds warm page caches, and then the
    /// measured ones.
    fn take(&mut self, clear: impl Fn(&Seat) -> Result<()>) -> Result<()> {
        for round in 0..=self.cli.runs() {
            for (seat, runs) in self.seats.iter().zip(&mut self.runs) {
                let minutes = self.slow && seat.side == Side::Composer;
                if minutes && (round == 0 || round > self.cli.slow_runs()) {
                    continue;
                }
                if round == 0 && seat.side == Side::Copy && self.slow {
                    // In this round there is nothing to copy yet.
                    continue;
                }
                clear(seat)?;
                tree::settle(Duration::from_millis(self.cli.settle));
                let run = seat.run(self.bed)?;
                if round > 0 {
                    progress(&format!(
                        "{}, {}: {:24} {round}: {:7.3} s",
                        self.bed.project.name(),
                        self.what,
                        seat.side.title(),
                        run.wall
                    ));
                    runs.push(run);
                }
            }
        }
        Ok(())
    }

    /// Checks that a side did the work for which it is measured.
    fn expect(&self, side: Side, words: &str) -> Result<()> {
        let Some(seat) = self.seats.iter().find(|seat| seat.side == side) else {
            return Ok(());
        };
        match seat.summary() {
            Some(summary) if summary.contains(words) => Ok(()),
            summary => Err(format!(
                "{} was to take its packages {words}, but says {summary:?}:\n{}",
                side.title(),
                seat.output()
                    .lines()
                    .rev()
                    .take(12)
                    .collect::<Vec<_>>()
                    .join("\n")
            )
            .into()),
        }
    }

    /// Returns the measured runs, with the trees compared.
    fn entries(self) -> Result<Vec<Entry>> {
        let reference = self
            .seats
            .iter()
            .find(|seat| seat.side == Side::Composer)
            .map(Seat::vendor);
        let mut entries = Vec::new();
        for (seat, runs) in self.seats.iter().zip(self.runs) {
            let parity = match &reference {
                Some(reference) if seat.side != Side::Composer => {
                    parity::compare(reference, &seat.vendor())?
                }
                _ => Comparison::default(),
            };
            for difference in &parity.differences {
                progress(&format!(
                    "{}, {}: NOT EQUAL to Composer's: {difference}",
                    self.what,
                    seat.side.title()
                ));
            }
            entries.push(Entry {
                side: seat.side,
                runs,
                summary: seat.side.is_allegro().then(|| seat.summary()).flatten(),
                parity,
            });
        }
        Ok(entries)
    }
}
