//! Connections: the tenant's sources of users.

use schemars::JsonSchema;
use serde_json::Value;

use super::Fields;
use crate::catalog::{Action, Effect, need, parse};
use crate::client::Client;
use crate::core::error::Error;
use crate::core::id::ConnectionId;
use crate::core::paging::{Part, Wall};
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape, input};
use crate::input::members;

/// Input of `list-connections`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ListConnections {
    /// Strategies, such as auth0, google-oauth2, samlp.
    pub strategy: Option<Vec<String>>,
    /// Exact name.
    pub name: Option<String>,
    /// Fields to answer.
    pub fields: Option<Fields>,
    /// True (default): only `fields`. False: all but these.
    pub include_fields: Option<bool>,
    /// Page, from 0. Reaches 1000 connections; excludes from and take.
    pub page: Option<u32>,
    /// Page size, 1 to 100; 50 by default. Excludes from and take.
    #[schemars(range(min = 1, max = 100))]
    pub per_page: Option<u32>,
    /// Answer the total number too. Excludes from and take.
    pub include_totals: Option<bool>,
    /// The cursor of the page before.
    pub from: Option<String>,
    /// Page size of the checkpoint, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub take: Option<u32>,
}

members!(ListConnections {
    strategy,
    name,
    fields,
    include_fields,
    page,
    per_page,
    include_totals,
    from,
    take
});

/// Input of `get-connection`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct GetConnection {
    /// Id of the connection, `con_…`.
    pub connection_id: ConnectionId,
    /// Fields to answer.
    pub fields: Option<Fields>,
    /// True (default): only `fields`. False: all but these.
    pub include_fields: Option<bool>,
}

members!(GetConnection { connection_id, fields, include_fields });

/// Lists connections.
///
/// # Errors
/// As the contract's `connections.list-connections`.
pub fn list_connections(client: &mut Client<'_>, input: ListConnections) -> Result<Value, Error> {
    let part = Part::new(
        input.page,
        input.per_page,
        input.include_totals,
        input.from,
        input.take,
        Wall::CHECKPOINT,
    )?;
    let mut request =
        Request::api(Method::Get, &ApiPath::of(&["connections"])).maybe("name", input.name.as_ref());
    for strategy in input.strategy.iter().flatten() {
        request = request.query("strategy", strategy);
    }
    let request = Fields::apply(input.fields.as_ref(), input.include_fields, request)?;
    part.read(client.json(&part.apply(request))?, "connections")
}

/// Gets one connection.
///
/// # Errors
/// As the contract's `connections.get-connection`.
pub fn get_connection(client: &mut Client<'_>, input: &GetConnection) -> Result<Value, Error> {
    let request = Request::api(Method::Get, &ApiPath::of(&["connections", input.connection_id.as_str()]));
    client.json(&Fields::apply(input.fields.as_ref(), input.include_fields, request)?)
}

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

/// The family's lines of the table.
pub const ACTIONS: &[Action] = &[
    Action {
        id: "list-connections",
        title: "List connections",
        description: "Lists connections by page (the first 1000) or by checkpoint (take, then from).",
        group: "connections",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /connections"],
        personal: false,
        scopes: &[need(&["read:connections"])],
        input: input::<ListConnections>,
        output: Output::Cursor(&CONNECTION),
        run: |client, value| list_connections(client, parse(value)?),
    },
    Action {
        id: "get-connection",
        title: "Get a connection",
        description: "Gets one connection by id. Ends with missing where there is none.",
        group: "connections",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /connections/{id}"],
        personal: false,
        scopes: &[need(&["read:connections"])],
        input: input::<GetConnection>,
        output: Output::One(&CONNECTION),
        run: |client, value| get_connection(client, &parse(value)?),
    },
];
