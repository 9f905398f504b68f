//! Answers one request.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::State;
use super::auth;
use super::body::{End, Limiter, ReplyBody};
use super::connection::Connection;
use super::fault::{Fault, Redirect};
use super::log::LogEntry;
use crate::archive::Format;
use crate::catalog::Package;
use crate::json::Json;
use crate::project::{NOTIFY, dist_url, localize_notification};

/// The start of redirected paths: `/_redirected/HOPS/real/path`.
const REDIRECTED: &str = "/_redirected/";
/// The greatest size of a posted body, which is more than Composer reports for ten thousand
/// packages.
const MAX_POSTED: usize = 4 << 20;
/// The date of all metadata, which doesn't change, as the metadata of a catalog doesn't.
const LAST_MODIFIED: &str = "Mon, 01 Jan 2024 00:00:00 GMT";

const PAGE: &[u8] =
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form><input name=\"user\">\
    <input name=\"password\" type=\"password\"></form></body></html>\n";

/// An answer before faults change its body.
struct Reply {
    status: u16,
    headers: Vec<(header::HeaderName, String)>,
    body: Bytes,
}

impl Reply {
    fn new(status: u16, kind: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![(header::CONTENT_TYPE, kind.to_owned())],
            body: body.into(),
        }
    }

    fn text(status: u16, text: &str) -> Self {
        Self::new(status, "text/plain", format!("{text}\n"))
    }

    fn redirect(to: String) -> Self {
        let mut reply = Self::text(302, "moved");
        reply.headers.push((header::LOCATION, to));
        reply
    }
}

pub(super) async fn answer(
    state: Arc<State>,
    connection: Arc<Connection>,
    mut request: Request<Incoming>,
) -> Response<ReplyBody> {
    let path = request.uri().path().to_owned();
    let ticket = {
        let auth = auth::kind(request.headers(), &state.auth.read());
        let now = state.counters.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        state
            .counters
            .max_in_flight
            .fetch_max(now, Ordering::Relaxed);
        let counted = Arc::clone(&state);
        let done = move || {
            counted.counters.in_flight.fetch_sub(1, Ordering::Relaxed);
        };
        state.log.open(log_entry(&request, auth, &connection), done)
    };

    if request.method() == Method::POST
        && let Ok(body) = Limited::new(request.body_mut(), MAX_POSTED).collect().await
    {
        ticket.posted(String::from_utf8_lossy(&body.to_bytes()).into_owned());
    }
    let faults = state.rules.read().take(&path);
    let mut latency = state.latency;
    let mut limiters: Vec<Arc<Limiter>> = connection
        .limiter
        .iter()
        .chain(&state.total)
        .cloned()
        .collect();
    for fault in &faults {
        match fault {
            Fault::Latency(more) => latency += *more,
            Fault::Bandwidth(rate) => limiters.push(Arc::new(Limiter::new(*rate))),
            _ => {}
        }
    }
    if latency > Duration::ZERO {
        tokio::time::sleep(latency).await;
    }

    let refusal = {
        let rules = state.auth.read();
        rules
            .iter()
            .find_map(|rule| rule.refusal(&path, request.headers()))
    };
    let mut end = End::Whole;
    let mut head_only = request.method() == Method::HEAD;
    let mut announced = None;
    let reply = match refusal {
        Some((status, challenge)) => {
            let mut reply = Reply::text(status, "credentials needed");
            if status == 401 {
                reply
                    .headers
                    .push((header::WWW_AUTHENTICATE, challenge.to_owned()));
            }
            reply
        }
        None => {
            if let Some(reply) = early(&faults, &state, &path, &connection).await {
                reply
            } else {
                let mut reply = content(&state, &request, &path).await;
                for fault in &faults {
                    late(fault, &mut reply, &mut end);
                }
                reply
            }
        }
    };
    if reply.status == 304 {
        head_only = true;
    } else {
        announced = Some(reply.body.len());
    }

    ticket.status(reply.status);
    let body = if head_only { Bytes::new() } else { reply.body };
    let mut response = Response::new(ReplyBody::new(body, end, limiters, connection, ticket));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    if let Some(length) = announced {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length.into());
    }
    response
}

fn log_entry(
    request: &Request<Incoming>,
    auth: Option<String>,
    connection: &Connection,
) -> LogEntry {
    let headers = request.headers();
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .unwrap_or_default()
    };
    LogEntry {
        method: request.method().to_string(),
        path: request
            .uri()
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        status: 0,
        http_version: format!("{:?}", request.version()),
        credentials: auth.is_some(),
        auth,
        other_origin: connection.other_origin,
        connection: connection.number,
        user_agent: text(header::USER_AGENT).to_owned(),
        conditional: headers.contains_key(header::IF_MODIFIED_SINCE)
            || headers.contains_key(header::IF_NONE_MATCH),
        at_ms: 0.0,
        took_ms: 0.0,
        bytes: 0,
        posted: None,
    }
}

/// Applies the faults that answer in place of the content, and those that never answer.
async fn early(
    faults: &[Fault],
    state: &State,
    path: &str,
    connection: &Connection,
) -> Option<Reply> {
    for fault in faults {
        match fault {
            Fault::Status { code, retry_after } => {
                let mut reply = Reply::text(*code, "a fault");
                if let Some(seconds) = retry_after {
                    reply
                        .headers
                        .push((header::RETRY_AFTER, seconds.to_string()));
                }
                return Some(reply);
            }
            Fault::Html => return Some(Reply::new(200, "text/html; charset=utf-8", PAGE)),
            Fault::Reset(0) => {
                connection.reset();
                std::future::pending::<()>().await;
            }
            Fault::Hang(0) => std::future::pending::<()>().await,
            Fault::Redirect { to, hops } if !path.starts_with(REDIRECTED) => {
                let again = hops.saturating_sub(1);
                let to = match to {
                    Redirect::Same => format!("{REDIRECTED}{again}{path}"),
                    Redirect::Other => {
                        // Redirects go back and forth, so that either origin has another one.
                        let origin = if connection.other_origin {
                            &state.base_url
                        } else {
                            &state.other_url
                        };
                        format!("{origin}{REDIRECTED}{again}{path}")
                    }
                    Redirect::Url(url) => url.clone(),
                };
                return Some(Reply::redirect(to));
            }
            _ => {}
        }
    }
    None
}

/// Applies the faults that change the content or its end.
fn late(fault: &Fault, reply: &mut Reply, end: &mut End) {
    match fault {
        Fault::Truncate(at) => *end = End::Closed(*at),
        Fault::Reset(at) => *end = End::Reset(*at),
        Fault::Hang(at) => *end = End::Stalled(*at),
        Fault::Shorten(at) => reply.body.truncate(*at),
        Fault::Corrupt => {
            let mut bytes = reply.body.to_vec();
            let middle = bytes.len() / 2;
            for byte in bytes.iter_mut().skip(middle.saturating_sub(8)).take(16) {
                *byte ^= 0x5a;
            }
            reply.body = bytes.into();
        }
        _ => {}
    }
}

async fn content(state: &Arc<State>, request: &Request<Incoming>, path: &str) -> Reply {
    if path == NOTIFY && request.method() == Method::POST {
        return Reply::new(201, "application/json", &b"{\"status\":\"success\"}"[..]);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Reply::text(405, "only GET and HEAD");
    }
    let mut path = path;
    if let Some((hops, rest)) = path
        .strip_prefix(REDIRECTED)
        .and_then(|rest| rest.split_once('/'))
    {
        match hops.parse::<u32>() {
            Ok(0) => path = &path[path.len() - rest.len() - 1..],
            Ok(hops) => return Reply::redirect(format!("{REDIRECTED}{}/{rest}", hops - 1)),
            Err(_) => return Reply::text(404, "not a redirect"),
        }
    }
    if let Some(reply) = file(state, request, path) {
        return reply;
    }
    if path == "/packages.json" {
        return dated(request, root(state).to_line());
    }
    if let Some(name) = path
        .strip_prefix("/p2/")
        .and_then(|rest| rest.strip_suffix(".json"))
    {
        let (name, dev) = name
            .strip_suffix("~dev")
            .map_or((name, false), |name| (name, true));
        return match package_metadata(state, &name.to_lowercase(), dev) {
            Some(json) => dated(request, json.to_line()),
            None => Reply::text(404, "no such package"),
        };
    }
    if let Some(rest) = path.strip_prefix("/dist/") {
        return dist(state, rest).await;
    }
    Reply::text(404, "no such page")
}

/// Returns a file of the directory whose files are served as they are.
fn file(state: &State, request: &Request<Incoming>, path: &str) -> Option<Reply> {
    let below = path.strip_prefix('/')?;
    let is_plain = below
        .split('/')
        .all(|part| !matches!(part, "" | "." | ".."));
    let file = state.files.as_deref().filter(|_| is_plain)?.join(below);
    // Web servers don't read a file that the client already has.
    if is_unchanged(request) && file.is_file() {
        return Some(dated(request, Bytes::new()));
    }
    Some(dated(request, std::fs::read(file).ok()?))
}

fn is_unchanged(request: &Request<Incoming>) -> bool {
    let since = request.headers().get(header::IF_MODIFIED_SINCE);
    since.is_some_and(|since| since == LAST_MODIFIED)
}

fn dated(request: &Request<Incoming>, text: impl Into<Bytes>) -> Reply {
    let mut reply = if is_unchanged(request) {
        Reply::new(304, "application/json", Bytes::new())
    } else {
        Reply::new(200, "application/json", text)
    };
    reply
        .headers
        .push((header::LAST_MODIFIED, LAST_MODIFIED.to_owned()));
    reply
}

fn root(state: &State) -> Json {
    let mut root = Json::object();
    root.set("packages", Json::Array(Vec::new()));
    root.set("notify-batch", Json::str(NOTIFY));
    root.set("metadata-url", Json::str("/p2/%package%.json"));
    root.set("available-packages", Json::strings(state.catalog.names()));
    root
}

fn package_metadata(state: &State, name: &str, dev: bool) -> Option<Json> {
    let mut known = false;
    let mut versions = Vec::new();
    for (entry, package) in state.catalog.entries(name) {
        known = true;
        let version = entry.str_at("version").unwrap_or_default();
        if (version.starts_with("dev-") || version.ends_with("-dev")) == dev {
            versions.push(version_metadata(state, entry, package));
        }
    }
    let mut json = Json::object();
    json.child("packages").set(name, Json::Array(versions));
    known.then_some(json)
}

fn version_metadata(state: &State, entry: &Json, package: Option<&Package>) -> Json {
    let mut entry = entry.clone();
    localize_notification(&mut entry, &state.base_url);
    // As in the written lock, a dist that fails must not end in a `git clone`.
    if !state.keep_source && entry.get("dist").is_some() {
        entry.remove("source");
    }
    if let Some(package) = package {
        let dist = entry.child("dist");
        dist.set("type", Json::str(package.format.dist_type()));
        dist.set("url", Json::str(dist_url(&state.base_url, package)));
    }
    entry
}

/// Answers a request for `vendor/name/reference.extension`.
async fn dist(state: &Arc<State>, path: &str) -> Reply {
    let missing = || Reply::text(404, "no such dist");
    let Some((name, file)) = path.rsplit_once('/') else {
        return missing();
    };
    let Some((reference, format)) = Format::of_file_name(file) else {
        return missing();
    };
    let (name, reference) = (name.to_owned(), reference.replace("%2F", "/"));
    let Some(package) = state.catalog.find(&name, &reference) else {
        return missing();
    };
    let bytes = if let Some(bytes) = state.catalog.ready(package, format) {
        Ok(bytes)
    } else {
        // Making or reading an archive takes a while, for which the serving threads must not wait.
        let state = Arc::clone(state);
        let made = tokio::task::spawn_blocking(move || {
            let package = state.catalog.find(&name, &reference)?;
            let archive = state.catalog.archive(package, format);
            Some(archive.and_then(|archive| archive.bytes()))
        });
        match made.await {
            Ok(Some(result)) => result,
            _ => return Reply::text(500, "cannot make this dist"),
        }
    };
    match bytes {
        Ok(bytes) => {
            let kind = if format == Format::Zip {
                "application/zip"
            } else {
                "application/octet-stream"
            };
            Reply::new(200, kind, bytes)
        }
        Err(error) => Reply::text(500, &error.to_string()),
    }
}
