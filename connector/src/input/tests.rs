use serde_json::{Value, json};

/// Runs a curated action and tells how it refuses the input.
fn refused(id: &str, input: Value) -> String {
    let mut script = crate::client::tests::Script::default();
    let error = crate::client::tests::run(&[], &mut script, id, input).unwrap_err();
    assert!(script.seen.is_empty() && error.code.as_str() == "invalid-input", "{error}");
    error.to_string()
}

#[test]
fn an_input_is_refused_in_the_words_of_operations_and_without_its_values() {
    for (id, input, told) in [
        (
            "create-user",
            json!({"connection": "db", "password": 12_345_678}),
            "`password`: expected a string, found a number",
        ),
        (
            "create-user",
            json!({"connection": "db", "blocked": "hunter2"}),
            "`blocked`: expected a boolean, found a string",
        ),
        (
            "create-user",
            json!({"connection": "db", "app_metadata": "hunter2"}),
            "`app_metadata`: expected an object, found a string",
        ),
        (
            "create-user",
            json!({"connection": "db", "password": ["hunter2"]}),
            "`password`: expected a string, found a list",
        ),
        (
            "create-user",
            json!({"connection": "db", "pasword": "hunter2"}),
            "unknown property `pasword`; did you mean `password`?",
        ),
        ("create-user", json!({"email": "hunter2"}), "missing property `connection`"),
        ("test-connection", json!({"hunter": 2}), "unknown property `hunter`; it takes none"),
        (
            "get-user",
            json!({"user_id": "auth0|x", "zzzzzzzz": "hunter2"}),
            "unknown property `zzzzzzzz`; it takes user_id, ",
        ),
        (
            "get-user",
            json!({"user_id": "auth0|x", "x`, expected `y": 1}),
            "unknown property `x`, expected `y`; it takes ",
        ),
        ("list-users", json!({"per_page": "5"}), "`per_page`: expected an integer, found a string"),
        (
            "list-users",
            json!({"page": -1}),
            "`page`: expected an integer from 0 to 4294967295, found a number outside that range",
        ),
        ("list-users", json!({"page": 1.5}), "`page`: expected an integer, found a number"),
        ("list-users", json!({"limit": "5"}), "`limit`: expected an integer, found a string"),
        ("list-users", json!({"cursor": 5}), "`cursor`: expected a string, found a number"),
        (
            "list-users",
            json!({"cursor": "x"}),
            "`cursor`: not a cursor of list-users; give the `next` of the previous page",
        ),
        ("list-users", json!({"take": 5}), "unknown property `take`; it takes q, sort, "),
        (
            "organizations.list",
            json!({"per_page": 5}),
            "unknown property `per_page`; a list is read by `limit` and `cursor`",
        ),
        (
            "update-user",
            json!({"user_id": "auth0|x", "changes": {"bloked": true}}),
            "`changes`: unknown property `bloked`; did you mean `blocked`?",
        ),
        (
            "update-user",
            json!({"user_id": "auth0|x", "changes": {"blocked": "hunter2"}}),
            "`changes`: `blocked`: expected a boolean, found a string",
        ),
        ("custom-request", json!({"method": "hunter2", "path": "/api/v2/x"}), "`method`: expected one of "),
    ] {
        let text = refused(id, input);
        assert!(text.starts_with(&format!("input of {id} refused: {told}")), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("1234"), "{text}");
    }
}

#[test]
fn all_that_is_wrong_with_an_input_is_told_at_once() {
    for (id, input, told) in [
        (
            "create-user",
            json!({"connection": 1, "blocked": "hunter2", "pasword": "hunter2"}),
            "unknown property `pasword`; did you mean `password`?; `connection`: expected a string, found a number; \
             `blocked`: expected a boolean, found a string",
        ),
        (
            "unlink-identity",
            json!({"provider": "auth0"}),
            "missing property `user_id`; missing property `identity_user_id`",
        ),
        (
            "update-user",
            json!({"user_id": "auth0|x", "changes": {"bloked": true, "email": 1}}),
            "`changes`: unknown property `bloked`; did you mean `blocked`?; `changes`: `email`: expected a string or null, \
             found a number",
        ),
        (
            "organizations.create",
            json!({"nmae": "a", "display_name": 1}),
            "unknown property `nmae`; did you mean `name`?; `display_name`: expected a string, found a number",
        ),
    ] {
        assert_eq!(refused(id, input), format!("input of {id} refused: {told}"));
    }
}

#[test]
fn what_is_wrong_within_a_member_is_told_with_the_way_to_it() {
    for (id, input, told) in [
        (
            "add-role-permissions",
            json!({"role_id": "rol_1", "permissions": [{"resource_server_identifier": "x"}]}),
            "`permissions`: item 0: missing property `permission_name`",
        ),
        (
            "assign-user-roles",
            json!({"user_id": "auth0|x", "roles": ["rol_1", 2]}),
            "`roles`: item 1: expected a string, found a number",
        ),
        (
            "link-user",
            json!({"user_id": "auth0|x", "identity": {"user_id": 1}}),
            "`identity`: `user_id`: expected a string, found a number",
        ),
        (
            "link-user",
            json!({"user_id": "auth0|x", "identity": []}),
            "`identity`: expected an object, found a list",
        ),
        (
            "update-user",
            json!({"user_id": "auth0|x", "changes": {}}),
            "`changes` is empty: name at least one property",
        ),
        (
            "get-user",
            json!({"user_id": "hunter2"}),
            "`user_id`: user id refused: it has no provider part; expected a whole user id with its provider part, such \
             as 'auth0|65f0c1e2a3b4c5d6e7f80912'",
        ),
        (
            "get-user",
            json!({"user_id": "auth0|x", "fields": [1]}),
            "`fields`: expected a list of names, or names between commas, found a list",
        ),
    ] {
        assert_eq!(refused(id, input), format!("input of {id} refused: {told}"));
    }
}

#[test]
fn who_gives_hundreds_of_wrong_members_is_told_of_a_few() {
    let many: serde_json::Map<_, _> = (0..1000).map(|n| (format!("hunter{n}"), json!(n))).collect();
    for id in ["test-connection", "organizations.list"] {
        let text = refused(id, many.clone().into());
        assert_eq!(text.matches("unknown property").count(), super::MOST_TOLD, "{text}");
    }
}

#[test]
fn null_is_a_member_left_out_where_it_may_be_and_nothing_else_where_not() {
    let mut script = crate::client::tests::Script::default();
    script.answers.push_back(crate::client::tests::answer(200, json!({"user_id": "auth0|x"})));
    let input = json!({"user_id": "auth0|x", "fields": null});
    crate::client::tests::run(&[], &mut script, "get-user", input).unwrap();
    assert_eq!(script.seen[0].path, "/api/v2/users/auth0%7Cx");
    let text = refused("get-user", json!({"user_id": null}));
    assert!(text.ends_with("`user_id`: expected a string, found null"), "{text}");
}
