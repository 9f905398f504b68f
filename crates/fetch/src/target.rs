//! Represents one hop of a request: its URL, and which secrets may be sent to it.

use reqwest::Url;

use super::error::FetchError;
use allegro_base::redact::redact;

/// User name and optional password from a URL's user information.
pub(super) type BasicAuth = (String, Option<String>);

/// The destination of the next GET.
pub(super) struct Target {
    /// URL without user information or fragment.
    pub url: Url,
    /// Credentials from the URL's user information. They are never shown.
    pub auth: Option<BasicAuth>,
    /// Whether this hop, and all hops before it, are at the request's own origin. Only then are the
    /// request's own headers sent.
    pub trusted: bool,
}

impl Target {
    /// Parses the URL of the first hop.
    pub fn parse(url: &str) -> Result<Self, FetchError> {
        let parsed = Url::parse(url).map_err(|error| FetchError::BadUrl {
            url: redact(url),
            reason: error.to_string(),
        })?;
        Self::new(parsed, true)
    }

    /// Returns the hop that a `Location` header asks for.
    pub fn follow(&self, location: &str, secure_http: bool) -> Result<Self, FetchError> {
        let next = self
            .url
            .join(location)
            .map_err(|error| FetchError::BadUrl {
                url: redact(location),
                reason: format!("bad redirect: {error}"),
            })?;
        if next.scheme() == "http" && secure_http {
            return Err(FetchError::InsecureRedirect {
                from: self.shown(),
                to: redact(next.as_str()),
            });
        }
        let same = same_origin(&self.url, &next);
        let mut next = Self::new(next, self.trusted && same)?;
        if same && next.auth.is_none() {
            next.auth.clone_from(&self.auth);
        }
        Ok(next)
    }

    /// Returns the redacted URL for messages.
    pub fn shown(&self) -> String {
        redact(self.url.as_str())
    }

    /// Returns whether the hop uses TLS.
    pub fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Returns scheme, host and port as one word.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    fn new(mut url: Url, trusted: bool) -> Result<Self, FetchError> {
        let bad = |url: &Url, reason: &str| FetchError::BadUrl {
            url: redact(url.as_str()),
            reason: reason.to_owned(),
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad(&url, "neither http nor https"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(bad(&url, "no host"));
        }
        let auth = (!url.username().is_empty() || url.password().is_some()).then(|| {
            (
                percent_decode(url.username()),
                url.password().map(percent_decode),
            )
        });
        // Both calls only fail for URLs without a host.
        if url.set_username("").is_err() || url.set_password(None).is_err() {
            return Err(bad(&url, "no host"));
        }
        url.set_fragment(None);
        Ok(Self { url, auth, trusted })
    }
}

/// Returns whether two URLs have the same scheme, host and port.
fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Decodes `%41` and the like. A `%` without two hex digits stays unchanged.
pub(super) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|pair| Some((hex_digit(pair[0])?, hex_digit(pair[1])?)));
        if let Some((high, low)) = digits {
            decoded.push(high << 4 | low);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn follow(from: &str, location: &str) -> Result<Target, FetchError> {
        Target::parse(from)?.follow(location, true)
    }

    #[test]
    fn credentials_stay_at_their_origin() {
        let table = [
            ("https://u:p@a/x", "/y", true),
            ("https://u:p@a/x", "https://a:443/y", true),
            ("https://u:p@a/x", "https://A/y", true),
            ("https://u:p@a/x", "https://a:444/y", false),
            ("https://u:p@a/x", "https://b/y", false),
            ("https://u:p@a/x", "//b/y", false),
            ("https://u:p@a/x", "https://a.b/y", false),
            ("http://u:p@a/x", "https://a/y", false),
        ];
        for (from, location, kept) in table {
            let next = follow(from, location).unwrap();
            assert_eq!(next.trusted, kept, "{from} -> {location}");
            assert_eq!(next.auth.is_some(), kept, "{from} -> {location}");
        }
    }

    #[test]
    fn trust_does_not_come_back() {
        let away = follow("https://u:p@a/x", "https://b/y").unwrap();
        for location in ["https://a/z", "/z", "https://b/z"] {
            let next = away.follow(location, true).unwrap();
            assert!(!next.trusted, "{location}");
            assert!(next.auth.is_none(), "{location}");
        }
    }

    #[test]
    fn only_http_is_followed() {
        assert!(matches!(
            follow("https://a/x", "ftp://a/x"),
            Err(FetchError::BadUrl { .. })
        ));
        assert!(matches!(
            follow("https://a/x", "file:///etc/passwd"),
            Err(FetchError::BadUrl { .. })
        ));
        assert!(matches!(
            follow("https://a/x", "http://a/x"),
            Err(FetchError::InsecureRedirect { .. })
        ));
        assert!(matches!(
            follow("https://a/x", "https://"),
            Err(FetchError::BadUrl { .. })
        ));
        assert!(matches!(
            Target::parse("ftp://a/x"),
            Err(FetchError::BadUrl { .. })
        ));
        assert!(
            Target::parse("http://a/x")
                .unwrap()
                .follow("http://a/y", false)
                .is_ok()
        );
    }

    #[test]
    fn user_information_is_decoded_and_taken_out() {
        let target = Target::parse("https://us%40er:p%2Fw%zz@host/x#part").unwrap();
        assert_eq!(
            target.auth,
            Some(("us@er".to_owned(), Some("p/w%zz".to_owned())))
        );
        assert_eq!(target.url.as_str(), "https://host/x");
    }
}
