//! Connections: the tenant's sources of users.

use serde_json::Value;

use super::{BY_CURSOR, Fields, read_list};
use crate::action::{About, Action, CuratedAction, Effect};
use crate::client::Client;
use crate::core::error::Error;
use crate::core::id::ConnectionId;
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape};
use crate::core::scope::need;
use crate::input::input;
use crate::list::Part;
use crate::operations::Paging;

const CONNECTION: Shape = Shape(&[
    ("id", Kind::Text, "Id, con_…"),
    ("name", Kind::Text, "Name, unique in the tenant"),
    ("strategy", Kind::Text, "Strategy, such as auth0, google-oauth2, samlp"),
    ("display_name", Kind::Text, "Name on the login page"),
    ("realms", Kind::Texts, "Realms it answers for"),
    ("is_domain_connection", Kind::Flag, "Whether third-party applications may use it"),
    ("metadata", Kind::Bag, "Strings that its owner keeps with it"),
    ("options", Kind::Bag, "Settings; only with the scope read:connections_options"),
]);

/// The family.
pub(super) const ACTIONS: &[Action] = &[Action::of::<ListConnections>(), Action::of::<GetConnection>()];

input! {
    /// Input of `list-connections`.
    struct ListConnections {
        /// Strategies, such as auth0, google-oauth2, samlp.
        strategy: Option<Vec<String>>,
        /// Exact name.
        name: Option<String>,
        /// Fields to answer.
        fields: Option<Fields>,
        /// True (default): only `fields`. False: all but these.
        include_fields: Option<bool>,
    }
    with part: Part
}

impl CuratedAction for ListConnections {
    const ABOUT: About = About {
        id: "list-connections",
        title: "List connections",
        description: "Lists connections, without end.",
        group: "connections",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /connections"],
        handles_personal_data: false,
        scopes: &[need(&["read:connections"])],
        output: Output::Page(&CONNECTION, Paging::Either),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let mut request =
            Request::api(Method::Get, &ApiPath::of(&["connections"])).maybe("name", self.name.as_ref());
        for strategy in self.strategy.iter().flatten() {
            request = request.query("strategy", strategy);
        }
        let request = Fields::apply(self.fields.as_ref(), self.include_fields, request)?;
        read_list(client, &Self::ABOUT, "connections", BY_CURSOR, self.part, &request)
    }
}

input! {
    /// Input of `get-connection`.
    struct GetConnection {
        /// Id of the connection, `con_…`.
        connection_id: ConnectionId,
        /// Fields to answer.
        fields: Option<Fields>,
        /// True (default): only `fields`. False: all but these.
        include_fields: Option<bool>,
    }
}

impl CuratedAction for GetConnection {
    const ABOUT: About = About {
        id: "get-connection",
        title: "Get a connection",
        description: "Gets one connection by id. `not-found` where there is none.",
        group: "connections",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /connections/{id}"],
        handles_personal_data: false,
        scopes: &[need(&["read:connections"])],
        output: Output::One(&CONNECTION),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let request = Request::api(Method::Get, &ApiPath::of(&["connections", self.connection_id.as_str()]));
        client.json(&Fields::apply(self.fields.as_ref(), self.include_fields, request)?)
    }
}
