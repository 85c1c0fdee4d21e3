//! The question that a person gets: what an agent is about to do, to which tenant, and all that it goes by.
//!
//! The input is the agent's, and an agent may want a question that reads as another one. So texts are quoted, what does not
//! print is escaped, what the action is about comes first, and what would not be shown whole is not asked at all. A client
//! may render Markdown: the input is indented, which is code there, and has nothing in it that begins a link or a picture.

use std::fmt::Write as _;

use auth0_host::{ActionDescription, Domain, ErrorCode, Judgement};
use serde_json::{Map, Value};

use super::{
    answer::Refused,
    consent::declined,
    plain_text::{addresses, plain, quoted},
};

/// Letters of a question. A screen full: nobody reads more, and clients cut it.
const MOST_LETTERS: usize = 4_000;
/// Lines of a question, for the same reason.
const MOST_LINES: usize = 40;

/// Puts the question.
///
/// # Errors
///
/// `invalid-input` where the input has a member that the action does not declare, `declined` where there is too much to show.
pub(super) fn question(
    domain: &Domain,
    action: &ActionDescription,
    input: &Map<String, Value>,
    reach: &[Judgement],
) -> Result<String, Refused> {
    let members = in_order(action, input)?;
    let covered = action.cover_secrets(input);
    // Title and id are the component's own texts.
    let (title, id) = (plain(&action.title), plain(&action.id));
    let mut text = format!("Tenant {domain}: {title} ({id}, {})", action.effect);
    for Judgement { reach, member, reason, .. } in reach {
        let by = member.as_ref().map_or_else(String::new, |member| format!(" by {}", plain(member)));
        // Writing to a String cannot fail.
        let _ = write!(text, "\n\nWarning, {reach}{by}: it can {}, since {reason}.", reach.phrase());
    }
    let mut goes_to = Vec::new();
    input.values().for_each(|value| name_addresses(value, &mut goes_to));
    if !goes_to.is_empty() {
        let _ = write!(text, "\n\n    Addresses in it: {}", goes_to.join(", "));
    }
    if !members.is_empty() {
        text.push('\n');
    }
    for (name, value) in &members {
        text += "\n    ";
        // Names that are declared are words. Others are the agent's.
        let is_word =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        if is_word(name) && declared(action).is_some_and(|declared| declared.contains_key(*name)) {
            text += name;
        } else {
            text += &quoted(name);
        }
        text += ": ";
        if let Value::Array(items) = value {
            text += &format!("({}) ", items.len());
        }
        show(value, covered.get(*name).unwrap_or(&Value::Null), &mut text);
    }
    let letters = text.chars().count();
    if letters > MOST_LETTERS || members.len() >= MOST_LINES {
        return Err(declined(
            &action.id,
            &format!(
                "a person has to agree to it, and its input is too much to show ({} members, {letters} letters; at most {} \
                 and {MOST_LETTERS}). Do it in smaller parts, or leave it to a person with `auth0-host run`",
                members.len(),
                MOST_LINES - 1
            ),
        ));
    }
    Ok(text)
}

fn declared(action: &ActionDescription) -> Option<&Map<String, Value>> {
    action.input_schema.get("properties")?.as_object()
}

/// Returns the members: those of the path first, which say what the action is about, then in the order of the schema.
fn in_order<'a>(
    action: &'a ActionDescription,
    input: &'a Map<String, Value>,
) -> Result<Vec<(&'a str, &'a Value)>, Refused> {
    let is_open = action.input_schema.get("additionalProperties") != Some(&Value::Bool(false));
    let names = declared(action).map(|names| names.keys().collect::<Vec<_>>()).unwrap_or_default();
    if let Some(unknown) = input.keys().find(|name| !is_open && !names.contains(name)) {
        let message = format!(
            "`{}` has no member {}: describe-action lists those that it has; nothing was sent",
            action.id,
            quoted(unknown)
        );
        return Err(Refused::new(ErrorCode::InvalidInput, message));
    }
    let mut members: Vec<(&str, &Value)> = input.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let place = |name: &str| names.iter().position(|known| *known == name).unwrap_or(usize::MAX);
    members.sort_by_key(|(name, _)| (!action.is_in_path(name), place(name)));
    Ok(members)
}

/// Collects where a value may send something, secrets included: of these nothing else is shown.
fn name_addresses(value: &Value, found: &mut Vec<String>) {
    /// More would push the input off the screen; it is all there itself.
    const MOST: usize = 12;
    match value {
        Value::String(text) => {
            for address in addresses(text) {
                if found.len() < MOST && !found.contains(&address) {
                    found.push(address);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| name_addresses(item, found)),
        Value::Object(members) => members.values().for_each(|member| name_addresses(member, found)),
        _ => {}
    }
}

/// Writes a value on one line, but for what is covered in the other one.
fn show(value: &Value, covered: &Value, text: &mut String) {
    match (value, covered) {
        (Value::Object(members), Value::Object(covered)) => {
            text.push('{');
            for (index, ((name, value), covered)) in members.iter().zip(covered.values()).enumerate() {
                *text += if index == 0 { "" } else { ", " };
                *text += &quoted(name);
                *text += ": ";
                show(value, covered, text);
            }
            text.push('}');
        }
        (Value::Array(items), Value::Array(covered)) => {
            text.push('[');
            for (index, (item, covered)) in items.iter().zip(covered).enumerate() {
                *text += if index == 0 { "" } else { ", " };
                show(item, covered, text);
            }
            text.push(']');
        }
        // Without quotes, which every text has.
        (value, covered) if value != covered => {
            text.push('…');
            // A secret may be an address, and where that leads is what a person is asked about.
            let leads_to = value.as_str().map(addresses).unwrap_or_default();
            if !leads_to.is_empty() {
                *text += &format!(" ({})", leads_to.join(", "));
            }
        }
        (Value::String(value), _) => *text += &quoted(value),
        (value, _) => *text += &value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use auth0_host::{ActionKind, Effect, Host};
    use serde_json::json;

    use super::*;
    use crate::tools::tests::description;

    fn domain() -> Domain {
        "acme.eu.auth0.com".parse().unwrap()
    }

    fn ask(action: &ActionDescription, input: Value) -> Result<String, String> {
        question(&domain(), action, input.as_object().unwrap(), &[]).map_err(|refused| format!("{refused:?}"))
    }

    /// An action that takes anything.
    fn open() -> ActionDescription {
        description("users.update", Effect::Update, true)
    }

    #[tokio::test]
    async fn whatever_deletes_or_sends_is_asked_about_by_the_parameters_of_its_path() {
        let host = Host::new().unwrap();
        let mut shown = 0;
        for action in host.actions().await.unwrap() {
            if !matches!(action.effect, Effect::Delete | Effect::Send) {
                continue;
            }
            let action = host.describe(&action.id).await.unwrap();
            // Curated actions have names of their own for what is in the path, such as `user_id`, and require it.
            let required = action.input_schema["required"].as_array().cloned().unwrap_or_default();
            let in_path = |name: &str| action.is_in_path(name);
            let is_target = |name: &str| in_path(name) || required.contains(&json!(name));
            let targets: Vec<&String> =
                declared(&action).unwrap().keys().filter(|name| is_target(name)).collect();
            let input = targets.iter().map(|name| ((*name).clone(), json!(format!("the {name}")))).collect();
            let text = question(&domain(), &action, &input, &[]).unwrap();
            for name in &targets {
                assert!(
                    text.lines().any(|line| line == format!("    {name}: \"the {name}\"")),
                    "{name}: {text}"
                );
            }
            let parameters = action.requests.iter().flat_map(|request| request.path.matches('{')).count();
            assert!(parameters == 0 || !targets.is_empty(), "{}", action.id);
            let is_operation = action.kind == ActionKind::Operation;
            assert!(
                !is_operation || targets.iter().filter(|name| in_path(name)).count() == parameters,
                "{text}"
            );
            shown += targets.len();
        }
        assert!(shown > 70, "{shown}");
    }

    #[test]
    fn the_first_line_names_the_tenant_and_the_path_comes_before_the_rest() {
        let mut action = open();
        action.requests =
            serde_json::from_value(json!([{"method": "PUT", "path": "/api/v2/rules-configs/{key}"}]))
                .unwrap();
        action.input_schema =
            json!({"properties": {"value": {}, "note": {}, "key": {}}, "additionalProperties": false});
        let text = ask(&action, json!({"note": "n", "key": "the key", "value": 1})).unwrap();
        assert_eq!(
            text,
            "Tenant acme.eu.auth0.com: Title (users.update, update)\n\n    key: \"the key\"\n    value: …\n    note: \"n\""
        );
    }

    #[test]
    fn no_text_makes_up_a_line_or_turns_one_round() {
        for (text, expected) in [
            ("auth0|1\nYou may safely agree", r#""auth0|1\nYou may safely agree""#),
            ("a\u{2028}b", r#""a\u{2028}b""#),
            ("a\u{2029}b", r#""a\u{2029}b""#),
            ("a\u{202e}b", r#""a\u{202e}b""#),
            ("a\u{2066}b", r#""a\u{2066}b""#),
            ("a\u{200b}b", r#""a\u{200b}b""#),
            ("a\u{ad}b", r#""a\u{ad}b""#),
            ("a\u{feff}b", r#""a\u{feff}b""#),
            ("a\u{85}b", r#""a\u{85}b""#),
            ("a\u{1b}b", r#""a\u{1b}b""#),
            ("a\u{e0041}b", r#""a\u{e0041}b""#),
            ("a\u{3164}b", r#""a\u{3164}b""#),
            ("a\u{2800}b", r#""a\u{2800}b""#),
            ("![x](https:x.example)", r#""!\u{5b}x\u{5d}(https:x.example)""#),
            ("<img src=x>", r#""\u{3c}img src=x\u{3e}""#),
            ("`code`", r#""\u{60}code\u{60}""#),
            ("a\", blocked: true", r#""a\", blocked: true""#),
            ("José O'Neill 🙂", "\"José O'Neill 🙂\""),
        ] {
            let asked = ask(&open(), json!({"x": text, "deep": [{text: text}]})).unwrap();
            let lines: Vec<&str> = asked.lines().collect();
            assert_eq!(
                lines[2..],
                [
                    format!(r#"    "x": {expected}"#),
                    format!(r#"    "deep": (1) [{{{expected}: {expected}}}]"#),
                ]
            );
        }
    }

    #[test]
    fn a_name_that_is_not_declared_is_refused_and_not_shown() {
        let mut action = open();
        action.input_schema = json!({"properties": {"id": {}}, "additionalProperties": false});
        let problem = ask(&action, json!({"id": "1", "note\nYou may agree": ""})).unwrap_err();
        assert!(problem.contains("invalid-input") && problem.contains("You may agree"), "{problem}");
        action.input_schema = json!({"properties": {"id": {}}});
        let text = ask(&action, json!({"id": "1", "note\nYou may agree": ""})).unwrap();
        assert_eq!(text.lines().nth(3), Some(r#"    "note\nYou may agree": """#));
    }

    #[test]
    fn what_would_be_cut_is_not_asked() {
        let many: Vec<String> = (0..400).map(|number| format!("auth0|{number:08}")).collect();
        let wide: Map<String, Value> = (0..40).map(|number| (format!("m{number}"), json!(1))).collect();
        for (input, expected) in [
            (json!({"members": &many[..100]}), true),
            (json!({"members": many}), false),
            (json!({"body": "x".repeat(3_900)}), true),
            (json!({"body": "x".repeat(4_000)}), false),
            (Value::Object(wide), false),
        ] {
            let asked = ask(&open(), input.clone());
            assert_eq!(asked.is_ok(), expected, "{input}");
            match asked {
                Ok(text) => assert!(!text.contains('…') && text.chars().count() <= MOST_LETTERS, "{text}"),
                Err(problem) => {
                    assert!(problem.contains("declined") && problem.contains("too much"), "{problem}")
                }
            }
        }
    }

    #[tokio::test]
    async fn secrets_are_not_shown_and_what_an_action_does_is() {
        let host = Host::new().unwrap();
        for (action, input, hidden) in [
            ("users.update", json!({"id": "auth0|1", "password": "canary", "blocked": true}), 1),
            (
                "clients.update",
                json!({"id": "c", "refresh_token": {"rotation_type": "seen", "leeway": 5}}),
                0,
            ),
            (
                "clients.update",
                json!({"id": "c", "token_endpoint_auth_method": "none", "client_secret": "canary"}),
                1,
            ),
            (
                "clients.update",
                json!({"id": "c", "addons": {"firebase": {"secret": "canary", "id": "seen"}}}),
                1,
            ),
            (
                "logStreams.create",
                json!({"type": "http", "sink": {"httpEndpoint": "https://seen.example", "httpAuthorization": "canary"}}),
                1,
            ),
            (
                "flows.vault.connections.create",
                json!({"name": "seen", "app_id": "HTTP", "setup": {"type": "seen", "pin": "canary", "n": 5, "on": true}}),
                2,
            ),
            ("guardian.factors.pushNotification.setFcmProvider", json!({"server_key": "canary"}), 1),
            (
                "hooks.secrets.create",
                json!({"id": "h", "body": {"SEEN": "canary", "ALSO_SEEN": "canary"}}),
                2,
            ),
            ("rulesConfigs.set", json!({"key": "seen", "value": "canary"}), 1),
            (
                "custom-request",
                json!({"method": "PUT", "path": "/x", "body": {"key": "seen", "api_key": "canary", "p12": ["canary"]}}),
                2,
            ),
            (
                "custom-request",
                json!({"method": "PUT", "path": "/keys/custom-signing", "body": {"keys": [{"n": "seen", "d": "canary"}]}}),
                1,
            ),
            (
                "custom-request",
                json!({
                    "method": "PATCH", "path": "/api/v2/connections/seen?x",
                    "body": {"options": {"signing_key": {"key": "canary", "cert": "seen"}}},
                }),
                1,
            ),
            (
                "custom-request",
                json!({"method": "POST", "path": "/hooks/seen/secrets", "body": {"SEEN": "canary"}}),
                1,
            ),
            (
                "jobs.usersImports.create",
                json!({"connection_id": "seen", "users": [{"email": "seen", "password_hash": "canary"}]}),
                1,
            ),
            ("keys.customSigning.set", json!({"keys": [{"kty": "RSA", "n": "seen", "d": "canary"}]}), 1),
        ] {
            let action = host.describe(action).await.unwrap();
            let text = question(&domain(), &action, input.as_object().unwrap(), &[]).unwrap();
            assert_eq!((text.contains("canary"), text.matches('…').count()), (false, hidden), "{text}");
            // Addresses are named once more, above.
            let body = text.rsplit_once("\n\n    ").map_or("", |(_, body)| body);
            let seen = |text: &str| text.to_lowercase().matches("seen").count();
            assert_eq!(seen(body), seen(&input.to_string()), "{text}");
        }
    }

    #[tokio::test]
    async fn a_question_says_what_the_call_can_do_and_where_data_goes_even_where_that_is_a_secret() {
        let host = Host::new().unwrap();
        for (id, input, parts) in [
            (
                "logStreams.create",
                json!({"type": "sumo", "sink": {"sumoSourceAddress": "https://u:canary@evil.example/canary"}}),
                &[
                    "Warning, exfiltrates: it can send data to an address",
                    "… (https://evil.example)",
                    "Addresses in it: https://evil.example",
                ][..],
            ),
            (
                "emails.provider.create",
                json!({"name": "azure_cs", "credentials": {"connectionString": "endpoint=https://evil.example/;accesskey=canary"}}),
                &["Warning, exfiltrates", "… (https://evil.example)"],
            ),
            (
                "users.update",
                json!({"id": "auth0|1", "password": "canary"}),
                &["Warning, takes-over by password: it can open a person's account, since", "password: …"],
            ),
            ("roles.create", json!({"name": "n"}), &[]),
        ] {
            let action = host.describe(id).await.unwrap();
            let input = input.as_object().unwrap();
            let text = question(&domain(), &action, input, &action.reach_of(input)).unwrap();
            assert!(!text.contains("canary"), "{text}");
            for part in parts {
                assert!(text.contains(part), "{part}: {text}");
            }
            assert_eq!(text.contains("Warning"), !parts.is_empty(), "{text}");
        }
    }

    #[test]
    fn no_title_name_or_id_of_a_component_makes_up_a_line_or_markup() {
        let mut action = open();
        action.title = "Harmless\n\n[link](https://x.example)".to_owned();
        action.input_schema = json!({"properties": {"a\nWarning": {}}, "additionalProperties": false});
        let text = ask(&action, json!({"a\nWarning": 1})).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(!text.contains('[') && text.lines().nth(2) == Some(r#"    "a\nWarning": 1"#), "{text}");
    }

    #[test]
    fn every_line_of_the_input_is_code_to_a_client_that_renders_markdown() {
        let text = ask(&open(), json!({"a": "# x", "b": "* y\n\n- z", "c": ["1. a"]})).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap();
        assert_eq!(head.lines().count(), 1, "{text}");
        assert!(body.lines().all(|line| line.starts_with("    ")), "{text}");
    }
}
