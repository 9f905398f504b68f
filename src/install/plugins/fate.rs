//! Tells what becomes of the plugins of a project in an install.

use std::collections::HashMap;

use allegro_composer::package::Package;
use allegro_composer::transaction::Operation;

use crate::install::decide::Steps;
use crate::install::project::Project;

/// What becomes of a plugin package in an install.
#[derive(Debug, Clone, Copy)]
pub enum Fate<'a> {
    /// It was there before, and stays.
    Stays,
    /// It comes.
    Comes,
    /// It takes the place of another version.
    Replaces(&'a Package),
    /// It goes.
    Leaves,
}

/// Returns the plugins of a project: first those that Composer loads at its start.
pub fn fates<'a>(project: &'a Project, steps: &Steps<'a>) -> Vec<(&'a Package, Fate<'a>)> {
    let mut changed = HashMap::new();
    let mut coming = Vec::new();
    for operation in &steps.operations {
        match *operation {
            Operation::Install(to) => coming.push((steps.locked[to], Fate::Comes)),
            Operation::Update { from, to } => {
                let old = &project.installed[from].package;
                changed.insert(from, None);
                if old.is_plugin() && !steps.locked[to].is_plugin() {
                    changed.insert(from, Some(Fate::Leaves));
                } else if old.is_plugin() {
                    coming.push((steps.locked[to], Fate::Replaces(old)));
                } else {
                    coming.push((steps.locked[to], Fate::Comes));
                }
            }
            Operation::Uninstall(from) => {
                changed.insert(from, Some(Fate::Leaves));
            }
            Operation::MarkAliasInstalled(_) | Operation::MarkAliasUninstalled(_) => {}
        }
    }
    let there = project
        .installed
        .iter()
        .enumerate()
        .filter_map(|(at, record)| {
            let fate = changed.get(&at).copied().unwrap_or(Some(Fate::Stays))?;
            Some((&record.package, fate))
        });
    there
        .chain(coming)
        .filter(|(package, _)| package.is_plugin())
        .collect()
}
