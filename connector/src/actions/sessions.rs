//! Sessions and refresh tokens of a user.

use schemars::JsonSchema;
use serde_json::Value;

use super::done;
use super::users::OneUser;
use crate::catalog::{Action, Effect, need, need_for, parse};
use crate::client::Client;
use crate::core::error::Error;
use crate::core::id::{SessionId, UserId};
use crate::core::json::object;
use crate::core::paging::{Checkpoint, read_cursor_page};
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape, input};
use crate::input::members;

/// Input of `list-user-sessions`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ListUserSessions {
    /// Whole id of the user, with its provider part.
    pub user_id: UserId,
    /// The cursor of the page before.
    pub from: Option<String>,
    /// Page size, 1 to 100; 50 by default.
    #[schemars(range(min = 1, max = 100))]
    pub take: Option<u32>,
}

members!(ListUserSessions { user_id, from, take });

/// Input of `revoke-user-access`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RevokeUserAccess {
    /// Whole id of the user, with its provider part.
    pub user_id: UserId,
    /// Only this session.
    pub session_id: Option<SessionId>,
    /// Leave refresh tokens alone; false by default.
    pub preserve_refresh_tokens: Option<bool>,
}

members!(RevokeUserAccess { user_id, session_id, preserve_refresh_tokens });

fn path(user_id: &UserId, what: &str) -> ApiPath {
    ApiPath::of(&["users", user_id.as_str(), what])
}

/// Lists the sessions of a user.
///
/// # Errors
/// As the contract's `sessions.list-user-sessions`.
pub fn list_user_sessions(client: &mut Client<'_>, input: ListUserSessions) -> Result<Value, Error> {
    let checkpoint = Checkpoint::new(input.from, input.take)?;
    let request = Request::api(Method::Get, &path(&input.user_id, "sessions"));
    read_cursor_page(client.json(&checkpoint.apply(request))?, "sessions")
}

/// Ends all sessions of a user.
///
/// # Errors
/// As the contract's `sessions.delete-user-sessions`.
pub fn delete_user_sessions(client: &mut Client<'_>, input: &OneUser) -> Result<Value, Error> {
    client.send(&Request::api(Method::Delete, &path(&input.user_id, "sessions"))).map(|_| done())
}

/// Deletes all refresh tokens of a user.
///
/// # Errors
/// As the contract's `sessions.delete-user-refresh-tokens`.
pub fn delete_user_refresh_tokens(client: &mut Client<'_>, input: &OneUser) -> Result<Value, Error> {
    client.send(&Request::api(Method::Delete, &path(&input.user_id, "refresh-tokens"))).map(|_| done())
}

/// Ends sessions and refresh tokens together.
///
/// # Errors
/// As the contract's `sessions.revoke-user-access`.
pub fn revoke_user_access(client: &mut Client<'_>, input: &RevokeUserAccess) -> Result<Value, Error> {
    let body = object([
        ("session_id", input.session_id.as_ref().map(|id| id.as_str().into())),
        ("preserve_refresh_tokens", input.preserve_refresh_tokens.map(Value::from)),
    ]);
    client
        .send(&Request::api(Method::Post, &path(&input.user_id, "revoke-access")).json(&body))
        .map(|_| done())
}

const SESSION: Shape = Shape(&[
    ("id", Kind::Text, "Id of the session"),
    ("user_id", Kind::Text, "Whose it is"),
    ("created_at", Kind::Time, "When it began"),
    ("updated_at", Kind::Time, "When it last changed"),
    ("authenticated_at", Kind::Time, "When the person last proved who they are"),
    ("idle_expires_at", Kind::Time, "When it ends without use"),
    ("expires_at", Kind::Time, "When it ends"),
    ("last_interacted_at", Kind::Time, "Last use"),
    ("device", Kind::Bag, "Device it began and was last used on"),
    ("clients", Kind::List(&Shape(&[("client_id", Kind::Text, "Application")])), "Applications that use it"),
    ("authentication", Kind::Bag, "Methods with which the person proved who they are"),
]);

/// The family's lines of the table.
pub const ACTIONS: &[Action] = &[
    Action {
        id: "list-user-sessions",
        title: "List a user's sessions",
        description: "Lists the living sessions of a user. Needs a plan that has the feature.",
        group: "sessions",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /users/{user_id}/sessions"],
        personal: true,
        scopes: &[need(&["read:sessions"])],
        input: input::<ListUserSessions>,
        output: Output::Checkpoint(&SESSION),
        run: |client, value| list_user_sessions(client, parse(value)?),
    },
    Action {
        id: "delete-user-sessions",
        title: "End a user's sessions",
        description: "Ends all sessions of a user. The tenant does so within seconds after the answer.",
        group: "sessions",
        effect: Effect::Delete,
        idempotent: true,
        requests: &["DELETE /users/{user_id}/sessions"],
        personal: true,
        scopes: &[need(&["delete:sessions"])],
        input: input::<OneUser>,
        output: Output::Done,
        run: |client, value| delete_user_sessions(client, &parse(value)?),
    },
    Action {
        id: "delete-user-refresh-tokens",
        title: "Delete a user's refresh tokens",
        description: "Deletes all refresh tokens of a user. The tenant does so within seconds after the answer.",
        group: "sessions",
        effect: Effect::Delete,
        idempotent: true,
        requests: &["DELETE /users/{user_id}/refresh-tokens"],
        personal: true,
        scopes: &[need(&["delete:refresh_tokens"])],
        input: input::<OneUser>,
        output: Output::Done,
        run: |client, value| delete_user_refresh_tokens(client, &parse(value)?),
    },
    Action {
        id: "revoke-user-access",
        title: "Revoke a user's access",
        description: "Ends a user's sessions and refresh tokens together, or those of one session. Access tokens that are \
                      out live until they expire.",
        group: "sessions",
        effect: Effect::Delete,
        idempotent: true,
        requests: &["POST /users/{id}/revoke-access"],
        personal: true,
        scopes: &[
            need(&["delete:sessions"]),
            need_for(&["delete:refresh_tokens"], "refresh tokens, unless preserve_refresh_tokens is true"),
        ],
        input: input::<RevokeUserAccess>,
        output: Output::Done,
        run: |client, value| revoke_user_access(client, &parse(value)?),
    },
];
