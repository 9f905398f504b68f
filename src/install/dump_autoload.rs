//! Dumps the autoloader as `composer dump-autoload` does (`DumpAutoloadCommand`, composer 2.10.2).

use std::path::PathBuf;

use allegro_base::identity::Clock;
use allegro_composer::Unfamiliar;
use allegro_store::Store;

use super::checks;
use super::decide::{Habits, Stage, as_set, plan_scripts, read_project};
use super::dumping::{Dumping, Undone, real};
use super::local_repository::LocalRepository;
use super::options::Options;
use super::plugins::{POST_DUMP, PRE_DUMP, Plugins};
use super::project::Project;
use super::repeat;
use super::rest;
use super::run::stopped;
use super::state::{self, Kind, State, Told};
use super::{Context, Progress, Undecided};
use crate::console::{Console, Verbosity};
use crate::scripts::{DUMP_EVENTS, Dispatcher, Event};

/// Dumps the autoloader of a context's project, and returns the exit code.
///
/// # Errors
/// The dump is not done.
pub fn dump_autoload(
    context: &Context<'_>,
    options: &Options,
    console: &mut Console,
    progress: &mut dyn Progress,
) -> Result<i32, Undecided> {
    let clock = Clock::start(&context.directory);
    let store = Store::open(&context.settings.store)?;
    let key = state::key(context, options, context.machine.stamp(&store)?);
    if let Some(key) = &key
        && let Some(code) = repeat::repeat(
            context,
            options,
            &store,
            (Kind::Dump, key),
            console,
            progress,
        )?
    {
        return Ok(code);
    }
    let habits = Habits::of(context, &store)?;
    let (project, _) = read_project(context, &habits)?;
    if project.missing > 0 {
        return Err(Unfamiliar("directories of packages are gone".to_owned()).into());
    }
    checks::check_directories(&project)?;
    let stage = Stage {
        manifest: &project.manifest,
        bin_dir: &project.settings.bin_dir,
        timeout: project.settings.process_timeout,
        command: "dump-autoload",
        events: &DUMP_EVENTS,
    };
    let mut options = options.clone();
    options.no_dev = !options.dev.or(project.installed_dev).unwrap_or(false);
    let (scripts, setup) = plan_scripts(context, &stage, &options, habits.probe.as_ref())?;
    rest::check(context, &habits, &scripts, &[PRE_DUMP])?;
    let plugins = Plugins::at_rest(context, &options, &habits, &project)?;
    plugins.check_dump()?;
    let dumping = Dumping::of(context, &habits, &options, &store);
    let repository = LocalRepository::new(&project.installed);
    let names = as_set(&project.installed_dev_names);
    let plan = dumping.plan(&project, &repository.canonical_packages(), &names)?;

    let words = Words::of(&project, &options);
    let mut dispatcher = Dispatcher::new(&scripts, &setup);
    console.output_line(&words.before());
    let event = |name| Event {
        name,
        optimize: Some(words.scans()),
    };
    let facts = (&habits, options.dev_mode());
    plugins.act(PRE_DUMP, &project, &repository, facts, console)?;
    if let Err(stop) = dispatcher.dispatch(event(PRE_DUMP), console) {
        return Ok(stopped(&stop, console));
    }
    let inputs: Vec<PathBuf> = project
        .files
        .iter()
        .cloned()
        .chain(plugins.watched())
        .collect();
    let fingerprint = key.as_ref().map(|key| State::fingerprint(key, &inputs));
    let dumped = dumping
        .dump(&project, &plan, fingerprint.as_deref(), progress)
        .map_err(|undone| match undone {
            Undone::Failed(error) => Undecided::Failed(error),
            Undone::Unfamiliar(reason) => rest::after(reason.into(), &scripts, &[PRE_DUMP]),
        })?;
    for message in &dumped.messages {
        console.line(message);
    }
    plugins.act(POST_DUMP, &project, &repository, facts, console)?;
    if let Err(stop) = dispatcher.dispatch(event(POST_DUMP), console) {
        return Ok(stopped(&stop, console));
    }
    let after = words.after(dumped.classes);
    let fails = options.strict_psr && dumped.violations > 0;
    console.output_line(&after);
    if let Some(key) = key
        && !fails
        && !project.origin.is_asked
        && plugins.may_repeat()
    {
        let told = Told {
            output: vec![words.before(), after],
            optimizes: words.scans(),
            ..told(&project, &plugins, dumped.messages, context.verbosity)
        };
        let needed = needed(&project, &repository);
        let written = plugins.written();
        if let Some(state) = State::after(key, &clock, &inputs, &written, needed, told) {
            state.keep(context, &store, Kind::Dump);
        }
    }
    if let Err(stop) = dispatcher.finish(console) {
        return Ok(stopped(&stop, console));
    }
    Ok(i32::from(fails))
}

/// Returns what a dump tells that generated these messages, apart from its own lines.
fn told(project: &Project, plugins: &Plugins, messages: Vec<String>, verbosity: Verbosity) -> Told {
    let (dump, dump_output) = plugins.lines_of_dump(messages, verbosity);
    Told {
        dump,
        dump_output,
        has_dump: true,
        vendor_real: real(&project.settings.vendor_dir),
        bin_dir: project.settings.bin_dir.clone(),
        timeout: project.settings.process_timeout,
        ..Told::default()
    }
}

/// Returns the directories that must exist for the dump to be the same.
fn needed(project: &Project, repository: &LocalRepository<'_>) -> Vec<PathBuf> {
    repository
        .packages()
        .filter(|package| !package.is_metapackage())
        .map(|package| project.path_of(package))
        .collect()
}

/// The lines of the command.
struct Words {
    is_optimized: bool,
    is_authoritative: bool,
}

impl Words {
    fn of(project: &Project, options: &Options) -> Self {
        Self {
            is_optimized: options.optimize || project.settings.optimize,
            is_authoritative: options.authoritative || project.settings.authoritative,
        }
    }

    fn scans(&self) -> bool {
        self.is_optimized || self.is_authoritative
    }

    fn kind(&self) -> &'static str {
        match (self.is_authoritative, self.is_optimized) {
            (true, _) => "optimized autoload files (authoritative)",
            (false, true) => "optimized autoload files",
            (false, false) => "autoload files",
        }
    }

    fn before(&self) -> String {
        format!("<info>Generating {}</info>", self.kind())
    }

    fn after(&self, classes: usize) -> String {
        if self.scans() {
            format!(
                "<info>Generated {} containing {classes} classes</info>",
                self.kind()
            )
        } else {
            format!("<info>Generated {}</info>", self.kind())
        }
    }
}
