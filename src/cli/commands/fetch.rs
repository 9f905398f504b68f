//! `allegro fetch`: fills the store from a lock.

use clap::ArgMatches;

use super::not_available;
use crate::cli::Context;
use crate::cli::failure::Outcome;

/// Runs the command.
pub fn run(_matches: &ArgMatches, _context: &Context) -> Outcome {
    // `crate::fetch::run` has to be called here once it exists.
    Err(not_available("fetch"))
}
