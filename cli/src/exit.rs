//! How a command ends: a code for scripts, a sentence for people.

use std::process::ExitCode;

use auth0_host::{ActionError, Error, ErrorKind};
use serde_json::{Value, json};

use super::remedy;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Exit {
    /// 0
    Done,
    /// 1: the action answered an error.
    Action,
    /// 2: usage, or invalid input.
    Usage,
    /// 3: the host failed.
    Host,
    /// 130, as shells report a program that SIGINT ended.
    Interrupted,
    /// What a command decided by itself.
    Other(ExitCode),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Action => Self::from(1),
            Exit::Usage => Self::from(2),
            Exit::Host => Self::from(3),
            Exit::Interrupted => Self::from(130),
            Exit::Other(code) => code,
        }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was asked wrongly. The message says how to ask.
    Usage(String),
    /// The library failed, or the action answered an error. Boxed, since it is large and results carry it about.
    Call(Box<Error>),
    /// Anything else on this machine.
    Host(anyhow::Error),
    /// Ctrl-C.
    Interrupted {
        /// What that means for what was running.
        consequence: String,
    },
    /// Whoever read the output has gone. Not worth a word.
    BrokenPipe,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Call(Box::new(error))
    }
}

impl Failure {
    /// Returns the exit code's meaning.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Call(error) => match &**error {
                Error::Settings(_) => Exit::Usage,
                Error::Action(error) if error.kind == ErrorKind::InvalidInput => Exit::Usage,
                Error::Action(_) => Exit::Action,
                _ => Exit::Host,
            },
            Self::Host(_) => Exit::Host,
            Self::Interrupted { .. } => Exit::Interrupted,
            Self::BrokenPipe => Exit::Done,
        }
    }

    /// Returns the object that `run` prints. Kinds that no action answers are `usage`, `host` and `interrupted`.
    fn json(&self) -> Option<Value> {
        let own = |kind: &str| json!({"kind": kind, "message": self.message()});
        let error = match self {
            Self::Usage(_) => own("usage"),
            Self::Call(error) => match &**error {
                Error::Action(error) => {
                    let mut error = error.clone();
                    if let Some(denial) = error.denial.take() {
                        error.message = remedy::sentence(&denial);
                    }
                    json!(error)
                }
                Error::Settings(_) => own("usage"),
                _ => own("host"),
            },
            Self::Host(_) => own("host"),
            Self::Interrupted { .. } => own("interrupted"),
            Self::BrokenPipe => return None,
        };
        Some(json!({"error": error}))
    }

    /// Returns the sentence, with its causes.
    fn message(&self) -> String {
        match self {
            Self::Usage(message) => message.clone(),
            Self::Call(error) => match &**error {
                Error::Action(ActionError { kind, denial: Some(denial), .. }) => {
                    format!("{kind}: {}", remedy::sentence(denial))
                }
                error => chain(error),
            },
            Self::Host(error) => format!("{error:#}"),
            Self::Interrupted { consequence } => format!("interrupted: {consequence}"),
            Self::BrokenPipe => String::new(),
        }
    }
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let next = error.to_string();
        // Some causes repeat what they caused.
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// Reports a failure and returns the code.
pub(crate) fn code(result: Result<Exit, Failure>, report: fn(&Failure)) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            report(&failure);
            failure.exit().into()
        }
    }
}

/// Reports for programs: one line of JSON on stderr.
pub(crate) fn report_json(failure: &Failure) {
    if let Some(json) = failure.json() {
        eprintln!("{json}");
    }
}

/// Reports for people.
pub(crate) fn report_text(failure: &Failure) {
    if !matches!(failure, Failure::BrokenPipe) {
        eprintln!("error: {}", failure.message());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_tell_apart_who_must_act() {
        let action = |kind| Failure::from(Error::Action(ActionError::new(kind, "…")));
        for (failure, expected) in [
            (action(ErrorKind::NotFound), Exit::Action),
            (action(ErrorKind::OutcomeUnknown), Exit::Action),
            (action(ErrorKind::PolicyDenied), Exit::Action),
            (action(ErrorKind::InvalidInput), Exit::Usage),
            (Failure::Usage(String::new()), Exit::Usage),
            (
                Failure::from(Error::from(
                    "no domain"
                        .parse::<auth0_host::Domain>()
                        .map_err(auth0_host::SettingsError::from)
                        .unwrap_err(),
                )),
                Exit::Usage,
            ),
            (Failure::from(Error::Timeout { after: std::time::Duration::ZERO }), Exit::Host),
            (Failure::Host(anyhow::anyhow!("…")), Exit::Host),
            (Failure::Interrupted { consequence: String::new() }, Exit::Interrupted),
            (Failure::BrokenPipe, Exit::Done),
        ] {
            assert_eq!(failure.exit(), expected, "{failure:?}");
        }
    }

    #[test]
    fn an_error_of_an_action_is_printed_with_what_is_known_and_nothing_else() {
        let mut error = ActionError::new(ErrorKind::NotFound, "no such user");
        error.status = Some(404);
        error.error_code = Some("inexistent_user".into());
        let json = Failure::from(Error::Action(error)).json().unwrap();
        let expected = json!({"error": {
            "kind": "missing", "message": "no such user", "status": 404, "error_code": "inexistent_user",
        }});
        assert_eq!(json, expected);
    }
}
