//! Decides which packages vendor should have: those of the lock, or those of `installed.json` where
//! vendor is at another state.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use allegro_composer::Unfamiliar;
use allegro_composer::installed::Record;
use allegro_composer::package::{Alias, Package};
use allegro_composer::transaction::{Known, Operation, operations};

use super::Sight;
use super::generated::{is_alike, records};
use crate::install::local_repository::LocalRepository;
use crate::install::look::Look;
use crate::install::requests::Requests;
use crate::install::sharing::Sharing;
use crate::protocol::prepare::PackageRequest;

/// The state that a vendor directory is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Whether vendor is at the state of the lock. Else `installed.json` is believed.
    pub is_locked: bool,
    /// Whether `installed.php` says so. Then `installed.json` may be damaged.
    pub is_proven: bool,
    /// Whether packages for development are installed.
    pub is_dev: bool,
}

/// The order of Composer's repository. Some texts depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// That of an install into an empty vendor directory.
    Fresh,
    /// That of `installed.json`, which a later command reads.
    Read,
}

/// The packages of a state, as Composer's repository has them.
pub struct Base<'s> {
    locked: Vec<&'s Package>,
    /// The locked packages as `installed.json` has them.
    records: Vec<Record>,
    root_aliases: HashMap<String, Vec<Alias>>,
    state: State,
    look: &'s Look,
}

/// A package that vendor should have.
pub struct Member {
    /// The package.
    pub package: Package,
    /// Directory of the package.
    pub path: PathBuf,
    /// Request for the package, or the reason why there is none.
    pub request: Result<PackageRequest, String>,
}

impl<'s> Base<'s> {
    /// Returns the packages of a state.
    pub fn of(look: &'s Look, state: State) -> Self {
        let locked = look.project.locked(state.is_dev);
        let mut records: Vec<Record> = locked
            .iter()
            .filter(|_| state.is_locked)
            .map(|package| Record {
                package: (*package).clone(),
                installation_source: (!package.is_metapackage()).then(|| "dist".to_owned()),
                install_path: None,
            })
            .collect();
        records.sort_by(|one, other| one.package.pretty_name.cmp(&other.package.pretty_name));
        Self {
            records,
            root_aliases: look.project.root_aliases(&locked),
            locked,
            state,
            look,
        }
    }

    fn operations(&self, installed: &[&Package]) -> Vec<Operation> {
        let known: Vec<Known<'_>> = self
            .locked
            .iter()
            .map(|package| Known {
                package,
                root_aliases: self
                    .root_aliases
                    .get(&package.name)
                    .map_or(&[][..], Vec::as_slice),
            })
            .collect();
        operations(installed, &known, false)
    }

    /// Returns whether the lock names just what `installed.json` has.
    fn fits_records(&self) -> bool {
        let records = &self.look.records;
        let installed: Vec<&Package> = records.iter().map(|record| &record.package).collect();
        let operations = self.operations(&installed);
        !operations.iter().any(|operation| operation.touches_files())
    }

    /// Returns the repository of this state.
    pub fn repository(&self, order: Order) -> LocalRepository<'_> {
        if !self.state.is_locked {
            return LocalRepository::new(&self.look.records);
        }
        let mut repository = match order {
            Order::Fresh => LocalRepository::new(&[]),
            Order::Read => LocalRepository::new(&self.records),
        };
        for operation in self.operations(&[]) {
            if order == Order::Read && operation.touches_files() {
                continue;
            }
            repository.apply(operation, &[], &self.locked, &self.root_aliases);
        }
        repository
    }

    /// Returns the names of the packages that only development needs.
    pub fn dev_names(&self) -> Vec<String> {
        if self.state.is_locked {
            crate::install::decide::dev_names(&self.look.project)
        } else {
            self.look.dev_names.clone()
        }
    }

    /// Returns the state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns the project.
    pub fn look(&self) -> &'s Look {
        self.look
    }
}

impl State {
    /// Finds out at which state vendor is.
    ///
    /// Two files say it: `installed.json` and `installed.php`. If one of them fits the lock, vendor
    /// is at the state of the lock, and the other file is damaged or stale.
    pub fn of(sight: &Sight) -> Self {
        let look = &sight.look;
        let noted = look.was_dev.unwrap_or(true);
        let path = look
            .project
            .settings
            .vendor_dir
            .join("composer/installed.php");
        let php = fs::read(path).ok();
        for is_dev in [noted, !noted] {
            let state = Self {
                is_locked: true,
                is_proven: true,
                is_dev,
            };
            let base = Base::of(look, state);
            if let Some(php) = &php
                && let Ok(texts) = records(sight, &base)
                && texts.php.iter().any(|text| is_alike(php, text))
            {
                return state;
            }
        }
        let state = Self {
            is_locked: true,
            is_proven: false,
            is_dev: noted,
        };
        let is_unrecorded = look.broken_records.is_some() || look.project.installed_text.is_none();
        if is_unrecorded || Base::of(look, state).fits_records() {
            return state;
        }
        Self {
            is_locked: false,
            is_proven: false,
            is_dev: noted,
        }
    }

    /// Returns the packages of this state.
    pub fn members(self, sight: &mut Sight, is_offline: bool) -> Vec<Member> {
        let look = &sight.look;
        let places: HashMap<&str, PathBuf> = look
            .records
            .iter()
            .filter(|_| !self.is_proven)
            .map(|record| (record.package.name.as_str(), look.place_of(record)))
            .collect();
        let from: HashMap<&str, &str> = look
            .records
            .iter()
            .filter_map(|record| {
                let source = record.installation_source.as_deref()?;
                Some((record.package.name.as_str(), source))
            })
            .collect();
        let base = Base::of(look, self);
        let members: Vec<(Package, PathBuf, Option<String>)> = base
            .repository(Order::Fresh)
            .packages()
            .filter(|package| !package.is_metapackage())
            .map(|package| {
                let name = package.name.as_str();
                let path = places
                    .get(name)
                    .cloned()
                    .unwrap_or_else(|| look.project.path_of(package));
                (package.clone(), path, obstacle(package, from.get(name)))
            })
            .collect();
        let sharing = Sharing::of(
            &look.project.manifest,
            &base.locked,
            &look.project.directory,
            &look.project.settings.vendor_dir,
        );
        drop(base);
        let sharing = sharing.unwrap_or_default();
        let mut requests = Requests {
            sharing: &sharing,
            plain_modes: sight.habits.plain_modes,
            is_offline: is_offline || sight.look.project.settings.is_offline,
            project: &sight.look.project,
            access: &mut sight.look.access,
            objections: Vec::new(),
            warnings: Vec::new(),
        };
        members
            .into_iter()
            .enumerate()
            .map(|(id, (package, path, obstacle))| {
                let request = match obstacle {
                    Some(reason) => Err(reason),
                    None => requests
                        .of(id, &package)
                        .map(|request| PackageRequest {
                            path: Some(path.clone()),
                            ..request
                        })
                        .map_err(|Unfamiliar(reason)| reason),
                };
                Member {
                    package,
                    path,
                    request,
                }
            })
            .collect()
    }
}

/// Returns why the files of a package are not those of an archive that the store can have.
fn obstacle(package: &Package, source: Option<&&str>) -> Option<String> {
    if source.is_some_and(|source| *source == "source") {
        return Some("it was installed from its source".to_owned());
    }
    let kind = package.dist.as_ref().map_or("", |dist| dist.kind.as_str());
    match kind {
        "zip" | "tar" => None,
        "" => Some("it has no archive".to_owned()),
        "path" => Some("it was installed from a path".to_owned()),
        kind => Some(format!("its archive has the type {kind}")),
    }
}
