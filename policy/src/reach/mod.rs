//! What a request can do beyond what it says.
//!
//! The sandbox keeps a component from this machine; it does not keep anybody from the tenant's own doors. One request
//! can grant an application every scope, have log-ins run a stranger's code, or send the tenant's log to a stranger's
//! address, and its effect is that it creates something. The catalogue judges each operation (`catalog/reach.toml`), and
//! a request is judged here by its method, its path and its body, whatever the action that sends it.
//!
//! What nobody has judged counts as everything: a request that the table does not have, a member of a body that it does
//! not have, a body that is no JSON. Auth0 adds operations faster than this table.

mod table;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub(crate) use self::table::{Operation, Row, of_pattern, of_request, operations};
pub use self::table::{OperationReach, of_custom_request, of_input, of_operation};

/// What a request can do beyond what it says.
// Closed on purpose, as the effects are: whoever asks about a reach has something to say about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Code, markup or a script of the sender's choice runs in the tenant or on its log-in pages.
    RunsCode,
    /// Data goes to an address of the sender's choice.
    Exfiltrates,
    /// Power goes to an application or an administrator: grants, keys, secrets that the sender knows.
    Escalates,
    /// A person's account can be opened.
    TakesOver,
    /// A protection of the tenant is taken away or changed.
    Weakens,
    /// People get roles, permissions, memberships.
    GrantsPeople,
}

impl Reach {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::RunsCode,
        Self::Exfiltrates,
        Self::Escalates,
        Self::TakesOver,
        Self::Weakens,
        Self::GrantsPeople,
    ];

    /// Returns the word for it, as policies have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunsCode => "runs-code",
            Self::Exfiltrates => "exfiltrates",
            Self::Escalates => "escalates",
            Self::TakesOver => "takes-over",
            Self::Weakens => "weakens",
            Self::GrantsPeople => "grants-people",
        }
    }

    /// Says it in a phrase that completes "it can".
    pub fn phrase(self) -> &'static str {
        match self {
            Self::RunsCode => "run code in the tenant or on its log-in pages",
            Self::Exfiltrates => "send data to an address of the sender's choice",
            Self::Escalates => "give power to an application or an administrator",
            Self::TakesOver => "open a person's account",
            Self::Weakens => "take a protection away",
            Self::GrantsPeople => "give people roles, permissions or memberships",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no reach.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no reach `{0}`; there are {all}", all = ReachSet::ALL)]
pub struct UnknownReach(String);

impl FromStr for Reach {
    type Err = UnknownReach;

    fn from_str(text: &str) -> Result<Self, UnknownReach> {
        Self::ALL
            .into_iter()
            .find(|reach| reach.as_str() == text)
            .ok_or_else(|| UnknownReach(text.to_owned()))
    }
}

/// Some reaches.
///
/// ```
/// # use auth0_policy::reach::{Reach, ReachSet};
/// let denied = ReachSet::DENIED_BY_DEFAULT;
/// assert!(denied.contains(Reach::Escalates) && !denied.contains(Reach::TakesOver));
/// assert_eq!(denied.to_string(), "runs-code, exfiltrates, escalates, weakens");
/// assert_eq!(denied.without(Reach::Escalates).iter().count(), 3);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReachSet(u8);

impl ReachSet {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self((1 << Reach::ALL.len()) - 1);
    /// What is denied where nobody says otherwise: what harms the tenant as a whole. Accounts and rights of people are
    /// what many workflows are for.
    pub const DENIED_BY_DEFAULT: Self = Self(
        Reach::RunsCode.bit() | Reach::Exfiltrates.bit() | Reach::Escalates.bit() | Reach::Weakens.bit(),
    );

    /// Returns whether it is one of them.
    pub fn contains(self, reach: Reach) -> bool {
        self.0 & reach.bit() != 0
    }

    /// Returns whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns those and one more.
    #[must_use]
    pub fn with(self, reach: Reach) -> Self {
        Self(self.0 | reach.bit())
    }

    /// Returns those but one.
    #[must_use]
    pub fn without(self, reach: Reach) -> Self {
        Self(self.0 & !reach.bit())
    }

    /// Returns the line of a policy that denies them: `deny_reach = ["weakens"]`.
    pub fn policy_line(self) -> String {
        let words: Vec<_> = self.iter().map(|reach| format!("\"{reach}\"")).collect();
        format!("deny_reach = [{}]", words.join(", "))
    }

    /// Returns them one by one, in the order of [`Reach::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Reach> {
        Reach::ALL.into_iter().filter(move |reach| self.contains(*reach))
    }
}

impl FromIterator<Reach> for ReachSet {
    fn from_iter<T: IntoIterator<Item = Reach>>(all: T) -> Self {
        all.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for ReachSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(Reach::as_str).collect::<Vec<_>>().join(", "))
    }
}

/// Why a request has a reach.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Judgement {
    /// What it can do.
    pub reach: Reach,
    /// The member of its body by which it can, where not all such requests can: the sender's own text.
    pub member: Option<String>,
    /// Why, in a phrase that completes "since".
    pub reason: &'static str,
}

/// Collects the reaches of judgements.
pub fn all_of(judgements: &[Judgement]) -> ReachSet {
    judgements.iter().map(|judgement| judgement.reach).collect()
}
