//! URLs of a package's archive and its mirrors.

use std::borrow::Cow;

use md5::{Digest as _, Md5};

use crate::json::Json;
use crate::package::{Package, Place};
use crate::unfamiliar::Unfamiliar;

/// Returns the URLs of a package's archive in the order in which Composer tries them
/// (`Package::getDistUrls`, composer 2.10.2).
pub fn dist_urls(package: &Package) -> Result<Vec<String>, Unfamiliar> {
    let Some(dist) = &package.dist else {
        return Ok(Vec::new());
    };
    if dist.url.is_empty() || dist.url == "0" {
        return Ok(Vec::new());
    }
    let mut urls = vec![if dist.url.contains('%') {
        processed(&dist.url, package, dist)?
    } else {
        dist.url.clone()
    }];
    let mirrors = match &dist.mirrors {
        Json::Null => &[][..],
        Json::Array(mirrors) => mirrors,
        _ => return Err(Unfamiliar("the mirrors are no list".to_owned())),
    };
    for mirror in mirrors {
        let (Some(url), Some(Json::Bool(is_preferred))) =
            (mirror.str_at("url"), mirror.get("preferred"))
        else {
            return Err(Unfamiliar("a mirror is unusual".to_owned()));
        };
        let url = processed(url, package, dist)?;
        if !urls.contains(&url) {
            urls.insert(if *is_preferred { 0 } else { urls.len() }, url);
        }
    }
    Ok(urls)
}

/// Replaces the placeholders of a URL (`ComposerMirror::processUrl`, composer 2.10.2).
fn processed(url: &str, package: &Package, dist: &Place) -> Result<String, Unfamiliar> {
    let is_hex = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let reference = match dist.reference.as_deref().unwrap_or_default() {
        text if text.ends_with('\n') => {
            return Err(Unfamiliar("a reference ends with a newline".to_owned()));
        }
        text if is_hex(text) || text == "%reference%" => Cow::Borrowed(text),
        text => Cow::Owned(hashed(text)),
    };
    let version = match &*package.version {
        text if text.contains('/') => Cow::Owned(hashed(text)),
        text => Cow::Borrowed(text),
    };
    let url = url
        .replace("%package%", &package.name)
        .replace("%version%", &version)
        .replace("%reference%", &reference)
        .replace("%type%", &dist.kind)
        .replace("%prettyVersion%", &package.pretty_version);
    if url.is_empty() {
        return Err(Unfamiliar("the URL of an archive is empty".to_owned()));
    }
    Ok(url)
}

fn hashed(text: &str) -> String {
    allegro_base::hex::hex(&Md5::digest(text.as_bytes()))
}
