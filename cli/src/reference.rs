//! The reference of actions as Markdown, from what the component says of itself.
//!
//! `cargo xtask reference` writes the pages under `docs/` from it, so a page cannot tell of an action that the built
//! component does not have.

use std::fmt::Write as _;

use auth0_host::{ActionDescription, ActionKind, ScopeRequirement};
use serde_json::Value;

use super::{
    describe,
    form::schema::{self, Notation},
};

/// Writes a section for each family, with a table of its actions.
pub(super) fn page(actions: &[ActionDescription]) -> String {
    let mut page = String::new();
    let mut group = "";
    for action in actions {
        if action.group != group {
            group = &action.group;
            let gap = if page.is_empty() { "" } else { "\n" };
            // Writing to a String cannot fail.
            let _ = write!(page, "{gap}## {group}\n\n| action | effect | |\n|---|---|---|\n");
            for ActionDescription { id, effect, title, .. } in
                actions.iter().filter(|member| member.group == group && member.kind == action.kind)
            {
                let _ = writeln!(page, "| [{id}](#{}) | {effect} | {} |", anchor(id), cell(title));
            }
        }
        section(&mut page, action);
    }
    page
}

/// The anchor that GitHub gives a heading.
fn anchor(id: &str) -> String {
    id.to_lowercase().replace('.', "")
}

fn section(page: &mut String, action: &ActionDescription) {
    let _ = write!(page, "\n### {}\n\n{}\n\n", action.id, action.description);
    for (name, fact) in describe::facts(action, Notation::Markdown) {
        let _ = writeln!(page, "- {name}: {fact}");
    }
    members(page, "Input", &action.input_schema);
    // What an operation answers is Auth0's own and open; only what a curated action makes of it is ours to tell.
    if action.kind == ActionKind::Curated {
        members(page, "Output", &action.output_schema);
    }
}

/// Returns what a token has to be allowed, in words.
pub(super) fn scopes(needs: &[ScopeRequirement], notation: Notation) -> String {
    let need = |need: &ScopeRequirement| {
        let names: Vec<String> =
            need.any_of.iter().map(|scope| notation.value(&Value::from(scope.as_str()))).collect();
        let part = need.required_for.as_ref().map(|part| format!(" (only for {part})"));
        format!("{}{}", names.join(" or "), part.unwrap_or_default())
    };
    match needs {
        [] => "none".to_owned(),
        needs => needs.iter().map(need).collect::<Vec<_>>().join("; "),
    }
}

/// Writes a table of the members of an object, those of a list's items included.
fn members(page: &mut String, title: &str, schema: &Value) {
    let members = schema::members(schema);
    if members.is_empty() {
        let _ = write!(page, "\n{title}: an empty object.\n");
        return;
    }
    let _ = write!(page, "\n| {title} | type | |\n|---|---|---|\n");
    for member in members {
        let mut kind = vec![schema::type_name(member.schema, schema, Notation::Markdown)];
        kind.extend(member.required.then(|| "required".to_owned()));
        kind.extend(schema::bounds(member.schema, schema, Notation::Markdown));
        let doc = member.schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(page, "| `{}` | {} | {} |", member.path, cell(&kind.join(", ")), cell(doc));
    }
}

/// Fits text into a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_tells_groups_actions_requests_scopes_and_the_members_of_input_and_output() {
        let action: ActionDescription = serde_json::from_value(json!({
            "id": "get-user", "title": "Get a user", "kind": "curated", "group": "users", "effect": "read",
            "idempotent": true, "description": "Gets one user.", "stage": "ga", "pagination": "none",
            "handles_personal_data": true,
            "requests": [{"method": "GET", "path": "/api/v2/users/{id}"}],
            "scopes": [{"any_of": ["read:users", "read:x"]}, {"any_of": ["read:y"], "required_for": "`y`"}],
            "input_schema": {
                "type": "object", "required": ["user_id"],
                "properties": {
                    "user_id": {"type": "string", "minLength": 1, "description": "Id: `a|b`."},
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
        }))
        .unwrap();
        assert_eq!(
            page(&[action]),
            "## users

| action | effect | |
|---|---|---|
| [get-user](#get-user) | read | Get a user |

### get-user

Gets one user.

- Effect: reads only; safe to retry
- Request: `GET /api/v2/users/{id}`
- Scopes: `read:users` or `read:x`; `read:y` (only for `y`)
- Stage: generally available
- Data: handles personal data

| Input | type | |
|---|---|---|
| `user_id` | string, required, not empty | Id: `a\\|b`. |
| `kind` | `x` or `y` |  |

| Output | type | |
|---|---|---|
| `items` | array of object |  |
| `items[].id` | string |  |
"
        );
        assert_eq!(anchor("organizations.members.listAll"), "organizationsmemberslistall");
        assert_eq!(scopes(&[], Notation::Plain), "none");
    }
}
