//! Glue of `tenant`.

use serde_json::Value;

use super::bindings::exports::auth0::management::tenant as wit;
use super::{Connector, Read, call};
use auth0_connector::actions::tenant::test_connection;

impl wit::Guest for Connector {
    fn test_connection() -> Result<wit::ConnectionTest, wit::Error> {
        let test = call("test-connection", test_connection)?;
        let scopes = test.get("scopes").and_then(Value::as_array);
        Ok(wit::ConnectionTest {
            domain: test.text("domain").unwrap_or_default(),
            checked: test.text("checked").unwrap_or_default(),
            scopes: scopes.map(|scopes| scopes.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            expires_at: test.text("expires_at"),
        })
    }
}
