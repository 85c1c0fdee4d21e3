//! Whether a person agrees to what an agent is about to do.
//!
//! The question goes to the client by elicitation, which asks its user and not its model. A client that cannot ask gets no
//! such call through, unless the server was started with the word that trusts it.

use std::time::Duration;

use auth0_host::{ActionDescription, CUSTOM_REQUEST, Disposition, Domain, Effect, Judgement, ReachSet};
use clap::ValueEnum;
use rmcp::{
    Peer, RoleServer,
    model::{ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema},
    service::ElicitationMode,
};
use serde_json::{Map, Value};

use super::{
    answer::{OwnCode, Refused},
    question::question,
    tools,
};

/// What a person is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Confirm {
    /// Whatever replaces, takes away, deletes, or sends a message to a person; custom requests other than GET; and whatever
    /// can do more than it says (docs/reach.md)
    #[default]
    Destructive,
    /// Less: deletions, messages, custom requests other than GET, changes that are not the same when repeated (such as
    /// a new client secret), and whatever can do more than it says
    Irreversible,
    /// Whatever does more than read
    Writes,
    /// Nothing
    Never,
}

/// When a person is asked, and what holds where nobody can be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Consent {
    /// What is asked about.
    pub confirm: Confirm,
    /// Run it without the question where the client cannot ask it.
    pub trust_client: bool,
}

/// How long a person has for an answer. Longer than anybody looks at a question, and short enough that one which nobody
/// sees ends some day.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);

/// The member of the form that has to be ticked. A form of no fields is accepted by some clients without showing it.
const TICK: &str = "confirm";

impl Consent {
    /// Returns what the call may do beyond what it says: what a person is asked about, and no more. Where nobody is asked
    /// about anything, the policy alone decides.
    pub(super) fn agreed_reach(self, reach: &[Judgement]) -> Option<ReachSet> {
        (self.confirm != Confirm::Never).then(|| reach.iter().map(|judgement| judgement.reach).collect())
    }

    /// Returns whether a person has to agree. `reach` is what the call can do beyond what it says: a creation that sends the
    /// tenant's log to a stranger is asked about whatever its effect is called.
    pub(super) fn is_needed(
        self,
        action: &ActionDescription,
        input: &Map<String, Value>,
        reach: &[Judgement],
    ) -> bool {
        let reads = match action.id.as_str() {
            CUSTOM_REQUEST => input.get("method").and_then(Value::as_str) == Some("GET"),
            _ => action.effect == Effect::Read,
        };
        let is_irreversible = || {
            let by_effect = match action.effect {
                Effect::Delete | Effect::Send => true,
                Effect::Update => !action.idempotent,
                _ => false,
            };
            by_effect || tools::deletes(action) || sends_messages(action, input) || !reach.is_empty()
        };
        match self.confirm {
            Confirm::Never => false,
            _ if reads && reach.is_empty() => false,
            Confirm::Writes => true,
            Confirm::Destructive => tools::is_destructive(action) || is_irreversible(),
            Confirm::Irreversible => is_irreversible(),
        }
    }

    /// Returns once a person has agreed.
    ///
    /// # Errors
    ///
    /// Where nobody agreed. Nothing was sent.
    pub(super) async fn obtain(
        self,
        client: &Peer<RoleServer>,
        domain: &Domain,
        action: &ActionDescription,
        input: &Map<String, Value>,
        reach: &[Judgement],
    ) -> Result<(), Refused> {
        if !client.supported_elicitation_modes().contains(&ElicitationMode::Form) {
            return if self.trust_client { Ok(()) } else { Err(cannot_ask(&action.id)) };
        }
        let question = ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: question(domain, action, input, reach)?,
            requested_schema: form()?,
        };
        match client.create_elicitation_with_timeout(question, Some(ANSWER_TIMEOUT)).await {
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
    let unusable = |problem| {
        Refused::own(OwnCode::Host, Disposition::GiveUp, format!("the question could not be made: {problem}"))
    };
    tick.build().map_err(unusable)
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

/// Whether the input has the tenant send emails or messages beside what the action does.
fn sends_messages(action: &ActionDescription, input: &Map<String, Value>) -> bool {
    /// Members that say so.
    const ORDERS: [&str; 5] = [
        "send_mail",
        "verify_email",
        "verify_phone_number",
        "send_completion_email",
        "send_invitation_email",
    ];
    /// Those that hold where they are left out, by Auth0's reference.
    const DEFAULTS: [&str; 2] = ["send_completion_email", "send_invitation_email"];

    fn orders(name: &str, value: &Value) -> bool {
        match value {
            // The changes of `update-user` are a member of its input.
            Value::Object(members) => members.iter().any(|(name, value)| orders(name, value)),
            value => ORDERS.contains(&name) && *value == Value::Bool(true),
        }
    }
    let declares =
        |name| action.input_schema.pointer("/properties").and_then(|names| names.get(name)).is_some();
    input.iter().any(|(name, value)| orders(name, value))
        || DEFAULTS.iter().any(|name| declares(name) && !input.contains_key(*name))
}

pub(super) fn declined(action: &str, why: &str) -> Refused {
    Refused::own(
        OwnCode::Declined,
        Disposition::GiveUp,
        format!("`{action}` was not run: {why}; nothing was sent"),
    )
}

fn cannot_ask(action: &str) -> Refused {
    Refused::own(
        OwnCode::Declined,
        Disposition::FixAccess,
        format!(
            "`{action}` was not run: a person has to agree to it, and this client cannot ask one (it declares no form \
             elicitation); nothing was sent. To leave the question to the client, start `auth0-host mcp` with \
             --trust-client; to have fewer or none, with --confirm irreversible or never"
        ),
    )
}

#[cfg(test)]
mod tests {
    use auth0_host::Host;
    use serde_json::json;

    use super::*;
    use crate::tools::tests::description;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_person_is_asked_about_what_cannot_be_taken_back() {
        let mailing = json!({"changes": {"verify_email": true}});
        for (id, effect, idempotent, input, irreversible, destructive, writes) in [
            ("get-user", Effect::Read, true, json!({}), false, false, false),
            ("create-user", Effect::Create, false, json!({}), false, false, true),
            ("create-user", Effect::Create, false, json!({"verify_email": false}), false, false, true),
            ("create-user", Effect::Create, false, json!({"verify_email": true}), true, true, true),
            (
                "create-mfa-enrollment-ticket",
                Effect::Create,
                false,
                json!({"send_mail": true}),
                true,
                true,
                true,
            ),
            ("update-user", Effect::Update, true, json!({}), false, true, true),
            ("update-user", Effect::Update, true, mailing, true, true, true),
            ("rotate-client-secret", Effect::Update, false, json!({}), true, true, true),
            ("delete-user", Effect::Delete, true, json!({}), true, true, true),
            ("send-email", Effect::Send, false, json!({}), true, true, true),
            ("custom-request", Effect::Delete, false, json!({"method": "GET"}), false, false, false),
            ("custom-request", Effect::Delete, false, json!({"method": "POST"}), true, true, true),
            ("custom-request", Effect::Delete, false, json!({"method": "get"}), true, true, true),
            ("custom-request", Effect::Delete, false, json!({}), true, true, true),
        ] {
            let action = description(id, effect, idempotent);
            for (confirm, expected) in [
                (Confirm::Irreversible, irreversible),
                (Confirm::Destructive, destructive),
                (Confirm::Writes, writes),
                (Confirm::Never, false),
            ] {
                let consent = Consent { confirm, trust_client: false };
                assert_eq!(
                    consent.is_needed(&action, &object(input.clone()), &[]),
                    expected,
                    "{id} {input} {confirm:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_hint_that_says_destructive_is_a_question_for_every_action() {
        let host = Host::new().unwrap();
        for action in host.actions().await.unwrap() {
            let action = host.describe(&action.id).await.unwrap();
            let reach = action.reach_of(&Map::new());
            let asked = Consent::default().is_needed(&action, &Map::new(), &reach);
            let sent_by_delete = action.requests.iter().any(|request| request.method == "DELETE");
            let sends = action.input_schema["properties"]["send_completion_email"].is_object();
            let (id, effect) = (action.id.clone(), action.effect);
            let hints = tools::of_action(action).annotations.unwrap();
            assert_eq!(asked, hints.destructive_hint.unwrap() || sends, "{id}");
            assert!(asked || !sent_by_delete, "{id}");
            let harmless = matches!(effect, Effect::Read | Effect::Create) && reach.is_empty();
            assert_eq!(asked, sends || !harmless, "{id}");
        }
    }

    #[test]
    fn messages_that_are_sent_unless_somebody_says_no_are_asked_about() {
        let mut action = description("jobs.usersImports.create", Effect::Create, false);
        action.input_schema = json!({"properties": {"send_completion_email": {"type": "boolean"}}});
        for (input, expected) in [
            (json!({}), true),
            (json!({"send_completion_email": true}), true),
            (json!({"send_completion_email": false}), false),
        ] {
            assert_eq!(
                Consent::default().is_needed(&action, &object(input.clone()), &[]),
                expected,
                "{input}"
            );
        }
    }

    #[tokio::test]
    async fn whatever_can_do_more_than_it_says_is_asked_about_and_gets_no_further_than_that() {
        let host = Host::new().unwrap();
        for (id, input, reach) in [
            (
                "logStreams.create",
                json!({"type": "http", "sink": {"httpEndpoint": "https://x.example"}}),
                "exfiltrates",
            ),
            ("create-password-change-ticket", json!({"user_id": "auth0|1"}), "takes-over"),
            ("tickets.changePassword", json!({"user_id": "auth0|1"}), "takes-over"),
            ("clientGrants.create", json!({"client_id": "c", "audience": "a", "scope": []}), "escalates"),
            ("clients.create", json!({"name": "n"}), "escalates"),
            ("actions.create", json!({"name": "n"}), "runs-code"),
            ("emails.provider.create", json!({"name": "smtp"}), "exfiltrates"),
            ("networkAcls.create", json!({"description": "d"}), "weakens"),
            ("users.create", json!({"connection": "c", "email_verified": true}), "takes-over"),
            ("users.create", json!({"connection": "c", "email": "a@b.c"}), ""),
            ("roles.create", json!({"name": "n"}), ""),
            ("custom-request", json!({"method": "POST", "path": "/log-streams", "body": {}}), "exfiltrates"),
        ] {
            let (action, input) = (host.describe(id).await.unwrap(), object(input));
            let judged = action.reach_of(&input);
            for (confirm, asks) in
                [(Confirm::Destructive, true), (Confirm::Irreversible, true), (Confirm::Never, false)]
            {
                let consent = Consent { confirm, trust_client: false };
                let expected = asks && (!reach.is_empty() || id == CUSTOM_REQUEST);
                assert_eq!(consent.is_needed(&action, &input, &judged), expected, "{id} {confirm:?}");
                let agreed = consent.agreed_reach(&judged).map(|agreed| agreed.to_string());
                assert_eq!(agreed, asks.then(|| reach.to_owned()), "{id} {confirm:?}");
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
}
