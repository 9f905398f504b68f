//! Measures how `composer resolve` grows with packages and with versions, on made-up repositories
//! of many sizes.

pub mod installs;
pub mod plot;
pub mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::bed::{self, Bed};
use crate::cli::{Cli, Project};
use crate::error::{Result, at};
use crate::measure::Run;
use crate::resolve::{Call, Choice, Known, Server, Who};
use crate::stats::exponent;
use crate::{progress, tree};

/// The number of versions of each package in the series of packages.
const VERSIONS: u32 = 50;

/// The number of packages in the series of versions.
const PACKAGES: u32 = 1000;

/// The number of measured runs of each size. The shortest one counts, because disturbances make a
/// run longer.
pub const RUNS: usize = 3;

/// The number of seconds after which Composer gets no second run of a size, and no larger sizes.
pub const PATIENCE: f64 = 60.0;

/// The runs of one side at a size.
#[derive(Debug, Default)]
pub struct Taken {
    runs: Vec<Run>,
    choices: Vec<Choice>,
}

impl Taken {
    /// Returns the seconds of the shortest run.
    pub fn seconds(&self) -> Option<f64> {
        self.runs.iter().map(|run| run.wall).min_by(f64::total_cmp)
    }

    /// Returns the bytes of the largest process of all runs.
    pub fn peak(&self) -> Option<u64> {
        self.runs.iter().map(|run| run.peak).max()
    }

    /// Returns the native part's report of the run in which it took the shortest time.
    pub fn choice(&self) -> Option<Choice> {
        let choices = self.choices.iter().copied();
        choices.min_by(|a, b| a.seconds.total_cmp(&b.seconds))
    }
}

/// A repository, and the results of measuring it.
#[derive(Debug)]
pub struct Size {
    /// Number of packages, all of which are needed.
    pub packages: u32,
    /// Number of versions of each package.
    pub versions: u32,
    /// Runs of `composer resolve` with the helper.
    pub resolve: Taken,
    /// Runs of `composer update --no-install`; none if it would take too long.
    pub update: Taken,
    /// Whether both locks were equal, if there are two.
    pub equal: Option<bool>,
}

/// The quantity that grows in a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// Packages with 50 versions each.
    Packages,
    /// Versions of each of 1,000 packages.
    Versions,
}

/// A figure of a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Seconds of the whole `composer resolve`.
    Resolve,
    /// Seconds in which versions were chosen.
    Choosing,
    /// Seconds of `composer update`.
    Update,
    /// MiB of the largest process of `composer resolve`.
    ResolveMemory,
    /// MiB of the largest process of `composer update`.
    UpdateMemory,
}

impl Size {
    /// Returns a figure, if there is one.
    pub fn figure(&self, figure: Figure) -> Option<f64> {
        let mebi = |bytes: Option<u64>| {
            let kibi = u32::try_from(bytes? >> 10).ok()?;
            Some(f64::from(kibi) / 1024.0)
        };
        match figure {
            Figure::Resolve => self.resolve.seconds(),
            Figure::Choosing => Some(self.resolve.choice()?.seconds),
            Figure::Update => self.update.seconds(),
            Figure::ResolveMemory => mebi(self.resolve.peak()),
            Figure::UpdateMemory => mebi(self.update.peak()),
        }
    }
}

impl Series {
    /// Returns the name of the growing quantity for people.
    pub fn title(self) -> String {
        match self {
            Self::Packages => format!("packages, of {VERSIONS} versions each"),
            Self::Versions => format!("versions of each of {PACKAGES} packages"),
        }
    }

    /// Returns the points of a curve, the smallest size first.
    pub fn points(self, sizes: &[Size], figure: Figure) -> Vec<(f64, f64)> {
        let mut points: Vec<(f64, f64)> = sizes
            .iter()
            .filter_map(|size| {
                let x = match self {
                    Self::Packages if size.versions == VERSIONS => size.packages,
                    Self::Versions if size.packages == PACKAGES => size.versions,
                    _ => return None,
                };
                Some((f64::from(x), size.figure(figure)?))
            })
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    }

    /// Returns the exponent with which a figure grows: over all sizes, and over the last step
    /// alone.
    pub fn exponents(self, sizes: &[Size], figure: Figure) -> Option<(f64, f64)> {
        let points = self.points(sizes, figure);
        let last = &points[points.len().checked_sub(2)?..];
        Some((exponent(&points)?, exponent(last)?))
    }
}

/// Returns the sizes, the smallest first.
fn sizes(is_quick: bool) -> Vec<(u32, u32)> {
    let (packages, versions): (&[u32], &[u32]) = if is_quick {
        (&[250, 500, 1000], &[12, 25, 50])
    } else {
        (&[250, 500, 1000, 2000, 4000], &[12, 25, 50, 100, 200])
    };
    let more_packages = packages.iter().map(|count| (*count, VERSIONS));
    let more_versions = versions.iter().map(|count| (PACKAGES, *count));
    let mut sizes: Vec<(u32, u32)> = more_packages.chain(more_versions).collect();
    sizes.sort_by_key(|(packages, versions)| packages * versions);
    sizes.dedup();
    sizes
}

/// Measures every size.
pub fn all(cli: &Cli, work: &Path) -> Result<Vec<Size>> {
    // The bed provides homes only.
    let bed = Bed::new(cli, &work.join("growth"), Project::Koel)?;
    let mut found = Vec::new();
    let mut limit = u32::MAX;
    for (packages, versions) in sizes(cli.quick()) {
        let size = Task {
            cli,
            bed: &bed,
            packages,
            versions,
        }
        .measure(packages * versions < limit)?;
        if size
            .update
            .seconds()
            .is_some_and(|seconds| seconds > PATIENCE)
        {
            limit = limit.min(packages * versions);
        }
        found.push(size);
    }
    Ok(found)
}

struct Task<'a> {
    cli: &'a Cli,
    bed: &'a Bed<'a>,
    packages: u32,
    versions: u32,
}

impl Task<'_> {
    fn measure(&self, with_composer: bool) -> Result<Size> {
        let files = self.bed.dir.join("files");
        tree::remove(&files)?;
        self.publish(&files)?;
        let server = Server::start(self.cli, self.bed, &files, Known::Metadata)?;
        let manifest = server.used_by(&bed::read_json(&files.join("composer.json"))?);
        let mut size = Size {
            packages: self.packages,
            versions: self.versions,
            resolve: Taken::default(),
            update: Taken::default(),
            equal: None,
        };
        for who in [Who::Helper, Who::Update] {
            let project = self.call(who).project;
            fs::create_dir_all(&project).map_err(at(&project))?;
            bed::write_json(&project.join("composer.json"), &manifest)?;
            tree::remove(&self.call(who).cache)?;
        }
        // The first run of each side fills Composer's cache.
        for round in 0..=RUNS {
            let (ours, run, choice) = self.run(Who::Helper)?;
            if round > 0 {
                size.resolve.runs.push(run);
                size.resolve.choices.extend(choice);
            }
            let is_patient = size
                .update
                .seconds()
                .is_none_or(|seconds| seconds < PATIENCE);
            if with_composer && is_patient {
                let (composers, run, _) = self.run(Who::Update)?;
                size.equal = Some(size.equal.unwrap_or(true) && ours == composers);
                if round > 0 {
                    size.update.runs.push(run);
                }
            }
        }
        Ok(size)
    }

    fn call(&self, who: Who) -> Call<'_> {
        let beside =
            |what: &str| -> PathBuf { self.bed.dir.join(format!("{what}-{}", who.name())) };
        Call {
            bed: self.bed,
            who,
            what: "a made-up repository",
            project: beside("project"),
            cache: beside("cache"),
        }
    }

    /// Makes one run without an existing lock, and returns the lock that it writes.
    fn run(&self, who: Who) -> Result<(Vec<u8>, Run, Option<Choice>)> {
        let call = self.call(who);
        let lock = call.project.join("composer.lock");
        tree::remove(&lock)?;
        tree::settle(Duration::from_millis(self.cli.settle));
        let (run, choice) = call.run()?;
        progress(&format!(
            "growth, {} packages of {} versions: {:7} {:7.3} s, {} MiB",
            self.packages,
            self.versions,
            who.name(),
            run.wall,
            run.peak >> 20
        ));
        Ok((fs::read(&lock).map_err(at(&lock))?, run, choice))
    }

    /// Writes the repository in a process of its own, because memory of this process would count as
    /// that of its children.
    fn publish(&self, to: &Path) -> Result<()> {
        let output = Command::new(&self.cli.registry)
            .args([
                "releases",
                &self.packages.to_string(),
                &self.versions.to_string(),
            ])
            .arg(to)
            .output()
            .map_err(at(&self.cli.registry))?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Returns a size at which resolving takes this number of seconds.
    pub fn size(packages: u32, versions: u32, seconds: f64) -> Size {
        let run = Run {
            wall: seconds,
            user: 0.0,
            system: 0.0,
            peak: 100 << 20,
            largest: "php".to_owned(),
        };
        Size {
            packages,
            versions,
            resolve: Taken {
                runs: vec![run],
                choices: Vec::new(),
            },
            update: Taken::default(),
            equal: None,
        }
    }

    #[test]
    fn a_series_has_its_own_sizes() {
        let sizes = [
            size(1000, 100, 8.0),
            size(500, 50, 1.0),
            size(1000, 50, 2.0),
            size(250, 50, 0.5),
        ];
        let points = Series::Packages.points(&sizes, Figure::Resolve);
        assert_eq!(points, [(250.0, 0.5), (500.0, 1.0), (1000.0, 2.0)]);
        let (all, last) = Series::Versions
            .exponents(&sizes, Figure::Resolve)
            .expect("exponents");
        assert!((all - 2.0).abs() < 1e-9 && (last - 2.0).abs() < 1e-9);
        assert_eq!(Series::Versions.exponents(&sizes, Figure::Update), None);
    }

    #[test]
    fn the_shortest_run_counts() {
        let mut size = size(250, 50, 3.0);
        let shorter = Run {
            wall: 2.0,
            ..size.resolve.runs[0].clone()
        };
        size.resolve.runs.push(shorter);
        assert_eq!(size.figure(Figure::Resolve), Some(2.0));
        assert_eq!(size.figure(Figure::ResolveMemory), Some(100.0));
        assert_eq!(size.figure(Figure::Choosing), None);
    }

    #[test]
    fn sizes_grow() {
        for is_quick in [false, true] {
            let sizes = sizes(is_quick);
            assert!(sizes.is_sorted_by_key(|(packages, versions)| packages * versions));
            assert_eq!(sizes.iter().filter(|size| **size == (1000, 50)).count(), 1);
        }
    }
}
