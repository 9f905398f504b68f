//! Reads the files of one repository: from Composer's cache, from records, and from the server's
//! answers.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, fstat, open, statat};

use super::super::http::headers;
use super::super::outline_cache::{KnownOutline, Outlines};
use crate::protocol::resolve::ResolveSource;
use allegro_base::fs::place_atomically;
use allegro_base::identity::{Clock, Identity};
use allegro_composer::json::PhpJson;
use allegro_fetch::Tls;
use allegro_resolver::metadata_text::Versions;
use allegro_resolver::outline::Outline;
use allegro_resolver::{MetadataPlace, Stop};
use allegro_store::Store;

/// A metadata file that was read.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// Outline of the package. `None` if the file doesn't know the package.
    pub outline: Option<Arc<Outline>>,
    text: Text,
}

impl Sheet {
    /// Returns the validator for a conditional request.
    pub fn validator(&self) -> Option<&str> {
        match &self.text {
            Text::Cached(cached) => cached.last_modified.as_deref(),
            Text::Kept(_) | Text::Missing => None,
        }
    }

    /// Returns the number of bytes of text that the sheet keeps in memory.
    pub fn kept(&self) -> usize {
        match &self.text {
            Text::Kept(text) => text.len(),
            Text::Cached(_) | Text::Missing => 0,
        }
    }

    /// Returns whether the sheet stands for a file that the repository doesn't have.
    pub fn is_missing(&self) -> bool {
        matches!(self.text, Text::Missing)
    }

    /// Returns whether Composer has the file at once when it needs it again. Such a file is in the
    /// cache, with a validator.
    pub fn is_at_hand(&self) -> bool {
        self.validator().is_some()
    }
}

/// The place of a file's text. The text stays out of memory where possible, because a resolution
/// needs it only for the chosen versions.
#[derive(Debug, Clone)]
enum Text {
    /// The text is in Composer's cache, as long as the file there has this identity.
    Cached(Cached),
    /// The text is only in memory.
    Kept(Arc<str>),
    /// The repository didn't have the file at the last request.
    Missing,
}

#[derive(Debug, Clone)]
struct Cached {
    identity: Identity,
    last_modified: Option<String>,
    /// Whether any change must show in the identity.
    is_settled: bool,
    /// Whether the outline is on record already.
    is_known: bool,
}

/// The result of reading a file. `None` if the repository doesn't have the file.
pub type Read = Result<Option<Sheet>, Stop>;

/// A repository.
pub struct Source {
    /// URL of a file, in which `%package%` stands for the file's name.
    pub url: String,
    pub headers: Vec<(String, String)>,
    /// Certificates in place of those that all requests share.
    pub tls: Option<Tls>,
    /// Directory of the repository in Composer's cache. `None` if that cache is off.
    cache_dir: Option<PathBuf>,
    /// Whether Composer's cache may be written.
    pub cache_writable: bool,
    /// Outlines that earlier runs read from files in Composer's cache.
    outlines: Outlines,
    /// Handle of the repository's directory in Composer's cache. It halves the time of a look-up.
    dir: Option<OwnedFd>,
    clock: Option<Clock>,
}

impl Source {
    pub fn of(about: ResolveSource, store: Option<&Store>) -> Self {
        let cache_dir = about.cache_dir.as_deref();
        let outlines = cache_dir.zip(store);
        Self {
            outlines: outlines
                .map_or_else(Outlines::default, |(dir, store)| Outlines::open(store, dir)),
            dir: cache_dir.and_then(|dir| {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                open(dir, flags, Mode::empty()).ok()
            }),
            clock: cache_dir.map(Clock::start),
            url: about.url,
            headers: headers(&about.headers),
            tls: about.tls.map(Into::into),
            cache_writable: about.cache_writable,
            cache_dir: about.cache_dir,
        }
    }

    /// Returns the repository's directory in Composer's cache.
    pub fn cache_dir(&self) -> Option<&Path> {
        self.cache_dir.as_deref()
    }

    /// Returns the names of packages that have a file in Composer's cache.
    pub fn names(&self) -> Vec<String> {
        let files = self.cache_dir().and_then(|dir| fs::read_dir(dir).ok());
        let names = files.into_iter().flatten().filter_map(|file| {
            let file = file.ok()?.file_name();
            cached_name(file.to_str()?)
        });
        names.collect()
    }

    /// Returns the path at which Composer keeps a file.
    fn cache_path(&self, file: &str) -> Option<PathBuf> {
        Some(self.cache_dir()?.join(cache_name(file)))
    }

    /// Returns the cached file if an earlier run has read it. A file that the repository didn't
    /// have then is returned as missing.
    pub fn known(&self, file: &str) -> Option<Sheet> {
        if self.outlines.is_empty() {
            return None;
        }
        if self.outlines.is_missing(file) {
            return Some(Sheet {
                outline: None,
                text: Text::Missing,
            });
        }
        let facts = statat(self.dir.as_ref()?, cache_name(file), AtFlags::empty()).ok()?;
        let identity = Identity::from(&facts);
        let (outline, last_modified) = self.outlines.get(file, &identity)?;
        Some(Sheet {
            outline: Some(Arc::new(outline)),
            text: Text::Cached(Cached {
                identity,
                last_modified: Some(last_modified.to_owned()),
                is_settled: true,
                is_known: true,
            }),
        })
    }

    /// Reads the cached file. A file without a validator is useless, because no conditional request
    /// is possible.
    pub fn cached(&self, file: &str) -> Option<Sheet> {
        let (text, identity) = read(&self.cache_path(file)?)?;
        let last_modified = validator(&text)?;
        let is_settled = self.clock.is_some_and(|clock| clock.has_settled(&identity));
        Some(Sheet {
            outline: outline(file, json(file, text).ok()?).ok()?,
            text: Text::Cached(Cached {
                identity,
                last_modified: Some(last_modified),
                is_settled,
                is_known: false,
            }),
        })
    }

    /// Reads a document that the server has sent, and puts it into the cache.
    pub fn received(
        &self,
        file: &str,
        text: Vec<u8>,
        last_modified: Option<String>,
    ) -> Result<Sheet, Stop> {
        let text = String::from_utf8(text)
            .map_err(|_| Stop::Unclear(format!("the metadata of {file} is not UTF-8")))?;
        let json = json(file, text)?;
        let json = match &last_modified {
            Some(moment) => json.with_member(VALIDATOR, moment),
            None => json,
        };
        // A document that isn't understood isn't cached. Composer requests it once more, and may
        // have something to say of it that it doesn't say of a copy.
        let outline = outline(file, json.clone())?;
        let path = self.cache_path(file).filter(|_| self.cache_writable);
        let identity = path.and_then(|path| {
            let _ = path.parent().map(fs::create_dir_all);
            let file = place_atomically(&path, json.as_str().as_bytes()).ok()?;
            Some(Identity::from(&fstat(&file).ok()?))
        });
        let text = match identity {
            Some(identity) => Text::Cached(Cached {
                identity,
                last_modified,
                // Nobody else has opened this file.
                is_settled: true,
                is_known: false,
            }),
            None => Text::Kept(json.into_string().into()),
        };
        Ok(Sheet { outline, text })
    }

    /// Returns a version as the repository would give it.
    pub fn whole(&self, place: &MetadataPlace, sheet: &Sheet) -> Result<String, Stop> {
        let file = &place.file;
        let unclear = |what: &str| Stop::Unclear(format!("{file}: {what}"));
        let outline = sheet.outline.as_ref();
        let outline = outline.ok_or_else(|| unclear("a package is gone"))?;
        let whole = match &sheet.text {
            Text::Kept(text) => outline.whole(place.entry, text),
            Text::Missing => return Err(unclear("a package is gone")),
            Text::Cached(cached) => {
                let changed = || unclear("somebody has changed it in Composer's cache");
                let path = self.cache_path(file).ok_or_else(changed)?;
                let needed = outline.needs(place.entry);
                if let Some(text) = beginning(&path, &cached.identity, needed) {
                    outline.whole(place.entry, &text)
                } else {
                    // Another run may have written the same content.
                    let (text, _) = read(&path).ok_or_else(changed)?;
                    let now = self::outline(file, json(file, text.clone())?)?;
                    if now.as_ref() != Some(outline) {
                        return Err(changed());
                    }
                    outline.whole(place.entry, &text)
                }
            }
        };
        whole.map_err(|error| unclear(&error.0))
    }

    /// Records the sheets of this run. `None` stands for a file that the repository doesn't have.
    pub fn keep<'a>(&self, sheets: impl Iterator<Item = (&'a str, Option<&'a Sheet>)>) {
        let mut is_new = false;
        let mut list = Vec::new();
        let mut missing = Vec::new();
        for (file, sheet) in sheets {
            let Some(sheet) = sheet else {
                is_new |= !self.outlines.is_missing(file);
                missing.push(file);
                continue;
            };
            if let Text::Cached(cached) = &sheet.text
                && let (Some(outline), Some(last_modified)) =
                    (&sheet.outline, &cached.last_modified)
                && cached.is_settled
            {
                is_new |= !cached.is_known;
                list.push(KnownOutline {
                    file,
                    identity: cached.identity,
                    last_modified,
                    outline,
                });
            }
        }
        if is_new {
            self.outlines.keep(&list, &missing);
        }
    }
}

/// Returns the name of a file in Composer's cache: `provider-vendor~name.json`, other characters as
/// `-`.
fn cache_name(file: &str) -> String {
    let characters = file.chars().map(|one| match one {
        '/' => '~',
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '$' | '~' | '_' => one,
        _ => '-',
    });
    let mut name = "provider-".to_owned();
    name.extend(characters);
    name.push_str(".json");
    name
}

/// Returns the name of the package whose metadata Composer keeps under a file name.
fn cached_name(file: &str) -> Option<String> {
    let name = file.strip_prefix("provider-")?.strip_suffix(".json")?;
    let name = name.strip_suffix("~dev").unwrap_or(name);
    let (vendor, rest) = name.split_once('~')?;
    let is_name = !vendor.is_empty() && !rest.is_empty() && !rest.contains('~');
    is_name.then(|| format!("{vendor}/{rest}"))
}

/// Reads a file with its identity.
fn read(path: &Path) -> Option<(String, Identity)> {
    let mut file = File::open(path).ok()?;
    let identity = Identity::from(&fstat(&file).ok()?);
    let mut text = String::with_capacity(usize::try_from(identity.size).ok()? + 1);
    file.read_to_string(&mut text).ok()?;
    Some((text, identity))
}

/// Returns the first bytes of a file, if it has this identity.
fn beginning(path: &Path, identity: &Identity, length: usize) -> Option<String> {
    let file = File::open(path).ok()?;
    if Identity::from(&fstat(&file).ok()?) != *identity {
        return None;
    }
    let mut text = vec![0; length];
    file.read_exact_at(&mut text, 0).ok()?;
    String::from_utf8(text).ok()
}

fn package_of(file: &str) -> &str {
    file.strip_suffix("~dev").unwrap_or(file)
}

/// Checks that Composer reads a document as this code does, and returns it.
fn json(file: &str, text: String) -> Result<PhpJson, Stop> {
    PhpJson::of(text).map_err(|what| Stop::Unclear(format!("{file}: {what}")))
}

fn outline(file: &str, json: PhpJson) -> Result<Option<Arc<Outline>>, Stop> {
    let read = || {
        let versions = Versions::read(json, package_of(file))?;
        versions.as_ref().map(Outline::of).transpose()
    };
    match read() {
        Ok(outline) => Ok(outline.map(Arc::new)),
        Err(unclear) => Err(Stop::Unclear(format!("{file}: {}", unclear.0))),
    }
}

/// The name of the last member of a cached file, in which Composer keeps the validator.
const VALIDATOR: &str = "last-modified";

fn validator(text: &str) -> Option<String> {
    let body = text.trim_end().strip_suffix('}')?.trim_end();
    let key = format!("\"{VALIDATOR}\":");
    let (before, value) = body.rsplit_once(&key)?;
    // Behind a backslash, the quote is a part of a longer key.
    let value = value.trim();
    (!before.ends_with('\\')).then(|| serde_json::from_str(value).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_files_tell_names() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let source = |dir: Option<&Path>| {
            let about = serde_json::json!({ "url": "http://localhost/", "cache_dir": dir });
            Source::of(serde_json::from_value(about).expect("a source"), None)
        };
        for file in [
            "provider-a~one.json",
            "provider-a~two~dev.json",
            "provider-a~two.json",
            "packages.json",
            "provider-x.json",
            "provider-~x.json",
            "provider-a~three.json~",
        ] {
            fs::write(dir.path().join(file), "{}").expect("written");
        }
        let mut names = source(Some(dir.path())).names();
        names.sort();
        assert_eq!(names, ["a/one", "a/two", "a/two"]);
        assert_eq!(source(Some(&dir.path().join("none"))).names(), [""; 0]);
        assert_eq!(source(None).names(), [""; 0]);
    }

    #[test]
    fn versions_are_read_from_the_file_that_counts() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let about = serde_json::json!({
            "url": "http://localhost/p2/%package%.json",
            "cache_dir": dir.path(),
            "cache_writable": true,
        });
        let about: ResolveSource = serde_json::from_value(about).expect("a source");
        let source = Source::of(about.clone(), None);
        let body = r#"{"packages":{"a/a":[{"version":"1.0","description":"one"}]}}"#;
        let sheet = source
            .received("a/a", body.into(), Some("then".to_owned()))
            .expect("understood");
        let place = MetadataPlace {
            repository: 0,
            file: "a/a".to_owned(),
            entry: 0,
        };
        let whole = || source.whole(&place, &sheet);
        let expected = Ok(r#"{"version":"1.0","description":"one"}"#.to_owned());
        assert_eq!(whole(), expected);
        let path = dir.path().join("provider-a~a.json");
        let text = fs::read_to_string(&path).expect("it is in the cache");
        assert_eq!(validator(&text).as_deref(), Some("then"));
        // Another run has written the same file.
        place_atomically(&path, text.as_bytes()).expect("written");
        assert_eq!(whole(), expected);
        place_atomically(&path, text.replace("1.0", "1.1").as_bytes()).expect("written");
        assert!(matches!(whole(), Err(Stop::Unclear(_))));
        fs::remove_file(&path).expect("removed");
        assert!(matches!(whole(), Err(Stop::Unclear(_))));
        // Without a cache, the text is kept in memory.
        let source = Source::of(
            ResolveSource {
                cache_dir: None,
                ..about
            },
            None,
        );
        let sheet = source
            .received("a/a", body.into(), None)
            .expect("understood");
        assert_eq!(source.whole(&place, &sheet), expected);
    }
}
