//! Users: create, read, change, delete. Lists and search are in `search.rs`, what hangs on a user in its own file.

use http::StatusCode;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal};
use crate::operation::is_email;
use crate::paging::project;
use crate::tenant::{MARKS, Object, Tenant, User};
use crate::time;

/// Keys that `app_metadata` may not hold.
const RESERVED: [&str; 18] = [
    "__tenant",
    "_id",
    "blocked",
    "clientID",
    "created_at",
    "email_verified",
    "email",
    "globalClientID",
    "global_client_id",
    "identities",
    "lastIP",
    "lastLogin",
    "loginsCount",
    "metadata",
    "multifactor_last_modified",
    "multifactor",
    "updated_at",
    "user_id",
];

fn bad(message: impl Into<String>) -> Refusal {
    // [?] The codes of these refusals are not confirmed (facts, section 10): `invalid_body` is the family's.
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_body", message)
}

fn idp(status: StatusCode, message: &str) -> Refusal {
    Refusal::new(status, "auth0_idp_error", message)
}

/// The profile as this caller may see it: tokens of identity providers need a scope of their own.
pub(crate) fn shown(profile: &Object, call: &Call) -> Value {
    let mut profile = profile.clone();
    if !call.caller.may("read:user_idp_tokens")
        && let Some(Value::Array(identities)) = profile.get_mut("identities")
    {
        for identity in identities.iter_mut().filter_map(Value::as_object_mut) {
            for secret in ["access_token", "refresh_token", "access_token_secret"] {
                identity.shift_remove(secret);
            }
        }
    }
    project(Value::Object(profile), &call.query, &[])
}

pub(crate) fn get(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let user = tenant.user(call.param("id")).ok_or_else(Refusal::missing_user)?;
    Ok(Answer::ok(shown(&user.profile, call)))
}

pub(crate) fn by_email(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let email = call.query.get("email").unwrap_or_default();
    let users: Vec<Value> = tenant
        .users
        .iter()
        .filter(|user| user.text("email") == Some(email))
        .map(|user| shown(&user.profile, call))
        .collect();
    Ok(Answer::ok(users))
}

pub(crate) fn create(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    check_lengths(call)?;
    check_metadata(call)?;
    let name = call.text("connection").unwrap_or_default();
    let Some(connection) = tenant.connection_named(name) else {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "inexistent_connection",
            "The connection does not exist.",
        ));
    };
    if connection.enabled_clients.is_empty() {
        return Err(bad("The connection is disabled."));
    }
    let strategy = connection.text("strategy").to_owned();
    let options = connection.object.get("options").cloned().unwrap_or(Value::Null);
    match strategy.as_str() {
        "auth0" => {
            if call.text("password").is_none() {
                return Err(bad("Payload validation error: 'Missing required property: password'."));
            }
            let username = options.get("requires_username") == Some(&Value::Bool(true));
            if username && call.text("username").is_none() {
                return Err(bad("Payload validation error: 'Missing required property: username'."));
            }
            if !username && call.text("username").is_some() {
                return Err(bad("The connection does not accept usernames: requires_username is off."));
            }
            if call.text("email").is_none() {
                return Err(bad("Payload validation error: 'Missing required property: email'."));
            }
        }
        "email" if call.text("email").is_none() => {
            return Err(bad("Payload validation error: 'Missing required property: email'."));
        }
        "sms" if call.text("phone_number").is_none() => {
            return Err(bad("Payload validation error: 'Missing required property: phone_number'."));
        }
        "email" | "sms" => {}
        _ => {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "operation_not_supported",
                "Connection must be a database connection or a passwordless connection",
            ));
        }
    }
    if let Some(password) = call.text("password") {
        let policy = options.get("passwordPolicy").and_then(Value::as_str).unwrap_or("good");
        check_password(password, policy)?;
    }
    let bare = match call.text("user_id").filter(|id| !id.is_empty()) {
        Some(id) if id.chars().any(char::is_whitespace) || id.len() > 255 => {
            return Err(Refusal::body("'String does not match pattern: user_id'"));
        }
        Some(id) => id.to_owned(),
        None => tenant.ids.hex24(),
    };
    let mut wanted = call.object();
    for name in ["email", "username"] {
        if let Some(Value::String(text)) = wanted.get_mut(name) {
            *text = text.to_lowercase();
        }
    }
    let provider = if strategy == "auth0" { "auth0" } else { strategy.as_str() };
    let user_id = format!("{provider}|{bare}");
    let marks: Vec<_> = MARKS.into_iter().filter_map(|key| Some((key, wanted.get(key)?.as_str()?))).collect();
    let may_be_taken = tenant.may_know(&user_id) || marks.iter().any(|(_, mine)| tenant.may_know(mine));
    let taken = |user: &User| {
        user.id() == user_id
            || (marks.iter().any(|(key, mine)| user.text(key) == Some(*mine)) && user.connection() == name)
    };
    if may_be_taken && tenant.users.iter().any(taken) {
        return Err(idp(StatusCode::CONFLICT, "The user already exists."));
    }
    let profile = new_profile(&wanted, &user_id, name, &time::now_iso());
    let password = call.text("password").map(str::to_owned);
    let user = User { profile, password, ..User::default() };
    let verifies = call.flag("verify_email").unwrap_or(call.flag("email_verified") != Some(true));
    let shown = shown(&user.profile, call);
    let profile = user.profile.clone();
    tenant.add_user(user);
    if !tenant.index_delay.is_zero()
        && let Some(user) = tenant.users.last_mut()
    {
        user.stale = Some((None, std::time::Instant::now() + tenant.index_delay));
    }
    tenant.log_user("ss", "", &profile);
    if verifies && profile.get("email").is_some() {
        tenant.log_user("svr", "", &profile);
    }
    Ok(Answer::created(shown))
}

/// Builds the profile of a new user with Auth0's defaults.
pub(crate) fn new_profile(wanted: &Object, user_id: &str, connection: &str, now: &str) -> Object {
    let text = |name: &str| wanted.get(name).and_then(Value::as_str);
    let (provider, bare) = user_id.split_once('|').unwrap_or(("auth0", user_id));
    let identifier = text("email").or(text("username")).or(text("phone_number")).unwrap_or(bare);
    let local = identifier.split('@').next().unwrap_or(identifier);
    let mut profile = Object::new();
    profile.insert("user_id".into(), user_id.into());
    if let Some(email) = text("email") {
        profile.insert("email".into(), email.into());
        profile.insert(
            "email_verified".into(),
            (wanted.get("email_verified") == Some(&Value::Bool(true))).into(),
        );
    }
    profile.insert("name".into(), text("name").unwrap_or(identifier).into());
    profile.insert("nickname".into(), text("nickname").unwrap_or(local).into());
    profile
        .insert("picture".into(), text("picture").map_or_else(|| gravatar(identifier), str::to_owned).into());
    for name in ["username", "given_name", "family_name", "phone_number"] {
        if let Some(value) = text(name) {
            profile.insert(name.into(), value.into());
        }
    }
    for name in ["phone_verified", "user_metadata", "app_metadata"] {
        if let Some(value) = wanted.get(name) {
            profile.insert(name.into(), without_nulls(value));
        }
    }
    if wanted.get("blocked") == Some(&Value::Bool(true)) {
        profile.insert("blocked".into(), true.into());
    }
    profile.insert("created_at".into(), now.into());
    profile.insert("updated_at".into(), now.into());
    profile.insert(
        "identities".into(),
        json!([{
            "connection": connection,
            "user_id": bare,
            "provider": provider,
            "isSocial": !matches!(provider, "auth0" | "email" | "sms" | "samlp" | "waad" | "adfs" | "okta"),
        }]),
    );
    profile
}

/// First-level members that are null are not stored.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(object) => object
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<Object>()
            .into(),
        other => other.clone(),
    }
}

/// The default picture: gravatar, which falls back to an image of two letters.
fn gravatar(identifier: &str) -> String {
    let hash = Md5::digest(identifier.trim().to_lowercase());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let letters: String =
        identifier.chars().filter(|c| c.is_alphanumeric()).take(2).collect::<String>().to_lowercase();
    format!(
        "https://s.gravatar.com/avatar/{hex}?s=480&r=pg&d=https%3A%2F%2Fcdn.auth0.com%2Favatars%2F{letters}.png"
    )
}

fn check_lengths(call: &Call) -> Result<(), Refusal> {
    let caps = [
        ("username", 1, 128),
        ("name", 1, 300),
        ("nickname", 1, 300),
        ("given_name", 1, 150),
        ("family_name", 1, 150),
        ("password", 1, 4096),
    ];
    for (name, min, max) in caps {
        let Some(text) = call.text(name) else { continue };
        let length = text.chars().count();
        if length < min {
            return Err(Refusal::body(format_args!(
                "'String is too short ({length} chars), minimum {min}' on property {name}"
            )));
        }
        if length > max {
            return Err(Refusal::body(format_args!(
                "'String is too long ({length} chars), maximum {max}' on property {name}"
            )));
        }
    }
    if let Some(phone) = call.text("phone_number")
        && !phone.strip_prefix('+').is_some_and(|digits| {
            (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        })
    {
        return Err(Refusal::body(format_args!(
            "'String does not match pattern ^\\+[0-9]{{1,15}}$: {phone}' on property phone_number"
        )));
    }
    if let Some(picture) = call.text("picture")
        && !(picture.starts_with("https://") || picture.starts_with("http://"))
    {
        return Err(Refusal::body(format_args!(
            "'Object didn't pass validation for format strict-uri: {picture}' on property picture"
        )));
    }
    if let Some(username) = call.text("username")
        && (is_email(username)
            || !username.chars().all(|c| c.is_ascii_alphanumeric() || "@^$.!`#+-'~_".contains(c)))
    {
        return Err(Refusal::body(
            "'Object didn't pass validation for format username' on property username",
        ));
    }
    Ok(())
}

fn check_metadata(call: &Call) -> Result<(), Refusal> {
    for bag in ["user_metadata", "app_metadata"] {
        let Some(object) = call.field(bag).and_then(Value::as_object) else { continue };
        if let Some(key) = object.keys().find(|key| key.contains('.') || key.contains('$')) {
            return Err(bad(format!("Invalid {bag} property name '{key}': it must not contain '.' or '$'.")));
        }
        if bag == "app_metadata"
            && let Some(key) = object.keys().find(|key| RESERVED.contains(&key.as_str()))
        {
            return Err(bad(format!("app_metadata must not contain the reserved property '{key}'.")));
        }
    }
    Ok(())
}

/// Checks a password against a legacy policy.
fn check_password(password: &str, policy: &str) -> Result<(), Refusal> {
    // [?] Auth0's code for this refusal is not confirmed, so there is none.
    let weak = || Refusal::plain(StatusCode::BAD_REQUEST, "PasswordStrengthError: Password is too weak");
    let printable = password.bytes().all(|b| (33..=126).contains(&b));
    let has = |test: fn(&u8) -> bool| password.as_bytes().iter().any(test);
    let classes = [
        has(u8::is_ascii_lowercase),
        has(u8::is_ascii_uppercase),
        has(u8::is_ascii_digit),
        has(u8::is_ascii_punctuation),
    ];
    let held = classes.iter().filter(|held| **held).count();
    let three_alike = password.as_bytes().windows(3).any(|w| matches!(w, [a, b, c] if a == b && b == c));
    let fine = printable
        && password.len() <= 72
        && match policy {
            "none" => true,
            "low" => password.len() >= 6,
            "fair" => password.len() >= 8 && matches!(classes, [true, true, true, _]),
            "excellent" => password.len() >= 10 && held >= 3 && !three_alike,
            _ => password.len() >= 8 && held >= 3,
        };
    if fine { Ok(()) } else { Err(weak()) }
}

pub(crate) fn update(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    check_lengths(call)?;
    check_metadata(call)?;
    check_combinations(call)?;
    let only_app_metadata = call.object().keys().all(|key| key == "app_metadata");
    let may = call.caller.may("update:users")
        || (only_app_metadata && call.caller.may("update:users_app_metadata"));
    if !may {
        return Err(Refusal::insufficient_scope("Insufficient scope, expected any of: update:users"));
    }
    let id = call.param("id");
    let user = tenant.user(id).ok_or_else(Refusal::missing_user)?.clone();
    let provider = id.split('|').next().unwrap_or_default();
    let local = matches!(provider, "auth0" | "email" | "sms");
    let touches = |names: &[&str]| names.iter().any(|name| call.field(name).is_some());
    if !local && touches(&["email", "password", "username", "phone_number"]) {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "operation_not_supported",
            "The specified connection does not support changing these attributes.",
        ));
    }
    if !local && touches(&["name", "nickname", "given_name", "family_name", "picture"]) {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "operation_not_supported",
            "The following user attributes cannot be updated: name, nickname, given_name, family_name, picture. The connection should either be a database connection (using the Auth0 store), a passwordless connection or has disabled 'Sync user profile attributes at each login'.",
        ));
    }
    if let Some(name) = call.text("connection")
        && tenant.connection_named(name).is_none()
    {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "inexistent_connection",
            "The connection does not exist.",
        ));
    }
    for key in MARKS {
        let Some(text) = call
            .text(key)
            .map(|text| if key == "phone_number" { text.to_owned() } else { text.to_lowercase() })
        else {
            continue;
        };
        let taken = tenant.users.iter().any(|other| {
            other.id() != id
                && other.connection() == user.connection()
                && other.text(key) == Some(text.as_str())
        });
        if taken && key == "username" {
            return Err(Refusal::plain(StatusCode::BAD_REQUEST, "The username provided is in use already."));
        }
        if taken {
            return Err(idp(StatusCode::BAD_REQUEST, &format!("The specified new {key} already exists")));
        }
    }
    let policy = tenant
        .connection_named(user.connection())
        .and_then(|connection| connection.object.get("options"))
        .and_then(|options| options.get("passwordPolicy"))
        .and_then(Value::as_str)
        .unwrap_or("good")
        .to_owned();
    if let Some(password) = call.text("password") {
        check_password(password, &policy)?;
    }
    tenant.about_to_change(id);
    let now = time::now_iso();
    let Some(user) = tenant.user_mut(id) else { return Err(Refusal::missing_user()) };
    for (key, value) in call.object() {
        match (key.as_str(), value) {
            ("connection" | "client_id" | "verify_email" | "verify_phone_number", _) => {}
            ("password", Value::String(password)) => {
                user.password = Some(password);
                user.profile.insert("last_password_reset".into(), now.as_str().into());
                user.profile.shift_remove("blocked");
            }
            ("password", _) => user.password = None,
            ("user_metadata" | "app_metadata", value) => merge_bag(&mut user.profile, &key, &value),
            (_, Value::Null) => {
                user.profile.shift_remove(&key);
            }
            ("email" | "username", Value::String(text)) => {
                user.profile.insert(key, text.to_lowercase().into());
            }
            (_, value) => {
                user.profile.insert(key, value);
            }
        }
    }
    user.profile.insert("updated_at".into(), now.into());
    let profile = user.profile.clone();
    tenant.learn_marks(&profile);
    if touches(&["password"]) {
        tenant.blocks.lift(id, &profile);
        tenant.log_user("scp", "", &profile);
    }
    if touches(&["email"]) {
        tenant.log_user("sce", "", &profile);
    }
    if touches(&["username"]) {
        tenant.log_user("scu", "", &profile);
    }
    if call.flag("verify_email") == Some(true) {
        tenant.log_user("svr", "", &profile);
    }
    Ok(Answer::ok(shown(&profile, call)))
}

/// Merges a metadata bag: first level only, null deletes, an empty object wipes.
fn merge_bag(profile: &mut Object, name: &str, change: &Value) {
    let Some(change) = change.as_object() else { return };
    if change.is_empty() {
        // As recorded: the reply then shows `user_metadata: {}` and no `app_metadata` at all.
        if name == "user_metadata" {
            profile.insert(name.to_owned(), json!({}));
        } else {
            profile.shift_remove(name);
        }
        return;
    }
    let mut bag = profile.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, value) in change {
        if value.is_null() {
            bag.shift_remove(key);
        } else {
            bag.insert(key.clone(), value.clone());
        }
    }
    profile.insert(name.to_owned(), bag.into());
}

/// Refuses pairs of changes that Auth0 does not take in one request.
fn check_combinations(call: &Call) -> Result<(), Refusal> {
    for (one, other) in [
        ("password", "email"),
        ("password", "email_verified"),
        ("password", "username"),
        ("username", "email"),
        ("username", "email_verified"),
    ] {
        if call.field(one).is_some() && call.field(other).is_some() {
            return Err(bad(format!("Cannot update {one} and {other} simultaneously")));
        }
    }
    Ok(())
}

pub(crate) fn delete(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    // A well-formed id that nobody has, or nobody has any more, is 204 as well.
    if let Some(user) = tenant.remove_user(call.param("id")) {
        tenant.log_user("sdu", "", &user.profile);
    }
    Ok(Answer::no_content())
}

pub(crate) fn organizations(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    tenant.user(call.param("id")).ok_or_else(Refusal::missing_user)?;
    // Members of organizations are not modelled: nobody is in one.
    Ok(crate::paging::offset(call, "organizations", &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_merges_at_the_first_level_only() {
        let table = [
            (json!({"a": 1}), json!({"b": 2}), json!({"a": 1, "b": 2})),
            (json!({"a": {"x": 1}}), json!({"a": {"y": 2}}), json!({"a": {"y": 2}})),
            (json!({"a": 1, "b": 2}), json!({"a": null}), json!({"b": 2})),
            (json!({"a": 1}), json!({}), json!({})),
        ];
        for (before, change, after) in table {
            let mut profile = Object::new();
            profile.insert("user_metadata".into(), before);
            merge_bag(&mut profile, "user_metadata", &change);
            assert_eq!(profile.get("user_metadata"), Some(&after), "{change}");
        }
    }

    #[test]
    fn an_empty_app_metadata_removes_the_bag_from_the_reply() {
        let mut profile = Object::new();
        profile.insert("app_metadata".into(), json!({"a": 1}));
        merge_bag(&mut profile, "app_metadata", &json!({}));
        assert!(!profile.contains_key("app_metadata"));
    }

    #[test]
    fn the_policy_good_wants_three_of_four_classes() {
        for (password, fine) in [
            ("Passw0rdX", true),
            ("passw0rd!", true),
            ("password", false),
            ("Password", false),
            ("Ab1!", false),
            ("Pass w0rd", false),
        ] {
            assert_eq!(check_password(password, "good").is_ok(), fine, "{password}");
        }
    }
}
