//! Prepares packages without an install: for the store alone, or in the place of damaged ones.

use allegro_base::error::Result;
use allegro_base::fs::remove_all;
use allegro_base::report::Host;

use super::prepare_for;
use crate::protocol::prepare::{PrepareAnswer, PrepareRequest};
use crate::settings::Environment;

/// Puts all packages of the request into the store, and links nothing. The staging directory should
/// lie in the store, because only downloads go there that Composer's cache can't have.
///
/// A failed download is [`Failed`], because no Composer follows.
///
/// [`Failed`]: crate::protocol::prepare::PackageOutcome::Failed
///
/// # Errors
/// Fails as [`prepare`](super::prepare()) does.
pub fn fill(
    request: &PrepareRequest,
    environment: &Environment,
    host: &mut dyn Host,
) -> Result<PrepareAnswer> {
    let answer = prepare_for(Aim::Store, request, environment, host);
    let _ = remove_all(&request.staging);
    answer
}

/// Makes packages ready as [`prepare`](super::prepare()) does, but trusts no file of the store. The
/// function reads each one first.
///
/// # Errors
/// Fails as [`prepare`](super::prepare()) does.
pub fn restore(
    request: &PrepareRequest,
    environment: &Environment,
    host: &mut dyn Host,
) -> Result<PrepareAnswer> {
    prepare_for(Aim::Repair, request, environment, host)
}

/// What packages are prepared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// They are linked into the staging directory of a project.
    Project,
    /// They take the place of damaged ones, whose files may be those of the store.
    Repair,
    /// They only come into the store.
    Store,
    /// They are linked before Composer asks for them.
    Ahead,
}
