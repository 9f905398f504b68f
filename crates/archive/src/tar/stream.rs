//! Reads the uncompressed bytes of a tar file, and tracks position and limits.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;

use super::super::error::ArchiveError;
use super::super::source::clamp;
use super::super::{Limits, Result};

/// Bytes read from the decoder at a time.
const BUFFER: usize = 128 << 10;

/// A forward-only reader over the uncompressed bytes.
pub(super) struct Stream {
    inner: Box<dyn Read>,
    position: u64,
    archive_len: u64,
    limits: Limits,
    scratch: Vec<u8>,
}

impl Stream {
    /// Starts at the file's beginning, and detects the compression by the first bytes.
    ///
    /// The stream owns the position in `file` from now on.
    pub(super) fn open(file: &File, limits: &Limits) -> Result<Self> {
        let mut file = file.try_clone()?;
        file.rewind()?;
        let archive_len = file.metadata()?.len();
        let mut magic = Vec::with_capacity(6);
        (&mut file).take(6).read_to_end(&mut magic)?;
        file.rewind()?;
        let file = BufReader::with_capacity(BUFFER, file);
        let inner: Box<dyn Read> = match magic.as_slice() {
            [0x1f, 0x8b, ..] => {
                Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file)))
            }
            [b'B', b'Z', b'h', ..] => {
                Box::new(BufReader::with_capacity(BUFFER, MultiBzDecoder::new(file)))
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0] => return Err(compression("xz")),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => return Err(compression("zstd")),
            [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c] => return Err(compression("7z")),
            [b'L', b'Z', b'I', b'P', ..] => return Err(compression("lzip")),
            [0x1f, 0x9d, ..] => return Err(compression("compress")),
            [b'P', b'K', 3, 4, ..] => {
                return Err(ArchiveError::declined("the archive is a zip, not a tar"));
            }
            _ => Box::new(file),
        };
        Ok(Self {
            inner,
            position: 0,
            archive_len,
            limits: limits.clone(),
            scratch: Vec::new(),
        })
    }

    /// Returns the number of uncompressed bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Refuses a total that exceeds the limits. `on_top` counts the bytes that don't come from the
    /// stream itself.
    pub(super) fn check_total(&self, on_top: u64) -> Result<()> {
        self.limits
            .check_total(self.position.saturating_add(on_top), self.archive_len)
    }

    /// Fills the buffer. Returns `false` if the stream ends before the first byte.
    pub(super) fn read_block(&mut self, block: &mut [u8]) -> Result<bool> {
        let mut done = 0;
        while done < block.len() {
            match self.inner.read(&mut block[done..]) {
                Ok(0) if done == 0 => return Ok(false),
                Ok(0) => return Err(truncated()),
                Ok(n) => {
                    done += n;
                    self.position += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(decoding(e)),
            }
        }
        self.limits.check_total(self.position, self.archive_len)?;
        Ok(true)
    }

    /// Passes `count` bytes to `each` in pieces.
    pub(super) fn read_pieces(
        &mut self,
        mut count: u64,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(BUFFER, 0);
        let mut result = Ok(());
        while count > 0 && result.is_ok() {
            let piece = &mut scratch[..clamp(count, BUFFER)];
            result = match self.read_block(piece) {
                Ok(true) => each(piece),
                Ok(false) => Err(truncated()),
                Err(e) => Err(e),
            };
            count -= piece.len() as u64;
        }
        self.scratch = scratch;
        result
    }

    /// Skips `count` bytes.
    pub(super) fn skip(&mut self, count: u64) -> Result<()> {
        self.read_pieces(count, |_| Ok(()))
    }

    /// Reads `count` bytes, which the caller has bounded. Memory grows only with the bytes that
    /// arrive.
    pub(super) fn read_vec(&mut self, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(clamp(count, BUFFER));
        self.read_pieces(count, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Reads to the end, so that the decoder verifies its checksum.
    pub(super) fn drain(&mut self) -> Result<()> {
        let mut block = [0; 512];
        loop {
            match self.inner.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(n) => {
                    self.position += n as u64;
                    self.limits.check_total(self.position, self.archive_len)?;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(decoding(e)),
            }
        }
    }
}

pub(super) fn truncated() -> ArchiveError {
    ArchiveError::corrupt("the archive is truncated")
}

fn compression(name: &str) -> ArchiveError {
    ArchiveError::declined(format!("compression with {name} is not supported"))
}

/// Classifies an error of a decoder. Damage is an I/O error without an OS error number.
fn decoding(e: io::Error) -> ArchiveError {
    if e.raw_os_error().is_some() {
        return ArchiveError::Io(e);
    }
    match e.kind() {
        io::ErrorKind::UnexpectedEof => truncated(),
        _ => ArchiveError::corrupt(format!("the compressed data is broken: {e}")),
    }
}
