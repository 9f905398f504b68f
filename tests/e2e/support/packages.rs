//! Makes packages by hand.

use allegro_registry::{Catalog, FileSpec, Format, Json, Mode, Package, PackageSpec, Role, Times};

/// Returns a lock entry: name, version, and the keys in `more` (a JSON object).
pub fn entry(name: &str, version: &str, more: &str) -> Json {
    let mut entry = Json::object();
    entry.set("name", Json::str(name));
    entry.set("version", Json::str(version));
    let more = allegro_registry::parse_json(more, "a package entry").expect("JSON");
    if more.get("type").is_none() {
        entry.set("type", Json::str("library"));
    }
    for (key, value) in more.entries() {
        entry.set(key, value.clone());
    }
    entry
}

/// Returns a plain file.
pub fn file(path: &str, content: &str) -> FileSpec {
    FileSpec::new(
        path,
        content.len(),
        Role::Bytes(content.as_bytes().to_vec()),
    )
}

/// Returns a file with a mode.
pub fn file_with(path: &str, content: &str, mode: Mode) -> FileSpec {
    FileSpec {
        mode,
        ..file(path, content)
    }
}

/// Returns a symbolic link.
pub fn link(path: &str, target: &str) -> FileSpec {
    FileSpec::new(path, 0, Role::Symlink(target.to_owned()))
}

/// Returns an empty directory.
pub fn dir(path: &str) -> FileSpec {
    FileSpec::new(path, 0, Role::Dir)
}

/// Adds a package with exactly these files (no manifest is added), and puts it into the catalog's
/// own state. The returned entry goes into [`allegro_registry::ProjectOptions::extra_packages`].
/// Times and form of the archive depend on name, version and reference.
pub fn add(
    catalog: &mut Catalog,
    entry: Json,
    top_folder: bool,
    format: Format,
    files: Vec<FileSpec>,
) -> Json {
    add_timed(catalog, entry, top_folder, format, files, None)
}

/// Adds a package as [`add`] does, whose archive's entries have these times.
pub fn add_timed(
    catalog: &mut Catalog,
    entry: Json,
    top_folder: bool,
    format: Format,
    files: Vec<FileSpec>,
    times: Option<Times>,
) -> Json {
    let name = entry.str_at("name").expect("a name").to_owned();
    let version = entry.str_at("version").expect("a version").to_owned();
    let reference = entry
        .get("dist")
        .and_then(|dist| dist.str_at("reference"))
        .map_or_else(|| reference_of(&name, &version), str::to_owned);
    let mut with_dist = Json::object();
    for (key, value) in entry.entries() {
        with_dist.set(key, value.clone());
        if key == "version" {
            let dist = with_dist.child("dist");
            dist.set("type", Json::str("zip"));
            dist.set("url", Json::str(""));
            dist.set("reference", Json::str(&reference));
            dist.set("shasum", Json::str(""));
        }
    }
    catalog.add(Package {
        spec: PackageSpec {
            name: name.clone(),
            version,
            reference,
            top_folder,
            manifest: String::new(),
            plugins: Vec::new(),
            files,
            times,
        },
        entry: with_dist.clone(),
        format,
    });
    with_dist
}

/// Returns forty hexadecimal digits that depend on the text alone.
fn reference_of(name: &str, version: &str) -> String {
    use sha1::{Digest as _, Sha1};
    use std::fmt::Write as _;
    Sha1::digest(format!("{name} {version}"))
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
