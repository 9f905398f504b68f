//! What a listener is, by its text.

use super::Version;

/// The callback that switches the limit of time off. It is known here because many manifests name
/// it (`Config::disableProcessTimeout`, composer 2.10.2).
pub(super) const DISABLE_TIMEOUT: &str = "Composer\\Config::disableProcessTimeout";

/// The version that knows `@additional_args` and `@no_additional_args`.
const ARGUMENT_MARKS: Version = Version(2, 8, 0);

/// The version that knows command classes as listeners.
const COMMAND_CLASSES: Version = Version(2, 5, 0);

/// A listener, without the mark `@no_additional_args`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// The listener as Composer prints it.
    pub(super) text: String,
    /// Whether the arguments of the event are passed on to the listener.
    pub(super) takes_arguments: bool,
    /// What is done.
    pub(super) kind: Kind,
}

/// The kinds of listeners, in the order in which Composer tells them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A line `@composer …`.
    Composer,
    /// The name of another script.
    Script(String),
    /// The callback [`DISABLE_TIMEOUT`].
    DisableTimeout,
    /// Any other method of a class, or a command class.
    Callback,
    /// A change of the environment.
    Putenv,
    /// A line `@php …`, or a command line for the shell.
    Line,
}

impl Step {
    /// Reads a listener (`EventDispatcher::doDispatch`, composer 2.2.25 and 2.10.2).
    pub(super) fn of(listener: &str, version: Version) -> Self {
        let mut text = listener.to_owned();
        let mut takes_arguments = true;
        if version >= ARGUMENT_MARKS && text.contains("@no_additional_args") {
            text = text
                .replace(" @no_additional_args", "")
                .replace("@no_additional_args", "");
            takes_arguments = false;
        }
        let kind = if text.starts_with("@composer ") {
            Kind::Composer
        } else if text.starts_with("@putenv ") {
            Kind::Putenv
        } else if text.starts_with('@') && !text.starts_with("@php ") {
            let name = text[1..].split(' ').next().unwrap_or_default();
            Kind::Script(name.to_owned())
        } else if text == DISABLE_TIMEOUT {
            Kind::DisableTimeout
        } else if !text.contains(' ')
            && (text.contains("::")
                || (version >= COMMAND_CLASSES && text.contains('\\') && text.ends_with("Command")))
        {
            Kind::Callback
        } else {
            Kind::Line
        };
        Self {
            text,
            takes_arguments,
            kind,
        }
    }

    /// Returns the arguments that a line `@name …` passes on, given those of its event.
    pub(super) fn arguments(&self, given: &[String], version: Version) -> Vec<String> {
        let own: Vec<String> = self.text.split(' ').skip(1).map(str::to_owned).collect();
        if version >= ARGUMENT_MARKS && own.iter().any(|word| word == "@additional_args") {
            // Composer takes the result of `array_splice` here: the elements that were removed,
            // and none is.
            return Vec::new();
        }
        [own.as_slice(), given].concat()
    }

    /// Returns the line with the arguments of its event (`EventDispatcher::doDispatch`).
    pub(super) fn line(&self, given: &[String], version: Version) -> String {
        if self.kind == Kind::Putenv {
            return self.text.clone();
        }
        let arguments: Vec<String> = given.iter().map(|word| escape(word)).collect();
        let arguments = arguments.join(" ");
        if version >= ARGUMENT_MARKS && self.text.contains("@additional_args") {
            self.text.replace("@additional_args", &arguments)
        } else if arguments.is_empty() {
            self.text.clone()
        } else {
            format!("{} {arguments}", self.text)
        }
    }
}

/// Returns the text as one word for the shell (`ProcessExecutor::escape`, composer 2.10.2).
pub(super) fn escape(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
