//! Defines the arguments, and runs each subcommand with the library.

mod serve;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use allegro_registry::{
    Catalog, Error, Format, GenSpec, History, LockOptions, OlderOptions, Profile, Project,
    ProjectOptions, Releases, Result, Shapes, TreeOptions,
};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// A Composer registry on the loopback device, with deterministic packages and faults on demand.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve packages until SIGTERM or SIGINT
    Serve(Box<serve::ServeArgs>),
    /// Write composer.json and composer.lock for a registry at a given URL
    Project(Box<ProjectCommand>),
    /// Write the dist of one package to a file
    Archive(Box<ArchiveCommand>),
    /// Write metadata files of a repository as it stood at a moment, for `serve --files`
    History(HistoryCommand),
    /// Write metadata files of many made-up versions, and a project that needs all packages, for
    /// `serve --files`
    Releases(ReleasesCommand),
    /// Count packages, files, directories and bytes, as JSON
    Stats(Box<CatalogArgs>),
}

/// Which packages there are.
#[derive(Debug, Args)]
pub(crate) struct CatalogArgs {
    /// Every package of this composer.lock, with the composer.json beside it
    #[arg(long, value_name = "FILE", group = "source")]
    lock: Option<PathBuf>,
    /// A generated project
    #[arg(long, value_enum, group = "source")]
    profile: Option<ProfileName>,
    /// A generated project of this many packages
    #[arg(long, value_name = "N", group = "source")]
    packages: Option<usize>,
    /// Real source trees: one package for every composer.json found
    #[arg(long, value_name = "DIR", num_args = 1.., group = "source")]
    trees: Vec<PathBuf>,
    /// With --trees: only directories that match (`*` matches any text), relative to the tree
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// With --trees: the version of every package
    #[arg(long, value_name = "VERSION")]
    tree_version: Option<String>,
    /// With --lock: recorded file lists (dists.jsonl.gz)
    #[arg(long, value_name = "FILE")]
    shapes: Option<PathBuf>,
    /// With --shapes: keep all files of recorded lists, instead of thinning them out to 400
    #[arg(long)]
    full_shapes: bool,
    /// With --profile or --packages: another seed makes other packages
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Dist format of a package: NAME=zip|tar|tar.gz|tar.bz2
    #[arg(long, value_name = "NAME=FORMAT")]
    format: Vec<String>,
    /// Keep archives in this directory between runs
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProfileName {
    /// 201 packages, 7.9k files
    Koel,
    /// 144 packages, 18k files, 281 MB
    Symfony,
    /// 1,567 packages, 62k files
    Suite,
    /// 113 packages with plugins, of the size of a Laravel application
    Laravel,
    /// 145 packages with plugins, of the size of a Symfony application
    SymfonyFlex,
    /// 103 packages with plugins, of the size of tools for quality
    Tools,
    /// 60 packages with plugins, of the size of a WordPress site
    Site,
    /// 12 packages
    Small,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Koel => Self::Koel,
            ProfileName::Symfony => Self::SymfonyApp,
            ProfileName::Suite => Self::Suite,
            ProfileName::Laravel => Self::Laravel,
            ProfileName::SymfonyFlex => Self::SymfonyFlex,
            ProfileName::Tools => Self::Tools,
            ProfileName::Site => Self::Site,
            ProfileName::Small => Self::Small,
        }
    }
}

/// How a project is written.
#[derive(Debug, Args)]
pub(crate) struct ProjectArgs {
    /// Keep the packages' `source`
    #[arg(long)]
    keep_source: bool,
    /// Write the SHA-1 of every archive as its shasum
    #[arg(long)]
    shasums: bool,
    /// Keep the scripts of composer.json
    #[arg(long)]
    keep_scripts: bool,
    /// Add a requirement to composer.json
    #[arg(long, value_name = "NAME=CONSTRAINT")]
    require: Vec<String>,
    /// Allow a plugin in composer.json
    #[arg(long, value_name = "NAME")]
    allow_plugin: Vec<String>,
    /// Add a tree as a package: ENTRY is a lock entry (JSON, at least name and version) in a file
    #[arg(long, value_names = ["ENTRY", "DIR"], num_args = 2)]
    add_tree: Vec<PathBuf>,
    /// Also write an older state of the project into this directory
    #[arg(long, value_name = "DIR")]
    older: Option<PathBuf>,
    /// With --older: percentages of packages that changed, are absent, and were removed since
    #[arg(long, value_name = "CHANGED,ABSENT,EXTRA", default_value = "10,2,2")]
    older_by: String,
}

#[derive(Debug, Args)]
struct ProjectCommand {
    #[command(flatten)]
    catalog: CatalogArgs,
    #[command(flatten)]
    project: ProjectArgs,
    /// Where the registry will be
    #[arg(long, value_name = "URL")]
    base_url: String,
    /// The registry's certificate authority, for config.cafile
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Directory to write to
    dir: PathBuf,
}

#[derive(Debug, Args)]
struct ArchiveCommand {
    #[command(flatten)]
    catalog: CatalogArgs,
    /// Package, or package@reference
    name: String,
    /// Another format than the package's
    #[arg(long = "as", value_name = "FORMAT")]
    format_as: Option<Format>,
    /// File to write; by default the name's last part with the format's extension
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct HistoryCommand {
    /// All packages with all that they released (packages.jsonl.gz)
    history: PathBuf,
    /// The composer.json whose packages are wanted
    manifest: PathBuf,
    /// The moment, such as 2025-10-20T10:46:15Z
    moment: String,
    /// Directory to write to
    dir: PathBuf,
}

#[derive(Debug, Args)]
struct ReleasesCommand {
    /// How many packages
    packages: usize,
    /// How many versions of each, 5 or more
    #[arg(value_parser = clap::value_parser!(u16).range(5..))]
    versions: u16,
    /// Directory to write to
    dir: PathBuf,
    /// Another seed makes other packages
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the chosen subcommand.
pub fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Serve(args) => serve::run(*args),
        Command::Project(command) => {
            let mut catalog = command.catalog.catalog()?;
            let writer = command
                .project
                .prepare(&mut catalog, command.ca_file.clone())?;
            writer.write(&catalog, &command.dir, &command.base_url)
        }
        Command::Archive(command) => archive(&command),
        Command::History(command) => history(&command),
        Command::Releases(command) => Releases {
            packages: command.packages,
            versions: command.versions.into(),
            seed: command.seed,
        }
        .write(&command.dir),
        Command::Stats(args) => {
            let started = std::time::Instant::now();
            let stats = args.catalog()?.stats()?;
            let mut json = serde_json::to_value(stats).map_err(as_error)?;
            json["seconds"] = started.elapsed().as_secs_f64().into();
            say(&json.to_string());
            Ok(())
        }
    }
}

fn archive(command: &ArchiveCommand) -> Result<()> {
    let catalog = command.catalog.catalog()?;
    let (name, reference) = match command.name.split_once('@') {
        Some((name, reference)) => (name, Some(reference)),
        None => (command.name.as_str(), None),
    };
    let package = match reference {
        Some(reference) => catalog.find(name, reference),
        None => catalog.versions(name).next(),
    }
    .ok_or_else(|| Error::UnknownPackage(command.name.clone()))?;
    let format = command.format_as.unwrap_or(package.format);
    let archive = catalog.archive(package, format)?;
    let file = command.output.clone().unwrap_or_else(|| {
        let last = name.rsplit('/').next().unwrap_or(name);
        PathBuf::from(format!("{last}.{format}"))
    });
    std::fs::write(&file, archive.bytes()?).map_err(Error::io(&file))
}

fn history(command: &HistoryCommand) -> Result<()> {
    let path = &command.manifest;
    let text = std::fs::read(path).map_err(Error::io(path))?;
    let manifest = serde_json::from_slice(&text).map_err(|source| Error::Json {
        what: path.display().to_string(),
        source,
    })?;
    let packages =
        History::open(&command.history)?.write(&manifest, &command.moment, &command.dir)?;
    say(&serde_json::json!({ "packages": packages }).to_string());
    Ok(())
}

impl CatalogArgs {
    pub(crate) fn catalog(&self) -> Result<Catalog> {
        let catalog = if let Some(lock) = &self.lock {
            let options = LockOptions {
                shapes: match &self.shapes {
                    Some(path) => Shapes::read(path)?,
                    None => Shapes::none(),
                },
                max_shape_files: if self.full_shapes {
                    None
                } else {
                    LockOptions::default().max_shape_files
                },
                formats: Vec::new(),
            };
            Catalog::from_lock(&Project::read_lock(lock)?, &options)?
        } else if !self.trees.is_empty() {
            Catalog::from_trees(&TreeOptions {
                dirs: self.trees.clone(),
                globs: self.only.clone(),
                version: self.tree_version.clone(),
            })?
        } else {
            let spec = match self.packages {
                Some(packages) => GenSpec::custom(packages),
                None => self.profile.map_or(Profile::Small, Profile::from).spec(),
            };
            Catalog::generated(&GenSpec {
                seed: self.seed,
                ..spec
            })
        };
        let mut catalog = match &self.cache_dir {
            Some(dir) => catalog.with_cache_dir(dir),
            None => catalog,
        };
        for (name, format) in pairs(&self.format)? {
            catalog.set_format(&name, format.parse()?)?;
        }
        Ok(catalog)
    }
}

/// A project that lacks nothing but the registry's URL.
pub(crate) struct ProjectWriter {
    options: ProjectOptions,
    older: Option<(PathBuf, Project)>,
}

impl ProjectArgs {
    /// Adds the further packages of the project to the catalog.
    pub(crate) fn prepare(
        &self,
        catalog: &mut Catalog,
        ca_file: Option<PathBuf>,
    ) -> Result<ProjectWriter> {
        let mut options = ProjectOptions {
            keep_source: self.keep_source,
            shasums: self.shasums,
            keep_scripts: self.keep_scripts,
            ca_file,
            extra_requires: pairs(&self.require)?,
            extra_allow_plugins: self
                .allow_plugin
                .iter()
                .map(|name| (name.clone(), true))
                .collect(),
            ..ProjectOptions::default()
        };
        for pair in self.add_tree.chunks_exact(2) {
            let entry = allegro_registry::read_json(&pair[0])?;
            options
                .extra_packages
                .push(catalog.add_tree(entry, &pair[1], &["vendor"])?);
        }
        let older = match &self.older {
            Some(dir) => Some((dir.clone(), catalog.add_older(&self.older_options()?))),
            None => None,
        };
        Ok(ProjectWriter { options, older })
    }

    fn older_options(&self) -> Result<OlderOptions> {
        let numbers: Vec<usize> = self
            .older_by
            .split(',')
            .filter_map(|number| number.trim().parse().ok())
            .collect();
        let [changed, absent, extra] = numbers[..] else {
            return Err(usage(
                &self.older_by,
                "expected three percentages, such as 10,2,2",
            ));
        };
        Ok(OlderOptions {
            changed,
            absent,
            extra,
            ..OlderOptions::default()
        })
    }
}

impl ProjectWriter {
    pub(crate) fn write(&self, catalog: &Catalog, dir: &Path, base_url: &str) -> Result<()> {
        catalog.write_project(dir, base_url, &self.options)?;
        if let Some((dir, state)) = &self.older {
            catalog.write_project_state(state, dir, base_url, &self.options)?;
        }
        Ok(())
    }

    pub(crate) fn set_ca_file(&mut self, file: Option<PathBuf>) {
        self.options.ca_file = file;
    }
}

fn pairs(texts: &[String]) -> Result<Vec<(String, String)>> {
    texts
        .iter()
        .map(|text| {
            let (key, value) = text
                .split_once('=')
                .ok_or_else(|| usage(text, "expected NAME=VALUE"))?;
            Ok((key.to_owned(), value.to_owned()))
        })
        .collect()
}

fn usage(text: &str, reason: &str) -> Error {
    Error::Rule {
        rule: text.to_owned(),
        reason: reason.to_owned(),
    }
}

fn as_error(source: serde_json::Error) -> Error {
    Error::Json {
        what: "the statistics".to_owned(),
        source,
    }
}

/// Prints a line to standard output. It is no failure if nobody reads it.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line to standard error.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "allegro-registry: {line}");
}
