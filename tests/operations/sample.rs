//! Inputs for an operation, made from the table's files: what a member may be, in values that are hard to send right.

use auth0_catalog::{Body, BodyForm, Format, Kind, Known, Member, Operation};
use serde_json::{Map, Value, json};

/// Operations of which parameters and answers are known.
pub(crate) fn known() -> Vec<Operation> {
    let mut known = all();
    let most = known.len() * 9 / 10;
    known.retain(|operation| !operation.success.is_empty());
    assert!(known.len() > most, "{} are known", known.len());
    known
}

/// All operations.
pub(crate) fn all() -> Vec<Operation> {
    auth0_catalog::read().unwrap()
}

/// Which members of an input are given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Given {
    /// Those without which it is refused.
    Required,
    /// All of them.
    All,
    /// All of them, `null` where that will do.
    Nulls,
}

/// Makes an input.
pub(crate) fn input(operation: &Operation, given: Given) -> Map<String, Value> {
    let mut input = Map::new();
    let wanted = |member: &&Member| member.required || given != Given::Required;
    let value = |member: &Member| {
        if given == Given::Nulls && member.kind.null {
            Value::Null
        } else {
            self::value(&member.name, &member.kind.kind)
        }
    };
    for member in &operation.path_members {
        input.insert(member.name.clone(), value(member));
    }
    for member in operation.query.iter().filter(wanted) {
        input.insert(member.name.clone(), value(member));
    }
    if let Some(body) = &operation.body {
        if body.is_apart() {
            input.insert("body".to_owned(), apart(body));
        } else {
            for member in body.members.iter().filter(wanted) {
                input.insert(member.name.clone(), value(member));
            }
            if input.keys().filter(|name| body.members.iter().any(|member| member.name == **name)).count()
                < body.at_least.into()
            {
                let member = &body.members[0];
                input.insert(member.name.clone(), value(member));
            }
        }
    }
    if given != Given::Required && operation.is_list() {
        input.insert("limit".to_owned(), json!(3));
    }
    if operation.known == Known::Request && given != Given::Required {
        input.insert("query".to_owned(), json!({"a b": ["ü", 1, true]}));
        if operation.method != "GET" {
            input.insert("body".to_owned(), json!([null, {"x": 1.5}]));
        }
    }
    input
}

/// An item of a body that is a list of objects.
pub(crate) fn item(body: &Body) -> Map<String, Value> {
    let members = body.members.iter();
    members.map(|member| (member.name.clone(), value(&member.name, &member.kind.kind))).collect()
}

fn apart(body: &Body) -> Value {
    let object = item(body);
    match body.form {
        BodyForm::List if object.is_empty() => json!(["a", "b"]),
        BodyForm::List => json!([object, object]),
        _ => json!({"A_NAME": "a value"}),
    }
}

/// A value of a kind: letters that have to be encoded, the last of several choices.
pub(crate) fn value(name: &str, kind: &Kind) -> Value {
    match kind {
        Kind::Any => json!({"any": [1, null]}),
        Kind::Text { format, longest } => match format {
            Format::Any => {
                let text = format!("{name} |/ü&=+%?#\"é");
                text.chars()
                    .take(longest.map_or(usize::MAX, |longest| longest as usize))
                    .collect::<String>()
                    .into()
            }
            Format::Email => "ana+b@example.org".into(),
            Format::DateTime => "2026-01-31T10:00:00.000Z".into(),
            Format::Uuid => "0b6cb3b5-1a57-4c1f-9d3e-7a2f6c1f8e11".into(),
            Format::Sort => "created_at:-1".into(),
            Format::Day => "20260131".into(),
            Format::Ascii => "a~ b".into(),
        },
        Kind::OneOf(texts) => texts.last().unwrap().as_str().into(),
        Kind::OneOfMany(_) => "one-of-many".into(),
        Kind::Names { names, .. } => names.iter().take(2).map(String::as_str).collect::<Vec<_>>().into(),
        Kind::Integer { least, most } => most.or(*least).unwrap_or(7).into(),
        Kind::Number => json!(1.5),
        Kind::Flag => json!(true),
        Kind::Object => json!({"k": {"n": null, "ü": [1]}}),
        Kind::TextOrInteger => json!(12),
        Kind::List(of) => json!([value(name, of), value(name, of)]),
        Kind::File => json!([{"email": "ana@example.org"}]),
    }
}
