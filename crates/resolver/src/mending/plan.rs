//! Decides in which order packages are mended, and makes the plan from the result.

use super::reasons::{self, Reason};
use super::search::{Reach, Search, Update};
use super::{Plan, Trial};

impl Search<'_> {
    /// Returns the update that mends as many packages as possible, or the trial whose result is
    /// missing.
    pub fn plan(&mut self) -> Result<Plan, Trial> {
        let task = self.task;
        let names = task.affected.iter().map(|one| one.name.clone());
        let mut candidates = Vec::new();
        for name in names {
            if self.constraint(&name).is_some() {
                candidates.push(name);
            }
        }
        let (mended, (packages, with)) = self.mend_most(&candidates)?;
        let mut reasons = Vec::new();
        for affected in &task.affected {
            let name = &affected.name;
            let text = match reasons::reason(self, affected) {
                Reason::Known(text) => text,
                Reason::Unknown(version) => {
                    let is_held = !mended.contains(name) && self.is_held_by_policies(name)?;
                    reasons::after_trials(name, &version, is_held)
                }
            };
            reasons.push((name.clone(), text));
        }
        Ok(Plan {
            packages,
            with,
            reasons,
        })
    }

    /// Mends all packages at once if that is possible, else one after the other. Returns the mended
    /// packages, and the update that mends them.
    fn mend_most(&mut self, names: &[String]) -> Result<(Vec<String>, Update), Trial> {
        let mut mended: Vec<String> = Vec::new();
        let mut update = Update::default();
        for reach in Reach::ALL {
            let left = names.iter().filter(|name| !mended.contains(name));
            let left: Vec<String> = left.cloned().collect();
            let mut groups = vec![left.clone()];
            if left.len() > 1 {
                groups.extend(left.into_iter().map(|name| vec![name]));
            }
            for group in groups {
                if mended.len() == names.len() {
                    return Ok((mended, update));
                }
                let together = [mended.as_slice(), &group].concat();
                if let Some(better) = self.attempt(&together, reach)? {
                    update = better;
                    mended = together;
                }
            }
        }
        Ok((mended, update))
    }

    /// Returns whether a package could be mended if policies kept out nothing.
    fn is_held_by_policies(&mut self, name: &str) -> Result<bool, Trial> {
        if !self.task.has_policies || self.constraint(name).is_none() {
            return Ok(false);
        }
        let limits = self.limits.clone();
        self.ignores_policies = true;
        let mut is_held = false;
        for reach in Reach::ALL {
            if self.attempt(&[name.to_owned()], reach)?.is_some() {
                is_held = true;
                break;
            }
        }
        self.ignores_policies = false;
        self.limits = limits;
        Ok(is_held)
    }
}
