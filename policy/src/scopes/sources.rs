//! Finding the actions in what people have: a workflow, an audit file, a list.
//!
//! A name that is no action is refused with its line: a plan that passes over what it does not know would be a grant
//! that is too small, found out in production.

use std::collections::BTreeSet;

use serde_json::Value;

/// Why the actions of a file are not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A name that is no action.
    #[error("line {line}: there is no action `{name}`")]
    Unknown {
        /// Where it stands, counted from one.
        line: usize,
        /// The name.
        name: String,
    },
    /// A line that is neither JSON nor begins with a name.
    #[error("line {line}: neither JSON nor an action id: {problem}")]
    Unreadable {
        /// Where it stands, counted from one.
        line: usize,
        /// The parser's error.
        problem: String,
    },
    /// Nothing in it names an action.
    #[error("no action found: name actions in JSON members `action` or `actions`, or one on each line")]
    None,
}

/// A name, and the line it stands on.
type Named = (usize, String);

/// Finds the actions that a text names, in order and each once: JSON with members `action` or `actions` at any depth,
/// JSON on each line (an audit file of this host, of which refused calls and names that are no actions count for
/// nothing, since they were not run), or a name on each line, alone or behind `auth0-host run`.
///
/// # Errors
///
/// [`SourceError`], with the line.
pub fn parse_action_ids(text: &str, is_known: impl Fn(&str) -> bool) -> Result<Vec<String>, SourceError> {
    let begins_json = text.trim_start().starts_with(['{', '[']);
    let names = match serde_json::from_str::<Value>(text) {
        Ok(document) if begins_json => with_lines(text, names_of(&document)),
        _ => of_lines(text, begins_json, &is_known)?,
    };
    if let Some((line, name)) = names.iter().find(|(_, name)| !is_known(name)) {
        return Err(SourceError::Unknown { line: *line, name: name.clone() });
    }
    let mut seen = BTreeSet::new();
    let once: Vec<String> =
        names.into_iter().map(|(_, name)| name).filter(|name| seen.insert(name.clone())).collect();
    if once.is_empty() { Err(SourceError::None) } else { Ok(once) }
}

fn of_lines(text: &str, json: bool, is_known: &impl Fn(&str) -> bool) -> Result<Vec<Named>, SourceError> {
    let mut names = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if json {
            let document: Value = serde_json::from_str(content)
                .map_err(|error| SourceError::Unreadable { line, problem: error.to_string() })?;
            if document.get("event").and_then(Value::as_str) == Some("call") {
                let ran = document.get("decision").and_then(Value::as_str) != Some("denied");
                let action = document.get("action").and_then(Value::as_str);
                names.extend(action.filter(|name| ran && is_known(name)).map(|name| (line, name.to_owned())));
            } else {
                names.extend(names_of(&document).into_iter().map(|name| (line, name)));
            }
        } else {
            names.push((line, of_command(content).to_owned()));
        }
    }
    Ok(names)
}

/// Takes the name out of a line: what stands behind `run`, else the first word.
fn of_command(line: &str) -> &str {
    let mut words = line.split_whitespace();
    let mut behind_run = line.split_whitespace().skip_while(|word| *word != "run").skip(1);
    let named = behind_run.find(|word| !word.starts_with('-'));
    named.or_else(|| words.next()).unwrap_or_default().trim_end_matches(',')
}

fn names_of(document: &Value) -> Vec<String> {
    let mut names = Vec::new();
    match document {
        Value::Array(items) if items.iter().all(Value::is_string) => {
            names.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        document => walk(document, &mut names),
    }
    names
}

fn walk(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match (key.as_str(), member) {
                    ("action", Value::String(name)) => names.push(name.clone()),
                    ("actions", Value::Array(items)) if items.iter().all(Value::is_string) => {
                        names.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    (_, member) => walk(member, names),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, names)),
        _ => {}
    }
}

/// Finds the lines of names in a document, whose values know of none: the next one on which the name stands in quotes.
fn with_lines(text: &str, names: Vec<String>) -> Vec<Named> {
    let line_of = |name: &String| {
        let quoted = Value::from(name.as_str()).to_string();
        let at = text.find(&quoted).unwrap_or_default();
        text.get(..at).unwrap_or_default().matches('\n').count() + 1
    };
    names.into_iter().map(|name| (line_of(&name), name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Result<Vec<String>, SourceError> {
        parse_action_ids(text, |name| ["get-user", "list-roles", "users.get"].contains(&name))
    }

    #[test]
    fn actions_are_found_in_workflows_audit_files_and_lists() {
        for text in [
            r#"{"steps": [{"action": "get-user"}, {"with": {"action": "users.get"}}, {"action": "get-user"}]}"#,
            r#"{"actions": ["get-user", "users.get"], "name": "list-roles"}"#,
            r#"["get-user", "users.get"]"#,
            "{\"action\": \"get-user\"}\n\n{\"action\": \"users.get\"}\n",
            "{\"event\":\"call\",\"action\":\"get-user\",\"decision\":\"allowed\"}\n\
             {\"event\":\"call\",\"action\":\"list-roles\",\"decision\":\"denied\"}\n\
             {\"event\":\"call\",\"action\":\"(invalid)\",\"decision\":\"allowed\"}\n\
             {\"event\":\"call\",\"action\":\"users.get\",\"decision\":\"allowed\"}",
            "# those that read\nget-user\n\n  users.get  \nget-user\n",
            "auth0-host --emulator run get-user user_id=x\nauth0-host run --reveal users.get",
        ] {
            assert_eq!(found(text).unwrap(), ["get-user", "users.get"], "{text}");
        }
    }

    #[test]
    fn what_is_no_action_is_refused_with_its_line() {
        for (text, line) in [
            ("get-user\nlist-rolls\n", 2),
            ("{\n  \"steps\": [\n    {\"action\": \"get-user\"},\n    {\"action\": \"list-rolls\"}\n]}", 4),
            ("{\"action\": \"get-user\"}\n{\"action\": \"list-rolls\"}", 2),
            ("[\"get-user\",\n\"list-rolls\"]", 2),
        ] {
            assert_eq!(
                found(text),
                Err(SourceError::Unknown { line, name: "list-rolls".to_owned() }),
                "{text}"
            );
        }
        assert!(matches!(
            found("{\"action\": \"get-user\"}\n{\"action\": "),
            Err(SourceError::Unreadable { line: 2, .. })
        ));
        for text in ["", "\n# nothing\n", "{}", "[]", "{\"name\": \"get-user\"}"] {
            assert_eq!(found(text), Err(SourceError::None), "{text}");
        }
    }
}
