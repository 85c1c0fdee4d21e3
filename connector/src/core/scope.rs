//! What a token has to be allowed, for an action to work.

/// One thing that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Any one of these scopes will do.
    pub any_of: &'static [&'static str],
    /// What it is needed for, where the action can do without.
    pub only_for: Option<&'static str>,
}

/// Something that the action cannot do without.
pub const fn need(any_of: &'static [&'static str]) -> Need {
    Need { any_of, only_for: None }
}

/// Something that only a part of the action needs.
pub const fn need_for(any_of: &'static [&'static str], only_for: &'static str) -> Need {
    Need { any_of, only_for: Some(only_for) }
}
