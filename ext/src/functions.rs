//! Exports the functions that PHP sees, one for each operation.

use allegro::dispatch::{Environment, dispatch};
use ext_php_rs::prelude::*;
use ext_php_rs::types::{ZendCallable, ZendHashTable, Zval};
use serde_json::Value;

use crate::args::to_json;
use crate::boundary::boundary;
use crate::host::PhpHost;

/// Returns the extension's version.
#[php_function]
#[php(name = "Allegro\\version")]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Returns version, protocol, store and link strategy.
#[php_function]
#[php(name = "Allegro\\info")]
pub fn info() -> PhpResult<Zval> {
    boundary(|| {
        dispatch(
            "info",
            Value::Null,
            &Environment::PROCESS,
            &mut PhpHost::new(None),
        )
    })
}

/// Makes packages ready in staging, and calls `$onEvents` with a list of events now and then. See
/// `PrepareRequest` and `PrepareAnswer` of the core for the shapes.
#[php_function]
#[php(name = "Allegro\\prepare")]
pub fn prepare(request: &ZendHashTable, on_events: Option<ZendCallable>) -> PhpResult<Zval> {
    call_with_events("prepare", request, on_events)
}

/// Returns the versions that an update would lock (see `ResolveRequest` and `ResolveAnswer` of the
/// core). The callback is that of `prepare`.
#[php_function]
#[php(name = "Allegro\\resolve")]
pub fn resolve(request: &ZendHashTable, on_events: Option<ZendCallable>) -> PhpResult<Zval> {
    call_with_events("resolve", request, on_events)
}

/// Returns what differs between two states of a lock (see `LockDiffRequest` and `LockDiffAnswer` of
/// the core).
#[php_function]
#[php(name = "Allegro\\lock_diff")]
pub fn lock_diff(request: &ZendHashTable) -> PhpResult<Zval> {
    call("lock_diff", request)
}

/// Returns why packages are locked in their versions (see `ExplainRequest` and `ExplainAnswer` of
/// the core).
#[php_function]
#[php(name = "Allegro\\explain")]
pub fn explain(request: &ZendHashTable) -> PhpResult<Zval> {
    call("explain", request)
}

/// Returns the next step of a search for the update that mends packages with security advisories
/// (see `MendRequest` and `MendAnswer` of the core).
#[php_function]
#[php(name = "Allegro\\mend")]
pub fn mend(request: &ZendHashTable) -> PhpResult<Zval> {
    call("mend", request)
}

/// Removes directories that were moved out of the way.
#[php_function]
#[php(name = "Allegro\\remove")]
pub fn remove(request: &ZendHashTable) -> PhpResult<Zval> {
    call("remove", request)
}

/// Returns the settings and methods that an install would use, found by probing. See
/// `DiagnoseRequest` and `DiagnoseAnswer` of the core.
#[php_function]
#[php(name = "Allegro\\diagnose")]
pub fn diagnose(request: &ZendHashTable) -> PhpResult<Zval> {
    call("diagnose", request)
}

/// Puts a file that was written beside another one in its place (see `ReplaceRequest` of the core).
#[php_function]
#[php(name = "Allegro\\replace")]
pub fn replace(request: &ZendHashTable) -> PhpResult<Zval> {
    call("replace", request)
}

/// Returns the class map of Composer's rules (see `ScanRequest` and `ScanAnswer` of the core).
#[php_function]
#[php(name = "Allegro\\scan")]
pub fn scan(request: &ZendHashTable) -> PhpResult<Zval> {
    call("scan", request)
}

/// Returns whether a dump would reproduce the existing files. See `UnchangedRequest` and
/// `UnchangedAnswer` of the core.
#[php_function]
#[php(name = "Allegro\\unchanged")]
pub fn unchanged(request: &ZendHashTable) -> PhpResult<Zval> {
    call("unchanged", request)
}

/// Records that a dump is done (see `DumpedRequest` of the core).
#[php_function]
#[php(name = "Allegro\\dumped")]
pub fn dumped(request: &ZendHashTable) -> PhpResult<Zval> {
    call("dumped", request)
}

/// Runs an operation that reports events to a callback.
fn call_with_events(
    op: &str,
    request: &ZendHashTable,
    on_events: Option<ZendCallable>,
) -> PhpResult<Zval> {
    let mut host = PhpHost::new(on_events);
    let result = boundary(|| dispatch(op, to_json(request)?, &Environment::PROCESS, &mut host));
    host.finish();
    result
}

/// Runs an operation without events.
fn call(op: &str, request: &ZendHashTable) -> PhpResult<Zval> {
    boundary(|| {
        dispatch(
            op,
            to_json(request)?,
            &Environment::PROCESS,
            &mut PhpHost::new(None),
        )
    })
}

/// Adds the functions to the module.
pub fn register(module: ModuleBuilder) -> ModuleBuilder {
    module
        .function(wrap_function!(version))
        .function(wrap_function!(info))
        .function(wrap_function!(diagnose))
        .function(wrap_function!(prepare))
        .function(wrap_function!(resolve))
        .function(wrap_function!(lock_diff))
        .function(wrap_function!(explain))
        .function(wrap_function!(mend))
        .function(wrap_function!(remove))
        .function(wrap_function!(replace))
        .function(wrap_function!(scan))
        .function(wrap_function!(unchanged))
        .function(wrap_function!(dumped))
}
