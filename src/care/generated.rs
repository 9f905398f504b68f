//! Knows the files that Composer generates in vendor, as native code would write them now.

mod alike;
mod programs;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use allegro_base::error::{Error, Result};
use allegro_base::report::Host;
use allegro_composer::Unfamiliar;
use allegro_composer::installed::Vendor;
use allegro_composer::json::Json;
use allegro_composer::package::{Package, Place as Source};
use allegro_store::Store;

pub use alike::is_alike;
use programs::programs;

use super::Sight;
use super::members::{Base, Order, State};
use crate::install::decide::as_set;
use crate::install::dumping::{Dumping, FIXED, Undone, paths_of, real};
use crate::install::local_repository::LocalRepository;
use crate::install::plugins::Plugins;
use crate::install::{Context, Options, checks};
use crate::machine::platform::Ignored;

/// A file that Composer generates.
#[derive(Debug)]
pub struct Wanted {
    /// Path of the file.
    pub path: PathBuf,
    /// Contents that are right. There are none where no file may be.
    pub contents: Vec<Vec<u8>>,
    /// Permission bits of a new file.
    pub mode: u32,
    /// Files of packages that the content depends on.
    pub origin: Origin,
}

impl Wanted {
    /// Returns whether a content is right.
    pub fn is_right(&self, content: &[u8]) -> bool {
        self.contents.iter().any(|right| is_alike(content, right))
    }
}

/// The files of packages that a generated file depends on.
#[derive(Debug, PartialEq, Eq)]
pub enum Origin {
    /// It depends on no file.
    Nothing,
    /// It depends on all PHP files.
    Code,
    /// It depends on this program.
    Program(PathBuf),
}

/// The generated files of a vendor directory.
#[derive(Debug, Default)]
pub struct Generated {
    /// The files.
    pub files: Vec<Wanted>,
    /// Reason why nothing is known of autoload files.
    pub no_autoload: Option<String>,
}

/// Texts of the files that record what is installed.
pub struct Records {
    /// Texts of `installed.json` that are right. They differ in indentation.
    pub json: Vec<Vec<u8>>,
    /// Texts of `installed.php` that are right. They differ in the order of lists.
    pub php: Vec<Vec<u8>>,
}

/// Returns the paths below vendor of all files that Composer may generate, apart from programs.
pub const NAMES: [&str; 14] = [
    "autoload.php",
    "composer/ClassLoader.php",
    "composer/InstalledVersions.php",
    "composer/LICENSE",
    "composer/autoload_classmap.php",
    "composer/autoload_files.php",
    "composer/autoload_namespaces.php",
    "composer/autoload_psr4.php",
    "composer/autoload_real.php",
    "composer/autoload_static.php",
    "composer/include_paths.php",
    "composer/installed.json",
    "composer/installed.php",
    "composer/platform_check.php",
];

/// Files whose content depends on the PHP files of packages.
const SCANNED: [&str; 2] = [
    "composer/autoload_classmap.php",
    "composer/autoload_static.php",
];

/// Returns the reason why the generated files of a project are not certain.
pub fn obstacle(context: &Context<'_>, sight: &Sight, state: State) -> Option<String> {
    let look = &sight.look;
    let reason = sight.strange.as_ref().or(look.reservations.first());
    if let Some(reason) = reason {
        return Some(reason.clone());
    }
    let locked = look.project.locked(state.is_dev);
    let options = Options {
        no_dev: !state.is_dev,
        ..Options::default()
    };
    let checked = checks::check_project(&look.project, &locked)
        .and_then(|()| Plugins::at_rest(context, &options, &sight.habits, &look.project));
    if let Err(Unfamiliar(reason)) = checked {
        return Some(reason);
    }
    look.records.iter().find_map(|record| {
        let package = &record.package;
        let is_elsewhere =
            !state.is_proven && look.place_of(record) != look.project.path_of(package);
        let is_path = package
            .dist
            .as_ref()
            .is_some_and(|dist| dist.kind == "path");
        let is_source = record.installation_source.as_deref() == Some("source");
        let name = &package.name;
        if package.is_metapackage() {
            None
        } else if is_path || is_source {
            Some(format!("{name} was not installed from an archive"))
        } else {
            is_elsewhere.then(|| format!("{name} is installed at a place of its own"))
        }
    })
}

/// Returns the texts of the files that record what is installed.
///
/// The version of the root package may come from Git, and change with each commit. So the version in
/// the present `installed.php` is right too where Git is asked.
pub fn records(sight: &Sight, base: &Base<'_>) -> Result<Records, Unfamiliar> {
    let look = base.look();
    let project = &look.project;
    let vendor_dir = &project.settings.vendor_dir;
    let vendor_real = real(vendor_dir).to_string_lossy().into_owned();
    let mut roots = vec![project.root.clone()];
    if project.asks_git
        && let Ok(text) = fs::read_to_string(vendor_dir.join("composer/installed.php"))
        && let Some(noted) = NotedRoot::read(&text)
    {
        let mut root = project.root.clone();
        noted.put_into(&mut root.package);
        roots.push(root);
    }
    let root_directory = project.directory.to_string_lossy();
    let directory = format!("{vendor_real}/composer");
    let mut records = Records {
        json: Vec::new(),
        php: Vec::new(),
    };
    for order in [Order::Fresh, Order::Read] {
        let repository = base.repository(order);
        let packages: Vec<&Package> = repository.packages().collect();
        let paths = paths_of(&vendor_real, &packages);
        let members = repository.members(&paths);
        let vendor = Vendor {
            directory: &directory,
            members: &members,
            dev_names: &base.dev_names(),
            is_dev: base.state().is_dev,
            dialect: sight.habits.target.dialect,
        };
        if order == Order::Fresh {
            records.json.push(vendor.installed_json(None)?.into_bytes());
            if let Some(old) = &project.installed_text {
                records
                    .json
                    .push(vendor.installed_json(Some(old))?.into_bytes());
            }
        }
        for root in &roots {
            let php = vendor.installed_php(root, &root_directory)?;
            records.php.push(php.into_bytes());
        }
    }
    Ok(records)
}

/// The version of the root package that an `installed.php` has.
struct NotedRoot<'t> {
    pretty_version: &'t str,
    version: &'t str,
    reference: Option<&'t str>,
}

impl<'t> NotedRoot<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let start = text.find("'root' => array(")?;
        let block = &text[start..start + text[start..].find("\n    ),")?];
        let value = |key: &str| {
            let (_, rest) = block.split_once(&format!("'{key}' => "))?;
            let end = rest
                .find(",\n")
                .or_else(|| rest.strip_suffix(',').map(str::len))?;
            Some(&rest[..end])
        };
        let unquoted = |value: &'t str| value.strip_prefix('\'')?.strip_suffix('\'');
        let reference = value("reference")?;
        let is_commit =
            |text: &&str| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
        Some(Self {
            pretty_version: unquoted(value("pretty_version")?)?,
            version: unquoted(value("version")?)?,
            reference: match reference {
                "NULL" | "null" => None,
                text => Some(unquoted(text).filter(is_commit)?),
            },
        })
    }

    fn put_into(&self, package: &mut Package) {
        self.pretty_version.clone_into(&mut package.pretty_version);
        self.version.clone_into(&mut package.version);
        let reference = self.reference.map(str::to_owned);
        // Without the repository, the package has no source.
        let source = package.source.get_or_insert_with(|| Source {
            kind: String::new(),
            url: String::new(),
            reference: None,
            shasum: None,
            mirrors: Json::Null,
        });
        source.reference.clone_from(&reference);
        if let Some(dist) = &mut package.dist {
            dist.reference = reference;
        }
    }
}

/// Returns the generated files of a project that has no [`obstacle`].
///
/// # Errors
/// Fails where a form of a file is not certain.
pub fn generated(
    context: &Context<'_>,
    sight: &mut Sight,
    state: State,
    host: &mut dyn Host,
) -> Result<Generated, Undone> {
    let vendor_dir = sight.look.project.settings.vendor_dir.clone();
    let configured = sight.look.project.settings.suffix.clone();
    if configured.is_none_or(|suffix| suffix.is_empty()) {
        sight.look.project.settings.suffix = present_suffix(&vendor_dir);
    }
    let base = Base::of(&sight.look, state);
    let texts = records(sight, &base)?;
    let mode = 0o666 & !context.umask;
    let file = |name: &str, contents: Vec<Vec<u8>>| Wanted {
        path: vendor_dir.join(name),
        contents,
        mode,
        origin: if SCANNED.contains(&name) {
            Origin::Code
        } else {
            Origin::Nothing
        },
    };
    let mut generated = Generated::default();
    let files = &mut generated.files;
    files.push(file("composer/installed.json", texts.json));
    files.push(file("composer/installed.php", texts.php));
    if let Some(text) = sight.habits.texts.get("composer/InstalledVersions.php") {
        files.push(file("composer/InstalledVersions.php", vec![text.to_vec()]));
    }
    files.extend(programs(context, sight, &base)?);
    if !vendor_dir.join("autoload.php").exists()
        && !vendor_dir.join("composer/autoload_real.php").exists()
        && !vendor_dir.join("composer/autoload_psr4.php").exists()
    {
        generated.no_autoload = Some("there is no autoloader".to_owned());
        return Ok(generated);
    }
    let autoload = autoload(context, sight, &base, host)?;
    files.extend(
        autoload
            .into_iter()
            .map(|(name, text)| file(name, text.into_iter().collect())),
    );
    Ok(generated)
}

/// Returns the suffix of the autoloader's classes that most of its files have.
fn present_suffix(vendor_dir: &Path) -> Option<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for (name, prefix) in [
        ("autoload.php", "ComposerAutoloaderInit"),
        ("composer/autoload_real.php", "class ComposerAutoloaderInit"),
        ("composer/autoload_static.php", "class ComposerStaticInit"),
    ] {
        let text = fs::read_to_string(vendor_dir.join(name)).unwrap_or_default();
        if let Some((_, rest)) = text.split_once(prefix) {
            let end = rest.find(|letter: char| letter.is_whitespace() || letter == ':');
            let suffix = rest[..end.unwrap_or(rest.len())].to_owned();
            *counts.entry(suffix).or_default() += 1;
        }
    }
    let best = counts.into_iter().filter(|(suffix, _)| !suffix.is_empty());
    best.max_by_key(|(_, count)| *count)
        .map(|(suffix, _)| suffix)
}

type Texts = Vec<(&'static str, Option<Vec<u8>>)>;

/// Returns the autoload files. Options of the last install are not on record, so the way of writing
/// them is taken that fits the present files best.
fn autoload(
    context: &Context<'_>,
    sight: &Sight,
    base: &Base<'_>,
    host: &mut dyn Host,
) -> Result<Texts, Undone> {
    let project = &sight.look.project;
    let vendor_dir = &project.settings.vendor_dir;
    let present = fs::read_to_string(vendor_dir.join("composer/autoload_real.php"));
    let present = present.unwrap_or_default();
    let authoritative = present.contains("setClassMapAuthoritative(true)");
    let apcu_prefix = present
        .split_once("setApcuPrefix('")
        .and_then(|(_, rest)| rest.split_once("')"))
        .map(|(prefix, _)| prefix.to_owned());
    // An install that ignored all requirements of the platform checks none.
    let is_unchecked = !present.is_empty() && !present.contains("platform_check.php");
    let options = |optimize: bool| Options {
        no_dev: !base.state().is_dev,
        ignored_platform: if is_unchecked {
            Ignored::All
        } else {
            Ignored::None
        },
        optimize,
        authoritative,
        apcu_prefix: apcu_prefix.clone(),
        ..Options::default()
    };
    let mut best: Option<(usize, Texts)> = None;
    let settled = authoritative || project.settings.authoritative || project.settings.optimize;
    for (optimize, order) in [
        (false, Order::Fresh),
        (false, Order::Read),
        (true, Order::Fresh),
        (true, Order::Read),
    ] {
        if optimize && settled {
            break;
        }
        let texts = render(
            context,
            sight,
            &base.repository(order),
            base,
            &options(optimize),
            host,
        )?;
        let differing = texts
            .iter()
            .filter(|(name, text)| fs::read(vendor_dir.join(name)).ok() != *text)
            .count();
        if best.as_ref().is_none_or(|(least, _)| differing < *least) {
            best = Some((differing, texts));
        }
        if differing == 0 {
            break;
        }
    }
    Ok(best.map(|(_, texts)| texts).unwrap_or_default())
}

fn render(
    context: &Context<'_>,
    sight: &Sight,
    repository: &LocalRepository<'_>,
    base: &Base<'_>,
    options: &Options,
    host: &mut dyn Host,
) -> Result<Texts, Undone> {
    let habits = &sight.habits;
    let project = &sight.look.project;
    let store = Store::open(&context.settings.store)?;
    let dumping = Dumping::of(context, habits, options, &store);
    let names = as_set(&base.dev_names());
    let plan = dumping.plan(project, &repository.canonical_packages(), &names)?;
    let (scan, ..) = dumping.scan(project, &plan, host)?;
    let rendered = plan.render(&scan)?;
    let mut texts: Texts = rendered
        .files
        .into_iter()
        .map(|(name, text)| (name, text.map(String::into_bytes)))
        .collect();
    for name in FIXED {
        if let Some(text) = habits.texts.get(name) {
            texts.push((name, Some(text.to_vec())));
        }
    }
    Ok(texts)
}

/// Returns the reason for which a dump is not done.
pub fn reason(undone: Undone) -> Result<String, Error> {
    match undone {
        Undone::Unfamiliar(Unfamiliar(reason)) => Ok(reason),
        Undone::Failed(error) => Err(error),
    }
}
