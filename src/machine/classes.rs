//! Asks Composer's own parser for the classes of files that only PHP can read reliably.

use std::fs;
use std::path::Path;

use allegro_base::error::{Error, Result, in_store};

use super::Machine;
use super::run::{Directory, succeeds};

const SCRIPT: &str = include_str!("classes.php");

impl Machine {
    /// Returns the classes of each file. `scratch` is a path at which a directory can be made.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no PHP with a Composer, or if Composer can't read the files.
    pub fn find_classes(&self, scratch: &Path, paths: &[&str]) -> Result<Vec<Vec<String>>> {
        let (Some(php), Some(composer)) = (&self.php, &self.composer) else {
            return Err(Error::Input(format!(
                "{} can only be read by PHP: install PHP and Composer, and run the command again",
                paths.first().unwrap_or(&"a file")
            )));
        };
        let failed = |error| in_store("writing", scratch)(error);
        let directory = Directory::create(scratch.to_owned()).map_err(failed)?;
        let at = directory.path();
        let script = at.join("classes.php");
        let list = serde_json::to_vec(paths).map_err(|error| Error::Internal(error.to_string()))?;
        fs::write(&script, SCRIPT).map_err(failed)?;
        fs::write(at.join("files.json"), list).map_err(failed)?;
        let mut setting = std::ffi::OsString::from("auto_prepend_file=");
        setting.push(&script);
        let mut command = self.command(php, at);
        command.arg("-d").arg(setting).arg(&composer.path);
        command.args(["--version", "--no-interaction", "--no-ansi"]);
        let unanswered = || Error::Input("Composer's parser gave no answer".to_owned());
        succeeds(command).map_err(|_| unanswered())?;
        let text = fs::read(at.join("answer.json")).map_err(|_| unanswered())?;
        serde_json::from_slice(&text).map_err(|_| unanswered())
    }
}
