//! The PHP extension `allegro`, a thin face of the core library.
//!
//! - `functions.rs` exports the functions that PHP sees.
//! - `args.rs` and `answer.rs` convert values.
//! - `boundary.rs` is the only place where errors and panics become exceptions.
//! - `host.rs` handles events and interrupts on PHP's thread.

#![cfg_attr(windows, feature(abi_vectorcall))]

mod answer;
mod args;
mod boundary;
mod exception;
mod functions;
mod host;

use std::ffi::CStr;

use ext_php_rs::prelude::*;
use ext_php_rs::zend::ModuleEntry;
use ext_php_rs::{info_table_end, info_table_row, info_table_start};

#[global_allocator]
static ALLOCATOR: allegro_base::ballast::Allocator<std::alloc::System> =
    allegro_base::ballast::Allocator(std::alloc::System);

/// Prints the table of `php --ri allegro`.
///
/// # Safety
/// Only the engine may call this function, with a valid module.
unsafe extern "C" fn info(_module: *mut ModuleEntry) {
    let info = allegro::dispatch::info(&allegro::dispatch::Environment::PROCESS);
    let store = info.store.map_or_else(
        || "unknown: HOME is not set".to_owned(),
        |path| path.display().to_string(),
    );
    info_table_start!();
    info_table_row!("allegro", "enabled");
    info_table_row!("version", clean(&info.version));
    info_table_row!("protocol", info.protocol.to_string());
    info_table_row!("store", clean(&store));
    info_table_row!("link method", clean(&info.strategy));
    info_table_end!();
}

/// Returns the text up to its first NUL byte. The table's macro can't take NUL bytes, and an
/// environment variable can't hold any either.
fn clean(text: &str) -> String {
    CStr::from_bytes_until_nul(text.as_bytes()).map_or_else(
        |_| text.to_owned(),
        |text| text.to_string_lossy().into_owned(),
    )
}

/// Registers the extension's functions and classes.
#[php_module]
pub fn get_module(module: ModuleBuilder) -> ModuleBuilder {
    let module = module
        .name("allegro")
        .version(env!("CARGO_PKG_VERSION"))
        .info_function(info);
    functions::register(exception::register(module))
}
