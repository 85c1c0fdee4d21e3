//! Takes secrets out of answers.
//!
//! A new secret is a member of the answer itself: whoever may write an application's metadata can put another
//! `client_secret` there, and even a `client_id` beside it. What is shown may stand anywhere.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{
    document::{self, Numbers},
    pattern::{Last, Pattern, Progress},
    rules::{Expected, Found, members_below},
};
use crate::{
    secret::Secret,
    secrets::{SCHEME, SecretName, deliveries::Deliveries},
};

/// Members that name an element of a list, the best first.
const NAMES: [&str; 4] = ["id", "kid", "name", "header"];

/// An answer without its secrets, and those that are new.
pub(super) struct Extracted {
    pub(super) clean: Bytes,
    pub(super) made: Vec<(SecretName, Secret)>,
}

impl Expected {
    /// Returns whether there is nothing to look for: the bytes are text, and none of the names is in them, quoted or
    /// not. Most answers are passed on for this, unparsed. Where it is known what is answered, they are a whole object
    /// or array besides: a piece of one may be a secret without its name.
    pub(super) fn cannot_be_in(&self, body: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(body) else { return false };
        let trimmed = text.trim_ascii();
        let whole = trimmed.starts_with('{') && trimmed.ends_with('}')
            || trimmed.starts_with('[') && trimmed.ends_with(']');
        // Names are ASCII, so only an escape of ASCII could spell one, or UTF-16, which has zeros between the letters.
        (whole || !self.documented())
            && !text.contains(r"\u00")
            && !text.contains('\0')
            && !self.0.iter().flat_map(Found::members).any(|secret| says(text, secret))
    }

    /// Takes the secrets out of the answer to a request that made some. `None` where the body is not what the tenant
    /// answers: no JSON, only a piece of it, or without the secret that must be in it.
    pub(super) fn take(&self, body: &[u8], deliveries: &Deliveries) -> Option<Extracted> {
        let (mut answer, numbers) = document::read(body)?;
        let object = answer.as_object_mut()?;
        let (mut made, mut handles) = (Vec::new(), Vec::new());
        for found in &self.0 {
            let id = found.id_in(object).unwrap_or_else(|| found.id.clone());
            for member in found.made().iter().chain(found.may_make()) {
                let value =
                    object.get_mut(*member).filter(|value| !is_empty(value) && !is_any(value, &handles));
                let Some(value) = value else { continue };
                if found.id_member.is_some() && id.is_empty() {
                    return None;
                }
                let name = deliveries.name(&found.above, &id, &[member]);
                let secret = replace(value, &name, &numbers);
                handles.push(name.to_string());
                made.push((name, secret));
            }
        }
        if made.is_empty() && self.0.iter().any(|found| !found.made().is_empty()) {
            return None;
        }
        Some(Extracted { clean: self.mask(answer, &numbers, deliveries, &handles), made })
    }

    /// Takes the secrets out of an answer that shows them. `None` as in [`Expected::take`].
    pub(super) fn hide(&self, body: &[u8], deliveries: &Deliveries) -> Option<Bytes> {
        let (answer, numbers) = document::read(body)?;
        // Anything else may be a piece of an answer: a text alone may be a secret.
        (answer.is_object() || answer.is_array()).then(|| self.mask(answer, &numbers, deliveries, &[]))
    }

    /// Replaces what is left of secrets, but for the handles of those that are new.
    fn mask(
        &self,
        mut answer: Value,
        numbers: &Numbers<'_>,
        deliveries: &Deliveries,
        handles: &[String],
    ) -> Bytes {
        for found in &self.0 {
            let mut mask = Mask { found, deliveries, handles, numbers, id: None, path: Vec::new() };
            mask.within(&mut answer, &Progress::new(found.members()));
        }
        Bytes::from(numbers.write(&answer))
    }
}

impl Found {
    /// Returns the id that an object has, where it is the thing that the handle names.
    fn id_in(&self, object: &Map<String, Value>) -> Option<String> {
        let id = object.get(self.id_member?)?.as_str()?;
        (!id.is_empty()).then(|| id.to_owned())
    }
}

/// Returns whether a text has the name of a secret in it.
fn says(text: &str, secret: &Pattern) -> bool {
    // Without a name of its own it is somewhere below one; without any it is everywhere.
    let name = match secret.last {
        Last::Member(name) | Last::Text(name) => Some(name),
        Last::Any | Last::AnyBut(_) => secret.above.last().copied(),
    };
    name.is_none_or(|name| text.contains(name))
}

/// Replaces the secrets of one answer. Goes no deeper than the parser, which stops at 128 levels.
struct Mask<'a> {
    found: &'a Found,
    deliveries: &'a Deliveries,
    handles: &'a [String],
    numbers: &'a Numbers<'a>,
    /// The id of the thing that is gone through; the outermost object that has one is the thing.
    id: Option<String>,
    /// The way from the thing, or from the answer where no thing is met.
    path: Vec<String>,
}

impl Mask<'_> {
    fn within(&mut self, value: &mut Value, progress: &Progress) {
        match value {
            Value::Array(items) => {
                for (number, item) in items.iter_mut().enumerate() {
                    if item.is_object() || item.is_array() {
                        self.path.push(label(item, number));
                        self.within(item, progress);
                        self.path.pop();
                    }
                }
            }
            Value::Object(object) => {
                let own = if self.id.is_none() { self.found.id_in(object) } else { None };
                let before = own.is_some().then(|| std::mem::take(&mut self.path));
                if own.is_some() {
                    self.id = own;
                }
                for (name, value) in object {
                    self.path.push(name.clone());
                    if !progress.ends_in(name, value) {
                        if value.is_object() || value.is_array() {
                            self.within(value, &progress.below(name));
                        }
                    } else if !is_empty(value) && !is_any(value, self.handles) {
                        drop(replace(value, &self.name(), self.numbers));
                    }
                    self.path.pop();
                }
                if let Some(before) = before {
                    (self.id, self.path) = (None, before);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn name(&self) -> SecretName {
        let id = self.id.as_deref().unwrap_or(&self.found.id);
        self.deliveries.name(&self.found.above, id, &self.path)
    }
}

/// Names an element of a list.
fn label(item: &Value, number: usize) -> String {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    // Identities: an id is the provider's own, and another provider may have the same.
    if let (Some(provider), Some(id)) = (text("provider"), text("user_id")) {
        return format!("{provider}|{id}");
    }
    NAMES.into_iter().find_map(text).map_or_else(|| number.to_string(), str::to_owned)
}

/// Returns whether a value is none: absent, a flag, or empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

fn is_any(value: &Value, handles: &[String]) -> bool {
    value.as_str().is_some_and(|text| handles.iter().any(|handle| handle == text))
}

/// Puts the handle in the place of a secret.
fn replace(value: &mut Value, name: &SecretName, numbers: &Numbers<'_>) -> Secret {
    match std::mem::replace(value, Value::String(name.to_string())) {
        Value::String(secret) => Secret::new(secret),
        other => Secret::new(numbers.write(&other)),
    }
}

/// Returns whether a body sets a secret to a handle: a workflow that writes back what it read. Everybody may know a
/// handle. What stands in metadata is the workflow's own affair.
pub(crate) fn writes_handle(path: &str, body: &[u8]) -> bool {
    fn is_handle(value: &Value) -> bool {
        match value {
            Value::String(text) => text.starts_with(SCHEME),
            Value::Array(items) => items.iter().any(is_handle),
            Value::Object(members) => members.values().any(is_handle),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    fn within(value: &Value, progress: &Progress) -> bool {
        match value {
            Value::Array(items) => items.iter().any(|item| within(item, progress)),
            Value::Object(members) => {
                members.iter().filter(|(name, _)| !name.ends_with("metadata")).any(|(name, value)| {
                    if progress.ends_in(name, value) {
                        is_handle(value)
                    } else {
                        within(value, &progress.below(name))
                    }
                })
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }
    // Most bodies have nothing like it, and are not parsed. JSON may escape the slashes, and any letter as `\u0061`.
    let scheme = SCHEME.trim_end_matches("//").as_bytes();
    let has = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
    (has(scheme) || has(br"\u"))
        && document::read(body).is_some_and(|(body, _)| within(&body, &Progress::new(members_below(path))))
}
