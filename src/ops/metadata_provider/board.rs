//! Hands files from the threads that fetch them to the thread that solves.

use parking_lot::{Condvar, Mutex};

use super::source::{Read, Sheet};
use allegro_resolver::Stop;

/// The state of all requested files, in the order of the requests.
#[derive(Default)]
pub struct Board {
    pub state: Mutex<Asked>,
    changed: Condvar,
}

#[derive(Default)]
pub struct Asked {
    pub files: Vec<Slot>,
    pub answered: usize,
    /// Index of the file that a thread sleeps for. Waking a thread takes as long as reading a file,
    /// so other files should not wake it.
    wanted: Option<usize>,
    /// Whether some file differs from its cached copy.
    pub is_outdated: bool,
    /// Reason why a file can't be had. Composer takes over then, so nobody waits for other files.
    failed: Option<Stop>,
    /// Whether no more answers will come.
    is_over: bool,
}

#[derive(Default)]
pub struct Slot {
    /// Copy of the file in the cache.
    pub copy: Option<Sheet>,
    pub answer: Option<Read>,
}

impl Board {
    pub fn copy(&self, at: usize, sheet: Sheet) {
        let mut state = self.state.lock();
        state.files[at].copy = Some(sheet);
        self.wake(&state, at);
    }

    /// Stores an answer. Returns the number of answers and the number of files.
    pub fn answer(&self, at: usize, read: Read) -> (usize, usize) {
        let mut state = self.state.lock();
        let slot = &mut state.files[at];
        let is_same = match (&slot.copy, &read) {
            // Nobody can have used a copy.
            (None, _) => true,
            (Some(copy), Ok(Some(sheet))) => {
                copy.outline == sheet.outline && copy.is_at_hand() == sheet.is_at_hand()
            }
            (Some(copy), Ok(None)) => copy.outline.is_none(),
            (Some(_), Err(_)) => false,
        };
        let failed = read.as_ref().err().cloned();
        slot.answer = Some(read);
        state.failed = state.failed.take().or(failed);
        state.is_outdated |= !is_same;
        state.answered += 1;
        self.wake(&state, at);
        (state.answered, state.files.len())
    }

    fn wake(&self, state: &Asked, at: usize) {
        let is_all = state.answered == state.files.len() || state.failed.is_some();
        if is_all || state.wanted == Some(at) {
            self.changed.notify_one();
        }
    }

    /// Waits for a file. Returns `None` if the file won't come.
    pub fn wait_for(&self, at: usize, may_be_copy: bool) -> Option<Read> {
        let mut state = self.state.lock();
        loop {
            if let Some(stop) = &state.failed {
                return Some(Err(stop.clone()));
            }
            let slot = &state.files[at];
            if let Some(read) = &slot.answer {
                return Some(read.clone());
            }
            if may_be_copy && let Some(copy) = &slot.copy {
                return Some(Ok(Some(copy.clone())));
            }
            if state.is_over {
                return None;
            }
            state.wanted = Some(at);
            self.changed.wait(&mut state);
        }
    }

    /// Waits for all answers, or for the first failure. Returns whether all answers match their
    /// copies, or `None` if some won't come.
    pub fn wait_for_all(&self) -> Option<Result<bool, Stop>> {
        let mut state = self.state.lock();
        state.wanted = None;
        loop {
            if let Some(stop) = &state.failed {
                return Some(Err(stop.clone()));
            }
            if state.answered == state.files.len() {
                return Some(Ok(!state.is_outdated));
            }
            if state.is_over {
                return None;
            }
            self.changed.wait(&mut state);
        }
    }
}

/// A guard that ends the waiting, even where a panic ends the fetching.
pub struct Ending<'a>(pub &'a Board);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.state.lock().is_over = true;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::ops::metadata_provider::source::Source;

    fn board() -> Board {
        let board = Board::default();
        board
            .state
            .lock()
            .files
            .extend([Slot::default(), Slot::default()]);
        board
    }

    /// Returns a file that lists this version.
    fn sheet(version: &str) -> Sheet {
        let about = serde_json::json!({ "url": "http://localhost/" });
        let source = Source::of(serde_json::from_value(about).expect("a source"), None);
        let body = format!(r#"{{"packages":{{"a/a":[{{"version":"{version}"}}]}}}}"#);
        source
            .received("a/a", body.into(), None)
            .expect("understood")
    }

    #[test]
    fn copies_count_as_long_as_they_are_true() {
        let board = board();
        board.copy(0, sheet("1.0"));
        let copy = board
            .wait_for(0, true)
            .expect("it is there")
            .expect("a file");
        assert_eq!(copy.and_then(|copy| copy.outline), sheet("1.0").outline);
        board.answer(0, Ok(Some(sheet("1.0"))));
        board.answer(1, Ok(Some(sheet("5.0"))));
        assert_eq!(board.wait_for_all(), Some(Ok(true)));
        for now in [Some(sheet("2.0")), None] {
            let board = self::board();
            board.copy(1, sheet("1.0"));
            board.answer(1, Ok(now));
            board.answer(0, Ok(None));
            assert_eq!(board.wait_for_all(), Some(Ok(false)));
        }
    }

    #[test]
    fn waiting_ends_with_the_answer_or_without_one() {
        let board = &board();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| board.wait_for(1, true));
            thread::sleep(Duration::from_millis(20));
            board.answer(0, Ok(None));
            board.answer(1, Ok(None));
            assert!(matches!(waiting.join(), Ok(Some(Ok(None)))));
        });
        let board = &self::board();
        thread::scope(|scope| {
            let all = scope.spawn(|| board.wait_for_all());
            thread::sleep(Duration::from_millis(20));
            drop(Ending(board));
            assert!(matches!(all.join(), Ok(None)));
        });
    }

    /// Without this, thousands of files might each be requested several times more.
    #[test]
    fn the_first_failure_ends_all_waiting() {
        let stop = || Stop::Unclear("refused".to_owned());
        let board = &board();
        board.copy(0, sheet("1.0"));
        thread::scope(|scope| {
            let all = scope.spawn(|| board.wait_for_all());
            thread::sleep(Duration::from_millis(20));
            board.answer(1, Err(stop()));
            assert_eq!(all.join().expect("no panic"), Some(Err(stop())));
        });
        let read = board.wait_for(0, true).expect("an end");
        assert_eq!(read.err(), Some(stop()));
    }
}
