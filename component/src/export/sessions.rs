//! Glue of `sessions`.

use super::bindings::exports::auth0::management::sessions as wit;
use super::{Connector, Read, call, id};
use auth0_connector::actions::sessions;
use auth0_connector::actions::users::OneUser;

impl wit::Guest for Connector {
    fn list_user_sessions(
        user_id: String,
        page: Option<wit::Checkpoint>,
    ) -> Result<wit::SessionPage, wit::Error> {
        let (from, take) = page.map_or((None, None), |page| (page.from, page.take));
        let page = call("list-user-sessions", |client| {
            sessions::list_user_sessions(
                client,
                sessions::ListUserSessions { user_id: id(&user_id)?, from, take },
            )
        })?;
        let items = page.each("items", |session| wit::Session {
            id: session.text("id"),
            user_id: session.text("user_id"),
            created_at: session.text("created_at"),
            authenticated_at: session.text("authenticated_at"),
            expires_at: session.text("expires_at"),
            last_interacted_at: session.text("last_interacted_at"),
            raw: session.to_string(),
        });
        Ok(wit::SessionPage { items, next: page.text("next") })
    }

    fn delete_user_sessions(user_id: String) -> Result<(), wit::Error> {
        call("delete-user-sessions", |client| {
            sessions::delete_user_sessions(client, &OneUser { user_id: id(&user_id)? })
        })
        .map(drop)
    }

    fn delete_user_refresh_tokens(user_id: String) -> Result<(), wit::Error> {
        call("delete-user-refresh-tokens", |client| {
            sessions::delete_user_refresh_tokens(client, &OneUser { user_id: id(&user_id)? })
        })
        .map(drop)
    }

    fn revoke_user_access(user_id: String, input: Option<wit::RevokeAccessInput>) -> Result<(), wit::Error> {
        let (session_id, preserve_refresh_tokens) =
            input.map_or((None, None), |input| (input.session_id, input.preserve_refresh_tokens));
        call("revoke-user-access", |client| {
            let user_id = id(&user_id)?;
            let session_id = session_id.map(|text| id(&text)).transpose()?;
            sessions::revoke_user_access(
                client,
                &sessions::RevokeUserAccess { user_id, session_id, preserve_refresh_tokens },
            )
        })
        .map(drop)
    }
}
