//! The protocol between the plugin and the native part: requests, answers and events, as plain
//! data.
//!
//! Each operation has a file with its request and its answer. The types belong to the protocol
//! alone. [`crate::ops`] converts them to and from the types of the crates, so that a change there
//! can't change the protocol unnoticed.
//!
//! `tests/protocol/` holds documents of every message, which tests of both languages read. The
//! plugin declares the same shapes in `php-plugin/src/Native/Protocol.php`.

pub mod diagnose;
pub mod dist;
pub mod dumped;
pub mod error;
pub mod event;
pub mod explain;
pub mod http;
pub mod info;
pub mod lock_diff;
pub mod mend;
pub mod prepare;
pub mod remove;
pub mod replace;
pub mod resolve;
pub mod scan;
pub mod settings;
pub mod store;
pub mod unchanged;
pub mod warm_up;

/// The number of the protocol. It grows when a request or an answer changes; the plugin refuses a
/// native part that has another number.
pub const VERSION: u32 = 9;

/// The default of fields that are true where a request leaves them out.
fn yes() -> bool {
    true
}
