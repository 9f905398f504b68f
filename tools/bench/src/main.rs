//! Compares `composer install` with and without Allegro on one machine and file system, in one run
//! in which the sides take turns.
//!
//! ```text
//! cli ─▶ scenario ─▶ bed (registry, homes, projects)
//!            │
//!            └▶ turns ─▶ command (installers), yardstick (others) ─▶ measure
//!                 │                                                    │
//!                 └── parity (equal trees) ─▶ report (tables, JSON) ◀──┘ stats
//! ```

mod bed;
mod cli;
mod command;
mod disk;
mod error;
mod floor;
mod growth;
mod job;
mod machine;
mod measure;
mod parity;
mod program;
mod report;
mod resolve;
mod scenario;
mod side;
mod stats;
mod target;
mod tree;
mod turns;
mod yardstick;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Scenario};
use error::Result;
use side::Side;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = if let [plan, twin, tree] = cli.make_floor.as_slice() {
        floor::make(plan, twin, tree).map(|()| true)
    } else if let [tree, twin, plan] = cli.prepare_floor.as_slice() {
        floor::prepare(tree, twin, plan).map(|()| true)
    } else if let [left, right] = cli.compare_trees.as_slice() {
        compare(left, right).map(|()| true)
    } else {
        bench(&cli)
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            progress(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Measures, reports, and returns whether every result was equal to Composer's.
fn bench(cli: &Cli) -> Result<bool> {
    let work = tempfile::Builder::new()
        .prefix("allegro-bench-")
        .tempdir_in(&cli.dir)
        .map_err(error::at(&cli.dir))?;
    let machine = machine::Machine::describe(cli, work.path());
    let mut findings = Vec::new();
    for project in cli.projects() {
        let bed = bed::Bed::new(cli, work.path(), project)?;
        findings.extend(scenario::all(cli, &bed)?);
    }
    let resolutions = if cli.wants_apart(Scenario::Resolve) {
        resolve::all(cli, work.path())?
    } else {
        Vec::new()
    };
    let sizes = if cli.wants_apart(Scenario::Growth) && cli.wants_side(Side::Helper) {
        growth::all(cli, work.path())?
    } else {
        Vec::new()
    };
    let installs = if cli.wants_apart(Scenario::InstallGrowth) && cli.wants_side(Side::Native) {
        growth::installs::all(cli, work.path())?
    } else {
        Vec::new()
    };
    let programs = program::versions(cli);
    let report = report::Report {
        machine: &machine,
        programs: &programs,
        cli,
        findings: &findings,
        resolutions: &resolutions,
        sizes: &sizes,
        installs: &installs,
    };
    report.write_json(&cli.json)?;
    let _ = writeln!(std::io::stdout(), "{}", report.markdown());
    progress(&format!("figures of every run: {}", cli.json.display()));
    if !sizes.is_empty() {
        report.write_plot(&cli.plot)?;
        progress(&format!("curves of growth: {}", cli.plot.display()));
    }
    if !installs.is_empty() {
        report.write_install_plot(&cli.install_plot)?;
        progress(&format!(
            "curves of growing installs: {}",
            cli.install_plot.display()
        ));
    }
    let equal = |finding: &resolve::Finding| finding.equal;
    Ok(findings.iter().all(scenario::Finding::equal)
        && resolutions.iter().all(equal)
        && sizes.iter().all(|size| size.equal != Some(false)))
}

/// Compares two trees, and prints their relation as JSON.
fn compare(left: &Path, right: &Path) -> Result<()> {
    let found = parity::compare(left, right)?;
    serde_json::to_writer(std::io::stdout(), &found)?;
    Ok(())
}

/// Prints a line for the person who watches.
fn progress(line: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {line}");
}
