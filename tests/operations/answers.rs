//! Every operation takes each of its successes, in each form that it has, for what it is, and answers as its schema says.

use auth0_catalog::{Answer, Operation};
use auth0_host::CallOptions;
use auth0_tests::{Tree as _, host};
use serde_json::{Value, json};

use super::recorder::Recorder;
use super::sample::{self, Given};

/// The forms of a success: content type, body, and what the action makes of it.
fn forms(operation: &Operation, status: u16) -> Vec<(&'static str, String, Value)> {
    const JSON: &str = "application/json; charset=utf-8";
    let nothing = (JSON, String::new(), json!({}));
    let row = json!({"id": "x", "ü": null});
    let empty = status == 204 || status == 205;
    match &operation.answer {
        Answer::Rows(_) | Answer::Array if empty => vec![(JSON, String::new(), json!({"items": []}))],
        _ if empty => vec![nothing],
        Answer::Unknown => vec![nothing, (JSON, "{\"a\":1}".to_owned(), json!({"a": 1}))],
        Answer::Object(members) => {
            let object: Value = members.iter().map(|member| (member.clone(), json!([member]))).collect();
            vec![(JSON, object.to_string(), object)]
        }
        Answer::Rows(member) => {
            let bare = (JSON, json!([row]).to_string(), vec![row.clone()]);
            let named =
                member.iter().map(|member| (JSON, json!({member: [row]}).to_string(), vec![row.clone()]));
            let lists = std::iter::once(bare).chain(named);
            lists.map(|(kind, body, rows)| (kind, body, json!({"items": rows}))).collect()
        }
        Answer::Array => vec![(JSON, json!([row]).to_string(), json!({"items": [row]}))],
        Answer::Number => vec![(JSON, "42".to_owned(), json!({"value": 42}))],
        Answer::Events => {
            let body = "id: 7\nevent: user.created\ndata: {\"a\":1}\n\n".to_owned();
            let item = json!({"id": "7", "type": "user.created", "data": {"a": 1}});
            vec![("text/event-stream", body, json!({"items": [item], "next": "7"}))]
        }
    }
}

#[tokio::test]
async fn every_success_of_every_operation_is_taken_for_what_it_is() {
    let recorder = Recorder::start().await;
    for operation in &sample::known() {
        let schema = host().describe(&operation.name).await.unwrap().output_schema;
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let named = |member: &String| schema["properties"].get(member).is_some();
        let input = Value::Object(sample::input(operation, Given::Required));
        for status in &operation.success {
            for (content_type, body, expected) in forms(operation, *status) {
                recorder.answer(*status, content_type, body.clone());
                // What becomes of secrets is another test's matter.
                let options = CallOptions::new().reveal_secrets();
                let outcome = recorder.connection.call_with(&operation.name, input.clone(), options).await;
                let mut answer = outcome
                    .result
                    .unwrap_or_else(|error| panic!("{} {status} {body}: {error}", operation.name))
                    .tree();
                if let Err(error) = validator.validate(&answer) {
                    panic!("{} {status} {body}: {answer}: {error}", operation.name);
                }
                let mut members = answer.as_object().unwrap().keys();
                assert!(
                    operation.answer == Answer::Unknown || members.all(named),
                    "{}: {answer}",
                    operation.name
                );
                // How many there are is known of a list that came whole.
                if let Some(object) = answer.as_object_mut().filter(|object| object.contains_key("items")) {
                    let rows = object["items"].as_array().unwrap().len();
                    assert!(object.remove("total").is_none_or(|total| total == rows), "{}", operation.name);
                }
                assert_eq!(answer, expected, "{} {status} {body}", operation.name);
                assert_eq!(recorder.take().len(), 1, "{}", operation.name);
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_no_list_is_not_taken_for_an_empty_one() {
    let recorder = Recorder::start().await;
    let lists = sample::known().into_iter().filter(|operation| matches!(operation.answer, Answer::Rows(_)));
    for operation in lists {
        recorder.answer(200, "application/json", "{\"other\": []}");
        let input = Value::Object(sample::input(&operation, Given::Required));
        let error = recorder.connection.run(&operation.name, input).await.unwrap_err();
        assert!(error.to_string().contains("is no list"), "{}: {error}", operation.name);
    }
}
