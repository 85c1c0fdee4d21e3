//! Applications, and a new secret for one of them. The age of secrets is in `secrets.rs`.

use serde_json::{Value, json};

use super::{BY_CURSOR, Fields, read_list};
use crate::action::{About, Action, CuratedAction, Effect};
use crate::client::Client;
use crate::core::error::{Code, Error};
use crate::core::id::ClientId;
use crate::core::paging::set;
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape};
use crate::core::scope::{need, need_for};
use crate::core::timestamp::format_ms;
use crate::input::input;
use crate::list::Part;
use crate::operations::Paging;

/// Where the time of a rotation is written down, since the API keeps none (facts, section 6).
pub(super) const STAMP: &str = "secret_rotated_at";

fn path(client_id: &ClientId, rest: &[&str]) -> ApiPath {
    ApiPath::of(&[&["clients", client_id.as_str()], rest].concat())
}

/// An application, as far as its shape is known.
pub(super) const APPLICATION: Shape = Shape(&[
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
    ("stamped", Kind::Flag, "Whether client_metadata.secret_rotated_at was set"),
    (
        "stamp_error",
        Kind::Object(&Shape(&[
            ("disposition", Kind::Text, "What can be done about it"),
            ("code", Kind::Text, "Code of the error"),
            ("message", Kind::Text, "What happened"),
        ])),
        "Why the time could not be written down; the secret is rotated all the same",
    ),
]);

/// The family.
pub(super) const ACTIONS: &[Action] =
    &[Action::of::<ListApplications>(), Action::of::<GetApplication>(), Action::of::<RotateClientSecret>()];

input! {
    /// Input of `list-applications`.
    #[derive(Default)]
    pub(super) struct ListApplications {
        /// Kinds: non_interactive, spa, regular_web, native.
        pub(super) app_type: Option<Fields>,
        /// Only first-party applications, or only others.
        pub(super) is_first_party: Option<bool>,
        /// The hidden global application: false (default) leaves it out.
        pub(super) is_global: Option<bool>,
        /// Fields to answer.
        pub(super) fields: Option<Fields>,
        /// True (default): only `fields`. False: all but these.
        pub(super) include_fields: Option<bool>,
    }
    with part: Part
}

impl CuratedAction for ListApplications {
    const ABOUT: About = About {
        id: "list-applications",
        title: "List applications",
        description: "Lists applications, without end. The hidden global one is left out. \
                      Secrets are answered only to tokens that may read them.",
        group: "applications",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /clients"],
        handles_personal_data: false,
        scopes: &[need(&["read:clients", "read:client_keys", "read:client_summary"])],
        output: Output::Page(&APPLICATION, Paging::Either),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let app_type = self.app_type.map(|kinds| match kinds {
            Fields::List(kinds) => kinds.join(","),
            Fields::Text(kinds) => kinds,
        });
        let request = Request::api(Method::Get, &ApiPath::of(&["clients"]))
            .maybe("app_type", app_type)
            .maybe("is_first_party", self.is_first_party)
            .query("is_global", if self.is_global == Some(true) { "true" } else { "false" });
        let request = Fields::apply(self.fields.as_ref(), self.include_fields, request)?;
        read_list(client, &Self::ABOUT, "clients", BY_CURSOR, self.part, &request)
    }
}

input! {
    /// Input of `get-application`.
    struct GetApplication {
        /// Id of the application.
        client_id: ClientId,
        /// Fields to answer.
        fields: Option<Fields>,
        /// True (default): only `fields`. False: all but these.
        include_fields: Option<bool>,
    }
}

impl CuratedAction for GetApplication {
    const ABOUT: About = About {
        id: "get-application",
        title: "Get an application",
        description: "Gets one application by id. `not-found` where there is none.",
        group: "applications",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /clients/{id}"],
        handles_personal_data: false,
        scopes: &[need(&[
            "read:clients",
            "read:client_keys",
            "read:client_credentials",
            "read:client_summary",
        ])],
        output: Output::One(&APPLICATION),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let request = Request::api(Method::Get, &path(&self.client_id, &[]));
        client.json(&Fields::apply(self.fields.as_ref(), self.include_fields, request)?)
    }
}

input! {
    /// Input of `rotate-client-secret`.
    struct RotateClientSecret {
        /// Id of the application.
        client_id: ClientId,
        /// Write the time to client_metadata.secret_rotated_at; true by default.
        stamp: Option<bool>,
    }
}

impl CuratedAction for RotateClientSecret {
    const ABOUT: About = About {
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
        handles_personal_data: false,
        scopes: &[
            need(&["update:client_keys"]),
            need_for(&["update:clients"], "the stamp, unless stamp is false"),
        ],
        output: Output::One(&ROTATED),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let mut application =
            client.json(&Request::api(Method::Post, &path(&self.client_id, &["rotate-secret"])))?;
        let secret = application.get("client_secret").and_then(Value::as_str);
        if secret.is_none_or(str::is_empty) {
            return Err(Error::new(
                Code::OutcomeUnknown,
                "the answer holds no secret: the application may have a new one that nobody has; rotate it again",
            ));
        }
        set(&mut application, "client_id", self.client_id.as_str().into());
        set(&mut application, "stamped", false.into());
        if self.stamp == Some(false) {
            return Ok(application);
        }
        let now = format_ms(client.unix_ms());
        let stamp = json!({ "client_metadata": { STAMP: now } });
        match client.json(&Request::api(Method::Patch, &path(&self.client_id, &[])).json(&stamp)) {
            Ok(updated) => {
                set(&mut application, "stamped", true.into());
                if let Some(metadata) = updated.get("client_metadata") {
                    set(&mut application, "client_metadata", metadata.clone());
                }
            }
            Err(error) => {
                let stamp_error = json!({
                    "disposition": error.code.disposition().as_str(),
                    "code": error.code.as_str(),
                    "message": error.to_string(),
                });
                set(&mut application, "stamp_error", stamp_error);
            }
        }
        Ok(application)
    }
}
