//! Serves the calling thread during long work: hands events to the host, and passes on its wish to
//! stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvError, RecvTimeoutError, Sender, select};

use allegro_base::ballast::is_spent;
use allegro_base::error::{Error, Result};
use allegro_base::progress;
use allegro_base::report::{Event, Host};

/// The interval at which the calling thread looks for events and for a reason to stop.
const TICK: Duration = Duration::from_millis(40);

/// The interval at which the host learns that work goes on. The plugin waits many times as long.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// Does the work on a thread of its own, and returns when the work has ended. The function sets
/// `cancel` once the host wants to stop.
pub fn attend<T: Send>(
    host: &mut dyn Host,
    cancel: &AtomicBool,
    work: impl FnOnce(Sender<Event>) -> T + Send,
) -> Result<T> {
    attend_to_result(
        host,
        cancel,
        |events, result| {
            let _ = result.send(work(events));
        },
        |_, result| result,
    )
}

/// Does the work as [`attend`] does, for work that must clean up after its result is known.
/// Meanwhile, `take` uses the result.
pub fn attend_to_result<H: Host + ?Sized, T: Send, R>(
    host: &mut H,
    cancel: &AtomicBool,
    work: impl FnOnce(Sender<Event>, Sender<T>) + Send,
    take: impl FnOnce(&mut H, T) -> R,
) -> Result<R> {
    let (events, inbox) = crossbeam_channel::unbounded();
    let (result, results) = crossbeam_channel::bounded(1);
    std::thread::scope(|scope| {
        // Both channels end with the work.
        let worker = std::thread::Builder::new()
            .name("allegro-work".to_owned())
            .spawn_scoped(scope, move || work(events, result))
            .map_err(|error| Error::no_thread(&error))?;
        // The host gets the first event at once, and further ones collected for a tick. Each
        // hand-over wakes PHP, which would slow down the threads that link.
        let mut batch = Vec::new();
        let mut last: Option<Instant> = None;
        let mut last_sign = Instant::now();
        let mut steps = progress::steps();
        let result = loop {
            match last {
                None => select! {
                    recv(results) -> result => break result,
                    // Senders may be gone before there is a result.
                    recv(inbox) -> event => match event {
                        Ok(event) => batch.push(event),
                        Err(_) => break results.recv(),
                    },
                    default(TICK) => {}
                },
                // A thread that wakes up for each event would slow down the threads that link.
                Some(last) => match results.recv_deadline(last + TICK) {
                    Ok(result) => break Ok(result),
                    Err(RecvTimeoutError::Disconnected) => break Err(RecvError),
                    Err(RecvTimeoutError::Timeout) => batch.extend(inbox.try_iter()),
                },
            }
            if last.is_none_or(|last| last.elapsed() >= TICK) {
                last = Some(Instant::now());
                if !batch.is_empty() {
                    last_sign = Instant::now();
                    host.events(std::mem::take(&mut batch));
                } else if last_sign.elapsed() >= SIGN_OF_LIFE && steps != progress::steps() {
                    last_sign = Instant::now();
                    steps = progress::steps();
                    host.alive();
                }
                if host.interrupted() || is_spent() {
                    cancel.store(true, Ordering::Relaxed);
                }
            }
        };
        batch.extend(inbox.try_iter());
        if !batch.is_empty() {
            host.events(batch);
        }
        // The use of the result is part of the work.
        let taken = (!is_spent()).then(|| result.map(|result| take(host, result)));
        let panicked = |_| Error::Internal("a worker panicked".to_owned());
        worker.join().map_err(panicked)?;
        let taken = taken.ok_or_else(|| Error::Exhausted {
            what: "there is too little memory",
            reason: "the limit was met".to_owned(),
        })?;
        taken.map_err(|_| Error::Internal("a worker has no result".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host that wants to stop when it is asked for the third time.
    struct Impatient(u32);

    impl Host for Impatient {
        fn events(&mut self, _events: Vec<Event>) {}

        fn interrupted(&mut self) -> bool {
            self.0 += 1;
            self.0 > 2
        }
    }

    #[test]
    fn work_without_events_is_told_to_stop() {
        let cancel = AtomicBool::new(false);
        let mut host = Impatient(0);
        let turns = attend(&mut host, &cancel, |_events| {
            // This takes some two minutes if nobody stops it.
            (0..60_000).find(|_| {
                std::thread::sleep(Duration::from_millis(2));
                cancel.load(Ordering::Relaxed)
            })
        });
        assert!(turns.expect("it ends").is_some());
        assert!(host.0 > 2);
    }

    #[test]
    fn a_result_is_made_use_of_while_the_work_clears_away() {
        let cancel = AtomicBool::new(false);
        let is_used = AtomicBool::new(false);
        let work = |events: Sender<Event>, result: Sender<u8>| {
            let _ = events.send(Event::Metadata { done: 1, total: 1 });
            let _ = result.send(7);
            let used = (0..5_000).find(|_| {
                std::thread::sleep(Duration::from_millis(2));
                is_used.load(Ordering::Relaxed)
            });
            assert!(used.is_some(), "nobody used it meanwhile");
            drop(events);
        };
        let taken = attend_to_result(&mut Impatient(0), &cancel, work, |_, result| {
            is_used.store(true, Ordering::Relaxed);
            result
        });
        assert_eq!(taken.expect("a result"), 7);
        let none = attend_to_result(&mut Impatient(0), &cancel, |_, _: Sender<u8>| (), |_, _| ());
        assert_eq!(none.expect_err("an error").code(), "internal");
    }

    #[test]
    fn a_panic_is_an_error() {
        let cancel = AtomicBool::new(false);
        let result: Result<()> = attend(&mut Impatient(0), &cancel, |_| panic!("mine"));
        assert_eq!(result.expect_err("an error").code(), "internal");
    }
}
