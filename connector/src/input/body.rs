//! Inputs that are the body of a request: each member under its own name, what is left out left out.

use serde_json::{Map, Value};

use crate::core::id::{ConnectionId, IdentityUserId, ProviderName, SessionId, UserId};

/// A value that a body can hold.
pub(crate) trait IntoBody {
    /// Returns it as JSON; nothing where it was left out.
    fn into_body(self) -> Option<Value>;
}

/// Makes a struct an [input](crate::input::input) whose members are those of a request's body.
macro_rules! body {
    (
        $(#[$meta:meta])*
        $vis:vis struct $type:ident {
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident $(as $name:literal)? : $kind:ty,)*
        }
    ) => {
        $crate::input::input! {
            $(#[$meta])*
            $vis struct $type {
                $($(#[$field_meta])* $field_vis $field $(as $name)? : $kind,)*
            }
        }

        impl $crate::input::IntoBody for $type {
            fn into_body(self) -> Option<serde_json::Value> {
                let mut body = serde_json::Map::new();
                $(
                    if let Some(value) = $crate::input::IntoBody::into_body(self.$field) {
                        body.insert($crate::input::input!(@name $field $($name)?).to_owned(), value);
                    }
                )*
                Some(body.into())
            }
        }
    };
}
pub(crate) use body;

impl<T: IntoBody> IntoBody for Option<T> {
    fn into_body(self) -> Option<Value> {
        self.and_then(IntoBody::into_body)
    }
}

impl<T: IntoBody> IntoBody for Vec<T> {
    fn into_body(self) -> Option<Value> {
        Some(self.into_iter().filter_map(IntoBody::into_body).collect())
    }
}

macro_rules! values {
    ($($type:ty),+) => {$(
        impl IntoBody for $type {
            fn into_body(self) -> Option<Value> {
                Some(self.into())
            }
        }
    )+};
}
values!(String, bool, u32, Map<String, Value>);

macro_rules! ids {
    ($($id:ident),+) => {$(
        impl IntoBody for $id {
            fn into_body(self) -> Option<Value> {
                Some(self.as_str().into())
            }
        }
    )+};
}
ids!(ConnectionId, IdentityUserId, ProviderName, SessionId, UserId);
