//! Asks for packages as the plugin does (`Install\PackageRequests` and `Network\Sources`).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use allegro_base::hex::hex;
use allegro_base::threads;
use allegro_composer::Unfamiliar;
use allegro_composer::access::{Access, DistUrl};
use allegro_composer::dialect::Dialect;
use allegro_composer::operation_text::full_pretty_version;
use allegro_composer::package::{Package, Place};
use sha2::{Digest as _, Sha256};

use super::project::Project;
use super::sharing::Sharing;
use crate::protocol::dist::Dist;
use crate::protocol::prepare::{FetchInfo, PackageRequest};

/// Makes requests for packages.
pub struct Requests<'a> {
    /// Project that gets the packages.
    pub project: &'a Project,
    /// Access to archives.
    pub access: &'a mut Access,
    /// Decision on shared files.
    pub sharing: &'a Sharing,
    /// Whether Composer would unpack with `ZipArchive`.
    pub plain_modes: bool,
    /// Whether nothing may be downloaded.
    pub is_offline: bool,
    /// Reasons why packages can't be downloaded natively, should they not be at hand.
    pub objections: Vec<String>,
    /// Warnings that Composer gives when it downloads a package, by the package's id.
    pub warnings: Vec<(usize, String)>,
}

/// A request without a download.
struct Bare {
    request: PackageRequest,
    /// First URL of the archive.
    url: DistUrl,
    /// Number of URLs.
    count: usize,
    /// Whether Composer's cache has the archive.
    is_at_hand: bool,
}

impl Requests<'_> {
    /// Returns the request for a package. Only archives that are not at hand are downloaded.
    pub fn of(&mut self, id: usize, package: &Package) -> Result<PackageRequest, Unfamiliar> {
        let bare = self.bare(id, package)?;
        Ok(self.complete(package, bare))
    }

    /// Returns the requests for packages, whose ids are their places.
    pub fn all(&mut self, packages: &[&Package]) -> Result<Vec<PackageRequest>, Unfamiliar> {
        let numbered: Vec<(usize, &Package)> = packages.iter().copied().enumerate().collect();
        let this = &*self;
        let bare = threads::map(
            &numbered,
            || (),
            |(), (id, package)| this.bare(*id, package),
        );
        // Credentials and warnings depend on the order of the requests.
        let pairs = packages.iter().zip(bare);
        pairs
            .map(|(package, bare)| Ok(self.complete(package, bare?)))
            .collect()
    }

    /// Returns the request without a download.
    fn bare(&self, id: usize, package: &Package) -> Result<Bare, Unfamiliar> {
        let urls = self.access.dist_urls(package)?;
        let count = urls.len();
        let (Some(url), Some(place)) = (urls.into_iter().next(), &package.dist) else {
            return Err(Unfamiliar(format!("{} has no archive", package.name)));
        };
        let is_http = ["http://", "https://"]
            .iter()
            .any(|scheme| url.base.to_ascii_lowercase().starts_with(scheme));
        if !is_http {
            return Err(Unfamiliar(format!(
                "{} is not fetched by HTTP",
                package.name
            )));
        }
        let archives = self.project.settings.archives.as_ref();
        let archive = archives.map(|archives| archives.path(&url));
        let has_archive = archive
            .as_deref()
            .is_some_and(|path| Path::new(path).is_file());
        let mut use_store = archive.is_some();
        let mut key = None;
        if !is_named(place, &url.processed) {
            // Only the archive itself can tell which content the store must have.
            let sum = archive
                .as_deref()
                .and_then(|path| sha256_of(Path::new(path)).ok());
            use_store = use_store && sum.is_some();
            key = Some(format!(" {}", sum.unwrap_or_default()));
        }
        let request = PackageRequest {
            id,
            name: package.name.clone(),
            version: full_pretty_version(package, Dialect::default()),
            dist: dist_of(package, place, &url, key),
            path: Some(self.project.path_of(package)),
            archive: archive.map(Into::into),
            archive_writable: archives.is_some_and(|archives| archives.is_writable),
            use_store,
            want_archive: false,
            fetch: None,
            private: !self.sharing.may_share(package),
            bins: package.bins.clone(),
            shares_bins: true,
            stage: None,
            plain_modes: self.plain_modes && place.kind == "zip",
        };
        Ok(Bare {
            request,
            url,
            count,
            is_at_hand: has_archive && use_store,
        })
    }

    /// Adds the download to a request, if it may be needed.
    fn complete(&mut self, package: &Package, bare: Bare) -> PackageRequest {
        let mut request = bare.request;
        if !self.is_offline && !bare.is_at_hand {
            match self.fetch(request.id, package, &bare.url, bare.count) {
                Ok(fetch) => request.fetch = Some(fetch),
                Err(Unfamiliar(reason)) => self.objections.push(reason),
            }
        }
        request
    }

    /// Returns how to download a package. A package with mirrors is Composer's to try them all.
    fn fetch(
        &mut self,
        id: usize,
        package: &Package,
        url: &DistUrl,
        count: usize,
    ) -> Result<FetchInfo, Unfamiliar> {
        if count > 1 {
            return Err(Unfamiliar(format!("{} has mirrors", package.name)));
        }
        let options = package.entry.get("transport-options");
        let request = self.access.request(&url.processed, options)?;
        self.warnings
            .extend(request.warning.map(|warning| (id, warning)));
        Ok(FetchInfo {
            url: request.url,
            headers: request.headers,
            tls: None,
        })
    }
}

fn dist_of(package: &Package, place: &Place, url: &DistUrl, key: Option<String>) -> Dist {
    Dist {
        name: package.name.clone(),
        kind: place.kind.to_lowercase(),
        url: url.processed.clone(),
        reference: place.reference.clone(),
        shasum: place.shasum.clone().filter(|sum| !sum.is_empty()),
        custom_cache_key: key,
    }
}

/// Returns whether other content would have another checksum or another URL. A checksum fixes the
/// content, and so does a commit id in the URL.
fn is_named(place: &Place, url: &str) -> bool {
    let reference = place.reference.as_deref().unwrap_or_default();
    let is_commit = matches!(reference.len(), 40 | 64)
        && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
    place.shasum.as_deref().is_some_and(|sum| !sum.is_empty())
        || is_commit && url.to_lowercase().contains(&reference.to_lowercase())
}

fn sha256_of(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&digest.finalize())),
            length => digest.update(&buffer[..length]),
        }
    }
}
