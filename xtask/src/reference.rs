//! The reference of the actions, `docs/actions.md`, written from what the component says of itself.
//!
//! It is asked through the host's command line, as any user can ask it; nothing is read from the sources. So the file
//! cannot tell of an action that the built component does not have.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::workspace::Workspace;
use crate::{component, host, process};

const COMMAND: &str = "cargo xtask reference";

/// Write the file.
pub(crate) fn write(workspace: &Workspace) -> Result<ExitCode> {
    let text = generate(workspace)?;
    let path = path(workspace);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    process::say(&format!("wrote {}", path.display()));
    Ok(ExitCode::SUCCESS)
}

/// Compare the file with what would be written.
pub(crate) fn check(workspace: &Workspace) -> Result<ExitCode> {
    let text = generate(workspace)?;
    let path = path(workspace);
    let found = fs::read_to_string(&path).unwrap_or_default();
    if found == text {
        process::say(&format!("{} is up to date", path.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let line = found.lines().zip(text.lines()).take_while(|(found, wanted)| found == wanted).count() + 1;
    process::say(&format!(
        "{} differs from the component from line {line} on: run `{COMMAND}`",
        path.display()
    ));
    Ok(ExitCode::FAILURE)
}

fn path(workspace: &Workspace) -> PathBuf {
    workspace.root().join("docs/actions.md")
}

fn generate(workspace: &Workspace) -> Result<String> {
    component::build(workspace)?;
    let host = host::build(workspace, &[])?;
    process::say("asking the component");
    let answer = process::output(workspace.command(host).args(["describe", "--all", "--json"]))?;
    let mut actions: Vec<Value> =
        serde_json::from_str(&answer).context("auth0-host describe printed no array of JSON")?;
    // An operation of the API has a dot in its id.
    actions.retain(|action| text(action, "id").is_some_and(|id| !id.contains('.')));
    Ok(page(&actions))
}

fn page(actions: &[Value]) -> String {
    let mut page = format!(
        "<!-- Written by `{COMMAND}` from the component itself; do not edit. -->\n\
         # Actions\n\n\
         Every action as JSON: `auth0-host run ACTION key=value …`, `Connection::run` in the library, and \
         `run-action` in the contract. The typed functions of the contract (`wit/`) do the same. Names are Auth0's \
         own. `auth0-host describe ACTION --json` prints the JSON Schemas that this page is made from.\n"
    );
    let mut group = "";
    for action in actions {
        let of = text(action, "group").unwrap_or_default();
        if of != group {
            group = of;
            // Writing to a String cannot fail.
            let _ = write!(page, "\n## {group}\n\n| action | effect | |\n|---|---|---|\n");
            for member in actions.iter().filter(|member| text(member, "group") == Some(group)) {
                let id = text(member, "id").unwrap_or_default();
                let _ = writeln!(
                    page,
                    "| [{id}](#{id}) | {} | {} |",
                    text(member, "effect").unwrap_or_default(),
                    cell(text(member, "title").unwrap_or_default())
                );
            }
        }
        section(&mut page, action);
    }
    page
}

fn section(page: &mut String, action: &Value) {
    let repeat = match action.get("idempotent").and_then(Value::as_bool) {
        Some(true) => "doing it twice leaves the tenant as doing it once",
        _ => "not to be repeated blindly",
    };
    let needs = list(action.get("scopes").unwrap_or(&Value::Null)).iter();
    let scopes: Vec<String> = needs.map(need).collect();
    let _ = write!(
        page,
        "\n### {}\n\n{}\n\n{}: {repeat}. Scopes: {}.\n",
        text(action, "id").unwrap_or_default(),
        text(action, "description").unwrap_or_default(),
        capital(text(action, "effect").unwrap_or_default()),
        if scopes.is_empty() { "none".to_owned() } else { scopes.join(", ") },
    );
    for (title, key) in [("Input", "input_schema"), ("Output", "output_schema")] {
        let schema = action.get(key).unwrap_or(&Value::Null);
        members(page, title, schema);
    }
}

/// Say what a token needs: any one of some scopes, and for what, where the action can do without.
fn need(need: &Value) -> String {
    let any_of = list(need.get("any_of").unwrap_or(&Value::Null)).iter();
    let any_of = any_of.map(|scope| code(&plain(scope))).collect::<Vec<_>>().join(" or ");
    text(need, "only_for").map_or_else(|| any_of.clone(), |part| format!("{any_of} (for {part})"))
}

/// Write a table of the members of an object, those of a list's items included.
fn members(page: &mut String, title: &str, schema: &Value) {
    let mut rows = String::new();
    collect(&mut rows, "", schema, schema, 0);
    if rows.is_empty() {
        let _ = write!(page, "\n{title}: an empty object.\n");
    } else {
        let _ = write!(page, "\n| {title} | type | |\n|---|---|---|\n{rows}");
    }
}

/// How deep members of members are told: `items[].identities[].provider`. Schemas may refer to themselves.
const DEPTH: usize = 4;

fn collect(rows: &mut String, prefix: &str, schema: &Value, root: &Value, depth: usize) {
    let schema = resolve(schema, root);
    let required = list(schema.get("required").unwrap_or(&Value::Null));
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, member) in properties {
        let mark = if required.iter().any(|required| required == name) { ", required" } else { "" };
        let _ = writeln!(
            rows,
            "| {} | {}{mark} | {} |",
            code(&format!("{prefix}{name}")),
            cell(&type_name(member, root, 0)),
            cell(text(member, "description").unwrap_or_default())
        );
        if depth < DEPTH {
            let member = object_of(member, root);
            collect(rows, &format!("{prefix}{name}."), &member, root, depth + 1);
            if let Some(items) = member.get("items") {
                collect(rows, &format!("{prefix}{name}[]."), &object_of(items, root), root, depth + 1);
            }
        }
    }
}

/// Follow references, and take the one choice that is not null.
fn object_of(schema: &Value, root: &Value) -> Value {
    let schema = resolve(schema, root);
    for keyword in ["anyOf", "oneOf"] {
        let choices = list(schema.get(keyword).unwrap_or(&Value::Null));
        let mut choices = choices.iter().filter(|choice| text(choice, "type") != Some("null"));
        if let (Some(choice), None) = (choices.next(), choices.next()) {
            return resolve(choice, root).clone();
        }
    }
    schema.clone()
}

fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let target = text(schema, "$ref").and_then(|path| path.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn type_name(schema: &Value, root: &Value, depth: usize) -> String {
    if depth > DEPTH {
        return "…".to_owned();
    }
    let schema = resolve(schema, root);
    if let Some(values) = schema.get("enum") {
        let names = list(values).iter().filter(|value| !value.is_null()).map(|value| code(&plain(value)));
        return names.collect::<Vec<_>>().join(" or ");
    }
    if let Some(value) = schema.get("const") {
        return code(&plain(value));
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(choices) = schema.get(keyword) {
            let mut names: Vec<String> = list(choices)
                .iter()
                .map(|choice| type_name(choice, root, depth + 1))
                .filter(|name| name != "null" && !name.is_empty())
                .collect();
            names.dedup();
            return names.join(" or ");
        }
    }
    let names: Vec<String> = match schema.get("type") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(names) => list(names).iter().map(plain).filter(|name| name != "null").collect(),
        None => vec!["any".to_owned()],
    };
    let names = names.into_iter().map(|name| match schema.get("items") {
        Some(items) if name == "array" => format!("array of {}", type_name(items, root, depth + 1)),
        _ => name,
    });
    names.collect::<Vec<_>>().join(" or ")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// Fit text into a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_tells_groups_actions_and_the_members_of_input_and_output() {
        let action = json!({
            "id": "get-user", "title": "Get a user", "group": "users", "effect": "read", "idempotent": true,
            "description": "Gets one user.", "scopes": [{"any_of": ["read:users"]}],
            "input_schema": {
                "type": "object", "required": ["user_id"],
                "properties": {
                    "user_id": {"type": "string", "description": "Id: `a|b`."},
                    "kind": {"anyOf": [{"$ref": "#/$defs/Kind"}, {"type": "null"}]},
                },
                "$defs": {"Kind": {"enum": ["x", "y"]}},
            },
            "output_schema": {
                "type": "object",
                "properties": {"items": {"type": "array", "items": {
                    "type": "object", "properties": {"id": {"type": ["string", "null"]}},
                }}},
            },
        });
        let page = page(&[action]);
        assert!(page.starts_with("<!-- Written by `cargo xtask reference`"));
        assert!(
            page.ends_with(
                "
## users

| action | effect | |
|---|---|---|
| [get-user](#get-user) | read | Get a user |

### get-user

Gets one user.

Read: doing it twice leaves the tenant as doing it once. Scopes: `read:users`.

| Input | type | |
|---|---|---|
| `user_id` | string, required | Id: `a\\|b`. |
| `kind` | `x` or `y` |  |

| Output | type | |
|---|---|---|
| `items` | array of object |  |
| `items[].id` | string |  |
"
            ),
            "{page}"
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({
            "properties": {"next": {"$ref": "#/$defs/Node"}},
            "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
        });
        let mut page = String::new();
        members(&mut page, "Input", &schema);
        assert_eq!(page.lines().count(), 3 + DEPTH + 1, "{page}");
        members(&mut page, "Output", &json!({"type": "object"}));
        assert!(page.ends_with("Output: an empty object.\n"));
    }
}
