//! All actions, and the JSON interface over them: the curated ones, which are functions with typed inputs, and every
//! operation of the Management API, which a table describes. Schemas, docs and the plugin's label read this; nothing about an
//! action is written down anywhere else.

use serde_json::{Map, Value};

pub use crate::action::{About, Action, Effect};
use crate::actions;
use crate::client::Client;
use crate::core::error::{Code, Error};
use crate::core::json as documents;
use crate::core::schema::Output;
use crate::core::spelling::nearest;
use crate::operations::{self, Operation, Paging, Stage};

/// Where an action comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Made for one purpose.
    Curated,
    /// An operation of the Management API.
    Operation,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Curated, Self::Operation];

    /// Returns its name, as the contract's schemas have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Curated => "curated",
            Self::Operation => "operation",
        }
    }
}

/// An action of either kind.
pub enum Entry {
    /// One made for one purpose.
    Curated(&'static Action),
    /// An operation of the API.
    Operation(Box<Operation>),
}

/// Which actions to list: those to which all that is given applies.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Words, each of which is in the id, title, group or path.
    pub text: Option<String>,
    /// Where it comes from.
    pub kind: Option<Kind>,
    /// The family.
    pub group: Option<String>,
    /// What it does to the tenant.
    pub effect: Option<Effect>,
    /// How ready it is.
    pub stage: Option<Stage>,
    /// A scope that plays a part.
    pub scope: Option<String>,
}

/// Returns the curated actions, in the order of their families.
pub fn curated() -> impl Iterator<Item = &'static Action> {
    actions::FAMILIES.iter().copied().flatten()
}

/// Returns all actions: the curated ones, then the operations.
pub fn all() -> impl Iterator<Item = Entry> {
    let operations = operations::all().map(|operation| Entry::Operation(Box::new(operation)));
    curated().map(Entry::Curated).chain(operations)
}

impl Entry {
    /// Returns the id.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Curated(action) => action.about.id,
            Self::Operation(operation) => operation.name,
        }
    }

    /// Returns where it comes from.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Curated(_) => Kind::Curated,
            Self::Operation(_) => Kind::Operation,
        }
    }

    /// Returns the few words for a menu.
    pub fn title(&self) -> &'static str {
        match self {
            Self::Curated(action) => action.about.title,
            Self::Operation(operation) => operation.title,
        }
    }

    /// Returns the description.
    pub fn description(&self) -> String {
        match self {
            Self::Curated(action) => action.about.description.to_owned(),
            Self::Operation(operation) => operations::description(operation),
        }
    }

    /// Returns the family.
    pub fn group(&self) -> &'static str {
        match self {
            Self::Curated(action) => action.about.group,
            Self::Operation(operation) => operation.group(),
        }
    }

    /// Returns what it does to the tenant.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Curated(action) => action.about.effect,
            Self::Operation(operation) => operation.effect,
        }
    }

    /// Returns whether doing it twice leaves the tenant as doing it once.
    pub fn idempotent(&self) -> bool {
        match self {
            Self::Curated(action) => action.about.idempotent,
            Self::Operation(operation) => operation.idempotent,
        }
    }

    /// Returns how ready it is.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Curated(_) => Stage::Ga,
            Self::Operation(operation) => operation.stage,
        }
    }

    /// Returns whether it reads or writes what is known of a person.
    pub fn handles_personal_data(&self) -> bool {
        match self {
            Self::Curated(action) => action.about.handles_personal_data,
            Self::Operation(operation) => operation.handles_personal_data,
        }
    }

    /// Returns how it reads its list.
    pub fn paging(&self) -> Paging {
        match self {
            Self::Curated(action) => match action.about.output {
                Output::Page(_, paging) => paging,
                Output::One(_) | Output::All(_) | Output::Done => Paging::None,
            },
            // It takes `cursor` and no page: where the API has both, the checkpoint is read.
            Self::Operation(operation) => match operation.paging {
                Paging::Either => Paging::Checkpoint,
                paging => paging,
            },
        }
    }

    /// Returns method and path of each request that it may send.
    pub fn requests(&self) -> Vec<(&'static str, String)> {
        let path = |path: &str| format!("/api/v2{path}");
        match self {
            Self::Curated(action) => {
                let requests = action.about.requests.iter().filter_map(|request| request.split_once(' '));
                requests.map(|(method, below)| (method, path(below))).collect()
            }
            Self::Operation(operation) => vec![(operation.method.as_str(), path(operation.path))],
        }
    }

    /// Returns what the token has to be allowed: scopes of which any one is enough, and what they are needed for where the
    /// action can do without.
    pub fn scopes(&self) -> Vec<(Vec<&'static str>, Option<&'static str>)> {
        match self {
            Self::Curated(action) => {
                action.about.scopes.iter().map(|need| (need.any_of.to_vec(), need.required_for)).collect()
            }
            Self::Operation(operation) => {
                let all = operation.scopes.iter().map(|any_of| (any_of.clone(), None));
                let parts = operation.scopes_for.iter().map(|(scope, part)| (vec![*scope], Some(*part)));
                all.chain(parts).collect()
            }
        }
    }

    /// Makes the JSON Schema of the input.
    pub fn input_schema(&self) -> Value {
        match self {
            Self::Curated(action) => (action.input_schema)(),
            Self::Operation(operation) => operations::input_schema(operation),
        }
    }

    /// Makes the JSON Schema of the output.
    pub fn output_schema(&self) -> Value {
        match self {
            Self::Curated(action) => action.about.output.schema(),
            Self::Operation(operation) => operations::output_schema(operation),
        }
    }

    fn run(&self, client: &mut Client<'_>, input: Map<String, Value>) -> Result<Value, Error> {
        client.needs = self.scopes();
        match self {
            // A success without a body is one all the same.
            Self::Curated(action) => (action.run)(client, Value::Object(input)).map(operations::object),
            Self::Operation(operation) => operations::run(client, operation, input),
        }
    }

    fn passes(&self, filter: &Filter) -> bool {
        let text = || {
            let requests: Vec<_> =
                self.requests().into_iter().map(|(method, path)| format!("{method} {path}")).collect();
            [self.id(), self.title(), self.group(), &requests.join(" ")].join(" ").to_lowercase()
        };
        filter.kind.is_none_or(|kind| kind == self.kind())
            && filter.group.as_deref().is_none_or(|group| group == self.group())
            && filter.effect.is_none_or(|effect| effect == self.effect())
            && filter.stage.is_none_or(|stage| stage == self.stage())
            && filter
                .scope
                .as_deref()
                .is_none_or(|scope| self.scopes().iter().any(|(any_of, _)| any_of.contains(&scope)))
            && filter.text.as_deref().is_none_or(|words| {
                let text = text();
                words.to_lowercase().split_whitespace().all(|word| text.contains(word))
            })
    }
}

/// Lists the actions that pass a filter.
pub fn list(filter: &Filter) -> impl Iterator<Item = Entry> {
    all().filter(|entry| entry.passes(filter))
}

/// Finds an action.
///
/// # Errors
/// `not-found`, with the ids that resemble it.
pub fn find(id: &str) -> Result<Entry, Error> {
    let made = curated().find(|action| action.about.id == id).map(Entry::Curated);
    let found = made.or_else(|| operations::find(id).map(|operation| Entry::Operation(Box::new(operation))));
    found.ok_or_else(|| {
        let ids = || curated().map(|action| action.about.id).chain(operations::names());
        let mut near: Vec<_> = nearest(id, ids()).into_iter().collect();
        let resembling = ids().filter(|known| resembles(known, id));
        near.extend(resembling.filter(|known| near.first() != Some(known)).take(4).collect::<Vec<_>>());
        let hint = if near.is_empty() { String::from("list-actions lists them") } else { near.join(", ") };
        // An id is as long as its writer likes.
        let id: String = id.chars().take(100).collect();
        Error::new(Code::NotFound, format!("there is no action '{id}'; {hint}"))
    })
}

/// Returns whether two ids share two words, or hold the same letters: enough to hint at `get-user` for `users.get`.
fn resembles(known: &str, asked: &str) -> bool {
    let asked = asked.to_ascii_lowercase();
    let words = |text: &str| -> Vec<String> {
        text.split(['-', '.', '_', ' ']).map(|word| word.replace('s', "")).collect()
    };
    let (known_words, asked_words) = (words(known), words(&asked));
    let shared = known_words.iter().filter(|word| asked_words.contains(word)).count();
    shared >= 2 || known.replace('-', "") == asked.replace(['-', '_', ' ', '.'], "")
}

/// Runs an action on a JSON input.
///
/// # Errors
/// `invalid-input` where the input is not what its schema says, and as the action does.
pub fn run(client: &mut Client<'_>, entry: &Entry, input: &str) -> Result<Value, Error> {
    let id = entry.id();
    let refused = |problem: String| Error::invalid(format!("input of {id} refused: {problem}"));
    if input.len() > LARGEST_INPUT {
        let length = input.len();
        return Err(refused(format!("it has {length} bytes; Auth0 takes bodies of at most 1 MB")));
    }
    let input = if input.trim().is_empty() {
        Map::new()
    } else {
        match documents::parse(input.as_bytes()) {
            Ok(Value::Object(input)) => input,
            Ok(_) => return Err(refused("give a JSON object, such as {}".to_owned())),
            Err(error) => return Err(refused(error.to_string())),
        }
    };
    run_on(client, entry, input)
}

/// Runs an action on the members of its input.
///
/// # Errors
/// As [`run`].
pub fn run_on(client: &mut Client<'_>, entry: &Entry, input: Map<String, Value>) -> Result<Value, Error> {
    entry.run(client, input).map_err(|error| {
        if !error.about_input {
            return error;
        }
        let message = format!("input of {} refused: {}", entry.id(), error.message);
        Error { message, about_input: false, ..error }
    })
}

/// Largest input that is parsed: a body of 1 MB (facts, section 9), escaped as JSON, and room for the rest.
const LARGEST_INPUT: usize = 4_000_000;

#[cfg(test)]
mod digits;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_tell_curated_actions_from_operations() {
        let mut seen = std::collections::BTreeSet::new();
        for entry in all() {
            let id = entry.id();
            assert!(seen.insert(id), "{id} twice");
            let curated = entry.kind() == Kind::Curated;
            assert_eq!(curated, id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{id}");
            assert_eq!(!curated, id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'), "{id}");
            assert!(entry.description().ends_with('.'), "{id}");
            assert_eq!(find(id).map(|found| found.id()).ok(), Some(id));
        }
        assert_eq!(seen.len(), curated().count() + auth0_catalog::read().unwrap().len());
    }

    #[test]
    fn a_filter_leaves_what_all_of_it_applies_to() {
        let ids = |filter: Filter| list(&filter).map(|entry| entry.id()).collect::<Vec<_>>();
        let text = |text: &str| Filter { text: Some(text.to_owned()), ..Filter::default() };
        assert_eq!(ids(text("ROTATE secret")), ["rotate-client-secret", "clients.rotateSecret"]);
        assert_eq!(ids(text("users-imports")), ["jobs.usersImports.create"]);
        assert!(ids(text("quux")).is_empty());
        let sends =
            ids(Filter { effect: Some(Effect::Send), group: Some("jobs".to_owned()), ..Filter::default() });
        assert_eq!(sends, ["jobs.verificationEmail.create"]);
        let beta = ids(Filter { stage: Some(Stage::Beta), ..Filter::default() });
        assert_eq!(beta.len(), 24);
        let scope = ids(Filter { scope: Some("create:roles".to_owned()), ..Filter::default() });
        assert_eq!(scope, ["create-role", "roles.create"]);
        assert_eq!(ids(Filter::default()).len(), all().count());
    }

    #[test]
    fn what_a_curated_action_sends_and_needs_is_an_operation_of_the_table() {
        let operations: Vec<_> = operations::all().collect();
        for action in curated() {
            for request in action.about.requests {
                let found = operations.iter().find(|operation| {
                    format!("{} {}", operation.method.as_str(), operation.path) == *request
                });
                let operation = found.unwrap_or_else(|| panic!("{}: {request}", action.about.id));
                assert!(
                    action.about.handles_personal_data || !operation.handles_personal_data,
                    "{}: {request}",
                    action.about.id
                );
                for group in &operation.scopes {
                    let meets =
                        |need: &crate::core::scope::Need| need.any_of.iter().any(|own| group.contains(own));
                    assert!(
                        action.about.scopes.iter().any(meets),
                        "{}: {request}: {group:?}",
                        action.about.id
                    );
                }
            }
            // And it asks for no scope that none of its requests is for.
            let known: Vec<&str> = operations
                .iter()
                .filter(|operation| {
                    let request = format!("{} {}", operation.method.as_str(), operation.path);
                    action.about.requests.contains(&request.as_str())
                })
                .flat_map(|operation| {
                    let parts = operation.scopes_for.iter().map(|(scope, _)| *scope);
                    operation.scopes.iter().flatten().copied().chain(parts)
                })
                .collect();
            for scope in action.about.scopes.iter().flat_map(|need| need.any_of) {
                assert!(known.contains(scope), "{}: {scope}", action.about.id);
            }
        }
    }

    #[test]
    fn a_description_is_whole_and_its_schemas_are_closed_or_open_on_purpose() {
        for entry in all() {
            let (id, schema) = (entry.id(), entry.input_schema());
            assert_eq!(schema["type"], "object", "{id}");
            for (name, property) in schema["properties"].as_object().unwrap() {
                assert!(property["description"].as_str().is_some_and(|text| !text.is_empty()), "{id} {name}");
            }
            assert_eq!(entry.output_schema()["type"], "object", "{id}");
        }
    }

    #[test]
    fn every_schema_is_a_closed_object_with_described_properties() {
        for action in curated() {
            let schema = (action.input_schema)();
            assert_eq!(schema["type"], "object", "{}: {schema}", action.about.id);
            assert_eq!(schema["additionalProperties"], false, "{}", action.about.id);
            for (name, property) in schema["properties"].as_object().unwrap() {
                assert!(property.get("description").is_some(), "{} {name}: {property}", action.about.id);
            }
            assert_eq!(action.about.output.schema()["type"], "object", "{}", action.about.id);
        }
    }

    #[test]
    fn an_unknown_action_hints_at_those_that_resemble_it() {
        for asked in ["getUser", "get_user", "get-users", "user.get"] {
            let error = find(asked).err().unwrap();
            assert_eq!(error.code, Code::NotFound);
            assert!(error.to_string().contains("get-user"), "{asked}: {error}");
        }
        assert!(find("quux").err().unwrap().to_string().contains("list-actions"));
    }
}
