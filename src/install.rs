//! Installs a project from its lock without PHP, as `composer install` does.
//!
//! Composer's own code does what this module doesn't know: a project with a plugin, a package from
//! a repository of its own, and everything else that is [`Unfamiliar`](allegro_composer::Unfamiliar).
//! That is decided before anything is written.

mod checks;
mod files;
mod guess;
mod local_repository;
mod placing;
mod project;
mod requests;
mod sharing;
