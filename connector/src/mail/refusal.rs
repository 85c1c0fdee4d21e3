//! Why a provider did not take a message.

use std::fmt;

use serde_json::Value;

/// Longest message kept of a provider's answer: they are a sentence or two, and this is five lines of a terminal.
const MAX_MESSAGE: usize = 400;

/// What a refusal means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum RefusalKind {
    /// The key is missing, wrong or revoked.
    Unauthenticated,
    /// The key may not do this, or the sender is not verified with the provider.
    Forbidden,
    /// Too many messages; later one like it may pass.
    Throttled,
    /// This message will not be taken, however often it is sent.
    Rejected,
    /// The provider failed; whether it has the message is not known.
    Unavailable,
    /// An answer that the provider does not document; whether it has the message is not known.
    Unexpected,
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::Throttled => "throttled",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::Unexpected => "unexpected answer",
        })
    }
}

/// A message that the provider did not take, or is not known to have taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {kind} (status {status}): {message}", verdict(*.kind))]
pub(crate) struct Refusal {
    kind: RefusalKind,
    status: u16,
    message: String,
}

impl Refusal {
    pub(super) fn new(kind: RefusalKind, status: u16, message: &str) -> Self {
        let message = cut(message, MAX_MESSAGE);
        let message = if message.is_empty() { "no message".to_owned() } else { message };
        Self { kind, status, message }
    }

    /// Reads an answer with a status other than 2xx. `code` is the error's name where a header has it (AWS).
    pub(super) fn from_answer(status: u16, code: Option<&str>, body: &Value) -> Self {
        let by_status = match status {
            401 => RefusalKind::Unauthenticated,
            403 => RefusalKind::Forbidden,
            // 420 is SparkPost's "exceed sending limit".
            420 | 429 => RefusalKind::Throttled,
            408 | 500..=599 => RefusalKind::Unavailable,
            400..=499 => RefusalKind::Rejected,
            _ => RefusalKind::Unexpected,
        };
        // AWS may put a URL behind the name.
        let code = code.and_then(|code| code.split(':').next());
        // Mandrill answers 500 to most of what is the caller's fault, Resend and AWS 403 to a wrong key.
        let kind = match code.or_else(|| body.get("name").and_then(Value::as_str)) {
            Some(
                "Invalid_Key"
                | "invalid_api_key"
                | "missing_api_key"
                | "UnrecognizedClientException"
                | "InvalidSignatureException"
                | "SignatureDoesNotMatch"
                | "MissingAuthenticationTokenException"
                | "IncompleteSignatureException"
                | "InvalidClientTokenId"
                | "ExpiredTokenException",
            ) => RefusalKind::Unauthenticated,
            Some("LimitExceededException" | "ThrottlingException") => RefusalKind::Throttled,
            Some("ValidationError" | "Unknown_Subaccount" | "Unknown_Template") => RefusalKind::Rejected,
            Some("PaymentRequired" | "PoorReputation") => RefusalKind::Forbidden,
            _ => by_status,
        };
        Self::new(kind, status, &words(body))
    }

    /// Returns what the refusal means for the caller.
    pub(crate) fn kind(&self) -> RefusalKind {
        self.kind
    }

    /// Returns the status of the provider's answer.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// Returns the provider's own words, cut to a readable length.
    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

fn verdict(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Unavailable | RefusalKind::Unexpected => {
            "the email provider may have taken the message; look there before sending it again"
        }
        _ => "the email provider did not take the message",
    }
}

/// Finds the message in an answer: `{"errors":[{"message","description"?,"field"?}]}` of SendGrid and SparkPost,
/// `{"error":{"code","message"}}` of Azure and Graph, `{"message"}` of the others, or a plain text.
fn words(body: &Value) -> String {
    if let Value::String(text) = body {
        // A page of a proxy says nothing that fits in a line.
        return if text.trim_start().starts_with('<') { String::new() } else { text.clone() };
    }
    let text = |value: &Value, name| value.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(errors) = body.get("errors").and_then(Value::as_array) {
        let one = |error: &Value| {
            let message = text(error, "message")?;
            Some(match text(error, "description").or_else(|| text(error, "field")) {
                Some(more) => format!("{message} ({more})"),
                None => message,
            })
        };
        return errors.iter().filter_map(one).collect::<Vec<_>>().join("; ");
    }
    if let Some(error) = body.get("error").filter(|error| error.is_object()) {
        return match (text(error, "code"), text(error, "message")) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (code, message) => message.or(code).unwrap_or_default(),
        };
    }
    text(body, "message").or_else(|| text(body, "error")).unwrap_or_default()
}

/// Puts a text on one line of a bounded length.
pub(super) fn cut(text: &str, length: usize) -> String {
    let mut short: String = text
        .trim()
        .chars()
        .take(length)
        .map(|char| if char.is_control() || matches!(char, '\u{2028}' | '\u{2029}') { ' ' } else { char })
        .collect();
    if text.trim().chars().nth(length).is_some() {
        short.push('…');
    }
    short
}
