//! The helper process: the same operations over JSON lines, for PHP without the extension.
//!
//! One request a line on standard input: `{"id": 1, "op": "prepare", "request": {…}}`. Answers on standard
//! output: any number of `{"id": 1, "events": […]}` (an empty one is a sign of life), then `{"id": 1, "answer": {…}}` or
//! `{"id": 1, "error": {"kind", "code", "message", "hint"}}`. JSON texts that belong to an answer follow it as they are,
//! one a line; it tells their number (`{"id": 1, "texts": 2, "answer": {…}}`). When standard input ends, the operation in
//! progress is cancelled, its staging removed, and the process ends. [`parting`] ends it where that isn't noticed.

use std::io::{BufRead, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::ops;
use crate::parting;
use allegro_base::ballast;
use allegro_base::error::{Error, Result};
use allegro_base::limits;
use allegro_base::memory::sparing;
use allegro_base::report::{Event, Host};

#[derive(Deserialize)]
struct Call<'a> {
    id: u64,
    op: String,
    #[serde(borrow, default)]
    request: Option<&'a RawValue>,
}

/// A request in the form in which it comes.
pub trait Request {
    /// Reads it.
    ///
    /// # Errors
    /// It isn't one of this operation.
    fn read<T: DeserializeOwned>(self) -> serde_json::Result<T>;
}

impl Request for Value {
    fn read<T: DeserializeOwned>(self) -> serde_json::Result<T> {
        serde_json::from_value(self)
    }
}

/// Read where it stands: the one of a large project is large.
impl Request for Option<&RawValue> {
    fn read<T: DeserializeOwned>(self) -> serde_json::Result<T> {
        serde_json::from_str(self.map_or("null", RawValue::get))
    }
}

/// Serves requests until `input` ends. `is_over` says during an operation whether nobody waits for it any more.
pub fn serve(
    input: &mut impl BufRead,
    output: &mut impl Write,
    is_over: &dyn Fn() -> bool,
) -> std::io::Result<()> {
    let mut line = String::new();
    while !parting::is_bereft() {
        line.clear();
        if parting::idle(|| input.read_line(&mut line))? == 0 {
            break;
        }
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
            is_over,
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
    fn answer(&mut self, answer: &impl Serialize) -> Result<Self::Answer> {
        self.answer_with(answer, &[])
    }
    /// Takes an answer and JSON texts that belong to it.
    fn answer_with(&mut self, answer: &impl Serialize, texts: &[String]) -> Result<Self::Answer>;
}

/// Runs one operation by name; requests and answers are the wire types.
pub fn dispatch<C: Caller>(op: &str, request: impl Request, caller: &mut C) -> Result<C::Answer> {
    if let Some(needed) = memory_for(op) {
        limits::check(needed + ballast::SIZE as u64)?;
    }
    sparing(|| ballast::holding(|| run(op, request, caller)))
}

/// Returns the bytes that an operation may need for a large project; `None` for operations that need next to nothing.
fn memory_for(op: &str) -> Option<u64> {
    match op {
        "prepare" => Some(96 << 20),
        "scan" | "unchanged" => Some(64 << 20),
        "resolve" => Some(256 << 20),
        _ => None,
    }
}

fn run<C: Caller>(op: &str, request: impl Request, caller: &mut C) -> Result<C::Answer> {
    match op {
        "info" => caller.answer(&ops::info()),
        "warm_up" => {
            ops::warm_up(&read(request)?);
            caller.answer(&json!({}))
        }
        "diagnose" => caller.answer(&ops::diagnose(&read(request)?)?),
        "prepare" => answered(request, caller, ops::prepare),
        "scan" => answered(request, caller, ops::scan),
        "unchanged" => answered(request, caller, ops::unchanged),
        "dumped" => answered(request, caller, ops::dumped),
        "resolve" => ops::resolve(&read(request)?, caller, |caller, answer, texts| {
            caller.answer_with(answer, texts)
        }),
        "remove" => {
            let answer = ops::remove(&read(request)?, caller);
            caller.answer(&answer)
        }
        "replace" => caller.answer(&ops::replace(&read(request)?)),
        other => Err(Error::Input(format!("unknown operation \"{other}\""))),
    }
}

/// An operation that talks to its caller while it works.
fn answered<C: Caller, Q: DeserializeOwned, A: Serialize>(
    request: impl Request,
    caller: &mut C,
    operation: impl FnOnce(&Q, &mut dyn Host) -> Result<A>,
) -> Result<C::Answer> {
    let answer = operation(&read(request)?, caller)?;
    caller.answer(&answer)
}

fn read<T: DeserializeOwned>(request: impl Request) -> Result<T> {
    let read = request.read();
    read.map_err(|error| Error::Input(format!("bad request: {error}")))
}

/// Reads a line as [`serve`] does, and the request as [`dispatch`] does, without doing anything;
/// for the fuzz targets. Returns whether it is a request.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn fuzzed(line: &str) -> bool {
    use crate::wire;

    fn stable<T: DeserializeOwned + Serialize>(request: Option<&RawValue>) -> bool {
        let Ok(request) = read::<T>(request) else {
            return false;
        };
        let told = serde_json::to_value(&request).expect("a request can be told");
        let again: T = read(told.clone()).expect("a request that was told can be read");
        let again = serde_json::to_value(&again).expect("a request can be told");
        assert_eq!(told, again);
        true
    }

    let Ok(call) = serde_json::from_str::<Call>(line) else {
        return false;
    };
    match call.op.as_str() {
        "warm_up" => stable::<wire::WarmUpRequest>(call.request),
        "diagnose" => stable::<wire::DiagnoseRequest>(call.request),
        "prepare" => stable::<wire::PrepareRequest>(call.request),
        "scan" => stable::<wire::ScanRequest>(call.request),
        "unchanged" => stable::<wire::UnchangedRequest>(call.request),
        "dumped" => stable::<wire::DumpedRequest>(call.request),
        "resolve" => stable::<wire::ResolveRequest>(call.request),
        "remove" => stable::<wire::RemoveRequest>(call.request),
        "replace" => stable::<wire::ReplaceRequest>(call.request),
        _ => false,
    }
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

/// JSON has line breaks between its tokens only, where a space means the same.
fn write_texts(output: &mut impl Write, texts: &[String]) -> std::io::Result<()> {
    for text in texts {
        if text.contains(['\n', '\r']) {
            output.write_all(text.replace(['\n', '\r'], " ").as_bytes())?;
        } else {
            output.write_all(text.as_bytes())?;
        }
        output.write_all(b"\n")?;
    }
    output.flush()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

struct Lines<'a, W: Write> {
    id: u64,
    output: &'a mut W,
    is_over: &'a dyn Fn() -> bool,
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

    fn answer_with(&mut self, answer: &impl Serialize, texts: &[String]) -> Result<()> {
        #[derive(Serialize)]
        struct Line<'a, T> {
            id: u64,
            #[serde(skip_serializing_if = "is_zero")]
            texts: usize,
            answer: &'a T,
        }
        self.line(&Line {
            id: self.id,
            texts: texts.len(),
            answer,
        });
        if self.failed.is_none() {
            self.failed = write_texts(self.output, texts).err();
        }
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

    fn alive_in_silence(&mut self) {
        self.events(Vec::new());
    }

    fn interrupted(&mut self) -> bool {
        self.failed.is_some() || (self.is_over)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &str) -> Vec<Value> {
        let mut output = Vec::new();
        serve(&mut input.as_bytes(), &mut output, &|| false).expect("served");
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
    fn texts_follow_their_answer_one_a_line() {
        let mut output = Vec::new();
        let mut lines = Lines {
            id: 4,
            output: &mut output,
            is_over: &|| false,
            failed: None,
        };
        let texts = ["{\"a\":\r\n 1}".to_owned(), "{}".to_owned()];
        lines.answer_with(&json!("yes"), &texts).expect("taken");
        lines.answer(&json!("no")).expect("taken");
        assert_eq!(
            String::from_utf8(output).expect("text"),
            "{\"id\":4,\"texts\":2,\"answer\":\"yes\"}\n{\"a\":   1}\n{}\n{\"id\":4,\"answer\":\"no\"}\n"
        );
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
