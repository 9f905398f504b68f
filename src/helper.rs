//! The helper process: the protocol as JSON lines over standard input and output, for PHP without
//! the extension.
//!
//! A request is one line: `{"id": 1, "op": "prepare", "request": {…}}`. The helper answers with
//!
//! * any number of `{"events": […], "id": 1}`; an empty list is a sign of life,
//! * then `{"id": 1, "answer": {…}}` or `{"error": {…}, "id": 1}`.
//!
//! JSON texts that belong to an answer follow it unchanged, one a line, and the answer states their
//! number: `{"id": 1, "texts": 2, "answer": {…}}`.
//!
//! When standard input ends, the helper cancels the running operation, removes its staging
//! directory and ends. Where it can't notice that end, [`parting`] ends it.

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::dispatch::{Caller, dispatch};
use crate::parting;
use crate::protocol::error::ErrorAnswer;
use crate::protocol::event::Event;
use crate::settings::Environment;
use allegro_base::error::{Error, Result};

/// A line of the helper's input.
#[derive(Deserialize)]
struct Call<'a> {
    id: u64,
    op: String,
    #[serde(borrow, default)]
    request: Option<&'a RawValue>,
}

/// A line of output with an answer.
#[derive(Serialize)]
struct AnswerLine<'a, T> {
    id: u64,
    #[serde(skip_serializing_if = "is_zero")]
    texts: usize,
    answer: &'a T,
}

/// A line of output with events.
#[derive(Serialize)]
struct EventsLine<'a> {
    events: &'a [Event],
    id: u64,
}

/// A line of output with an error.
#[derive(Serialize)]
struct ErrorLine {
    error: ErrorAnswer,
    id: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Serves requests until `input` ends. `is_over` returns during an operation whether the caller is
/// gone.
pub fn serve(
    input: &mut impl BufRead,
    output: &mut impl Write,
    environment: &Environment,
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
        let mut lines = Lines {
            id: 0,
            output: &mut *output,
            is_over,
            failed: None,
        };
        let served = match serde_json::from_str::<Call>(&line) {
            Ok(call) => {
                lines.id = call.id;
                dispatch(&call.op, call.request, environment, &mut lines)
            }
            Err(error) => Err(Error::Input(format!("not a request: {error}"))),
        };
        if let Err(error) = served {
            lines.line(&ErrorLine {
                error: ErrorAnswer::from(&error),
                id: lines.id,
            });
        }
        if let Some(error) = lines.failed {
            return Err(error);
        }
    }
    Ok(())
}

/// Writes the lines of one call.
struct Lines<'a, W: Write> {
    id: u64,
    output: &'a mut W,
    is_over: &'a dyn Fn() -> bool,
    /// The first failure; nothing is written after it.
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

    fn events(&mut self, events: &[Event]) {
        let id = self.id;
        self.line(&EventsLine { events, id });
    }

    fn alive(&mut self) {
        self.events(&[]);
    }

    fn alive_in_silence(&mut self) {
        self.events(&[]);
    }

    fn interrupted(&mut self) -> bool {
        self.failed.is_some() || (self.is_over)()
    }

    fn answer(&mut self, answer: &impl Serialize, texts: &[String]) -> Result<()> {
        self.line(&AnswerLine {
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

fn write_line(output: &mut impl Write, value: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    output.write_all(b"\n")?;
    output.flush()
}

/// Writes JSON texts, one a line. JSON has line breaks between its tokens only, where a space means
/// the same.
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

/// Reads a line as [`serve`] does, without running an operation, for the fuzz targets. Returns
/// whether it is a request.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn fuzzed(line: &str) -> bool {
    serde_json::from_str::<Call>(line)
        .is_ok_and(|call| crate::dispatch::fuzzed(&call.op, call.request))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answers(input: &str) -> Vec<Value> {
        let mut output = Vec::new();
        serve(
            &mut input.as_bytes(),
            &mut output,
            &Environment::PROCESS,
            &|| false,
        )
        .expect("served");
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
        assert_eq!(answers[0]["answer"]["protocol"], crate::protocol::VERSION);
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
        lines.answer(&json!("yes"), &texts).expect("taken");
        lines.answer(&json!("no"), &[]).expect("taken");
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
