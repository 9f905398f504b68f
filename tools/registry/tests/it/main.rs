//! Tests against the outside: archive readers, HTTP clients, PHP, and the real Composer where there is one.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(
    clippy::case_sensitive_file_extension_comparisons,
    clippy::cast_precision_loss
)]

mod archives;
mod binary;
mod composer;
mod faults;
mod http;
mod php;
mod real_locks;
mod support;
