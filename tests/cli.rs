//! The command line as a process, with the Composer of the machine.
//!
//! Where Composer or PHP is missing, the tests that need them say so and pass.
//! `ALLEGRO_TEST_COMPOSERS` names further Composers, separated by colons.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs
)]

#[path = "cli/delegated.rs"]
mod delegated;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/own.rs"]
mod own;
#[path = "cli/tools.rs"]
mod tools;
#[path = "cli/world.rs"]
mod world;
