//! Runs operations by name: from a request of the protocol to its answer. The extension and the
//! helper share it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::ops;
use crate::protocol::event::Event;
use crate::protocol::warm_up::WarmUpAnswer;
use allegro_base::ballast;
use allegro_base::error::{Error, Result};
use allegro_base::limits;
use allegro_base::memory::sparing;
use allegro_base::report::{self, Host};

pub use crate::ops::info;
pub use crate::settings::Environment;

/// A request that has not been decoded yet.
pub trait EncodedRequest {
    /// Decodes the request.
    ///
    /// # Errors
    /// The document is not a request of this operation.
    fn read<T: DeserializeOwned>(self) -> serde_json::Result<T>;
}

impl EncodedRequest for Value {
    fn read<T: DeserializeOwned>(self) -> serde_json::Result<T> {
        serde_json::from_value(self)
    }
}

/// Decodes the text in place, because the request of a large project is large.
impl EncodedRequest for Option<&RawValue> {
    fn read<T: DeserializeOwned>(self) -> serde_json::Result<T> {
        serde_json::from_str(self.map_or("null", RawValue::get))
    }
}

/// The side that calls an operation. Every method is called on the calling thread.
pub trait Caller {
    /// The form in which the caller passes an answer on.
    type Answer;

    /// Takes the events since the previous call.
    fn events(&mut self, events: &[Event]);

    /// Takes note that work goes on without an event. Called every second in which work advances,
    /// never while it hangs.
    fn alive(&mut self);

    /// Takes the same note while the caller's own code must not run.
    fn alive_in_silence(&mut self) {}

    /// Returns whether the operation should stop. Called at least every 50 ms.
    fn interrupted(&mut self) -> bool;

    /// Takes the answer, and JSON texts that belong to it. The answer of a large project is too
    /// large to be built twice, so the caller encodes it directly.
    fn answer(&mut self, answer: &impl Serialize, texts: &[String]) -> Result<Self::Answer>;
}

/// Runs an operation and passes its answer to the caller.
///
/// # Errors
/// The operation doesn't exist, the request makes no sense, or the operation failed as a whole.
pub fn dispatch<C: Caller>(
    op: &str,
    request: impl EncodedRequest,
    environment: &Environment,
    caller: &mut C,
) -> Result<C::Answer> {
    if let Some(needed) = memory_for(op) {
        limits::check(needed + ballast::SIZE as u64)?;
    }
    sparing(|| ballast::holding(|| run(op, request, environment, caller)))
}

/// Returns the bytes that an operation may need for a large project; `None` for operations that
/// need next to nothing.
fn memory_for(op: &str) -> Option<u64> {
    match op {
        "prepare" => Some(96 << 20),
        "scan" | "unchanged" => Some(64 << 20),
        "resolve" => Some(256 << 20),
        _ => None,
    }
}

fn run<C: Caller>(
    op: &str,
    request: impl EncodedRequest,
    environment: &Environment,
    caller: &mut C,
) -> Result<C::Answer> {
    let mut host = Listener(caller);
    match op {
        "info" => host.answer(&ops::info(environment)),
        "warm_up" => {
            ops::warm_up(&read(request)?);
            host.answer(&WarmUpAnswer {})
        }
        "diagnose" => {
            let answer = ops::diagnose(&read(request)?, environment)?;
            host.answer(&answer)
        }
        "prepare" => {
            let answer = ops::prepare(&read(request)?, environment, &mut host)?;
            host.answer(&answer)
        }
        "scan" => {
            let answer = ops::scan(read(request)?, environment, &mut host)?;
            host.answer(&answer)
        }
        "unchanged" => {
            let answer = ops::unchanged(&read(request)?, environment, &mut host)?;
            host.answer(&answer)
        }
        "dumped" => {
            let answer = ops::dumped(&read(request)?, environment, &mut host)?;
            host.answer(&answer)
        }
        "resolve" => ops::resolve(
            read(request)?,
            environment,
            &mut host,
            |host, answer, texts| host.0.answer(answer, texts),
        ),
        "lock_diff" => host.answer(&ops::lock_diff(read(request)?)),
        "explain" => {
            let answer = ops::explain(read(request)?)?;
            host.answer(&answer)
        }
        "mend" => host.answer(&ops::mend(read(request)?)?),
        "remove" => {
            let answer = ops::remove(&read(request)?, &mut host);
            host.answer(&answer)
        }
        "replace" => host.answer(&ops::replace(&read(request)?)),
        other => Err(Error::Input(format!("unknown operation \"{other}\""))),
    }
}

fn read<T: DeserializeOwned>(request: impl EncodedRequest) -> Result<T> {
    let read = request.read();
    read.map_err(|error| Error::Input(format!("bad request: {error}")))
}

/// Translates an operation's reports for the caller.
struct Listener<'a, C>(&'a mut C);

impl<C: Caller> Listener<'_, C> {
    fn answer(&mut self, answer: &impl Serialize) -> Result<C::Answer> {
        self.0.answer(answer, &[])
    }
}

impl<C: Caller> Host for Listener<'_, C> {
    fn events(&mut self, events: Vec<report::Event>) {
        let events: Vec<Event> = events.into_iter().map(Event::from).collect();
        self.0.events(&events);
    }

    fn alive(&mut self) {
        self.0.alive();
    }

    fn alive_in_silence(&mut self) {
        self.0.alive_in_silence();
    }

    fn interrupted(&mut self) -> bool {
        self.0.interrupted()
    }
}

/// Decodes a request as [`dispatch`] does, without running the operation, and checks that it
/// survives another round. Returns whether it is a request.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn fuzzed(op: &str, request: impl EncodedRequest) -> bool {
    use crate::protocol::{
        diagnose, dumped, explain, lock_diff, mend, prepare, remove, replace, resolve, scan,
        unchanged, warm_up,
    };

    fn stable<T: DeserializeOwned + Serialize>(request: impl EncodedRequest) -> bool {
        let Ok(request) = read::<T>(request) else {
            return false;
        };
        let told = serde_json::to_value(&request).expect("a request can be told");
        let again: T = read(told.clone()).expect("a request that was told can be read");
        let again = serde_json::to_value(&again).expect("a request can be told");
        assert_eq!(told, again);
        true
    }

    match op {
        "warm_up" => stable::<warm_up::WarmUpRequest>(request),
        "diagnose" => stable::<diagnose::DiagnoseRequest>(request),
        "prepare" => stable::<prepare::PrepareRequest>(request),
        "scan" => stable::<scan::ScanRequest>(request),
        "unchanged" => stable::<unchanged::UnchangedRequest>(request),
        "dumped" => stable::<dumped::DumpedRequest>(request),
        "resolve" => stable::<resolve::ResolveRequest>(request),
        "lock_diff" => stable::<lock_diff::LockDiffRequest>(request),
        "explain" => stable::<explain::ExplainRequest>(request),
        "mend" => stable::<mend::MendRequest>(request),
        "remove" => stable::<remove::RemoveRequest>(request),
        "replace" => stable::<replace::ReplaceRequest>(request),
        _ => false,
    }
}
