//! The helper process: the same operations over JSON lines, for PHP without the extension.
//!
//! One request a line on standard input: `{"id": 1, "op": "prepare", "request": {…}}`. Answers on standard
//! output: any number of `{"id": 1, "events": […]}` (an empty one is a sign of life), then `{"id": 1, "answer": {…}}` or
//! `{"id": 1, "error": {"kind", "code", "message", "hint"}}`. When standard input ends, the operation in
//! progress is cancelled, its staging removed, and the process ends: so the helper never outlives Composer.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};
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
        let mut host = Lines {
            id,
            output: &mut *output,
            closed: &closed,
            failed: None,
        };
        let result = dispatch(&call.op, call.request, &mut host);
        if let Some(error) = host.failed {
            return Err(error);
        }
        let line = match result {
            Ok(answer) => json!({"id": id, "answer": answer}),
            Err(error) => json!({"id": id, "error": describe(&error)}),
        };
        write_line(output, &line)?;
    }
    Ok(())
}

/// Runs one operation by name; requests and answers are the wire types.
pub fn dispatch(op: &str, request: Value, host: &mut dyn Host) -> Result<Value> {
    match op {
        "info" => to_value(&ops::info()),
        "diagnose" => to_value(&ops::diagnose(&from_value(request)?)?),
        "prepare" => to_value(&ops::prepare(&from_value(request)?, host)?),
        "remove" => to_value(&ops::remove(&from_value(request)?)),
        other => Err(Error::Input(format!("unknown operation \"{other}\""))),
    }
}

fn from_value<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| Error::Input(format!("bad request: {error}")))
}

fn to_value(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::Internal(error.to_string()))
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

fn write_line(output: &mut impl Write, value: &Value) -> std::io::Result<()> {
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

impl<W: Write> Host for Lines<'_, W> {
    fn events(&mut self, events: Vec<Event>) {
        if self.failed.is_none() {
            self.failed = write_line(self.output, &json!({"id": self.id, "events": events})).err();
        }
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
