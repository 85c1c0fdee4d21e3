//! `actions` and `describe`: what there is, read from the component itself.

use std::fmt::Write as _;

use auth0_host::{ActionDescription, ActionSummary, ScopeNeed};
use serde_json::Value;

use super::{Exit, Failure, Globals, connect, print, print::Styles, run};

/// Arguments of `actions`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  auth0-host actions\n  auth0-host actions roles\n  auth0-host actions --json delete"
)]
pub(crate) struct List {
    /// Only those whose id, title, family or effect has this text
    filter: Option<String>,
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `describe`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  auth0-host describe create-user\n  auth0-host describe create-user --json\n  auth0-host describe --all --json"
)]
pub(crate) struct Describe {
    /// The actions
    #[arg(value_name = "ACTION", required_unless_present = "all", conflicts_with = "all")]
    actions: Vec<String>,
    /// Describe all of them
    #[arg(long)]
    all: bool,
    /// Print it as JSON, with the JSON Schemas of input and output; an array where it is not one ACTION
    #[arg(long)]
    json: bool,
}

/// Lists the actions.
pub(crate) async fn list(globals: &Globals, arguments: &List) -> Result<Exit, Failure> {
    let mut actions = connect::host(globals).await?.actions().await?;
    if let Some(filter) = &arguments.filter {
        let filter = filter.to_lowercase();
        actions.retain(|action| {
            [&action.id, &action.title, &action.group, &action.effect.to_string()]
                .iter()
                .any(|text| text.to_lowercase().contains(&filter))
        });
    }
    if arguments.json {
        print::json(&actions)?;
    } else if actions.is_empty() {
        eprintln!("no action matches; `auth0-host actions` lists all of them");
    } else {
        print::stdout(&table(&actions, Styles::of_stdout()))?;
    }
    Ok(Exit::Done)
}

fn table(actions: &[ActionSummary], styles: Styles) -> String {
    let width = actions.iter().map(|action| action.id.len()).max().unwrap_or_default();
    let mut text = String::new();
    let mut group = "";
    for action in actions {
        if action.group != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            group = &action.group;
            text += &format!("{gap}{}\n", styles.bold(group));
        }
        let ActionSummary { id, title, effect, .. } = action;
        text += &format!("  {id:width$}  {}  {title}\n", styles.dim(&format!("{effect:6}")));
    }
    text
}

/// Describes actions: one process, since each compiles the component first.
pub(crate) async fn describe(globals: &Globals, arguments: &Describe) -> Result<Exit, Failure> {
    let host = connect::host(globals).await?;
    let known = host.actions().await?;
    let wanted: Vec<&str> = if arguments.all {
        known.iter().map(|action| action.id.as_str()).collect()
    } else {
        arguments.actions.iter().map(String::as_str).collect()
    };
    if let Some(name) = wanted.iter().find(|name| !known.iter().any(|action| action.id == **name)) {
        return Err(run::unknown(name, &known));
    }
    let mut descriptions = Vec::with_capacity(wanted.len());
    for name in wanted {
        descriptions.push(host.describe(name).await?);
    }
    match descriptions.as_slice() {
        [one] if arguments.json && !arguments.all => print::json(one)?,
        all if arguments.json => print::json(&all)?,
        all => {
            let styles = Styles::of_stdout();
            let pages: Vec<String> = all.iter().map(|description| page(description, styles)).collect();
            print::stdout(&pages.join("\n\n"))?;
        }
    }
    Ok(Exit::Done)
}

fn page(action: &ActionDescription, styles: Styles) -> String {
    let repeat = if action.idempotent { "may be repeated" } else { "not to be repeated blindly" };
    let mut text = format!(
        "{} – {}\n{}\n\n{}\n",
        styles.bold(&action.id),
        action.title,
        styles.dim(&format!("{} · {} · {repeat}", action.group, action.effect)),
        wrap(&action.description, ""),
    );
    if !action.scopes.is_empty() {
        let needs: Vec<String> = action.scopes.iter().map(need).collect();
        text += &format!("\n{}\n  {}\n", styles.bold("Scopes"), needs.join("\n  "));
    }
    text += &format!("\n{}\n{}", styles.bold("Input"), fields(&action.input_schema, styles));
    text += &format!("\n{}\n", styles.dim("--json prints the JSON Schemas of input and output"));
    text
}

/// Says what a token needs in one line.
fn need(need: &ScopeNeed) -> String {
    let any_of = need.any_of.join(" or ");
    need.only_for.as_ref().map_or_else(|| any_of.clone(), |part| format!("{any_of}, for {part}"))
}

/// Lists the members of an object's schema: type, whether required, documentation.
fn fields(schema: &Value, styles: Styles) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object).filter(|all| !all.is_empty())
    else {
        return "  none\n".to_owned();
    };
    let required = |name: &str| {
        let names = schema.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|required| required == name))
    };
    let mut text = String::new();
    for (name, field) in properties {
        let mark = if required(name) { ", required" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}  {}{mark}", styles.bold(name), type_name(field, schema, 0));
        if let Some(doc) = field.get("description").and_then(Value::as_str) {
            text += &wrap(doc, "      ");
            text.push('\n');
        }
    }
    text
}

/// Names the type of a schema as a person would.
fn type_name(schema: &Value, root: &Value, depth: u8) -> String {
    // Schemas may refer to themselves.
    const MAX_DEPTH: u8 = 4;
    if depth > MAX_DEPTH {
        return "…".to_owned();
    }
    let inner = |schema: &Value| type_name(schema, root, depth + 1);
    if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
        let target = path.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or_else(|| "object".to_owned(), inner);
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<String> = values.iter().filter(|value| !value.is_null()).map(plain).collect();
        return values.join(" | ");
    }
    if let Some(value) = schema.get("const") {
        return plain(value);
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        if let Some(choices) = schema.get(keyword).and_then(Value::as_array) {
            let mut names: Vec<String> = choices.iter().map(inner).filter(|name| name != "null").collect();
            names.dedup();
            return names.join(" | ");
        }
    }
    let names: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        _ => vec!["any"],
    };
    let item = || schema.get("items").map_or_else(String::new, |items| format!(" of {}", inner(items)));
    names
        .iter()
        .map(|name| if *name == "array" { format!("array{}", item()) } else { (*name).to_owned() })
        .collect::<Vec<_>>()
        .join(" | ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Breaks lines between words.
fn wrap(text: &str, indent: &str) -> String {
    /// Readable, and fits a terminal of the usual 80 columns with its indent.
    const WIDTH: usize = 76;
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = indent.to_owned();
        for word in paragraph.split_whitespace() {
            let full = line.chars().count() + word.chars().count() >= WIDTH;
            if full && line.len() > indent.len() {
                lines.push(std::mem::replace(&mut line, indent.to_owned()));
            }
            if line.len() > indent.len() {
                line.push(' ');
            }
            line += word;
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_named_as_a_person_would() {
        let root = json!({"$defs": {"Method": {"enum": ["GET", "POST"]}, "Loop": {"items": {"$ref": "#/$defs/Loop"}, "type": "array"}}});
        for (schema, expected) in [
            (json!({"type": "string"}), "string"),
            (json!({"type": ["integer", "null"]}), "integer"),
            (json!({"type": "array", "items": {"type": "string"}}), "array of string"),
            (json!({"$ref": "#/$defs/Method"}), "GET | POST"),
            (json!({"anyOf": [{"$ref": "#/$defs/Method"}, {"type": "null"}]}), "GET | POST"),
            (json!({"$ref": "#/$defs/Nowhere"}), "object"),
            (json!(true), "any"),
            (json!({"const": 5}), "5"),
        ] {
            assert_eq!(type_name(&schema, &root, 0), expected, "{schema}");
        }
        assert!(type_name(&json!({"$ref": "#/$defs/Loop"}), &root, 0).ends_with('…'));
    }

    #[test]
    fn fields_say_type_need_and_meaning() {
        let schema = json!({
            "type": "object",
            "properties": {"user_id": {"type": "string", "description": "Id of the user."}, "n": {"type": "integer"}},
            "required": ["user_id"],
        });
        let text = fields(&schema, Styles::default());
        assert_eq!(text, "  user_id  string, required\n      Id of the user.\n  n  integer\n");
        assert_eq!(fields(&json!({}), Styles::default()), "  none\n");
    }
}
