//! Equivalents of a denied action: others that send the same request and are still offered.
//!
//! `delete-user` and `users.delete` are two actions and one request. Who denies one of them has to be told of the other, or
//! believes in a protection that is none; a policy's rules about requests know no such difference.

use std::{collections::BTreeSet, fmt};

use auth0_host::{ActionFilter, ApiRequest, CUSTOM_REQUEST, Error};

use super::server::Server;

/// An action that does what a denied one does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EquivalentAction {
    denied: String,
    open: String,
    request: String,
}

impl fmt::Display for EquivalentAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { denied, open, request } = self;
        write!(f, "`{denied}` is denied, but `{open}` can still send the same request ({request})")
    }
}

impl Server {
    /// Lists what sends the same requests as the actions that --deny takes away.
    ///
    /// # Errors
    ///
    /// Those of the runtime.
    pub async fn equivalent_actions(&self) -> Result<BTreeSet<EquivalentAction>, Error> {
        let mut equivalent_actions = BTreeSet::new();
        let custom = self.permitted().find(|action| action.id == CUSTOM_REQUEST);
        for denied in self.denied() {
            for request in self.host().describe(&denied.id).await?.requests {
                let ApiRequest { method, path, .. } = &request;
                let mut filter = ActionFilter::default();
                filter.text = Some(format!("{method} {path}"));
                let mut open: Vec<String> = custom.iter().map(|action| action.id.clone()).collect();
                for other in self.find(&filter).await? {
                    // The words of the filter may be in the paths of others too.
                    if self.host().describe(&other.id).await?.requests.contains(&request) {
                        open.push(other.id);
                    }
                }
                let equivalent = |open| EquivalentAction {
                    denied: denied.id.clone(),
                    open,
                    request: format!("{method} {path}"),
                };
                equivalent_actions.extend(open.into_iter().map(equivalent));
            }
        }
        Ok(equivalent_actions)
    }
}
