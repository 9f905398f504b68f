//! Receives the text of a document: decompresses it on the way and bounds the memory that it takes.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::write::MultiGzDecoder;
use reqwest::Response;
use tokio::time::timeout;

use super::download::{Shared, silence, truncated};
use super::error::FetchError;
use super::target::Target;
use allegro_base::progress;

/// Most bytes of a document, compressed and uncompressed. Composer accepts larger ones as well, but
/// needs ten times their size in memory.
pub(super) const LARGEST: usize = 32 << 20;

/// Most bytes of all concurrent documents together.
const TOGETHER: usize = 128 << 20;

/// The memory that the concurrent documents of a run hold, out of their common budget.
#[derive(Default)]
pub(super) struct Memory(AtomicUsize);

/// A document that is being received.
pub(super) struct Body<'a> {
    text: Form<'a>,
    /// Number of received bytes, before decompression.
    received: usize,
}

enum Form<'a> {
    Plain(Text<'a>),
    Gzip(Box<MultiGzDecoder<Text<'a>>>),
}

impl<'a> Body<'a> {
    pub fn new(memory: &'a Memory, is_gzip: bool) -> Self {
        let text = Text {
            bytes: Vec::new(),
            memory,
        };
        Self {
            text: if is_gzip {
                Form::Gzip(Box::new(MultiGzDecoder::new(text)))
            } else {
                Form::Plain(text)
            },
            received: 0,
        }
    }

    /// Returns the number of bytes received so far, before decompression.
    pub fn received(&self) -> usize {
        self.received
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// Returns an error if this document or all concurrent ones are too large, or if decompression
    /// fails.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.received += bytes.len();
        // This also bounds a compressed stream that has no content.
        if self.received > LARGEST {
            return Err(ErrorKind::FileTooLarge.into());
        }
        match &mut self.text {
            Form::Plain(text) => text.write_all(bytes),
            Form::Gzip(decoder) => decoder.write_all(bytes),
        }
    }

    /// Returns the whole text.
    ///
    /// # Errors
    /// Returns an error as [`Self::write`] does, or if the end is missing.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        let mut text = match self.text {
            Form::Plain(text) => text,
            Form::Gzip(decoder) => decoder.finish()?,
        };
        text.release();
        Ok(std::mem::take(&mut text.bytes))
    }
}

/// Uncompressed bytes, which count against the budget until they are handed over or dropped.
struct Text<'a> {
    bytes: Vec<u8>,
    memory: &'a Memory,
}

impl Text<'_> {
    fn release(&self) {
        self.memory.0.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Write for Text<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > LARGEST {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let held = self.memory.0.fetch_add(bytes.len(), Ordering::Relaxed);
        if held + bytes.len() > TOGETHER {
            self.memory.0.fetch_sub(bytes.len(), Ordering::Relaxed);
            return Err(ErrorKind::QuotaExceeded.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Text<'_> {
    fn drop(&mut self) {
        self.release();
    }
}

/// Receives the whole body of a response and returns its text.
pub(super) async fn receive(
    shared: &Shared<'_>,
    target: &Target,
    response: &mut Response,
    mut body: Body<'_>,
) -> Result<Vec<u8>, FetchError> {
    let expected = response.content_length();
    let idle = shared.options.idle_timeout;
    let mut pace = shared.flow.pace(idle);
    loop {
        match timeout(idle, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                progress::step();
                body.write(&chunk)
                    .map_err(|error| unusable(target, &error))?;
                pace.count(chunk.len(), target)?;
            }
            Ok(Ok(None)) => break,
            Ok(Err(error)) => return Err(FetchError::from_client(error, &target.shown())),
            Err(_) => return Err(silence(target, idle)),
        }
    }
    let got = body.received() as u64;
    if let Some(expected) = expected.filter(|expected| *expected != got) {
        return Err(truncated(target, expected, got));
    }
    body.finish().map_err(|error| unusable(target, &error))
}

/// Returns the error for a document that the server sends but that can't be used.
fn unusable(target: &Target, error: &io::Error) -> FetchError {
    let url = target.shown();
    match error.kind() {
        ErrorKind::FileTooLarge => FetchError::TooLarge {
            url,
            limit: LARGEST as u64,
        },
        ErrorKind::QuotaExceeded => FetchError::Setup {
            reason: format!("too much metadata at once, of which {url} is a part"),
        },
        _ => FetchError::Setup {
            reason: format!("{url} can't be unpacked: {error}"),
        },
    }
}
