//! Results are cut to a stated size, and nothing of them is lost.

use auth0_tests::OfflineTenant;
use serde_json::{Map, Value, json};

use super::clients::Server;

const MOST: usize = 4000;

fn pieces(result: &Value) -> Vec<&Value> {
    let pieces = result["pieces"].as_array().unwrap_or_else(|| panic!("{result:#}"));
    let content = pieces.iter().map(|piece| {
        let text = piece["content"][0]["text"].as_str().unwrap();
        assert!(text.len() <= MOST, "{} bytes", text.len());
        &piece["structuredContent"]
    });
    content.collect()
}

#[tokio::test]
async fn a_list_that_was_cut_and_read_to_its_end_is_the_list() {
    let tenant = OfflineTenant::start().await;
    let input = json!({"per_page": 10, "include_totals": true});
    let calls = json!([{"readOn": {"tool": "list-users", "arguments": input}}, {"tool": "read-more", "arguments": {"cursor": "9.1"}}]);
    let session = Server::of(&tenant, &["--max-result-bytes", &MOST.to_string()]).calls(None, calls).await;
    assert_eq!(tenant.seen().len(), 1, "the tenant is asked once");
    let pieces = pieces(session.result(0));
    assert!(pieces.len() > 1, "{pieces:?}");
    let mut whole = Map::new();
    let mut items = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let last = index + 1 == pieces.len();
        assert_eq!(piece.get("truncated").is_none(), last);
        assert_eq!(piece.get("next").is_some(), last, "the next page comes after all of this one");
        let mut piece = piece.as_object().unwrap().clone();
        items.extend(piece["items"].take().as_array().unwrap().clone());
        piece.remove("truncated");
        whole.extend(piece);
    }
    whole.insert("items".to_owned(), Value::Array(items));
    assert_eq!(Value::Object(whole), tenant.run("list-users", input).await);
    assert_eq!(session.refusal(1).0, "invalid-input");
}

#[tokio::test]
async fn anything_else_is_cut_in_its_text_and_put_together_again() {
    let tenant = OfflineTenant::start().await;
    let user = tenant.user("tom.becker@acme.example");
    let note = "Überlänge, \"quoted\"\n".repeat(500);
    tenant.run("update-user", json!({"user_id": user, "changes": {"user_metadata": {"note": note}}})).await;
    let call = json!({"readOn": {"tool": "get-user", "arguments": {"user_id": user}}});
    let session =
        Server::of(&tenant, &["--max-result-bytes", &MOST.to_string()]).calls(None, json!([call])).await;
    let pieces = pieces(session.result(0));
    assert!(pieces.len() > 1, "{pieces:?}");
    let text: String = pieces.iter().map(|piece| piece["text"].as_str().unwrap()).collect();
    let whole = tenant.run("get-user", json!({"user_id": user})).await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), whole);
}
