//! Puts the packages of a lock into the store, without a project around the lock.

use std::collections::HashMap;
use std::io;

use allegro_base::error::in_store;
use allegro_base::report::Host;
use allegro_composer::Unfamiliar;
use allegro_composer::dialect::Dialect;
use allegro_composer::operation_text::full_pretty_version;
use allegro_composer::package::Package;
use allegro_store::Store;
use serde::Serialize;

use crate::console::formatted;
use crate::install::decide::Habits;
use crate::install::look::{Look, Manifest};
use crate::install::requests::Requests;
use crate::install::sharing::Sharing;
use crate::install::{Context, Undecided};
use crate::ops;
use crate::protocol::error::ErrorKind;
use crate::protocol::prepare::{PackageOutcome, PackageRequest, PrepareRequest, Provenance};

/// The result of a fetch.
#[derive(Debug, Default, Serialize)]
pub struct Fetched {
    /// Number of packages that the store had already.
    pub store: usize,
    /// Number of packages whose archive was in Composer's cache.
    pub archive: usize,
    /// Number of packages that were downloaded.
    pub downloaded: usize,
    /// Number of downloaded bytes.
    pub bytes: u64,
    /// Packages that are left to Composer, with the reasons.
    pub skipped: Vec<Trouble>,
    /// Packages that are not at hand while nothing may be downloaded.
    pub missing: Vec<Trouble>,
    /// Packages that could not be downloaded.
    pub failed: Vec<Trouble>,
    /// Packages whose archive was refused.
    pub refused: Vec<Trouble>,
    /// Sentences for the user.
    pub notices: Vec<String>,
}

/// A package that did not come into the store.
#[derive(Debug, Serialize)]
pub struct Trouble {
    /// Name of the package.
    pub name: String,
    /// Pretty version of the package.
    pub version: String,
    /// Reason.
    pub reason: String,
}

impl Trouble {
    fn of(package: &Package, reason: impl Into<String>) -> Self {
        Self {
            name: package.name.clone(),
            version: full_pretty_version(package, Dialect::default()),
            reason: reason.into(),
        }
    }
}

/// Puts the packages of the lock into the store. It needs neither PHP nor a manifest. `begin` learns
/// how many packages follow.
///
/// # Errors
/// Fails where the lock can't be read or the store can't be written. Trouble of one package is in
/// the result.
pub fn fetch(
    context: &Context<'_>,
    with_dev: bool,
    is_offline: bool,
    begin: &mut dyn FnMut(usize),
    host: &mut dyn Host,
) -> Result<Fetched, Undecided> {
    let target = Habits::built_in(None)?.target;
    let directory = &context.directory;
    let mut look = Look::at(directory, context.variable, &target, Manifest::Optional)?;
    let staging = staging(context)?;
    let packages: Vec<Package> = look
        .project
        .locked(with_dev)
        .into_iter()
        .filter(|package| !package.is_metapackage())
        .cloned()
        .collect();
    let mut fetched = Fetched::default();
    let (requests, objections) = requests(&mut look, &packages, is_offline, &mut fetched);
    begin(requests.len());
    if requests.is_empty() {
        return Ok(fetched);
    }
    let settings = &look.project.settings;
    let request = PrepareRequest {
        vendor_dir: settings.vendor_dir.clone(),
        staging,
        umask: context.umask,
        timezone: context.timezone.clone(),
        is_quiet: false,
        settings: context.overrides.clone(),
        http: settings.http.clone(),
        packages: requests,
    };
    let is_offline = is_offline || settings.is_offline;
    let answer = ops::fill(&request, context.environment, host)?;
    for outcome in answer.packages {
        let package = &packages[outcome.id];
        match outcome.outcome {
            PackageOutcome::Ready {
                from, downloaded, ..
            } => {
                fetched.bytes += downloaded;
                match from {
                    Provenance::Store => fetched.store += 1,
                    Provenance::Archive => fetched.archive += 1,
                    Provenance::Download => fetched.downloaded += 1,
                }
            }
            PackageOutcome::Missing => {
                let reason = objections.get(&outcome.id).cloned();
                match reason {
                    Some(reason) if !is_offline => {
                        fetched.skipped.push(Trouble::of(package, reason));
                    }
                    _ => fetched
                        .missing
                        .push(Trouble::of(package, "it is not at hand")),
                }
            }
            PackageOutcome::Declined { reason, .. } => {
                fetched.skipped.push(Trouble::of(package, reason));
            }
            PackageOutcome::Failed { kind, message, .. } => {
                let list = if kind == ErrorKind::Network {
                    &mut fetched.failed
                } else {
                    &mut fetched.refused
                };
                list.push(Trouble::of(package, message));
            }
        }
    }
    fetched.notices.extend(answer.notices);
    Ok(fetched)
}

/// Returns a directory in the store, which must be writable.
fn staging(context: &Context<'_>) -> Result<std::path::PathBuf, Undecided> {
    let store = Store::open(&context.settings.store)?;
    if !store.is_writable() {
        let error = io::Error::from(io::ErrorKind::PermissionDenied);
        return Err(in_store("writing", store.root())(error).into());
    }
    Ok(store.temporary())
}

/// Returns the requests, and the reasons why packages can't be downloaded, by the packages' ids.
fn requests(
    look: &mut Look,
    packages: &[Package],
    is_offline: bool,
    fetched: &mut Fetched,
) -> (Vec<PackageRequest>, HashMap<usize, String>) {
    let preferred = look.project.settings.preferred_install.clone();
    let is_offline = is_offline || look.project.settings.is_offline;
    let mut requests = Requests {
        project: &look.project,
        access: &mut look.access,
        sharing: &Sharing::default(),
        plain_modes: false,
        is_offline,
        objections: Vec::new(),
        warnings: Vec::new(),
    };
    let mut list = Vec::with_capacity(packages.len());
    let mut objections = HashMap::new();
    for (id, package) in packages.iter().enumerate() {
        let is_of_source =
            package.source.is_some() && !preferred.takes_dist(&package.name, package.is_dev());
        let kind = package.dist.as_ref().map_or("", |dist| dist.kind.as_str());
        let reason = if is_of_source {
            Some("it is wanted from its source".to_owned())
        } else {
            match kind {
                "zip" | "tar" => None,
                "" => Some("it has no archive".to_owned()),
                kind => Some(format!("its archive has the type {kind}")),
            }
        };
        if let Some(reason) = reason {
            fetched.skipped.push(Trouble::of(package, reason));
            continue;
        }
        match requests.of(id, package) {
            Ok(request) => {
                objections.extend(requests.objections.pop().map(|reason| (id, reason)));
                list.push(request);
            }
            Err(Unfamiliar(reason)) => fetched.skipped.push(Trouble::of(package, reason)),
        }
    }
    let plain = |warning: String| {
        let text = formatted(&warning, false);
        text.strip_prefix("Warning: ").unwrap_or(&text).to_owned()
    };
    let warnings = requests.warnings.drain(..);
    fetched
        .notices
        .extend(warnings.map(|(_, warning)| plain(warning)));
    (list, objections)
}
