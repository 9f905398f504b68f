//! Probes how files get from the store into a directory.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use allegro_archive::FileTime;
use allegro_base::error::{Error, Result, at};
use allegro_base::fs::unique;

use super::linker::{LinkError, LinkTarget, Linker, Supply};
use super::strategy::{Method, Refusal, Strategy};
use crate::{FileSpec, Store};

/// Returns the method that an install into `directory` would use for shared files.
///
/// The refusal says why hard links don't work, where they would be the next choice. The function
/// puts a file into `directory`, which must exist, and removes it again.
///
/// # Errors
/// Fails where no file can be put there at all, or not by the method asked for.
pub fn probe(
    store: &Store,
    strategy: Strategy,
    directory: &Path,
) -> Result<(Method, Option<Refusal>)> {
    // The content must differ from that of another process that probes at the same moment.
    let content = format!("Allegro tries out how files can be linked: {}\n", unique());
    let file = FileSpec {
        digest: crate::Digest::of(content.as_bytes()),
        size: content.len() as u64,
        mode: 0o644,
        time: FileTime::At(1_000_000_000),
    };
    let linker = Linker::new(store, directory, strategy, false)?;
    if !store.is_writable() {
        return Ok((linker.method(), linker.refusal()));
    }
    store.ensure(&file, content.as_bytes())?;
    let handle = crate::open_directory(directory).map_err(at("opening", directory))?;
    let target = LinkTarget {
        dir: handle.as_fd(),
        name: "probe",
        path: &|| directory.join("probe"),
    };
    let method = match linker.supply(&file, false)? {
        Supply::Ready(source) => {
            linker
                .link(&source, &file, &target)
                .map_err(|error| match error {
                    LinkError::Failed(error) => error,
                    LinkError::Vanished => {
                        Error::Internal("a file of the store vanished".to_owned())
                    }
                })
        }
        _ => Err(Error::Internal("a file of the store vanished".to_owned())),
    };
    let _ = fs::remove_file(directory.join("probe"));
    for blob in [store.stored(&file), store.linkable(&file)] {
        let _ = fs::remove_file(store.path(&blob));
    }
    Ok((method?, linker.refusal()))
}
