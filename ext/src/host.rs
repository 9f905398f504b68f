//! Serves PHP's thread during a long call: hands events to a callback, and notices signals.

use std::panic::AssertUnwindSafe;
use std::path::Path;

use allegro::dispatch::Caller;
use allegro::protocol::event::Event;
use allegro_base::error::{Error, Result};
use ext_php_rs::types::{ZendCallable, Zval};
use ext_php_rs::zend::{CatchError, ExecutorGlobals, bailout, try_catch};
use serde::Serialize;

use crate::answer::to_zval;

/// A host that calls PHP only from PHP's own thread, between two waits of the core.
pub struct PhpHost<'a> {
    callback: Option<ZendCallable<'a>>,
    /// Whether the callback threw, or ended the script.
    stopped: bool,
    /// Whether the callback met a fatal error, after which the engine wants to leave by a long
    /// jump.
    fatal: bool,
}

impl<'a> PhpHost<'a> {
    /// Returns a host for `callback`, which takes a list of events.
    pub fn new(callback: Option<ZendCallable<'a>>) -> Self {
        Self {
            callback,
            stopped: false,
            fatal: false,
        }
    }

    /// Lets the engine leave after a fatal error in the callback. All threads must have ended
    /// before.
    pub fn finish(self) {
        if self.fatal {
            drop(self);
            // SAFETY: only frames of ours without destructors are between here and the engine's own
            // `try`.
            unsafe { bailout() }
        }
    }
}

impl Caller for PhpHost<'_> {
    type Answer = Zval;

    fn events(&mut self, events: &[Event]) {
        let Some(callback) = &self.callback else {
            return;
        };
        // With a signal pending, no PHP code may run: its handler may end the process while our
        // threads write.
        if self.stopped || signal_pending() {
            return;
        }
        if let Ok(list) = to_zval(events) {
            // The long jump must not skip the frames that wait for our threads.
            let outcome = try_catch(AssertUnwindSafe(|| callback.try_call(vec![&list])));
            self.fatal = matches!(outcome, Err(CatchError::Bailout));
            self.stopped = !matches!(outcome, Ok(Ok(_)));
        }
    }

    fn alive(&mut self) {
        self.events(&[]);
    }

    fn interrupted(&mut self) -> bool {
        self.stopped || signal_pending()
    }

    fn answer(&mut self, answer: &impl Serialize, texts: &[String]) -> Result<Zval> {
        let mut answer = to_zval(answer)?;
        if let (Some(table), false) = (answer.array_mut(), texts.is_empty()) {
            let failed = |_| Error::Internal("texts of an answer".to_owned());
            table.insert("texts", to_zval(texts)?).map_err(failed)?;
        }
        Ok(answer)
    }
}

/// Returns whether the engine wants to run something between two opcodes: a signal handler, or a
/// time-out.
fn signal_pending() -> bool {
    let globals = ExecutorGlobals::get();
    // SAFETY: `vm_interrupt` is one byte in every PHP since 8.1 (a `bool`, later an atomic one). A
    // signal handler sets it, so it is read as volatile and not kept.
    unsafe { std::ptr::read_volatile((&raw const globals.vm_interrupt).cast::<u8>()) != 0 }
}

/// Runs the handlers of signals that arrived during the work. An exception of a handler is pending
/// afterwards.
///
/// The caller runs this before it throws an exception of its own. PHP itself would run the handlers
/// at the jump to the `catch`, where that exception is still pending. No handler can be called
/// then, and the signals are lost.
pub fn run_signal_handlers() {
    if signal_pending()
        && let Ok(dispatch) = ZendCallable::try_from_name("pcntl_signal_dispatch")
    {
        // Its only failure is an exception of a handler, which PHP finds pending.
        let _ = dispatch.try_call(Vec::new());
    }
}

/// Moves the process to PHP's working directory. In a thread-safe PHP, only the thread remembers
/// `chdir()`, so our relative paths would differ from PHP's. Such a PHP itself never looks at the
/// directory of the process.
pub fn follow_php() {
    let Ok(getcwd) = ZendCallable::try_from_name("getcwd") else {
        return;
    };
    let answer = getcwd.try_call(Vec::new());
    let Some(dir) = answer.as_ref().ok().and_then(Zval::str).map(Path::new) else {
        return;
    };
    if std::env::current_dir().map_or(true, |now| now != dir) {
        // If the directory is gone, relative paths lead nowhere, for PHP as well.
        let _ = std::env::set_current_dir(dir);
    }
}
