//! Decompresses entries, and checks their sizes and checksums.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::{Crc, DecompressionError, Decompressor};

use super::super::error::ArchiveError;
use super::super::source::{Source, clamp};
use super::super::{FileSink, Result};
use super::{CHUNK, Record, piece};

/// The decompressors and their buffer, reused for every file.
pub(super) struct Inflater {
    whole: Decompressor,
    stream: Option<Decompress>,
    out: Vec<u8>,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("buffer", &self.out.len())
            .finish_non_exhaustive()
    }
}

impl Inflater {
    pub(super) fn new() -> Self {
        Self {
            whole: Decompressor::new(),
            stream: None,
            out: Vec::new(),
        }
    }

    /// Returns the content in one piece. The caller has bounded both sizes.
    pub(super) fn whole<'a>(
        &'a mut self,
        source: &'a mut Source,
        record: &Record,
    ) -> Result<&'a [u8]> {
        let size = clamp(record.size, usize::MAX);
        let packed = source.slice(record.offset, clamp(record.packed, usize::MAX))?;
        let content = if record.deflated {
            if self.out.len() < size {
                self.out.resize(size, 0);
            }
            let out = &mut self.out[..size];
            let written = self
                .whole
                .deflate_decompress(packed, out)
                .map_err(|e| match e {
                    DecompressionError::BadData => {
                        ArchiveError::corrupt("the deflated data is broken")
                    }
                    DecompressionError::InsufficientSpace => too_long(),
                })?;
            if written != size {
                return Err(too_short());
            }
            &*out
        } else {
            packed
        };
        let mut crc = Crc::new();
        crc.update(content);
        check_crc(&crc, record)?;
        Ok(content)
    }

    /// Passes the content to the sink piece by piece.
    pub(super) fn stream(
        &mut self,
        source: &mut Source,
        record: &Record,
        sink: &mut dyn FileSink,
    ) -> Result<()> {
        let mut crc = Crc::new();
        if record.deflated {
            self.stream_deflated(source, record, &mut crc, sink)?;
        } else {
            let mut done = 0;
            while done < record.packed {
                let bytes = source.slice(record.offset + done, piece(record.packed - done))?;
                crc.update(bytes);
                sink.data(bytes)?;
                done += bytes.len() as u64;
            }
        }
        check_crc(&crc, record)
    }

    fn stream_deflated(
        &mut self,
        source: &mut Source,
        record: &Record,
        crc: &mut Crc,
        sink: &mut dyn FileSink,
    ) -> Result<()> {
        let inflate = self.stream.get_or_insert_with(|| Decompress::new(false));
        inflate.reset(false);
        if self.out.len() < CHUNK {
            self.out.resize(CHUNK, 0);
        }
        loop {
            let (read, written) = (inflate.total_in(), inflate.total_out());
            let packed = source.slice(record.offset + read, piece(record.packed - read))?;
            let status = inflate
                .decompress(packed, &mut self.out[..CHUNK], FlushDecompress::None)
                .map_err(|_| ArchiveError::corrupt("the deflated data is broken"))?;
            if inflate.total_out() > record.size {
                return Err(too_long());
            }
            let bytes = &self.out[..clamp(inflate.total_out() - written, CHUNK)];
            crc.update(bytes);
            if !bytes.is_empty() {
                sink.data(bytes)?;
            }
            if status == Status::StreamEnd {
                break;
            }
            if bytes.is_empty() && inflate.total_in() == read {
                return Err(ArchiveError::corrupt("the deflated data ends too early"));
            }
        }
        if inflate.total_out() == record.size {
            Ok(())
        } else {
            Err(too_short())
        }
    }
}

fn check_crc(crc: &Crc, record: &Record) -> Result<()> {
    if crc.sum() == record.crc {
        Ok(())
    } else {
        Err(ArchiveError::corrupt(format!(
            "checksum {:08x} instead of {:08x}",
            crc.sum(),
            record.crc
        )))
    }
}

fn too_long() -> ArchiveError {
    ArchiveError::corrupt("the data unpacks to more than its declared size")
}

fn too_short() -> ArchiveError {
    ArchiveError::corrupt("the data unpacks to less than its declared size")
}
