//! Finds parts of a JSON text without reading the rest: what is passed over is skipped, not built.

use std::{collections::HashMap, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::JsonError;

/// Finds what a pointer (RFC 6901) names.
pub(super) fn find<'a>(document: &'a RawValue, pointer: &str) -> Option<&'a RawValue> {
    if pointer.is_empty() {
        return Some(document);
    }
    let names = pointer.strip_prefix('/')?.split('/');
    names.map(|name| name.replace("~1", "/").replace("~0", "~")).try_fold(document, |value, name| {
        let mut parser = serde_json::Deserializer::from_str(value.get());
        Step(&name).deserialize(&mut parser).ok()?
    })
}

/// Lists the items of an array.
pub(super) fn items(value: &RawValue) -> Result<Vec<&RawValue>, JsonError> {
    serde_json::from_str(value.get()).map_err(JsonError::reading)
}

/// Lists the members of an object in their order. Of several of one name the last one counts, as for every reader of
/// serde_json.
pub(super) fn members(value: &RawValue) -> Result<Vec<(String, &RawValue)>, JsonError> {
    let mut parser = serde_json::Deserializer::from_str(value.get());
    parser.deserialize_map(Members).map_err(JsonError::reading)
}

/// Goes from an array or an object to what has this name in it.
struct Step<'n>(&'n str);

impl<'a> DeserializeSeed<'a> for Step<'_> {
    type Value = Option<&'a RawValue>;

    fn deserialize<D: Deserializer<'a>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Step<'_> {
    type Value = Option<&'a RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_it) = members.next_key_seed(Is(self.0))? {
            if is_it {
                found = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let is_index =
            self.0 == "0" || (!self.0.starts_with('0') && self.0.bytes().all(|byte| byte.is_ascii_digit()));
        let index = self.0.parse::<usize>().ok().filter(|_| is_index);
        let (mut found, mut at) = (None, 0);
        // Read to the end, as the parser asks for.
        while let Some(item) = items.next_element()? {
            if index == Some(at) {
                found = Some(item);
            }
            at += 1;
        }
        Ok(found)
    }
}

/// Compares the name of a member.
struct Is<'n>(&'n str);

impl<'a> DeserializeSeed<'a> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'a>>(self, parser: D) -> Result<bool, D::Error> {
        parser.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

struct Members;

impl<'a> Visitor<'a> for Members {
    type Value = Vec<(String, &'a RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut list: Self::Value = Vec::new();
        let mut places = HashMap::new();
        while let Some((name, value)) = members.next_entry::<String, &RawValue>()? {
            let place = *places.entry(name.clone()).or_insert(list.len());
            match list.get_mut(place) {
                Some(member) => member.1 = value,
                None => list.push((name, value)),
            }
        }
        Ok(list)
    }
}
