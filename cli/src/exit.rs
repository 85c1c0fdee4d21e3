//! How a command ends: a code for scripts, a sentence for people.

use std::process::ExitCode;

use auth0_host::{Disposition, Error, ErrorCode, Json, printable};
use serde_json::json;

use super::{print, remedy};

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
    /// Something else on this machine, before anything was done.
    Host(anyhow::Error),
    /// Something on this machine when the work was done, or had begun: its result or its secrets are not where they belong.
    Afterwards(anyhow::Error),
    /// Ctrl-C.
    Interrupted {
        /// What that means for what was running.
        consequence: String,
        /// What the caller can do about it.
        disposition: Disposition,
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
                Error::Action(error) if error.code == ErrorCode::InvalidInput => Exit::Usage,
                Error::Action(_) => Exit::Action,
                _ => Exit::Host,
            },
            Self::Host(_) | Self::Afterwards(_) => Exit::Host,
            Self::Interrupted { .. } => Exit::Interrupted,
            Self::BrokenPipe => Exit::Done,
        }
    }

    /// Returns the object that `run` prints. Codes that no action answers are `usage`, `host` and `interrupted`.
    fn json(&self) -> Option<Json> {
        let own = |disposition: Disposition, code: &str| {
            Json::from(json!({"disposition": disposition, "code": code, "message": self.message()}))
        };
        let error = match self {
            Self::Usage(_) => own(Disposition::FixInput, "usage"),
            Self::Call(error) => match &**error {
                Error::Action(error) => {
                    let mut error = error.clone();
                    if let Some(denial) = error.denial.take() {
                        error.message = remedy::sentence(&denial);
                    }
                    // An error is always JSON: its parts are texts, numbers, and JSON.
                    Json::of(&error).unwrap_or_else(|_| own(error.disposition, error.code.as_str()))
                }
                Error::Settings(_) => own(Disposition::FixInput, "usage"),
                error => own(error.disposition(), "host"),
            },
            Self::Host(_) => own(Disposition::GiveUp, "host"),
            Self::Afterwards(_) => own(Disposition::VerifyFirst, "host"),
            Self::Interrupted { disposition, .. } => own(*disposition, "interrupted"),
            Self::BrokenPipe => return None,
        };
        Some(Json::object([("error", error)]))
    }

    /// Returns the sentence, with its causes.
    fn message(&self) -> String {
        match self {
            Self::Usage(message) => message.clone(),
            Self::Call(error) => match &**error {
                Error::Action(error) => match &error.denial {
                    Some(denial) => printable::line(&format!("{}: {}", error.code, remedy::sentence(denial))),
                    None => printable::line(&error.to_string()),
                },
                error => chain(error),
            },
            Self::Host(error) | Self::Afterwards(error) => format!("{error:#}"),
            Self::Interrupted { consequence, .. } => format!("interrupted: {consequence}"),
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
        print::stderr(format_args!("{}", printable::json(json.as_str())));
    }
}

/// Reports for people.
pub(crate) fn report_text(failure: &Failure) {
    if !matches!(failure, Failure::BrokenPipe) {
        print::stderr(format_args!("error: {}", indented(&failure.message())));
    }
}

/// Indents what follows the first line: a text that others wrote does not pass for a line of this program.
fn indented(message: &str) -> String {
    message.replace('\n', "\n  ")
}

#[cfg(test)]
mod tests {
    use auth0_host::ActionError;

    use super::*;

    fn interrupted(disposition: Disposition) -> Failure {
        Failure::Interrupted { consequence: String::new(), disposition }
    }

    #[test]
    fn exit_codes_tell_apart_who_must_act() {
        let action = |code| Failure::from(Error::from(ActionError::new(code, "…")));
        for (failure, expected) in [
            (action(ErrorCode::NotFound), Exit::Action),
            (action(ErrorCode::OutcomeUnknown), Exit::Action),
            (action(ErrorCode::PolicyDenied), Exit::Action),
            (action(ErrorCode::InvalidInput), Exit::Usage),
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
            (Failure::Afterwards(anyhow::anyhow!("…")), Exit::Host),
            (interrupted(Disposition::VerifyFirst), Exit::Interrupted),
            (Failure::BrokenPipe, Exit::Done),
        ] {
            assert_eq!(failure.exit(), expected, "{failure:?}");
        }
    }

    #[test]
    fn an_error_of_an_action_is_printed_with_what_is_known_and_nothing_else() {
        let mut error = ActionError::new(ErrorCode::NotFound, "no such user");
        error.status = Some(404);
        error.error_code = Some("inexistent_user".into());
        let json = Failure::from(Error::from(error)).json().unwrap();
        let expected = json!({"error": {
            "disposition": "fix-input", "code": "not-found", "message": "no such user", "status": 404,
            "error_code": "inexistent_user",
        }});
        assert_eq!(json, expected);
    }

    /// Guards a terminal against what a component or a tenant says.
    #[test]
    fn an_error_of_an_action_cannot_steer_a_terminal_or_pretend_to_be_another_line() {
        let hostile = "no\u{1b}[2Ksuch\u{202e}user\nerror: all is well";
        let failure = Failure::from(Error::from(ActionError::new(ErrorCode::NotFound, hostile)));
        assert_eq!(failure.message(), "not-found: no\\u{1b}[2Ksuch\\u{202e}user\\u{a}error: all is well");
        assert_eq!(
            failure.json().unwrap().get("/error/message").unwrap().deserialize::<String>().unwrap(),
            hostile
        );
    }

    #[test]
    fn no_line_of_a_host_s_error_looks_like_another_error() {
        let problem = "it is no component\nerror: all is well".to_owned();
        let failure = Failure::from(Error::InvalidComponent { problem, source: None });
        let shown = indented(&failure.message());
        assert_eq!(shown.lines().skip(1).collect::<Vec<_>>(), ["  error: all is well"]);
    }

    #[test]
    fn errors_of_the_program_have_a_code_and_a_disposition_too() {
        for (failure, disposition, code) in [
            (Failure::Usage(String::new()), "fix-input", "usage"),
            (Failure::Host(anyhow::anyhow!("…")), "give-up", "host"),
            (Failure::Afterwards(anyhow::anyhow!("…")), "verify-first", "host"),
            (Failure::from(Error::Timeout { after: std::time::Duration::ZERO }), "verify-first", "host"),
            (interrupted(Disposition::VerifyFirst), "verify-first", "interrupted"),
            (interrupted(Disposition::RetryLater), "retry-later", "interrupted"),
        ] {
            let error = &failure.json().unwrap().to_value().unwrap()["error"];
            assert_eq!(
                (&error["disposition"], &error["code"]),
                (&json!(disposition), &json!(code)),
                "{failure:?}"
            );
        }
    }
}
