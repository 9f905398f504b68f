//! Tells which road an install would take.

use std::path::PathBuf;

use crate::care;
use crate::cli::settings::Settings;
use crate::install::{Context, Options, Undecided, road};

/// The road of an install.
pub enum Road {
    /// Allegro installs by itself.
    Native,
    /// Composer installs, for this reason.
    Composer(String),
    /// There is nothing to install, for this reason.
    Nothing(String),
    /// An install would fail, for this reason.
    Broken(String),
}

impl Road {
    /// Finds out which road an install would take.
    pub fn of(context: &Context<'_>, settings: &Settings) -> Self {
        let options = Options {
            no_dev: settings.no_dev.value,
            no_scripts: settings.no_scripts.value,
            ..Options::default()
        };
        match road::check(context, &options) {
            Ok(()) => Self::Native,
            Err(
                Undecided::Composer(reason)
                | Undecided::ThisTime(reason)
                | Undecided::Rest(reason, _),
            ) => Self::Composer(reason.0),
            Err(Undecided::NoManifest(path) | Undecided::NoLock(path)) => {
                Self::Nothing(format!("there is no {}", path.display()))
            }
            Err(Undecided::Failed(error)) => Self::Broken(error.to_string()),
            Err(Undecided::Offline(names)) => Self::Broken(format!(
                "these packages are not at hand: {}",
                names.join(", ")
            )),
        }
    }

    /// Returns the word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Composer(_) => "composer",
            Self::Nothing(_) | Self::Broken(_) => "none",
        }
    }

    /// Returns the reason for the road.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Native => None,
            Self::Composer(reason) | Self::Nothing(reason) | Self::Broken(reason) => Some(reason),
        }
    }

    /// Returns the road in words.
    pub fn sentence(&self) -> String {
        match self {
            Self::Native => "by Allegro alone, without PHP where no script needs it".to_owned(),
            Self::Composer(reason) => format!("by Composer, because {reason}"),
            Self::Nothing(reason) => format!("nothing to do, because {reason}"),
            Self::Broken(reason) => format!("would fail: {reason}"),
        }
    }
}

/// Returns the vendor directory of the project, or the usual one where there is no project.
pub fn vendor_dir(context: &Context<'_>) -> PathBuf {
    care::vendor_directory(context).unwrap_or_else(|_| context.directory.join("vendor"))
}
