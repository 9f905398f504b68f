//! `bamarni/composer-bin-plugin`: forwards commands to other directories. Without that it only
//! says which of its settings will change.

use allegro_base::error::Result;
use allegro_composer::json::Json;
use allegro_composer::{Unfamiliar, unfamiliar};

use super::{COMMAND, Deed, Effect, Said, Scene};
use crate::console::Verbosity;

/// Decides on 1.8.2 and later (`Config::__construct`).
pub fn plan(scene: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    plan_with(scene, "extra.bamarni-bin")
}

/// Decides on 1.8.0 and 1.8.1, which name the settings in another way.
pub fn plan_old(scene: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    plan_with(scene, "bamarni-bin")
}

fn plan_with(scene: &Scene<'_>, shown: &str) -> Result<Box<dyn Effect>, Unfamiliar> {
    let odd = || Unfamiliar("extra.bamarni-bin has an unusual value".to_owned());
    let none = Json::object();
    let settings = scene.extra("bamarni-bin").unwrap_or(&none);
    if !matches!(settings, Json::Object(_)) && *settings != Json::Array(Vec::new()) {
        return Err(odd());
    }
    let switch = |key| match settings.get(key) {
        None => Ok(None),
        Some(Json::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(odd()),
    };
    let (links, forwards) = (switch("bin-links")?, switch("forward-command")?);
    if !matches!(settings.get("target-directory"), None | Some(Json::Str(_))) {
        return Err(odd());
    }
    if forwards == Some(true) {
        return unfamiliar("bamarni/composer-bin-plugin forwards the command");
    }
    let warning = |name: &str, later: &str, now: &str| {
        format!(
            "[bamarni-bin] The setting \"{shown}.{name}\" will be set to \"{later}\" from 2.x \
             onwards. If you wish to keep it to \"{now}\", you need to set it explicitly."
        )
    };
    let links = links
        .is_none()
        .then(|| warning("bin-links", "false", "true"));
    let forwards = forwards
        .is_none()
        .then(|| warning("forward-command", "true", "false"));
    Ok(Box::new(Warnings(
        links.into_iter().chain(forwards).collect(),
    )))
}

#[derive(Debug)]
struct Warnings(Vec<String>);

impl Effect for Warnings {
    fn told(&self) -> String {
        "has no effect here".to_owned()
    }

    fn act(&self, event: &str, _: &Scene<'_>) -> Result<Deed> {
        let method = if event == COMMAND {
            "onCommandEvent"
        } else {
            "onPostAutoloadDump"
        };
        let call = format!("[bamarni-bin] Calling {method}().");
        let warnings = self.0.iter().cloned();
        let warnings = warnings.map(|text| Said::Error(Verbosity::Normal, text));
        Ok(Deed {
            said: std::iter::once(Said::Error(Verbosity::Verbose, call))
                .chain(warnings)
                .collect(),
            ..Deed::default()
        })
    }
}
