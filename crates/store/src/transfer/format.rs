//! Reads an export, which anybody may have made, piece by piece.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufReader, Read};

use foldhash::fast::RandomState;
use sha2::{Digest as _, Sha256};

use crate::manifest::{self, Manifest};
use crate::{Digest, ItemKind};
use allegro_base::error::{Error, Result};
use allegro_base::progress;
use allegro_composer::ManifestKey;

/// The word at the beginning of an export.
pub(crate) const MAGIC: &[u8; 8] = b"ALPACK01";

/// The tags before the parts of the stream.
pub(super) const PACKAGE: u8 = 1;
pub(super) const CONTENT: u8 = 2;
pub(super) const END: u8 = 0;

/// Length in bytes of the longest manifest that is read.
const LONGEST: u32 = 64 << 20;

/// Sum of the lengths of all manifests that are read, in bytes.
const MANIFESTS: u64 = 1 << 30;

/// Most bytes of the stream per byte of the file. PHP code shrinks to a sixth.
const RATIO: u64 = 1000;

/// Number of bytes of the stream from which [`RATIO`] is checked.
const RATIO_FROM: u64 = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// Binary logarithm of the most bytes that the decoder looks back on. It bounds the memory.
const WINDOW_LOG: u32 = 24;

/// Takes the parts of an export, in this order: packages, [`Self::contents_follow`], contents.
/// Nothing is sound before [`read`] returns.
pub(crate) trait Receiver {
    /// Takes a package. Its manifest can be carried out safely.
    fn package(&mut self, key: ManifestKey, record: Vec<u8>, manifest: Manifest) -> Result<()>;

    /// Learns which contents follow, with their sizes.
    fn contents_follow(&mut self, sizes: &HashMap<Digest, u64, RandomState>) -> Result<()>;

    /// Begins a content.
    fn begin(&mut self, digest: &Digest, size: u64) -> Result<()>;

    /// Takes the next bytes of the content.
    fn data(&mut self, bytes: &[u8]) -> Result<()>;

    /// Ends the content, whose bytes have the right digest.
    fn end(&mut self) -> Result<()>;
}

/// Returns the place of a package's manifest in any store.
pub(super) fn place(key: &ManifestKey) -> String {
    manifest::place(&key.hex())
}

/// Reads a whole export.
///
/// # Errors
/// - [`Error::Integrity`] if the export is torn, damaged, or made to do harm.
/// - [`Error::Input`] if it can't be read, or is no export.
/// - Any error of the receiver.
pub(crate) fn read(input: impl Read, receiver: &mut impl Receiver) -> Result<()> {
    let mut input = Counted {
        input,
        count: 0,
        failure: None,
    };
    let mut magic = [0; MAGIC.len()];
    match input.read_exact(&mut magic) {
        Ok(()) if magic == *MAGIC => {}
        Ok(()) if magic[..6] == MAGIC[..6] => {
            return Err(Error::Input(
                "another version of Allegro has made the export".to_owned(),
            ));
        }
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            return Err(unreadable(&error));
        }
        _ => return Err(Error::Input("the file is no export of a store".to_owned())),
    }
    let mut decoder = zstd::stream::read::Decoder::with_buffer(BufReader::new(input))
        .map_err(|error| unreadable(&error))?;
    decoder
        .window_log_max(WINDOW_LOG)
        .map_err(|error| unreadable(&error))?;
    let mut stream = Stream {
        decoder: decoder.single_frame(),
        sum: Sha256::new(),
        count: 0,
    };
    read_parts(&mut stream, receiver)
}

fn read_parts<R: Read>(stream: &mut Stream<R>, receiver: &mut impl Receiver) -> Result<()> {
    let mut keys: HashSet<ManifestKey> = HashSet::new();
    let mut awaited: HashMap<Digest, u64, RandomState> = HashMap::default();
    let (mut manifests, mut contents) = (0_u64, 0_u64);
    let mut tag = stream.tag()?;
    while tag == PACKAGE {
        let key = stream.key()?;
        let length = u32::from_le_bytes(stream.take()?);
        manifests += u64::from(length);
        if length > LONGEST || manifests > MANIFESTS {
            return Err(damaged("a package is larger than any package"));
        }
        let record = stream.bytes(length)?;
        let Some(manifest) = manifest::decode(&place(&key), &record) else {
            return Err(damaged("a package is not what its key says"));
        };
        for item in &manifest.items {
            if let ItemKind::File { digest, size } = item.kind
                && *awaited.entry(digest).or_insert(size) != size
            {
                return Err(damaged("a file has two sizes"));
            }
        }
        if !keys.insert(key) {
            return Err(damaged("a package is there twice"));
        }
        receiver.package(key, record, manifest)?;
        tag = stream.tag()?;
    }
    receiver.contents_follow(&awaited)?;
    while tag == CONTENT {
        let digest = Digest(stream.take()?);
        let size = u64::from_le_bytes(stream.take()?);
        if awaited.remove(&digest) != Some(size) {
            return Err(damaged("no package names a file that is there"));
        }
        receiver.begin(&digest, size)?;
        stream.content(&digest, size, receiver)?;
        receiver.end()?;
        contents += 1;
        tag = stream.tag()?;
    }
    if tag != END {
        return Err(damaged("its parts are not in order"));
    }
    if !awaited.is_empty() {
        return Err(damaged("it lacks files of its packages"));
    }
    let counts = (stream.take()?, stream.take()?);
    if counts != ((keys.len() as u64).to_le_bytes(), contents.to_le_bytes()) {
        return Err(damaged("it has lost parts"));
    }
    let sum: [u8; 32] = stream.sum.clone().finalize().into();
    if stream.take::<32>()? != sum {
        return Err(damaged("its checksum is wrong"));
    }
    stream.finish()
}

/// The file, whose bytes are counted. It remembers an error that isn't the decoder's.
struct Counted<R> {
    input: R,
    count: u64,
    failure: Option<io::Error>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buffer) {
            Ok(count) => {
                self.count += count as u64;
                Ok(count)
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::Interrupted {
                    self.failure = Some(io::Error::new(error.kind(), error.to_string()));
                }
                Err(error)
            }
        }
    }
}

/// The uncompressed stream.
struct Stream<R: Read> {
    decoder: zstd::stream::read::Decoder<'static, BufReader<Counted<R>>>,
    /// Checksum over everything but contents.
    sum: Sha256,
    count: u64,
}

impl<R: Read> Stream<R> {
    /// Reads some bytes and checks that they are not too many for the file.
    fn some(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match self.decoder.read(buffer) {
                Ok(0) if !buffer.is_empty() => return Err(damaged("it ends too early")),
                Ok(count) => {
                    progress::step();
                    self.count += count as u64;
                    let of_file = self.decoder.get_ref().get_ref().count;
                    if self.count > RATIO_FROM && self.count / RATIO > of_file {
                        return Err(damaged("it shrinks more than code does"));
                    }
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure(&error)),
            }
        }
    }

    fn failure(&mut self, error: &io::Error) -> Error {
        match &self.decoder.get_ref().get_ref().failure {
            Some(failure) => unreadable(failure),
            None if error.kind() == io::ErrorKind::UnexpectedEof => damaged("it ends too early"),
            None => damaged(&error.to_string()),
        }
    }

    fn fill(&mut self, mut buffer: &mut [u8]) -> Result<()> {
        while !buffer.is_empty() {
            let count = self.some(buffer)?;
            self.sum.update(&buffer[..count]);
            buffer = &mut buffer[count..];
        }
        Ok(())
    }

    fn take<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH]> {
        let mut bytes = [0; LENGTH];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn tag(&mut self) -> Result<u8> {
        self.take().map(|[tag]| tag)
    }

    fn key(&mut self) -> Result<ManifestKey> {
        let bytes: [u8; 32] = self.take()?;
        postcard::from_bytes(&bytes).map_err(|error| Error::Internal(error.to_string()))
    }

    /// Reads a part whose length the stream tells. Memory grows only with what is there.
    fn bytes(&mut self, length: u32) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 1 << 13];
        let mut left = length as usize;
        while left > 0 {
            let part = &mut buffer[..left.min(1 << 13)];
            self.fill(part)?;
            bytes.extend_from_slice(part);
            left -= part.len();
        }
        Ok(bytes)
    }

    fn content(&mut self, digest: &Digest, size: u64, receiver: &mut impl Receiver) -> Result<()> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        let mut left = size;
        while left > 0 {
            let length = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let count = self.some(&mut buffer[..length])?;
            hasher.update(&buffer[..count]);
            receiver.data(&buffer[..count])?;
            left -= count as u64;
        }
        if <[u8; 32]>::from(hasher.finalize()) != digest.0 {
            return Err(damaged("a file is not what its digest says"));
        }
        Ok(())
    }

    /// Checks that nothing follows.
    fn finish(&mut self) -> Result<()> {
        let mut more = [0];
        match self.decoder.read(&mut more) {
            Ok(0) => {}
            Ok(_) => return Err(damaged("something follows its end")),
            Err(error) => return Err(self.failure(&error)),
        }
        match self.decoder.get_mut().read(&mut more) {
            Ok(0) => Ok(()),
            Ok(_) => Err(damaged("something follows its end")),
            Err(error) => Err(unreadable(&error)),
        }
    }
}

fn damaged(reason: &str) -> Error {
    Error::Integrity(format!(
        "the export can't be used, and nothing of it was imported: {reason}"
    ))
}

fn unreadable(error: &io::Error) -> Error {
    Error::Input(format!("the export can't be read: {error}"))
}
