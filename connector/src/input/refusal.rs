//! What is wrong with an input, and the words for it.
//!
//! Names and types only: a value may be a password, and errors are logged.

use std::fmt;

use crate::core::spelling::unknown_property;

/// How much is told of what is wrong: who sent hundreds of wrong members meant another action.
pub(crate) const MOST_TOLD: usize = 5;

/// Something wrong with a value or a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It has to be given.
    Missing(&'static str),
    /// There is none of that name.
    Unknown {
        /// As it was given.
        name: String,
        /// Those that there are.
        known: Vec<&'static str>,
    },
    /// It is not what it has to be: a phrase that says what was expected, and the type that was found.
    Unfit(String),
    /// It has no members, of which it needs one.
    Empty,
}

/// All that is wrong with an input, each thing with the way to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal(Vec<(Vec<Step>, Wrong)>);

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(&'static str),
    Item(usize),
}

impl Refusal {
    /// Returns whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds something about the value itself.
    pub(crate) fn add(&mut self, wrong: Wrong) {
        self.extend([(Vec::new(), wrong)]);
    }

    /// Adds what is wrong with a member.
    pub(crate) fn add_within(&mut self, name: &'static str, refusal: Self) {
        self.extend(refusal.within(name).0);
    }

    /// Returns it as about a member of a value.
    pub(crate) fn within(self, name: &'static str) -> Self {
        self.behind(&Step::Member(name))
    }

    /// Returns it as about an item of a list.
    pub(crate) fn within_item(self, at: usize) -> Self {
        self.behind(&Step::Item(at))
    }

    fn behind(mut self, step: &Step) -> Self {
        for (way, _) in &mut self.0 {
            way.insert(0, step.clone());
        }
        self
    }

    fn extend(&mut self, wrong: impl IntoIterator<Item = (Vec<Step>, Wrong)>) {
        let room = MOST_TOLD.saturating_sub(self.0.len());
        self.0.extend(wrong.into_iter().take(room));
    }
}

impl From<Wrong> for Refusal {
    fn from(wrong: Wrong) -> Self {
        Self(vec![(Vec::new(), wrong)])
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (way, wrong)) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            let steps: Vec<_> = way.iter().map(ToString::to_string).collect();
            f.write_str(&steps.join(": "))?;
            // Of an empty object the phrase goes on where its name ends.
            f.write_str(match wrong {
                _ if steps.is_empty() => "",
                Wrong::Empty => " ",
                _ => ": ",
            })?;
            write!(f, "{wrong}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(name) => write!(f, "`{name}`"),
            Self::Item(at) => write!(f, "item {at}"),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "missing property `{name}`"),
            Self::Unknown { name, known } => f.write_str(&unknown_property(name, known)),
            Self::Unfit(phrase) => f.write_str(phrase),
            Self::Empty => f.write_str("is empty: name at least one property"),
        }
    }
}
