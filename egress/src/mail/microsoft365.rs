//! Microsoft 365: tokens of Microsoft Entra ID, for Microsoft Graph.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use super::MailContext;
use crate::{settings_error::SettingsError, token::TokenEndpoint};

/// Where emails go.
pub(super) const GRAPH: &str = "graph.microsoft.com";
/// Where tokens come from.
const ENTRA_ID: &str = "https://login.microsoftonline.com";
/// All that the application was granted for Graph: client credentials cannot ask for less.
const SCOPE: &str = "https://graph.microsoft.com/.default";

/// Names the token endpoint of a directory.
pub(super) fn endpoint(tenant_id: &str, context: &MailContext<'_>) -> Result<TokenEndpoint, SettingsError> {
    let origin = context.stand_in.map_or_else(|| ENTRA_ID.to_owned(), ToString::to_string);
    let uri = format!("{origin}/{tenant_id}/oauth2/v2.0/token").parse();
    Ok(TokenEndpoint {
        uri: uri.map_err(|_| SettingsError::Value { name: "the tenant id of Microsoft 365" })?,
        resource: ("scope", SCOPE.to_owned()),
        transport: context.transport.clone(),
    })
}
