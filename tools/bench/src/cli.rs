//! Defines the arguments.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::side::Side;

/// Compares `composer install` with and without Allegro, and with rivals, on this machine.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// Projects to measure
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PROJECT")]
    only: Vec<Project>,
    /// Manifests of the corpus to resolve, by the beginning of their names
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    manifest: Vec<String>,
    /// Scenarios to measure
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SCENARIO")]
    scenario: Vec<Scenario>,
    /// Sides to measure; `helper` and `native` include their runs with an empty store
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SIDE")]
    side: Vec<Side>,
    /// Runs of each side; Composer gets at most three where a run takes minutes
    #[arg(long, value_name = "N")]
    runs: Option<usize>,
    /// Runs of plain Composer, if fewer than of the other sides
    #[arg(long, value_name = "N")]
    composer_rounds: Option<usize>,
    /// Fewer runs: three, and one where a run takes minutes; fewer sizes of growing repositories
    #[arg(long)]
    quick: bool,
    /// Where the figures go
    #[arg(long, value_name = "FILE", default_value = "build/bench.json")]
    pub json: PathBuf,
    /// Where the curves of growing repositories go
    #[arg(long, value_name = "FILE", default_value = "build/bench-growth.svg")]
    pub plot: PathBuf,
    /// Where the curves of growing installs go
    #[arg(
        long,
        value_name = "FILE",
        default_value = "build/bench-install-growth.svg"
    )]
    pub install_plot: PathBuf,
    /// Directory on the file system to measure on
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Why the file system is not the one wanted, to be said in the report
    #[arg(long, value_name = "TEXT")]
    pub remark: Vec<String>,
    /// The plugin's package, as `scripts/package` lays it out
    #[arg(long, value_name = "DIR", default_value = "build/package")]
    pub package: PathBuf,
    /// The PHP extension
    #[arg(
        long,
        value_name = "FILE",
        default_value = "target/release/liballegro_ext.so"
    )]
    pub extension: PathBuf,
    /// The `allegro` command line; by default the file beside this program
    #[arg(long, value_name = "FILE")]
    pub allegro: Option<PathBuf>,
    /// Directory with the programs of rivals (viv, vivacity, composr); by default those in PATH
    #[arg(long, value_name = "DIR")]
    pub peers: Option<PathBuf>,
    /// The registry that serves the packages
    #[arg(
        long,
        value_name = "FILE",
        default_value = "target/release/allegro-registry"
    )]
    pub registry: PathBuf,
    /// Directory with `locks` and `corpus`; without it projects of the same sizes are generated
    #[arg(long, value_name = "DIR", default_value = "../shared")]
    pub shared: PathBuf,
    /// PHP
    #[arg(long, value_name = "FILE", default_value = "php")]
    pub php: PathBuf,
    /// Composer; by default the one in PATH
    #[arg(long, value_name = "FILE")]
    pub composer: Option<PathBuf>,
    /// Milliseconds before each answer of the registry in the cold scenario
    #[arg(long, value_name = "MS", default_value_t = 25)]
    pub latency: u32,
    /// Milliseconds of rest before each measured run, after everything is on the disk
    #[arg(long, value_name = "MS", default_value_t = 500)]
    pub settle: u64,
    /// Makes a tree from a plan and its twin, and does nothing else
    #[arg(long, hide = true, num_args = 3, value_names = ["PLAN", "TWIN", "TREE"])]
    pub make_floor: Vec<PathBuf>,
    /// Writes the twin of a tree and a plan, and does nothing else
    #[arg(long, hide = true, num_args = 3, value_names = ["TREE", "TWIN", "PLAN"])]
    pub prepare_floor: Vec<PathBuf>,
    /// Compares two trees, and does nothing else
    #[arg(long, hide = true, num_args = 2, value_names = ["LEFT", "RIGHT"])]
    pub compare_trees: Vec<PathBuf>,
}

/// What is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Project {
    /// A Laravel application of 201 packages, with a plain autoloader
    Koel,
    /// The same with the class map that its composer.json asks for: Composer scans every file in
    /// each run
    KoelClassmap,
    /// A generated Symfony application of 144 packages, some of them huge
    Symfony,
    /// A Spryker shop of 1,570 packages
    Suite,
    /// A generated site of 60 packages like WordPress with plugins, one package huge
    Site,
    /// Generated tools of 103 packages with plugins, one package huge
    Tools,
    /// A generated Laravel application of 113 packages with plugins
    Laravel,
    /// A generated Symfony application of 145 packages with plugins
    SymfonyFlex,
    /// The Laravel application of 201 packages with its own plugins
    KoelPlugins,
}

impl Project {
    /// Every project in order of size.
    const ALL: [Self; 4] = [Self::Koel, Self::KoelClassmap, Self::Symfony, Self::Suite];

    /// Projects with plugins, which show what an install costs on each road: natively, or handed to
    /// Composer. Each is a lock in the directory of locks, or a profile of the registry. They are
    /// measured in the scenarios `warm` and `no-op`.
    pub const BY_ROAD: [Self; 5] = [
        Self::Site,
        Self::Tools,
        Self::Laravel,
        Self::SymfonyFlex,
        Self::KoelPlugins,
    ];

    /// Returns the project's name for the registry and the directories of locks.
    pub fn source(self) -> &'static str {
        match self {
            Self::KoelClassmap | Self::KoelPlugins => Self::Koel.name(),
            other => other.name(),
        }
    }

    /// Returns the project's name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Koel => "koel",
            Self::KoelClassmap => "koel-classmap",
            Self::Symfony => "symfony",
            Self::Suite => "suite",
            Self::Site => "site",
            Self::Tools => "tools",
            Self::Laravel => "laravel",
            Self::SymfonyFlex => "symfony-flex",
            Self::KoelPlugins => "koel-plugins",
        }
    }

    /// Returns whether one run of plain Composer takes minutes.
    pub fn is_slow(self) -> bool {
        self == Self::Suite
    }
}

/// What is at hand before an install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Caches full, vendor absent
    Warm,
    /// Composer's archive cache full, store empty, vendor absent
    Archives,
    /// Caches full, vendor absent, and the plugin is a requirement of the project: it comes in the
    /// same run
    FreshClone,
    /// Everything is installed
    NoOp,
    /// The autoloader again, nothing changed
    Dump,
    /// The optimized autoloader again, nothing changed
    DumpOptimized,
    /// The optimized autoloader for the first time, no file read before
    FirstScan,
    /// Nothing is cached, answers come late
    Cold,
    /// Ten installs of one project
    Disk,
    /// `composer resolve` of real manifests; has projects of its own
    Resolve,
    /// `composer resolve` of made-up repositories of many sizes; has projects of its own
    Growth,
    /// `allegro install` of generated projects of many sizes; has projects of its own
    InstallGrowth,
}

impl Scenario {
    /// Returns the scenario's name in tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Archives => "archives",
            Self::FreshClone => "fresh clone",
            Self::NoOp => "no-op",
            Self::Dump => "dump",
            Self::DumpOptimized => "dump -o",
            Self::FirstScan => "dump -o, first",
            Self::Cold => "cold",
            Self::Disk => "disk",
            Self::Resolve => "resolve",
            Self::Growth => "growth",
            Self::InstallGrowth => "growth of installs",
        }
    }
}

impl Cli {
    /// Returns whether a manifest of the corpus is to be resolved.
    pub fn wants_manifest(&self, case: &str) -> bool {
        let mut names = self.manifest.iter();
        self.manifest.is_empty() || names.any(|name| case.starts_with(name))
    }

    /// Returns the projects in order of size.
    pub fn projects(&self) -> Vec<Project> {
        let has_own = |scenario: &Scenario| {
            use Scenario::{Growth, InstallGrowth, Resolve};
            [Resolve, Growth, InstallGrowth].contains(scenario)
        };
        if !self.scenario.is_empty() && self.scenario.iter().all(has_own) {
            return Vec::new();
        }
        Project::ALL
            .into_iter()
            .chain(Project::BY_ROAD)
            .filter(|project| self.only.is_empty() || self.only.contains(project))
            .collect()
    }

    /// Returns whether a scenario is to be measured with a project.
    pub fn wants(&self, scenario: Scenario, project: Project) -> bool {
        let sensible = match scenario {
            Scenario::Cold => matches!(project, Project::Koel | Project::Symfony),
            Scenario::Disk => project == Project::Koel,
            Scenario::Archives | Scenario::Dump | Scenario::DumpOptimized | Scenario::FirstScan => {
                project != Project::KoelClassmap
            }
            Scenario::Resolve | Scenario::Growth | Scenario::InstallGrowth => false,
            Scenario::Warm | Scenario::FreshClone | Scenario::NoOp => true,
        };
        let by_road = [Scenario::Warm, Scenario::NoOp].contains(&scenario);
        let sensible = sensible && (by_road || !Project::BY_ROAD.contains(&project));
        sensible && (self.scenario.is_empty() || self.scenario.contains(&scenario))
    }

    /// Returns whether a scenario with projects of its own is to be measured.
    pub fn wants_apart(&self, scenario: Scenario) -> bool {
        if self.scenario.is_empty() {
            self.only.is_empty()
        } else {
            self.scenario.contains(&scenario)
        }
    }

    /// Returns whether less is to be measured.
    pub fn quick(&self) -> bool {
        self.quick
    }

    /// Returns the number of measured runs of a side.
    pub fn runs(&self) -> usize {
        self.runs.unwrap_or(if self.quick { 3 } else { 5 }).max(1)
    }

    /// Returns the number of measured runs of plain Composer, which may take minutes each.
    pub fn composer_runs(&self, is_slow: bool) -> usize {
        let slow = if self.quick { 1 } else { 3 };
        let wanted = self.composer_rounds.or(is_slow.then_some(slow));
        wanted.unwrap_or(usize::MAX).clamp(1, self.runs())
    }

    /// Returns whether a side is to be measured.
    pub fn wants_side(&self, side: Side) -> bool {
        let chosen = |side| self.side.contains(&side);
        self.side.is_empty() || chosen(side) || chosen(side.chosen_with())
    }

    /// Returns whether a side with the plugin is to be measured.
    pub fn wants_plugin(&self) -> bool {
        Side::ALL
            .into_iter()
            .any(|side| side.is_plugin() && self.wants_side(side))
    }

    /// Returns those of some sides that are to be measured.
    pub fn wanted(&self, sides: &[Side]) -> Vec<Side> {
        let wanted = sides.iter().copied();
        wanted.filter(|side| self.wants_side(*side)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cli(arguments: &[&str]) -> Cli {
        Cli::parse_from([&["allegro-bench"], arguments].concat())
    }

    #[test]
    fn a_chosen_side_includes_its_runs_with_an_empty_store() {
        let cli = cli(&["--side", "native,composr"]);
        assert_eq!(
            cli.wanted(&Side::ALL),
            [Side::Native, Side::NativeArchives, Side::Composr]
        );
        assert!(!cli.wants_plugin());
        assert!(self::cli(&["--side", "archives"]).wants_plugin());
        assert_eq!(self::cli(&[]).wanted(&Side::ALL), Side::ALL);
    }

    #[test]
    fn composer_runs_no_more_often_than_the_others() {
        let runs = |arguments: &[&str], is_slow| cli(arguments).composer_runs(is_slow);
        assert_eq!(runs(&[], false), 5);
        assert_eq!(runs(&[], true), 3);
        assert_eq!(runs(&["--quick"], true), 1);
        assert_eq!(runs(&["--composer-rounds", "1"], false), 1);
        assert_eq!(runs(&["--composer-rounds", "9"], true), 5);
        assert_eq!(runs(&["--composer-rounds", "0"], true), 1);
    }

    #[test]
    fn the_floor_gets_its_three_paths() {
        let cli = cli(&["--make-floor", "plan", "twin", "tree"]);
        assert_eq!(cli.make_floor.len(), 3);
    }
}
