//! Finds the chosen packages that the project needs without `require-dev`.
//!
//! Composer solves a second time for that, with the chosen packages alone
//! (`Installer::extractDevPackages`, Composer 2.5.5). Where each requirement leaves one package
//! only, no solver is needed.

use super::package::{PackageId, Packages};
use super::pool::{Number, Pool};
use super::rules::Relaxed;
use allegro_base::tables::HashSet;
use allegro_semver::constraint::{ConstraintId, NameId};

/// The search for needed packages among the installed ones.
pub(super) struct Extraction<'a, 'p> {
    pool: &'a mut Pool<'p>,
    relaxed: &'a Relaxed,
    installed: HashSet<Number>,
    fixed: HashSet<Number>,
    needed: HashSet<Number>,
    queue: Vec<Number>,
}

impl<'a, 'p> Extraction<'a, 'p> {
    pub fn new(
        pool: &'a mut Pool<'p>,
        relaxed: &'a Relaxed,
        installed: &[Number],
        fixed: &HashSet<Number>,
    ) -> Self {
        Self {
            pool,
            relaxed,
            installed: installed.iter().copied().collect(),
            fixed: fixed.clone(),
            needed: HashSet::default(),
            queue: Vec::new(),
        }
    }

    /// Returns the packages that these root requirements need, directly or indirectly. `None`: a
    /// requirement leaves a choice, which takes a solver.
    pub fn needed_by(mut self, requires: &[(NameId, ConstraintId)]) -> Option<HashSet<PackageId>> {
        let mut open: Vec<Vec<Number>> = Vec::new();
        for (name, constraint) in requires {
            if let Some(constraint) = self.relaxed.relax(*name, *constraint, true) {
                self.require(None, *name, constraint, &mut open);
            }
        }
        while let Some(number) = self.queue.pop() {
            let package = self.pool.package(number);
            if let Some(of) = package.alias_of {
                let base = self.pool.number_of(of)?;
                self.need(base);
                if !package.requires_self {
                    continue;
                }
            }
            for link in &package.links.requires {
                if let Some(constraint) = self.relaxed.relax(link.target, link.constraint, true) {
                    self.require(Some(number), link.target, constraint, &mut open);
                }
            }
        }
        let is_needed = |number: &Number| self.needed.contains(number);
        if !open.iter().all(|choice| choice.iter().any(is_needed)) {
            return None;
        }
        let packages: &Packages = self.pool.packages;
        Some(
            self.needed
                .iter()
                .map(|number| self.pool.id(*number))
                .filter(|id| packages[*id].alias_of.is_none())
                .collect(),
        )
    }

    /// Follows a requirement. Candidates that leave a choice go into `open`.
    fn require(
        &mut self,
        own: Option<Number>,
        name: NameId,
        constraint: ConstraintId,
        open: &mut Vec<Vec<Number>>,
    ) {
        let providers = self.pool.what_provides(name, constraint);
        // A fixed package meets the requirement, or the package itself does.
        if providers
            .iter()
            .any(|number| self.fixed.contains(number) || Some(*number) == own)
        {
            return;
        }
        let offered: Vec<Number> = providers
            .iter()
            .copied()
            .filter(|number| self.installed.contains(number))
            .collect();
        let base = |number: Number| {
            let id = self.pool.id(number);
            self.pool.packages[id].alias_of.unwrap_or(id)
        };
        match offered.as_slice() {
            // An alias and its package are installed together.
            [first, rest @ ..] if rest.iter().all(|other| base(*other) == base(*first)) => {
                for number in offered {
                    self.need(number);
                }
            }
            _ => open.push(offered),
        }
    }

    /// Adds a needed package, and queues its requirements.
    fn need(&mut self, number: Number) {
        if self.needed.insert(number) {
            self.queue.push(number);
        }
    }
}
