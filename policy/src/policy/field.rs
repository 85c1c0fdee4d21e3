//! Which members of a body may be written.
//!
//! The body is read as the tenant reads it: JSON and said to be JSON, since Auth0 takes forms for nearly all writes,
//! and with each key once, since of two equal keys one parser takes the first and another the last.

use std::{collections::BTreeMap, fmt, str::FromStr};

use http::{HeaderMap, header};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::located::Located;
use crate::{bounded_text::kept, private_path::MASK};

/// A member of a JSON body, with all that is in it: `blocked`, `app_metadata.plan`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldPath(Vec<String>);

impl FieldPath {
    /// Returns the names, outermost first.
    pub(super) fn names(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// Why a text is not a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a field: write the name of a member of the JSON body, such as `blocked`, or several with dots, such as \
     `app_metadata.plan`; a field stands for all that is in it, and there are no wildcards"
)]
pub(super) struct FieldPathError(String);

impl FromStr for FieldPath {
    type Err = FieldPathError;

    fn from_str(text: &str) -> Result<Self, FieldPathError> {
        let wrong = |c: char| c.is_control() || c.is_whitespace() || "*[]{}\"'`\\/".contains(c);
        let names: Vec<String> = text.split('.').map(str::to_owned).collect();
        if names.iter().any(|name| name.is_empty() || name.contains(wrong)) {
            return Err(FieldPathError(text.to_owned()));
        }
        Ok(Self(names))
    }
}

/// The members that may be written. One without members of its own may be written with all that is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(BTreeMap<String, Fields>);

impl Fields {
    /// Adds a field; `false` where it, or one that it is in, or one that is in it is there already.
    pub(super) fn add(&mut self, field: &FieldPath) -> bool {
        let mut at = self;
        for (depth, name) in field.names().iter().enumerate() {
            let last = depth + 1 == field.names().len();
            match at.0.get(name) {
                Some(known) if last || known.0.is_empty() => return false,
                _ => {}
            }
            at = at.0.entry(name.clone()).or_default();
        }
        true
    }

    /// Returns whether a member, or part of it, may be written.
    pub(super) fn permit(&self, path: &str) -> bool {
        let mut at = self;
        for name in path.split('.') {
            match at.0.get(name) {
                Some(inner) if inner.0.is_empty() => return true,
                Some(inner) => at = inner,
                None => return false,
            }
        }
        true
    }

    /// Lists the fields.
    pub(super) fn list(&self) -> Vec<String> {
        let inner = |(name, fields): (&String, &Self)| {
            let list = fields.list();
            if list.is_empty() {
                vec![name.clone()]
            } else {
                list.iter().map(|field| format!("{name}.{field}")).collect()
            }
        };
        self.0.iter().flat_map(inner).collect()
    }

    /// Checks that a body writes nothing else.
    ///
    /// # Errors
    ///
    /// A phrase that goes on from "the body".
    pub(super) fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), FieldProblem> {
        if body.is_empty() {
            return Ok(());
        }
        if !is_json(headers) {
            return Err(FieldProblem::MediaType);
        }
        let body = serde_json::from_slice(body).map_err(|error| FieldProblem::Json(error.to_string()))?;
        let Json::Object(members) = body else { return Err(FieldProblem::NoObject) };
        self.check_members(&members, "")
    }

    fn check_members(&self, members: &[(String, Json)], within: &str) -> Result<(), FieldProblem> {
        for (name, value) in members {
            let path = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
            match (self.0.get(name), value) {
                (None, _) => return Err(FieldProblem::Field(path)),
                (Some(all), _) if all.0.is_empty() => {}
                // Auth0 takes `{}` and `null` for "remove all", and a text or a list in its place would too.
                (Some(some), Json::Object(inner)) if !inner.is_empty() => some.check_members(inner, &path)?,
                (Some(_), _) => return Err(FieldProblem::Replaced(path)),
            }
        }
        Ok(())
    }
}

/// Fields of some requests, and the rule as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldRule<R> {
    pub(super) on: Located<R>,
    pub(super) fields: Fields,
}

/// Why a body is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldProblem {
    /// It writes a member that no rule names.
    #[error("writes `{}`", shown(.0))]
    Field(String),
    /// It replaces a member of which only a part may be written.
    #[error("replaces the whole of `{}`, of which only a part may be written", shown(.0))]
    Replaced(String),
    /// It is JSON, and no object.
    #[error("is not a JSON object")]
    NoObject,
    /// It is not said to be JSON.
    #[error("is not sent as `content-type: application/json`, and only JSON is checked")]
    MediaType,
    /// It is not JSON, or has a key twice.
    #[error("is not JSON with each key once: {0}")]
    Json(String),
}

impl FieldProblem {
    /// Cuts the member, which is the guest's own text.
    pub(crate) fn bounded(self) -> Self {
        match self {
            Self::Field(path) => Self::Field(kept(path)),
            Self::Replaced(path) => Self::Replaced(kept(path)),
            Self::Json(problem) => Self::Json(kept(problem)),
            Self::NoObject | Self::MediaType => self,
        }
    }

    /// Returns it without the member, which is the guest's own text, and without what the parser quotes.
    pub(crate) fn masked(&self) -> String {
        match self {
            Self::Field(_) => Self::Field(MASK.to_owned()),
            Self::Replaced(_) => Self::Replaced(MASK.to_owned()),
            Self::Json(_) => Self::Json(MASK.to_owned()),
            Self::NoObject | Self::MediaType => self.clone(),
        }
        .to_string()
    }
}

/// A key is the guest's own text.
fn shown(path: &str) -> String {
    /// Longer than any member of Auth0's bodies.
    const LONGEST: usize = 80;
    path.chars().take(LONGEST).flat_map(char::escape_debug).collect()
}

/// Returns whether the one content type is JSON, in UTF-8.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return false };
    let text = only.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    parts.next() == Some("application/json")
        && parts.all(|parameter| matches!(parameter, "charset=utf-8" | "charset=\"utf-8\""))
        && !headers.contains_key(header::CONTENT_ENCODING)
}

/// As much of a JSON value as the rules ask for.
#[derive(Debug, PartialEq)]
pub(crate) enum Json {
    Object(Vec<(String, Json)>),
    Other,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Json>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("an object has a key twice"));
            }
        }
        Ok(Json::Object(members.into_iter().collect()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        while list.next_element::<Json>()?.is_some() {}
        Ok(Json::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(paths: &[&str]) -> Fields {
        let mut fields = Fields::default();
        for path in paths {
            assert!(fields.add(&path.parse().unwrap()), "{path}");
        }
        fields
    }

    fn headers(content_type: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        headers
    }

    #[test]
    fn a_body_may_write_what_is_named_and_nothing_else() {
        let allowed = fields(&["blocked", "user_metadata", "app_metadata.plan"]);
        for (body, problem) in [
            ("", ""),
            ("{}", ""),
            ("{\"blocked\": true}", ""),
            ("{\"\\u0062locked\": true}", ""),
            ("{\"user_metadata\": {\"a\": [{\"b\": null}]}}", ""),
            ("{\"user_metadata\": null}", ""),
            ("{\"app_metadata\": {\"plan\": {\"any\": 1}}}", ""),
            ("{\"email\": \"a@b.c\"}", "writes `email`"),
            ("{\"blocked\": true, \"email\": 1}", "writes `email`"),
            ("{\"Blocked\": true}", "writes `Blocked`"),
            ("{\"blocked \": true}", "writes `blocked `"),
            ("{\"blocked\\u0000\": true}", "writes `blocked\\0`"),
            ("{\"app_metadata.plan\": 1}", "writes `app_metadata.plan`"),
            ("{\"app_metadata\": {\"plan\": 1, \"roles\": []}}", "writes `app_metadata.roles`"),
            ("{\"app_metadata\": {}}", "whole of `app_metadata`"),
            ("{\"app_metadata\": null}", "whole of `app_metadata`"),
            ("{\"app_metadata\": \"x\"}", "whole of `app_metadata`"),
            ("{\"app_metadata\": [{\"plan\": 1}]}", "whole of `app_metadata`"),
            ("{\"blocked\": true, \"blocked\": false}", "twice"),
            ("{\"user_metadata\": {\"a\": 1, \"\\u0061\": 2}}", "twice"),
            ("[{\"blocked\": true}]", "is not a JSON object"),
            ("\"blocked\"", "is not a JSON object"),
            ("null", "is not a JSON object"),
            ("{\"blocked\": true} {\"email\": 1}", "not JSON"),
            ("{\"blocked\": true}&email=x", "not JSON"),
            ("blocked=true&email=x", "not JSON"),
            ("\u{feff}{\"blocked\": true}", "not JSON"),
            ("{\"blocked\": true,}", "not JSON"),
            ("{'blocked': true}", "not JSON"),
            ("{\"blocked\": true /* email */}", "not JSON"),
            ("{\"blocked\": NaN}", "not JSON"),
            (" ", "not JSON"),
        ] {
            let result = allowed.check(&headers("application/json"), body.as_bytes());
            match result {
                Ok(()) => assert_eq!(problem, "", "{body} was let through"),
                Err(error) => {
                    let error = error.to_string();
                    assert!(!problem.is_empty() && error.contains(problem), "{body}: {error}");
                }
            }
        }
        let deep = "[".repeat(10_000);
        assert!(allowed.check(&headers("application/json"), deep.as_bytes()).is_err());
        assert!(allowed.check(&headers("application/json"), b"{\"blocked\": \"\xff\"}").is_err());
    }

    #[test]
    fn a_body_that_is_not_said_to_be_json_is_refused() {
        let allowed = fields(&["nickname"]);
        // Read as a form this writes `blocked`.
        let body = b"{\"nickname\": \"&blocked=true&\"}";
        for (content_type, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/json; charset=utf-16", false),
            ("application/json; boundary=x", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
            ("text/plain", false),
            ("application/merge-patch+json", false),
            ("application/json, application/x-www-form-urlencoded", false),
        ] {
            assert_eq!(allowed.check(&headers(content_type), body).is_ok(), expected, "{content_type}");
        }
        assert_eq!(allowed.check(&HeaderMap::new(), body), Err(FieldProblem::MediaType));
        let mut two = headers("application/json");
        two.append(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
        assert_eq!(allowed.check(&two, body), Err(FieldProblem::MediaType));
        let mut packed = headers("application/json");
        packed.insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        assert_eq!(allowed.check(&packed, body), Err(FieldProblem::MediaType));
    }

    #[test]
    fn a_field_is_a_name_or_names_with_dots() {
        for text in ["blocked", "app_metadata.plan", "a.b.c", "$ref", "x-y"] {
            assert_eq!(text.parse::<FieldPath>().unwrap().to_string(), text);
        }
        for text in ["", ".", "a.", ".a", "a..b", "*", "app_metadata.*", "a[0]", "a b", "\"a\"", "/a/b"] {
            assert!(text.parse::<FieldPath>().is_err(), "{text:?} was taken");
        }
        let mut fields = fields(&["a.b", "c"]);
        for taken in ["a.b", "a", "a.b.c", "c", "c.d"] {
            assert!(!fields.add(&taken.parse().unwrap()), "{taken}");
        }
        assert_eq!(fields.list(), ["a.b", "c"]);
    }
}
