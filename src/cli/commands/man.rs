//! `allegro man`: writes the manual pages into a directory.

use std::fs;
use std::path::Path;

use allegro_base::error::at;
use clap::ArgMatches;

use super::text;
use crate::cli::Context;
use crate::cli::definition::{Shown, command};
use crate::cli::failure::{Failure, Outcome};

/// Runs the command.
pub fn run(matches: &ArgMatches, context: &Context) -> Outcome {
    let directory = context.directory.join(Path::new(text(matches, "DIR")));
    fs::create_dir_all(&directory)
        .and_then(|()| clap_mangen::generate_to(command(Shown::Everywhere), &directory))
        .map_err(|error| Failure::from(at("writing the pages below", &directory)(error)))?;
    Ok(0)
}
