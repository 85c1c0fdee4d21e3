//! Forms: an action's input as a person fills it in, made from the component's own schema.
//!
//! One reading of the schema serves `describe`, which draws the form, `run --interactive`, which asks for the fields, and
//! `actions --markdown`, which writes the reference.

mod ask;
mod example;
mod field;
pub(crate) mod schema;
mod shell;
mod terminal;

use auth0_host::ActionDescription;
use jsonschema::{Validator, error::ValidationErrorKind};
use serde_json::{Map, Value};

pub(crate) use self::{
    ask::ask,
    field::Field,
    shell::{file_of_secrets, run_command},
};
use super::Failure;

/// The input of an action.
#[derive(Debug)]
pub(crate) struct Form {
    /// Required ones first, otherwise in the schema's order.
    pub(crate) fields: Vec<Field>,
    whole: Validator,
    /// Members of which one is needed, or those that are needed together in its place.
    one_of: Vec<String>,
    /// An input that would be taken.
    pub(crate) example: Map<String, Value>,
}

impl Form {
    /// Reads the form of an action.
    ///
    /// # Errors
    ///
    /// Where the component's schema is none.
    pub(crate) fn of(action: &ActionDescription) -> Result<Self, Failure> {
        let unusable = |problem: String| {
            Failure::Host(anyhow::anyhow!("the component describes `{}` unusably: {problem}", action.id))
        };
        let root = &action.input_schema;
        let mut fields = Vec::new();
        for (name, schema) in schema::properties(root).into_iter().flatten() {
            let text = Map::from_iter([(name.clone(), Value::from("x"))]);
            let secret = action.cover_secrets(&text) != text;
            fields.push(Field::new(name, schema, root, secret).map_err(unusable)?);
        }
        // Stable: within each half the order stays.
        fields.sort_by_key(|field| !field.required);
        let whole = jsonschema::draft202012::new(root).map_err(|error| unusable(error.to_string()))?;
        let example = example::example(action, &fields, &whole);
        let ways = root.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        let one_of = ways.filter_map(|way| {
            let names: Option<Vec<&str>> =
                way.get("required")?.as_array()?.iter().map(Value::as_str).collect();
            Some(names?.join(" and "))
        });
        Ok(Self { fields, whole, one_of: one_of.collect(), example })
    }

    /// Finds a field.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Checks whether an input is one that the schema allows.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without values.
    pub(crate) fn check(&self, input: &Map<String, Value>) -> Result<(), String> {
        for (name, value) in input {
            let Some(field) = self.field(name) else {
                let known: Vec<&str> = self.fields.iter().map(|field| field.name.as_str()).collect();
                return Err(format!("there is no field `{name}`; there are {}", known.join(", ")));
            };
            field.check(value).map_err(|problem| format!("`{name}`: {problem}"))?;
        }
        let whole = Value::Object(input.clone());
        self.whole.validate(&whole).map_err(|error| match error.kind() {
            // Said of the input as a whole only where one of several members is needed.
            ValidationErrorKind::AnyOf { .. } if !self.one_of.is_empty() => {
                format!("it needs {}", self.one_of.join(", or "))
            }
            _ => error.masked_with("the input").to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use auth0_host::{CallOptions, Credentials, Error, ErrorCode, Host, Policy, Settings};

    use super::*;

    #[tokio::test]
    async fn every_action_of_the_component_has_a_form_and_an_example_that_its_schema_allows() {
        let host = Host::new().unwrap();
        let mut poor = Vec::new();
        for action in host.actions().await.unwrap() {
            let description = host.describe(&action.id).await.unwrap();
            let form = Form::of(&description).unwrap();
            assert!(form.fields.is_sorted_by_key(|field| !field.required), "{}", action.id);
            if let Err(problem) = form.check(&form.example) {
                poor.push(format!("{}: {problem}: {}", action.id, Value::Object(form.example.clone())));
            }
            let secret =
                |name: &String| form.field(name).is_some_and(|field| field.secret && !field.required);
            assert!(!form.example.keys().any(secret), "{} needs no secret in its example", action.id);
        }
        assert!(poor.is_empty(), "{}", poor.join("\n"));
    }

    /// Nothing may leave: an input that is taken ends as denied.
    #[tokio::test]
    async fn no_example_of_an_action_is_refused_for_its_form() {
        let host = Host::new().unwrap();
        let settings = Settings::new("acme.eu.auth0.com".parse().unwrap())
            .credentials(Credentials::token("t"))
            .client_id("c")
            .policy(Policy::builder().deny_request("* /api/v2/**").build().unwrap());
        let tenant = host.tenant(settings).await.unwrap();
        for action in host.actions().await.unwrap() {
            let form = Form::of(&host.describe(&action.id).await.unwrap()).unwrap();
            let options = CallOptions::new().reveal_secrets();
            let outcome = tenant.call_with(&action.id, Value::Object(form.example), options).await;
            if let Err(Error::Action(error)) = outcome.result {
                assert_ne!(error.code, ErrorCode::InvalidInput, "{}: {error}", action.id);
            }
        }
    }
}
