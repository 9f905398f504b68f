//! Does what the plugins of a project would do in an install, for plugins whose code is known.
//!
//! A plugin takes part in one of three ways. It has no effect in this install, or its whole effect
//! is a file that this module makes, or Composer has to do the install. The first two ways are open
//! only to the exact code that [`known`] lists by digest.
//!
//! - [`known`]: the table of plugins. [`code`]: the digests of their classes.
//! - [`allowed`]: whether Composer would load a plugin (`PluginManager`, composer 2.10.2).
//! - One file for each plugin with an effect.

mod allowed;
mod bin_plugin;
mod code;
mod discovery;
mod fate;
mod installers;
mod known;
mod order;
mod package_versions;
mod pest;
mod phpcs;
mod phpstan;
mod runtime;
mod template;
#[cfg(test)]
mod tests;
mod updates;

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use allegro_base::error::Result;
use allegro_composer::json::Json;
use allegro_composer::{Unfamiliar, unfamiliar};

use super::Context;
use super::checks;
use super::decide::{Habits, Steps};
use super::local_repository::LocalRepository;
use super::options::Options;
use super::project::Project;
use crate::console::{Console, Verbosity};
use allowed::{Gate, Verdict};
use code::{Known, check_code, check_digest, find};
use fate::{Fate, fates};
use order::Weights;

pub use updates::check_silent_in_updates;

/// The event before a command does anything (`PluginEvents::COMMAND`).
pub const COMMAND: &str = "command";
/// The event before the autoloader is dumped.
pub const PRE_DUMP: &str = "pre-autoload-dump";
/// The event after the autoloader was dumped.
pub const POST_DUMP: &str = "post-autoload-dump";
/// The event at the end of an install.
pub const POST_INSTALL: &str = "post-install-cmd";

/// The facts of an install that an effect depends on.
pub struct Scene<'a> {
    /// The project.
    pub project: &'a Project,
    /// The installed packages after the operations.
    pub repository: &'a LocalRepository<'a>,
    /// The Composer whose result is wanted.
    pub habits: &'a Habits,
    /// Whether packages for development are installed.
    pub dev_mode: bool,
    /// The directory of the plugin.
    pub directory: &'a Path,
}

impl Scene<'_> {
    /// Returns a value below `extra` of the root package. PHP takes `null` for an absent value.
    pub fn extra(&self, key: &str) -> Option<&Json> {
        self.project
            .root
            .extra
            .get(key)
            .filter(|value| **value != Json::Null)
    }
}

/// The part of a plugin in an install.
pub trait Effect: std::fmt::Debug {
    /// Describes the effect behind the plugin's name, such as `has no effect here`.
    fn told(&self) -> String;

    /// Does the plugin's part at an event.
    fn act(&self, event: &str, scene: &Scene<'_>) -> Result<Deed>;

    /// Returns further files whose state the effect depends on.
    fn watched(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// A line of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A line for standard output (`IOInterface::write`).
    Out(String),
    /// A line for standard output that only a verbose run shows.
    Detail(String),
    /// A line for standard error (`IOInterface::writeError`).
    Error(Verbosity, String),
}

/// The result of a plugin's part at an event.
#[derive(Debug, Default)]
pub struct Deed {
    /// Lines, in their order.
    pub said: Vec<Said>,
    /// Files that the plugin has written, with their content.
    pub written: Vec<(PathBuf, Vec<u8>)>,
    /// Whether the next run would say something else.
    pub is_passing: bool,
}

/// No effect.
#[derive(Debug)]
pub struct Nothing;

impl Effect for Nothing {
    fn told(&self) -> String {
        "has no effect here".to_owned()
    }

    fn act(&self, _: &str, _: &Scene<'_>) -> Result<Deed> {
        Ok(Deed::default())
    }
}

/// A plugin that takes part in an install.
#[derive(Debug)]
struct Active {
    known: &'static Known,
    name: String,
    version: String,
    directory: PathBuf,
    /// Whether the plugin was installed before the run, so that it sees the first event.
    is_old: bool,
    /// Whether the run puts the plugin in place, so that its code can't be looked at before.
    is_new: bool,
    effect: Box<dyn Effect>,
}

/// The plugins that take part in an install.
#[derive(Debug, Default)]
pub struct Plugins {
    active: Vec<Active>,
    /// Whether the same files lead to the same decision next time.
    is_lasting: bool,
    done: RefCell<Done>,
}

/// Everything that plugins have done in a run.
#[derive(Debug, Default)]
struct Done {
    lines: HashMap<String, Vec<Said>>,
    written: Vec<(PathBuf, Vec<u8>)>,
    is_passing: bool,
}

/// The install that plugins take part in.
pub struct Question<'a> {
    /// The surroundings.
    pub context: &'a Context<'a>,
    /// The options.
    pub options: &'a Options,
    /// The Composer whose result is wanted.
    pub habits: &'a Habits,
    /// The project.
    pub project: &'a Project,
    /// The operations.
    pub steps: &'a Steps<'a>,
}

impl Plugins {
    /// Decides on the part of each plugin before anything is written.
    ///
    /// # Errors
    /// A plugin takes a part that only Composer knows.
    pub fn of(question: &Question<'_>) -> Result<Self, Unfamiliar> {
        let (project, steps) = (question.project, question.steps);
        if !question.options.no_plugins {
            checks::check_global_plugins(project)?;
        }
        let mut gate = Gate::of(question)?;
        let mut active = Vec::new();
        let repository = LocalRepository::after(project, steps);
        let is_loud = question.context.verbosity >= Verbosity::Verbose;
        for (package, fate) in fates(project, steps) {
            match gate.verdict(package, fate)? {
                Verdict::Off => continue,
                Verdict::On => {}
            }
            let known = find(package)?;
            if let Fate::Leaves = fate {
                if !known.leaves_silently || known.hears(COMMAND) {
                    return unfamiliar(format!("the plugin {} is removed", package.name));
                }
                check_code(known, package, &project.path_of(package))?;
                continue;
            }
            let directory = project.path_of(package);
            let scene = Scene {
                project,
                repository: &repository,
                habits: question.habits,
                dev_mode: question.options.dev_mode(),
                directory: &directory,
            };
            let is_newer_php = known.php_below.is_some_and(|limit| {
                let php = question
                    .habits
                    .probe
                    .as_ref()
                    .map(|probe| probe.php.version_id);
                php.is_none_or(|php| php >= limit)
            });
            if is_newer_php {
                return unfamiliar(format!("{} is too old for this PHP", package.name));
            }
            let effect = (known.plan)(&scene)?;
            if let Fate::Replaces(old) = fate {
                // Composer gives the new class another name, because the old one is loaded.
                let is_silent = known.listeners.is_empty() && find(old)?.listeners.is_empty();
                if !is_silent && (is_loud || !known.may_change) {
                    return unfamiliar(format!("the plugin {} is updated", package.name));
                }
                check_code(find(old)?, old, &project.path_of(old))?;
            }
            if let Fate::Stays = fate {
                check_code(known, package, &directory)?;
            }
            active.push(Active {
                known,
                name: package.pretty_name.clone(),
                version: package.pretty_version.clone(),
                directory,
                is_old: matches!(fate, Fate::Stays),
                is_new: !matches!(fate, Fate::Stays),
                effect,
            });
        }
        sort(&mut active, project)?;
        Ok(Self {
            active,
            is_lasting: gate.is_lasting(),
            done: RefCell::default(),
        })
    }

    /// Decides on the part of each installed plugin in a command that installs nothing.
    ///
    /// # Errors
    /// A plugin takes a part that only Composer knows.
    pub fn at_rest(
        context: &Context<'_>,
        options: &Options,
        habits: &Habits,
        project: &Project,
    ) -> Result<Self, Unfamiliar> {
        Self::of(&Question {
            context,
            options,
            habits,
            project,
            steps: &Steps::default(),
        })
    }

    /// Checks that no plugin takes a part in `dump-autoload` that it doesn't take in an install.
    ///
    /// # Errors
    /// A plugin hears which command runs.
    pub fn check_dump(&self) -> Result<(), Unfamiliar> {
        let mut active = self.active.iter();
        match active.find(|plugin| plugin.known.hears(COMMAND)) {
            Some(plugin) => unfamiliar(format!("the plugin {} hears commands", plugin.name)),
            None => Ok(()),
        }
    }

    /// Checks the code of plugins that the run puts in place. Their files are staged by now.
    ///
    /// # Errors
    /// The code of a plugin is not known.
    pub fn check_staged(&self, stages: &HashMap<&str, &Path>) -> Result<(), Unfamiliar> {
        for plugin in self.active.iter().filter(|plugin| plugin.is_new) {
            let name = plugin.name.to_lowercase();
            let Some(stage) = stages.get(name.as_str()) else {
                return unfamiliar(format!("the plugin {name} is not staged"));
            };
            check_digest(plugin.known, &name, &plugin.version, stage)?;
        }
        Ok(())
    }

    /// Says what becomes of each plugin.
    pub fn announce(&self, console: &mut Console) {
        for line in self.announcement() {
            console.line_at(Verbosity::Verbose, &line);
        }
    }

    fn announcement(&self) -> Vec<String> {
        self.active
            .iter()
            .map(|plugin| {
                let Active { name, version, .. } = plugin;
                format!("Allegro: {name} {version} {}", plugin.effect.told())
            })
            .collect()
    }

    /// Does the part of all plugins at an event. Root scripts come after them, because plugins
    /// listen with the priority of scripts and are asked first (`EventDispatcher::getListeners`,
    /// composer 2.10.2).
    ///
    /// # Errors
    /// A file can't be written.
    pub fn act(
        &self,
        event: &str,
        project: &Project,
        repository: &LocalRepository<'_>,
        (habits, dev_mode): (&Habits, bool),
        console: &mut Console,
    ) -> Result<()> {
        for plugin in &self.active {
            if event == COMMAND && !plugin.is_old {
                continue;
            }
            let Some((_, method)) = plugin.known.listeners.iter().find(|(on, _)| *on == event)
            else {
                continue;
            };
            let mut said = vec![Said::Error(
                Verbosity::Verbose,
                format!("> {event}: {}->{method}", plugin.known.class),
            )];
            let deed = plugin.effect.act(
                event,
                &Scene {
                    project,
                    repository,
                    habits,
                    dev_mode,
                    directory: &plugin.directory,
                },
            )?;
            said.extend(deed.said);
            for line in &said {
                match line {
                    Said::Out(text) => console.output_line(text),
                    Said::Detail(text) => console.output_detail(text),
                    Said::Error(verbosity, text) => console.line_at(*verbosity, text),
                }
            }
            let mut done = self.done.borrow_mut();
            done.lines.entry(event.to_owned()).or_default().extend(said);
            done.written.extend(deed.written);
            done.is_passing |= deed.is_passing;
        }
        Ok(())
    }

    /// Returns whether the next run may repeat what the plugins did in this one.
    pub fn may_repeat(&self) -> bool {
        self.is_lasting && !self.done.borrow().is_passing
    }

    /// Returns the lines for standard error, and those for standard output, of an event.
    pub fn lines(&self, event: &str, verbosity: Verbosity) -> (Vec<String>, Vec<String>) {
        let (mut errors, mut outputs) = (Vec::new(), Vec::new());
        if event == COMMAND && verbosity >= Verbosity::Verbose {
            errors.extend(self.announcement());
        }
        for said in self.done.borrow().lines.get(event).into_iter().flatten() {
            match said {
                Said::Out(text) => outputs.push(text.clone()),
                Said::Detail(text) if verbosity >= Verbosity::Verbose => outputs.push(text.clone()),
                Said::Error(least, text) if verbosity >= *least => errors.push(text.clone()),
                Said::Detail(_) | Said::Error(..) => {}
            }
        }
        (errors, outputs)
    }

    /// Returns the lines for standard error of a dump with these messages, and the plugins' lines for
    /// standard output.
    pub fn lines_of_dump(
        &self,
        messages: impl IntoIterator<Item = String>,
        verbosity: Verbosity,
    ) -> (Vec<String>, Vec<String>) {
        let (mut errors, _) = self.lines(PRE_DUMP, verbosity);
        errors.extend(messages);
        let (after, outputs) = self.lines(POST_DUMP, verbosity);
        errors.extend(after);
        (errors, outputs)
    }

    /// Returns the files that plugins have written, with their content.
    pub fn written(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.done.borrow().written.clone()
    }

    /// Returns the files that decide what the plugins do: their code above all.
    pub fn watched(&self) -> Vec<PathBuf> {
        self.active
            .iter()
            .flat_map(|plugin| {
                let code = plugin.known.files.iter();
                code.map(|file| plugin.directory.join(file))
                    .chain(plugin.effect.watched())
            })
            .collect()
    }
}

/// Sorts the plugins that Composer loads at its start. The others follow in the order of the
/// operations.
fn sort(active: &mut [Active], project: &Project) -> Result<(), Unfamiliar> {
    let count = active.iter().filter(|plugin| plugin.is_old).count();
    if count < 2 {
        return Ok(());
    }
    let mut weights = Weights::of(&project.installed);
    let mut ranks = HashMap::new();
    for record in &project.installed {
        // Weights depend on the order in which circles are entered.
        let name = record.package.name.as_str();
        ranks.insert(name, weights.of_package(name)?);
    }
    let mut is_certain = true;
    active[..count].sort_by(|left, right| {
        let names = [left.name.to_lowercase(), right.name.to_lowercase()];
        let [left, right] = names.each_ref().map(|name| ranks.get(name.as_str()));
        left.cmp(&right).then_with(|| {
            order::by_name(&names[0], &names[1]).unwrap_or_else(|| {
                is_certain = false;
                Ordering::Equal
            })
        })
    });
    if is_certain {
        return Ok(());
    }
    unfamiliar("the order of the plugins is not certain")
}
