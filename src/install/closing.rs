//! The lines with which an install or an update tells its operations, and those at its end
//! (`Installer::run`, composer 2.10.2).

use allegro_composer::package::Package;

use crate::console::{Console, Verbosity};

/// Operations in Composer's order, as they are told.
#[derive(Debug, Default)]
pub struct OperationNames {
    /// New packages with their versions.
    pub installs: Vec<String>,
    /// Packages with their new versions.
    pub updates: Vec<String>,
    /// Packages that go.
    pub removals: Vec<String>,
}

impl OperationNames {
    /// Returns whether there is no operation.
    pub fn is_empty(&self) -> bool {
        self.installs.is_empty() && self.updates.is_empty() && self.removals.is_empty()
    }

    /// Tells the numbers of operations, and with `-v` their packages.
    pub fn tell(&self, title: &str, console: &mut Console) {
        let plural = |list: &[String]| if list.len() == 1 { "" } else { "s" };
        console.line(&format!(
            "<info>{title}: {} install{}, {} update{}, {} removal{}</info>",
            self.installs.len(),
            plural(&self.installs),
            self.updates.len(),
            plural(&self.updates),
            self.removals.len(),
            plural(&self.removals),
        ));
        for (title, list) in [
            ("Installs", &self.installs),
            ("Updates", &self.updates),
            ("Removals", &self.removals),
        ] {
            if !list.is_empty() {
                console.line_at(Verbosity::Verbose, &format!("{title}: {}", list.join(", ")));
            }
        }
    }
}

/// Returns the warnings about abandoned packages.
pub fn abandoned<'p>(packages: impl IntoIterator<Item = &'p Package>) -> Vec<String> {
    let packages = packages.into_iter();
    packages
        .filter_map(|package| {
            let replacement = package.abandoned.as_ref()?;
            let advice = replacement.as_ref().map_or_else(
                || "No replacement was suggested".to_owned(),
                |name| format!("Use {name} instead"),
            );
            Some(format!(
                "<warning>Package {} is abandoned, you should avoid using it. {advice}.</warning>",
                package.pretty_name
            ))
        })
        .collect()
}

/// Returns the lines about packages that look for funding.
pub fn funding<'p>(
    variable: &dyn Fn(&str) -> Option<String>,
    packages: impl Iterator<Item = &'p Package>,
) -> Vec<String> {
    let shows = variable("COMPOSER_FUND")
        .and_then(|text| text.trim().parse::<f64>().ok())
        .is_none_or(|number| number.trunc() != 0.0);
    let count = packages.filter(|package| package.has_funding).count();
    if !shows || count == 0 {
        return Vec::new();
    }
    let (plural, verb) = if count == 1 { ("", "is") } else { ("s", "are") };
    vec![
        format!("<info>{count} package{plural} you are using {verb} looking for funding.</info>"),
        "<info>Use the `composer fund` command to find out more!</info>".to_owned(),
    ]
}
