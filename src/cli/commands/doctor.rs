//! `allegro doctor`: tries what an install in this directory would use.

mod fix;
mod road;

use std::path::Path;

use allegro_store::Store;
use clap::ArgMatches;
use serde_json::{Value, json};

use super::is;
use crate::cli::Context;
use crate::cli::config_file::ConfigFile;
use crate::cli::failure::{Code, Failure, Outcome};
use crate::cli::settings::Key;
use crate::cli::surroundings;
use crate::cli::terminal::{BAD, DIM, GOOD, STRONG, Terminal, WARNING};
use crate::delegate::{Call, Composer};
use crate::machine::Probe;
use crate::ops;
use crate::protocol::diagnose::{DiagnoseAnswer, DiagnoseRequest};
use crate::protocol::store::Method;
use road::Road;

/// What the doctor has found.
struct Chart {
    diagnosis: DiagnoseAnswer,
    /// Path of the configuration file.
    configuration: Option<String>,
    php: Option<Program>,
    composer: Option<Program>,
    is_writable: bool,
    road: Road,
    problems: Vec<String>,
    /// Sentences about settings that are ignored.
    remarks: Vec<String>,
    /// Exit code.
    code: u8,
}

/// A program of the machine.
struct Program {
    path: String,
    version: Option<String>,
}

/// Runs the command.
pub fn run(matches: &ArgMatches, context: &Context) -> Outcome {
    let fixed = if is(matches, "fix") {
        fix::fix(context)?
    } else {
        Vec::new()
    };
    let chart = Chart::of(context)?;
    let call = Call {
        settings: &context.settings,
        environment: context.environment,
        terminal: &context.terminal,
        directory: &context.directory,
        purpose: "allegro doctor",
        arguments: if is(matches, "json") {
            vec!["allegro:doctor".into(), "--json".into()]
        } else {
            vec!["allegro:doctor".into()]
        },
        without: &[],
        played: Vec::new(),
        ahead: None,
    };
    // The plugin knows what Composer's road needs.
    let asks_plugin = chart.problems.is_empty() && matches!(chart.road, Road::Composer(_));
    if is(matches, "json") {
        let plugin = if asks_plugin {
            let (_, output) = call.output()?;
            serde_json::from_slice(&output).unwrap_or(Value::Null)
        } else {
            Value::Null
        };
        context.terminal.json(&chart.json(&fixed, &plugin))?;
        return Ok(chart.code);
    }
    chart.tell(&fixed, &context.terminal)?;
    if asks_plugin {
        context.terminal.say("")?;
        return Err(call.replace());
    }
    Ok(chart.code)
}

impl Chart {
    fn of(context: &Context) -> Result<Self, Failure> {
        let file = ConfigFile::read(context.environment);
        let mut remarks: Vec<String> = file
            .keys()
            .filter(|name| Key::find(name).is_none())
            .map(|name| format!("the setting \"{name}\" is not known"))
            .collect();
        let mut problems: Vec<String> = Vec::new();
        if let Some(problem) = file.problem() {
            problems.push(problem.to_owned());
        } else {
            remarks.extend(context.settings.warnings.iter().cloned());
        }
        let (diagnosis, road, machine, probe) = surroundings::with(context, |surroundings| {
            let vendor_dir = road::vendor_dir(surroundings);
            let request = DiagnoseRequest { vendor_dir };
            let diagnosis = ops::diagnose_with(&request, surroundings.settings);
            let probe = Store::open_at_once(&surroundings.settings.store)
                .and_then(|store| surroundings.machine.probe(&store));
            let road = Road::of(surroundings, &context.settings);
            (diagnosis, road, surroundings.machine.clone(), probe)
        })?;
        problems.extend(diagnosis.problem.clone());
        let probe = probe.unwrap_or_else(|error| {
            problems.push(error.to_string());
            None
        });
        let mut code = 0;
        if let Road::Composer(_) = &road {
            code = composer_problem(context, &mut problems)?;
        }
        if let Road::Broken(reason) = &road {
            problems.push(reason.clone());
        }
        if let Some(failure) = probe.as_ref().and_then(|probe| probe.failure.clone()) {
            problems.push(format!("PHP can't load Composer: {failure}"));
        }
        let facts = |version: fn(&Probe) -> Option<String>| probe.as_ref().and_then(version);
        let program = |path: Option<&Path>, version| {
            path.map(|path| Program {
                path: path.display().to_string(),
                version,
            })
        };
        let php = machine.php.as_ref().map(|php| php.path.as_path());
        let composer = machine.composer.as_ref().map(|found| found.path.as_path());
        let is_writable =
            Store::open_at_once(&diagnosis.store.path).is_ok_and(|store| store.is_writable());
        if code == 0 && !problems.is_empty() {
            code = Code::General as u8;
        }
        Ok(Self {
            configuration: file.source().map(|path| path.display().to_string()),
            php: program(php, facts(|probe| Some(probe.php.version.clone()))),
            composer: program(
                composer,
                facts(|probe| Some(probe.composer.as_ref()?.version.clone())),
            ),
            is_writable,
            diagnosis,
            road,
            problems,
            remarks,
            code,
        })
    }

    fn json(&self, fixed: &[String], plugin: &Value) -> Value {
        let program = |program: &Option<Program>| {
            let program = program.as_ref()?;
            Some(json!({ "path": program.path, "version": program.version }))
        };
        let info = &self.diagnosis;
        json!({
            "version": info.version,
            "protocol": info.protocol,
            "configuration": self.configuration,
            "store": info.store.path.to_string_lossy(),
            "store_writable": self.is_writable,
            "composer": program(&self.composer),
            "php": program(&self.php),
            "road": self.road.word(),
            "road_reason": self.road.reason(),
            "native": info,
            "problems": self.problems,
            "remarks": self.remarks,
            "fixed": fixed,
            "plugin": plugin,
        })
    }

    fn tell(&self, fixed: &[String], terminal: &Terminal) -> Outcome {
        let info = &self.diagnosis;
        let program = |program: &Option<Program>| match program {
            None => "none".to_owned(),
            Some(Program { path, version }) => {
                let version = version.as_deref().unwrap_or("version unknown");
                format!("{version} ({path})")
            }
        };
        let kind = info.store.file_system.as_deref().unwrap_or("unknown");
        let writable = if self.is_writable { "" } else { ", read-only" };
        let rows = [
            (
                "allegro",
                format!("{} (protocol {})", info.version, info.protocol),
            ),
            (
                "settings",
                self.configuration
                    .clone()
                    .unwrap_or_else(|| "none".to_owned()),
            ),
            ("php", program(&self.php)),
            ("composer", program(&self.composer)),
            (
                "store",
                format!("{} ({kind}{writable})", info.store.path.display()),
            ),
            ("vendor", info.vendor.path.display().to_string()),
            ("files", self.method()),
        ];
        for (name, value) in rows {
            terminal.say(format_args!("{STRONG}{name:<10}{STRONG:#}{value}"))?;
        }
        let style = if matches!(self.road, Road::Native) {
            GOOD
        } else {
            WARNING
        };
        terminal.say(format_args!(
            "{STRONG}{:<10}{STRONG:#}{style}{}{style:#}",
            "install",
            self.road.sentence()
        ))?;
        if let Some(sharing) = &info.sharing {
            terminal.say(format_args!(
                "{DIM}{}; {}{DIM:#}",
                sharing.reason, sharing.advice
            ))?;
        }
        for sentence in fixed {
            terminal.say(format_args!("{GOOD}fixed:{GOOD:#} {sentence}"))?;
        }
        for remark in &self.remarks {
            terminal.say(format_args!("{WARNING}remark:{WARNING:#} {remark}"))?;
        }
        for problem in &self.problems {
            terminal.say(format_args!("{BAD}problem:{BAD:#} {problem}"))?;
        }
        Ok(0)
    }

    /// Returns how files get into the project.
    fn method(&self) -> String {
        match self.diagnosis.method {
            Some(Method::Reflink) => "reflinks: they share blocks with the store".to_owned(),
            Some(Method::Hardlink) => "hard links: they are files of the store".to_owned(),
            Some(Method::Copy) => "copies".to_owned(),
            None => "unknown".to_owned(),
        }
    }
}

/// Notes why Composer can't be started, and returns the exit code.
fn composer_problem(context: &Context, problems: &mut Vec<String>) -> Result<u8, Failure> {
    let found = Composer::find(
        &context.settings,
        context.environment,
        &context.directory,
        "allegro install",
    );
    match found {
        Ok(_) => Ok(0),
        Err(Failure::Untold { message, code, .. }) => {
            problems.push(message);
            Ok(code as u8)
        }
        Err(other) => Err(other),
    }
}
