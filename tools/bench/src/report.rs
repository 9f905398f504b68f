//! Writes the tables for people and the file for programs.

mod sides;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{Cli, Scenario};
use crate::error::{Result, at};
use crate::growth::{self, Size};
use crate::machine::Machine;
use crate::resolve::{self, Known, Who};
use crate::scenario::Finding;
use crate::side::Side;
use crate::target::{self, Target};
use crate::turns::Entry;
use sides::Group;

/// All results of a benchmark.
pub struct Report<'a> {
    /// Machine of the measurement.
    pub machine: &'a Machine,
    /// Versions of the programs that were found, one line each.
    pub programs: &'a [String],
    /// Arguments of the measurement.
    pub cli: &'a Cli,
    /// Results of the scenarios.
    pub findings: &'a [Finding],
    /// Results of resolving.
    pub resolutions: &'a [resolve::Finding],
    /// Results of growing repositories.
    pub sizes: &'a [Size],
    /// Results of growing installs.
    pub installs: &'a [growth::installs::Size],
}

/// A line of the table.
struct Row {
    project: &'static str,
    job: String,
    composer: String,
    allegro: String,
    ratio: f64,
    target: Option<Target>,
    note: String,
}

impl Report<'_> {
    /// Returns the table with the conditions below it.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let resolving = self.resolutions.iter().flat_map(rows_of_resolving);
        let table: Vec<Row> = self
            .findings
            .iter()
            .flat_map(rows)
            .chain(resolving)
            .collect();
        if !table.is_empty() {
            text.push_str(
                "| project | job | Composer | Allegro | ratio | target | | CPU s, peak MiB (Composer → Allegro) |\n\
                 |---|---|---:|---:|---:|---:|---|---|\n",
            );
        }
        for row in table {
            let verdict = match row.target {
                Some(target) if target.reached(row.ratio) => "reached",
                Some(_) => "MISSED",
                None => "",
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {:.2}× | {} | {verdict} | {} |",
                row.project,
                row.job,
                row.composer,
                row.allegro,
                row.ratio,
                row.target
                    .map(|target| target.to_string())
                    .unwrap_or_default(),
                row.note
            );
        }
        let groups = self.groups();
        if !groups.is_empty() {
            let _ = write!(text, "\n{}", sides::markdown(&groups));
        }
        text.push('\n');
        for line in self.machine.lines().into_iter().chain(self.conditions()) {
            let _ = writeln!(text, "- {line}");
        }
        if !self.sizes.is_empty() {
            let _ = write!(text, "\n{}", growth::table::markdown(self.sizes));
        }
        if !self.installs.is_empty() {
            let _ = write!(text, "\n{}", growth::installs::markdown(self.installs));
        }
        text
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let scenarios = self.findings.iter().filter_map(Group::of_scenario);
        let resolving = self.resolutions.iter().map(Group::of_resolving);
        scenarios.chain(resolving).collect()
    }

    fn conditions(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !(self.findings.is_empty() && self.resolutions.is_empty()) {
            lines.push(format!(
                "medians of {} runs ({} of plain Composer, {} where it installs suite), sides taking turns; before each run vendor removed, sync, {} ms of rest",
                self.cli.runs(),
                self.cli.composer_runs(false),
                self.cli.composer_runs(true),
                self.cli.settle
            ));
            lines.push(
                "÷: ratio of the medians, and in brackets the median of the ratios of each round"
                    .to_owned(),
            );
            lines.extend(self.programs.iter().cloned());
            lines.push(format!("cold: https on the loopback device, {} ms before each answer, no limit of bandwidth", self.cli.latency));
            lines.push(
                "peak: largest single process; disk: blocks in use, store included".to_owned(),
            );
        }
        if !self.resolutions.is_empty() {
            lines.push("resolve: manifests of real projects, the repository as it stood then, from a static server on the loopback device; update --no-install, resolve, install --dry-run of the lock".to_owned());
            let unequal = self.resolutions.iter().filter(|finding| !finding.equal);
            lines.push(match unequal.count() {
                0 => "locks compared byte by byte: equal".to_owned(),
                count => format!("locks DIFFER in {count} resolutions"),
            });
        }
        if self.findings.is_empty() {
            return lines;
        }
        lines.push("whole process: composer install with autoload dump and plugins; scripts of the root package are left out on both sides, as its sources are not here".to_owned());
        let mut sources: Vec<String> = self
            .findings
            .iter()
            .map(|finding| format!("{} ({})", finding.project.name(), finding.source))
            .collect();
        sources.dedup();
        lines.push(format!("packages: {}", sources.join(", ")));
        let unequal = self
            .findings
            .iter()
            .filter(|finding| !finding.equal())
            .count();
        lines.push(match unequal {
            0 if !self.findings.iter().any(Finding::is_compared) => {
                "no vendor tree of Allegro was compared with one of Composer".to_owned()
            }
            0 if self.findings.iter().any(Finding::reordered) => {
                "vendor trees compared byte by byte, with modes: equal but for the order of autoload entries said below".to_owned()
            }
            0 => "vendor trees compared byte by byte, with modes: equal".to_owned(),
            count => format!("vendor trees DIFFER in {count} scenarios, see the JSON"),
        });
        let reordered: Vec<&str> = self
            .findings
            .iter()
            .filter(|finding| finding.reordered())
            .map(|finding| finding.project.name())
            .collect();
        if let Some(project) = reordered.first() {
            lines.push(format!(
                "{project}: directories of a namespace stand in another order in autoload files after a fresh install; two installs by Composer alone differ in the same way (packages that require each other in a circle keep the order in which their unzip ended)"
            ));
        }
        lines
    }

    /// Writes every figure.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        let findings: Vec<Value> = self.findings.iter().map(value).collect();
        let value = json!({
            "machine": self.machine,
            "conditions": self.conditions(),
            "findings": findings,
            "sides": self.groups().iter().map(Group::value).collect::<Vec<_>>(),
            "resolutions": self.resolutions.iter().map(value_of_resolving).collect::<Vec<_>>(),
            "growth": growth::table::value(self.sizes),
            "install_growth": growth::installs::value(self.installs),
        });
        write(path, &format!("{value:#}\n"))
    }

    /// Writes the picture of growth.
    pub fn write_plot(&self, path: &Path) -> Result<()> {
        let subtitle = self.machine.lines().swap_remove(2);
        write(path, &growth::plot::svg(self.sizes, &subtitle))
    }

    /// Writes the picture of growing installs.
    pub fn write_install_plot(&self, path: &Path) -> Result<()> {
        let subtitle = self.machine.lines().swap_remove(2);
        write(path, &growth::installs::svg(self.installs, &subtitle))
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(at(parent))?;
    }
    fs::write(path, text).map_err(at(path))
}

fn rows(finding: &Finding) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(disk) = &finding.disk {
        rows.push(Row {
            project: finding.project.name(),
            job: "disk: ten installs of one".to_owned(),
            composer: format!("one {}", mebi(disk.composer_one)),
            allegro: format!("one {}, ten {}", mebi(disk.one), mebi(disk.ten)),
            ratio: disk.ratio(),
            target: Some(target::DISK),
            note: format!("{:.2}× of ten of Composer's", disk.of_composer()),
        });
    }
    let Some(composer) = finding.entry(Side::Composer) else {
        return rows;
    };
    for entry in finding
        .entries
        .iter()
        .filter(|entry| entry.side.is_plugin())
    {
        let (Some(before), Some(after)) = (composer.wall(), entry.wall()) else {
            continue;
        };
        rows.push(Row {
            project: finding.project.name(),
            job: job(finding, entry.side),
            composer: seconds(before.median),
            allegro: seconds(after.median),
            ratio: before.median / after.median,
            target: Target::of(finding.scenario, finding.project),
            note: cost(composer, entry),
        });
        if let Some(copy) = finding.entry(Side::Copy).and_then(Entry::wall) {
            rows.push(Row {
                project: finding.project.name(),
                job: "archives, against a plain copy by 2 processes".to_owned(),
                composer: format!("copy {}", seconds(copy.median)),
                allegro: seconds(after.median),
                ratio: copy.median / after.median,
                target: None,
                note: String::new(),
            });
        }
        if finding.scenario == Scenario::Warm
            && let (Some(before), Some(after)) = (composer.largest(), entry.largest())
        {
            rows.push(Row {
                project: finding.project.name(),
                job: format!("peak memory, {}", job(finding, entry.side)),
                composer: format!("{} ({})", mebi(before.peak), before.largest),
                allegro: format!("{} ({})", mebi(after.peak), after.largest),
                ratio: ratio(after.peak, before.peak),
                target: Some(target::MEMORY),
                note: String::new(),
            });
        }
    }
    rows
}

fn rows_of_resolving(finding: &resolve::Finding) -> Vec<Row> {
    let mut rows = Vec::new();
    let is_warm = finding.known == Known::Metadata;
    let mut compare = |job: String, who: Who, with: Who, target: Option<Target>| {
        let (Some(ours), Some(other)) = (finding.entry(who), finding.entry(with)) else {
            return;
        };
        if let (Some(after), Some(before)) = (ours.wall(), other.wall()) {
            rows.push(Row {
                project: finding.case,
                job,
                composer: seconds(before.median),
                allegro: seconds(after.median),
                ratio: before.median / after.median,
                target,
                note: format!(
                    "{} → {}{}",
                    mebi(other.peak()),
                    mebi(ours.peak()),
                    ours.chosen()
                ),
            });
        }
    };
    for who in [Who::Helper, Who::Extension] {
        let name = format!("resolve, {}, {}", finding.known.name(), who.name());
        let target = is_warm.then(|| Target::of_resolving(finding.case));
        compare(name.clone(), who, Who::Update, target);
        if is_warm {
            let target = finding.case.starts_with("suite-");
            let target = target.then_some(target::DRY_RUN);
            compare(
                format!("{name}, against install --dry-run"),
                who,
                Who::DryRun,
                target,
            );
        }
    }
    if let (true, Some(ours), Some(dry)) = (
        is_warm,
        finding.entry(Who::Helper),
        finding.entry(Who::DryRun),
    ) {
        rows.push(Row {
            project: finding.case,
            job: "peak memory, resolve against install --dry-run".to_owned(),
            composer: mebi(dry.peak()),
            allegro: mebi(ours.peak()),
            ratio: ratio(ours.peak(), dry.peak()),
            target: Some(target::MEMORY),
            note: String::new(),
        });
    }
    rows
}

fn value_of_resolving(finding: &resolve::Finding) -> Value {
    let entries = finding.entries.iter().map(|entry| {
        json!({
            "who": entry.who.name(),
            "wall": entry.wall(),
            "peak": entry.peak(),
            "choice": entry.choices.first(),
            "choosing": entry.choosing(),
            "runs": entry.runs,
        })
    });
    json!({
        "case": finding.case,
        "packages": finding.packages,
        "known": finding.known.name(),
        "equal": finding.equal,
        "entries": entries.collect::<Vec<_>>(),
    })
}

fn job(finding: &Finding, side: Side) -> String {
    let scenario = finding.scenario.title();
    match side {
        Side::Extension => format!("{scenario}, extension"),
        _ => format!("{scenario}, helper"),
    }
}

fn cost(composer: &Entry, allegro: &Entry) -> String {
    let one = |entry: &Entry| {
        let processor = entry.processor().map_or(0.0, |spread| spread.median);
        let peak = entry
            .largest()
            .map_or_else(String::new, |run| mebi(run.peak));
        format!("{processor:.2} s, {peak}")
    };
    format!("{} → {}", one(composer), one(allegro))
}

fn value(finding: &Finding) -> Value {
    let sides: Vec<Value> = finding
        .entries
        .iter()
        .map(|entry| {
            json!({
                "side": entry.side.name(),
                "wall": entry.wall(),
                "processor": entry.processor(),
                "peak": entry.largest().map(|run| run.peak),
                "largest": entry.largest().map(|run| &run.largest),
                "summary": entry.summary,
                "tree": entry.parity,
                "runs": entry.runs,
            })
        })
        .collect();
    let ratios: Vec<Value> = rows(finding)
        .iter()
        .map(|row| {
            json!({
                "job": row.job,
                "ratio": row.ratio,
                "target": row.target.map(|target| target.to_string()),
                "reached": row.target.map(|target| target.reached(row.ratio)),
            })
        })
        .collect();
    json!({
        "project": finding.project.name(),
        "packages": finding.source,
        "scenario": format!("{:?}", finding.scenario),
        "ratios": ratios,
        "equal": finding.equal(),
        "sides": sides,
        "absent": finding
            .absent
            .iter()
            .map(|absent| json!({"side": absent.side.name(), "reason": absent.reason}))
            .collect::<Vec<_>>(),
        "disk": finding.disk,
    })
}

fn seconds(seconds: f64) -> String {
    if seconds < 10.0 {
        format!("{seconds:.3} s")
    } else {
        format!("{seconds:.1} s")
    }
}

fn mebi(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio of memory sizes needs no more than 52 bits"
)]
fn ratio(over: u64, under: u64) -> f64 {
    over as f64 / under.max(1) as f64
}
