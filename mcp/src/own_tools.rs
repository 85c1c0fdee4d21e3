//! The server's own tools: how an agent finds, reads about and runs the actions that are no tools of their own, and reads on
//! in a result that was cut.

use auth0_host::{ActionFilter, ActionKind, ActionSummary, Effect, ErrorCode, Stage};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{
    answer::Refused,
    tools::{annotations, object},
};

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnTool {
    SearchActions,
    DescribeAction,
    RunAction,
    ReadMore,
}

/// Arguments of `search-actions`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    text: Option<String>,
    kind: Option<ActionKind>,
    group: Option<String>,
    effect: Option<Effect>,
    stage: Option<Stage>,
    scope: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Arguments of `describe-action`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Describe {
    pub(super) action: String,
}

/// Arguments of `run-action`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunAction {
    pub(super) action: String,
    #[serde(default)]
    pub(super) input: Map<String, Value>,
}

/// Arguments of `read-more`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadMore {
    pub(super) cursor: String,
}

/// A line of the list has some 200 bytes: a page of the default size is read at a glance, one of the largest still fits an
/// answer of the default size.
const DEFAULT_LIMIT: usize = 20;
const MOST: usize = 100;

impl OwnTool {
    pub(super) const ALL: [Self; 4] =
        [Self::SearchActions, Self::DescribeAction, Self::RunAction, Self::ReadMore];

    /// Its name. No action has it: ids of actions do not change, and a test compares them.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SearchActions => "search-actions",
            Self::DescribeAction => "describe-action",
            Self::RunAction => "run-action",
            Self::ReadMore => "read-more",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// Makes the tool. What `run-action` may do depends on whether anything may be written.
    pub(super) fn tool(self, write: bool) -> Tool {
        let (title, description, schema, output) = match self {
            Self::SearchActions => (
                "Search actions",
                "Finds actions of the Auth0 Management API by words of their id, title or group, by group, by what \
                 they do, and by scope. Only actions that this server permits are found. Run them with run-action; those of the kind \
                 curated are tools of their own too.",
                json!({
                    "text": {"type": "string", "description": "Words that all have to be in id, title, group or path: organization members"},
                    "kind": {"type": "string", "enum": ["curated", "operation"], "description": "Made for one purpose, or one operation of the API"},
                    "group": {"type": "string", "description": "The family, exactly: users"},
                    "effect": {"type": "string", "enum": ["read", "create", "update", "delete", "send"], "description": "What the action does to the tenant"},
                    "stage": {"type": "string", "enum": ["ga", "ea", "beta", "unknown"], "description": "How ready Auth0 says that it is: generally available, early access, beta"},
                    "scope": {"type": "string", "description": "A scope that it needs, exactly: read:users"},
                    "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT, "description": "Lines of one answer"},
                    "cursor": {"type": "string", "description": "The `next` of the answer before"},
                }),
                Some(found_schema()),
            ),
            Self::DescribeAction => (
                "Describe an action",
                "Says what an action does, what it takes (JSON Schema), what it answers, and which scopes it needs. Read it \
                 before run-action.",
                json!({"action": {"type": "string", "description": "The action's id: organizations.members.list"}}),
                None,
            ),
            Self::RunAction => (
                "Run an action",
                "Runs an action by its id, with an input as describe-action says. Undeclared members are refused.",
                json!({
                    "action": {"type": "string", "description": "The action's id: organizations.members.list"},
                    "input": {"type": "object", "description": "Its input; empty where absent"},
                }),
                None,
            ),
            Self::ReadMore => (
                "Read on in a result",
                "Returns the next piece of a result that was too long for one answer and has a member `truncated`.",
                json!({"cursor": {"type": "string", "description": "The `cursor` of `truncated`"}}),
                None,
            ),
        };
        let required = match self {
            Self::SearchActions => json!([]),
            Self::DescribeAction | Self::RunAction => json!(["action"]),
            Self::ReadMore => json!(["cursor"]),
        };
        let schema = json!({
            "type": "object", "properties": schema, "required": required, "additionalProperties": false,
        });
        let hints = match self {
            // Whatever it is asked to run, as long as that may be more than reading.
            Self::RunAction if write => annotations(Effect::Delete, false),
            Self::RunAction => annotations(Effect::Read, true),
            _ => ToolAnnotations::new()
                .read_only(true)
                .destructive(false)
                .idempotent(true)
                .open_world(self == Self::ReadMore),
        };
        let tool =
            Tool::new(self.name(), description, object(schema)).with_title(title).with_annotations(hints);
        match output {
            Some(output) => tool.with_raw_output_schema(object(output)),
            None => tool,
        }
    }
}

/// Nothing is required: clients hold errors to it too, which have `error` and nothing else.
fn found_schema() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {
                "type": "object",
                "properties": {"id": text, "title": text, "kind": text, "group": text, "effect": text, "stage": text},
                "required": ["id", "title", "kind", "group", "effect", "stage"],
            }},
            "total": {"type": "integer", "description": "How many there are"},
            "next": {"type": "string", "description": "The cursor of what follows; absent at the end"},
            "error": {"type": "object", "description": "Why there is nothing"},
        },
    })
}

/// Reads a tool's arguments.
///
/// # Errors
///
/// `invalid-input`, with the name of what is unknown, missing or mistyped.
pub(super) fn read<T: DeserializeOwned>(tool: OwnTool, arguments: JsonObject) -> Result<T, Refused> {
    let refuse = |problem: String| {
        Refused::new(ErrorCode::InvalidInput, format!("arguments of {} refused: {problem}", tool.name()))
    };
    check(&tool.tool(false).input_schema, &arguments).map_err(refuse)?;
    serde_json::from_value(Value::Object(arguments))
        .map_err(|_| refuse("they are not what the tool's input schema says".to_owned()))
}

/// Holds arguments to a tool's own schema, which is flat. Values are not repeated: an agent may have put anything there.
fn check(schema: &JsonObject, arguments: &JsonObject) -> Result<(), String> {
    let list = |value: Option<&Value>| -> Vec<String> {
        let texts = value.and_then(Value::as_array).into_iter().flatten();
        texts.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let known = schema.get("properties").and_then(Value::as_object);
    if let Some(missing) = list(schema.get("required")).into_iter().find(|name| !arguments.contains_key(name))
    {
        return Err(format!("`{missing}` is missing"));
    }
    for (name, value) in arguments {
        let Some(declared) = known.and_then(|known| known.get(name)) else {
            let known: Vec<&str> = known.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            return Err(format!("there is no `{name}`; there are {}", known.join(", ")));
        };
        let wanted = declared.get("type").and_then(Value::as_str).unwrap_or_default();
        let fits = match wanted {
            "string" => value.is_string(),
            "integer" => value.is_u64(),
            "object" => value.is_object(),
            _ => true,
        };
        let one_of = list(declared.get("enum"));
        let is_one = value.as_str().is_none_or(|text| one_of.iter().any(|one| one == text));
        if !fits {
            return Err(format!("`{name}` is not of the type {wanted}"));
        }
        if !one_of.is_empty() && !is_one {
            return Err(format!("`{name}` is none of {}", one_of.join(", ")));
        }
    }
    Ok(())
}

impl Search {
    /// Returns which actions are looked for.
    pub(super) fn filter(&self) -> ActionFilter {
        let mut filter = ActionFilter::default();
        filter.text.clone_from(&self.text);
        filter.kind = self.kind;
        filter.group.clone_from(&self.group);
        filter.effect = self.effect;
        filter.stage = self.stage;
        filter.scope.clone_from(&self.scope);
        filter
    }

    /// Returns a page of what was found.
    ///
    /// # Errors
    ///
    /// `invalid-input` for a page that there is not.
    pub(super) fn page(&self, found: &[ActionSummary]) -> Result<Value, Refused> {
        let refused = |message: String| Refused::new(ErrorCode::InvalidInput, message);
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MOST).contains(&limit) {
            return Err(refused(format!("`limit` is {limit}; it can be 1 to {MOST}")));
        }
        let from: usize = match &self.cursor {
            None => 0,
            Some(cursor) => cursor.parse().map_err(|_| {
                refused("this is no cursor of search-actions: give `next` of its answer as it is".to_owned())
            })?,
        };
        let items: Vec<&ActionSummary> = found.iter().skip(from).take(limit).collect();
        let end = from.saturating_add(items.len());
        let mut page = json!({"items": items, "total": found.len()});
        if let Some(page) = page.as_object_mut()
            && end < found.len()
        {
            page.insert("next".to_owned(), Value::from(end.to_string()));
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::tests::summary;

    fn search(arguments: Value) -> Result<(Vec<String>, Value), Refused> {
        let all =
            ["get-user", "list-users", "organizations.members.list"].map(|id| summary(id, Effect::Read));
        let search: Search = read(OwnTool::SearchActions, arguments.as_object().unwrap().clone())?;
        let page = search.page(&all)?;
        let ids = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect();
        Ok((ids, page))
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        for (arguments, expected) in [
            (json!({}), &["get-user", "list-users", "organizations.members.list"][..]),
            (json!({"limit": 1, "cursor": "1"}), &["list-users"]),
            (json!({"cursor": "3"}), &[]),
            (json!({"cursor": "18446744073709551615"}), &[]),
        ] {
            assert_eq!(search(arguments.clone()).unwrap().0, expected, "{arguments}");
        }
        let (_, page) = search(json!({"limit": 2})).unwrap();
        assert_eq!((&page["total"], &page["next"]), (&json!(3), &json!("2")));
        assert_eq!(search(json!({"limit": 2, "cursor": "2"})).unwrap().1.get("next"), None);
    }

    #[test]
    fn what_is_not_declared_is_refused_by_name() {
        for (arguments, name) in [
            (json!({"txt": "user"}), "`txt`"),
            (json!({"effect": "destroy"}), "`effect` is none of read, create"),
            (json!({"kind": "unknown"}), "`kind` is none of curated, operation"),
            (json!({"stage": "alpha"}), "`stage` is none of ga"),
            (json!({"limit": 0}), "`limit`"),
            (json!({"limit": 101}), "`limit`"),
            (json!({"limit": -1}), "`limit`"),
            (json!({"limit": "ten"}), "`limit` is not of the type integer"),
            (json!({"cursor": "x"}), "cursor"),
        ] {
            let refused = format!("{:?}", search(arguments.clone()).unwrap_err());
            assert!(refused.contains(name) && refused.contains("invalid-input"), "{arguments}: {refused}");
        }
        let run =
            |arguments: Value| read::<RunAction>(OwnTool::RunAction, arguments.as_object().unwrap().clone());
        assert!(
            format!("{:?}", run(json!({"action": "x", "reveal": true})).unwrap_err()).contains("`reveal`")
        );
        assert!(format!("{:?}", run(json!({"input": {}})).unwrap_err()).contains("`action`"));
        assert!(run(json!({"action": "x", "input": []})).is_err());
    }

    #[test]
    fn what_runs_any_action_says_that_it_may_destroy() {
        for (write, read_only, destructive) in [(false, true, false), (true, false, true)] {
            let hints = OwnTool::RunAction.tool(write).annotations.unwrap();
            assert_eq!((hints.read_only_hint, hints.destructive_hint), (Some(read_only), Some(destructive)));
        }
    }

    #[test]
    fn schemas_declare_what_is_read() {
        for tool in OwnTool::ALL {
            let schema = Value::Object(tool.tool(true).input_schema.as_ref().clone());
            let example: JsonObject = schema["properties"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, property)| {
                    let value = match (property["type"].as_str(), property.get("enum")) {
                        (Some("integer"), None) => json!(1),
                        (Some("object"), None) => json!({}),
                        (Some("string"), None) => json!("1"),
                        (Some("string"), Some(values)) => values[0].clone(),
                        other => panic!("{name}: {other:?}"),
                    };
                    (name.clone(), value)
                })
                .collect();
            let result = match tool {
                OwnTool::SearchActions => read::<Search>(tool, example).map(drop),
                OwnTool::DescribeAction => read::<Describe>(tool, example).map(drop),
                OwnTool::RunAction => read::<RunAction>(tool, example).map(drop),
                OwnTool::ReadMore => read::<ReadMore>(tool, example).map(drop),
            };
            assert!(result.is_ok(), "{schema}: {result:?}");
            assert_eq!(schema["additionalProperties"], false);
        }
    }
}
