//! Makes a blob out of a complete file, without copying it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::{FileSpec, is_shard_missing};
use crate::Store;
use allegro_base::error::{Result, in_store};
use allegro_base::fs::rename_over;

impl Store {
    /// Moves a file from `tmp/` into the place of its blob. The caller has checked the content, and
    /// this user owns the file.
    pub(crate) fn adopt(&self, file: &FileSpec, source: &Path) -> Result<()> {
        let blob = self.stored(file);
        let path = self.path(&blob);
        let shards = self.shards(blob.shelf);
        let shard = blob.digest().0[0];
        shards.check_shard(shard);
        let moved = File::open(source)
            .and_then(|opened| self.seal(&opened, &blob))
            .and_then(|()| match rename_over(source, &path) {
                Err(error) if is_shard_missing(&error) => {
                    shards.make_shard(shard)?;
                    rename_over(source, &path)
                }
                other => other,
            });
        match moved {
            // The bucket is a mount of its own.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                self.ensure_from(file, source)?;
                let _ = fs::remove_file(source);
                Ok(())
            }
            other => other.map_err(in_store("writing", &path)),
        }
    }
}
