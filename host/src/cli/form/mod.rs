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
use jsonschema::Validator;
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
        Ok(Self { fields, whole, example })
    }

    /// Finds a field.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Tells whether an input is one that the schema allows.
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
        self.whole
            .validate(&Value::Object(input.clone()))
            .map_err(|error| error.masked_with("the input").to_string())
    }
}

#[cfg(test)]
mod tests {
    use auth0_host::Host;

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
}
