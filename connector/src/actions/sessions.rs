//! Sessions and refresh tokens of a user.

use serde_json::Value;

use super::{BY_CURSOR, done, read_list};
use crate::action::{About, Action, CuratedAction, Effect};
use crate::client::Client;
use crate::core::error::Error;
use crate::core::id::{SessionId, UserId};
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape};
use crate::core::scope::{need, need_for};
use crate::input::{FromInput, IntoBody, Refusal, body, input};
use crate::list::CheckpointPart;
use crate::operations::Paging;

body! {
    /// What to revoke.
    struct Access {
        /// Only this session. Left out: all sessions of the user.
        #[schemars(with = "Option<SessionId>")]
        session_id: OneSession,
        /// Leave refresh tokens alone; false by default.
        preserve_refresh_tokens: Option<bool>,
    }
}

/// The session that is meant, where one is. `null` is refused: an unresolved variable of a workflow must not turn "this
/// session" into "all".
struct OneSession(Option<SessionId>);

impl FromInput for OneSession {
    fn from_input(value: Value) -> Result<Self, Refusal> {
        SessionId::from_input(value).map(|id| Self(Some(id)))
    }

    fn left_out() -> Option<Self> {
        Some(Self(None))
    }
}

impl IntoBody for OneSession {
    fn into_body(self) -> Option<Value> {
        self.0.into_body()
    }
}

fn path(user_id: &UserId, what: &str) -> ApiPath {
    ApiPath::of(&["users", user_id.as_str(), what])
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

/// The family.
pub(super) const ACTIONS: &[Action] = &[
    Action::of::<ListUserSessions>(),
    Action::of::<DeleteUserSessions>(),
    Action::of::<DeleteUserRefreshTokens>(),
    Action::of::<RevokeUserAccess>(),
];

input! {
    /// Input of `list-user-sessions`.
    struct ListUserSessions {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
    }
    with part: CheckpointPart
}

impl CuratedAction for ListUserSessions {
    const ABOUT: About = About {
        id: "list-user-sessions",
        title: "List a user's sessions",
        description: "Lists the sessions of a user that have not ended. Needs a plan that has the feature.",
        group: "sessions",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /users/{user_id}/sessions"],
        handles_personal_data: true,
        scopes: &[need(&["read:sessions"])],
        output: Output::Page(&SESSION, Paging::Checkpoint),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let request = Request::api(Method::Get, &path(&self.user_id, "sessions"));
        read_list(client, &Self::ABOUT, "sessions", BY_CURSOR, self.part, &request)
    }
}

input! {
    /// Input of `delete-user-sessions`.
    struct DeleteUserSessions {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
    }
}

impl CuratedAction for DeleteUserSessions {
    const ABOUT: About = About {
        id: "delete-user-sessions",
        title: "End a user's sessions",
        description: "Ends all sessions of a user. The tenant does so within seconds after the answer.",
        group: "sessions",
        effect: Effect::Delete,
        idempotent: true,
        requests: &["DELETE /users/{user_id}/sessions"],
        handles_personal_data: true,
        scopes: &[need(&["delete:sessions"])],
        output: Output::Done,
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        client.send(&Request::api(Method::Delete, &path(&self.user_id, "sessions"))).map(|_| done())
    }
}

input! {
    /// Input of `delete-user-refresh-tokens`.
    struct DeleteUserRefreshTokens {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
    }
}

impl CuratedAction for DeleteUserRefreshTokens {
    const ABOUT: About = About {
        id: "delete-user-refresh-tokens",
        title: "Delete a user's refresh tokens",
        description: "Deletes all refresh tokens of a user. The tenant does so within seconds after the answer.",
        group: "sessions",
        effect: Effect::Delete,
        idempotent: true,
        requests: &["DELETE /users/{user_id}/refresh-tokens"],
        handles_personal_data: true,
        scopes: &[need(&["delete:refresh_tokens"])],
        output: Output::Done,
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        client.send(&Request::api(Method::Delete, &path(&self.user_id, "refresh-tokens"))).map(|_| done())
    }
}

input! {
    /// Input of `revoke-user-access`.
    struct RevokeUserAccess {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
    }
    with access: Access
}

impl CuratedAction for RevokeUserAccess {
    const ABOUT: About = About {
        id: "revoke-user-access",
        title: "Revoke a user's access",
        description: "Ends a user's sessions and refresh tokens together, or those of one session. Access tokens stay \
                      valid until they expire.",
        group: "sessions",
        effect: Effect::Delete,
        idempotent: true,
        requests: &["POST /users/{id}/revoke-access"],
        handles_personal_data: true,
        scopes: &[
            need(&["delete:sessions"]),
            need_for(&["delete:refresh_tokens"], "refresh tokens, unless preserve_refresh_tokens is true"),
        ],
        output: Output::Done,
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let body = self.access.into_body().unwrap_or_default();
        client
            .send(&Request::api(Method::Post, &path(&self.user_id, "revoke-access")).json(&body))
            .map(|_| done())
    }
}
