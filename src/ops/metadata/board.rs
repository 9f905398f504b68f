//! What the threads that ask tell the one that chooses.

use parking_lot::{Condvar, Mutex};

use super::source::{Read, Sheet};

/// What is known of the files that were asked for, in that order.
#[derive(Default)]
pub struct Board {
    pub state: Mutex<Asked>,
    changed: Condvar,
}

#[derive(Default)]
pub struct Asked {
    pub files: Vec<Slot>,
    pub answered: usize,
    /// The file that somebody sleeps for: waking a thread takes as long as reading a file.
    wanted: Option<usize>,
    /// Something differs from its copy.
    pub is_outdated: bool,
    /// No more will come.
    is_over: bool,
}

#[derive(Default)]
pub struct Slot {
    /// What the cache has.
    pub copy: Option<Sheet>,
    pub answer: Option<Read>,
}

impl Board {
    pub fn copy(&self, at: usize, sheet: Sheet) {
        let mut state = self.state.lock();
        state.files[at].copy = Some(sheet);
        self.wake(&state, at);
    }

    /// Puts down an answer; gives how many there are, and of how many files.
    pub fn answer(&self, at: usize, read: Read) -> (usize, usize) {
        let mut state = self.state.lock();
        let slot = &mut state.files[at];
        let is_same = match (&slot.copy, &read) {
            // Nobody can have believed anything.
            (None, _) => true,
            (Some(copy), Ok(Some(sheet))) => copy.outline == sheet.outline,
            (Some(_), _) => false,
        };
        slot.answer = Some(read);
        state.is_outdated |= !is_same;
        state.answered += 1;
        self.wake(&state, at);
        (state.answered, state.files.len())
    }

    fn wake(&self, state: &Asked, at: usize) {
        if state.wanted == Some(at) || state.answered == state.files.len() {
            self.changed.notify_one();
        }
    }

    /// Waits for a file. `None`: it won't come.
    pub fn wait_for(&self, at: usize, may_be_copy: bool) -> Option<Read> {
        let mut state = self.state.lock();
        loop {
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

    /// Waits for all answers. Whether all say what the copies said; `None`: some won't come.
    pub fn wait_for_all(&self) -> Option<bool> {
        let mut state = self.state.lock();
        state.wanted = None;
        while state.answered < state.files.len() {
            if state.is_over {
                return None;
            }
            self.changed.wait(&mut state);
        }
        Some(!state.is_outdated)
    }
}

/// Ends the waiting, also where a panic ends the asking.
pub struct Ending<'a>(pub &'a Board);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.state.lock().is_over = true;
        self.0.changed.notify_one();
    }
}
