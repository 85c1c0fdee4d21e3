//! The schemas are JSON Schema 2020-12, and the component refuses what they do not allow, by the name of the member.
//!
//! It refuses a little more, which a schema cannot say: dot segments and control characters in a path, whole numbers that
//! a double does not hold, and a list of names that is too long with commas between them.

use auth0_catalog::{Body, BodyForm, Format, Kind, Known, Member, Operation};
use auth0_host::{Error, ErrorCode};
use auth0_tests::{curated, host};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::recorder::Recorder;
use super::sample::{self, Given};

fn validator(schema: &Value, name: &str) -> Validator {
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
    if let Err(error) = jsonschema::draft202012::meta::validate(schema) {
        panic!("{name}: {error}: {schema}");
    }
    jsonschema::draft202012::new(schema).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[tokio::test]
async fn every_schema_is_one_and_says_what_each_member_is() {
    let actions = host().actions().await.unwrap();
    assert_eq!(actions.len(), curated().await.len() + sample::all().len());
    for action in actions {
        let described = host().describe(&action.id).await.unwrap();
        for schema in [&described.input_schema, &described.output_schema] {
            validator(schema, &action.id);
        }
        let properties = described.input_schema["properties"].as_object().unwrap();
        for (name, property) in properties {
            assert!(property["description"].is_string(), "{} {name}: {property}", action.id);
        }
    }
}

/// An input that is wrong in one way: what is wrong, how a refusal begins that names it, and the input.
type Wrong = (String, String, Map<String, Value>);

/// Makes all inputs of an operation that are wrong in one way each.
fn wrong(operation: &Operation) -> Vec<Wrong> {
    let right = sample::input(operation, Given::All);
    let mut wrong = Vec::new();
    let mut with = |name: &str, told: String, value: Value| {
        let mut input = right.clone();
        input.insert(name.to_owned(), value.clone());
        wrong.push((format!("{name} is {value}"), told, input));
    };
    let body = operation.body.as_ref();
    let apart = body.filter(|body| body.is_apart());
    let in_body = || body.filter(|body| !body.is_apart()).into_iter().flat_map(|body| &body.members);
    let in_line = || operation.path_members.iter().chain(&operation.query);
    for member in in_line().chain(in_body()) {
        for other in others(member) {
            with(&member.name, format!("`{}`: ", member.name), other);
        }
    }
    for member in in_line() {
        for empty in empties(&member.kind.kind) {
            with(&member.name, format!("`{}`: ", member.name), empty);
        }
    }
    if operation.is_list() {
        for value in [json!(0), json!(101), json!(-1), json!(1.5), json!("3"), Value::Null] {
            with("limit", "`limit`: expected an integer from 1 to ".to_owned(), value);
        }
        for value in [json!(""), json!(3), Value::Null] {
            with("cursor", "`cursor`: expected the `next` of the previous page, found ".to_owned(), value);
        }
        if !operation.query.iter().any(|member| member.name == "page") {
            with(
                "page",
                "unknown property `page`; a list is read by `limit` and `cursor`".to_owned(),
                json!(0),
            );
        }
    }
    if let Some(body) = apart {
        for value in [json!("a"), json!(1), json!(true), Value::Null] {
            with("body", "`body`: expected ".to_owned(), value);
        }
        let other = if body.form == BodyForm::List { json!({"a": 1}) } else { json!(["a"]) };
        with("body", "`body`: expected ".to_owned(), other);
        for (problem, item) in wrong_items(body) {
            // The second of two, so that a number tells which.
            let first = right["body"][0].clone();
            with("body", format!("`body`, item 1: {problem}"), json!([first, item]));
        }
    }
    if operation.known == Known::Request {
        for value in [json!("a=1"), json!([["a", "1"]]), json!(1), Value::Null] {
            with("query", "`query`: expected an object, found ".to_owned(), value);
        }
        for value in [json!({"x": 1}), Value::Null, json!([[1]]), json!([{}]), json!([null])] {
            with("query", "`query`: `a`: expected strings".to_owned(), json!({"a": value}));
        }
        for value in [json!(""), json!([""]), json!([])] {
            with("query", "`query`: `a`: it is empty".to_owned(), json!({"a": value}));
        }
        if operation.method == "GET" {
            with("body", "unknown property `body`".to_owned(), json!({"a": 1}));
        }
    }
    let open = body.is_some_and(|body| body.form == BodyForm::Open && !body.is_apart());
    if !open {
        with("no_such_member", "unknown property `no_such_member`".to_owned(), json!(1));
    }
    let required = in_line().chain(in_body()).filter(|member| member.required).map(|member| &*member.name);
    for name in required.chain(apart.map(|_| "body")) {
        let mut input = right.clone();
        input.remove(name);
        wrong.push((format!("{name} is not there"), format!("missing property `{name}`"), input));
    }
    wrong
}

/// Items of a body that is a list which are wrong in one way each, and how a refusal goes on that names it.
fn wrong_items(body: &Body) -> Vec<(String, Value)> {
    if body.form != BodyForm::List || body.members.is_empty() {
        return Vec::new();
    }
    let right = sample::item(body);
    let mut wrong: Vec<_> = [json!("a"), json!(1), json!([]), Value::Null]
        .map(|item| ("expected an object, found ".to_owned(), item))
        .into();
    for member in &body.members {
        for other in others(member) {
            let mut item = right.clone();
            item.insert(member.name.clone(), other);
            wrong.push((format!("`{}`: ", member.name), item.into()));
        }
        if member.required {
            let mut item = right.clone();
            item.remove(&member.name);
            wrong.push((format!("missing property `{}`", member.name), item.into()));
        }
    }
    wrong
}

/// Values that a member may not have.
fn others(member: &Member) -> Vec<Value> {
    let mut others = others_than(&member.kind.kind);
    others.extend((!member.kind.null).then_some(Value::Null));
    others
}

/// Values that are not of a kind.
fn others_than(kind: &Kind) -> Vec<Value> {
    let (text, number, flag, list, object) =
        (json!("x"), json!(1.5), json!(true), json!([1]), json!({"x": 1}));
    match kind {
        Kind::Any => vec![],
        Kind::Text { format, longest } => {
            let mut others = vec![number, flag, list, object];
            others.extend(longest.map(|longest| json!("a".repeat(longest as usize + 1))));
            others.extend(misspelled(*format).iter().map(|text| json!(text)));
            others
        }
        Kind::OneOf(texts) => {
            let mut others = vec![number, flag, list, object];
            // One of them may be empty.
            let near = ["none of them".to_owned(), String::new(), texts[0].to_uppercase() + "X"];
            others.extend(near.into_iter().filter(|other| !texts.contains(other)).map(Value::from));
            others
        }
        Kind::OneOfMany(_) => vec![number, flag, list, object],
        Kind::Names { names, longest } => {
            let mut others = vec![number, flag, list, object, json!("none of them"), json!(""), json!([])];
            others.extend([json!(["none"]), json!(format!("{},", names[0])), json!([names[0], 1])]);
            others.extend(longest.map(|longest| json!(vec![&*names[0]; longest as usize].join(","))));
            others
        }
        Kind::Integer { least, most } => {
            let mut others = vec![text, number, flag, list, object];
            others.extend(least.map(|least| json!(least - 1)));
            others.extend(most.map(|most| json!(most + 1)));
            others
        }
        Kind::Number => vec![text, flag, list, object],
        Kind::Flag => vec![text, number, list, object, json!("true")],
        Kind::Object => vec![text, number, flag, list],
        Kind::TextOrInteger => vec![number, flag, list, object],
        Kind::List(of) => {
            let mut others = vec![text, number, flag, object];
            others.extend(others_than(of).into_iter().map(|other| json!([other])));
            others
        }
        Kind::File => vec![number, flag, object],
    }
}

/// Texts that are not of a format. Addresses, times and UUIDs are the tenant's to judge: to a schema their formats are
/// remarks.
fn misspelled(format: Format) -> &'static [&'static str] {
    match format {
        Format::Any | Format::Email | Format::DateTime | Format::Uuid => &[],
        Format::Sort => {
            &["created_at", "created_at:", "created_at:2", "created_at:+1", ":1", "a b:1", "a:1,b:1"]
        }
        Format::Day => {
            &["2026-01-31", "20261301", "20260100", "20260132", "19991231", "2026013", "202601311"]
        }
        Format::Ascii => &["é", "a\tb", "a\u{7f}", ""],
    }
}

/// Values of a kind that say nothing, which no path and no query takes.
fn empties(kind: &Kind) -> Vec<Value> {
    match kind {
        Kind::Text { .. } | Kind::OneOfMany(_) | Kind::TextOrInteger | Kind::Any => vec![json!("")],
        Kind::List(of) => {
            let mut empties = vec![json!([])];
            empties.extend(self::empties(of).into_iter().map(|empty| json!([empty])));
            empties
        }
        _ => vec![],
    }
}

/// Runs an operation that has to refuse its input, and tells what it says behind its own name.
async fn refusal(recorder: &Recorder, operation: &Operation, input: Value, what: &str) -> String {
    let name = &operation.name;
    match recorder.connection.run(name, input).await {
        Err(Error::Action(error)) if error.code == ErrorCode::InvalidInput => {
            let told = error.message.strip_prefix(&format!("input of {name} refused: "));
            told.unwrap_or_else(|| panic!("{name}: {what}: {}", error.message)).to_owned()
        }
        other => panic!("{name}: {what}: {other:?}"),
    }
}

#[tokio::test]
async fn the_component_refuses_by_name_what_a_schema_does_not_allow_and_sends_nothing() {
    let recorder = Recorder::start().await;
    recorder.answer(200, "application/json", "{}");
    for operation in sample::all() {
        let schema = host().describe(&operation.name).await.unwrap().input_schema;
        let validator = validator(&schema, &operation.name);
        for given in [Given::Required, Given::All, Given::Nulls] {
            let input = Value::Object(sample::input(&operation, given));
            if let Err(error) = validator.validate(&input) {
                panic!("{}: {input}: {error}", operation.name);
            }
        }
        for (what, told, input) in wrong(&operation) {
            let input = Value::Object(input);
            assert!(!validator.is_valid(&input), "{}: the schema allows that {what}", operation.name);
            let refusal = refusal(&recorder, &operation, input, &what).await;
            assert!(refusal.starts_with(&told), "{}: {what}: {refusal}", operation.name);
        }
        assert!(recorder.take().is_empty(), "{}: something was sent", operation.name);
    }
}

#[tokio::test]
async fn what_a_schema_cannot_say_is_refused_by_name_too() {
    let recorder = Recorder::start().await;
    recorder.answer(200, "application/json", "{}");
    let mut count = 0;
    for operation in sample::all() {
        let schema = host().describe(&operation.name).await.unwrap().input_schema;
        let validator = validator(&schema, &operation.name);
        let body = operation.body.iter().filter(|body| !body.is_apart()).flat_map(|body| &body.members);
        let in_path = operation.path_members.iter().map(|member| (member, true));
        let elsewhere = operation.query.iter().chain(body).map(|member| (member, false));
        for (member, in_path) in in_path.chain(elsewhere) {
            let mut values = Vec::new();
            match &member.kind.kind {
                Kind::Text { format: Format::Any, .. } | Kind::OneOfMany(_) if in_path => {
                    values.extend(["..", ".", "a/../b", "%2e%2e", "a\u{0}", "a\nb"].map(|text| json!(text)));
                }
                // No double is so exact.
                Kind::Integer { most: None, .. } => values.push(json!(1e16)),
                Kind::Names { names, longest: Some(longest) } => {
                    values.push(json!(vec![&names[0]; 1 + *longest as usize / names[0].len()]));
                }
                _ => {}
            }
            for value in values {
                let mut input = sample::input(&operation, Given::All);
                let what = format!("{} is {value}", member.name);
                input.insert(member.name.clone(), value);
                let input = Value::Object(input);
                assert!(validator.is_valid(&input), "{}: the schema does say that {what}", operation.name);
                let refusal = refusal(&recorder, &operation, input, &what).await;
                assert!(
                    refusal.starts_with(&format!("`{}`: ", member.name)),
                    "{}: {refusal}",
                    operation.name
                );
                count += 1;
            }
        }
        assert!(recorder.take().is_empty(), "{}: something was sent", operation.name);
    }
    assert!(count > 1000, "{count}");
}

#[tokio::test]
async fn an_empty_change_is_refused_by_schema_and_component() {
    let recorder = Recorder::start().await;
    recorder.answer(200, "application/json", "{}");
    let changes = sample::known().into_iter().filter(|operation| {
        operation.known == Known::Whole && operation.body.as_ref().is_some_and(|body| body.at_least > 0)
    });
    let mut count = 0;
    for operation in changes {
        let mut input = sample::input(&operation, Given::Required);
        let body = operation.body.as_ref().unwrap();
        if body.is_apart() {
            input.insert("body".to_owned(), json!({}));
        }
        body.members.iter().for_each(|member| drop(input.remove(&member.name)));
        let schema = host().describe(&operation.name).await.unwrap().input_schema;
        let input = Value::Object(input);
        assert!(!validator(&schema, &operation.name).is_valid(&input), "{}", operation.name);
        let error = recorder.connection.run(&operation.name, input).await.unwrap_err();
        let told = error.to_string();
        assert!(
            told.contains("at least one of") || told.contains("missing property"),
            "{}: {told}",
            operation.name
        );
        count += 1;
    }
    assert!(count > 0, "there are changes that may not be empty");
    assert!(recorder.take().is_empty());
}
