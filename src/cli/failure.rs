//! Defines the failures of the command line and their exit codes.

use std::fmt::Display;
use std::io;

use allegro_base::error::{Error, ErrorKind};

/// The exit code of a failed command of Allegro's own. `docs/reference/exit-codes.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// An option, a setting or a value is wrong, or the failure has no code of its own.
    General = 1,
    /// `composer.json` or `composer.lock` is missing, wrong, or doesn't fit the other one.
    Project = 2,
    /// A download failed.
    Network = 3,
    /// A file operation failed.
    Files = 4,
    /// Composer or PHP is missing, or could not be started.
    Composer = 5,
}

/// The reason for which a command ends early.
#[derive(Debug)]
pub enum Failure {
    /// Nobody reads the output any more. The command ends in silence.
    Pipe,
    /// The command has reported the failure itself.
    Told(u8),
    /// A failure that the user has not seen yet.
    Untold {
        /// Exit code of the process.
        code: Code,
        /// Sentence without a full stop, which starts with a small letter.
        message: String,
        /// Next step for the user.
        hint: Option<String>,
    },
}

/// Result of a command: the exit code, or the reason of an early end.
pub type Outcome = Result<u8, Failure>;

impl Failure {
    /// Returns a failure with a message.
    pub fn new(code: Code, message: impl Display) -> Self {
        Self::Untold {
            code,
            message: message.to_string(),
            hint: None,
        }
    }

    /// Returns the failure with advice for the user.
    #[must_use]
    pub fn hint(self, text: impl Display) -> Self {
        match self {
            Self::Untold { code, message, .. } => Self::Untold {
                code,
                message,
                hint: Some(text.to_string()),
            },
            other => other,
        }
    }

    /// Returns the failure with the reason for which Composer was needed, if there is none.
    #[must_use]
    pub fn because(self, reason: &str) -> Self {
        match self {
            Self::Untold {
                code: code @ Code::Composer,
                message,
                hint,
            } => Self::Untold {
                code,
                message: format!("{message} ({reason})"),
                hint,
            },
            other => other,
        }
    }

    /// Returns the exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Pipe => 0,
            Self::Told(code) => *code,
            Self::Untold { code, .. } => *code as u8,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match (error.kind(), &error) {
            (ErrorKind::Network, _) => Code::Network,
            (ErrorKind::Filesystem, _) | (_, Error::Store { .. } | Error::StoreLayout { .. }) => {
                Code::Files
            }
            _ => Code::General,
        };
        Self::Untold {
            code,
            hint: error.hint().map(str::to_owned),
            message: error.to_string(),
        }
    }
}

impl From<io::Error> for Failure {
    /// Converts an error of writing output. Only a closed pipe ends in silence.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::Pipe
        } else {
            Self::new(
                Code::General,
                format_args!("the output can't be written: {error}"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_class_of_errors_has_its_code() {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let place = Path::new("/x");
        for (error, code) in [
            (Error::Input("wrong".to_owned()), 1),
            (Error::Internal("wrong".to_owned()), 1),
            (Error::Network("down".to_owned()), 3),
            (allegro_base::error::at("reading", place)(missing()), 4),
            (
                allegro_base::error::in_store("reading", place)(missing()),
                4,
            ),
        ] {
            assert_eq!(Failure::from(error).exit_code(), code);
        }
    }

    #[test]
    fn only_a_closed_pipe_is_silent() {
        let pipe = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(matches!(pipe, Failure::Pipe));
        assert_eq!(pipe.exit_code(), 0);
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.exit_code(), 1);
    }
}
