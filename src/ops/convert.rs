//! Converts values between the protocol and the crates, where several operations need that.

use crate::protocol::dist::Dist;
use crate::protocol::error::{ErrorAnswer, ErrorKind};
use crate::protocol::event::Event;
use crate::protocol::store::Method;
use allegro_base::error::{self, Error};
use allegro_base::report;
use allegro_store::link;

/// Converts each value of a list.
pub(super) fn all<T, U: From<T>>(list: Vec<T>) -> Vec<U> {
    list.into_iter().map(U::from).collect()
}

impl<'a> From<&'a Dist> for allegro_composer::Dist<'a> {
    fn from(dist: &'a Dist) -> Self {
        Self {
            name: &dist.name,
            kind: &dist.kind,
            url: &dist.url,
            reference: dist.reference.as_deref(),
            shasum: dist.shasum.as_deref(),
            custom_cache_key: dist.custom_cache_key.as_deref(),
        }
    }
}

impl From<link::Method> for Method {
    fn from(method: link::Method) -> Self {
        match method {
            link::Method::Reflink => Self::Reflink,
            link::Method::Hardlink => Self::Hardlink,
            link::Method::Copy => Self::Copy,
        }
    }
}

impl From<error::ErrorKind> for ErrorKind {
    fn from(kind: error::ErrorKind) -> Self {
        match kind {
            error::ErrorKind::Declined => Self::Declined,
            error::ErrorKind::Input => Self::Input,
            error::ErrorKind::Network => Self::Network,
            error::ErrorKind::Integrity => Self::Integrity,
            error::ErrorKind::Filesystem => Self::Filesystem,
            error::ErrorKind::Interrupted => Self::Interrupted,
            error::ErrorKind::Internal => Self::Internal,
        }
    }
}

impl From<&Error> for ErrorAnswer {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code().to_owned(),
            hint: error.hint().map(str::to_owned),
            kind: error.kind().into(),
            message: error.to_string(),
        }
    }
}

impl From<report::Event> for Event {
    fn from(event: report::Event) -> Self {
        match event {
            report::Event::Settled { id } => Self::Settled { id },
            report::Event::Sized { id, bytes } => Self::Sized { id, bytes },
            report::Event::Received { id, bytes } => Self::Received { id, bytes },
            report::Event::Retrying {
                id,
                reason,
                wait_ms,
            } => Self::Retrying {
                id,
                reason,
                wait_ms,
            },
            report::Event::Metadata { done, total } => Self::Metadata { done, total },
            report::Event::Notice { message } => Self::Notice { message },
        }
    }
}
