//! Checks whether a request may read a path, and finds out what kind of credentials it carried.

use hyper::HeaderMap;

use crate::glob;

/// Headers that carry credentials for the hosts that Composer knows.
const CREDENTIAL_HEADERS: [&str; 6] = [
    "authorization",
    "private-token",
    "job-token",
    "x-api-key",
    "proxy-authorization",
    "cookie",
];

/// The credentials that a request has to bring.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// An `Authorization: Basic …` header.
    Basic {
        /// Name of the user.
        user: String,
        /// Password of the user.
        password: String,
    },
    /// An `Authorization: Bearer …` header.
    Bearer(String),
    /// Any header with this value, such as GitLab's `PRIVATE-TOKEN`.
    Header {
        /// Name of the header.
        name: String,
        /// Value of the header.
        value: String,
    },
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
            Self::Header { .. } => "Header(…)",
        })
    }
}

/// Credentials, and the status of the answer for requests without them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Credentials that are required.
    pub credentials: Credentials,
    /// Status without them: 401, or the 403 and 404 with which hosts hide what exists.
    pub status: u16,
}

/// Paths that need credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthRule {
    /// Pattern of the paths, in which `*` matches any text.
    pub path: String,
    /// Credentials that these paths need.
    pub auth: Auth,
}

impl AuthRule {
    /// Requires these credentials for matching paths, with status 401 for other requests.
    pub fn new(path: impl Into<String>, credentials: Credentials) -> Self {
        Self {
            path: path.into(),
            auth: Auth {
                credentials,
                status: 401,
            },
        }
    }

    /// Returns the status and `WWW-Authenticate` challenge for a request that may not pass.
    pub(super) fn refusal(&self, path: &str, headers: &HeaderMap) -> Option<(u16, &'static str)> {
        if !glob::matches(&self.path, path) {
            return None;
        }
        let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let passes = match &self.auth.credentials {
            Credentials::Basic { user, password } => {
                given("authorization").and_then(|value| value.strip_prefix("Basic "))
                    == Some(base64(format!("{user}:{password}").as_bytes()).as_str())
            }
            Credentials::Bearer(token) => {
                given("authorization").and_then(|value| value.strip_prefix("Bearer "))
                    == Some(token)
            }
            Credentials::Header { name, value } => given(name) == Some(value),
        };
        let challenge = match self.auth.credentials {
            Credentials::Basic { .. } => "Basic realm=\"registry\"",
            Credentials::Bearer(_) | Credentials::Header { .. } => "Bearer realm=\"registry\"",
        };
        (!passes).then_some((self.auth.status, challenge))
    }
}

/// Returns the kind of credentials that a request carries.
pub(super) fn kind(headers: &HeaderMap, rules: &[AuthRule]) -> Option<String> {
    if let Some(value) = headers.get("authorization") {
        let scheme = value
            .to_str()
            .unwrap_or_default()
            .split(' ')
            .next()
            .unwrap_or_default();
        return Some(match scheme.to_ascii_lowercase().as_str() {
            known @ ("basic" | "bearer" | "token") => known.to_owned(),
            // The header may have no scheme but only the secret itself.
            _ => "authorization".to_owned(),
        });
    }
    let asked = rules
        .iter()
        .filter_map(|rule| match &rule.auth.credentials {
            Credentials::Header { name, .. } => Some(name.as_str()),
            _ => None,
        });
    CREDENTIAL_HEADERS
        .into_iter()
        .chain(asked)
        .find(|name| headers.contains_key(*name))
        .map(str::to_ascii_lowercase)
}

pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            if digit <= chunk.len() {
                text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_pads() {
        assert_eq!(base64(b"user:pass"), "dXNlcjpwYXNz");
        assert_eq!(base64(b"a:b1"), "YTpiMQ==");
        assert_eq!(base64(b"a:b12"), "YTpiMTI=");
    }
}
