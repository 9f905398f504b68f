//! What happens during a run, as data: the same events feed a terminal, PHP and the helper's JSON lines.

/// One thing that happened. Ids are the caller's package ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A package is ready in staging, or has failed.
    Settled {
        /// The package.
        id: usize,
    },
    /// A dist begins to arrive, and will have this size.
    Sized {
        /// The package.
        id: usize,
        /// Size of the archive.
        bytes: u64,
    },
    /// Bytes of a dist arrived.
    Received {
        /// The package.
        id: usize,
        /// How many bytes since the last event of this package.
        bytes: u64,
    },
    /// A download is tried once more. What has arrived of it is void.
    Retrying {
        /// The package.
        id: usize,
        /// Why, without secrets.
        reason: String,
        /// Milliseconds until the next attempt.
        wait_ms: u64,
    },
    /// Metadata files have been answered.
    Metadata {
        /// How many.
        done: usize,
        /// How many were asked for so far; what they say may ask for more.
        total: usize,
    },
    /// Something the user should know; at most a few in a run.
    Notice {
        /// A sentence.
        message: String,
    },
}

/// Who calls us: takes the events on its own thread and may ask us to stop.
pub trait Host {
    /// Takes the events since the last call. Called on the calling thread only.
    fn events(&mut self, events: Vec<Event>);
    /// Takes note that work goes on, though there is nothing to tell. Called each second in which steps were done
    /// (see [`crate::progress`]), never while work hangs.
    fn alive(&mut self) {}
    /// Takes the same note where no code of the caller's may run meanwhile.
    fn alive_in_silence(&mut self) {}
    /// Whether to stop. Asked at least every 50 ms.
    fn interrupted(&mut self) -> bool;
}

/// A host that is told nothing, but may ask to stop.
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

/// A host that ignores everything.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Host for Silent {
    fn events(&mut self, _events: Vec<Event>) {}
    fn interrupted(&mut self) -> bool {
        false
    }
}
