//! JSON as it was written: inputs and results of actions, with their digits.
//!
//! A tree of values was not taken. It reads a number into a float, so that an id of 20 digits comes out as another one; a
//! parser that keeps the digits (`arbitrary_precision`) is switched on for a whole program, and changes how the embedder's
//! own floats are read. And most engines pass a result on: the text that the component made is checked once, kept, and
//! handed out as it is.

mod elements;
mod error;
mod read;

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

pub use self::error::JsonError;

/// A JSON document as text. It is checked once, when it is made; numbers keep their digits. Cheap to clone.
///
/// ```
/// use auth0_host::Json;
/// use serde_json::json;
///
/// let user = Json::parse(r#"{"user_id": "auth0|1", "logins": [12345678901234567890123]}"#)?;
/// assert_eq!(user.get("/logins/0").unwrap().as_str(), "12345678901234567890123");
/// assert_eq!(user.get("/user_id").unwrap().deserialize::<String>()?, "auth0|1");
/// // From a tree of values, and into one; a tree holds such a number as a float.
/// assert_eq!(Json::from(json!({"a": [1, 2]})).as_str(), r#"{"a":[1,2]}"#);
/// assert_eq!(user.to_value()?["user_id"], "auth0|1");
/// // What an action answers is about persons.
/// assert_eq!(format!("{user:?}"), "Json { bytes: 59 }");
/// # Ok::<(), auth0_host::JsonError>(())
/// ```
///
/// It is written and read by serde as what it is with serde_json alone: other formats have no place for JSON text.
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

/// A part of a [`Json`], as it stands there.
#[derive(Clone, Copy)]
pub struct JsonView<'a>(&'a RawValue);

impl Json {
    /// Takes a text, without the space around it.
    ///
    /// # Errors
    ///
    /// Where it is not JSON, with the place.
    pub fn parse(text: impl Into<String>) -> Result<Self, JsonError> {
        RawValue::from_string(text.into()).map(Self::from_raw).map_err(JsonError::reading)
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    ///
    /// Where its type has no form in JSON, such as a map whose keys are not texts.
    pub fn of(value: &(impl Serialize + ?Sized)) -> Result<Self, JsonError> {
        to_raw_value(value).map(Self::from_raw).map_err(|error| JsonError(error::Problem::Unwritable(error)))
    }

    /// Puts an object together. A name stands there as often as it is given.
    pub fn object<N: Into<String>, V: Into<Self>>(members: impl IntoIterator<Item = (N, V)>) -> Self {
        let members = members.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        written(&Members(members))
    }

    /// Puts an array together.
    pub fn array<V: Into<Self>>(items: impl IntoIterator<Item = V>) -> Self {
        written(&items.into_iter().map(Into::into).collect::<Vec<Self>>())
    }

    /// Returns `null`.
    pub fn null() -> Self {
        Self::from_raw(RawValue::NULL.to_owned())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Whether it is an object.
    pub(crate) fn is_object(&self) -> bool {
        self.as_str().starts_with('{')
    }

    /// Returns the whole document as a part.
    pub fn view(&self) -> JsonView<'_> {
        JsonView(&self.0)
    }

    /// Finds what a pointer (RFC 6901: `/items/0/user_id`) names, without building a tree.
    pub fn get(&self, pointer: &str) -> Option<JsonView<'_>> {
        self.view().get(pointer)
    }

    /// Lists the items of an array.
    ///
    /// # Errors
    ///
    /// As [`JsonView::items`].
    pub fn items(&self) -> Result<Vec<JsonView<'_>>, JsonError> {
        self.view().items()
    }

    /// Lists the members of an object in their order.
    ///
    /// # Errors
    ///
    /// As [`JsonView::members`].
    pub fn members(&self) -> Result<Vec<(String, JsonView<'_>)>, JsonError> {
        self.view().members()
    }

    /// Builds a tree of it.
    ///
    /// # Errors
    ///
    /// As [`JsonView::to_value`].
    pub fn to_value(&self) -> Result<Value, JsonError> {
        self.view().to_value()
    }

    /// Reads it into a type.
    ///
    /// # Errors
    ///
    /// As [`JsonView::deserialize`].
    pub fn deserialize<'a, T: Deserialize<'a>>(&'a self) -> Result<T, JsonError> {
        self.view().deserialize()
    }

    fn from_raw(raw: Box<RawValue>) -> Self {
        Self(raw.into())
    }
}

impl<'a> JsonView<'a> {
    /// Returns the text.
    pub fn as_str(self) -> &'a str {
        self.0.get()
    }

    /// Finds what a pointer (RFC 6901) names below this part, without building a tree.
    pub fn get(self, pointer: &str) -> Option<Self> {
        read::find(self.0, pointer).map(Self)
    }

    /// Lists the items of an array.
    ///
    /// # Errors
    ///
    /// Where it is no array, or has more than a million elements, those of its items included.
    pub fn items(self) -> Result<Vec<Self>, JsonError> {
        elements::check(self.as_str())?;
        Ok(read::items(self.0)?.into_iter().map(Self).collect())
    }

    /// Lists the members of an object in their order. Of several of one name the last one counts.
    ///
    /// # Errors
    ///
    /// Where it is no object, or has more than a million elements, those of its members included.
    pub fn members(self) -> Result<Vec<(String, Self)>, JsonError> {
        elements::check(self.as_str())?;
        Ok(read::members(self.0)?.into_iter().map(|(name, value)| (name, Self(value))).collect())
    }

    /// Builds a tree of it. Numbers become integers of 64 bits or floats.
    ///
    /// # Errors
    ///
    /// Where it has more than a million elements: a tree takes some hundred times as much memory as such a text. Where a
    /// number is too large for a float, a text has half of a surrogate pair, or something is deeper than 128 levels.
    pub fn to_value(self) -> Result<Value, JsonError> {
        self.deserialize()
    }

    /// Reads it into a type.
    ///
    /// # Errors
    ///
    /// As [`JsonView::to_value`]; and where the type has another shape. The error does not repeat what is there: who wants
    /// the parser's words, with their values, reads [`JsonView::as_str`].
    pub fn deserialize<T: Deserialize<'a>>(self) -> Result<T, JsonError> {
        elements::check(self.as_str())?;
        serde_json::from_str(self.as_str()).map_err(JsonError::reading)
    }
}

/// Members of an object that is put together.
struct Members(Vec<(String, Json)>);

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Writes what always has a form in JSON: the names of its members are texts.
fn written(value: &impl Serialize) -> Json {
    to_raw_value(value).map_or_else(|_| Json::null(), Json::from_raw)
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        written(&value)
    }
}

impl From<JsonView<'_>> for Json {
    fn from(part: JsonView<'_>) -> Self {
        Self::from_raw(part.0.to_owned())
    }
}

impl From<&Json> for Json {
    fn from(json: &Json) -> Self {
        json.clone()
    }
}

impl TryFrom<String> for Json {
    type Error = JsonError;

    fn try_from(text: String) -> Result<Self, JsonError> {
        Self::parse(text)
    }
}

impl FromStr for Json {
    type Err = JsonError;

    fn from_str(text: &str) -> Result<Self, JsonError> {
        Self::parse(text)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for JsonView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Prints how long the text is: what an action answers is about persons.
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Json").field("bytes", &self.as_str().len()).finish()
    }
}

/// Prints how long the text is: what an action answers is about persons.
impl fmt::Debug for JsonView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonView").field("bytes", &self.as_str().len()).finish()
    }
}

/// Compares the texts: `1.0` is not `1.00`.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

/// Compares with a tree of values. What has none is equal to none.
impl PartialEq<Value> for Json {
    fn eq(&self, other: &Value) -> bool {
        self.view() == *other
    }
}

/// Compares the texts: `1.0` is not `1.00`.
impl PartialEq for JsonView<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for JsonView<'_> {}

/// Compares with a tree of values. What has none is equal to none.
impl PartialEq<Value> for JsonView<'_> {
    fn eq(&self, other: &Value) -> bool {
        self.to_value().is_ok_and(|value| value == *other)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Serialize for JsonView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self::from_raw)
    }
}

#[cfg(test)]
mod tests;
