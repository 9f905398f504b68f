//! Lets the sides of a scenario take turns, and collects their runs.

use std::time::Duration;

use crate::bed::Bed;
use crate::cli::Cli;
use crate::command::Seat;
use crate::error::Result;
use crate::measure::Run;
use crate::parity::{self, Comparison};
use crate::side::Side;
use crate::stats::Spread;
use crate::{progress, tree, yardstick};

/// The runs of a side in a scenario.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Side of the runs.
    pub side: Side,
    /// Every measured run, one for each of the first rounds.
    pub runs: Vec<Run>,
    /// Allegro's own line about the last run.
    pub summary: Option<String>,
    /// Relation of the last tree to Composer's, if there is one to compare with.
    pub parity: Option<Comparison>,
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

/// A side without figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// Side that has no figures.
    pub side: Side,
    /// One line about the cause.
    pub reason: String,
}

/// Sides that take turns.
pub struct Turns<'a> {
    cli: &'a Cli,
    bed: &'a Bed<'a>,
    what: &'a str,
    chairs: Vec<Chair>,
    /// Whether a run of plain Composer takes minutes.
    pub slow: bool,
}

struct Chair {
    seat: Seat,
    runs: Vec<Run>,
    /// Why the side has left, if it has.
    left: Option<String>,
}

impl Chair {
    /// Returns what an action returned. A side that may fail leaves instead.
    fn attempt<T>(&mut self, action: impl FnOnce(&mut Seat) -> Result<T>) -> Result<Option<T>> {
        if self.left.is_some() {
            return Ok(None);
        }
        match action(&mut self.seat) {
            Ok(value) => Ok(Some(value)),
            Err(error) if self.seat.side.may_fail() => {
                self.left = Some(error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl<'a> Turns<'a> {
    /// Takes the seats in the order of the runs. Sides that are known to be absent have none.
    pub fn new(
        cli: &'a Cli,
        bed: &'a Bed<'a>,
        what: &'a str,
        seats: Vec<Seat>,
        absent: &[Absent],
    ) -> Self {
        let chairs = seats.into_iter().map(|seat| Chair {
            left: reason(absent, seat.side),
            runs: Vec::new(),
            seat,
        });
        Self {
            chairs: chairs.collect(),
            slow: bed.project.is_slow(),
            cli,
            bed,
            what,
        }
    }

    /// Prepares every seat.
    pub fn prepare(&mut self, action: impl Fn(&mut Seat) -> Result<()>) -> Result<()> {
        for chair in &mut self.chairs {
            chair.attempt(&action)?;
        }
        Ok(())
    }

    /// Makes one round that does not count, so that every side finds warm page caches, and then the
    /// measured ones. In each round every side runs once.
    pub fn take(&mut self, clear: impl Fn(&Seat) -> Result<()>) -> Result<()> {
        let has_composer = self.has(Side::Composer);
        let (cli, bed) = (self.cli, self.bed);
        for round in 0..=cli.runs() {
            for chair in &mut self.chairs {
                let side = chair.seat.side;
                let composer_runs = cli.composer_runs(self.slow);
                let is_left_out = match side {
                    Side::Composer => round > composer_runs || (round == 0 && self.slow),
                    // In this round there is no tree of Composer's to imitate yet.
                    _ => side.is_yardstick() && round == 0 && self.slow && has_composer,
                };
                if is_left_out {
                    continue;
                }
                let run = chair.attempt(|seat| {
                    clear(seat)?;
                    run(bed, seat, Duration::from_millis(cli.settle))
                })?;
                if let Some(run) = run.filter(|_| round > 0) {
                    progress(&format!(
                        "{}, {}: {:24} {round}: {:7.3} s",
                        bed.project.name(),
                        self.what,
                        side.title(),
                        run.wall
                    ));
                    chair.runs.push(run);
                }
            }
        }
        Ok(())
    }

    /// Checks that a side took every archive from Composer's cache.
    pub fn expect_no_download(&mut self, side: Side) -> Result<()> {
        let mut chairs = self.chairs.iter_mut();
        let Some(chair) = chairs.find(|chair| chair.seat.side == side) else {
            return Ok(());
        };
        chair.attempt(|seat| {
            if seat.output().contains("  - Downloading ") {
                return Err("it downloaded something, although Composer's cache is full".into());
            }
            Ok(())
        })?;
        Ok(())
    }

    fn has(&self, side: Side) -> bool {
        self.chairs.iter().any(|chair| chair.seat.side == side)
    }

    /// Checks that a side did the work for which it is measured.
    pub fn expect(&self, side: Side, words: &str) -> Result<()> {
        let Some(chair) = self.chairs.iter().find(|chair| chair.seat.side == side) else {
            return Ok(());
        };
        match chair.seat.summary() {
            Some(summary) if summary.contains(words) => Ok(()),
            summary => Err(format!(
                "{} was to take its packages {words}, but says {summary:?}:\n{}",
                side.title(),
                chair
                    .seat
                    .output()
                    .lines()
                    .rev()
                    .take(12)
                    .collect::<Vec<_>>()
                    .join("\n")
            )
            .into()),
        }
    }

    /// Returns the measured runs, with the trees compared, and the sides without figures.
    pub fn entries(self) -> Result<(Vec<Entry>, Vec<Absent>)> {
        let reference = self
            .chairs
            .iter()
            .find(|chair| chair.seat.side == Side::Composer)
            .map(|chair| chair.seat.vendor());
        let mut entries = Vec::new();
        let mut absent = Vec::new();
        for Chair { seat, runs, left } in self.chairs {
            let side = seat.side;
            if let Some(reason) = left {
                say_absent(self.bed, self.what, side, &reason);
                absent.push(Absent { side, reason });
                continue;
            }
            let parity = match &reference {
                Some(reference) if side != Side::Composer && side.has_vendor() => {
                    Some(parity::compare_apart(reference, &seat.vendor())?)
                }
                _ => None,
            };
            if side.must_equal() {
                for difference in parity.iter().flat_map(|parity| &parity.differences) {
                    progress(&format!(
                        "{}, {}: NOT EQUAL to Composer's: {difference}",
                        self.what,
                        side.title()
                    ));
                }
            }
            entries.push(Entry {
                side,
                runs,
                summary: side.is_plugin().then(|| seat.summary()).flatten(),
                parity,
            });
        }
        Ok((entries, absent))
    }
}

/// Returns why a side is known to be absent. One that starts from an empty store shares the cause
/// with the side that it belongs to.
fn reason(absent: &[Absent], side: Side) -> Option<String> {
    let same = |absent: &&Absent| [side, side.chosen_with()].contains(&absent.side);
    Some(absent.iter().find(same)?.reason.clone())
}

/// Tells the person who watches that a side has no figures.
pub fn say_absent(bed: &Bed<'_>, what: &str, side: Side, reason: &str) {
    progress(&format!(
        "{}, {what}: {} is not available: {reason}",
        bed.project.name(),
        side.title()
    ));
}

/// Runs a side once, after a rest.
fn run(bed: &Bed<'_>, seat: &Seat, rest: Duration) -> Result<Run> {
    if !seat.side.is_yardstick() {
        tree::settle(rest);
        return seat.run(bed);
    }
    let model = bed.model();
    let model = model.ok_or("the yardsticks need a side that installs a vendor tree")?;
    yardstick::prepare(bed, seat, &model)?;
    tree::settle(rest);
    seat.run_yardstick(&model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Job;

    fn chair(side: Side) -> Chair {
        Chair {
            seat: Seat {
                side,
                project: "/project".into(),
                cache: "/cache".into(),
                store: "/store".into(),
                job: Job::Install,
                is_fresh: false,
            },
            runs: Vec::new(),
            left: None,
        }
    }

    #[test]
    fn only_sides_that_may_fail_leave() {
        let mut rival = chair(Side::Viv);
        let failing = |_: &mut Seat| -> Result<()> { Err("no such command".into()) };
        assert_eq!(rival.attempt(failing).expect("no error"), None);
        assert_eq!(rival.left.as_deref(), Some("no such command"));
        // It doesn't come back.
        assert_eq!(rival.attempt(|_| Ok(1)).expect("no error"), None);
        assert!(chair(Side::Composer).attempt(failing).is_err());
    }

    #[test]
    fn an_empty_store_needs_the_same_program() {
        let absent = [Absent {
            side: Side::Native,
            reason: "no install".to_owned(),
        }];
        let found = reason(&absent, Side::NativeArchives);
        assert_eq!(found.as_deref(), Some("no install"));
        assert_eq!(reason(&absent, Side::Viv), None);
    }
}
