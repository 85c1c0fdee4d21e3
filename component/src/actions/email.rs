//! E-mail through the tenant's own provider.
//!
//! The Management API cannot send an arbitrary mail (facts, section 8), so the connector does what Auth0's Flows do:
//! it reads which provider the tenant has, renders the templates in Auth0's Liquid, and hands the mail to that
//! provider. The provider's key comes from `AUTH0_EMAIL_API_KEY` or, better, from the host on the way out.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::users::{GetUser, get_user};
use crate::catalog::{Action, Effect, parse};
use crate::client::Client;
use crate::core::error::{Error, Problem};
use crate::core::id::UserId;
use crate::core::path::ApiPath;
use crate::core::request::{Body, Method, Request};
use crate::core::schema::{Kind, Output, Shape, input};
use crate::mail::{
    Address, Mailbox, Message, MessageError, Provider, ProviderError, Refusal, RefusalKind, UnixSeconds,
    render,
};
use crate::settings::Origin;

/// Longest subject, before rendering (facts, section 8: Flows "Send email").
const LONGEST_SUBJECT: usize = 255;

/// Longest body, before rendering (facts, section 8: Flows "Send email").
const LONGEST_BODY: usize = 102_400;

/// Variables that come from the tenant's settings; they are read only where a template names one, since that takes a
/// request and a scope.
const TENANT_VARIABLES: &[&str] = &["friendly_name", "support_email", "support_url", "debug"];

/// A sender.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// Display name.
    pub name: Option<String>,
    /// Address.
    pub email: String,
}

/// Input of `send-email`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendEmail {
    /// Sender; the provider's default sender where absent.
    pub from: Option<Sender>,
    /// Address of the recipient.
    pub to: String,
    /// Subject in Liquid.
    #[schemars(length(min = 1, max = 255))]
    pub subject: String,
    /// HTML body in Liquid. Nothing is escaped: apply the filter escape to what people wrote.
    #[schemars(length(min = 1, max = 102_400))]
    pub body: String,
    /// custom_vars.* in the templates.
    pub custom_vars: Option<Map<String, Value>>,
    /// The user that user.* in the templates is about.
    pub user_id: Option<UserId>,
}

/// Renders and sends a mail.
///
/// # Errors
/// As the contract's `email.send-email`.
pub fn send_email(client: &mut Client<'_>, input: &SendEmail) -> Result<Value, Error> {
    check_length("subject", &input.subject, LONGEST_SUBJECT)?;
    check_length("body", &input.body, LONGEST_BODY)?;
    // All that can be refused without a request is refused first.
    let to: Mailbox = input.to.parse().map_err(|error| invalid("to", &error))?;
    let from = input.from.as_ref().map(sender).transpose()?;

    let provider = provider(client)?;
    let from = from.or_else(|| provider.default_from().cloned()).ok_or_else(|| {
        Error::Rejected(Problem::new(
            "no sender: the tenant's mail provider has no default_from_address; set it, or give `from`",
        ))
    })?;
    let variables = variables(client, input)?;
    let now = UnixSeconds(client.unix_ms().div_euclid(1000));
    let rendered = |what: &str, template: &str| {
        render(template, &variables, now)
            .map_err(|error| Error::invalid(format!("template of `{what}` refused: {error}")))
    };
    let subject = rendered("subject", &input.subject)?;
    let body = rendered("body", &input.body)?;
    let message =
        Message::new(from, vec![to], subject, body).map_err(|error| Error::invalid(error.to_string()))?;
    deliver(client, &provider, &message)
}

fn check_length(what: &str, text: &str, longest: usize) -> Result<(), Error> {
    let length = text.chars().count();
    if !(1..=longest).contains(&length) {
        return Err(Error::invalid(format!(
            "a `{what}` of {length} characters refused: give 1 to {longest}"
        )));
    }
    Ok(())
}

fn invalid(what: &str, error: &MessageError) -> Error {
    Error::invalid(format!("`{what}` refused: {error}"))
}

fn sender(sender: &Sender) -> Result<Mailbox, Error> {
    let address: Address = sender.email.parse().map_err(|error| invalid("from.email", &error))?;
    Mailbox::new(sender.name.as_deref(), address).map_err(|error| invalid("from.name", &error))
}

fn provider(client: &mut Client<'_>) -> Result<Provider, Error> {
    let request = Request::api(Method::Get, &ApiPath::of(&["emails", "provider"]))
        .query("fields", "name,enabled,credentials,settings,default_from_address")
        .query("include_fields", "true");
    let settings = client.json(&request).map_err(|error| match error {
        Error::Missing(problem) => Error::Rejected(Problem {
            message: "the tenant has no mail provider of its own, and Auth0's built-in one sends no mails of actions: set \
                      one up in the tenant (Branding, Email Provider)"
                .to_owned(),
            ..problem
        }),
        error => error,
    })?;
    Provider::from_settings(&settings).map_err(|error| {
        let cause = match &error {
            ProviderError::DefaultSender(cause) => format!(": {cause}"),
            _ => String::new(),
        };
        Error::Rejected(Problem::new(format!("{error}{cause}")))
    })
}

fn variables(client: &mut Client<'_>, input: &SendEmail) -> Result<Map<String, Value>, Error> {
    let mut variables = Map::new();
    variables.insert("custom_vars".to_owned(), Value::Object(input.custom_vars.clone().unwrap_or_default()));
    let domain = client.settings.domain.as_str();
    variables.insert("tenant".to_owned(), domain.split('.').next().unwrap_or(domain).into());
    if let Some(custom) = &client.settings.custom_domain {
        variables.insert("custom_domain".to_owned(), json!({ "domain": custom.as_str() }));
    }
    if let Some(user_id) = &input.user_id {
        let input = GetUser { user_id: user_id.clone(), fields: None, include_fields: None };
        let user = get_user(client, &input)?;
        if let Some(connection) = user.pointer("/identities/0/connection") {
            variables.insert("connection".to_owned(), json!({ "name": connection }));
        }
        variables.insert("user".to_owned(), user);
    }
    let named = |name: &&&str| input.subject.contains(**name) || input.body.contains(**name);
    if TENANT_VARIABLES.iter().any(|name| named(&name)) {
        let request = Request::api(Method::Get, &ApiPath::of(&["tenants", "settings"]))
            .query("fields", "friendly_name,support_email,support_url")
            .query("include_fields", "true");
        let settings = client.json(&request)?;
        for name in ["friendly_name", "support_email", "support_url"] {
            if let Some(value) = settings.get(name) {
                variables.insert(name.to_owned(), value.clone());
            }
        }
    }
    Ok(variables)
}

fn deliver(client: &mut Client<'_>, provider: &Provider, message: &Message) -> Result<Value, Error> {
    let settings = client.settings;
    let key = settings.email_api_key.as_ref().map(|key| key.expose());
    let delivery = provider.delivery(message, key).map_err(|error| Error::invalid(error.to_string()))?;
    let origin = match &settings.email_origin {
        Some(origin) => origin.clone(),
        None => Origin { tls: true, authority: delivery.origin.trim_start_matches("https://").to_owned() },
    };
    let mut request = Request::at(Method::Post, &delivery.path);
    request.headers = delivery.headers;
    // The provider's own media type stands among the headers and takes precedence.
    request.body = Some(Body { content_type: "application/octet-stream", bytes: delivery.body });
    let response = client.send_raw(&request, &origin)?;
    match provider.read_answer(response.status, &response.body) {
        Ok(()) => Ok(json!({ "success": true })),
        Err(refusal) => Err(refused(&refusal, response.wait_ms(client.unix_ms()))),
    }
}

fn refused(refusal: &Refusal, retry_after_ms: Option<u64>) -> Error {
    let problem = Problem { status: Some(refusal.status()), ..Problem::new(refusal.to_string()) };
    match refusal.kind() {
        RefusalKind::Unauthenticated => Error::Unauthenticated(problem),
        RefusalKind::Throttled => Error::Throttled { problem, retry_after_ms },
        RefusalKind::Forbidden | RefusalKind::Rejected => Error::Rejected(problem),
        RefusalKind::Unavailable => Error::Unavailable(problem),
        _ => Error::Other(problem),
    }
}

const SENT: Shape =
    Shape(&[("success", Kind::Flag, "True: the provider accepted the mail; delivery comes later")]);

/// The family's lines of the table.
pub const ACTIONS: &[Action] = &[Action {
    id: "send-email",
    title: "Send an e-mail",
    description: "Renders subject and body with Liquid in Auth0's dialect and sends them through the tenant's own, enabled \
                  mail provider: SendGrid, Mailgun, Mandrill, SparkPost or Resend. Variables: user.* (of user_id), \
                  custom_vars.*, tenant, and friendly_name, support_email, support_url of the tenant (read:tenant_settings). \
                  Success means that the provider accepted it. A template error names line and tag.",
    group: "email",
    effect: Effect::Send,
    idempotent: false,
    scopes: &["read:email_provider", "read:users", "read:tenant_settings"],
    input: input::<SendEmail>,
    output: Output::One(&SENT),
    run: |client, value| send_email(client, &parse(value)?),
}];
