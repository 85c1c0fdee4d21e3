//! Applications, and a new secret for one of them. The age of secrets is in `secrets.rs`.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::Fields;
use crate::catalog::{Action, Effect, need, need_for, parse};
use crate::client::Client;
use crate::core::error::{Error, Problem};
use crate::core::id::ClientId;
use crate::core::paging::{Part, Wall, set};
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape, input};
use crate::core::timestamp::format_ms;
use crate::input::members;

/// Where the time of a rotation is written down, since the API keeps none (facts, section 6).
pub const STAMP: &str = "secret_rotated_at";

/// Input of `list-applications`.
#[derive(Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ListApplications {
    /// Kinds: non_interactive, spa, regular_web, native.
    pub app_type: Option<Fields>,
    /// Only first-party applications, or only others.
    pub is_first_party: Option<bool>,
    /// The hidden global application: false (default) leaves it out.
    pub is_global: Option<bool>,
    /// Fields to answer.
    pub fields: Option<Fields>,
    /// True (default): only `fields`. False: all but these.
    pub include_fields: Option<bool>,
    /// Page, from 0. Excludes from and take.
    pub page: Option<u32>,
    /// Page size, 0 to 100; 50 by default. Excludes from and take.
    #[schemars(range(max = 100))]
    pub per_page: Option<u32>,
    /// Answer the total number too. Excludes from and take.
    pub include_totals: Option<bool>,
    /// The cursor of the page before.
    pub from: Option<String>,
    /// Page size of the checkpoint, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub take: Option<u32>,
}

members!(ListApplications {
    app_type,
    is_first_party,
    is_global,
    fields,
    include_fields,
    page,
    per_page,
    include_totals,
    from,
    take
});

/// Input of `get-application`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct GetApplication {
    /// Id of the application.
    pub client_id: ClientId,
    /// Fields to answer.
    pub fields: Option<Fields>,
    /// True (default): only `fields`. False: all but these.
    pub include_fields: Option<bool>,
}

members!(GetApplication { client_id, fields, include_fields });

/// Input of `rotate-client-secret`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RotateClientSecret {
    /// Id of the application.
    pub client_id: ClientId,
    /// Write the time to client_metadata.secret_rotated_at; true by default.
    pub stamp: Option<bool>,
}

members!(RotateClientSecret { client_id, stamp });

fn path(client_id: &ClientId, rest: &[&str]) -> ApiPath {
    ApiPath::of(&[&["clients", client_id.as_str()], rest].concat())
}

/// Lists applications.
///
/// # Errors
/// As the contract's `applications.list-applications`.
pub fn list_applications(client: &mut Client<'_>, input: ListApplications) -> Result<Value, Error> {
    let part = Part::new(
        input.page,
        input.per_page,
        input.include_totals,
        input.from,
        input.take,
        Wall::CHECKPOINT,
    )?;
    let app_type = input.app_type.map(|kinds| match kinds {
        Fields::List(kinds) => kinds.join(","),
        Fields::Text(kinds) => kinds,
    });
    let request = Request::api(Method::Get, &ApiPath::of(&["clients"]))
        .maybe("app_type", app_type)
        .maybe("is_first_party", input.is_first_party)
        .query("is_global", if input.is_global == Some(true) { "true" } else { "false" });
    let request = Fields::apply(input.fields.as_ref(), input.include_fields, request)?;
    part.read(client.json(&part.apply(request))?, "clients")
}

/// Gets one application.
///
/// # Errors
/// As the contract's `applications.get-application`.
pub fn get_application(client: &mut Client<'_>, input: &GetApplication) -> Result<Value, Error> {
    let request = Request::api(Method::Get, &path(&input.client_id, &[]));
    client.json(&Fields::apply(input.fields.as_ref(), input.include_fields, request)?)
}

/// Gives an application a new secret and writes down when.
///
/// Where the stamp fails the secret is rotated all the same and must not be lost: the answer holds it, together with
/// `stamp_error`.
///
/// # Errors
/// As the contract's `applications.rotate-client-secret`.
pub fn rotate_client_secret(client: &mut Client<'_>, input: &RotateClientSecret) -> Result<Value, Error> {
    let mut application =
        client.json(&Request::api(Method::Post, &path(&input.client_id, &["rotate-secret"])))?;
    if application.get("client_secret").is_none() {
        return Err(Error::OutcomeUnknown(Problem::new(
            "the answer holds no secret: the application may have a new one that nobody has; rotate it again",
        )));
    }
    if input.stamp == Some(false) {
        return Ok(application);
    }
    let now = format_ms(client.unix_ms());
    let stamp = json!({ "client_metadata": { STAMP: now } });
    match client.json(&Request::api(Method::Patch, &path(&input.client_id, &[])).json(&stamp)) {
        Ok(updated) => {
            if let Some(metadata) = updated.get("client_metadata") {
                set(&mut application, "client_metadata", metadata.clone());
            }
        }
        Err(error) => {
            let stamp_error = json!({ "kind": error.kind(), "message": error.to_string() });
            set(&mut application, "stamp_error", stamp_error);
        }
    }
    Ok(application)
}

/// An application, as far as its shape is known.
pub const APPLICATION: Shape = Shape(&[
    ("client_id", Kind::Text, "Id"),
    ("name", Kind::Text, "Name"),
    ("description", Kind::Text, "What it is for"),
    ("app_type", Kind::Text, "Kind, such as non_interactive, spa, regular_web, native"),
    ("is_first_party", Kind::Flag, "Whether it belongs to the tenant's owner"),
    ("token_endpoint_auth_method", Kind::Text, "How it proves who it is"),
    ("grant_types", Kind::Texts, "Grants it may use"),
    ("callbacks", Kind::Texts, "URLs that logins may return to"),
    ("client_metadata", Kind::Bag, "Strings that its owner keeps with it"),
]);

const ROTATED: Shape = Shape(&[
    ("client_id", Kind::Text, "Id"),
    ("name", Kind::Text, "Name"),
    (
        "client_secret",
        Kind::Text,
        "The new secret, or its handle where the host keeps it. The old one ends within some 30 seconds",
    ),
    ("client_metadata", Kind::Bag, "With secret_rotated_at, where stamped"),
    (
        "stamp_error",
        Kind::Object(&Shape(&[
            ("kind", Kind::Text, "Kind of the error"),
            ("message", Kind::Text, "What happened"),
        ])),
        "Why the time could not be written down; the secret is rotated all the same",
    ),
]);

/// The family's lines of the table.
pub const ACTIONS: &[Action] = &[
    Action {
        id: "list-applications",
        title: "List applications",
        description: "Lists applications by page, or by checkpoint (take, then from). The hidden global one is left out. \
                      Secrets are answered only to tokens that may read them.",
        group: "applications",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /clients"],
        personal: false,
        scopes: &[need(&["read:clients", "read:client_keys", "read:client_summary"])],
        input: input::<ListApplications>,
        output: Output::Cursor(&APPLICATION),
        run: |client, value| list_applications(client, parse(value)?),
    },
    Action {
        id: "get-application",
        title: "Get an application",
        description: "Gets one application by id. Ends with missing where there is none.",
        group: "applications",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /clients/{id}"],
        personal: false,
        scopes: &[need(&[
            "read:clients",
            "read:client_keys",
            "read:client_credentials",
            "read:client_summary",
        ])],
        input: input::<GetApplication>,
        output: Output::One(&APPLICATION),
        run: |client, value| get_application(client, &parse(value)?),
    },
    Action {
        id: "rotate-client-secret",
        title: "Rotate a client secret",
        description: "Gives an application a new secret, answers it (or its handle, where the host keeps it), and writes the \
                      time to client_metadata.secret_rotated_at (update:clients) unless stamp is false. The old secret ends \
                      within some 30 seconds. Ends with outcome-unknown where the answer was lost: rotate again to know the \
                      secret.",
        group: "applications",
        effect: Effect::Update,
        idempotent: false,
        requests: &["POST /clients/{id}/rotate-secret", "PATCH /clients/{id}"],
        personal: false,
        scopes: &[
            need(&["update:client_keys"]),
            need_for(&["update:clients"], "the stamp, unless stamp is false"),
        ],
        input: input::<RotateClientSecret>,
        output: Output::One(&ROTATED),
        run: |client, value| rotate_client_secret(client, &parse(value)?),
    },
];
