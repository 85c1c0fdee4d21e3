//! Email through the tenant's own provider.
//!
//! The Management API cannot send an arbitrary mail (facts, section 8), so the connector does what Auth0's Flows do:
//! it reads which provider the tenant has, renders the templates in Auth0's Liquid, and hands the mail to that
//! provider. The provider's key comes from `AUTH0_EMAIL_API_KEY` or, better, from the host on the way out; what some
//! providers want instead of a key (a signature, a token, SMTP) comes from the host only.

use auth0_liquid::{Template, TemplateError, UnixSeconds};
use serde_json::{Map, Value, json};

use super::users::GetUser;
use crate::action::{About, Action, CuratedAction, Effect};
use crate::client::Client;
use crate::core::error::{Code, Error};
use crate::core::id::UserId;
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape};
use crate::core::scope::{need, need_for};
use crate::input::input;
use crate::mail::{Address, Mailbox, Message, MessageError, Provider, ProviderError, Refusal, RefusalKind};
use crate::settings::{Credentials, Origin};

/// Longest subject, before rendering (facts, section 8: Flows "Send email").
const LONGEST_SUBJECT: usize = 255;

/// Longest body, before rendering (facts, section 8: Flows "Send email").
const LONGEST_BODY: usize = 102_400;

/// Largest request to a provider, as its form makes it: the client's own ceiling, which is Auth0's (facts, section 9).
/// A form triples what is not a letter or digit, so that no figure for the page itself would do.
const LARGEST_MAIL: usize = 1_000_000;

/// Variables that come from the tenant's settings; they are read only where a template may show one, since that takes
/// a request and a scope.
const TENANT_VARIABLES: &[&str] = &["friendly_name", "support_email", "support_url"];

input! {
    /// A sender.
    #[derive(Debug)]
    struct Sender {
        /// Display name.
        name: Option<String>,
        /// Address.
        email: String,
    }
}

fn template_refused(what: &str, error: &TemplateError) -> Error {
    Error::invalid(format!("template of `{what}` refused: {error}"))
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
    let settings = client.json(&request).map_err(|error| match error.code {
        Code::NotFound => error.told(
            Code::Rejected,
            "the tenant has no email provider of its own, and Auth0's built-in one sends no emails of actions: set one up \
             in the tenant (Branding, Email Provider)",
        ),
        _ => error,
    })?;
    Provider::from_settings(&settings).map_err(|error| unusable(&error))
}

fn unusable(error: &ProviderError) -> Error {
    let cause = match error {
        ProviderError::DefaultSender(cause) => format!(": {cause}"),
        _ => String::new(),
    };
    Error::new(Code::Rejected, format!("{error}{cause}"))
}

fn add_user(
    client: &mut Client<'_>,
    user_id: Option<UserId>,
    variables: &mut Map<String, Value>,
) -> Result<(), Error> {
    let Some(user_id) = user_id else { return Ok(()) };
    let user = GetUser { user_id, fields: None, include_fields: None }.run(client)?;
    if let Some(connection) = user.pointer("/identities/0/connection") {
        variables.insert("connection".to_owned(), json!({ "name": connection }));
    }
    variables.insert("user".to_owned(), user);
    Ok(())
}

fn add_tenant(
    client: &mut Client<'_>,
    templates: &[&Template<'_>],
    variables: &mut Map<String, Value>,
) -> Result<(), Error> {
    let domain = client.settings.domain.as_str();
    variables.insert("tenant".to_owned(), domain.split('.').next().unwrap_or(domain).into());
    if let Some(custom) = &client.settings.custom_domain {
        variables.insert("custom_domain".to_owned(), json!({ "domain": custom.as_str() }));
    }
    let named = templates.iter().any(|template| template.names(TENANT_VARIABLES));
    if !named && !templates.iter().any(|template| template.may_show_any()) {
        return Ok(());
    }
    let request = Request::api(Method::Get, &ApiPath::of(&["tenants", "settings"]))
        .query("fields", "friendly_name,support_email,support_url")
        .query("include_fields", "true");
    let settings = match client.json(&request) {
        // `debug` shows what there is: without the scope, no settings.
        Err(error) if error.is_forbidden() && !named => return Ok(()),
        answer => answer?,
    };
    for name in TENANT_VARIABLES {
        if let Some(value) = settings.get(name) {
            variables.insert((*name).to_owned(), value.clone());
        }
    }
    Ok(())
}

fn deliver(client: &mut Client<'_>, provider: &Provider, message: &Message) -> Result<Value, Error> {
    let settings = client.settings;
    let own = settings.email_api_key.is_some() || settings.credentials != Credentials::Host;
    if let Some(work) = provider.host_adds().filter(|_| own) {
        return Err(Error::new(Code::Rejected, no_host(provider, work)));
    }
    let key = settings.email_api_key.as_ref().map(|key| key.expose());
    let delivery = provider.delivery(message, key).map_err(|error| Error::invalid(error.to_string()))?;
    let origin = match &settings.email_origin {
        Some(origin) if provider.is_http() => origin.clone(),
        _ => Origin { tls: true, authority: delivery.origin.trim_start_matches("https://").to_owned() },
    };
    let bytes = delivery.bytes();
    if bytes > LARGEST_MAIL {
        return Err(Error::invalid(format!(
            "the rendered mail refused: it has {bytes} bytes in the form that {} takes; at most {LARGEST_MAIL} are handed \
             to a provider",
            provider.name()
        )));
    }
    let response =
        client.send_raw(&delivery.request, &origin).map_err(|error| match provider.host_adds() {
            // A host that does not know the name asks the DNS for it in vain.
            Some(work) if error.code == Code::Unreachable && origin.authority.ends_with(".invalid") => {
                let message = format!("{} ({})", no_host(provider, work), error.message);
                error.told(Code::Unreachable, message)
            }
            _ => error,
        })?;
    match provider.read_answer(&response) {
        Ok(()) => Ok(json!({ "success": true })),
        Err(refusal) => Err(refused(&refusal, response.wait_ms(client.unix_ms()))),
    }
}

fn no_host(provider: &Provider, work: &str) -> String {
    format!(
        "the tenant's email provider `{}` needs {work}, which the host adds outside of the component: use a host that does \
         and that holds the credentials, such as auth0-host, instead of credentials in the component's environment",
        provider.name()
    )
}

fn refused(refusal: &Refusal, retry_after_ms: Option<u64>) -> Error {
    let (code, message) = match refusal.kind() {
        RefusalKind::Unauthenticated => (
            Code::Unauthenticated,
            format!(
                "{refusal}; check the credentials of the tenant's email provider (AUTH0_EMAIL_API_KEY, or those that the \
                 host has)"
            ),
        ),
        RefusalKind::Throttled => (Code::RateLimited, refusal.to_string()),
        RefusalKind::Forbidden | RefusalKind::Rejected => (Code::Rejected, refusal.to_string()),
        RefusalKind::Unavailable | RefusalKind::Unexpected => (Code::OutcomeUnknown, refusal.to_string()),
    };
    let retry_after_ms = retry_after_ms.filter(|_| code == Code::RateLimited);
    Error { retry_after_ms, ..Error::new(code, message).status(refusal.status()) }
}

const SENT: Shape =
    Shape(&[("success", Kind::Flag, "True: the provider accepted the mail; delivery comes later")]);

/// The family.
pub(super) const ACTIONS: &[Action] = &[Action::of::<SendEmail>()];

input! {
    /// Input of `send-email`.
    struct SendEmail {
        /// Sender; the provider's default sender where absent.
        from: Option<Sender>,
        /// Address of the recipient.
        to: String,
        /// Subject in Liquid.
        #[schemars(length(min = 1, max = 255))]
        subject: String,
        /// HTML body in Liquid. Nothing is escaped: apply the filter escape to what people wrote.
        #[schemars(length(min = 1, max = 102_400))]
        body: String,
        /// custom_vars.* in the templates.
        custom_vars: Option<Map<String, Value>>,
        /// The user that user.* in the templates is about.
        user_id: Option<UserId>,
    }
}

impl CuratedAction for SendEmail {
    const ABOUT: About = About {
        id: "send-email",
        title: "Send an email",
        description: "Renders subject and body with Liquid in Auth0's dialect and sends them through the tenant's own, enabled \
                      email provider: SendGrid, Mailgun, Mandrill, SparkPost, Resend, Amazon SES, Azure Communication Services, \
                      Microsoft 365 or SMTP. Variables: user.* (of user_id), custom_vars.*, tenant, and friendly_name, support_email, support_url of the tenant (read:tenant_settings). \
                      Success means that the provider accepted it. A template error names line and tag.",
        group: "email",
        effect: Effect::Send,
        idempotent: false,
        requests: &["GET /emails/provider", "GET /users/{id}", "GET /tenants/settings"],
        handles_personal_data: true,
        scopes: &[
            need(&["read:email_provider"]),
            need_for(&["read:users"], "user_id"),
            need_for(
                &["read:tenant_settings"],
                "friendly_name, support_email and support_url in the templates",
            ),
        ],
        output: Output::One(&SENT),
    };

    /// `outcome-unknown` where the provider fails (5xx, 408, or an answer that it does not document): it may have the
    /// email, and a second one reaches a person.
    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let SendEmail { from, to, subject, body, custom_vars, user_id } = self;
        check_length("subject", &subject, LONGEST_SUBJECT)?;
        check_length("body", &body, LONGEST_BODY)?;
        // All that can be refused without a request is refused first.
        let to: Mailbox = to.parse().map_err(|error| invalid("to", &error))?;
        let from = from.as_ref().map(sender).transpose()?;
        let subject = Template::parse(&subject).map_err(|error| template_refused("subject", &error))?;
        let body = Template::parse(&body).map_err(|error| template_refused("body", &error))?;

        let provider = provider(client)?;
        let from = match from {
            Some(from) => from,
            None => provider.default_from().map_err(|error| unusable(&error))?.ok_or_else(|| {
                Error::new(
                    Code::Rejected,
                    "no sender: the tenant's email provider has no default_from_address; set it, or give `from`",
                )
            })?,
        };
        let mut variables = Map::new();
        variables.insert("custom_vars".to_owned(), Value::Object(custom_vars.unwrap_or_default()));
        add_user(client, user_id, &mut variables)?;
        add_tenant(client, &[&subject, &body], &mut variables)?;
        let now = UnixSeconds(client.unix_ms().div_euclid(1000));
        let subject = subject.render(&variables, now).map_err(|error| template_refused("subject", &error))?;
        let body = body.render(&variables, now).map_err(|error| template_refused("body", &error))?;
        let message =
            Message::new(from, vec![to], subject, body).map_err(|error| Error::invalid(error.to_string()))?;
        deliver(client, &provider, &message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::SendError;
    use crate::client::tests::{Script, answer, run};

    fn provider(from: Value) -> Value {
        json!({"name": "mailgun", "credentials": {"domain": "mg.acme.example"}, "default_from_address": from})
    }

    /// Sends a mail of this body; the tenant answers its provider first, then what is given.
    fn send(
        provider: Value,
        body: &str,
        more: Value,
        answers: Vec<(u16, Value)>,
    ) -> (Result<Value, Error>, Vec<String>) {
        let mut script = Script::default();
        script.answers.push_back(answer(200, provider));
        script.answers.extend(answers.into_iter().map(|(status, body)| answer(status, body)));
        let mut input = json!({"to": "a@b.example", "subject": "s", "body": body});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let result = run(&[], &mut script, "send-email", input);
        (
            result,
            script.seen.into_iter().map(|seen| seen.path.split('?').next().unwrap().to_owned()).collect(),
        )
    }

    const PROVIDER: &str = "/api/v2/emails/provider";
    const SETTINGS: &str = "/api/v2/tenants/settings";
    const MAIL: &str = "/v3/mg.acme.example/messages";

    #[test]
    fn the_tenants_settings_are_read_only_for_what_a_template_may_show() {
        let forbidden = (403, json!({"statusCode": 403, "errorCode": "insufficient_scope"}));
        let taken = (200, json!({"id": "1"}));
        let settings = (200, json!({"support_url": "https://help.example"}));
        let table = [
            ("debug the support_url at friendly_name", vec![taken.clone()], &[PROVIDER, MAIL][..], "sent"),
            ("{{ support_url }}", vec![settings.clone(), taken.clone()], &[PROVIDER, SETTINGS, MAIL], "sent"),
            ("{% debug %}", vec![settings, taken.clone()], &[PROVIDER, SETTINGS, MAIL], "sent"),
            ("{% debug %}", vec![forbidden.clone(), taken], &[PROVIDER, SETTINGS, MAIL], "sent"),
            ("{% debug %}{{ support_url }}", vec![forbidden], &[PROVIDER, SETTINGS], "insufficient-scope"),
        ];
        for (body, answers, paths, end) in table {
            let (result, seen) = send(provider(json!("c@d.example")), body, json!({}), answers);
            assert_eq!(
                result.as_ref().map_or_else(|error| error.code.as_str(), |_| "sent"),
                end,
                "{body}: {result:?}"
            );
            assert_eq!(seen, paths, "{body}");
        }
    }

    #[test]
    fn a_template_that_is_none_is_refused_before_any_request() {
        let mut script = Script::default();
        let input = json!({"to": "a@b.example", "subject": "s", "body": "\n{% if %}"});
        let error = run(&[], &mut script, "send-email", input).unwrap_err();
        assert!(error.to_string().starts_with("template of `body` refused: line 2"), "{error}");
        assert!(script.seen.is_empty());
    }

    #[test]
    fn a_default_sender_that_is_none_matters_only_where_it_is_needed() {
        let taken = vec![(200, json!({}))];
        let own = json!({"from": {"email": "c@d.example"}});
        assert!(send(provider(json!("nobody")), "x", own, taken).0.is_ok());
        let error = send(provider(json!("nobody")), "x", json!({}), Vec::new()).0.unwrap_err();
        assert_eq!(error.code.as_str(), "rejected");
        assert!(error.to_string().contains("`nobody` is not a mail address"), "{error}");
    }

    #[test]
    fn a_provider_that_fails_may_have_the_mail() {
        for (status, kind) in [
            (500, "outcome-unknown"),
            (502, "outcome-unknown"),
            (503, "outcome-unknown"),
            (408, "outcome-unknown"),
            (302, "outcome-unknown"),
            (400, "rejected"),
            (401, "unauthenticated"),
        ] {
            let (result, seen) =
                send(provider(json!("c@d.example")), "x", json!({}), vec![(status, Value::Null)]);
            let error = result.unwrap_err();
            assert_eq!((error.code.as_str(), error.status), (kind, Some(status)), "{error}");
            let advice = error.to_string().contains("look there before sending it again");
            assert_eq!(advice, kind == "outcome-unknown", "{error}");
            assert_eq!(seen, [PROVIDER, MAIL], "{status}");
        }
        let invalid = json!({"status": "error", "name": "ValidationError", "message": "no"});
        let mandrill = json!({"name": "mandrill", "default_from_address": "c@d.example"});
        let error = send(mandrill, "x", json!({}), vec![(500, invalid)]).0.unwrap_err();
        assert_eq!(error.code.as_str(), "rejected");
    }

    #[test]
    fn a_page_too_large_for_a_provider_is_refused_by_its_size_there() {
        let page = "{% for i in (1..9) %}{{ custom_vars.x }}{% endfor %}";
        let vars = json!({"custom_vars": {"x": "<".repeat(40_000)}});
        let (result, seen) = send(provider(json!("c@d.example")), page, vars.clone(), Vec::new());
        let error = result.unwrap_err();
        assert_eq!((error.code.as_str(), seen), ("invalid-input", vec![PROVIDER.to_owned()]));
        assert!(
            error.to_string().contains("bytes in the form that mailgun takes; at most 1000000"),
            "{error}"
        );
        let resend = json!({"name": "resend", "default_from_address": "c@d.example"});
        assert!(send(resend, page, vars, vec![(200, json!({}))]).0.is_ok());
    }

    #[test]
    fn what_only_a_host_can_add_is_asked_for_by_name() {
        let smtp = json!({"name": "smtp", "default_from_address": "c@d.example"});
        for variable in [("AUTH0_EMAIL_API_KEY", "canary"), ("AUTH0_TOKEN", "canary")] {
            let mut script = Script::default();
            script.answers.push_back(answer(200, smtp.clone()));
            let input = json!({"to": "a@b.example", "subject": "s", "body": "b"});
            let error = run(&[variable], &mut script, "send-email", input).unwrap_err();
            assert_eq!((error.code.as_str(), script.seen.len()), ("rejected", 1), "{error}");
            let text = error.to_string();
            assert!(text.contains("`smtp` needs the SMTP connection") && !text.contains("canary"), "{error}");
        }
        // A host that holds the credentials but does not know the name looks it up in vain.
        let mut script = Script::default();
        script.answers.push_back(answer(200, smtp));
        for _ in 0..3 {
            script.answers.push_back(Err(SendError::NotSent("the name does not resolve".to_owned())));
        }
        let input = json!({"to": "a@b.example", "subject": "s", "body": "b"});
        let error = run(&[], &mut script, "send-email", input).unwrap_err();
        assert_eq!(error.code.as_str(), "unreachable", "{error}");
        assert!(error.to_string().contains("needs the SMTP connection"), "{error}");
    }
}
