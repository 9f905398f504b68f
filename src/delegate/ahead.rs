//! Makes the packages of a lock while PHP and Composer start.
//!
//! The worker is a process of its own, and the parent of that process becomes PHP. The worker knows
//! neither what plugins do nor whether Composer will install anything. So it writes only into the
//! store, and opens no socket.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use allegro_base::report::{Event, Host};
use allegro_composer::package::Package;
use serde::{Deserialize, Serialize};

use crate::install::decide::Habits;
use crate::install::look::{Look, Manifest};
use crate::install::requests::Requests;
use crate::install::sharing::Sharing;
use crate::machine::find::{own_binary, program};
use crate::ops;
use crate::parting;
use crate::protocol::prepare::{PackageRequest, PrepareRequest};
use crate::protocol::settings::Overrides;
use crate::settings::{Environment, Settings};

/// Name of the worker's command, which is for this binary only.
pub const COMMAND: &str = "ahead";

/// What a worker has to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// Directory of the project, without links.
    pub directory: PathBuf,
    /// Whether packages for development are installed.
    pub with_dev: bool,
    /// Settings that differ from the environment.
    pub settings: Overrides,
    /// The umask of Composer.
    pub umask: u32,
    /// Composer's `TZ`, if it is set.
    pub timezone: Option<String>,
}

/// A task for the process that becomes PHP.
#[derive(Serialize, Deserialize)]
struct Order {
    task: Task,
    customer: u32,
}

impl Task {
    /// Starts a worker for this process, which becomes PHP. Without a worker, the plugin's helper
    /// makes all packages.
    pub fn start(&self) {
        let order = Order {
            task: self.clone(),
            customer: std::process::id(),
        };
        let (Ok(order), Ok(binary)) = (serde_json::to_string(&order), own_binary()) else {
            return;
        };
        // A pipe of the caller must not stay open until the worker ends.
        let _ = Command::new(binary)
            .args([COMMAND, &order])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
    }

    /// Returns the request for everything that is missing in the project.
    fn request(&self, environment: &Environment) -> Option<PrepareRequest> {
        let target = Habits::built_in(None).ok()?.target;
        let variable = |name: &str| environment.text(name);
        let mut look = Look::at(&self.directory, &variable, &target, Manifest::Needed).ok()?;
        let vendor_dir = look.project.settings.vendor_dir.clone();
        let store = Settings::resolve(&self.settings, environment).ok()?.store;
        if device(&store)? != device(&vendor_dir)? {
            return None;
        }
        let sharing = Sharing::expected(&look);
        let packages: Vec<Package> = look
            .project
            .locked(self.with_dev)
            .into_iter()
            .filter(|package| is_wanted(package, &look))
            .cloned()
            .collect();
        let mut requests = Requests {
            project: &look.project,
            access: &mut look.access,
            sharing: &sharing,
            plain_modes: program(environment, &self.directory, Path::new("unzip")).is_none(),
            is_offline: true,
            objections: Vec::new(),
            warnings: Vec::new(),
        };
        let packages: Vec<PackageRequest> = packages
            .iter()
            .enumerate()
            .filter_map(|(id, package)| requests.of(id, package).ok())
            // Composer sets the mode of each program.
            .map(|request| PackageRequest {
                shares_bins: false,
                ..request
            })
            .collect();
        (!packages.is_empty()).then(|| PrepareRequest {
            staging: vendor_dir.clone(),
            vendor_dir,
            umask: self.umask,
            timezone: self.timezone.clone(),
            is_quiet: true,
            settings: self.settings.clone(),
            http: look.project.settings.http.clone(),
            packages,
        })
    }
}

/// Returns whether Composer will probably install a package from an archive.
fn is_wanted(package: &Package, look: &Look) -> bool {
    let preferred = &look.project.settings.preferred_install;
    let is_of_source =
        package.source.is_some() && !preferred.takes_dist(&package.name, package.is_dev());
    let has_archive = package
        .dist
        .as_ref()
        .is_some_and(|dist| matches!(dist.kind.as_str(), "zip" | "tar"));
    !package.is_metapackage()
        && !is_of_source
        && has_archive
        && fs::symlink_metadata(look.project.path_of(package)).is_err()
}

/// Returns the file system of a path, or of the directory in which the path will be.
fn device(path: &Path) -> Option<u64> {
    let found = path.ancestors().find_map(|path| fs::metadata(path).ok());
    found.map(|facts| facts.dev())
}

/// Does the task in the argument of a worker.
pub fn work(order: &str, environment: &Environment) -> ExitCode {
    // Ctrl-C is Composer's. The worker learns that Composer has ended.
    let _ = rustix::process::setpgid(None, None);
    parting::watch();
    let Ok(Order { task, customer }) = serde_json::from_str(order) else {
        return ExitCode::FAILURE;
    };
    let mut host = Customer(customer);
    if host.interrupted() {
        return ExitCode::SUCCESS;
    }
    let done = task.request(environment).map_or(Ok(()), |request| {
        ops::prepare_ahead(request, customer, environment, &mut host).map_err(io::Error::other)
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The process that becomes PHP, by its id.
struct Customer(u32);

impl Host for Customer {
    fn events(&mut self, _events: Vec<Event>) {}

    fn interrupted(&mut self) -> bool {
        let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
        let is_there = parent.and_then(|pid| u32::try_from(pid).ok()) == Some(self.0);
        parting::is_bereft() || !is_there
    }
}
