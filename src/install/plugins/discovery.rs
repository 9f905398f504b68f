//! `php-http/discovery`: adds implementations of HTTP interfaces after an update. An install from
//! a lock only removes the file of pinned implementations if there are none.

use std::path::PathBuf;

use allegro_base::error::Result;
use allegro_composer::json::Json;
use allegro_composer::{Unfamiliar, unfamiliar};

use super::{Deed, Effect, Nothing, Scene};
use crate::install::dumping::real;
use crate::install::files::remove_if_present;

/// Decides on versions that make a file of pinned implementations (1.17 and later).
pub fn plan(scene: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    let pins = scene.extra("discovery");
    if pins.is_some_and(|pins| *pins != Json::object() && *pins != Json::Array(Vec::new())) {
        return unfamiliar("php-http/discovery has pinned implementations");
    }
    let target = real(&scene.project.settings.vendor_dir).join("composer");
    Ok(Box::new(Unpinned {
        file: target.join("GeneratedDiscoveryStrategy.php"),
    }))
}

/// Decides on versions that only listen to updates.
#[expect(clippy::unnecessary_wraps, reason = "other plugins may be unfamiliar")]
pub fn plan_old(_: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    Ok(Box::new(Nothing))
}

#[derive(Debug)]
struct Unpinned {
    file: PathBuf,
}

impl Effect for Unpinned {
    fn told(&self) -> String {
        "has no effect here".to_owned()
    }

    fn act(&self, _: &str, _: &Scene<'_>) -> Result<Deed> {
        remove_if_present(&self.file)?;
        Ok(Deed::default())
    }

    fn watched(&self) -> Vec<PathBuf> {
        vec![self.file.clone()]
    }
}
