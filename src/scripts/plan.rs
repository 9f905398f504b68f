//! Tells whether the scripts of a run can be played here, before anything is written.

use std::fs::File;
use std::io::Read;

use allegro_composer::{Unfamiliar, unfamiliar};

use super::step::{Kind, Step};
use super::variables::{Variables, integer};
use super::{ComposerBinary, Scripts, Setup, Verbosity, Version, markup};

/// Events that are no script events. Composer gives their listeners other objects, or plays them
/// at points that a native run doesn't have.
const OTHER_EVENTS: [&str; 13] = [
    "init",
    "command",
    "pre-command-run",
    "pre-file-download",
    "post-file-download",
    "pre-pool-create",
    "pre-operations-exec",
    "pre-package-install",
    "post-package-install",
    "pre-package-update",
    "post-package-update",
    "pre-package-uninstall",
    "post-package-uninstall",
];

/// Names that Composer reserves. It warns of scripts with such a name.
const RESERVED: [&str; 3] = ["composer", "php", "putenv"];

/// Variables that a native run itself reads after its first script.
const READ_LATE: [&str; 8] = [
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "cgi_http_proxy",
    "tmpdir",
    "path",
    "home",
];

/// The road that the scripts of a run take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Road {
    /// [`Dispatcher`](super::Dispatcher) plays them all.
    Native(Needs),
    /// Composer has to do the whole run.
    Composer(Unfamiliar),
    /// A listener needs PHP or Composer, and the machine doesn't have it. The text says so.
    Missing(String),
}

/// What the listeners of a run need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The first listener that starts PHP.
    pub php: Option<String>,
    /// The first listener that starts Composer.
    pub composer: Option<String>,
    /// Whether a listener is a PHP callback, so that Composer is started once for all of them.
    pub callbacks: bool,
}

impl Scripts {
    /// Decides on the road of a run that plays the given events.
    pub fn plan(&self, events: &[&str], setup: &Setup) -> Road {
        match self.needs(events, setup) {
            Err(reason) => Road::Composer(reason),
            Ok(needs) => match missing(&needs, setup) {
                Some(text) => Road::Missing(text),
                None => Road::Native(needs),
            },
        }
    }

    /// Returns the reason why the listeners of an event need Composer, if they do. Callbacks of
    /// events after the work are no reason: Composer is started for them alone.
    pub fn needs_composer(&self, event: &str, setup: &Setup) -> Option<String> {
        let mut needs = Needs::default();
        self.visit(event, setup, &mut needs, &mut Vec::new())
            .err()
            .map(|Unfamiliar(reason)| reason)
    }

    fn needs(&self, events: &[&str], setup: &Setup) -> Result<Needs, Unfamiliar> {
        let variables = Variables::of(&setup.environment);
        if variables.is_true("COMPOSER_DEBUG_EVENTS") {
            return unfamiliar("COMPOSER_DEBUG_EVENTS is set");
        }
        for event in OTHER_EVENTS.into_iter().chain(RESERVED) {
            if self.events.iter().any(|(name, _)| name == event) {
                return unfamiliar(format!("there is a script {event}"));
            }
        }
        let mut needs = Needs::default();
        for event in events {
            self.visit(event, setup, &mut needs, &mut Vec::new())?;
        }
        if events.iter().all(|event| self.listeners(event).is_empty()) {
            return Ok(needs);
        }
        check_setup(setup, &variables, &needs)?;
        Ok(needs)
    }

    /// Looks at the listeners of an event and at the scripts that they name.
    fn visit<'a>(
        &'a self,
        event: &'a str,
        setup: &Setup,
        needs: &mut Needs,
        stack: &mut Vec<&'a str>,
    ) -> Result<(), Unfamiliar> {
        let listeners = self.listeners(event);
        stack.push(event);
        let top = stack[0];
        if !listeners.is_empty() && matches!(top, "pre-install-cmd" | "pre-update-cmd") {
            self.check_classmap(setup)?;
        }
        for listener in listeners {
            if markup::changes(listener) || listener.contains("\"${:") {
                return unfamiliar(format!("special characters in a listener of {event}"));
            }
            let step = Step::of(listener, setup.version());
            match &step.kind {
                Kind::Script(name) => {
                    if stack.contains(&name.as_str()) {
                        return unfamiliar(format!("the script {name} calls itself"));
                    }
                    if let Some((name, _)) = self.events.iter().find(|(event, _)| event == name) {
                        self.visit(name, setup, needs, stack)?;
                    }
                }
                Kind::Composer => set_first(&mut needs.composer, listener),
                Kind::Callback if top.starts_with("pre-") => {
                    return unfamiliar(format!("the callback {listener} runs on {top}"));
                }
                Kind::Callback => {
                    needs.callbacks = true;
                    set_first(&mut needs.composer, listener);
                }
                Kind::DisableTimeout => {}
                Kind::Putenv => {
                    check_putenv(&step.text, top)?;
                    self.check_bins(&step.text)?;
                }
                Kind::Line => {
                    self.check_bins(&step.text)?;
                    if step.text.starts_with("@php ") {
                        set_first(&mut needs.php, listener);
                    }
                    if step.text.starts_with("composer ") {
                        set_first(&mut needs.composer, listener);
                    }
                }
            }
        }
        stack.pop();
        Ok(())
    }

    /// Composer runs a listener that is named like a program of the root package in another way.
    fn check_bins(&self, text: &str) -> Result<(), Unfamiliar> {
        if self.bins.iter().any(|bin| bin.trim_end().ends_with(text)) {
            return unfamiliar(format!("{text} is a program of the root package"));
        }
        Ok(())
    }

    /// Composer warns of missing paths when it makes an autoloader for the first listeners. Later
    /// listeners are only reached if the dump found all of them.
    fn check_classmap(&self, setup: &Setup) -> Result<(), Unfamiliar> {
        let missing = |path: &&String| path.contains('*') || !setup.root.join(path).exists();
        match self.classmap.iter().find(missing) {
            Some(path) => unfamiliar(format!("the class map names {path}, which is missing")),
            None => Ok(()),
        }
    }
}

fn set_first(slot: &mut Option<String>, listener: &str) {
    slot.get_or_insert_with(|| listener.to_owned());
}

/// A changed environment matters to Composer itself while it still works.
fn check_putenv(text: &str, top: &str) -> Result<(), Unfamiliar> {
    let assignment = text.strip_prefix("@putenv ").unwrap_or_default();
    let name = assignment.split('=').next().unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    if name.is_empty()
        || name.contains([' ', '.', '['])
        || READ_LATE.contains(&lower.as_str())
        || matches!(top, "pre-install-cmd" | "pre-update-cmd")
    {
        return unfamiliar(format!("{text} in {top}"));
    }
    Ok(())
}

/// Checks the facts that only matter if there are listeners.
fn check_setup(setup: &Setup, variables: &Variables, needs: &Needs) -> Result<(), Unfamiliar> {
    if setup.version() < Version(2, 2, 0) {
        return unfamiliar("this version of Composer is too old");
    }
    if setup.verbosity == Verbosity::Debug {
        return unfamiliar("output for debugging is wanted");
    }
    let path = variables.get("PATH").unwrap_or_default();
    if path.is_empty() || path == "0" {
        return unfamiliar("PATH is not set");
    }
    for name in ["LINES", "COLUMNS"] {
        if let Some(value) = variables.get(name)
            && value != integer(value).to_string().as_str()
        {
            return unfamiliar(format!("{name} is no number"));
        }
    }
    if let Some(php) = &setup.php {
        php.check()?;
        php.memory_limit(variables)?;
        if needs.callbacks && php.version < 70_205 {
            return unfamiliar("this PHP is too old for callbacks");
        }
    }
    if let Some(composer) = &setup.composer
        && !is_php_script(composer)
    {
        return unfamiliar("the program composer is no PHP script");
    }
    Ok(())
}

/// Returns whether the system starts the file with a plain PHP. Any other program may give
/// Composer another name, and PHP other settings.
fn is_php_script(composer: &ComposerBinary) -> bool {
    let mut start = Vec::new();
    let Ok(file) = File::open(&composer.path) else {
        return false;
    };
    if file.take(256).read_to_end(&mut start).is_err() {
        return false;
    }
    let start = String::from_utf8_lossy(&start);
    let first = start.lines().next().unwrap_or_default();
    let Some(interpreter) = first.strip_prefix("#!") else {
        return first.starts_with("<?php");
    };
    let mut words = interpreter.split_whitespace();
    let program = match words.next() {
        Some(program) if program.ends_with("/env") => words.next(),
        program => program,
    };
    let is_php = |program: &str| {
        let name = program.rsplit('/').next().unwrap_or_default();
        name.strip_prefix("php").is_some_and(|version| {
            version
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        })
    };
    program.is_some_and(is_php) && words.next().is_none()
}

fn missing(needs: &Needs, setup: &Setup) -> Option<String> {
    let listener = needs.php.as_ref().or(needs.composer.as_ref());
    if setup.php.is_none()
        && let Some(listener) = listener
    {
        return Some(format!(
            "The script \"{listener}\" needs PHP, and there is none. Install PHP, or leave the \
             scripts out with --no-scripts."
        ));
    }
    match &needs.composer {
        Some(listener) if setup.composer.is_none() => Some(format!(
            "The script \"{listener}\" needs Composer, and there is none. Install Composer, or \
             leave the scripts out with --no-scripts."
        )),
        _ => None,
    }
}
