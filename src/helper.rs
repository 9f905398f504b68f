//! The helper process: the same operations over JSON lines, for PHP without the extension.
//!
//! One request a line on standard input: `{"id": 1, "op": "prepare", "request": {…}}`. Answers on standard
//! output: any number of `{"id": 1, "events": […]}` (an empty one is a sign of life), then `{"id": 1, "answer": {…}}` or
//! `{"id": 1, "error": {"kind", "code", "message", "hint"}}`. When standard input ends, the operation in
//! progress is cancelled, its staging removed, and the process ends: so the helper never outlives Composer.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::memory::sparing;
use crate::ops;
use crate::report::{Event, Host};

#[derive(Deserialize)]
struct Call {
    id: u64,
    op: String,
    #[serde(default)]
    request: Value,
}

/// Serves requests until `input` ends.
pub fn serve(input: impl BufRead + Send + 'static, output: &mut impl Write) -> std::io::Result<()> {
    let closed = Arc::new(AtomicBool::new(false));
    let (sender, calls) = crossbeam_channel::unbounded::<String>();
    let reader_closed = Arc::clone(&closed);
    // Reads ahead, so that the end of input is noticed while an operation runs. Not joined: a read can't
    // be interrupted, and the process ends with `serve`.
    std::thread::spawn(move || {
        for line in input.lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
        reader_closed.store(true, Ordering::Relaxed);
    });
    for line in calls {
        if line.trim().is_empty() {
            continue;
        }
        let call: Call = match serde_json::from_str(&line) {
            Ok(call) => call,
            Err(error) => {
                let error = Error::Input(format!("not a request: {error}"));
                write_line(output, &json!({"id": 0, "error": describe(&error)}))?;
                continue;
            }
        };
        let id = call.id;
        let mut lines = Lines {
            id,
            output: &mut *output,
            closed: &closed,
            failed: None,
        };
        if let Err(error) = dispatch(&call.op, call.request, &mut lines) {
            lines.line(&json!({"id": id, "error": describe(&error)}));
        }
        if let Some(error) = lines.failed {
            return Err(error);
        }
    }
    Ok(())
}

/// A host that also takes the answer, in the form that suits it: those of large projects are too large to be made
/// twice.
pub trait Caller: Host {
    /// What it makes of an answer.
    type Answer;
    /// Takes the answer of the operation.
    fn answer(&mut self, answer: &impl Serialize) -> Result<Self::Answer>;
}

/// Runs one operation by name; requests and answers are the wire types.
pub fn dispatch<C: Caller>(op: &str, request: Value, caller: &mut C) -> Result<C::Answer> {
    sparing(|| run(op, request, caller))
}

fn run<C: Caller>(op: &str, request: Value, caller: &mut C) -> Result<C::Answer> {
    match op {
        "info" => caller.answer(&ops::info()),
        "warm_up" => {
            ops::warm_up();
            caller.answer(&json!({}))
        }
        "diagnose" => caller.answer(&ops::diagnose(&from_value(request)?)?),
        "prepare" => answered(request, caller, ops::prepare),
        "scan" => answered(request, caller, ops::scan),
        "unchanged" => answered(request, caller, ops::unchanged),
        "dumped" => answered(request, caller, ops::dumped),
        "resolve" => answered(request, caller, ops::resolve),
        "remove" => caller.answer(&ops::remove(&from_value(request)?)),
        other => Err(Error::Input(format!("unknown operation \"{other}\""))),
    }
}

/// An operation that talks to its caller while it works.
fn answered<C: Caller, Q: DeserializeOwned, A: Serialize>(
    request: Value,
    caller: &mut C,
    operation: impl FnOnce(&Q, &mut dyn Host) -> Result<A>,
) -> Result<C::Answer> {
    let answer = operation(&from_value(request)?, caller)?;
    caller.answer(&answer)
}

fn from_value<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| Error::Input(format!("bad request: {error}")))
}

/// An error as it crosses the boundary.
pub fn describe(error: &Error) -> Value {
    json!({
        "kind": error.kind(),
        "code": error.code(),
        "message": error.to_string(),
        "hint": error.hint(),
    })
}

fn write_line(output: &mut impl Write, value: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    output.write_all(b"\n")?;
    output.flush()
}

struct Lines<'a, W: Write> {
    id: u64,
    output: &'a mut W,
    closed: &'a AtomicBool,
    failed: Option<std::io::Error>,
}

impl<W: Write> Lines<'_, W> {
    fn line(&mut self, value: &impl Serialize) {
        if self.failed.is_none() {
            self.failed = write_line(self.output, value).err();
        }
    }
}

impl<W: Write> Caller for Lines<'_, W> {
    type Answer = ();

    fn answer(&mut self, answer: &impl Serialize) -> Result<()> {
        #[derive(Serialize)]
        struct Answer<'a, T> {
            id: u64,
            answer: &'a T,
        }
        let id = self.id;
        self.line(&Answer { id, answer });
        Ok(())
    }
}

impl<W: Write> Host for Lines<'_, W> {
    fn events(&mut self, events: Vec<Event>) {
        self.line(&json!({"id": self.id, "events": events}));
    }

    fn alive(&mut self) {
        self.events(Vec::new());
    }

    fn interrupted(&mut self) -> bool {
        self.failed.is_some() || self.closed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &str) -> Vec<Value> {
        let mut output = Vec::new();
        serve(std::io::Cursor::new(input.to_owned()), &mut output).expect("served");
        String::from_utf8(output)
            .expect("text")
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    #[test]
    fn each_request_gets_its_answer() {
        let answers = answers(
            "{\"id\":7,\"op\":\"info\"}\n\n{\"id\":8,\"op\":\"remove\",\"request\":{\"paths\":[]}}\n",
        );
        assert_eq!(answers[0]["id"], 7);
        assert_eq!(answers[0]["answer"]["protocol"], crate::wire::PROTOCOL);
        assert_eq!(answers[1], json!({"id": 8, "answer": {"failures": []}}));
    }

    #[test]
    fn nonsense_is_an_error_and_the_helper_goes_on() {
        let answers = answers(
            "nonsense\n{\"id\":1,\"op\":\"fly\"}\n{\"id\":2,\"op\":\"remove\",\"request\":{\"path\":1}}\n{\"id\":3,\"op\":\"info\"}\n",
        );
        assert_eq!(answers[0]["error"]["code"], "input");
        assert!(
            answers[1]["error"]["message"]
                .as_str()
                .expect("text")
                .contains("fly")
        );
        assert_eq!(answers[2]["error"]["code"], "input");
        assert_eq!(answers[3]["id"], 3);
        assert!(answers[3]["answer"].is_object());
    }
}
