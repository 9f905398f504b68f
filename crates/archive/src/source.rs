//! Reads a file at given positions through a window, so that neighbouring small reads cost one
//! system call.

use std::fs::File;
use std::io;
use std::path::Path;

/// Bytes read ahead when small records follow each other. A compressed PHP file is about 2 KiB, so
/// one read serves about a hundred.
const WINDOW: usize = 256 << 10;

/// A file with a window onto it. The buffer is as large as the largest request, and at least
/// [`WINDOW`].
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    len: u64,
    buffer: Vec<u8>,
    start: u64,
    filled: usize,
}

impl Source {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self {
            file,
            len,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
        })
    }

    /// Returns a second window onto the same file.
    pub(super) fn again(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.try_clone()?,
            len: self.len,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
        })
    }

    /// Returns the size of the file in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Returns the bytes at `offset`, and reads ahead by [`WINDOW`].
    pub(super) fn slice(&mut self, offset: u64, count: usize) -> io::Result<&[u8]> {
        self.slice_ahead(offset, count, WINDOW)
    }

    /// Returns the bytes at `offset`. A read from disk takes at least `ahead` bytes, as far as the
    /// file has them.
    pub(super) fn slice_ahead(
        &mut self,
        offset: u64,
        count: usize,
        ahead: usize,
    ) -> io::Result<&[u8]> {
        let available = self.len.saturating_sub(offset);
        if count as u64 > available {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let inside = offset
            .checked_sub(self.start)
            .and_then(|skip| usize::try_from(skip).ok());
        let from = match inside {
            Some(skip) if skip <= self.filled && count <= self.filled - skip => skip,
            _ => {
                self.load(offset, count.max(clamp(available, ahead)))?;
                0
            }
        };
        Ok(&self.buffer[from..from + count])
    }

    fn load(&mut self, offset: u64, count: usize) -> io::Result<()> {
        self.filled = 0;
        if self.buffer.len() < count {
            self.buffer.resize(count, 0);
        }
        let mut done = 0;
        while done < count {
            match read_at(
                &self.file,
                &mut self.buffer[done..count],
                offset + done as u64,
            ) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.start = offset;
        self.filled = count;
        Ok(())
    }
}

/// Returns the smaller of both, as a size in memory.
pub(super) fn clamp(available: u64, most: usize) -> usize {
    usize::try_from(available).map_or(most, |n| n.min(most))
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}
