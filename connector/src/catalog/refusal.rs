//! What serde finds wrong with an input, in the words in which operations refuse theirs.
//!
//! Names and types only: a value may be a password, and errors are logged.

use crate::core::spelling::{no_property, unknown_property};

/// What operations call the two members that a list is read by, and what curated actions call them.
const PAGING: [(&str, [&str; 2]); 2] = [("limit", ["per_page", "take"]), ("cursor", ["page", "from"])];

/// Says what is wrong, from serde's words and the name of the member that was read last.
pub(super) fn refusal(error: &str, name: &str) -> String {
    // serde names the property itself where it is missing or unknown.
    if let Some(missing) = error.strip_prefix("missing field ") {
        return format!("missing property {missing}");
    }
    if let Some((unknown, known)) = one_of(error, "unknown field `") {
        return self::unknown(unknown, &known);
    }
    if let Some((_, known)) = one_of(error, "unknown variant `") {
        return format!("`{name}`: expected one of {}, found another string", known.join(", "));
    }
    match mistyped(error) {
        Some(problem) => format!("`{name}`: {problem}"),
        // Types of our own say what they expect, some with the member's name.
        None if error.contains(&format!("`{name}`")) => error.to_owned(),
        None => format!("`{name}`: {error}"),
    }
}

/// Reads ``unknown field `x`, expected one of `a`, `b` ``. What was given may be any text, what was expected is not.
fn one_of<'a>(error: &'a str, start: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let rest = error.strip_prefix(start)?;
    if let Some(given) = rest.strip_suffix("`, there are no fields") {
        return Some((given, Vec::new()));
    }
    let (given, expected) = rest.rsplit_once("`, expected ")?;
    Some((given, expected.split('`').skip(1).step_by(2).collect()))
}

fn unknown(name: &str, known: &[&str]) -> String {
    let paging = PAGING.iter().find(|(common, _)| *common == name);
    let own =
        paging.map(|(_, own)| own.iter().filter(|own| known.contains(own)).copied().collect::<Vec<_>>());
    match own.filter(|own| !own.is_empty()) {
        Some(own) => no_property(name, &format!("this action has `{}` instead", own.join("` or `"))),
        None => unknown_property(name, known),
    }
}

/// Reads `invalid type: string "hunter2", expected a boolean`.
fn mistyped(error: &str) -> Option<String> {
    let wrong_type = error.strip_prefix("invalid type: ");
    let rest = wrong_type.or_else(|| error.strip_prefix("invalid value: "))?;
    let (given, expected) = rest.rsplit_once(", expected ")?;
    let expected = match expected {
        "a map" => "an object",
        "a sequence" => "a list",
        "i64" => "an integer",
        "u8" | "u32" | "u64" if wrong_type.is_some() => "an integer",
        "u8" => "an integer from 0 to 255",
        "u32" => "an integer from 0 to 4294967295",
        "u64" => "an integer from 0",
        structure if structure.starts_with("struct ") => "an object",
        other => other,
    };
    let given = match given.split([' ', '`', '"']).next().unwrap_or_default() {
        "string" if wrong_type.is_none() => "another string",
        "string" => "a string",
        "integer" if wrong_type.is_none() => "a number outside that range",
        "integer" | "floating" => "a number",
        "boolean" => "a boolean",
        "sequence" => "a list",
        "map" => "an object",
        "null" | "unit" => "null",
        _ => "something else",
    };
    Some(format!("expected {expected}, found {given}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    /// Runs a curated action and tells how it refuses the input.
    fn refused(id: &str, input: Value) -> String {
        let mut script = crate::client::tests::Script::default();
        let error = crate::client::tests::run(&[], &mut script, id, input).unwrap_err();
        assert!(script.seen.is_empty() && error.kind() == "invalid-input", "{error}");
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
            (
                "list-users",
                json!({"limit": 5}),
                "unknown property `limit`; this action has `per_page` instead",
            ),
            (
                "list-users",
                json!({"cursor": "5"}),
                "unknown property `cursor`; this action has `page` instead",
            ),
            (
                "list-logs",
                json!({"limit": 5}),
                "unknown property `limit`; this action has `per_page` or `take` instead",
            ),
            (
                "list-logs",
                json!({"cursor": "5"}),
                "unknown property `cursor`; this action has `page` or `from` instead",
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
            (
                "custom-request",
                json!({"method": "hunter2", "path": "/api/v2/x"}),
                "`method`: expected one of ",
            ),
        ] {
            let text = refused(id, input);
            assert!(text.starts_with(&format!("input of {id} refused: {told}")), "{text}");
            assert!(!text.contains("hunter2") && !text.contains("1234"), "{text}");
        }
    }
}
