//! Decides whether an install is native, and works out its parts.

use std::panic::resume_unwind;
use std::thread;

use allegro_composer::config::Release;
use allegro_composer::unfamiliar;

use super::decide::{Habits, Stage, Steps, check_platform, plan_scripts};
use super::options::Options;
use super::plugins::{PRE_DUMP, Plugins, Question};
use super::project::Project;
use super::sharing::Sharing;
use super::{Context, Undecided, checks, rest};
use crate::scripts::{Scripts, Setup};

/// The first version of Composer whose `install` knows `--strict-psr-autoloader`.
const STRICT_PSR: &str = "2.10.0";

/// The parts of a native install that are known before archives are looked for.
pub struct Decision<'a> {
    /// Scripts of the root package.
    pub scripts: Scripts,
    /// Surroundings of the scripts.
    pub setup: Setup,
    /// Packages and operations.
    pub steps: Steps<'a>,
    /// Effects of plugins.
    pub plugins: Plugins,
    /// Files that the project has for itself.
    pub sharing: Sharing,
}

/// The command that an install is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// `install`
    Install,
    /// `update`, whose solver has checked the packages already.
    Update,
}

impl<'a> Decision<'a> {
    /// Decides on the install of a project.
    ///
    /// # Errors
    /// Fails with the reason for which the install is not native.
    pub fn of(
        context: &Context<'_>,
        options: &Options,
        habits: &Habits,
        project: &'a Project,
        occasion: Occasion,
    ) -> Result<Self, Undecided> {
        if options.no_cache {
            return unfamiliar("the caches are switched off");
        }
        if options.strict_psr
            && Release::parse(STRICT_PSR).is_none_or(|since| habits.target.release < since)
        {
            return unfamiliar("this Composer has no --strict-psr-autoloader");
        }
        let stage = match occasion {
            Occasion::Install => Stage::of_install(project),
            Occasion::Update => Stage::of_update(project),
        };
        let (scripts, setup) = plan_scripts(context, &stage, options, habits.probe.as_ref())?;
        let early: &[_] = match occasion {
            Occasion::Install => &[rest::PRE_INSTALL, PRE_DUMP],
            Occasion::Update => &[PRE_DUMP],
        };
        rest::check(context, habits, &scripts, early)?;
        // The check of a large lock takes as long as everything else.
        let (steps, plugins) = thread::scope(|scope| {
            let check = || check_platform(project, options, habits);
            let is_install = occasion == Occasion::Install;
            let checking = is_install
                .then(|| thread::Builder::new().spawn_scoped(scope, check).ok())
                .flatten();
            let steps = Steps::of(project, options, &habits.target)?;
            let plugins = Plugins::of(&Question {
                context,
                options,
                habits,
                project,
                steps: &steps,
            })?;
            if is_install {
                if habits.has_composer() {
                    checks::check_policies(project, &habits.target, context.variable)?;
                }
                match checking {
                    Some(checking) => checking.join().unwrap_or_else(|panic| resume_unwind(panic)),
                    None => check(),
                }?;
            }
            Ok::<_, Undecided>((steps, plugins))
        })?;
        let sharing = Sharing::of(
            &project.manifest,
            &steps.locked,
            &project.directory,
            &project.settings.vendor_dir,
        )?;
        Ok(Self {
            scripts,
            setup,
            steps,
            plugins,
            sharing,
        })
    }
}
