//! Reads `packages.json`, the root file of a repository (`ComposerRepository::loadRootServerFile`,
//! composer 2.10.2).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use allegro_base::fs::place_atomically;
use allegro_composer::Unfamiliar;
use allegro_composer::access::Request;
use allegro_composer::json::{Json, PhpJson};
use allegro_fetch::{Document, DocumentRequest, Errand, Fetcher, Queue};
use parking_lot::Mutex;

use crate::ops::http::{fetch_options, headers};
use crate::protocol::http::HttpOptions;
use crate::settings::Settings;

/// The name of the file in Composer's cache.
const NAME: &str = "packages.json";

/// The member of the cached file in which Composer keeps the time of the last change.
const VALIDATOR: &str = "last-modified";

/// The age up to which Composer believes the cached file where it only looks for advisories
/// (`ComposerRepository::hasSecurityAdvisories`).
const RECENT: Duration = Duration::from_secs(600);

/// A root file that is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Request for the file.
    pub request: Request,
    /// The repository's directory in Composer's cache; `None` if the cache is off.
    pub cache: Option<PathBuf>,
    /// Whether the cache may be written.
    pub is_writable: bool,
}

impl Wanted {
    /// Returns whether the cached file is recent enough to be believed without a request.
    pub fn is_recent(&self) -> bool {
        let file = self.cache.as_ref().map(|cache| cache.join(NAME));
        let changed = file.and_then(|file| fs::metadata(file).ok()?.modified().ok());
        changed.is_some_and(|changed| changed.elapsed().is_ok_and(|age| age <= RECENT))
    }
}

/// Returns the root files of repositories, from Composer's cache if the servers confirm them.
pub fn fetch(
    wanted: &[Wanted],
    settings: &Settings,
    http: &HttpOptions,
) -> Result<Vec<Json>, Unfamiliar> {
    let unclear = |error: &dyn std::fmt::Display| Unfamiliar(error.to_string());
    let fetcher = Fetcher::new(fetch_options(settings, http)).map_err(|error| unclear(&error))?;
    let documents = fetcher.documents().map_err(|error| unclear(&error))?;
    let queue = Queue::default();
    let errands: Vec<Asking> = wanted
        .iter()
        .map(|wanted| Asking {
            request: allegro_fetch::Request {
                url: wanted.request.url.clone(),
                headers: headers(&wanted.request.headers),
                proxies: http.proxies.clone(),
                ..allegro_fetch::Request::default()
            },
            cached: wanted.cache.as_deref().and_then(cached),
        })
        .collect();
    queue.extend(errands);
    queue.close();
    let answers = Mutex::new(vec![None; wanted.len()]);
    documents.run(&queue, &|| false, &|at, result| {
        let read = match result {
            Ok(read) => read,
            Err(error) => Err(Unfamiliar(format!("a repository can't be read: {error}"))),
        };
        if let Some(place) = answers.lock().get_mut(at) {
            *place = Some(read);
        }
    });
    let answers = answers.into_inner().into_iter().zip(wanted);
    answers
        .map(|(answer, wanted)| {
            let gone = || Unfamiliar("a repository gives no answer".to_owned());
            let Answer { text, is_new } = answer.ok_or_else(gone)??;
            let json = Json::read(NAME, text.as_str())?;
            if is_new
                && wanted.is_writable
                && let Some(cache) = &wanted.cache
            {
                // A failure is silent, as in Composer.
                let _ = place_atomically(&cache.join(NAME), text.as_str().as_bytes());
            }
            Ok(json)
        })
        .collect()
}

/// A root file, and whether the server has sent it in this run.
#[derive(Clone)]
struct Answer {
    text: PhpJson,
    is_new: bool,
}

/// A request for a root file. The cached file serves if the server confirms it.
struct Asking {
    request: allegro_fetch::Request,
    cached: Option<(PhpJson, String)>,
}

impl Errand for Asking {
    type Result = Result<Answer, Unfamiliar>;

    fn request(&mut self) -> DocumentRequest {
        DocumentRequest {
            request: self.request.clone(),
            since: self.cached.as_ref().map(|(_, since)| since.clone()),
        }
    }

    fn is_awaited(&self) -> bool {
        true
    }

    fn done(self, document: Document) -> Self::Result {
        let Document::Body {
            text,
            last_modified,
        } = document
        else {
            let cached = self.cached.filter(|_| document == Document::Unchanged);
            let (text, _) =
                cached.ok_or_else(|| Unfamiliar("a repository has no packages.json".to_owned()))?;
            return Ok(Answer {
                text,
                is_new: false,
            });
        };
        let unusual = || Unfamiliar("the packages.json of a repository is unusual".to_owned());
        let text = String::from_utf8(text).map_err(|_| unusual())?;
        let text = PhpJson::of(text).map_err(|_| unusual())?;
        let text = match last_modified {
            Some(moment) => text.with_member(VALIDATOR, &moment),
            None => text,
        };
        Ok(Answer { text, is_new: true })
    }
}

/// Returns the cached file with its validator.
fn cached(cache: &Path) -> Option<(PhpJson, String)> {
    let text = PhpJson::of(fs::read_to_string(cache.join(NAME)).ok()?).ok()?;
    let json = Json::parse(text.as_str()).ok()?;
    let since = json.str_at(VALIDATOR)?.to_owned();
    Some((text, since))
}
