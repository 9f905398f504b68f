//! Removing trees that the plugin moved out of the way.

use rayon::prelude::*;

use super::pool::with_pool;
use crate::fs::remove_all;
use crate::wire::{RemoveAnswer, RemoveRequest};

/// Removes all paths, side by side.
pub fn remove(request: &RemoveRequest) -> RemoveAnswer {
    let work = || {
        request
            .paths
            .par_iter()
            .filter_map(|path| {
                remove_all(path)
                    .err()
                    .map(|error| format!("{} can't be removed: {error}", path.display()))
            })
            .collect()
    };
    // A pool of our own: the global one would outlive the call.
    let failures = with_pool(4, |pool| pool.install(work));
    RemoveAnswer {
        failures: failures.unwrap_or_else(|error| vec![error.to_string()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_goes_and_what_is_not_is_fine() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let tree = dir.path().join("a/b");
        std::fs::create_dir_all(&tree).expect("tree");
        let answer = remove(&RemoveRequest {
            paths: vec![dir.path().join("a"), dir.path().join("none")],
        });
        assert_eq!(answer.failures, Vec::<String>::new());
        assert!(!dir.path().join("a").exists());
    }
}
