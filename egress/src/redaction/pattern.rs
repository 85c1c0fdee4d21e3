//! Secrets by their names, and the way down to them.

use serde_json::Value;

/// A secret by its names.
#[derive(Debug)]
pub struct Pattern {
    /// Names above it, each below the one before, not always directly.
    pub(super) above: &'static [&'static str],
    pub(super) last: Last,
}

/// The name of a secret itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Last {
    Member(&'static str),
    /// Where it is no object, and no list with one.
    Text(&'static str),
    Any,
    AnyBut(&'static str),
}

impl Pattern {
    /// The member that it begins with; `None` where that is any.
    pub fn first(&self) -> Option<&'static str> {
        match (self.above.first().copied(), self.last) {
            (Some(name), _) | (None, Last::Member(name) | Last::Text(name)) => Some(name),
            (None, Last::Any | Last::AnyBut(_)) => None,
        }
    }

    /// Returns whether it may begin at any depth.
    pub fn is_one_name(&self) -> bool {
        self.above.is_empty()
    }

    pub fn name(&self) -> String {
        let last = match self.last {
            Last::Member(name) | Last::Text(name) => name,
            Last::Any | Last::AnyBut(_) => "*",
        };
        self.above.iter().copied().chain([last]).collect::<Vec<_>>().join(".")
    }
}

/// How far the way to a member has come along each pattern.
#[derive(Clone, Debug)]
pub struct Progress(Vec<(&'static Pattern, usize)>);

impl Progress {
    /// Begins at the outermost members.
    pub fn new(patterns: impl IntoIterator<Item = &'static Pattern>) -> Self {
        Self(patterns.into_iter().map(|pattern| (pattern, 0)).collect())
    }

    /// Returns whether a member here is a secret.
    pub fn ends_in(&self, member: &str, value: &Value) -> bool {
        self.0.iter().any(|(pattern, at)| {
            *at == pattern.above.len()
                && match pattern.last {
                    Last::Member(name) => name == member,
                    Last::Text(name) => name == member && !has_object(value),
                    Last::Any => true,
                    Last::AnyBut(name) => name != member,
                }
        })
    }

    /// Goes down into a member.
    pub fn below(&self, member: &str) -> Self {
        let further = |(pattern, at): &(&'static Pattern, usize)| {
            (*pattern, at + usize::from(pattern.above.get(*at) == Some(&member)))
        };
        Self(self.0.iter().map(further).collect())
    }
}

fn has_object(value: &Value) -> bool {
    value.is_object() || value.as_array().is_some_and(|items| items.iter().any(has_object))
}
