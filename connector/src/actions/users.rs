//! Users: accounts, their logs, identities and blocks.

use serde_json::{Map, Value, json};

use super::user_changes::{self, Unset, UserChanges};
use super::{Fields, done, filled, read_list, required, whole};
use crate::action::{About, Action, CuratedAction, Effect};
use crate::client::Client;
use crate::core::error::Error;
use crate::core::id::{ConnectionId, IdError, IdentityUserId, ProviderName, UserId};
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape};
use crate::core::scope::need;
use crate::input::{IntoBody, body, input};
use crate::list::OffsetPart;
use crate::operations::Paging;

/// How to go on in the list of users beyond the 1000th.
const BEYOND: &str = "narrow `q` to fewer users and go on from there, for example with sort 'created_at:1' and \
     q 'created_at:[LAST_CREATED_AT_SEEN TO *]', leaving out the user_ids you have";

/// How to go on in a user's log beyond the 1000th row.
const BEYOND_LOG: &str = "read the tenant's log with list-logs (`from`) instead";

body! {
    /// An account to link.
    struct SecondaryIdentity {
        /// Provider, such as `google-oauth2`; may be left out where user_id holds it.
        provider: Option<ProviderName>,
        /// Id, with or without the provider part.
        user_id: IdentityUserId,
        /// Id of the connection, where the provider has several.
        connection_id: Option<ConnectionId>,
    }
}

input! {
    /// Whose brute-force blocks are meant.
    struct BlockTarget {
        /// Whole id of the user. Either this or identifier.
        user_id: Option<UserId>,
        /// Email address, username or phone number. Either this or user_id.
        identifier: Option<String>,
    }
}

impl SecondaryIdentity {
    /// Returns it with its provider. Auth0 takes the id with or without its provider part; one that contradicts `provider`
    /// is a mistake.
    fn with_provider(self) -> Result<Self, Error> {
        let named = self.user_id.as_str().split_once('|').map(|(provider, _)| provider);
        let given = self.provider.as_ref().map(ProviderName::as_str);
        let problem = match (given, named) {
            (Some(given), Some(named)) if given != named => {
                "an `identity` refused: its `provider` and its `user_id` contradict each other"
            }
            (None, None) => "an `identity` without provider refused: give `provider`, or 'provider|id'",
            (Some(_), _) => return Ok(self),
            (None, Some(named)) => {
                let provider = named.parse().map_err(|error: IdError| Error::invalid(error.to_string()))?;
                return Ok(Self { provider: Some(provider), ..self });
            }
        };
        Err(Error::invalid(problem))
    }
}

fn path(user_id: &UserId, rest: &[&str]) -> ApiPath {
    ApiPath::of(&[&["users", user_id.as_str()], rest].concat())
}

fn set_blocked(client: &mut Client<'_>, user_id: &UserId, blocked: bool) -> Result<Value, Error> {
    client.json(&Request::api(Method::Patch, &path(user_id, &[])).json(&json!({ "blocked": blocked })))
}

fn blocks(method: Method, target: &BlockTarget) -> Result<Request, Error> {
    match (&target.user_id, &target.identifier) {
        (Some(user_id), None) => Ok(Request::api(method, &ApiPath::of(&["user-blocks", user_id.as_str()]))),
        (None, Some(identifier)) if !identifier.trim().is_empty() => {
            Ok(Request::api(method, &ApiPath::of(&["user-blocks"])).query("identifier", identifier))
        }
        _ => Err(Error::invalid("give either `user_id` or `identifier`: whose blocks are meant")),
    }
}

const IDENTITY: Shape = Shape(&[
    ("connection", Kind::Text, "Name of the connection"),
    ("user_id", Kind::Text, "Id within the provider"),
    ("provider", Kind::Text, "Identity provider"),
    ("isSocial", Kind::Flag, "Whether the provider is a social one"),
    ("profileData", Kind::Bag, "Profile of a linked identity"),
]);

/// A user, as far as its shape is known.
pub(super) const USER: Shape = Shape(&[
    ("user_id", Kind::Text, "Whole id, provider|id"),
    ("email", Kind::Text, "Email address"),
    ("email_verified", Kind::Flag, "Whether the address was verified"),
    ("username", Kind::Text, "Username"),
    ("phone_number", Kind::Text, "Phone number"),
    ("phone_verified", Kind::Flag, "Whether the number was verified"),
    ("name", Kind::Text, "Full name"),
    ("nickname", Kind::Text, "Nickname"),
    ("given_name", Kind::Text, "Given name"),
    ("family_name", Kind::Text, "Family name"),
    ("picture", Kind::Text, "URL of a picture"),
    ("blocked", Kind::Flag, "Whether an administrator blocked the account; absent means no"),
    ("created_at", Kind::Time, "When it was created"),
    ("updated_at", Kind::Time, "When it last changed"),
    ("last_login", Kind::Time, "Last login; absent before the first"),
    ("last_ip", Kind::Text, "Address of the last login"),
    ("logins_count", Kind::Number, "Number of logins"),
    ("identities", Kind::List(&IDENTITY), "Linked identities, the primary one first"),
    ("user_metadata", Kind::Bag, "The person's preferences"),
    ("app_metadata", Kind::Bag, "The system's truth about the person"),
]);

const BLOCKS: Shape = Shape(&[(
    "blocked_for",
    Kind::List(&Shape(&[
        ("identifier", Kind::Text, "Email, username or phone number that was tried"),
        ("ip", Kind::Text, "Address that is blocked"),
        ("connection", Kind::Text, "Connection it holds for"),
    ])),
    "The blocks; empty where there are none",
)]);

/// The family.
pub(super) const ACTIONS: &[Action] = &[
    Action::of::<ListUsers>(),
    Action::of::<GetUser>(),
    Action::of::<FindUsersByEmail>(),
    Action::of::<CreateUser>(),
    Action::of::<UpdateUser>(),
    Action::of::<DeleteUser>(),
    Action::of::<BlockUser>(),
    Action::of::<UnblockUser>(),
    Action::of::<ListUserLogs>(),
    Action::of::<LinkUser>(),
    Action::of::<UnlinkIdentity>(),
    Action::of::<GetUserBlocks>(),
    Action::of::<ClearUserBlocks>(),
];

input! {
    /// Input of `list-users`.
    struct ListUsers {
        /// Query in Auth0's Lucene subset (v3), such as `app_metadata.plan:pro AND NOT blocked:true`.
        q: Option<String>,
        /// One field and a direction: `created_at:1` or `created_at:-1`.
        sort: Option<String>,
        /// Root fields to answer.
        fields: Option<Fields>,
        /// True (default): only `fields`. False: all but these.
        include_fields: Option<bool>,
    }
    with part: OffsetPart
}

impl CuratedAction for ListUsers {
    const ABOUT: About = About {
        id: "list-users",
        title: "List users",
        description: "Lists or searches users, one page at a time. The search lags behind writes by seconds: use \
                      get-user or find-users-by-email to read what was just written. Beyond the first 1000 results it \
                      ends with invalid-input that says how to go on.",
        group: "users",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /users"],
        handles_personal_data: true,
        scopes: &[need(&["read:users"])],
        output: Output::Page(&USER, Paging::Offset),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let request = Request::api(Method::Get, &ApiPath::of(&["users"]))
            .maybe("q", self.q.as_ref())
            .maybe("search_engine", self.q.as_ref().map(|_| "v3"))
            .maybe("sort", self.sort.as_ref());
        let request = Fields::apply(self.fields.as_ref(), self.include_fields, request)?;
        read_list(client, &Self::ABOUT, "users", BEYOND, self.part, &request)
    }
}

input! {
    /// Input of `get-user`.
    pub(super) struct GetUser {
        /// Whole id of the user, with its provider part.
        pub(super) user_id: UserId,
        /// Root fields to answer.
        pub(super) fields: Option<Fields>,
        /// True (default): only `fields`. False: all but these.
        pub(super) include_fields: Option<bool>,
    }
}

impl CuratedAction for GetUser {
    const ABOUT: About = About {
        id: "get-user",
        title: "Get a user",
        description: "Gets one user by id, immediately consistent. `not-found` where there is none.",
        group: "users",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /users/{id}"],
        handles_personal_data: true,
        scopes: &[need(&["read:users"])],
        output: Output::One(&USER),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let request = Request::api(Method::Get, &path(&self.user_id, &[]));
        client.json(&Fields::apply(self.fields.as_ref(), self.include_fields, request)?)
    }
}

input! {
    /// Input of `find-users-by-email`.
    struct FindUsersByEmail {
        /// Email address, matched exactly; Auth0's own store keeps addresses in lower case.
        email: String,
        /// Root fields to answer.
        fields: Option<Fields>,
        /// True (default): only `fields`. False: all but these.
        include_fields: Option<bool>,
    }
}

impl CuratedAction for FindUsersByEmail {
    const ABOUT: About = About {
        id: "find-users-by-email",
        title: "Find users by email",
        description: "Finds all users that have exactly this email address, immediately consistent. An empty list \
                      where there is none.",
        group: "users",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /users-by-email"],
        handles_personal_data: true,
        scopes: &[need(&["read:users"])],
        output: Output::All(&USER),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        if self.email.trim().is_empty() {
            return Err(Error::invalid("an empty `email` refused: give an email address"));
        }
        let request =
            Request::api(Method::Get, &ApiPath::of(&["users-by-email"])).query("email", &self.email);
        client
            .json(&Fields::apply(self.fields.as_ref(), self.include_fields, request)?)
            .and_then(|answer| whole(Method::Get, answer))
    }
}

body! {
    /// Input of `create-user`.
    struct CreateUser {
        /// Name (not id) of a database or passwordless connection.
        connection: String,
        /// Email address.
        email: Option<String>,
        /// Phone number, '+' and 1 to 15 digits.
        phone_number: Option<String>,
        /// Username, where the connection requires one.
        username: Option<String>,
        /// Password, where the connection is a database.
        password: Option<String>,
        /// Id within the connection; Auth0 puts the provider part before it.
        user_id: Option<String>,
        /// Full name.
        name: Option<String>,
        /// Nickname.
        nickname: Option<String>,
        /// Given name.
        given_name: Option<String>,
        /// Family name.
        family_name: Option<String>,
        /// URL of a picture.
        picture: Option<String>,
        /// Create it blocked.
        blocked: Option<bool>,
        /// Mark the address as verified; otherwise a verification email is sent.
        email_verified: Option<bool>,
        /// Mark the phone number as verified.
        phone_verified: Option<bool>,
        /// Send the verification mail or not, whatever email_verified says.
        verify_email: Option<bool>,
        /// The person's preferences.
        user_metadata: Option<Map<String, Value>>,
        /// The system's truth about the person.
        app_metadata: Option<Map<String, Value>>,
    }
}

impl CuratedAction for CreateUser {
    const ABOUT: About = About {
        id: "create-user",
        title: "Create a user",
        description: "Creates a user on a database or passwordless connection. Ends with conflict where the user \
                      exists, rejected for a weak password or a connection that takes no users, and outcome-unknown \
                      where the answer was lost: look before trying again.",
        group: "users",
        effect: Effect::Create,
        idempotent: false,
        requests: &["POST /users"],
        handles_personal_data: true,
        scopes: &[need(&["create:users"])],
        output: Output::One(&USER),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let body = filled(self)?;
        client.json(&Request::api(Method::Post, &ApiPath::of(&["users"])).json(&body))
    }
}

input! {
    /// Input of `update-user`.
    #[schemars(extend("anyOf" = [{"required": ["changes"]}, {"required": ["unset"]}]))]
    struct UpdateUser {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
        /// What to change, as Auth0's PATCH takes it. This, unset, or both.
        changes: Option<UserChanges>,
        /// Names of fields to unset, which changes may do by null too.
        unset: Option<Unset>,
        /// Allow {} as metadata, which deletes the whole bag.
        allow_metadata_wipe: Option<bool>,
    }
}

impl CuratedAction for UpdateUser {
    const ABOUT: About = About {
        id: "update-user",
        title: "Update a user",
        description: "Changes a user's profile or metadata. Root properties are replaced and null unsets them; metadata \
                      are merged at the first level only, and a null member is deleted. Auth0 refuses some changes \
                      together, such as email and password.",
        group: "users",
        effect: Effect::Update,
        idempotent: true,
        requests: &["PATCH /users/{id}"],
        handles_personal_data: true,
        scopes: &[need(&["update:users", "update:users_app_metadata"])],
        output: Output::One(&USER),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let body = user_changes::body(self.changes, self.unset, self.allow_metadata_wipe.unwrap_or(false))?;
        client.json(&Request::api(Method::Patch, &path(&self.user_id, &[])).json(&body))
    }
}

input! {
    /// Input of `delete-user`.
    struct DeleteUser {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
    }
}

impl CuratedAction for DeleteUser {
    const ABOUT: About = About {
        id: "delete-user",
        title: "Delete a user",
        description: "Deletes a user and all linked identities for good. Deleting a user who does not exist succeeds.",
        group: "users",
        effect: Effect::Delete,
        idempotent: true,
        requests: &["DELETE /users/{id}"],
        handles_personal_data: true,
        scopes: &[need(&["delete:users"])],
        output: Output::Done,
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        client.send(&Request::api(Method::Delete, &path(&self.user_id, &[]))).map(|_| done())
    }
}

input! {
    /// Input of `block-user`.
    struct BlockUser {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
    }
}

impl CuratedAction for BlockUser {
    const ABOUT: About = About {
        id: "block-user",
        title: "Block a user",
        description: "Blocks a user from logging in. Existing sessions stay valid until they expire: use revoke-user-access too.",
        group: "users",
        effect: Effect::Update,
        idempotent: true,
        requests: &["PATCH /users/{id}"],
        handles_personal_data: true,
        scopes: &[need(&["update:users"])],
        output: Output::One(&USER),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        set_blocked(client, &self.user_id, true)
    }
}

input! {
    /// Input of `unblock-user`.
    struct UnblockUser {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
    }
}

impl CuratedAction for UnblockUser {
    const ABOUT: About = About {
        id: "unblock-user",
        title: "Unblock a user",
        description: "Lifts the block that an administrator set. Brute-force blocks stay: use clear-user-blocks.",
        group: "users",
        effect: Effect::Update,
        idempotent: true,
        requests: &["PATCH /users/{id}"],
        handles_personal_data: true,
        scopes: &[need(&["update:users"])],
        output: Output::One(&USER),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        set_blocked(client, &self.user_id, false)
    }
}

input! {
    /// Input of `list-user-logs`.
    struct ListUserLogs {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
        /// One field and a direction: `date:-1`.
        sort: Option<String>,
    }
    with part: OffsetPart
}

impl CuratedAction for ListUserLogs {
    const ABOUT: About = About {
        id: "list-user-logs",
        title: "List a user's log",
        description: "Lists what the tenant's log says of a user, newest first, one page at a time. Reaches 1000 rows.",
        group: "users",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /users/{id}/logs"],
        handles_personal_data: true,
        scopes: &[need(&["read:logs", "read:logs_users"])],
        output: Output::Page(&super::logs::EVENT, Paging::Offset),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let request =
            Request::api(Method::Get, &path(&self.user_id, &["logs"])).maybe("sort", self.sort.as_ref());
        read_list(client, &Self::ABOUT, "logs", BEYOND_LOG, self.part, &request)
    }
}

input! {
    /// Input of `link-user`.
    #[schemars(extend("anyOf" = [{"required": ["identity"]}, {"required": ["link_with"]}]))]
    struct LinkUser {
        /// Whole id of the primary user.
        user_id: UserId,
        /// The account to link, by its id. Either this or link_with.
        identity: Option<SecondaryIdentity>,
        /// The account to link, by an id token that proves it. Either this or identity.
        link_with: Option<String>,
    }
}

impl CuratedAction for LinkUser {
    const ABOUT: About = About {
        id: "link-user",
        title: "Link an account",
        description: "Links another account to a user. The other account's own id and its metadata are gone afterwards. \
                      Ends with conflict where it is linked already.",
        group: "users",
        effect: Effect::Update,
        idempotent: false,
        requests: &["POST /users/{id}/identities"],
        handles_personal_data: true,
        scopes: &[need(&["update:users"])],
        output: Output::All(&IDENTITY),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let body = match (self.identity, self.link_with) {
            (Some(identity), None) => identity.with_provider()?.into_body().unwrap_or_default(),
            (None, Some(token)) => {
                required("link_with", &token)?;
                json!({ "link_with": token })
            }
            _ => {
                return Err(Error::invalid(
                    "give either `identity` or `link_with`: the account to link, once",
                ));
            }
        };
        client
            .json(&Request::api(Method::Post, &path(&self.user_id, &["identities"])).json(&body))
            .and_then(|answer| whole(Method::Post, answer))
    }
}

input! {
    /// Input of `unlink-identity`.
    struct UnlinkIdentity {
        /// Whole id of the primary user.
        user_id: UserId,
        /// Provider of the identity to take off.
        provider: ProviderName,
        /// Id of that identity within its provider.
        identity_user_id: IdentityUserId,
    }
}

impl CuratedAction for UnlinkIdentity {
    const ABOUT: About = About {
        id: "unlink-identity",
        title: "Unlink an identity",
        description: "Takes a linked identity off a user; it becomes a user of its own, without metadata. The main \
                      identity cannot be taken off.",
        group: "users",
        effect: Effect::Update,
        idempotent: false,
        requests: &["DELETE /users/{id}/identities/{provider}/{user_id}"],
        handles_personal_data: true,
        scopes: &[need(&["update:users"])],
        output: Output::All(&IDENTITY),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let rest = ["identities", self.provider.as_str(), self.identity_user_id.as_str()];
        client
            .json(&Request::api(Method::Delete, &path(&self.user_id, &rest)))
            .and_then(|answer| whole(Method::Delete, answer))
    }
}

input! {
    /// Input of `get-user-blocks`.
    #[schemars(extend("anyOf" = [{"required": ["user_id"]}, {"required": ["identifier"]}]))]
    struct GetUserBlocks {
    }
    with target: BlockTarget
}

impl CuratedAction for GetUserBlocks {
    const ABOUT: About = About {
        id: "get-user-blocks",
        title: "Get brute-force blocks",
        description: "Gets the brute-force blocks of a user or of an identifier.",
        group: "users",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /user-blocks/{id}", "GET /user-blocks"],
        handles_personal_data: true,
        scopes: &[need(&["read:users"])],
        output: Output::One(&BLOCKS),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        client.json(&blocks(Method::Get, &self.target)?)
    }
}

input! {
    /// Input of `clear-user-blocks`.
    #[schemars(extend("anyOf" = [{"required": ["user_id"]}, {"required": ["identifier"]}]))]
    struct ClearUserBlocks {
    }
    with target: BlockTarget
}

impl CuratedAction for ClearUserBlocks {
    const ABOUT: About = About {
        id: "clear-user-blocks",
        title: "Clear brute-force blocks",
        description: "Lifts the brute-force blocks of a user or of an identifier. A block that an administrator set stays: \
                      use unblock-user.",
        group: "users",
        effect: Effect::Update,
        idempotent: true,
        requests: &["DELETE /user-blocks/{id}", "DELETE /user-blocks"],
        handles_personal_data: true,
        scopes: &[need(&["update:users"])],
        output: Output::Done,
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        client.send(&blocks(Method::Delete, &self.target)?).map(|_| done())
    }
}
