//! Measures how `allegro install` grows with packages, on generated projects of many sizes.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::plot::{Chart, Curve, picture};
use crate::bed::{Bed, Registry};
use crate::cli::{Cli, Project};
use crate::command::Seat;
use crate::error::{Result, at};
use crate::job::Job;
use crate::measure::Run;
use crate::side::Side;
use crate::stats::exponent;
use crate::{progress, tree};

/// The number of measured runs of each job. The shortest one counts.
const RUNS: usize = 3;

/// The jobs that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// An install with a full store, where vendor is absent.
    Warm,
    /// An install with nothing to do.
    Again,
    /// A dump of the optimized autoloader, where nothing has changed.
    Dump,
}

impl Work {
    const ALL: [Self; 3] = [Self::Warm, Self::Again, Self::Dump];

    fn name(self) -> &'static str {
        match self {
            Self::Warm => WARM,
            Self::Again => "install, nothing to do",
            Self::Dump => "dump-autoload -o, nothing changed",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Warm => "#1d4ed8",
            Self::Again => "#047857",
            Self::Dump => "#b45309",
        }
    }
}

const WARM: &str = "install, store full";

/// A project, and the runs of each job.
#[derive(Debug)]
pub struct Size {
    /// Number of packages.
    packages: u32,
    runs: Vec<(Work, Run)>,
}

impl Size {
    fn runs(&self, work: Work) -> impl Iterator<Item = &Run> {
        let same = move |(of, _): &&(Work, Run)| *of == work;
        self.runs.iter().filter(same).map(|(_, run)| run)
    }

    /// Returns the seconds of the shortest run.
    fn seconds(&self, work: Work) -> Option<f64> {
        self.runs(work).map(|run| run.wall).min_by(f64::total_cmp)
    }

    /// Returns the MiB of the largest process.
    fn memory(&self, work: Work) -> Option<f64> {
        let peak = self.runs(work).map(|run| run.peak).max()?;
        let kibi = u32::try_from(peak >> 10).ok()?;
        Some(f64::from(kibi) / 1024.0)
    }
}

/// Measures every size.
pub fn all(cli: &Cli, work: &Path) -> Result<Vec<Size>> {
    // The bed provides homes only.
    let bed = Bed::new(cli, &work.join("installs"), Project::Koel)?;
    let sizes: &[u32] = if cli.quick() {
        &[100, 250, 500, 1000]
    } else {
        &[100, 250, 500, 1000, 2500, 5000, 10_000]
    };
    sizes
        .iter()
        .map(|packages| measure(cli, &bed, *packages))
        .collect()
}

fn measure(cli: &Cli, bed: &Bed<'_>, packages: u32) -> Result<Size> {
    let mut seat = bed.seat(Side::Native);
    let [template, archives] = registry_places(bed);
    clear(bed, &seat)?;
    fs::create_dir_all(&archives).map_err(at(&archives))?;
    let mut command = Command::new(&cli.registry);
    command
        .args(["serve", "--packages", &packages.to_string(), "--cache-dir"])
        .arg(&archives)
        .arg("--project")
        .arg(&template);
    let registry = Registry::run(command, &bed.dir.join("ready.json"))?;
    tree::copy(&template, &seat.project)?;
    // This run fills the caches.
    seat.run(bed)?;
    let mut size = Size {
        packages,
        runs: Vec::new(),
    };
    for work in Work::ALL {
        seat.job = match work {
            Work::Warm | Work::Again => Job::Install,
            Work::Dump => Job::DumpOptimized,
        };
        if work != Work::Warm {
            // Records of a run count from the next one on, when the files are no longer new.
            for _ in 0..2 {
                tree::settle(Duration::from_millis(cli.settle));
                seat.run(bed)?;
            }
        }
        for _ in 0..RUNS {
            if work == Work::Warm {
                tree::remove(&seat.vendor())?;
            }
            tree::settle(Duration::from_millis(cli.settle));
            size.runs.push((work, run(bed, &seat, work, packages)?));
        }
    }
    drop(registry);
    clear(bed, &seat)?;
    Ok(size)
}

/// Returns the directories of the project's model and of the registry's archives.
fn registry_places(bed: &Bed<'_>) -> [PathBuf; 2] {
    ["template", "registry"].map(|name| bed.dir.join(name))
}

/// Removes everything of a size.
fn clear(bed: &Bed<'_>, seat: &Seat) -> Result<()> {
    let places = registry_places(bed);
    let mut all = places
        .iter()
        .chain([&seat.project, &seat.store, &seat.cache]);
    all.try_for_each(|path| tree::remove(path))
}

fn run(bed: &Bed<'_>, seat: &Seat, work: Work, packages: u32) -> Result<Run> {
    let run = seat.run(bed)?;
    if run.largest == "php" {
        return Err("the command line gave an install to Composer".into());
    }
    progress(&format!(
        "growth of installs, {packages} packages: {:34} {:7.3} s, {} MiB",
        work.name(),
        run.wall,
        run.peak >> 20
    ));
    Ok(run)
}

/// Returns the points of a job.
fn points(sizes: &[Size], work: Work, of: fn(&Size, Work) -> Option<f64>) -> Vec<(f64, f64)> {
    let point = |size: &Size| Some((f64::from(size.packages), of(size, work)?));
    sizes.iter().filter_map(point).collect()
}

/// Returns a table for people, with the exponents below it.
pub fn markdown(sizes: &[Size]) -> String {
    let mut text = String::from("| packages |");
    for work in Work::ALL {
        let _ = write!(text, " {} | peak |", work.name());
    }
    text.push_str("\n|---:|---:|---:|---:|---:|---:|---:|\n");
    for size in sizes {
        let _ = write!(text, "| {} |", size.packages);
        for work in Work::ALL {
            let seconds = size.seconds(work).unwrap_or_default();
            let memory = size.memory(work).unwrap_or_default();
            let _ = write!(text, " {seconds:.3} s | {memory:.0} MiB |");
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "\n- growth of installs: generated projects of about 36 files a package; shortest of \
         {RUNS} runs, largest process of all of them; exponent of all sizes (of the last step): {}; \
         1 is linear",
        Work::ALL
            .map(|work| {
                let points = points(sizes, work, Size::seconds);
                let last = &points[points.len().saturating_sub(2)..];
                let shown = |value: Option<f64>| {
                    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
                };
                let (all, last) = (shown(exponent(&points)), shown(exponent(last)));
                format!("{} {all} ({last})", work.name())
            })
            .join(", ")
    );
    text
}

/// Returns every figure as JSON.
pub fn value(sizes: &[Size]) -> Value {
    let list = sizes.iter().map(|size| {
        let mut value = json!({ "packages": size.packages });
        for work in Work::ALL {
            value[work.name()] = json!(size.runs(work).collect::<Vec<_>>());
        }
        value
    });
    list.collect()
}

/// Returns the picture.
pub fn svg(sizes: &[Size], subtitle: &str) -> String {
    let chart = |unit, of: fn(&Size, Work) -> Option<f64>| Chart {
        unit,
        over: "packages, of about 36 files each".to_owned(),
        curves: Work::ALL
            .into_iter()
            .map(|work| Curve {
                name: work.name(),
                colour: work.colour(),
                dashes: "",
                points: points(sizes, work, of),
            })
            .collect(),
        compared: WARM,
    };
    let row = [
        chart("seconds", Size::seconds),
        chart("MiB of the largest process", Size::memory),
    ];
    picture("How allegro install grows", subtitle, &[row])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_growth_has_the_exponent_one() {
        let size = |packages, wall| {
            let run = Run {
                wall,
                user: 0.0,
                system: 0.0,
                peak: 20 << 20,
                largest: "allegro".to_owned(),
            };
            let slower = Run {
                wall: wall + 1.0,
                ..run.clone()
            };
            Size {
                packages,
                runs: vec![(Work::Warm, slower), (Work::Warm, run)],
            }
        };
        let sizes = [size(100, 0.1), size(1000, 1.0), size(10_000, 10.0)];
        let text = markdown(&sizes);
        assert!(text.contains("| 1000 | 1.000 s | 20 MiB |"), "{text}");
        assert!(text.contains("install, store full 1.00 (1.00)"), "{text}");
        let svg = svg(&sizes, "a machine");
        assert!(svg.contains("How allegro install grows") && svg.contains("a machine"));
        assert_eq!(value(&sizes)[0]["packages"], 100);
    }
}
