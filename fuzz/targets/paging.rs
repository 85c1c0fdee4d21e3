//! Lists: any answers, any limit and cursor. A list ends, answers no more than was asked for where it can be cut, and a
//! cursor leads on.
//!
//! The first byte chooses the list, the second the limit; then lines: the cursor, and one answer each.
#![no_main]

use auth0_connector::core::response::Response;
use auth0_connector::operations::{self, Paging};
use auth0_fuzz::Tenant;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const LISTS: [&str; 6] = [
    "roles.list",
    "users.list",
    "organizations.list",
    "logs.list",
    "logStreams.list",
    "eventStreams.deliveries.list",
];

fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_at_checked(2) else { return };
    let Ok(rest) = std::str::from_utf8(rest) else { return };
    let list = LISTS[usize::from(head[0]) % LISTS.len()];
    let Some(operation) = operations::find(list) else { panic!("there is no {list}") };
    let limit = usize::from(head[1]) % 100 + 1;
    let mut lines = rest.lines();
    let cursor = lines.next().unwrap_or_default();
    let mut input = json!({ "limit": limit });
    if !cursor.is_empty() {
        input["cursor"] = cursor.into();
    }
    if list.starts_with("eventStreams") {
        input["id"] = "est_1".into();
    }
    // A line that begins with '<' is the Link header of an empty array.
    let answers = lines.map(|line| match line.strip_prefix('<') {
        Some(link) => Response {
            status: 200,
            headers: vec![("link".to_owned(), format!("<{link}"))],
            body: b"[{}]".to_vec(),
        },
        None => Response { status: 200, body: line.as_bytes().to_vec(), ..Response::default() },
    });
    let mut tenant = Tenant::answering(answers);
    let result = tenant.run(list, &input.to_string());
    // A tenant may say once per size that its pages are smaller.
    assert!(tenant.seen.len() <= 100, "{}", tenant.seen.len());
    if let Ok(page) = result {
        let items = page["items"].as_array().expect("a list has items");
        // The tenant's cursor leads behind all that it answered: if that is more than it was asked for, to cut it would
        // lose the rest. The others are cut where `next` says.
        let checkpoint = matches!(operation.paging, Paging::Checkpoint | Paging::Either);
        assert!(checkpoint || items.len() <= limit, "{page}");
        if let Some(next) = page.get("next") {
            assert!(next.as_str().is_some_and(|next| !next.is_empty()), "{page}");
            assert_ne!(next, cursor, "{page}");
        }
    }
});
