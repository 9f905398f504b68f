//! The only boundary between Rust and PHP, through which every export passes (see [`boundary`]).

use std::panic::{AssertUnwindSafe, catch_unwind};

use allegro_base::error::{Error, ErrorKind, Result};
use ext_php_rs::prelude::*;

use crate::exception::exception;
use crate::host::{follow_php, run_signal_handlers};

/// Runs an export, and turns errors and panics into exceptions.
pub fn boundary<T>(work: impl FnOnce() -> Result<T>) -> PhpResult<T> {
    follow_php();
    // This is unwind safe: borrows of `work` are gone afterwards, and the core keeps no state
    // between calls.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            run_signal_handlers();
            Err(thrown(&error))
        }
        Err(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Err(exception(
                ErrorKind::Internal,
                format!("internal error, please report it: {text}"),
            ))
        }
    }
}

fn thrown(error: &Error) -> PhpException {
    let message = match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    };
    exception(error.kind(), message)
}
