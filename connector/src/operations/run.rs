//! Runs an operation: input, request, answer.

use serde_json::{Map, Value};

use super::operation::{Answer, BodyForm, Operation};
use super::{answer, events, input, multipart};
use crate::client::Client;
use crate::core::error::Error;
use crate::core::path::ApiPath;
use crate::core::request::Request;

/// Runs an operation on its input.
///
/// # Errors
/// `invalid-input` before anything is sent, and as the request ends.
pub fn run(
    client: &mut Client<'_>,
    operation: &Operation,
    input: Map<String, Value>,
) -> Result<Value, Error> {
    let input = input::read(operation, input)?;
    let mut parts = input.path.iter();
    let segments: Vec<&str> = operation
        .path
        .split('/')
        .skip(1)
        .filter_map(|part| if part.starts_with('{') { parts.next().map(String::as_str) } else { Some(part) })
        .collect();
    let mut request = Request::api(operation.method, &ApiPath::of(&segments));
    for (name, value) in &input.query {
        request = request.query(name, value);
    }
    match (&operation.body, input.body) {
        (Some(body), Some(Value::Object(members))) if body.form == BodyForm::Multipart => {
            request.body = Some(multipart::encode(body, &members)?);
        }
        (_, Some(body)) => request = request.json(&body),
        (_, None) => {}
    }
    match operation.answer {
        Answer::Rows(_) => {
            let beyond = || operation.way_beyond();
            let list = operation.list(&beyond);
            let way = list.way(input.limit, input.cursor)?;
            list.read(client, &request, way)
        }
        Answer::Events => events::read(client, request, input.limit, input.cursor),
        // 204 says that there is nothing in it (facts, section 4: the errors of a job).
        Answer::Array => Ok(match client.json(&request)? {
            Value::Null => answer::object(Value::Array(Vec::new())),
            answer => answer::object(answer),
        }),
        _ => client.json(&request).map(answer::object),
    }
}

#[cfg(test)]
mod tests;
