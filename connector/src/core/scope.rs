//! Scopes that a token needs for an action.

/// One thing that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Any one of these scopes is enough.
    pub any_of: &'static [&'static str],
    /// What it is needed for, where the action can do without.
    pub required_for: Option<&'static str>,
}

/// Something that the action cannot do without.
pub(crate) const fn need(any_of: &'static [&'static str]) -> Need {
    Need { any_of, required_for: None }
}

/// Something that only a part of the action needs.
pub(crate) const fn need_for(any_of: &'static [&'static str], part: &'static str) -> Need {
    Need { any_of, required_for: Some(part) }
}
