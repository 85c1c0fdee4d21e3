//! What becomes of JSON on its way through an action: from the caller's text into the request, from the answer into the
//! output.

use crate::client::tests::{Script, run_text};
use crate::core::response::Response;

/// Runs an action on a text against an answer, and returns the body that left and the output, as texts.
fn through(id: &str, input: &str, answer: &str) -> (String, String) {
    let mut script = Script::default();
    let body = answer.as_bytes().to_vec();
    script.answers.push_back(Ok(Response { status: 200, headers: Vec::new(), body }));
    let output = run_text(&[], &mut script, id, input).unwrap_or_else(|error| panic!("{id}: {error}"));
    (script.seen[0].body.clone(), output.to_string())
}

/// Free JSON goes to the tenant and comes back as it is written.
fn holds_for(free: &str) {
    let answer = format!(r#"{{"user_id":"auth0|x","app_metadata":{free}}}"#);
    for (id, input, body) in [
        (
            "create-user",
            format!(r#"{{"connection":"db","app_metadata":{free}}}"#),
            format!(r#"{{"connection":"db","app_metadata":{free}}}"#),
        ),
        (
            "update-user",
            format!(r#"{{"user_id":"auth0|x","changes":{{"app_metadata":{free}}}}}"#),
            format!(r#"{{"app_metadata":{free}}}"#),
        ),
        (
            "users.update",
            format!(r#"{{"id":"auth0|x","app_metadata":{free}}}"#),
            format!(r#"{{"app_metadata":{free}}}"#),
        ),
        ("get-user", r#"{"user_id":"auth0|x"}"#.to_owned(), String::new()),
        ("users.get", r#"{"id":"auth0|x"}"#.to_owned(), String::new()),
    ] {
        assert_eq!(through(id, &input, &answer), (body, answer.clone()), "{id}");
    }
    let (body, output) = through(
        "custom-request",
        &format!(r#"{{"method":"POST","path":"/api/v2/users","body":{free}}}"#),
        free,
    );
    assert_eq!(
        (body, output),
        (free.to_owned(), format!(r#"{{"status":200,"headers":{{}},"body":{free}}}"#))
    );
    for id in ["list-users", "users.list"] {
        let (_, output) = through(id, "{}", &format!("[{free}]"));
        assert!(output.starts_with(&format!(r#"{{"items":[{free}]"#)), "{id}: {output}");
    }
}

#[test]
fn members_keep_their_order_their_nulls_and_their_names() {
    holds_for(r#"{"b":null,"a":[1,true,"ä\n",{}],"$serde_json::private::Number":"1","Z":{"z":-1}}"#);
    holds_for(r#"{"$serde_json::private::Number":"hunter2"}"#);
}

#[cfg(feature = "exact-numbers")]
#[test]
fn numbers_keep_their_digits() {
    let numbers = ["12345678901234567890123", "1e400", "1.0", "-0", "0.10", "1E-07", "9007199254740993.0"];
    for number in numbers {
        holds_for(&format!(r#"{{"big":{number},"deep":[{{"n":{number}}}]}}"#));
    }
    holds_for(&format!(r#"{{"all":[{}]}}"#, numbers.join(",")));
}

#[cfg(feature = "exact-numbers")]
#[test]
fn a_number_that_has_to_be_whole_is_one_however_it_is_written() {
    let seen = |input: &str| {
        let mut script = Script::default();
        script.answers.push_back(Ok(Response { status: 200, body: b"[]".to_vec(), ..Response::default() }));
        run_text(&[], &mut script, "list-users", input).map(|_| script.seen[0].path.clone())
    };
    for whole in ["3", "3.0", "3e0", "0.3e1"] {
        let path = seen(&format!(r#"{{"page":{whole}}}"#)).unwrap();
        assert!(path.contains("?page=3&"), "{whole}: {path}");
    }
    for other in ["3.5", "1e400", "-1", "12345678901234567890123", "4294967296"] {
        let error = seen(&format!(r#"{{"page":{other}}}"#)).unwrap_err();
        assert!(error.to_string().contains("`page`: expected an integer"), "{other}: {error}");
        assert!(!error.to_string().contains(&format!("found {other}")), "{error}");
    }
}
