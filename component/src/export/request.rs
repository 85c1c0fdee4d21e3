//! Glue of `request`.

use serde_json::Value;

use super::bindings::exports::auth0::management::request as wit;
use super::{Connector, Read, call, json};
use auth0_connector::actions::request::{CustomMethod, CustomRequest, custom_request};

impl wit::Guest for Connector {
    fn custom_request(input: wit::CustomRequestInput) -> Result<wit::CustomResponse, wit::Error> {
        let answer = call("custom-request", |client| {
            let method = match input.method {
                wit::Method::Get => CustomMethod::Get,
                wit::Method::Post => CustomMethod::Post,
                wit::Method::Put => CustomMethod::Put,
                wit::Method::Patch => CustomMethod::Patch,
                wit::Method::Delete => CustomMethod::Delete,
            };
            let body = input.body.map(|text| json("body", &text)).transpose()?;
            let query = input.query.unwrap_or_default();
            let headers = input.headers.unwrap_or_default();
            custom_request(client, CustomRequest { method, path: input.path, query, headers, body })
        })?;
        let headers = answer.get("headers").and_then(Value::as_object).into_iter().flatten();
        Ok(wit::CustomResponse {
            status: answer.number("status").and_then(|status| u16::try_from(status).ok()).unwrap_or_default(),
            headers: headers
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            body: answer.bag("body"),
        })
    }
}
