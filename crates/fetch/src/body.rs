//! The text of a document as it comes: unpacked on the way, and never more of it than may be held.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::write::MultiGzDecoder;
use reqwest::Response;
use tokio::time::timeout;

use super::download::{Shared, silence, truncated};
use super::error::FetchError;
use super::target::Target;
use allegro_base::progress;

/// Bytes of a document, packed and unpacked. Composer's own way holds larger ones as well, at ten times that in memory.
pub(super) const LARGEST: usize = 32 << 20;

/// Bytes of all documents under way together.
const TOGETHER: usize = 128 << 20;

/// What the documents of a run that are under way hold of the memory that they have together.
#[derive(Default)]
pub(super) struct Memory(AtomicUsize);

/// A document under way.
pub(super) struct Body<'a> {
    text: Form<'a>,
    /// Bytes that came, as they came.
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

    /// Bytes that came so far.
    pub fn received(&self) -> usize {
        self.received
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// The document or all that are under way are too large, or it can't be unpacked.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.received += bytes.len();
        // An archive without content is bounded as well.
        if self.received > LARGEST {
            return Err(ErrorKind::FileTooLarge.into());
        }
        match &mut self.text {
            Form::Plain(text) => text.write_all(bytes),
            Form::Gzip(decoder) => decoder.write_all(bytes),
        }
    }

    /// The whole text.
    ///
    /// # Errors
    /// As with [`Self::write`]; or the end is missing.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        let mut text = match self.text {
            Form::Plain(text) => text,
            Form::Gzip(decoder) => decoder.finish()?,
        };
        text.release();
        Ok(std::mem::take(&mut text.bytes))
    }
}

/// Unpacked bytes, which count as held until they are handed over or dropped.
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

/// The whole text of an answer.
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

/// Why the text of a document can't be had although the server sends it.
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
