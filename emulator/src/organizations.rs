//! Organizations, as far as custom requests show them off: create, read, change, delete.

use http::StatusCode;
use serde_json::Value;

use crate::call::{Answer, Call, Refusal};
use crate::paging;
use crate::search;
use crate::tenant::{Object, Tenant};

fn missing() -> Refusal {
    Refusal::plain(StatusCode::NOT_FOUND, "No organization found by that id or name")
}

fn text<'o>(object: &'o Object, name: &str) -> &'o str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn list(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let mut objects: Vec<&Object> = tenant.organizations.iter().collect();
    search::sort_by(&mut objects, call.query.get("sort").unwrap_or("display_name:1"))?;
    let items: Vec<Value> = objects.into_iter().cloned().map(Value::Object).collect();
    paging::either(call, "organizations", &items, |organization| {
        organization.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
    })
}

fn check_name(tenant: &Tenant, name: &str, own: &str) -> Result<(), Refusal> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.is_empty()
        || name.len() > 50
        || !name.chars().all(fits)
        || !name.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        return Err(Refusal::body(
            "'Object didn't pass validation for format organization-name-or-id' on property name",
        ));
    }
    if tenant.organizations.iter().any(|other| text(other, "name") == name && text(other, "id") != own) {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "organization_conflict",
            "An organization with this name already exists.",
        ));
    }
    Ok(())
}

pub(crate) fn create(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let name = call.text("name").unwrap_or_default();
    check_name(tenant, name, "")?;
    let mut object = Object::new();
    object.insert("id".into(), tenant.ids.alnum("org_", 16).into());
    object.extend(call.object());
    object.entry("display_name").or_insert_with(|| name.into());
    tenant.organizations.push(object.clone());
    Ok(Answer::created(object))
}

fn find<'t>(tenant: &'t mut Tenant, key: &str, value: &str) -> Result<&'t mut Object, Refusal> {
    tenant.organizations.iter_mut().find(|organization| text(organization, key) == value).ok_or_else(missing)
}

pub(crate) fn get(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    Ok(Answer::ok(find(tenant, "id", call.param("id"))?.clone()))
}

pub(crate) fn get_by_name(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    Ok(Answer::ok(find(tenant, "name", call.param("name"))?.clone()))
}

pub(crate) fn update(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    find(tenant, "id", call.param("id"))?;
    if let Some(name) = call.text("name") {
        check_name(tenant, name, call.param("id"))?;
    }
    let organization = find(tenant, "id", call.param("id"))?;
    organization.extend(call.object());
    Ok(Answer::ok(organization.clone()))
}

pub(crate) fn delete(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    find(tenant, "id", call.param("id"))?;
    tenant.organizations.retain(|organization| text(organization, "id") != call.param("id"));
    Ok(Answer::no_content())
}
