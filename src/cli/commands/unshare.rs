//! `allegro unshare`: gives a package files of its own.

use clap::ArgMatches;

use super::not_available;
use crate::cli::Context;
use crate::cli::failure::Outcome;

/// Runs the command.
pub fn run(_matches: &ArgMatches, _context: &Context) -> Outcome {
    // `crate::unshare::run` has to be called here once it exists.
    Err(not_available("unshare"))
}
