//! `allegro status`: compares vendor with the lock.

use clap::ArgMatches;

use super::not_available;
use crate::cli::Context;
use crate::cli::failure::Outcome;

/// Runs the command.
pub fn run(_matches: &ArgMatches, _context: &Context) -> Outcome {
    // `crate::status::run` has to be called here once it exists.
    Err(not_available("status"))
}
