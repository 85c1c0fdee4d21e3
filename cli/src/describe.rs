//! `describe`: the form of an action, drawn in a terminal.

use std::fmt::Write as _;

use auth0_host::{ActionDescription, Effect, Pagination, Stage};

use super::{
    Exit, Failure, Globals, connect,
    form::{self, Field, Form, schema::Notation},
    print,
    print::Styles,
    reference, run,
};

/// Arguments of `describe`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
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

const EXAMPLES: &str = "\
The fields that must be given come first. `auth0-host run ACTION --interactive`
asks for them.

Examples:
  auth0-host describe create-user
  auth0-host describe create-user --json
  auth0-host describe --all --json";

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
            let pages = all.iter().map(|description| page(description, styles));
            print::stdout(&pages.collect::<Result<Vec<_>, _>>()?.join("\n\n"))?;
        }
    }
    Ok(Exit::Done)
}

/// Returns what an action does to the tenant, and whether it may be done again.
pub(crate) fn effect(action: &ActionDescription) -> String {
    let does = match action.effect {
        Effect::Read => "reads only",
        Effect::Create => "creates something new",
        Effect::Update => "changes something that exists",
        Effect::Delete => "deletes for good",
        Effect::Send => "sends a message to a person",
    };
    let again = if action.idempotent { "safe to retry" } else { "not safe to retry" };
    format!("{does}; {again}")
}

fn page(action: &ActionDescription, styles: Styles) -> Result<String, Failure> {
    let form = Form::of(action)?;
    let mut text = format!(
        "{} – {}\n{}\n\n{}\n\n",
        styles.bold(&print::line(&action.id)),
        print::line(&action.title),
        styles.dim(&format!("{} · {}", print::line(&action.group), action.effect)),
        wrap(&action.description, ""),
    );
    for (name, fact) in facts(action, Notation::Plain) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {}", styles.bold(&format!("{name:8}")), print::line(&fact));
    }
    let (required, optional): (Vec<&Field>, Vec<&Field>) =
        form.fields.iter().partition(|field| field.required);
    if form.fields.is_empty() {
        let _ = writeln!(text, "\n{}\n  none", styles.bold("Input"));
    }
    for (heading, fields) in [("Required", required), ("Optional", optional)] {
        if !fields.is_empty() {
            let _ = writeln!(text, "\n{}\n{}", styles.bold(heading), table(&fields, styles).trim_end());
        }
    }
    let _ =
        write!(text, "\n{}\n  {}\n", styles.bold("Example"), form::run_command(&[], action, &form.example));
    if let Some(remark) = form::file_of_secrets(action, &form.example) {
        let _ = writeln!(text, "  {}", styles.dim(&format!("({remark})")));
    }
    let _ = writeln!(
        text,
        "\n{}",
        styles.dim("run … --interactive asks for the fields; describe … --json prints the JSON Schemas of input and output")
    );
    Ok(text)
}

/// Lists what is known of an action beside its fields.
pub(crate) fn facts(action: &ActionDescription, notation: Notation) -> Vec<(&'static str, String)> {
    let code = |text: String| notation.value(&text.into());
    let mut facts = vec![("Effect", effect(action))];
    let requests: Vec<String> =
        action.requests.iter().map(|request| code(format!("{} {}", request.method, request.path))).collect();
    match requests.as_slice() {
        [] => facts.push(("Request", "as the input says".to_owned())),
        [one] => facts.push(("Request", one.clone())),
        several => facts.push(("Requests", several.join(", "))),
    }
    facts.push(("Scopes", reference::scopes(&action.scopes, notation)));
    facts.extend(reach(action, notation).map(|reach| ("Reach", reach)));
    facts.push((
        "Stage",
        match action.stage {
            Stage::Ga => "generally available".to_owned(),
            Stage::Ea => "early access: a tenant without it answers forbidden".to_owned(),
            Stage::Beta => "beta: it may change or go".to_owned(),
            Stage::Unknown => "unknown: Auth0 does not state it".to_owned(),
        },
    ));
    let paging = match action.pagination {
        Pagination::Offset => Some("`limit` and `cursor`, the first 1000 records"),
        Pagination::Checkpoint => Some("`limit` and `cursor`, without end"),
        Pagination::OffsetOrCheckpoint => {
            Some("`limit` and `cursor`, without end or the first 1000 records, as the input says")
        }
        _ => None,
    };
    facts.extend(paging.map(|paging| ("Paging", paging.to_owned())));
    facts.extend(action.handles_personal_data.then(|| ("Data", "handles personal data".to_owned())));
    facts
}

/// Returns what the action can do beyond what it says, in words; nothing where that is nothing.
fn reach(action: &ActionDescription, notation: Notation) -> Option<String> {
    let code = |text: &str| notation.value(&text.into());
    let all = action.reach();
    if action.requests.is_empty() {
        return (!all.is_empty()).then(|| "as the input says".to_owned());
    }
    let said = all.iter().map(|one| {
        let members: Vec<String> = one.members.iter().map(|member| code(member)).collect();
        let by = if members.is_empty() { String::new() } else { format!(" by {}", members.join(", ")) };
        format!("{}{by}, since {}", code(one.reach.as_str()), one.reason)
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Draws the fields: name, type and bounds in a line, and below it what it means.
fn table(fields: &[&Field], styles: Styles) -> String {
    let mut text = String::new();
    for field in fields {
        let mut kind = vec![field.type_name.clone()];
        kind.extend(field.bounds.iter().cloned());
        kind.extend(field.secret.then(|| "secret".to_owned()));
        let (name, kind) = (print::line(&field.name), print::line(&kind.join(", ")));
        let _ = writeln!(text, "  {}  {kind}", styles.bold(&name));
        if let Some(doc) = &field.doc {
            text += &wrap(doc, "      ");
            text.push('\n');
        }
        if !field.members.is_empty() {
            let members = format!("Members: {}.", field.members.join(", "));
            text += &styles.dim(&wrap(&members, "      "));
            text.push('\n');
        }
    }
    text
}

/// Breaks lines between words.
pub(crate) fn wrap(text: &str, indent: &str) -> String {
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

    fn fields(schema: &serde_json::Value) -> String {
        let all = form::schema::properties(schema).unwrap();
        let fields: Vec<Field> = all
            .iter()
            .map(|(name, member)| Field::new(name, member, schema, name == "password").unwrap())
            .collect();
        table(&fields.iter().collect::<Vec<_>>(), Styles::default())
    }

    #[test]
    fn fields_say_type_bounds_and_meaning() {
        let schema = json!({
            "type": "object",
            "properties": {
                "user_id": {"type": "string", "minLength": 1, "description": "Id of the user."},
                "password": {"type": "string"},
                "changes": {"type": "object", "properties": {"a": {}, "b": {}}},
            },
        });
        assert_eq!(
            fields(&schema),
            "  user_id  string, not empty\n      Id of the user.\n  password  string, secret\n  changes  object\n      \
             Members: a, b.\n"
        );
    }
}
