//! Linking accounts: a secondary disappears into a primary, and comes back bare.

use http::StatusCode;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal};
use crate::tenant::{Object, Tenant, User};
use crate::{time, users};

fn bad(message: &str) -> Refusal {
    Refusal::plain(StatusCode::BAD_REQUEST, message)
}

fn identities(profile: &Object) -> Vec<Value> {
    profile.get("identities").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn is(identity: &Value, provider: &str, bare: &str) -> bool {
    identity.get("provider").and_then(Value::as_str) == Some(provider)
        && identity.get("user_id").and_then(Value::as_str) == Some(bare)
}

pub(crate) fn link(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let primary_id = call.param("id").to_owned();
    let primary = tenant.user(&primary_id).ok_or_else(Refusal::missing_user)?.profile.clone();
    if call.field("link_with").is_some() {
        // Only tokens of users can prove the second account that way, and the emulator issues none.
        return Err(Refusal::plain(StatusCode::UNAUTHORIZED, "Invalid token"));
    }
    let Some(provider) = call.text("provider") else {
        return Err(Refusal::body("'Missing required property: provider'"));
    };
    let given = match call.field("user_id") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(Refusal::body("'Missing required property: user_id'")),
    };
    // With or without the provider, as recorded.
    let bare = given.strip_prefix(&format!("{provider}|")).unwrap_or(&given).to_owned();
    let secondary_id = format!("{provider}|{bare}");
    if identities(&primary).iter().any(|identity| is(identity, provider, &bare)) {
        if secondary_id == primary_id {
            return Err(bad("Main account and linked account are the same."));
        }
        return Err(Refusal::plain(
            StatusCode::CONFLICT,
            "Specified identity already linked to another account or is the same as the main identity.",
        ));
    }
    let elsewhere = tenant.users.iter().any(|user| {
        user.id() != secondary_id && identities(&user.profile).iter().any(|i| is(i, provider, &bare))
    });
    if elsewhere {
        return Err(Refusal::plain(
            StatusCode::CONFLICT,
            "Specified identity already linked to another account or is the same as the main identity.",
        ));
    }
    // [?] 400 for an unknown account is on the sheet, its text is not.
    let secondary =
        tenant.remove_user(&secondary_id).ok_or_else(|| bad("The user to link does not exist."))?;
    let mut moved = identities(&secondary.profile);
    if let Some(first) = moved.first_mut().and_then(Value::as_object_mut) {
        let data: Object = secondary
            .profile
            .iter()
            .filter(|(key, _)| {
                matches!(
                    key.as_str(),
                    "email"
                        | "email_verified"
                        | "name"
                        | "nickname"
                        | "picture"
                        | "given_name"
                        | "family_name"
                        | "username"
                        | "phone_number"
                        | "phone_verified"
                )
            })
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        first.insert("profileData".into(), data.into());
    }
    tenant.about_to_change(&primary_id);
    tenant.blocks.lift(&primary_id, &primary);
    let user = tenant.user_mut(&primary_id).ok_or_else(Refusal::missing_user)?;
    let mut all = identities(&primary);
    all.extend(moved);
    user.profile.insert("identities".into(), all.clone().into());
    user.profile.insert("updated_at".into(), time::now_iso().into());
    Ok(Answer::created(all))
}

pub(crate) fn unlink(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let id = call.param("id").to_owned();
    let (provider, bare) = (call.param("provider").to_owned(), call.param("user_id").to_owned());
    let profile = tenant.user(&id).ok_or_else(Refusal::missing_user)?.profile.clone();
    let all = identities(&profile);
    let Some(at) = all.iter().position(|identity| is(identity, &provider, &bare)) else {
        // [?] An identity that is not linked: 400, as for the main one.
        return Err(bad("The identity is not linked to the user."));
    };
    if at == 0 {
        return Err(bad("Main identity can not be unlinked"));
    }
    let (freed, rest): (Vec<Value>, Vec<Value>) =
        all.into_iter().partition(|identity| is(identity, &provider, &bare));
    tenant.about_to_change(&id);
    if let Some(user) = tenant.user_mut(&id) {
        user.profile.insert("identities".into(), rest.clone().into());
        user.profile.insert("updated_at".into(), time::now_iso().into());
    }
    // A user of its own again, without metadata.
    for identity in freed {
        let connection = identity.get("connection").and_then(Value::as_str).unwrap_or_default().to_owned();
        let wanted = identity.get("profileData").and_then(Value::as_object).cloned().unwrap_or_default();
        let user_id = format!("{provider}|{bare}");
        let mut profile = users::new_profile(&wanted, &user_id, &connection, &time::now_iso());
        let mut plain = identity.clone();
        if let Some(object) = plain.as_object_mut() {
            object.shift_remove("profileData");
        }
        profile.insert("identities".into(), json!([plain]));
        tenant.add_user(User { profile, ..User::default() });
    }
    Ok(Answer::ok(rest))
}
