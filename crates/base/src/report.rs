//! Describes the events of a run as data. The same events feed a terminal, PHP and the helper's
//! JSON lines.

/// An event of a run. Ids are the caller's package ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A package is ready in staging, or has failed.
    Settled {
        /// Id of the package.
        id: usize,
    },
    /// The size of a dist is known, and its body begins to arrive.
    Sized {
        /// Id of the package.
        id: usize,
        /// Size of the archive in bytes.
        bytes: u64,
    },
    /// Bytes of a dist arrived.
    Received {
        /// Id of the package.
        id: usize,
        /// Number of bytes since the package's last event.
        bytes: u64,
    },
    /// A download is retried. The bytes received so far are discarded.
    Retrying {
        /// Id of the package.
        id: usize,
        /// Reason of the retry, without secrets.
        reason: String,
        /// Milliseconds until the next attempt.
        wait_ms: u64,
    },
    /// Metadata files have been answered.
    Metadata {
        /// Number of answered metadata files.
        done: usize,
        /// Number of metadata files requested so far. Their content may request more.
        total: usize,
    },
    /// A notice for the user. A run has at most a few.
    Notice {
        /// Text of the notice, one sentence.
        message: String,
    },
}

/// The caller of an operation. It receives events on its own thread and may ask the operation to
/// stop.
pub trait Host {
    /// Receives the events since the last call, on the calling thread only.
    fn events(&mut self, events: Vec<Event>);
    /// Learns that work continues although there are no events. It is called each second in which
    /// steps were counted (see [`crate::progress`]), never while work hangs.
    fn alive(&mut self) {}
    /// Learns that work continues, at a moment when no code of the caller may run.
    fn alive_in_silence(&mut self) {}
    /// Returns whether to stop. It is called at least every 50 ms.
    fn interrupted(&mut self) -> bool;
}

/// A host that receives no events, but may ask to stop.
pub struct Unheard<'a>(pub &'a mut dyn Host);

impl Host for Unheard<'_> {
    fn events(&mut self, _events: Vec<Event>) {
        self.0.alive_in_silence();
    }

    fn alive(&mut self) {
        self.0.alive_in_silence();
    }

    fn alive_in_silence(&mut self) {
        self.0.alive_in_silence();
    }

    fn interrupted(&mut self) -> bool {
        self.0.interrupted()
    }
}

/// A host that ignores all events and never asks to stop.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Host for Silent {
    fn events(&mut self, _events: Vec<Event>) {}
    fn interrupted(&mut self) -> bool {
        false
    }
}
