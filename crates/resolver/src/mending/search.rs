//! Attempts to mend some packages together, and builds the constraints of the trials.

use allegro_base::tables::HashMap;
use allegro_semver::constraint::{ConstraintId, Op, Terms};
use indexmap::IndexMap;

use super::{Candidates, LockedPackage, Task, Trial, TrialPackage, TrialResult, Tries};
use super::{allows, ranks};

/// The number of attempts to choose again because a trial adds a package that is affected itself.
pub(super) const MOST_ROUNDS: usize = 25;

/// The packages that may move beside the affected ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Alone,
    WithDependencies,
    WithEverything,
}

impl Reach {
    /// All reaches, in the order in which the search tries them.
    pub const ALL: [Self; 3] = [Self::Alone, Self::WithDependencies, Self::WithEverything];
}

/// Names of packages that an update names, and constraints in the form of `--with`.
pub(super) type Update = (Vec<String>, Vec<String>);

/// The state of a search.
pub(super) struct Search<'a> {
    pub task: &'a Task,
    pub terms: Terms,
    /// Candidates of the affected packages.
    pub candidates: Vec<Candidates>,
    /// Packages of the lock by name.
    pub locked: IndexMap<&'a str, &'a LockedPackage>,
    /// Constraints of the project's requirements by name.
    required: HashMap<&'a str, ConstraintId>,
    /// Constraints that the project pins packages to, by name.
    pinned: HashMap<&'a str, ConstraintId>,
    pub limits: Limits,
    /// Whether policies keep out nothing.
    pub ignores_policies: bool,
    tries: Tries<'a>,
}

/// The limits that a search has found for later trials.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    /// The lowest versions that packages of the lock may get, where that isn't the locked version.
    floors: HashMap<String, String>,
    /// Versions of other packages that turned out to be affected, by name of the package.
    excluded: IndexMap<String, Vec<String>>,
}

impl<'a> Search<'a> {
    /// Begins a search. Returns `None` if a constraint has an operator that Composer doesn't have.
    pub fn new(
        task: &'a Task,
        candidates: Vec<Candidates>,
        mut terms: Terms,
        tries: Tries<'a>,
    ) -> Option<Self> {
        let mut required = HashMap::default();
        for link in &task.requires {
            let constraint = link.constraint.id(&mut terms)?;
            required.entry(link.name.as_str()).or_insert(constraint);
        }
        let mut pinned = HashMap::default();
        for pin in &task.pinned {
            pinned.insert(pin.name.as_str(), pin.constraint.id(&mut terms)?);
        }
        let locked = task.locked.iter().map(|one| (one.name.as_str(), one));
        Some(Self {
            locked: locked.collect(),
            task,
            terms,
            candidates,
            required,
            pinned,
            limits: Limits::default(),
            ignores_policies: false,
            tries,
        })
    }

    fn run(&mut self, trial: Trial) -> Result<TrialResult, Trial> {
        (self.tries)(&trial).ok_or(trial)
    }

    /// Tries to move some affected packages together to versions that no advisory affects. Returns
    /// the update that does so, or `None` if there is none.
    pub fn attempt(&mut self, names: &[String], reach: Reach) -> Result<Option<Update>, Trial> {
        // A package may have moved beyond its candidates for the sake of another one.
        if !names.iter().all(|name| self.constraint(name).is_some()) {
            return Ok(None);
        }
        for _ in 0..MOST_ROUNDS {
            let trial = self.lowest(names, reach);
            let Some(lowest) = self.run(trial)? else {
                return Ok(None);
            };
            // The second trial does not prefer the lowest versions, so packages that the lock lacks
            // get the versions that an update always gives them. With a branch, its commit may have
            // to move along.
            let mut updates = vec![
                self.pins(names, &lowest, false),
                self.pins(names, &lowest, true),
            ];
            updates.dedup();
            let mut found = None;
            for update in updates {
                if update.0.is_empty() {
                    continue;
                }
                let trial = Trial {
                    packages: update.0.clone(),
                    with: update.1.clone(),
                    ignore_policies: self.ignores_policies,
                    needs_advisories: true,
                    ..Trial::default()
                };
                if let Some(result) = self.run(trial)? {
                    found = Some((update, result));
                    break;
                }
            }
            let Some((update, result)) = found else {
                return Ok(None);
            };
            if !self.exclude_affected(&result) {
                for package in result {
                    if self.locked.contains_key(package.name.as_str()) {
                        self.limits.floors.insert(package.name, package.version);
                    }
                }
                return Ok(Some(update));
            }
        }
        Ok(None)
    }

    /// Returns the trial that finds the lowest versions.
    fn lowest(&mut self, names: &[String], reach: Reach) -> Trial {
        let packages = match reach {
            Reach::WithEverything => self.locked.keys().map(|name| (*name).to_owned()).collect(),
            Reach::Alone | Reach::WithDependencies => names.to_vec(),
        };
        Trial {
            packages,
            with: self.bounds(names, reach),
            prefer_lowest: true,
            with_all_dependencies: reach == Reach::WithDependencies,
            ignore_policies: self.ignores_policies,
            needs_advisories: false,
        }
    }

    /// Returns the constraints under which the lowest versions are looked for.
    fn bounds(&mut self, names: &[String], reach: Reach) -> Vec<String> {
        let mut with = Vec::new();
        for name in names {
            let constraint = self.constraint(name).unwrap_or_default();
            with.push(format!("{name}:{constraint}"));
        }
        let others: Vec<&LockedPackage> = match reach {
            Reach::Alone => Vec::new(),
            Reach::WithDependencies | Reach::WithEverything => {
                let all = self.locked.values();
                all.filter(|one| !names.contains(&one.name))
                    .copied()
                    .collect()
            }
        };
        for package in others {
            let name = package.name.as_str();
            let required = self.required.get(name).copied();
            // A lock that is older than its composer.json has packages that composer.json excludes.
            if required.is_none_or(|one| allows(&mut self.terms, one, &package.version)) {
                let op = if package.is_branch() { "==" } else { ">=" };
                let bound = format!("{op}{}", self.floor(package));
                with.push(format!("{name}:{}", self.held(name, &bound)));
            }
        }
        with.extend(self.of_new());
        with
    }

    /// Returns the update that gives packages of the lock the versions of a result. An affected
    /// package that the result lacks goes. Where `commits` is set, another commit counts as another
    /// version.
    fn pins(&mut self, affected: &[String], result: &[TrialPackage], commits: bool) -> Update {
        let has = |name: &String| result.iter().any(|one| one.name == *name);
        let mut names: Vec<String> = affected.iter().filter(|name| !has(name)).cloned().collect();
        let mut with = Vec::new();
        for package in result {
            let Some(locked) = self.locked.get(package.name.as_str()) else {
                continue;
            };
            let moves = package.version != locked.version
                || commits && package.reference != locked.reference;
            if moves {
                names.push(package.name.clone());
                with.push(format!("{}:=={}", package.name, package.version));
            }
        }
        with.extend(self.of_new());
        (names, with)
    }

    /// Returns the constraints on packages that aren't locked yet.
    fn of_new(&mut self) -> Vec<String> {
        let pinned = self.task.pinned.iter().map(|pin| &pin.name);
        let excluded = self.limits.excluded.keys();
        let excluded = excluded.filter(|name| self.task.pinned(name).is_none());
        let names: Vec<String> = pinned
            .chain(excluded)
            .filter(|name| !self.locked.contains_key(name.as_str()))
            .cloned()
            .collect();
        let held = |name: String| format!("{name}:{}", self.held(&name, ""));
        names.into_iter().map(held).collect()
    }

    /// Excludes the versions of a result that are affected, of packages that were not affected
    /// before. Returns whether there are such versions.
    fn exclude_affected(&mut self, result: &[TrialPackage]) -> bool {
        let mut has_found = false;
        for package in result.iter().filter(|one| one.is_affected) {
            let before = self.locked.get(package.name.as_str());
            if before.is_some_and(|before| before.is_affected) {
                continue;
            }
            let excluded = self.limits.excluded.entry(package.name.clone());
            let excluded = excluded.or_default();
            if !excluded.contains(&package.version) {
                excluded.push(package.version.clone());
                has_found = true;
            }
        }
        has_found
    }

    /// Returns the candidates that composer.json and its pins leave, as a constraint; `None` if
    /// there are none.
    pub fn constraint(&mut self, name: &str) -> Option<String> {
        let mut lists = self.candidates.iter();
        let candidates = lists.find(|one| one.name == name)?;
        let floor = self.floor(self.locked.get(name)?).to_owned();
        let constraints = [self.required.get(name), self.pinned.get(name)];
        let mut versions = Vec::new();
        for version in &candidates.versions {
            let terms = &mut self.terms;
            let mut all = constraints.iter().flatten();
            if !ranks(terms, version, Op::Lt, &floor)
                && all.all(|constraint| allows(terms, **constraint, version))
            {
                versions.push(format!("=={version}"));
            }
        }
        (!versions.is_empty()).then(|| versions.join(" || "))
    }

    /// Returns the lowest version that a package may get.
    fn floor<'s>(&'s self, package: &'s LockedPackage) -> &'s str {
        let floor = self.limits.floors.get(&package.name);
        floor.map_or(&package.version, String::as_str)
    }

    /// Returns a bound, joined with the pin of the package and without its affected versions.
    fn held(&mut self, name: &str, bound: &str) -> String {
        let pinned = self.pinned.get(name).copied();
        let locked = self.locked.get(name);
        // A locked version may stay, even if a later pin excludes it.
        let counts = |constraint: ConstraintId| {
            locked.is_none_or(|locked| allows(&mut self.terms, constraint, &locked.version))
        };
        let written = match self.task.pinned(name) {
            Some(pin) if pinned.is_some_and(counts) => pin.written.as_str(),
            _ => "*",
        };
        let excluded = self.limits.excluded.get(name).into_iter().flatten();
        let excluded: Vec<String> = excluded.map(|version| format!("!={version}")).collect();
        let alternatives = written.split('|').map(str::trim);
        let alternatives = alternatives.filter(|alternative| !alternative.is_empty());
        let joined = alternatives.map(|alternative| {
            let mut parts = vec![alternative];
            parts.extend((!bound.is_empty()).then_some(bound));
            parts.extend(excluded.iter().map(String::as_str));
            parts.join(" ")
        });
        joined.collect::<Vec<_>>().join(" || ")
    }
}
