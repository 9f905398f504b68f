//! `symfony/runtime`: writes `vendor/autoload_runtime.php` from a template
//! (`ComposerPlugin::updateAutoloadFile`, symfony/runtime 7.2.7).

use std::fs;
use std::path::{Component, PathBuf};

use allegro_base::error::{Result, at};
use allegro_composer::json::Json;
use allegro_composer::php;
use allegro_composer::{Unfamiliar, unfamiliar};

use super::{Deed, Effect, Nothing, Scene};
use crate::install::dumping::real;
use crate::install::files::write_if_modified;

/// The template, relative to the plugin.
const TEMPLATE: &str = "Internal/autoload_runtime.template";

/// The runtime of a project that names none.
const RUNTIME: &str = "Symfony\\Component\\Runtime\\SymfonyRuntime";

/// Decides on the plugin.
pub fn plan(scene: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    let odd = || Unfamiliar("extra.runtime has an unusual value".to_owned());
    let mut settings = match scene.extra("runtime") {
        None => Json::object(),
        Some(Json::Bool(false)) => return Ok(Box::new(Nothing)),
        Some(settings @ (Json::Object(_) | Json::Array(_))) => settings.clone(),
        Some(_) => return Err(odd()),
    };
    let class = match settings.remove("class") {
        None | Some(Json::Null) => RUNTIME.to_owned(),
        Some(Json::Str(class)) => class,
        Some(_) => return Err(odd()),
    };
    if !matches!(
        settings.remove("autoload_template"),
        None | Some(Json::Null)
    ) {
        return unfamiliar("symfony/runtime has another template");
    }
    let (project, vendor_dir) = (scene.project, &scene.project.settings.vendor_dir);
    let below = vendor_dir.strip_prefix(&project.directory);
    let parts: Vec<Component<'_>> = below.iter().flat_map(|path| path.components()).collect();
    let is_plain = parts
        .iter()
        .all(|part| matches!(part, Component::Normal(_)));
    if parts.is_empty() || !is_plain || real(vendor_dir) != *vendor_dir {
        return unfamiliar("the vendor directory is not in the project");
    }
    let root = format!("dirname(__DIR__, {})", parts.len());
    // The list of options continues that of the settings.
    let exported = php::exported(&settings);
    let settings = &exported["array (".len()..exported.len() - 1];
    Ok(Box::new(Loader {
        options: format!("[{settings}  'project_dir' => {root},\n]"),
        root,
        class: php::string(&class),
        template: scene.directory.join(TEMPLATE),
    }))
}

#[derive(Debug)]
struct Loader {
    /// Code that finds the project's directory.
    root: String,
    /// Code with the name of the runtime's class.
    class: String,
    /// Code with the options.
    options: String,
    template: PathBuf,
}

impl Effect for Loader {
    fn told(&self) -> String {
        "only writes autoload_runtime.php, which is done without PHP".to_owned()
    }

    fn act(&self, _: &str, scene: &Scene<'_>) -> Result<Deed> {
        let path = scene
            .project
            .settings
            .vendor_dir
            .join("autoload_runtime.php");
        let template = fs::read_to_string(&self.template).map_err(at("reading", &self.template))?;
        let text = replaced(
            &template,
            &[
                ("%project_dir%", &self.root),
                ("%runtime_class%", &self.class),
                ("%runtime_options%", &self.options),
            ],
        );
        write_if_modified(&path, text.as_bytes())?;
        Ok(Deed {
            written: vec![(path, text.into_bytes())],
            ..Deed::default()
        })
    }

    fn watched(&self) -> Vec<PathBuf> {
        vec![self.template.clone()]
    }
}

/// Returns a text with words replaced, without a second look at what came in (`strtr`).
fn replaced(text: &str, words: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((word, value)) = words.iter().find(|(word, _)| rest.starts_with(word)) {
            out.push_str(value);
            rest = &rest[word.len()..];
        } else {
            out.push('%');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}
