//! What can go wrong on purpose, for which paths, and how often.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::glob;

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Wait before the first byte.
    Latency(Duration),
    /// Send this body at so many bytes a second.
    Bandwidth(u64),
    /// Answer with a status and a short text.
    Status {
        /// The status.
        code: u16,
        /// Seconds for a `Retry-After` header.
        retry_after: Option<u32>,
    },
    /// Announce the whole length, close after this many bytes.
    Truncate(usize),
    /// Announce and send only this many bytes: nothing tells the client but the content.
    Shorten(usize),
    /// Reset the connection; before the answer if the number is 0, else after so many bytes of the body.
    Reset(usize),
    /// Send nothing any more; no answer at all if the number is 0, else after so many bytes of the body.
    Hang(usize),
    /// Change bytes in the middle of the body.
    Corrupt,
    /// Status 200 with a web page, as captive portals and login forms answer.
    Html,
    /// Answer 302.
    Redirect {
        /// To where.
        to: Redirect,
        /// Redirects in a row before the content comes.
        hops: u32,
    },
}

/// Where a redirect leads.
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
    /// Which paths, as a pattern: `*` matches any text.
    pub path: String,
    /// What happens.
    pub fault: Fault,
    /// How many requests of each path pass first.
    pub skip: u32,
    /// For how many requests of each path it happens then; always if not given.
    pub times: Option<u32>,
}

impl Rule {
    /// A fault for every request whose path matches.
    pub fn always(path: impl Into<String>, fault: Fault) -> Self {
        Self {
            path: path.into(),
            fault,
            skip: 0,
            times: None,
        }
    }

    /// A fault for the first requests of every path that matches.
    pub fn times(path: impl Into<String>, fault: Fault, times: u32) -> Self {
        Self {
            times: Some(times),
            ..Self::always(path, fault)
        }
    }

    /// The rule, after so many requests of each path have passed.
    #[must_use]
    pub fn after(self, skip: u32) -> Self {
        Self { skip, ..self }
    }
}

/// Rules with what they have seen.
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

    /// The faults for a request, in the order of the rules. Counts the request.
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
