//! What an action answers has what the API always gives and what the tenant holds, member by member.
//!
//! The schemas of outputs require next to nothing, since Auth0 leaves members out as it likes: to them `{}` is a user. So
//! a schema does not notice an action that drops, renames or empties a member; what is asked for here does, and the second
//! test tries it on every one of them.

use auth0_tests::{DATABASE, OfflineTenant};
use serde_json::{Map, Value, json};

use crate::promises::inputs;

const PERSON: &str = "tom.becker@acme.example";

/// What an answer has to have.
struct Expected {
    /// The member with the objects, and how many they are; none where the answer is the object.
    list: Option<(&'static str, usize)>,
    /// Members of each object that are there whatever else is, and say something. Auth0's reference has them in the samples
    /// of each answer.
    always: &'static [&'static str],
    /// The objects as the tenant has them, and the member that tells which is which.
    held: Option<(&'static str, Vec<Value>)>,
    /// Whether an object is all that the tenant has of it, and not a part.
    whole: bool,
}

const USER: &[&str] = &[
    "user_id",
    "email",
    "email_verified",
    "name",
    "nickname",
    "picture",
    "created_at",
    "updated_at",
    "identities",
];
const IDENTITY: &[&str] = &["connection", "user_id", "provider", "isSocial"];
const ROLE: &[&str] = &["id", "name", "description"];
const LOG: &[&str] = &["log_id", "date", "type", "ip", "user_agent"];
const APPLICATION: &[&str] = &["client_id", "name", "app_type", "is_first_party", "grant_types"];
const CONNECTION: &[&str] = &["id", "name", "strategy", "realms", "is_domain_connection", "options"];
const SESSION: &[&str] = &[
    "id",
    "user_id",
    "created_at",
    "updated_at",
    "authenticated_at",
    "idle_expires_at",
    "expires_at",
    "last_interacted_at",
    "device",
    "clients",
    "authentication",
];

/// What an action that was just run has to have answered.
fn expected(tenant: &OfflineTenant, action: &str) -> Expected {
    let control = &tenant.control;
    let nothing = || Expected { list: None, always: &[], held: None, whole: true };
    let object = |always| Expected { always, ..nothing() };
    let one = |always, by, held| Expected { held: Some((by, held)), ..object(always) };
    let many = |count, always, by, held| Expected { list: Some(("items", count)), ..one(always, by, held) };
    let user = || control.user_by_email(PERSON).expect("the person is there");
    let users = || control.users();
    // The one that stands for all of them is no application.
    let applications = || -> Vec<Value> {
        let all = control.clients().into_iter().filter(|client| client["global"] != true);
        all.map(without_secret).collect()
    };
    let with_secret =
        || applications().iter().filter(|client| client["token_endpoint_auth_method"] != "none").count();
    let identities = || user()["identities"].as_array().expect("a user has identities").clone();
    match action {
        "list-users" => many(users().len(), USER, "user_id", users()),
        "find-users-by-email" => many(1, USER, "user_id", users()),
        "get-user" | "create-user" | "update-user" | "block-user" | "unblock-user" => {
            one(USER, "user_id", users())
        }
        "list-user-logs" => {
            let logs: Vec<Value> =
                control.logs().into_iter().filter(|row| row["user_id"] == user()["user_id"]).collect();
            many(logs.len(), LOG, "log_id", logs)
        }
        "link-user" | "unlink-identity" => many(identities().len(), IDENTITY, "user_id", identities()),
        "get-user-blocks" => {
            let list = Some(("blocked_for", 1));
            Expected { list, ..object(&["identifier", "ip", "connection"]) }
        }
        "send-verification-email" => object(&["id", "type", "status", "created_at"]),
        "create-email-verification-ticket" | "create-password-change-ticket" => object(&["ticket"]),
        "send-password-reset-email" => object(&["message"]),
        "create-mfa-enrollment-ticket" => object(&["ticket_id", "ticket_url"]),
        "list-user-sessions" => {
            let count = control.live_logins(user()["user_id"].as_str().expect("an id is text")).0;
            Expected { list: Some(("items", count)), ..object(SESSION) }
        }
        "list-roles" => many(control.roles().len(), ROLE, "id", control.roles()),
        "get-role" | "create-role" | "update-role" => one(ROLE, "id", control.roles()),
        "list-user-roles" => many(2, ROLE, "id", control.roles()),
        "list-role-users" => {
            Expected { whole: false, ..many(1, &["user_id", "email", "name", "picture"], "user_id", users()) }
        }
        "list-role-permissions" => {
            let always =
                &["permission_name", "description", "resource_server_name", "resource_server_identifier"];
            Expected { list: Some(("items", 2)), ..object(always) }
        }
        "list-logs" => many(3, LOG, "log_id", control.logs()),
        "get-log" => one(LOG, "log_id", control.logs()),
        "list-applications" => many(applications().len(), APPLICATION, "client_id", applications()),
        "get-application" => one(APPLICATION, "client_id", applications()),
        "rotate-client-secret" => {
            one(&["client_id", "name", "client_secret", "client_metadata"], "client_id", applications())
        }
        "find-stale-secrets" => Expected {
            whole: false,
            ..many(with_secret(), &["client_id", "name", "state"], "client_id", applications())
        },
        "list-connections" => many(control.connections().len(), CONNECTION, "id", control.connections()),
        "get-connection" => one(CONNECTION, "id", control.connections()),
        "custom-request" => object(&["status", "headers", "body"]),
        "send-email" => object(&["success"]),
        "test-connection" => object(&["domain", "checked", "scopes", "expires_at"]),
        // These answer that it is done.
        "delete-user"
        | "clear-user-blocks"
        | "reset-user-mfa"
        | "delete-user-sessions"
        | "delete-user-refresh-tokens"
        | "revoke-user-access"
        | "delete-role"
        | "assign-user-roles"
        | "remove-user-roles"
        | "add-role-permissions"
        | "remove-role-permissions" => nothing(),
        _ => panic!("nobody has said what `{action}` answers"),
    }
}

/// What becomes of a secret is another test's matter.
fn without_secret(mut client: Value) -> Value {
    client.as_object_mut().expect("an application is an object").shift_remove("client_secret");
    client
}

/// Whether a value says nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Expected {
    /// The objects of an answer.
    fn objects<'a>(&self, answer: &'a Value) -> Result<Vec<&'a Map<String, Value>>, String> {
        let objects: Vec<&Value> = match self.list {
            None => vec![answer],
            Some((member, count)) => {
                let items = answer[member].as_array().ok_or_else(|| format!("`{member}` is no list"))?;
                if items.len() != count || count == 0 {
                    return Err(format!("{} in `{member}`, and not {count}", items.len()));
                }
                items.iter().collect()
            }
        };
        let objects = objects.into_iter().map(|object| object.as_object().ok_or("no object".to_owned()));
        objects.collect()
    }

    /// The object as the tenant has it.
    fn held(&self, object: &Map<String, Value>) -> Result<Option<&Map<String, Value>>, String> {
        let Some((by, held)) = &self.held else { return Ok(None) };
        let found = object.get(*by).and_then(|id| held.iter().find(|held| held[*by] == *id));
        found
            .and_then(Value::as_object)
            .map(Some)
            .ok_or_else(|| format!("the tenant has none of this `{by}`"))
    }

    /// Names of the members that an object has to have.
    fn members(&self, held: Option<&Map<String, Value>>) -> Vec<String> {
        let mut names: Vec<String> = self.always.iter().map(|name| (*name).to_owned()).collect();
        if self.whole {
            names.extend(
                held.into_iter().flat_map(Map::keys).filter(|name| !self.always.contains(&&***name)).cloned(),
            );
        }
        names
    }

    /// Tells what is wrong with an answer.
    fn check(&self, answer: &Value) -> Result<(), String> {
        for object in self.objects(answer)? {
            let held = self.held(object)?;
            for name in self.members(held) {
                let value = object.get(&name).ok_or_else(|| format!("`{name}` is not there"))?;
                match held.and_then(|held| held.get(&name)) {
                    Some(held) if held != value => {
                        return Err(format!("`{name}` is {value}, and not {held}"));
                    }
                    None if is_empty(value) => return Err(format!("`{name}` is {value}")),
                    _ => {}
                }
            }
            if self.always.is_empty() && !object.is_empty() {
                return Err("it was to be empty".to_owned());
            }
        }
        Ok(())
    }
}

/// Brings about what an action needs to have something to answer, and what it is run with.
async fn prepared(tenant: &OfflineTenant, action: &str, input: Value) -> Value {
    let id = tenant.user(PERSON);
    match action {
        "get-user-blocks" => {
            for _ in 0..10 {
                tenant.control.fail_log_in(PERSON, "203.0.113.77").expect("the person is there");
            }
        }
        "unlink-identity" => {
            let identity = json!({"user_id": "google-oauth2|108251222085688410000"});
            tenant.run("link-user", json!({"user_id": id, "identity": identity})).await;
        }
        _ => {}
    }
    input
}

/// An input of each action, all of them.
fn all_inputs(tenant: &OfflineTenant) -> Vec<(&'static str, Value)> {
    let mut all = inputs(tenant);
    let identity = json!({"provider": "google-oauth2", "user_id": "108251222085688410000"});
    let unlink = json!({
        "user_id": tenant.user(PERSON), "provider": identity["provider"], "identity_user_id": identity["user_id"],
    });
    all.push(("unlink-identity", unlink));
    let path = format!("/api/v2/connections/{}", tenant.connection_id(DATABASE));
    all.push(("custom-request", json!({"method": "GET", "path": path})));
    all
}

/// Runs each action on a tenant of its own.
async fn each(mut look: impl FnMut(&str, &Expected, Value)) -> Vec<&'static str> {
    let number = all_inputs(&OfflineTenant::start().await).len();
    let mut names = Vec::new();
    for at in 0..number {
        let tenant = OfflineTenant::start().await;
        let (action, input) = all_inputs(&tenant).remove(at);
        let input = prepared(&tenant, action, input).await;
        let answer = tenant.run(action, input).await;
        look(action, &expected(&tenant, action), answer);
        names.push(action);
    }
    names
}

#[tokio::test]
async fn every_output_has_what_the_api_always_gives_and_what_the_tenant_holds() {
    let mut wrong = Vec::new();
    let mut ran = each(|action, expected, answer| {
        if let Err(problem) = expected.check(&answer) {
            wrong.push(format!("{action}: {problem}: {answer}"));
        }
    })
    .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut curated = auth0_tests::curated().await;
    curated.sort();
    ran.sort_unstable();
    assert_eq!(ran, curated);
}

/// Guards the test above: each member that is asked for is taken away, renamed and emptied, in each answer.
#[tokio::test]
async fn a_member_that_is_dropped_renamed_or_emptied_is_noticed_in_every_output() {
    let mut tried = 0;
    let mut silent = Vec::new();
    each(|action, expected, answer| {
        // Else whatever is done to it would be noticed.
        expected.check(&answer).unwrap_or_else(|problem| panic!("{action}: {problem}"));
        let mut unnoticed = |how: &str, wrong: &Value| {
            tried += 1;
            if expected.check(wrong).is_ok() {
                silent.push(format!("{action}: {how}"));
            }
        };
        let place = expected.list.map_or_else(String::new, |(member, _)| format!("/{member}/0"));
        if let Some((member, _)) = expected.list {
            let mut fewer = answer.clone();
            fewer[member].as_array_mut().expect("it is a list").pop();
            unnoticed("one item less", &fewer);
        }
        let object = answer.pointer(&place).and_then(Value::as_object).expect("there is one").clone();
        let held = expected.held(&object).expect("it is held");
        let mut with = |how: &str, change: &dyn Fn(&mut Map<String, Value>)| {
            let mut wrong = answer.clone();
            change(wrong.pointer_mut(&place).and_then(Value::as_object_mut).expect("it is there"));
            unnoticed(how, &wrong);
        };
        for name in expected.members(held) {
            with(&format!("`{name}` dropped"), &|object| drop(object.shift_remove(&name)));
            with(&format!("`{name}` renamed"), &|object| {
                let value = object.shift_remove(&name).unwrap_or_default();
                object.insert(format!("{name}_"), value);
            });
            // What the tenant has empty cannot be emptied.
            for empty in [json!(null), json!(""), json!([]), json!({})] {
                if !is_empty(&object[&name]) {
                    with(&format!("`{name}` is {empty}"), &|object| {
                        drop(object.insert(name.clone(), empty.clone()))
                    });
                }
            }
        }
        if expected.always.is_empty() {
            with("a member of its own", &|object| drop(object.insert("x".to_owned(), json!(1))));
        } else {
            unnoticed("{}", &json!({}));
        }
    })
    .await;
    assert!(silent.is_empty(), "{} of {tried}:\n{}", silent.len(), silent.join("\n"));
    assert!(tried > 1_000, "{tried}");
}
