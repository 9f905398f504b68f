//! Compares `composer resolve` with `composer update --no-install`, for real manifests and the
//! repository as it stood.

mod call;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bed::{self, Bed, Registry};
use crate::cli::{Cli, Project};
use crate::error::{Result, at};
use crate::measure::Run;
use crate::side::Side;
use crate::stats::Spread;
use crate::{progress, tree};

pub use call::{Call, Choice};

/// Manifests of the corpus.
const CASES: [&str; 5] = [
    "koel-20260822",
    "sylius-20201117",
    "mautic-20240916",
    "b2b-20250704",
    "suite-20251020",
];

/// The metadata in the cache before a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Composer's cache has all metadata.
    Metadata,
    /// The cache is empty.
    Nothing,
    /// The cache is empty, and each answer comes late, over https.
    NothingAndLate,
}

impl Known {
    /// Returns the state's name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metadata => "warm",
            Self::Nothing => "cold",
            Self::NothingAndLate => "cold, late answers",
        }
    }
}

/// The command that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// `composer update --no-install`.
    Update,
    /// `composer resolve` with the helper.
    Helper,
    /// `composer resolve` with the extension.
    Extension,
    /// `allegro update --no-install`.
    Native,
    /// `viv update --no-install`.
    Viv,
    /// `vivacity update --no-install`.
    Vivacity,
    /// `composer install --dry-run` of the lock, as a measure of what an install would need.
    DryRun,
}

impl Who {
    /// Every command in the order of the runs. The last one needs the lock of another.
    const ALL: [Self; 7] = [
        Self::Update,
        Self::Helper,
        Self::Extension,
        Self::Native,
        Self::Viv,
        Self::Vivacity,
        Self::DryRun,
    ];

    /// Returns the side that has the command.
    pub fn side(self) -> Side {
        match self {
            Self::Update | Self::DryRun => Side::Composer,
            Self::Helper => Side::Helper,
            Self::Extension => Side::Extension,
            Self::Native => Side::Native,
            Self::Viv => Side::Viv,
            Self::Vivacity => Side::Vivacity,
        }
    }

    /// Returns the command's name beside other sides.
    pub fn title(self) -> &'static str {
        match self {
            Self::DryRun => "Composer, install --dry-run",
            Self::Helper => "Allegro, helper, resolve",
            Self::Extension => "Allegro, extension, resolve",
            other => other.side().title(),
        }
    }

    /// Returns the command's name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Helper => "helper",
            Self::Extension => "extension",
            Self::Native => "native",
            Self::Viv => "viv",
            Self::Vivacity => "vivacity",
            Self::DryRun => "install --dry-run",
        }
    }
}

/// The runs of one command.
#[derive(Debug)]
pub struct Entry {
    /// Command of the runs.
    pub who: Who,
    /// Every measured run.
    pub runs: Vec<Run>,
    /// The native part's report of each run.
    pub choices: Vec<Choice>,
    /// Whether each lock was the first command's, byte for byte.
    pub equal: bool,
    /// Why there are no figures, if there are none.
    pub absent: Option<String>,
}

impl Entry {
    /// Returns the spread of the runs' seconds.
    pub fn wall(&self) -> Option<Spread> {
        Spread::of(self.runs.iter().map(|run| run.wall))
    }

    /// Returns the bytes of the largest process of all runs.
    pub fn peak(&self) -> u64 {
        self.runs.iter().map(|run| run.peak).max().unwrap_or(0)
    }

    /// Returns the seconds until the native part had answered.
    pub fn choosing(&self) -> Option<Spread> {
        Spread::of(self.choices.iter().map(|choice| choice.seconds))
    }

    /// Returns the native part's work for the table.
    pub fn chosen(&self) -> String {
        let (Some(choice), Some(seconds)) = (self.choices.first(), self.choosing()) else {
            return String::new();
        };
        format!(
            "; {:.2} s of it choosing, {} versions, {} of them considered, {} rules",
            seconds.median, choice.versions, choice.considered, choice.rules
        )
    }
}

/// The results for a manifest.
#[derive(Debug)]
pub struct Finding {
    /// Name of the manifest in the corpus.
    pub case: &'static str,
    /// Number of packages of the repository.
    pub packages: u64,
    /// State of the cache before the runs.
    pub known: Known,
    /// Runs of all commands.
    pub entries: Vec<Entry>,
    /// Whether all locks were equal, except for rivals.
    pub equal: bool,
}

impl Finding {
    /// Returns the runs of a command.
    pub fn entry(&self, who: Who) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.who == who)
    }
}

/// Measures every manifest; none if there is no corpus.
pub fn all(cli: &Cli, work: &Path) -> Result<Vec<Finding>> {
    let corpus = cli.shared.join("corpus");
    let history = corpus.join("packages.jsonl.gz");
    if !history.exists() {
        progress("resolve: left out, there is no corpus of metadata");
        return Ok(Vec::new());
    }
    // The bed provides homes only.
    let bed = Bed::new(cli, &work.join("resolve"), Project::Koel)?;
    let mut findings = Vec::new();
    for case in CASES.into_iter().filter(|case| cli.wants_manifest(case)) {
        let dir = corpus.join("cases").join(case);
        let manifest = bed::read_json(&dir.join("composer.json"))?;
        let facts = bed::read_json(&dir.join("case.json"))?;
        let files = bed.dir.join("files");
        tree::remove(&files)?;
        let moment = facts["cutoff"].as_str().unwrap_or_default();
        let packages = publish(cli, &history, &dir.join("composer.json"), moment, &files)?;
        for known in [Known::Metadata, Known::Nothing, Known::NothingAndLate] {
            let task = Task {
                cli,
                bed: &bed,
                case,
                known,
            };
            let entries = task.measure(&manifest, &files)?;
            findings.push(Finding {
                case,
                packages,
                known,
                equal: entries
                    .iter()
                    .all(|entry| entry.equal || !entry.who.side().must_equal()),
                entries,
            });
        }
    }
    Ok(findings)
}

/// Writes the repository as it stood, in a process of its own, because memory of this process would
/// count as that of its children.
fn publish(cli: &Cli, history: &Path, manifest: &Path, moment: &str, to: &Path) -> Result<u64> {
    let output = Command::new(&cli.registry)
        .arg("history")
        .args([history, manifest])
        .arg(moment)
        .arg(to)
        .output()
        .map_err(at(&cli.registry))?;
    let said: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok(said["packages"].as_u64().unwrap_or(0))
}

struct Task<'a> {
    cli: &'a Cli,
    bed: &'a Bed<'a>,
    case: &'static str,
    known: Known,
}

impl Task<'_> {
    fn measure(&self, manifest: &Value, files: &Path) -> Result<Vec<Entry>> {
        let server = Server::start(self.cli, self.bed, files, self.known)?;
        let manifest = server.used_by(manifest);
        let wanted = Who::ALL
            .into_iter()
            .filter(|who| self.cli.wants_side(who.side()));
        let mut entries: Vec<Entry> = wanted
            .map(|who| Entry {
                who,
                runs: Vec::new(),
                choices: Vec::new(),
                equal: true,
                absent: None,
            })
            .collect();
        for entry in &entries {
            let project = self.project(entry.who);
            fs::create_dir_all(&project).map_err(at(&project))?;
            bed::write_json(&project.join("composer.json"), &manifest)?;
        }
        for round in 0..=self.cli.runs() {
            let mut lock: Option<Vec<u8>> = None;
            for entry in &mut entries {
                if entry.absent.is_none()
                    && let Err(error) = self.run(entry, round, &mut lock)
                {
                    if !entry.who.side().may_be_absent() {
                        return Err(error);
                    }
                    let (who, reason) = (entry.who.name(), error.to_string());
                    progress(&format!("{}: {who} is not available: {reason}", self.case));
                    entry.absent = Some(reason);
                    entry.runs.clear();
                }
            }
        }
        Ok(entries)
    }

    /// Makes one run of a command. The first command of a round provides the lock that the others
    /// are compared with.
    fn run(&self, entry: &mut Entry, round: usize, lock: &mut Option<Vec<u8>>) -> Result<()> {
        let path = self.project(entry.who).join("composer.lock");
        if entry.who == Who::DryRun {
            fs::write(&path, lock.as_deref().unwrap_or_default()).map_err(at(&path))?;
        } else {
            let _ = fs::remove_file(&path);
            if self.known != Known::Metadata {
                tree::remove(&self.cache(entry.who))?;
            }
        }
        tree::settle(Duration::from_millis(self.cli.settle));
        let call = Call {
            bed: self.bed,
            who: entry.who,
            what: self.case,
            project: self.project(entry.who),
            cache: self.cache(entry.who),
        };
        let (run, choice) = call.run()?;
        let found = fs::read(&path).map_err(at(&path))?;
        entry.equal &= *lock.get_or_insert_with(|| found.clone()) == found;
        if round > 0 {
            progress(&format!(
                "{}, {}: {:18} {round}: {:7.3} s",
                self.case,
                self.known.name(),
                entry.who.name(),
                run.wall
            ));
            entry.runs.push(run);
            entry.choices.extend(choice);
        }
        Ok(())
    }

    fn project(&self, who: Who) -> PathBuf {
        self.bed.dir.join(format!("project-{}", who.name()))
    }

    fn cache(&self, who: Who) -> PathBuf {
        self.bed.dir.join(format!("cache-{}", who.name()))
    }
}

/// A served repository.
pub struct Server {
    _process: Registry,
    /// URL of the repository.
    pub url: String,
    /// Authority to trust, if the server uses https.
    pub ca_file: Option<PathBuf>,
}

impl Server {
    /// Serves files in the way that belongs to a state of the cache.
    pub fn start(cli: &Cli, bed: &Bed<'_>, files: &Path, known: Known) -> Result<Self> {
        let ready = bed.dir.join("ready.json");
        let mut command = Command::new(&cli.registry);
        command
            .args(["serve", "--packages", "1", "--files"])
            .arg(files);
        let ca_file = (known == Known::NothingAndLate).then(|| bed.dir.join("ca.pem"));
        if let Some(file) = &ca_file {
            let latency = cli.latency.to_string();
            command
                .args(["--latency-ms", &latency, "--tls", "--ca-file"])
                .arg(file);
        }
        let process = Registry::run(command, &ready)?;
        let said = bed::read_json(&ready)?;
        Ok(Self {
            _process: process,
            url: said["base_url"].as_str().unwrap_or_default().to_owned(),
            ca_file,
        })
    }

    /// Returns a manifest whose packages come from this server.
    pub fn used_by(&self, manifest: &Value) -> Value {
        let mut manifest = manifest.clone();
        manifest["repositories"] =
            json!([{ "type": "composer", "url": self.url }, { "packagist.org": false }]);
        manifest["config"]["secure-http"] = json!(false);
        manifest["config"]["allow-plugins"] = json!(true);
        if let Some(file) = &self.ca_file {
            manifest["config"]["cafile"] = json!(file);
        }
        manifest
    }
}
