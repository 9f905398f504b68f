//! Sends short reports whose answers are ignored, and questions whose answers are short.

use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use reqwest::Response;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use tokio::time::timeout;

use super::client::Clients;
use super::download::header_map;
use super::error::FetchError;
use super::target::Target;
use super::{Fetcher, Proxies, proxy, runtime};
use allegro_base::redact::redact;

/// Most reports that are under way at once, as many as Composer's transfers.
const MOST_POSTS: usize = 12;

/// A report for a server.
#[derive(Clone, Default)]
pub struct Post {
    /// URL that gets the report, http or https.
    pub url: String,
    /// Extra headers, treated as secret: no longer sent once a redirect has left the origin.
    pub headers: Vec<(String, String)>,
    /// Value of the `Content-Type` header.
    pub content_type: String,
    /// Text of the report.
    pub body: Vec<u8>,
    /// Time limit for the request with all its redirects.
    pub timeout: Duration,
    /// Proxies for the request. Those of the environment are not used.
    pub proxies: Proxies,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post")
            .field("url", &redact(&self.url))
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Fetcher {
    /// Sends reports, and returns the status of each answer that came. Nothing is retried, and an
    /// error is the sender's own affair.
    ///
    /// The call returns after `limit` at the latest. A report that is under way then is given up.
    /// Redirects are followed with the same report, as Composer does.
    pub fn post(&self, posts: &[Post], limit: Duration) -> Vec<Option<u16>> {
        let mut statuses = vec![None; posts.len()];
        if posts.is_empty() {
            return statuses;
        }
        let Ok(runtime) = runtime() else {
            return statuses;
        };
        // The clients go before the runtime, because they keep tasks of it alive.
        let clients = Clients::new(&self.options, &self.trust, &self.names);
        runtime.block_on(async {
            let mut answers = stream::iter(posts.iter().enumerate())
                .map(|(at, post)| {
                    let clients = &clients;
                    async move {
                        let sent = timeout(post.timeout, self.post_one(clients, post)).await;
                        (at, sent.ok().and_then(Result::ok))
                    }
                })
                .buffer_unordered(MOST_POSTS);
            let all = async {
                while let Some((at, status)) = answers.next().await {
                    statuses[at] = status;
                }
            };
            let _ = timeout(limit, all).await;
        });
        drop(clients);
        statuses
    }

    /// Sends a question, and returns the body of the answer. Nothing is retried. Returns `None`
    /// without an answer of status 200 in time, and for a body that is longer than `most` bytes.
    pub fn question(&self, post: &Post, most: usize) -> Option<Vec<u8>> {
        let runtime = runtime().ok()?;
        let clients = Clients::new(&self.options, &self.trust, &self.names);
        let answer = runtime.block_on(async {
            let body = async {
                let mut response = self.answer(&clients, post).await.ok()?;
                if response.status().as_u16() != 200 {
                    return None;
                }
                let mut body = Vec::new();
                while let Some(chunk) = response.chunk().await.ok()? {
                    if body.len() + chunk.len() > most {
                        return None;
                    }
                    body.extend_from_slice(&chunk);
                }
                Some(body)
            };
            timeout(post.timeout, body).await.ok()?
        });
        drop(clients);
        answer
    }

    /// Sends a report, and returns the status of the last answer.
    async fn post_one(&self, clients: &Clients<'_>, post: &Post) -> Result<u16, FetchError> {
        let response = self.answer(clients, post).await?;
        Ok(response.status().as_u16())
    }

    /// Sends a report, and waits for the head of the last answer.
    async fn answer(&self, clients: &Clients<'_>, post: &Post) -> Result<Response, FetchError> {
        let own = header_map(&post.url, &post.headers)?;
        let kind =
            HeaderValue::from_str(&post.content_type).map_err(|_| FetchError::BadHeader {
                url: redact(&post.url),
                name: CONTENT_TYPE.as_str().to_owned(),
            })?;
        let mut target = Target::parse(&post.url)?;
        let mut followed = 0;
        loop {
            let proxy = proxy::of(&post.proxies, &target.url);
            let client = clients.get(proxy, target.is_secure(), None, || target.shown())?;
            let mut headers = if target.trusted {
                own.clone()
            } else {
                HeaderMap::new()
            };
            headers.insert(CONTENT_TYPE, kind.clone());
            let mut builder = client
                .post(target.url.clone())
                .headers(headers)
                .body(post.body.clone());
            if let Some((user, password)) = &target.auth
                && !own.contains_key(AUTHORIZATION)
            {
                builder = builder.basic_auth(user, password.as_ref());
            }
            let response = builder
                .send()
                .await
                .map_err(|error| FetchError::from_client(error, &target.shown()))?;
            let status = response.status();
            let location = response.headers().get(LOCATION);
            match location {
                Some(location) if status.is_redirection() && status.as_u16() != 304 => {
                    if followed == self.options.max_redirects {
                        return Ok(response);
                    }
                    followed += 1;
                    let location = String::from_utf8_lossy(location.as_bytes());
                    target = target.follow(&location, self.options.secure_http)?;
                }
                _ => return Ok(response),
            }
        }
    }
}
