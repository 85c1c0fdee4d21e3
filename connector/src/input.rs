//! Reading the input of a curated action into its type.
//!
//! Not by serde: what it finds wrong is a sentence of its own, with the value in it, which may be a password; and what an
//! input has of free JSON would be written and read once more on the way, where numbers lose digits and names that
//! serde_json keeps for itself lose their meaning. Here members are moved to where they belong, and what is wrong is a
//! [`Refusal`]: facts, put into words once, in those of the operations, whose checker (`operations/check.rs`) says what a
//! value is to be.

mod body;
mod refusal;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::core::id::{
    ClientId, ConnectionId, IdError, IdentityUserId, LogId, ProviderName, RoleId, SessionId, UserId,
};
use crate::operations::check::{self, integer};
use crate::operations::{Format, Kind};
pub(crate) use body::{IntoBody, body};
pub(crate) use refusal::{MOST_TOLD, Refusal, Wrong};

/// A type that is read from an input.
pub(crate) trait FromInput: Sized {
    /// Reads a value.
    ///
    /// # Errors
    /// What is wrong with it, each member by name, and never the value.
    fn from_input(value: Value) -> Result<Self, Refusal>;

    /// Returns what stands for a member that is left out; nothing where it has to be given.
    fn left_out() -> Option<Self> {
        None
    }
}

/// The members of an object that is being read.
pub(crate) struct Members {
    rest: Map<String, Value>,
    wrong: Refusal,
    missing: Refusal,
}

impl Members {
    /// Begins with an object.
    ///
    /// # Errors
    /// Where it is none. Members that are not among the known ones are told at the [end](Members::end), with all else.
    fn of(value: Value, known: &[&'static str]) -> Result<Self, Refusal> {
        let Value::Object(rest) = value else { return Err(misfit(&Kind::Object, &value)) };
        let mut wrong = Refusal::default();
        for name in rest.keys().filter(|name| !known.contains(&name.as_str())) {
            wrong.add(Wrong::Unknown { name: name.clone(), known: known.to_vec() });
        }
        Ok(Self { rest, wrong, missing: Refusal::default() })
    }

    /// Takes a member; nothing where it is wrong or missing, which is told at the [end](Members::end).
    pub(crate) fn take<T: FromInput>(&mut self, name: &'static str) -> Option<T> {
        let Some(value) = self.rest.remove(name) else {
            let left_out = T::left_out();
            if left_out.is_none() {
                self.missing.add(Wrong::Missing(name));
            }
            return left_out;
        };
        match T::from_input(value) {
            Ok(read) => Some(read),
            Err(refusal) => {
                self.wrong.add_within(name, refusal);
                None
            }
        }
    }

    /// Puts what was taken together.
    ///
    /// # Errors
    /// All that is wrong with the members; else all that are missing, since a misspelled one is missing too.
    fn end<T>(self, made: Option<T>) -> Result<T, Refusal> {
        if !self.wrong.is_empty() {
            return Err(self.wrong);
        }
        made.ok_or(self.missing)
    }
}

/// A type that is made of members of an object.
pub(crate) trait FromMembers: Sized {
    /// Adds the names of its members.
    fn names(names: &mut Vec<&'static str>);

    /// Takes its members; nothing where one is wrong or missing.
    fn take_from(members: &mut Members) -> Option<Self>;
}

/// Reads an object that has these members and no others.
///
/// # Errors
/// All that is wrong with it, else all that is missing.
pub(crate) fn object<T: FromMembers>(value: Value) -> Result<T, Refusal> {
    let mut names = Vec::new();
    T::names(&mut names);
    let mut members = Members::of(value, &names)?;
    let made = T::take_from(&mut members);
    members.end(made)
}

/// Makes a struct one that is read from a JSON object and described by a schema. `field as "fieldName"` names a member
/// otherwise than in Rust; `with part: Part` after the struct puts the members of another such struct beside its own.
macro_rules! input {
    (
        $(#[$meta:meta])*
        $vis:vis struct $type:ident {
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident $(as $name:literal)? : $kind:ty,)*
        }
        $(with $part:ident : $part_kind:ty)?
    ) => {
        #[derive(schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        $(#[$meta])*
        $vis struct $type {
            $($(#[$field_meta])* $(#[schemars(rename = $name)])? $field_vis $field: $kind,)*
            $(#[schemars(flatten)] pub(super) $part: $part_kind,)?
        }

        impl $crate::input::FromMembers for $type {
            fn names(names: &mut Vec<&'static str>) {
                names.extend_from_slice(&[$($crate::input::input!(@name $field $($name)?)),*]);
                $(<$part_kind as $crate::input::FromMembers>::names(names);)?
            }

            fn take_from(members: &mut $crate::input::Members) -> Option<Self> {
                // All are taken before the first that failed ends it, so that all are told of.
                $(let $field = members.take($crate::input::input!(@name $field $($name)?));)*
                $(let $part = <$part_kind as $crate::input::FromMembers>::take_from(members);)?
                let _ = &members;
                Some(Self { $($field: $field?,)* $($part: $part?,)? })
            }
        }

        impl $crate::input::FromInput for $type {
            fn from_input(value: serde_json::Value) -> Result<Self, $crate::input::Refusal> {
                $crate::input::object(value)
            }
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
}
pub(crate) use input;

/// Makes the refusal of a value that is not of a kind.
pub(crate) fn misfit(kind: &Kind, value: &Value) -> Refusal {
    Wrong::Unfit(check::misfit(kind, value)).into()
}

impl<T: FromInput> FromInput for Option<T> {
    fn from_input(value: Value) -> Result<Self, Refusal> {
        if value.is_null() { Ok(None) } else { T::from_input(value).map(Some) }
    }

    fn left_out() -> Option<Self> {
        Some(None)
    }
}

impl FromInput for Value {
    fn from_input(value: Value) -> Result<Self, Refusal> {
        Ok(value)
    }
}

impl FromInput for Map<String, Value> {
    fn from_input(value: Value) -> Result<Self, Refusal> {
        match value {
            Value::Object(map) => Ok(map),
            other => Err(misfit(&Kind::Object, &other)),
        }
    }
}

impl FromInput for String {
    fn from_input(value: Value) -> Result<Self, Refusal> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(misfit(&Kind::Text(Format::Any, None), &other)),
        }
    }
}

impl FromInput for bool {
    fn from_input(value: Value) -> Result<Self, Refusal> {
        value.as_bool().ok_or_else(|| misfit(&Kind::Flag, &value))
    }
}

impl FromInput for u32 {
    fn from_input(value: Value) -> Result<Self, Refusal> {
        let number = integer(&value).ok_or_else(|| misfit(&Kind::Integer(None, None), &value))?;
        let range = Kind::Integer(Some(0), Some(Self::MAX.into()));
        Self::try_from(number).map_err(|_| misfit(&range, &value))
    }
}

impl<T: FromInput> FromInput for Vec<T> {
    fn from_input(value: Value) -> Result<Self, Refusal> {
        let Value::Array(items) = value else {
            return Err(Wrong::Unfit(format!("expected a list, found {}", check::found(&value))).into());
        };
        let read = |(at, item)| T::from_input(item).map_err(|refusal| refusal.within_item(at));
        items.into_iter().enumerate().map(read).collect()
    }
}

macro_rules! ids {
    ($($id:ident),+) => {$(
        impl FromInput for $id {
            fn from_input(value: Value) -> Result<Self, Refusal> {
                let text = String::from_input(value)?;
                text.try_into().map_err(|error: IdError| Wrong::Unfit(error.to_string()).into())
            }
        }
    )+};
}
ids!(ClientId, ConnectionId, IdentityUserId, LogId, ProviderName, RoleId, SessionId, UserId);
