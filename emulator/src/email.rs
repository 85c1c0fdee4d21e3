//! The tenant's email provider and its templates.

use http::StatusCode;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal};
use crate::paging::project;
use crate::tenant::{Object, Tenant};

fn missing_provider() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "inexistent_email_provider",
        "The email provider has not been configured",
    )
}

/// What each provider's credentials must hold, and which of them replies echo.
fn credentials_of(name: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match name {
        "sparkpost" => (&["api_key"], &["region"]),
        "mailgun" => (&["api_key", "domain"], &["domain", "region"]),
        "ses" => (&["accessKeyId", "secretAccessKey", "region"], &["region"]),
        "smtp" => {
            (&["smtp_host", "smtp_port", "smtp_user", "smtp_pass"], &["smtp_host", "smtp_port", "smtp_user"])
        }
        "azure_cs" => (&["connectionString"], &[]),
        "ms365" => (&["tenantId", "clientId", "clientSecret"], &[]),
        "custom" => (&[], &[]),
        // Mandrill, SendGrid and Resend: the key is never shown.
        _ => (&["api_key"], &[]),
    }
}

fn shown(provider: &Object) -> Value {
    let mut shown = provider.clone();
    let name = provider.get("name").and_then(Value::as_str).unwrap_or_default();
    let (_, echoed) = credentials_of(name);
    if let Some(Value::Object(credentials)) = shown.get_mut("credentials") {
        credentials.retain(|key, value| echoed.contains(&key.as_str()) && !value.is_null());
    }
    Value::Object(shown)
}

pub(crate) fn provider(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let provider = tenant.email_provider.as_ref().ok_or_else(missing_provider)?;
    let mut shown = shown(provider);
    if call.query.get("fields").is_none()
        && let Some(object) = shown.as_object_mut()
    {
        object.retain(|key, _| key == "name" || key == "enabled");
    }
    Ok(Answer::ok(project(shown, &call.query, &[])))
}

fn check_credentials(name: &str, credentials: Option<&Value>) -> Result<(), Refusal> {
    let (required, _) = credentials_of(name);
    for key in required {
        if credentials.and_then(|credentials| credentials.get(*key)).is_none_or(Value::is_null) {
            return Err(Refusal::body(format_args!(
                "'Missing required property: {key}' on property credentials"
            )));
        }
    }
    Ok(())
}

pub(crate) fn create_provider(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    if tenant.email_provider.is_some() {
        // [?] The sheet gives the status only.
        return Err(Refusal::plain(StatusCode::CONFLICT, "The email provider is already configured"));
    }
    let name = call.text("name").unwrap_or_default();
    if name == "custom" {
        return Err(Refusal::plain(
            StatusCode::CONFLICT,
            "A custom email provider needs a deployed action on the custom-email-provider trigger",
        ));
    }
    check_credentials(name, call.field("credentials"))?;
    let mut provider = call.object();
    provider.entry("enabled").or_insert(Value::Bool(true));
    let answer = shown(&provider);
    tenant.email_provider = Some(provider);
    Ok(Answer::created(answer))
}

pub(crate) fn update_provider(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let mut provider = tenant.email_provider.clone().ok_or_else(missing_provider)?;
    let before = provider.clone();
    let text = |object: &Object| object.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    provider.extend(call.object());
    let name = text(&provider);
    if let Some(change) = call.field("credentials").and_then(Value::as_object) {
        let old = before.get("credentials").and_then(Value::as_object).cloned().unwrap_or_default();
        let moved = ["smtp_host", "smtp_port", "smtp_user"]
            .iter()
            .any(|key| change.get(*key).is_some_and(|new| old.get(*key) != Some(new)));
        if name == "smtp" && moved && !change.contains_key("smtp_pass") {
            return Err(Refusal::body(
                "'smtp_pass is required when host, port or user change' on property credentials",
            ));
        }
        if name == text(&before) {
            let mut merged = old;
            merged.extend(change.clone());
            provider.insert("credentials".into(), merged.into());
        }
    }
    if name != text(&before) || call.field("credentials").is_some() {
        check_credentials(&name, provider.get("credentials"))?;
    }
    let answer = shown(&provider);
    tenant.email_provider = Some(provider);
    Ok(Answer::ok(answer))
}

pub(crate) fn delete_provider(tenant: &mut Tenant, _: &Call) -> Result<Answer, Refusal> {
    tenant.email_provider = None;
    Ok(Answer::no_content())
}

fn missing_template() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "inexistent_email_template", "The template does not exist.")
}

pub(crate) fn template(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let found = tenant.email_templates.get(call.param("templateName"));
    found.cloned().map(|template| Answer::ok(Value::Object(template))).ok_or_else(missing_template)
}

pub(crate) fn create_template(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let name = call.text("template").unwrap_or_default().to_owned();
    if tenant.email_templates.contains_key(&name) {
        return Err(Refusal::plain(StatusCode::CONFLICT, format!("Template {name} already exists.")));
    }
    let mut template = json!({"urlLifetimeInSeconds": 432_000}).as_object().cloned().unwrap_or_default();
    template.extend(call.object());
    tenant.email_templates.insert(name, template.clone());
    // [?] 200 in the specification.
    Ok(Answer::ok(template))
}

pub(crate) fn update_template(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let template = tenant.email_templates.get_mut(call.param("templateName")).ok_or_else(missing_template)?;
    template.extend(call.object());
    Ok(Answer::ok(template.clone()))
}

pub(crate) fn replace_template(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let template = tenant.email_templates.get_mut(call.param("templateName")).ok_or_else(missing_template)?;
    *template = call.object();
    Ok(Answer::ok(template.clone()))
}
