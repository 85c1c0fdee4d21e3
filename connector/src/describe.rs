//! What is said of actions, as JSON in the shapes of the contract's schemas (`wit/schema`), to which a test holds it.

use serde_json::{Value, json};

use crate::catalog::{self, Effect, Entry, Filter, Kind};
use crate::core::error::Error;
use crate::core::json as documents;
use crate::input::{FromInput, Refusal, input, misfit};
use crate::operations::{self, Stage};

input! {
    /// The filter of `list-actions`.
    struct FilterInput {
        /// Words, each of which is in the id, title, group or path.
        text: Option<String>,
        /// Where it comes from.
        kind: Option<String>,
        /// The family.
        group: Option<String>,
        /// What it does to the tenant.
        effect: Option<String>,
        /// How ready it is.
        stage: Option<String>,
        /// A scope that plays a part.
        scope: Option<String>,
    }
}

/// Lists the actions that pass a filter: `{"items": […]}`.
///
/// # Errors
/// `invalid-input` for a filter that the contract's schema does not allow.
pub fn list(filter: &str) -> Result<Value, Error> {
    let refused = |problem: String| Error::invalid(format!("filter of list-actions refused: {problem}"));
    let filter = if filter.trim().is_empty() {
        Filter::default()
    } else {
        let filter = documents::parse(filter.as_bytes()).map_err(|error| refused(error.to_string()))?;
        read(filter).map_err(|refusal| refused(refusal.to_string()))?
    };
    let items: Vec<_> = catalog::list(&filter).map(|entry| summary(&entry)).collect();
    Ok(json!({ "items": items }))
}

fn read(filter: Value) -> Result<Filter, Refusal> {
    let FilterInput { text, kind, group, effect, stage, scope } = FilterInput::from_input(filter)?;
    Ok(Filter {
        text,
        kind: named("kind", kind, &Kind::ALL, Kind::as_str)?,
        group,
        effect: named("effect", effect, &Effect::ALL, Effect::as_str)?,
        stage: named("stage", stage, &Stage::ALL, Stage::as_str)?,
        scope,
    })
}

fn named<T: Copy>(
    member: &'static str,
    name: Option<String>,
    all: &[T],
    as_str: fn(T) -> &'static str,
) -> Result<Option<T>, Refusal> {
    let Some(name) = name else { return Ok(None) };
    let known = || all.iter().copied();
    known().find(|value| as_str(*value) == name).map(Some).ok_or_else(|| {
        let names = known().map(as_str).collect();
        misfit(&operations::Kind::OneOf(names), &name.into()).within(member)
    })
}

/// Describes an action.
///
/// # Errors
/// `not-found` for an unknown id.
pub fn describe(id: &str) -> Result<Value, Error> {
    let entry = catalog::find(id)?;
    let requests: Vec<_> = entry
        .requests()
        .into_iter()
        .map(|(method, path)| json!({ "method": method, "path": path }))
        .collect();
    let mut description = summary(&entry);
    if let Some(description) = description.as_object_mut() {
        description.extend([
            ("description".to_owned(), entry.description().into()),
            ("idempotent".to_owned(), entry.idempotent().into()),
            ("requests".to_owned(), requests.into()),
            ("pagination".to_owned(), entry.paging().as_str().into()),
            ("handles_personal_data".to_owned(), entry.handles_personal_data().into()),
            ("input_schema".to_owned(), entry.input_schema()),
            ("output_schema".to_owned(), entry.output_schema()),
        ]);
    }
    Ok(description)
}

fn summary(entry: &Entry) -> Value {
    let scope = |(any_of, part): (Vec<&str>, Option<&str>)| match part {
        Some(part) => json!({ "any_of": any_of, "required_for": part }),
        None => json!({ "any_of": any_of }),
    };
    let scopes: Vec<_> = entry.scopes().into_iter().map(scope).collect();
    json!({
        "id": entry.id(),
        "title": entry.title(),
        "kind": entry.kind().as_str(),
        "group": entry.group(),
        "effect": entry.effect().as_str(),
        "stage": entry.stage().as_str(),
        "scopes": scopes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(filter: &str) -> Result<Vec<String>, String> {
        let list = list(filter).map_err(|error| error.to_string())?;
        let items = list["items"].as_array().unwrap();
        Ok(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn a_filter_is_a_json_object_of_the_members_that_are_known() {
        assert_eq!(ids("").unwrap().len(), catalog::all().count());
        assert_eq!(ids("{}").unwrap().len(), catalog::all().count());
        let found = ids(r#"{"text": "rotate secret", "kind": "curated"}"#);
        assert_eq!(found.unwrap(), ["rotate-client-secret"]);
        let found = ids(r#"{"text": "rotate secret", "kind": "operation", "effect": null}"#);
        assert_eq!(found.unwrap(), ["clients.rotateSecret"]);
        for (filter, told) in [
            ("[]", "expected an object, found a list"),
            ("{", "it is not JSON: it ends too early"),
            (r#"{"efect": "read"}"#, "unknown property `efect`; did you mean `effect`?"),
            (r#"{"effect": "reads"}"#, "`effect`: expected one of read, create, update, delete, send"),
            (r#"{"kind": 1}"#, "`kind`: expected a string, found a number"),
        ] {
            let refused = ids(filter).unwrap_err();
            assert!(refused.starts_with(&format!("filter of list-actions refused: {told}")), "{refused}");
        }
    }
}
