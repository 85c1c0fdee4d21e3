//! Requests that the connector would not make.

use serde_json::{Value, json};
use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    Scheme,
};

/// Sends `{method, scheme, authority, path, headers, trailers, body}` and answers `{status, headers, body}` or
/// `{error}`: what the host let through, and what it let back in.
pub fn send(input: &Value) -> Value {
    match begin(input) {
        Ok(future) => receive(&future),
        Err(problem) => json!({"error": problem}),
    }
}

/// Sends the same request so often, all at once, and answers how many were let through.
pub fn flood(input: &Value, count: u64) -> Value {
    let mut refused = 0_u64;
    let mut futures = Vec::new();
    for _ in 0..count {
        match begin(input) {
            Ok(future) => futures.push(future),
            Err(_) => refused += 1,
        }
        // Handles are bounded too; so no more of them than that.
        if futures.len() == 16 {
            refused += settle(&mut futures);
        }
    }
    refused += settle(&mut futures);
    json!({"refused": refused})
}

/// Sends the same request so often, reads no answer, and says after so many milliseconds how many have come.
pub fn hoard(input: &Value, count: u64, ms: u64) -> Value {
    let futures: Vec<_> = (0..count).map_while(|_| begin(input).ok()).collect();
    monotonic_clock::subscribe_duration(ms * 1_000_000).block();
    let answered = futures.iter().filter(|future| future.subscribe().ready()).count();
    json!({"begun": futures.len(), "answered": answered})
}

/// Sends a request and ends the call without looking at its answer.
pub fn walk_away(input: &Value) -> Value {
    let future = begin(input);
    let begun = future.is_ok();
    std::mem::forget(future);
    json!({"begun": begun})
}

fn settle(futures: &mut Vec<FutureIncomingResponse>) -> u64 {
    let answers = futures.drain(..).map(|future| receive(&future));
    answers.filter(|answer| answer.get("error").is_some()).count() as u64
}

fn fields(pairs: &Value) -> Result<Fields, String> {
    let fields = Fields::new();
    for pair in pairs.as_array().into_iter().flatten() {
        let (name, value) = (pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default());
        fields.append(name, value.as_bytes()).map_err(|error| format!("header {name}: {error:?}"))?;
    }
    Ok(fields)
}

fn begin(input: &Value) -> Result<FutureIncomingResponse, String> {
    let text = |name: &str, default: &str| input[name].as_str().unwrap_or(default).to_owned();
    let request = OutgoingRequest::new(fields(&input["headers"])?);
    let method = match text("method", "GET").as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        other => Method::Other(other.to_owned()),
    };
    let scheme = match text("scheme", "https").as_str() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        other => Scheme::Other(other.to_owned()),
    };
    let bad = |part: &'static str| move |()| format!("the host refused the {part}");
    request.set_method(&method).map_err(bad("method"))?;
    request.set_scheme(Some(&scheme)).map_err(bad("scheme"))?;
    request.set_authority(Some(&text("authority", ""))).map_err(bad("authority"))?;
    request.set_path_with_query(Some(&text("path", "/"))).map_err(bad("path"))?;
    let body = request.body().map_err(bad("body"))?;
    let future = outgoing_handler::handle(request, None).map_err(|error| format!("{error:?}"))?;
    write(&body, input)?;
    let trailers = match &input["trailers"] {
        Value::Null => None,
        pairs => Some(fields(pairs)?),
    };
    OutgoingBody::finish(body, trailers).map_err(|error| format!("{error:?}"))?;
    Ok(future)
}

/// Writes `body`, or `body_bytes` of nothing in particular.
fn write(body: &OutgoingBody, input: &Value) -> Result<(), String> {
    let text = input["body"].as_str().unwrap_or_default();
    let bytes = match input["body_bytes"].as_u64() {
        Some(count) => vec![b'x'; usize::try_from(count).unwrap_or(0)],
        None => text.as_bytes().to_vec(),
    };
    let stream = OutgoingBody::write(body).map_err(|()| "no stream".to_owned())?;
    for chunk in bytes.chunks(4096) {
        if stream.blocking_write_and_flush(chunk).is_err() {
            // The host has closed it; its answer says why.
            break;
        }
    }
    Ok(())
}

fn receive(future: &FutureIncomingResponse) -> Value {
    future.subscribe().block();
    match future.get() {
        Some(Ok(Ok(response))) => read(&response),
        Some(Ok(Err(error))) => json!({"error": format!("{error:?}")}),
        other => json!({"error": format!("{:?}", other.is_some())}),
    }
}

fn read(response: &IncomingResponse) -> Value {
    let headers: Vec<_> = response
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
        .collect();
    let mut answer = json!({"status": response.status(), "headers": headers});
    let Ok(body) = response.consume() else { return answer };
    match read_body(&body) {
        Ok(bytes) => answer["body"] = String::from_utf8_lossy(&bytes).into(),
        Err(error) => answer["error"] = error.into(),
    }
    answer
}

fn read_body(body: &IncomingBody) -> Result<Vec<u8>, String> {
    let stream = body.stream().map_err(|()| "no stream".to_owned())?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(chunk) => bytes.extend(chunk),
            Err(wasip2::io::streams::StreamError::Closed) => return Ok(bytes),
            Err(error) => return Err(format!("{error:?}")),
        }
    }
}
