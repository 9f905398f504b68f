//! The messages of the protocol, compared with the documents in `tests/protocol/`. PHPUnit reads
//! the same files.
//!
//! A file has `documents`, which are spelled out in full: a message that is decoded from one is
//! encoded to the same bytes. For requests it may also have `short` documents: `sent` leaves fields
//! out, `read` is the same spelled out.

#![allow(clippy::disallowed_methods, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use allegro::protocol::diagnose::{DiagnoseAnswer, DiagnoseRequest};
use allegro::protocol::dumped::{DumpedAnswer, DumpedRequest};
use allegro::protocol::error::{ErrorAnswer, ErrorKind};
use allegro::protocol::event::Event;
use allegro::protocol::explain::{ExplainAnswer, ExplainRequest};
use allegro::protocol::info::InfoAnswer;
use allegro::protocol::lock_diff::{LockDiffAnswer, LockDiffFormat, LockDiffRequest};
use allegro::protocol::mend::{MendAnswer, MendRequest};
use allegro::protocol::prepare::{PackageOutcome, PrepareAnswer, PrepareRequest, Provenance};
use allegro::protocol::remove::{RemoveAnswer, RemoveRequest};
use allegro::protocol::replace::{ReplaceAnswer, ReplaceRequest};
use allegro::protocol::resolve::problem::{Content, Reach};
use allegro::protocol::resolve::{ResolveAnswer, ResolveRequest};
use allegro::protocol::scan::{RuleKind, ScanAnswer, ScanRequest};
use allegro::protocol::store::Method;
use allegro::protocol::unchanged::{UnchangedAnswer, UnchangedRequest};
use allegro::protocol::warm_up::{WarmUpAnswer, WarmUpRequest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Documents of one message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    documents: Vec<Box<RawValue>>,
    #[serde(default)]
    short: Vec<Short>,
}

/// A document that leaves fields out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Short {
    sent: Box<RawValue>,
    read: Box<RawValue>,
}

fn text(message: &str) -> String {
    let path = format!(
        "{}/tests/protocol/{message}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns JSON without space between its tokens.
fn compact(json: &RawValue) -> String {
    let mut is_in_string = false;
    let mut is_escaped = false;
    let is_kept = |&character: &char| {
        let is_kept = is_in_string || !character.is_ascii_whitespace();
        is_in_string ^= character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_kept
    };
    json.get().chars().filter(is_kept).collect()
}

fn encoded<T: DeserializeOwned + Serialize>(message: &str, json: &RawValue) -> String {
    let value: T = serde_json::from_str(json.get())
        .unwrap_or_else(|error| panic!("{message}: {error} in {json}"));
    serde_json::to_string(&value).expect("encoded")
}

fn check<T: DeserializeOwned + Serialize>(message: &str) {
    let golden: Golden = serde_json::from_str(&text(message))
        .unwrap_or_else(|error| panic!("{message}.json: {error}"));
    assert!(!golden.documents.is_empty(), "{message}.json is empty");
    for document in &golden.documents {
        assert_eq!(
            encoded::<T>(message, document),
            compact(document),
            "{message}"
        );
    }
    for Short { sent, read } in &golden.short {
        assert_eq!(encoded::<T>(message, sent), compact(read), "{message}");
    }
}

#[test]
fn messages_are_encoded_like_their_documents() {
    check::<InfoAnswer>("info_answer");
    check::<WarmUpRequest>("warm_up_request");
    check::<WarmUpAnswer>("warm_up_answer");
    check::<DiagnoseRequest>("diagnose_request");
    check::<DiagnoseAnswer>("diagnose_answer");
    check::<PrepareRequest>("prepare_request");
    check::<PrepareAnswer>("prepare_answer");
    check::<ScanRequest>("scan_request");
    check::<ScanAnswer>("scan_answer");
    check::<UnchangedRequest>("unchanged_request");
    check::<UnchangedAnswer>("unchanged_answer");
    check::<DumpedRequest>("dumped_request");
    check::<DumpedAnswer>("dumped_answer");
    check::<ResolveRequest>("resolve_request");
    check::<ResolveAnswer>("resolve_answer");
    check::<LockDiffRequest>("lock_diff_request");
    check::<LockDiffAnswer>("lock_diff_answer");
    check::<ExplainRequest>("explain_request");
    check::<ExplainAnswer>("explain_answer");
    check::<MendRequest>("mend_request");
    check::<MendAnswer>("mend_answer");
    check::<RemoveRequest>("remove_request");
    check::<RemoveAnswer>("remove_answer");
    check::<ReplaceRequest>("replace_request");
    check::<ReplaceAnswer>("replace_answer");
    check::<Event>("event");
    check::<ErrorAnswer>("error_answer");
}

/// Returns the names of an enum's variants, which serde lists when it meets an unknown one.
fn variants<T: DeserializeOwned + Debug>(tag: Option<&str>) -> Vec<String> {
    let unknown = match tag {
        Some(tag) => json!({ tag: "?" }),
        None => json!("?"),
    };
    let error = serde_json::from_value::<T>(unknown).expect_err("an unknown variant");
    let error = error.to_string();
    let names: Vec<String> = error
        .split('`')
        .skip(3)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 1, "{error}");
    names
}

/// Collects the texts that stand under a key anywhere in a document.
fn texts(value: &Value, key: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| texts(value, key, found)),
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get(key) {
                found.insert(text.clone());
            }
            fields.values().for_each(|value| texts(value, key, found));
        }
        _ => {}
    }
}

#[test]
fn documents_have_every_variant() {
    let wanted = [
        ("event", "event", variants::<Event>(Some("event"))),
        ("error_answer", "kind", variants::<ErrorKind>(None)),
        (
            "prepare_answer",
            "outcome",
            variants::<PackageOutcome>(Some("outcome")),
        ),
        ("prepare_answer", "from", variants::<Provenance>(None)),
        ("prepare_answer", "method", variants::<Method>(None)),
        ("diagnose_answer", "method", variants::<Method>(None)),
        ("scan_request", "kind", variants::<RuleKind>(None)),
        (
            "scan_answer",
            "outcome",
            variants::<ScanAnswer>(Some("outcome")),
        ),
        ("mend_answer", "step", variants::<MendAnswer>(Some("step"))),
        ("resolve_request", "reach", variants::<Reach>(None)),
        ("resolve_request", "kind", variants::<Content>(Some("kind"))),
        (
            "resolve_answer",
            "outcome",
            variants::<ResolveAnswer>(Some("outcome")),
        ),
        (
            "lock_diff_request",
            "format",
            variants::<LockDiffFormat>(None),
        ),
    ];
    for (message, key, names) in wanted {
        let document = serde_json::from_str(&text(message)).expect("JSON");
        let mut found = BTreeSet::new();
        texts(&document, key, &mut found);
        for name in names {
            assert!(
                found.contains(&name),
                "{message}.json has no {key} \"{name}\""
            );
        }
    }
}

/// Parts of other messages whose names end like those of messages.
const PARTS: [&str; 2] = ["PackageRequest", "PackageAnswer"];

/// Collects the requests and answers that the files of a directory declare.
fn declared(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            declared(&path, found);
            continue;
        }
        let source = fs::read_to_string(&path).expect("a file");
        let types = source.lines().filter_map(|line| {
            let rest = line.strip_prefix("pub struct ");
            rest.or_else(|| line.strip_prefix("pub enum "))
        });
        let names = types.filter_map(|rest| rest.split([' ', '(', ';']).next());
        let messages = names.filter(|name| name.ends_with("Request") || name.ends_with("Answer"));
        found.extend(messages.map(str::to_owned));
    }
}

#[test]
fn every_message_has_documents() {
    let mut messages = Vec::new();
    declared(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/protocol"),
        &mut messages,
    );
    assert!(messages.len() > 15, "{messages:?}");
    for message in messages {
        let is_read = include_str!("protocol.rs").contains(&format!("check::<{message}>("));
        assert!(
            is_read || PARTS.contains(&message.as_str()),
            "{message} has no documents"
        );
    }
}

#[test]
fn every_file_is_read() {
    let read = include_str!("protocol.rs");
    let directory = format!("{}/tests/protocol", env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(directory).expect("documents").flatten() {
        let name = entry.file_name().into_string().expect("text");
        let message = name.strip_suffix(".json").expect("JSON");
        assert!(
            read.contains(&format!(">(\"{message}\");")),
            "{name} is not read"
        );
    }
}
