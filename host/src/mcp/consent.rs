//! Whether a person agrees to what an agent is about to do.
//!
//! The question goes to the client by elicitation, which asks its user and not its model. A client that cannot ask gets no
//! such call through, unless the server was started with the word that trusts it.

use std::time::Duration;

use auth0_host::{ActionDescription, Effect};
use clap::ValueEnum;
use rmcp::{
    Peer, RoleServer,
    model::{ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema},
    service::ElicitationMode,
};
use serde_json::{Map, Value};

use super::answer::{OwnKind, Refused};

/// What a person is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Confirm {
    /// Deletions, messages to persons, custom requests other than GET, and changes that are not the same when repeated
    /// (such as a new client secret)
    #[default]
    Irreversible,
    /// Whatever does more than read
    Writes,
    /// Nothing
    Never,
}

/// When a person is asked, and what holds where nobody can be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Consent {
    /// What is asked about.
    pub(crate) confirm: Confirm,
    /// Run it without the question where the client cannot ask it.
    pub(crate) trust_client: bool,
}

/// How long a person has for an answer. Longer than anybody looks at a question, and short enough that one which nobody
/// sees ends some day.
const PATIENCE: Duration = Duration::from_secs(600);

/// The action that sends any request: what it does is what its request does.
pub(super) const CUSTOM_REQUEST: &str = "custom-request";

/// The member of the form that has to be ticked. A form of no fields is accepted by some clients without showing it.
const TICK: &str = "confirm";

impl Consent {
    /// Tells whether a person has to agree.
    fn is_needed(self, action: &ActionDescription, input: &Map<String, Value>) -> bool {
        let reads = match action.id.as_str() {
            CUSTOM_REQUEST => input.get("method").and_then(Value::as_str) == Some("GET"),
            _ => action.effect == Effect::Read,
        };
        match self.confirm {
            Confirm::Never => false,
            _ if reads => false,
            Confirm::Writes => true,
            Confirm::Irreversible => match action.effect {
                Effect::Delete | Effect::Send => true,
                Effect::Update => !action.idempotent,
                _ => false,
            },
        }
    }

    /// Returns once a person has agreed, or nobody has to.
    ///
    /// # Errors
    ///
    /// Where nobody agreed. Nothing was sent.
    pub(super) async fn obtain(
        self,
        client: &Peer<RoleServer>,
        action: &ActionDescription,
        input: &Map<String, Value>,
    ) -> Result<(), Refused> {
        if !self.is_needed(action, input) {
            return Ok(());
        }
        if !client.supported_elicitation_modes().contains(&ElicitationMode::Form) {
            return if self.trust_client { Ok(()) } else { Err(cannot_ask(&action.id)) };
        }
        let question = ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: question(action, input),
            requested_schema: form()?,
        };
        match client.create_elicitation_with_timeout(question, Some(PATIENCE)).await {
            Ok(answer) => verdict(&action.id, &answer),
            Err(error) => {
                Err(declined(&action.id, &format!("the client did not answer the question ({error})")))
            }
        }
    }
}

fn form() -> Result<ElicitationSchema, Refused> {
    let tick = ElicitationSchema::builder().required_bool_with(TICK, |tick| {
        tick.title("Run it").description("Whether the agent may do this").with_default(false)
    });
    tick.build()
        .map_err(|problem| Refused::own(OwnKind::Host, format!("the question could not be made: {problem}")))
}

/// Reads what the person said.
fn verdict(action: &str, answer: &ElicitResult) -> Result<(), Refused> {
    let ticked = answer.content.as_ref().and_then(|content| content.get(TICK)) == Some(&Value::Bool(true));
    match answer.action {
        ElicitationAction::Accept if ticked => Ok(()),
        ElicitationAction::Accept => Err(declined(action, "the form came back without the tick")),
        ElicitationAction::Decline => Err(declined(action, "the person who was asked declined")),
        _ => Err(declined(action, "the person who was asked closed the question")),
    }
}

fn declined(action: &str, why: &str) -> Refused {
    Refused::own(OwnKind::Declined, format!("`{action}` was not run: {why}; nothing was sent"))
}

fn cannot_ask(action: &str) -> Refused {
    Refused::own(
        OwnKind::Declined,
        format!(
            "`{action}` was not run: a person has to agree to it, and this client cannot ask one (it declares no form \
             elicitation); nothing was sent. To leave the question to the client, start `auth0-host mcp` with \
             --trust-client; to have none, with --confirm never"
        ),
    )
}

/// Puts the question: what it is, and what it is about. The input is the model's, so it is shown as it is, but short, on
/// lines of its own, and without what may be a secret.
fn question(action: &ActionDescription, input: &Map<String, Value>) -> String {
    let mut text = format!("{} ({}, {})", action.title, action.id, action.effect);
    for (name, value) in input {
        text += &format!(
            "\n{}: {}",
            shown(name),
            if is_private(name) { "…".to_owned() } else { value_of(value) }
        );
    }
    text
}

fn value_of(value: &Value) -> String {
    match value {
        Value::String(text) => shown(text),
        // Members of members have names of their own, and may hold secrets.
        Value::Object(members) => {
            let names: Vec<&str> = members.keys().map(String::as_str).collect();
            shown(&format!("{{{}}}", names.join(", ")))
        }
        Value::Array(items) if items.iter().any(Value::is_object) => format!("{} items", items.len()),
        value => shown(&value.to_string()),
    }
}

/// Members whose values a person need not see to decide.
fn is_private(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "token", "key", "credential"].iter().any(|word| name.contains(word))
}

/// Cuts a text, and lets no line feed in it make up a line of the question.
fn shown(text: &str) -> String {
    /// Ids and addresses have up to 255 letters; nobody reads more.
    const LONGEST: usize = 255;
    let mut cut: String =
        text.chars().take(LONGEST).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.chars().nth(LONGEST).is_some() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mcp::tools::tests::description;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_person_is_asked_about_what_cannot_be_taken_back() {
        for (id, effect, idempotent, input, irreversible, writes) in [
            ("get-user", Effect::Read, true, json!({}), false, false),
            ("create-user", Effect::Create, false, json!({}), false, true),
            ("update-user", Effect::Update, true, json!({}), false, true),
            ("rotate-client-secret", Effect::Update, false, json!({}), true, true),
            ("delete-user", Effect::Delete, true, json!({}), true, true),
            ("send-email", Effect::Send, false, json!({}), true, true),
            ("custom-request", Effect::Delete, false, json!({"method": "GET"}), false, false),
            ("custom-request", Effect::Delete, false, json!({"method": "POST"}), true, true),
            ("custom-request", Effect::Delete, false, json!({"method": "get"}), true, true),
            ("custom-request", Effect::Delete, false, json!({}), true, true),
        ] {
            let action = description(id, effect, idempotent);
            for (confirm, expected) in
                [(Confirm::Irreversible, irreversible), (Confirm::Writes, writes), (Confirm::Never, false)]
            {
                let consent = Consent { confirm, trust_client: false };
                assert_eq!(
                    consent.is_needed(&action, &object(input.clone())),
                    expected,
                    "{id} {input} {confirm:?}"
                );
            }
        }
    }

    #[test]
    fn only_an_accepted_form_with_its_tick_is_consent() {
        for (action, content, expected) in [
            (ElicitationAction::Accept, Some(json!({"confirm": true})), true),
            (ElicitationAction::Accept, Some(json!({"confirm": false})), false),
            (ElicitationAction::Accept, Some(json!({"confirm": "true"})), false),
            (ElicitationAction::Accept, Some(json!({})), false),
            (ElicitationAction::Accept, None, false),
            (ElicitationAction::Decline, Some(json!({"confirm": true})), false),
            (ElicitationAction::Cancel, Some(json!({"confirm": true})), false),
        ] {
            let mut answer = ElicitResult::new(action);
            answer.content = content;
            assert_eq!(verdict("delete-user", &answer).is_ok(), expected, "{answer:?}");
        }
    }

    #[test]
    fn the_question_says_what_it_is_about_and_no_secret() {
        let action = description("create-user", Effect::Create, false);
        let input = object(json!({
            "user_id": "auth0|1\nYou may safely agree to this",
            "email": "x".repeat(300),
            "password": "canary",
            "user_metadata": {"pin": "canary"},
            "roles": ["a", "b"],
            "identities": [{"access_token": "canary"}],
            "blocked": true,
        }));
        let text = question(&action, &input);
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(text.lines().count(), 1 + input.len(), "{text}");
        for part in [
            "create-user",
            "auth0|1 You may",
            "x…",
            "user_metadata: {pin}",
            r#"["a","b"]"#,
            "1 items",
            "blocked: true",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
