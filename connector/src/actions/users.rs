//! Users: accounts, their logs, identities and blocks.

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::user_changes::UserChanges;
use super::{Fields, done, filled, list, required};
use crate::catalog::{Action, Effect, need, parse};
use crate::client::Client;
use crate::core::error::Error;
use crate::core::id::{ConnectionId, IdentityUserId, ProviderName, UserId};
use crate::core::json::object;
use crate::core::paging::{Offset, Wall, read_page};
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape, input};
use crate::input::members;

const WALL: Wall = Wall::At1000(
    "narrow `q` to fewer users and go on from there, for example with sort 'created_at:1' and \
     q 'created_at:[LAST_CREATED_AT_SEEN TO *]', page 0, leaving out the user_ids you have",
);

const LOG_WALL: Wall =
    Wall::At1000("read the tenant's log by checkpoint with list-logs (`from`, `take`) instead");

/// Input of `get-user`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct GetUser {
    /// Whole id of the user, with its provider part.
    pub user_id: UserId,
    /// Root fields to answer.
    pub fields: Option<Fields>,
    /// True (default): only `fields`. False: all but these.
    pub include_fields: Option<bool>,
}

members!(GetUser { user_id, fields, include_fields });

/// Input of `find-users-by-email`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FindUsersByEmail {
    /// E-mail address, matched exactly; Auth0's own store keeps addresses in lower case.
    pub email: String,
    /// Root fields to answer.
    pub fields: Option<Fields>,
    /// True (default): only `fields`. False: all but these.
    pub include_fields: Option<bool>,
}

members!(FindUsersByEmail { email, fields, include_fields });

/// Input of `list-users`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ListUsers {
    /// Query in Auth0's Lucene subset (v3), such as `app_metadata.plan:pro AND NOT blocked:true`.
    pub q: Option<String>,
    /// One field and a direction: `created_at:1` or `created_at:-1`.
    pub sort: Option<String>,
    /// Root fields to answer.
    pub fields: Option<Fields>,
    /// True (default): only `fields`. False: all but these.
    pub include_fields: Option<bool>,
    /// Page, from 0.
    pub page: Option<u32>,
    /// Page size, 0 to 100; 50 by default.
    #[schemars(range(max = 100))]
    pub per_page: Option<u32>,
    /// Answer the total number too.
    pub include_totals: Option<bool>,
}

members!(ListUsers { q, sort, fields, include_fields, page, per_page, include_totals });

/// Input of `create-user`: the body that Auth0 takes.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CreateUser {
    /// Name (not id) of a database or passwordless connection.
    pub connection: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number, '+' and 1 to 15 digits.
    pub phone_number: Option<String>,
    /// Username, where the connection requires one.
    pub username: Option<String>,
    /// Password, where the connection is a database.
    pub password: Option<String>,
    /// Id within the connection; Auth0 puts the provider part before it.
    pub user_id: Option<String>,
    /// Full name.
    pub name: Option<String>,
    /// Nickname.
    pub nickname: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// URL of a picture.
    pub picture: Option<String>,
    /// Create it blocked.
    pub blocked: Option<bool>,
    /// Mark the address as verified; otherwise a verification mail is sent.
    pub email_verified: Option<bool>,
    /// Mark the phone number as verified.
    pub phone_verified: Option<bool>,
    /// Send the verification mail or not, whatever email_verified says.
    pub verify_email: Option<bool>,
    /// The person's preferences.
    pub user_metadata: Option<Map<String, Value>>,
    /// The system's truth about the person.
    pub app_metadata: Option<Map<String, Value>>,
}

members!(CreateUser {
    connection,
    email,
    phone_number,
    username,
    password,
    user_id,
    name,
    nickname,
    given_name,
    family_name,
    picture,
    blocked,
    email_verified,
    phone_verified,
    verify_email,
    user_metadata,
    app_metadata
});

impl CreateUser {
    /// Returns the body that Auth0 takes.
    fn body(self) -> Value {
        let Self {
            connection,
            email,
            phone_number,
            username,
            password,
            user_id,
            name,
            nickname,
            given_name,
            family_name,
            picture,
            blocked,
            email_verified,
            phone_verified,
            verify_email,
            user_metadata,
            app_metadata,
        } = self;
        object([
            ("connection", Some(connection.into())),
            ("email", email.map(Value::from)),
            ("phone_number", phone_number.map(Value::from)),
            ("username", username.map(Value::from)),
            ("password", password.map(Value::from)),
            ("user_id", user_id.map(Value::from)),
            ("name", name.map(Value::from)),
            ("nickname", nickname.map(Value::from)),
            ("given_name", given_name.map(Value::from)),
            ("family_name", family_name.map(Value::from)),
            ("picture", picture.map(Value::from)),
            ("blocked", blocked.map(Value::from)),
            ("email_verified", email_verified.map(Value::from)),
            ("phone_verified", phone_verified.map(Value::from)),
            ("verify_email", verify_email.map(Value::from)),
            ("user_metadata", user_metadata.map(Value::Object)),
            ("app_metadata", app_metadata.map(Value::Object)),
        ])
    }
}

/// Input of `update-user`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct UpdateUser {
    /// Whole id of the user, with its provider part.
    pub user_id: UserId,
    /// What to change, as Auth0's PATCH takes it.
    pub changes: UserChanges,
    /// Allow {} as metadata, which deletes the whole bag.
    pub allow_metadata_wipe: Option<bool>,
}

members!(UpdateUser { user_id, changes, allow_metadata_wipe });

/// Input of the actions that need a user and nothing else.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OneUser {
    /// Whole id of the user, with its provider part.
    pub user_id: UserId,
}

members!(OneUser { user_id });

/// Input of `list-user-logs`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ListUserLogs {
    /// Whole id of the user, with its provider part.
    pub user_id: UserId,
    /// One field and a direction: `date:-1`.
    pub sort: Option<String>,
    /// Page, from 0.
    pub page: Option<u32>,
    /// Page size, 0 to 100; 50 by default.
    #[schemars(range(max = 100))]
    pub per_page: Option<u32>,
    /// Answer the total number too.
    pub include_totals: Option<bool>,
}

members!(ListUserLogs { user_id, sort, page, per_page, include_totals });

/// An account to link.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SecondaryIdentity {
    /// Provider, such as `google-oauth2`; may be left out where user_id holds it.
    pub provider: Option<ProviderName>,
    /// Id, with or without the provider part.
    pub user_id: IdentityUserId,
    /// Id of the connection, where the provider has several.
    pub connection_id: Option<ConnectionId>,
}

members!(SecondaryIdentity { provider, user_id, connection_id });

/// Input of `link-user`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{"required": ["identity"]}, {"required": ["link_with"]}]))]
pub struct LinkUser {
    /// Whole id of the primary user.
    pub user_id: UserId,
    /// The account to link, by its id. Either this or link_with.
    pub identity: Option<SecondaryIdentity>,
    /// The account to link, by an id token that proves it. Either this or identity.
    pub link_with: Option<String>,
}

members!(LinkUser { user_id, identity, link_with });

/// Input of `unlink-identity`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct UnlinkIdentity {
    /// Whole id of the primary user.
    pub user_id: UserId,
    /// Provider of the identity to take off.
    pub provider: ProviderName,
    /// Id of that identity within its provider.
    pub identity_user_id: IdentityUserId,
}

members!(UnlinkIdentity { user_id, provider, identity_user_id });

/// Input of the actions on brute-force blocks.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{"required": ["user_id"]}, {"required": ["identifier"]}]))]
pub struct BlockTarget {
    /// Whole id of the user. Either this or identifier.
    pub user_id: Option<UserId>,
    /// E-mail address, username or phone number. Either this or user_id.
    pub identifier: Option<String>,
}

members!(BlockTarget { user_id, identifier });

fn path(user_id: &UserId, rest: &[&str]) -> ApiPath {
    ApiPath::of(&[&["users", user_id.as_str()], rest].concat())
}

/// Gets one user.
///
/// # Errors
/// As the contract's `users.get-user`.
pub fn get_user(client: &mut Client<'_>, input: &GetUser) -> Result<Value, Error> {
    let request = Request::api(Method::Get, &path(&input.user_id, &[]));
    client.json(&Fields::apply(input.fields.as_ref(), input.include_fields, request)?)
}

/// Finds the users of an address.
///
/// # Errors
/// As the contract's `users.find-users-by-email`.
pub fn find_users_by_email(client: &mut Client<'_>, input: &FindUsersByEmail) -> Result<Value, Error> {
    if input.email.trim().is_empty() {
        return Err(Error::invalid("an empty `email` refused: give an e-mail address"));
    }
    let request = Request::api(Method::Get, &ApiPath::of(&["users-by-email"])).query("email", &input.email);
    client.json(&Fields::apply(input.fields.as_ref(), input.include_fields, request)?).and_then(list)
}

/// Lists or searches users.
///
/// # Errors
/// As the contract's `users.list-users`.
pub fn list_users(client: &mut Client<'_>, input: &ListUsers) -> Result<Value, Error> {
    let offset = Offset::new(input.page, input.per_page, input.include_totals, WALL)?;
    let request = Request::api(Method::Get, &ApiPath::of(&["users"]))
        .maybe("q", input.q.as_ref())
        .maybe("search_engine", input.q.as_ref().map(|_| "v3"))
        .maybe("sort", input.sort.as_ref());
    let request = Fields::apply(input.fields.as_ref(), input.include_fields, request)?;
    read_page(client.json(&offset.apply(request))?, "users", offset)
}

/// Creates a user.
///
/// # Errors
/// As the contract's `users.create-user`.
pub fn create_user(client: &mut Client<'_>, input: CreateUser) -> Result<Value, Error> {
    let body = filled(input.body())?;
    client.json(&Request::api(Method::Post, &ApiPath::of(&["users"])).json(&body))
}

/// Changes a user.
///
/// # Errors
/// As the contract's `users.update-user`.
pub fn update_user(client: &mut Client<'_>, input: UpdateUser) -> Result<Value, Error> {
    let body = input.changes.body(input.allow_metadata_wipe.unwrap_or(false))?;
    client.json(&Request::api(Method::Patch, &path(&input.user_id, &[])).json(&body))
}

/// Deletes a user.
///
/// # Errors
/// As the contract's `users.delete-user`.
pub fn delete_user(client: &mut Client<'_>, input: &OneUser) -> Result<Value, Error> {
    client.send(&Request::api(Method::Delete, &path(&input.user_id, &[]))).map(|_| done())
}

fn set_blocked(client: &mut Client<'_>, input: &OneUser, blocked: bool) -> Result<Value, Error> {
    client.json(&Request::api(Method::Patch, &path(&input.user_id, &[])).json(&json!({ "blocked": blocked })))
}

/// Blocks a user.
///
/// # Errors
/// As the contract's `users.block-user`.
pub fn block_user(client: &mut Client<'_>, input: &OneUser) -> Result<Value, Error> {
    set_blocked(client, input, true)
}

/// Lifts an administrator's block.
///
/// # Errors
/// As the contract's `users.unblock-user`.
pub fn unblock_user(client: &mut Client<'_>, input: &OneUser) -> Result<Value, Error> {
    set_blocked(client, input, false)
}

/// Lists what the log says of a user.
///
/// # Errors
/// As the contract's `users.list-user-logs`.
pub fn list_user_logs(client: &mut Client<'_>, input: &ListUserLogs) -> Result<Value, Error> {
    let offset = Offset::new(input.page, input.per_page, input.include_totals, LOG_WALL)?;
    let request =
        Request::api(Method::Get, &path(&input.user_id, &["logs"])).maybe("sort", input.sort.as_ref());
    read_page(client.json(&offset.apply(request))?, "logs", offset)
}

/// Links another account to a user.
///
/// # Errors
/// As the contract's `users.link-user`.
pub fn link_user(client: &mut Client<'_>, input: &LinkUser) -> Result<Value, Error> {
    let body = match (&input.identity, &input.link_with) {
        (Some(identity), None) => {
            // Auth0 takes the id with or without its provider part; one that contradicts `provider` is a mistake.
            let named = identity.user_id.as_str().split_once('|').map(|(provider, _)| provider);
            let given = identity.provider.as_ref().map(ProviderName::as_str);
            let provider = match (given, named) {
                (Some(given), None) => given,
                (None, Some(named)) => named,
                (Some(given), Some(named)) if given == named => given,
                (Some(_), Some(_)) => {
                    return Err(Error::invalid(
                        "an `identity` refused: its `provider` and its `user_id` contradict",
                    ));
                }
                (None, None) => {
                    return Err(Error::invalid(
                        "an `identity` without provider refused: give `provider`, or 'provider|id'",
                    ));
                }
            };
            object([
                ("provider", Some(provider.into())),
                ("user_id", Some(identity.user_id.as_str().into())),
                ("connection_id", identity.connection_id.as_ref().map(|id| id.as_str().into())),
            ])
        }
        (None, Some(token)) => json!({ "link_with": required("link_with", token)? }),
        _ => return Err(Error::invalid("give either `identity` or `link_with`: the account to link, once")),
    };
    client
        .json(&Request::api(Method::Post, &path(&input.user_id, &["identities"])).json(&body))
        .and_then(list)
}

/// Takes an identity off a user.
///
/// # Errors
/// As the contract's `users.unlink-identity`.
pub fn unlink_identity(client: &mut Client<'_>, input: &UnlinkIdentity) -> Result<Value, Error> {
    let rest = ["identities", input.provider.as_str(), input.identity_user_id.as_str()];
    client.json(&Request::api(Method::Delete, &path(&input.user_id, &rest))).and_then(list)
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

/// Gets brute-force blocks.
///
/// # Errors
/// As the contract's `users.get-user-blocks`.
pub fn get_user_blocks(client: &mut Client<'_>, target: &BlockTarget) -> Result<Value, Error> {
    client.json(&blocks(Method::Get, target)?)
}

/// Lifts brute-force blocks.
///
/// # Errors
/// As the contract's `users.clear-user-blocks`.
pub fn clear_user_blocks(client: &mut Client<'_>, target: &BlockTarget) -> Result<Value, Error> {
    client.send(&blocks(Method::Delete, target)?).map(|_| done())
}

const IDENTITY: Shape = Shape(&[
    ("connection", Kind::Text, "Name of the connection"),
    ("user_id", Kind::Text, "Id within the provider"),
    ("provider", Kind::Text, "Identity provider"),
    ("isSocial", Kind::Flag, "Whether the provider is a social one"),
    ("profileData", Kind::Bag, "Profile of a linked identity"),
]);

/// A user, as far as its shape is known.
pub const USER: Shape = Shape(&[
    ("user_id", Kind::Text, "Whole id, provider|id"),
    ("email", Kind::Text, "E-mail address"),
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
        ("identifier", Kind::Text, "E-mail, username or phone number that was tried"),
        ("ip", Kind::Text, "Address that is blocked"),
        ("connection", Kind::Text, "Connection it holds for"),
    ])),
    "The blocks; empty where there are none",
)]);

/// The family's lines of the table.
pub const ACTIONS: &[Action] = &[
    Action {
        id: "list-users",
        title: "List users",
        description: "Lists or searches users, one page at a time. The search lags behind writes by seconds: use \
                      get-user or find-users-by-email to read what was just written. Beyond the first 1000 results it \
                      ends with invalid-input that says how to go on.",
        group: "users",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /users"],
        personal: true,
        scopes: &[need(&["read:users"])],
        input: input::<ListUsers>,
        output: Output::Pages(&USER),
        run: |client, value| list_users(client, &parse(value)?),
    },
    Action {
        id: "get-user",
        title: "Get a user",
        description: "Gets one user by id, immediately consistent. Ends with missing where there is none.",
        group: "users",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /users/{id}"],
        personal: true,
        scopes: &[need(&["read:users"])],
        input: input::<GetUser>,
        output: Output::One(&USER),
        run: |client, value| get_user(client, &parse(value)?),
    },
    Action {
        id: "find-users-by-email",
        title: "Find users by e-mail",
        description: "Finds all users that have exactly this e-mail address, immediately consistent. An empty list \
                      where there is none.",
        group: "users",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /users-by-email"],
        personal: true,
        scopes: &[need(&["read:users"])],
        input: input::<FindUsersByEmail>,
        output: Output::All(&USER),
        run: |client, value| find_users_by_email(client, &parse(value)?),
    },
    Action {
        id: "create-user",
        title: "Create a user",
        description: "Creates a user on a database or passwordless connection. Ends with conflict where the user \
                      exists, rejected for a weak password or a connection that takes no users, and outcome-unknown \
                      where the answer was lost: look before trying again.",
        group: "users",
        effect: Effect::Create,
        idempotent: false,
        requests: &["POST /users"],
        personal: true,
        scopes: &[need(&["create:users"])],
        input: input::<CreateUser>,
        output: Output::One(&USER),
        run: |client, value| create_user(client, parse(value)?),
    },
    Action {
        id: "update-user",
        title: "Update a user",
        description: "Changes a user's profile or metadata. Root properties are replaced and null unsets them; metadata \
                      are merged at the first level only, and a null member is deleted. Auth0 refuses some changes \
                      together, such as email and password.",
        group: "users",
        effect: Effect::Update,
        idempotent: true,
        requests: &["PATCH /users/{id}"],
        personal: true,
        scopes: &[need(&["update:users", "update:users_app_metadata"])],
        input: input::<UpdateUser>,
        output: Output::One(&USER),
        run: |client, value| update_user(client, parse(value)?),
    },
    Action {
        id: "delete-user",
        title: "Delete a user",
        description: "Deletes a user and all linked identities for good. A user who does not exist is no failure.",
        group: "users",
        effect: Effect::Delete,
        idempotent: true,
        requests: &["DELETE /users/{id}"],
        personal: true,
        scopes: &[need(&["delete:users"])],
        input: input::<OneUser>,
        output: Output::Done,
        run: |client, value| delete_user(client, &parse(value)?),
    },
    Action {
        id: "block-user",
        title: "Block a user",
        description: "Blocks a user from logging in. Sessions that live go on until they end: use revoke-user-access too.",
        group: "users",
        effect: Effect::Update,
        idempotent: true,
        requests: &["PATCH /users/{id}"],
        personal: true,
        scopes: &[need(&["update:users"])],
        input: input::<OneUser>,
        output: Output::One(&USER),
        run: |client, value| block_user(client, &parse(value)?),
    },
    Action {
        id: "unblock-user",
        title: "Unblock a user",
        description: "Lifts the block that an administrator set. Brute-force blocks stay: use clear-user-blocks.",
        group: "users",
        effect: Effect::Update,
        idempotent: true,
        requests: &["PATCH /users/{id}"],
        personal: true,
        scopes: &[need(&["update:users"])],
        input: input::<OneUser>,
        output: Output::One(&USER),
        run: |client, value| unblock_user(client, &parse(value)?),
    },
    Action {
        id: "list-user-logs",
        title: "List a user's log",
        description: "Lists what the tenant's log says of a user, newest first, one page at a time. Reaches 1000 rows.",
        group: "users",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /users/{id}/logs"],
        personal: true,
        scopes: &[need(&["read:logs", "read:logs_users"])],
        input: input::<ListUserLogs>,
        output: Output::Pages(&super::logs::EVENT),
        run: |client, value| list_user_logs(client, &parse(value)?),
    },
    Action {
        id: "link-user",
        title: "Link an account",
        description: "Links another account to a user. The other account's own id and its metadata are gone afterwards. \
                      Ends with conflict where it is linked already.",
        group: "users",
        effect: Effect::Update,
        idempotent: false,
        requests: &["POST /users/{id}/identities"],
        personal: true,
        scopes: &[need(&["update:users"])],
        input: input::<LinkUser>,
        output: Output::All(&IDENTITY),
        run: |client, value| link_user(client, &parse(value)?),
    },
    Action {
        id: "unlink-identity",
        title: "Unlink an identity",
        description: "Takes a linked identity off a user; it becomes a user of its own, without metadata. The main \
                      identity cannot be taken off.",
        group: "users",
        effect: Effect::Update,
        idempotent: false,
        requests: &["DELETE /users/{id}/identities/{provider}/{user_id}"],
        personal: true,
        scopes: &[need(&["update:users"])],
        input: input::<UnlinkIdentity>,
        output: Output::All(&IDENTITY),
        run: |client, value| unlink_identity(client, &parse(value)?),
    },
    Action {
        id: "get-user-blocks",
        title: "Get brute-force blocks",
        description: "Gets the brute-force blocks of a user or of an identifier.",
        group: "users",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /user-blocks/{id}", "GET /user-blocks"],
        personal: true,
        scopes: &[need(&["read:users"])],
        input: input::<BlockTarget>,
        output: Output::One(&BLOCKS),
        run: |client, value| get_user_blocks(client, &parse(value)?),
    },
    Action {
        id: "clear-user-blocks",
        title: "Clear brute-force blocks",
        description: "Lifts the brute-force blocks of a user or of an identifier. A block that an administrator set stays: \
                      use unblock-user.",
        group: "users",
        effect: Effect::Update,
        idempotent: true,
        requests: &["DELETE /user-blocks/{id}", "DELETE /user-blocks"],
        personal: true,
        scopes: &[need(&["update:users"])],
        input: input::<BlockTarget>,
        output: Output::Done,
        run: |client, value| clear_user_blocks(client, &parse(value)?),
    },
];
