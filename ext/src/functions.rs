//! What PHP sees: one function per stage.

use allegro::helper::dispatch;
use allegro::report::Silent;
use ext_php_rs::prelude::*;
use ext_php_rs::types::{ZendCallable, ZendHashTable, Zval};
use serde_json::Value;

use crate::args::{to_json, to_zval};
use crate::boundary::boundary;
use crate::host::PhpHost;

/// The extension's version.
#[php_function]
#[php(name = "Allegro\\version")]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Version, protocol, store and link strategy.
#[php_function]
#[php(name = "Allegro\\info")]
pub fn info() -> PhpResult<Zval> {
    boundary(|| to_zval(&dispatch("info", Value::Null, &mut Silent)?))
}

/// Makes packages ready in staging; see `PrepareRequest` and `PrepareAnswer` of the core for the shapes.
/// `$onEvents` is called with a list of events now and then.
#[php_function]
#[php(name = "Allegro\\prepare")]
pub fn prepare(request: &ZendHashTable, on_events: Option<ZendCallable>) -> PhpResult<Zval> {
    let mut host = PhpHost::new(on_events);
    let result = boundary(|| to_zval(&dispatch("prepare", to_json(request)?, &mut host)?));
    host.finish();
    result
}

/// Removes directories that were moved out of the way.
#[php_function]
#[php(name = "Allegro\\remove")]
pub fn remove(request: &ZendHashTable) -> PhpResult<Zval> {
    boundary(|| to_zval(&dispatch("remove", to_json(request)?, &mut Silent)?))
}

/// What an install would use, found out by trying; see `DiagnoseRequest` and `DiagnoseAnswer` of the core.
#[php_function]
#[php(name = "Allegro\\diagnose")]
pub fn diagnose(request: &ZendHashTable) -> PhpResult<Zval> {
    boundary(|| to_zval(&dispatch("diagnose", to_json(request)?, &mut Silent)?))
}

/// Adds the functions to the module.
pub fn register(module: ModuleBuilder) -> ModuleBuilder {
    module
        .function(wrap_function!(version))
        .function(wrap_function!(info))
        .function(wrap_function!(diagnose))
        .function(wrap_function!(prepare))
        .function(wrap_function!(remove))
}
