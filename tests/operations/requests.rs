//! Every operation leaves the sandbox as the table says: method, path, query, body, headers.

use auth0_catalog::{Answer, BodyForm, Kind, Known, Member, Operation, Paging};
use auth0_host::{CallOptions, Error, ErrorCode};
use auth0_tests::host;
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

/// Rows that a list is asked for where nothing is said.
fn default_limit(operation: &Operation) -> u64 {
    operation.page_size.unwrap_or(100).min(50).into()
}

/// The members of a form (RFC 7578): name, file name, content type, value.
type Part = (String, Option<String>, Option<String>, String);

/// Reads a form, strictly: whatever is not part of it fails.
fn parts(body: &[u8], boundary: &str) -> Vec<Part> {
    let text = std::str::from_utf8(body).unwrap();
    let text = text.strip_prefix(&format!("--{boundary}\r\n")).unwrap();
    let text = text.strip_suffix(&format!("\r\n--{boundary}--\r\n")).unwrap();
    let part = |part: &str| {
        let (head, value) = part.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let disposition = lines.next().unwrap().strip_prefix("content-disposition: form-data; ").unwrap();
        let quoted = |parameter: &str, name: &str| {
            parameter.strip_prefix(&format!("{name}=\""))?.strip_suffix('"').map(str::to_owned)
        };
        let mut parameters = disposition.split("; ");
        let name = quoted(parameters.next().unwrap(), "name").unwrap();
        let file = parameters.next().map(|parameter| quoted(parameter, "filename").unwrap());
        let kind = lines.next().map(|line| line.strip_prefix("content-type: ").unwrap().to_owned());
        assert!(parameters.next().is_none() && lines.next().is_none(), "{head}");
        (name, file, kind, value.to_owned())
    };
    text.split(&format!("\r\n--{boundary}\r\n")).map(part).collect()
}

/// The form that an input becomes: in the table's order, a file as JSON.
fn expected_parts(operation: &Operation, input: &Map<String, Value>) -> Vec<Part> {
    let members = operation.body.iter().flat_map(|body| &body.members);
    let given = members.filter_map(|member| Some((member, input.get(&member.name)?)));
    given
        .map(|(Member { name, kind, .. }, value)| {
            let file = kind.kind == Kind::File;
            let (file, kind) =
                (file.then(|| format!("{name}.json")), file.then(|| "application/json".to_owned()));
            (name.clone(), file, kind, plain(value))
        })
        .collect()
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
        let limit =
            input.get("limit").map_or_else(|| default_limit(operation), |limit| limit.as_u64().unwrap());
        let cursor = input.get("cursor").map(plain);
        let by_page = || {
            // The records before it fill whole pages here.
            let page = cursor.as_ref().map_or(0, |first| first.parse::<u64>().unwrap() / limit);
            let mut pairs = vec![("page", page.to_string()), ("per_page", limit.to_string())];
            pairs.extend(operation.totals.then(|| ("include_totals", "true".to_owned())));
            pairs
        };
        let by_cursor = || {
            let mut pairs = vec![("take", limit.to_string())];
            pairs.extend(cursor.clone().map(|from| ("from", from)));
            pairs
        };
        let paging = match operation.paging {
            Paging::None => Vec::new(),
            Paging::Offset => by_page(),
            Paging::Checkpoint | Paging::Both => by_cursor(),
        };
        query.extend(paging.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    if operation.answer == Answer::Events {
        query.extend(input.get("cursor").map(|from| ("from".to_owned(), plain(from))));
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
    if multipart {
        let found = parts(&seen.body, "auth0-connector-0");
        assert_eq!(found, expected_parts(operation, input), "{name}");
    } else {
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
async fn every_list_goes_on_from_a_cursor_in_the_way_of_its_own_paging() {
    let recorder = Recorder::start().await;
    let mut lists = 0;
    for operation in sample::known().iter().filter(|operation| operation.is_list()) {
        let schema = host().describe(&operation.name).await.unwrap().input_schema;
        assert!(schema["properties"]["cursor"].is_object(), "{}", operation.name);
        for given in [Given::Required, Given::All] {
            let mut input = sample::input(operation, given);
            let by_number = matches!(operation.paging, Paging::None | Paging::Offset)
                && operation.answer != Answer::Events;
            let cursor = if by_number {
                let limit =
                    input.get("limit").map_or_else(|| default_limit(operation), |it| it.as_u64().unwrap());
                (2 * limit).to_string()
            } else {
                // Cursors are the tenant's: whatever they hold comes back to it.
                "MjAyNi0w+/=&from=ü %7C".to_owned()
            };
            input.insert("cursor".to_owned(), cursor.into());
            check(operation, &input, &send(&recorder, operation, &input).await);
        }
        lists += 1;
    }
    let mut described = 0;
    for operation in sample::known() {
        let schema = host().describe(&operation.name).await.unwrap().input_schema;
        let cursor = &schema["properties"]["cursor"]["description"];
        described +=
            usize::from(cursor.as_str().is_some_and(|text| text.contains("`next` of the previous page")));
    }
    assert!(lists > 0 && lists == described, "{lists} lists, and the component describes {described}");
}

#[tokio::test]
async fn every_list_of_pages_refuses_what_lies_behind_the_wall_with_a_way_round_and_sends_nothing() {
    let recorder = Recorder::start().await;
    recorder.answer(200, "application/json", "[]");
    let (mut by_filters, mut without) = (0, Vec::new());
    for operation in sample::known().iter().filter(|operation| operation.paging == Paging::Offset) {
        let name = &operation.name;
        for cursor in ["1000", "4000"] {
            let mut input = sample::input(operation, Given::Required);
            input.insert("cursor".to_owned(), cursor.into());
            let error = match recorder.connection.run(name, Value::Object(input)).await {
                Err(Error::Action(error)) if error.code == ErrorCode::InvalidInput => error,
                other => panic!("{name}: {other:?}"),
            };
            let record = cursor.parse::<u64>().unwrap() + 1;
            let start = format!(
                "input of {name} refused: `cursor`: record {record} refused: Auth0 pages through the first 1000 \
                 records only; "
            );
            let way =
                error.message.strip_prefix(&start).unwrap_or_else(|| panic!("{name}: {}", error.message));
            let narrow =
                way.strip_prefix("narrow it by ").and_then(|way| way.strip_suffix(", and read each part"));
            if let Some(filters) = narrow {
                let known = |filter: &str| operation.query.iter().any(|member| member.name == filter);
                assert!(filters.split(", ").all(known), "{name}: {way}");
                by_filters += 1;
            } else if way == "this list has no filter and no other way" {
                let filters =
                    ["sort", "fields", "include_fields", "search_engine", "primary_order", "hydrate"];
                assert!(operation.query.iter().all(|member| filters.contains(&&*member.name)), "{name}");
                without.push(name.clone());
            } else {
                let expected = match name.as_str() {
                    "logs.list" => "list-logs reads on by `take` and `from`, without such a limit",
                    "users.list" => {
                        "divide the list by `q`, by ranges of created_at for one, and read each part"
                    }
                    _ => panic!("{name}: {way}"),
                };
                assert_eq!(way, expected);
            }
        }
    }
    assert!(by_filters > 0 && !without.is_empty(), "{by_filters} {without:?}");
    assert!(recorder.take().is_empty());
}

#[tokio::test]
async fn an_operation_of_which_the_request_alone_is_known_is_sent_as_it_is_given() {
    let recorder = Recorder::start().await;
    for operation in sample::all().iter().filter(|operation| operation.success.is_empty()) {
        let input = sample::input(operation, Given::All);
        check(operation, &input, &send(&recorder, operation, &input).await);
    }
}
