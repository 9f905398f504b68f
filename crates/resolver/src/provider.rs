//! The interface through which the resolver gets metadata of repositories.

use std::rc::Rc;
use std::sync::Arc;

use allegro_semver::constraint::Terms;

use super::Stop;
use super::metadata::Metadata;
use super::outline::Outline;

/// Provides the metadata files of repositories.
pub trait Provider {
    /// Requests files in advance; the builder asks for each of them afterwards.
    fn prepare(&mut self, repository: usize, files: &[String]) -> Result<(), Stop>;

    /// Returns the outline of a file; `None` if the repository doesn't have the file. Until
    /// [`Self::settle`] is called, the outline may be that of a stale cached file.
    fn file(&mut self, repository: usize, file: &str) -> Result<Option<Arc<Outline>>, Stop>;

    /// Returns whether Composer would read a file a second time from its cache, without another
    /// request. That is so if the cached file has a validator
    /// (`ComposerRepository::$freshMetadataUrls`, Composer 2.5.5).
    fn is_at_hand(&mut self, _repository: usize, _file: &str) -> Result<bool, Stop> {
        Ok(false)
    }

    /// Returns whether an outline that was provided turned out to be stale.
    fn is_outdated(&mut self) -> bool {
        false
    }

    /// Waits until every provided file is known to be fresh or stale. Returns whether all of them
    /// are fresh. From then on, only fresh files are provided.
    fn settle(&mut self) -> Result<bool, Stop> {
        Ok(true)
    }

    /// Returns the names of packages whose metadata an earlier run has left on this machine.
    fn names(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Returns the metadata that an outline stands for; `None` if the repository doesn't have the
    /// file.
    fn metadata(
        &mut self,
        terms: &mut Terms,
        repository: usize,
        file: &str,
    ) -> Result<Option<Rc<Metadata>>, Stop> {
        let Some(outline) = self.file(repository, file)? else {
            return Ok(None);
        };
        let metadata = Metadata::of(terms, outline, file)
            .map_err(|unclear| Stop::Unclear(format!("{file}: {}", unclear.0)))?;
        Ok(Some(Rc::new(metadata)))
    }
}
