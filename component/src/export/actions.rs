//! The interface `actions`: every action by its id, as JSON.

use auth0_connector::{catalog, describe};

use super::bindings::exports::connector::auth0::actions::Guest;
use super::{Connector, error, wit};

impl Guest for Connector {
    fn list_actions(filter: String) -> Result<String, wit::Error> {
        describe::list(&filter).map(|list| list.to_string()).map_err(error)
    }

    fn describe_action(id: String) -> Result<String, wit::Error> {
        describe::describe(&id).map(|description| description.to_string()).map_err(error)
    }

    fn run_action(id: String, input: String) -> Result<String, wit::Error> {
        // An unknown action is told before missing settings are.
        let entry = catalog::find(&id).map_err(error)?;
        crate::wasi::call(&mut |client| catalog::run(client, &entry, &input))
            .map(|output| output.to_string())
            .map_err(error)
    }
}
