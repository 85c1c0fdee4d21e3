//! The schemas are JSON Schema 2020-12, and the component refuses what they do not allow, and nothing else.

use auth0_catalog::{Kind, Known, Operation};
use auth0_host::{Error, ErrorKind};
use auth0_tests::host;
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
    assert!(actions.len() > 471);
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

/// Inputs that are wrong in one way each, and what is wrong.
fn wrong(operation: &Operation) -> Vec<(String, Map<String, Value>)> {
    let right = sample::input(operation, Given::All);
    let mut wrong = Vec::new();
    let mut with = |what: String, name: &str, value: Value| {
        let mut input = right.clone();
        input.insert(name.to_owned(), value);
        wrong.push((what, input));
    };
    let apart = operation.body.as_ref().is_some_and(auth0_catalog::Body::is_apart);
    let body = operation.body.iter().filter(|_| !apart).flat_map(|body| &body.members);
    let members = operation.path_members.iter().chain(&operation.query).chain(body);
    for member in members.clone() {
        let name = &member.name;
        if !member.kind.null {
            with(format!("{name} is null"), name, Value::Null);
        }
        for other in others(&member.kind.kind) {
            with(format!("{name} is {other}"), name, other);
        }
    }
    if operation.is_list() {
        for value in [json!(0), json!(101), json!(-1), json!(1.5), json!("3"), Value::Null] {
            with(format!("limit is {value}"), "limit", value);
        }
        for value in [json!(""), json!(3), Value::Null] {
            with(format!("cursor is {value}"), "cursor", value);
        }
        if !operation.query.iter().any(|member| member.name == "page") {
            with("page is there".to_owned(), "page", json!(0));
        }
    }
    if apart {
        for value in [json!("a"), json!(1), Value::Null] {
            with(format!("body is {value}"), "body", value);
        }
    }
    let open =
        operation.body.as_ref().is_some_and(|body| !apart && body.form == auth0_catalog::BodyForm::Open);
    if !open {
        with("a member that is none".to_owned(), "no_such_member", json!(1));
    }
    for member in members.filter(|member| member.required) {
        let mut input = right.clone();
        input.remove(&member.name);
        wrong.push((format!("{} is not there", member.name), input));
    }
    wrong
}

/// Values that are not of a kind.
fn others(kind: &Kind) -> Vec<Value> {
    let (text, number, flag, list, object) =
        (json!("x"), json!(1.5), json!(true), json!([1]), json!({"x": 1}));
    match kind {
        Kind::Any => vec![],
        Kind::Text { longest, .. } => {
            let mut others = vec![number, flag, list, object];
            others.extend(longest.map(|longest| json!("ü".repeat(longest as usize + 1))));
            others
        }
        Kind::OneOf(_) => vec![number, flag, list, object, json!("none of them")],
        Kind::OneOfMany(_) => vec![number, flag, list, object],
        Kind::Names { .. } => {
            vec![number, flag, list, object, json!("none of them"), json!([]), json!(["none"])]
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
            others.extend(self::others(of).into_iter().map(|other| json!([other])));
            others
        }
        Kind::File => vec![number, flag, object],
    }
}

#[tokio::test]
async fn the_component_refuses_what_a_schema_does_not_allow_and_sends_nothing() {
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
        for (what, input) in wrong(&operation) {
            let input = Value::Object(input);
            assert!(!validator.is_valid(&input), "{}: the schema allows that {what}", operation.name);
            match recorder.connection.run(&operation.name, input).await {
                Err(Error::Action(error)) if error.kind == ErrorKind::InvalidInput => {}
                other => panic!("{}: {what}: {other:?}", operation.name),
            }
        }
        assert!(recorder.take().is_empty(), "{}: something was sent", operation.name);
    }
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
    assert_eq!(count, 23);
    assert!(recorder.take().is_empty());
}
