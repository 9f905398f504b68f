//! Reads file lists of real dists: the paths, sizes, modes and classes in the archive of a package.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::GzDecoder;

use crate::error::{Error, Result};
use crate::json::Json;

/// The file list of one dist.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Whether all files are below one folder.
    pub top_folder: bool,
    /// The `autoload` of the dist's own manifest, to tell versions apart.
    pub autoload: Option<Json>,
    /// Files of the dist.
    pub files: Vec<ShapeFile>,
}

/// A file of a [`Shape`].
#[derive(Debug, Clone)]
pub struct ShapeFile {
    /// Path below the package's root.
    pub path: String,
    /// Size in bytes.
    pub size: usize,
    /// Mode of the file: `100644`, `100755`, or whatever a packer wrote.
    pub octal_mode: String,
    /// Classes, interfaces and traits that the file declares.
    pub classes: Vec<String>,
}

/// Recorded shapes by package name.
#[derive(Debug, Clone, Default)]
pub struct Shapes(HashMap<String, Vec<Shape>>);

impl Shapes {
    /// Returns no shapes, so that every package gets an invented one.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads `dists.jsonl.gz`, one dist a line.
    pub fn read(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(Error::io(path))?;
        let mut shapes: HashMap<String, Vec<Shape>> = HashMap::new();
        for (index, line) in BufReader::new(GzDecoder::new(file)).lines().enumerate() {
            let line = line.map_err(Error::io(path))?;
            let what = format!("{} line {}", path.display(), index + 1);
            let json = crate::json::parse(&line, &what)?;
            let name = json
                .str_at("name")
                .ok_or_else(|| Error::format(&what, "has no name"))?
                .to_owned();
            shapes.entry(name).or_default().push(shape(&json));
        }
        Ok(Self(shapes))
    }

    /// Returns the shape for a package: the first one with the wanted autoload rules, else the
    /// first one that maps the same namespaces to the same directories.
    ///
    /// A shape of a version with its classes elsewhere is no use, because the autoloader would not
    /// find them.
    pub fn of(&self, name: &str, autoload: Option<&Json>) -> Option<&Shape> {
        let candidates = self.0.get(name)?;
        let rule = |autoload: Option<&Json>, key: &str| {
            autoload.and_then(|autoload| autoload.get(key)).cloned()
        };
        let same_places = |shape: &&Shape| {
            ["psr-4", "psr-0"]
                .iter()
                .all(|key| rule(shape.autoload.as_ref(), key) == rule(autoload, key))
        };
        candidates
            .iter()
            .find(|shape| shape.autoload.as_ref() == autoload)
            .or_else(|| candidates.iter().find(same_places))
    }

    /// Returns the number of packages with a shape.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn shape(json: &Json) -> Shape {
    let files = json
        .items_at("files")
        .iter()
        .filter_map(shape_file)
        .collect();
    Shape {
        top_folder: json.get("top_folder") != Some(&Json::Bool(false)),
        autoload: json
            .get("composer")
            .and_then(|composer| composer.get("autoload"))
            .cloned(),
        files,
    }
}

fn shape_file(json: &Json) -> Option<ShapeFile> {
    let [
        Json::Str(path),
        Json::Int(size),
        Json::Str(octal_mode),
        rest @ ..,
    ] = json.items()
    else {
        return None;
    };
    Some(ShapeFile {
        path: path.clone(),
        size: usize::try_from(*size).ok()?,
        octal_mode: octal_mode.clone(),
        classes: rest
            .first()
            .map(|classes| {
                classes
                    .one_or_many()
                    .into_iter()
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default(),
    })
}
