//! Makes a catalog from a `composer.lock`.

use super::{Catalog, Package, fit, layout};
use crate::archive::Format;
use crate::error::{Error, Result};
use crate::json::Json;
use crate::project::Project;
use crate::rng::Rng;
use crate::shape::Shapes;
use crate::spec::PackageSpec;

/// Options of a catalog from a lock.
#[derive(Debug, Clone)]
pub struct LockOptions {
    /// Recorded file lists.
    pub shapes: Shapes,
    /// The length above which recorded lists are thinned out evenly. `None` keeps all files.
    ///
    /// The default of 400 brings koel (with its aws-sdk of 3,534 files) and the Spryker suite to
    /// the totals with which they were measured.
    pub max_shape_files: Option<usize>,
    /// Dist formats other than zip, by package name.
    pub formats: Vec<(String, Format)>,
}

impl Default for LockOptions {
    fn default() -> Self {
        Self {
            shapes: Shapes::none(),
            max_shape_files: Some(400),
            formats: Vec::new(),
        }
    }
}

/// The keys that a lock entry and a package's own manifest have in common.
const MANIFEST_KEYS: [&str; 16] = [
    "name",
    "description",
    "type",
    "keywords",
    "homepage",
    "license",
    "require",
    "require-dev",
    "conflict",
    "replace",
    "provide",
    "suggest",
    "autoload",
    "bin",
    "include-path",
    "extra",
];

pub(super) fn catalog(project: &Project, options: &LockOptions) -> Result<Catalog> {
    let mut project = project.clone();
    let mut packages = Vec::new();
    for key in ["packages", "packages-dev"] {
        let Some(Json::Array(entries)) = project.lock.get_mut(key) else {
            continue;
        };
        for entry in entries {
            if let Some(package) = package(entry, options)? {
                packages.push(package);
            }
        }
    }
    let mut catalog = Catalog::of(project, packages);
    for (name, format) in &options.formats {
        catalog.set_format(name, *format)?;
    }
    Ok(catalog)
}

/// Returns the package of a lock entry, or `None` for metapackages and path packages, which have no
/// archive.
///
/// A package with a source only gets a dist with the source's reference. Leaving it out would
/// change which packages require each other.
fn package(entry: &mut Json, options: &LockOptions) -> Result<Option<Package>> {
    let name = entry
        .str_at("name")
        .ok_or_else(|| Error::format("a lock entry", "has no name"))?
        .to_owned();
    if entry.str_at("type") == Some("metapackage") {
        return Ok(None);
    }
    let reference = match (entry.get("dist"), entry.get("source")) {
        (Some(dist), _) if dist.str_at("type") == Some("path") => return Ok(None),
        (Some(dist), _) => dist.str_at("reference").map(str::to_owned),
        (None, Some(source)) => {
            let reference = source.str_at("reference").unwrap_or_default().to_owned();
            *entry = with_dist(entry.clone(), &reference);
            Some(reference)
        }
        (None, None) => return Ok(None),
    };
    let version = entry.str_at("version").unwrap_or_default().to_owned();
    let reference = reference.unwrap_or_else(|| stand_in(&name, &version));
    let shape = options.shapes.of(&name, entry.get("autoload"));
    let files = match shape {
        Some(shape) => fit::from_shape(shape, options.max_shape_files),
        None => layout::invent(entry, layout::wanted(entry)),
    };
    let mut package = assemble(entry.clone(), &reference, files);
    package.spec.top_folder = shape.is_none_or(|shape| shape.top_folder);
    Ok(Some(package))
}

/// Makes a package of these files, and adds the files that its entry promises.
pub(super) fn assemble(
    entry: Json,
    reference: &str,
    mut files: Vec<crate::spec::FileSpec>,
) -> Package {
    fit::promises(&mut files, &entry);
    Package {
        spec: PackageSpec {
            name: entry.str_at("name").unwrap_or_default().to_owned(),
            version: entry.str_at("version").unwrap_or_default().to_owned(),
            reference: reference.to_owned(),
            top_folder: true,
            manifest: manifest_of(&entry),
            plugins: fit::plugins(&entry),
            files,
            times: None,
        },
        entry,
        format: Format::Zip,
    }
}

/// Returns the package of an entry whose dist is a path in the project.
pub(crate) fn path_package(entry: &Json) -> Package {
    assemble(
        entry.clone(),
        "",
        layout::invent(entry, layout::wanted(entry)),
    )
}

/// Returns a reference for a package whose dist has none.
pub(super) fn stand_in(name: &str, version: &str) -> String {
    let mut rng = Rng::from_parts(&["reference", name, version]);
    format!(
        "{:016x}{:016x}{:08x}",
        rng.next_u64(),
        rng.next_u64(),
        rng.next_u64() >> 32
    )
}

/// Returns the manifest in a package's archive.
pub(super) fn manifest_of(entry: &Json) -> String {
    let keys = MANIFEST_KEYS
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), entry.get(key)?.clone())));
    Json::Object(keys.collect()).to_file_text()
}

/// Returns the entry with a zip dist of this reference, in the place where Composer writes it.
pub(super) fn with_dist(entry: Json, reference: &str) -> Json {
    let dist = Json::Object(vec![
        ("type".to_owned(), Json::str("zip")),
        ("url".to_owned(), Json::str("")),
        ("reference".to_owned(), Json::str(reference)),
        ("shasum".to_owned(), Json::str("")),
    ]);
    let Json::Object(mut entries) = entry else {
        return entry;
    };
    entries.retain(|(key, _)| key != "dist");
    let after = entries
        .iter()
        .rposition(|(key, _)| matches!(key.as_str(), "name" | "version" | "target-dir" | "source"))
        .map_or(0, |at| at + 1);
    entries.insert(after, ("dist".to_owned(), dist));
    Json::Object(entries)
}
