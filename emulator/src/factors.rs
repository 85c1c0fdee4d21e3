//! Second factors of a user: enrollments and authentication methods.

use http::StatusCode;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal};
use crate::paging::{self, Page};
use crate::tenant::{Object, Tenant, User};

fn user<'t>(tenant: &'t mut Tenant, call: &Call) -> Result<&'t mut User, Refusal> {
    tenant.user_mut(call.param("id")).ok_or_else(Refusal::missing_user)
}

fn is(object: &Object, id: &str) -> bool {
    object.get("id").and_then(Value::as_str) == Some(id)
}

fn list(objects: &[Object]) -> Vec<Value> {
    objects.iter().cloned().map(Value::Object).collect()
}

/// A profile without factors shows none.
fn forget(user: &mut User) {
    user.profile.shift_remove("multifactor");
    user.profile.shift_remove("guardian_authenticators");
}

pub(crate) fn enrollments(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    Ok(Answer::ok(list(&user(tenant, call)?.enrollments)))
}

pub(crate) fn delete_authenticators(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let user = user(tenant, call)?;
    user.enrollments.clear();
    user.authentication_methods.clear();
    forget(user);
    Ok(Answer::no_content())
}

pub(crate) fn methods(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let items = list(&user(tenant, call)?.authentication_methods);
    let page = Page::of(&call.query);
    if call.query.flag("include_totals") == Some(true) {
        return Ok(Answer::ok(json!({
            "authenticators": paging::slice(&items, page), "start": page.start, "limit": page.limit,
            "total": items.len(),
        })));
    }
    Ok(Answer::ok(paging::slice(&items, page)))
}

fn has_passkey(user: &User) -> bool {
    user.authentication_methods
        .iter()
        .any(|method| method.get("type").and_then(Value::as_str) == Some("passkey"))
}

pub(crate) fn delete_methods(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let user = user(tenant, call)?;
    if has_passkey(user) {
        return Err(Refusal::plain(StatusCode::FORBIDDEN, "Passkeys cannot be deleted this way."));
    }
    user.authentication_methods.clear();
    user.enrollments.clear();
    forget(user);
    Ok(Answer::no_content())
}

pub(crate) fn method(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let wanted = call.param("authentication_method_id").to_owned();
    let found = user(tenant, call)?.authentication_methods.iter().find(|method| is(method, &wanted)).cloned();
    found
        .map(|method| Answer::ok(Value::Object(method)))
        .ok_or_else(|| Refusal::plain(StatusCode::NOT_FOUND, "The authentication method does not exist."))
}

pub(crate) fn delete_method(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let wanted = call.param("authentication_method_id").to_owned();
    let user = user(tenant, call)?;
    user.authentication_methods.retain(|method| !is(method, &wanted));
    Ok(Answer::no_content())
}

pub(crate) fn forget_browsers(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    user(tenant, call)?;
    Ok(Answer::no_content())
}

pub(crate) fn delete_provider(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let provider = call.param("provider").to_owned();
    if !matches!(provider.as_str(), "duo" | "google-authenticator") {
        return Err(Refusal::path(format_args!("'No enum match for: {provider}' on property provider")));
    }
    let user = user(tenant, call)?;
    if let Some(Value::Array(held)) = user.profile.get_mut("multifactor") {
        held.retain(|factor| factor.as_str() != Some(provider.as_str()));
    }
    if user.profile.get("multifactor") == Some(&json!([])) {
        user.profile.shift_remove("multifactor");
    }
    Ok(Answer::no_content())
}

pub(crate) fn recovery_code(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    user(tenant, call)?;
    Ok(Answer::ok(json!({"recovery_code": crate::ids::secret(24).to_uppercase()})))
}

fn missing_enrollment() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "enrollment_not_found", "The enrollment does not exist.")
}

pub(crate) fn enrollment(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let found = tenant.users.iter().flat_map(|user| &user.enrollments).find(|e| is(e, call.param("id")));
    found.cloned().map(|enrollment| Answer::ok(Value::Object(enrollment))).ok_or_else(missing_enrollment)
}

pub(crate) fn delete_enrollment(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let id = call.param("id");
    let owner = tenant.users.iter_mut().find(|user| user.enrollments.iter().any(|e| is(e, id)));
    let owner = owner.ok_or_else(missing_enrollment)?;
    owner.enrollments.retain(|enrollment| !is(enrollment, id));
    if owner.enrollments.is_empty() {
        owner.authentication_methods.clear();
        forget(owner);
    }
    let profile = owner.profile.clone();
    tenant.log_user("gd_unenroll", "Guardian - Unenroll", &profile);
    Ok(Answer::no_content())
}
