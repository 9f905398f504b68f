//! Defines faults on purpose, their paths, and how often they occur.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::glob;

/// A fault on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The server waits before the first byte.
    Latency(Duration),
    /// The server sends this body at a number of bytes per second.
    Bandwidth(u64),
    /// The server answers with a status and a short text.
    Status {
        /// Status of the answer.
        code: u16,
        /// Seconds for a `Retry-After` header.
        retry_after: Option<u32>,
    },
    /// The server announces the whole length, and closes after this many bytes.
    Truncate(usize),
    /// The server announces and sends only this many bytes. Nothing tells the client but the
    /// content.
    Shorten(usize),
    /// The server resets the connection: before the answer if the number is 0, else after so many
    /// bytes of the body.
    Reset(usize),
    /// The server stops sending: before the answer if the number is 0, else after so many bytes of
    /// the body.
    Hang(usize),
    /// The server changes bytes in the middle of the body.
    Corrupt,
    /// The server answers with status 200 and a web page, as captive portals and login forms do.
    Html,
    /// The server answers with status 302.
    Redirect {
        /// Target of the redirect.
        to: Redirect,
        /// Number of redirects in a row before the content comes.
        hops: u32,
    },
}

/// The target of a redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// The same content on the same origin.
    Same,
    /// The same content on the server's other origin.
    Other,
    /// Any URL.
    Url(String),
}

/// A fault for some paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Pattern of the paths, in which `*` matches any text.
    pub path: String,
    /// Fault that occurs.
    pub fault: Fault,
    /// Number of requests of each path that pass first.
    pub skip: u32,
    /// Number of requests of each path that the fault then affects; `None` for all.
    pub times: Option<u32>,
}

impl Rule {
    /// Makes a fault for every request whose path matches.
    pub fn always(path: impl Into<String>, fault: Fault) -> Self {
        Self {
            path: path.into(),
            fault,
            skip: 0,
            times: None,
        }
    }

    /// Makes a fault for the first requests of every path that matches.
    pub fn times(path: impl Into<String>, fault: Fault, times: u32) -> Self {
        Self {
            times: Some(times),
            ..Self::always(path, fault)
        }
    }

    /// Returns the rule with a number of requests of each path that pass first.
    #[must_use]
    pub fn after(self, skip: u32) -> Self {
        Self { skip, ..self }
    }
}

/// Rules, each with the number of requests of every path.
pub(super) struct Rules(Vec<(Rule, Mutex<HashMap<String, u32>>)>);

impl Rules {
    pub(super) fn new(rules: Vec<Rule>) -> Self {
        Self(
            rules
                .into_iter()
                .map(|rule| (rule, Mutex::default()))
                .collect(),
        )
    }

    /// Returns the faults for a request in the order of the rules, and counts the request.
    pub(super) fn take(&self, path: &str) -> Vec<Fault> {
        let applies = |(rule, seen): &&(Rule, Mutex<HashMap<String, u32>>)| {
            if !glob::matches(&rule.path, path) {
                return false;
            }
            let mut seen = seen.lock();
            let count = seen.entry(path.to_owned()).or_default();
            *count += 1;
            *count > rule.skip && rule.times.is_none_or(|times| *count - rule.skip <= times)
        };
        self.0
            .iter()
            .filter(applies)
            .map(|(rule, _)| rule.fault.clone())
            .collect()
    }
}
