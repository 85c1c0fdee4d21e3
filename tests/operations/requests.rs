//! Every operation leaves the sandbox as the table says: method, path, query, body, headers.

use auth0_catalog::{Answer, BodyForm, Kind, Known, Member, Operation, Paging};
use auth0_host::CallOptions;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::recorder::{CUSTOM_DOMAIN, Recorded, Recorder, TOKEN};
use super::sample::{self, Given};

/// Sends an operation and tells the one request that came.
async fn send(recorder: &Recorder, operation: &Operation, input: &Map<String, Value>) -> Recorded {
    let stream = operation.answer == Answer::Events;
    let rows = json!({"items": [], "limit": 100});
    let body = match &operation.answer {
        _ if stream => String::new(),
        Answer::Rows(None) => "[]".to_owned(),
        Answer::Rows(Some(rows)) => json!({rows: []}).to_string(),
        _ => rows.to_string(),
    };
    recorder.answer(200, if stream { "text/event-stream" } else { "application/json" }, body);
    // What becomes of secrets is another test's matter.
    let options = CallOptions::new().reveal_secrets();
    let outcome = recorder.connection.call_with(&operation.name, Value::Object(input.clone()), options).await;
    if let Err(error) = outcome.result {
        panic!("{}: {input:?}: {error}", operation.name);
    }
    let mut seen = recorder.take();
    assert_eq!(seen.len(), 1, "{}", operation.name);
    seen.remove(0)
}

/// A value as it stands in a path or query.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn expected_query(operation: &Operation, input: &Map<String, Value>) -> Vec<(String, String)> {
    let mut query = Vec::new();
    for Member { name, kind, .. } in &operation.query {
        match (input.get(name), &kind.kind) {
            (None, _) => {}
            (Some(Value::Array(items)), Kind::Names { .. }) => {
                query.push((name.clone(), items.iter().map(plain).collect::<Vec<_>>().join(",")));
            }
            (Some(Value::Array(items)), _) => {
                query.extend(items.iter().map(|item| (name.clone(), plain(item))));
            }
            (Some(value), _) => query.push((name.clone(), plain(value))),
        }
    }
    if operation.known == Known::Request {
        for item in input.get("query").and_then(|query| query["a b"].as_array()).into_iter().flatten() {
            query.push(("a b".to_owned(), plain(item)));
        }
    }
    if matches!(operation.answer, Answer::Rows(_)) {
        let limit = input
            .get("limit")
            .map_or_else(|| operation.page_size.unwrap_or(100).min(50).to_string(), ToString::to_string);
        let by_page = || {
            let mut pairs = vec![("page", "0".to_owned()), ("per_page", limit.clone())];
            pairs.extend(operation.totals.then(|| ("include_totals", "true".to_owned())));
            pairs
        };
        let paging = match operation.paging {
            Paging::None => Vec::new(),
            Paging::Offset => by_page(),
            Paging::Checkpoint | Paging::Both => vec![("take", limit.clone())],
        };
        query.extend(paging.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    query.sort();
    query
}

fn expected_body(operation: &Operation, input: &Map<String, Value>) -> Option<Value> {
    if operation.known == Known::Request {
        return input.get("body").cloned();
    }
    let body = operation.body.as_ref()?;
    if body.is_apart() {
        return input.get("body").cloned();
    }
    let members = body
        .members
        .iter()
        .filter_map(|member| Some((member.name.clone(), input.get(&member.name)?.clone())));
    Some(Value::Object(members.collect()))
}

fn check(operation: &Operation, input: &Map<String, Value>, seen: &Recorded) {
    let name = &operation.name;
    assert_eq!(seen.method, operation.method, "{name}");
    let wanted: Vec<&str> = operation.path.split('/').skip(1).collect();
    let found: Vec<&str> = seen.path.strip_prefix("/api/v2/").unwrap().split('/').collect();
    assert_eq!(found.len(), wanted.len(), "{name}: {}", seen.path);
    for (wanted, found) in wanted.into_iter().zip(found) {
        let decoded = percent_decode_str(found).decode_utf8().unwrap();
        match wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(parameter) => assert_eq!(decoded, plain(&input[parameter]), "{name}"),
            None => assert_eq!(found, wanted, "{name}"),
        }
    }
    let mut query = seen.query.clone();
    query.sort();
    assert_eq!(query, expected_query(operation, input), "{name}");
    let expected = expected_body(operation, input);
    let multipart = operation.body.as_ref().is_some_and(|body| body.form == BodyForm::Multipart);
    if !multipart {
        let body = (!seen.body.is_empty()).then(|| serde_json::from_slice::<Value>(&seen.body).unwrap());
        assert_eq!(body, expected, "{name}");
    }
    let accept = if operation.answer == Answer::Events { "text/event-stream" } else { "application/json" };
    assert_eq!(seen.header("accept"), Some(accept), "{name}");
    assert_eq!(seen.header("authorization"), Some(&*format!("Bearer {TOKEN}")), "{name}");
    let custom_domain = operation.custom_domain.then_some(CUSTOM_DOMAIN);
    assert_eq!(seen.header("auth0-custom-domain"), custom_domain, "{name}");
    let content_type = match (&expected, multipart) {
        (_, true) => Some("multipart/form-data; boundary=auth0-connector-0"),
        (Some(_), false) => Some("application/json"),
        (None, false) => None,
    };
    assert_eq!(seen.header("content-type"), content_type, "{name}");
    let mut known = vec![
        "accept",
        "auth0-custom-domain",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    ];
    known.retain(|name| seen.header(name).is_some());
    let names: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, known, "{name}");
}

async fn all_as_the_table_says(given: Given) {
    let recorder = Recorder::start().await;
    let operations = sample::known();
    for operation in &operations {
        let input = sample::input(operation, given);
        check(operation, &input, &send(&recorder, operation, &input).await);
    }
}

#[tokio::test]
async fn every_operation_is_sent_as_the_table_says_with_all_that_it_takes() {
    all_as_the_table_says(Given::All).await;
}

#[tokio::test]
async fn every_operation_is_sent_as_the_table_says_with_as_little_as_it_takes() {
    all_as_the_table_says(Given::Required).await;
}

#[tokio::test]
async fn a_null_that_unsets_something_is_sent_as_null() {
    all_as_the_table_says(Given::Nulls).await;
}

#[tokio::test]
async fn an_operation_of_which_the_request_alone_is_known_is_sent_as_it_is_given() {
    let recorder = Recorder::start().await;
    for operation in sample::all().iter().filter(|operation| operation.success.is_empty()) {
        let input = sample::input(operation, Given::All);
        check(operation, &input, &send(&recorder, operation, &input).await);
    }
}
