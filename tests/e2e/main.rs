//! Compares installs by the real Composer, with and without Allegro, byte for byte.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::case_sensitive_file_extension_comparisons,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    clippy::semicolon_if_nothing_returned,
    clippy::too_many_lines,
    missing_docs,
    dead_code,
    unused_imports
)]

mod support;

mod ahead;
mod archives;
mod autoload;
mod care;
mod changes;
mod commands;
mod content;
mod crash;
mod credentials;
mod crowd;
mod damaged_stores;
mod doctor;
mod editions;
mod faults;
mod few_words;
mod file_systems;
mod guard;
mod hand_over;
mod identity;
mod internals;
mod interrupts;
mod kills;
mod limits;
mod listeners;
mod locks;
mod mixes;
mod name_resolution;
mod native;
mod native_plugins;
mod neighbours;
mod network;
mod notifications;
mod observers;
mod orphans;
mod owners;
mod php_builds;
mod random;
mod real_code;
mod repositories;
mod resolve;
mod resources;
mod room;
mod secrets;
mod sharing;
mod situations;
mod small;
mod store;
mod terminal;
mod times;
mod trouble;
mod unpackers;
mod update_native;
