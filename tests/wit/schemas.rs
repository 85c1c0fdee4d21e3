//! What a new version may change of the JSON that the package passes as text, by the schemas as they are.

use auth0_contract::{ACTION_DESCRIPTION_SCHEMA, ACTION_FILTER_SCHEMA, ACTION_LIST_SCHEMA};
use serde_json::{Value, json};
use xtask::contract::schemas::{Schemas, compare};

/// The schemas of a version, after a change.
fn schemas(version: &str, change: impl Fn(&str, &mut Value)) -> Schemas {
    let files = [
        ("action-description.json", ACTION_DESCRIPTION_SCHEMA),
        ("action-filter.json", ACTION_FILTER_SCHEMA),
        ("action-list.json", ACTION_LIST_SCHEMA),
    ];
    let changed = files.map(|(name, text)| {
        let mut schema = serde_json::from_str(text).unwrap();
        change(name, &mut schema);
        (name, schema.to_string())
    });
    let texts = changed.iter().map(|(name, text)| (*name, text.as_str()));
    Schemas::parse(version.parse().unwrap(), texts).unwrap()
}

/// What is said of a change of one file in a later version.
fn said(version: &str, file: &str, change: impl Fn(&mut Value)) -> String {
    let current = schemas(version, |name, schema| {
        if name == file {
            let before = schema.clone();
            change(schema);
            assert_ne!(before, *schema, "nothing was changed");
        }
    });
    let found = compare(&schemas("0.2.0", |_, _| {}), &current).unwrap();
    found.iter().map(|difference| format!("{difference}\n")).collect()
}

fn remove(list: &mut Value, value: &str) {
    list.as_array_mut().unwrap().retain(|item| item != value);
}

fn drop_member(schema: &mut Value, name: &str) {
    schema["properties"].as_object_mut().unwrap().remove(name);
    if let Some(required) = schema.get_mut("required") {
        remove(required, name);
    }
}

/// A change: the file, what is done to it, and what is said.
type Case = (&'static str, fn(&mut Value), &'static str);

const BREAKING: [Case; 9] = [
    (
        "action-list.json",
        |schema| drop_member(&mut schema["properties"]["items"]["items"], "title"),
        "schema/action-list.json: the member `items[].title` is gone, and callers of 0.2.0 read it: put it back; or raise \
         the version to 0.3.0\n",
    ),
    (
        "action-list.json",
        |schema| remove(&mut schema["properties"]["items"]["items"]["required"], "scopes"),
        "the member `items[].scopes` may be left out now, and callers of 0.2.0 read it: put it back into `required`",
    ),
    (
        "action-description.json",
        |schema| schema["properties"]["idempotent"]["type"] = "string".into(),
        "schema/action-description.json: the member `idempotent` has the type `string` now, and callers of 0.2.0 read it as \
         `boolean`: leave it, and add another beside it under a new name",
    ),
    (
        "action-description.json",
        |schema| drop_member(&mut schema["properties"]["requests"]["items"], "path"),
        "the member `requests[].path` is gone",
    ),
    (
        "action-description.json",
        |schema| schema["properties"]["scopes"]["items"]["properties"]["any_of"]["items"] = json!({}),
        "the member `scopes[].any_of[]` has no type now, and callers of 0.2.0 read it as `string`: put the type back",
    ),
    (
        "action-filter.json",
        |schema| drop_member(schema, "scope"),
        "schema/action-filter.json: the member `scope` is gone, and callers of 0.2.0 give it: put it back",
    ),
    (
        "action-filter.json",
        |schema| remove(&mut schema["properties"]["effect"]["enum"], "send"),
        "the member `effect` no longer takes \"send\", and callers of 0.2.0 give it: put it back into `enum`",
    ),
    (
        "action-filter.json",
        |schema| schema["properties"]["group"]["enum"] = json!(["users"]),
        "the member `group` takes only the values of `enum` now",
    ),
    (
        "action-filter.json",
        |schema| schema["required"] = json!(["kind"]),
        "the member `kind` has to be given now, and callers of 0.2.0 do not: take it out of `required`",
    ),
];

/// What a later version may add.
const ADDITIONS: [Case; 4] = [
    (
        "action-list.json",
        |schema| {
            let items = &mut schema["properties"]["items"]["items"];
            items["properties"]["icon"] = json!({"type": "string"});
            items["required"].as_array_mut().unwrap().push("icon".into());
        },
        "schema/action-list.json: the member `items[]` says something else, or is new, and 0.2.0 is released without that",
    ),
    (
        "action-filter.json",
        |schema| schema["properties"]["paged"] = json!({"type": "boolean"}),
        "the member `paged` says something else, or is new",
    ),
    (
        "action-filter.json",
        |schema| schema["properties"]["effect"]["enum"].as_array_mut().unwrap().push("archive".into()),
        "the member `effect` says something else, or is new",
    ),
    (
        "action-filter.json",
        |schema| {
            schema["properties"]["stage"].as_object_mut().unwrap().remove("enum");
        },
        "the member `stage` says something else, or is new",
    ),
];

#[test]
fn what_old_callers_read_or_give_stays_in_the_same_version_and_in_a_compatible_one() {
    for (file, change, expected) in BREAKING {
        for version in ["0.2.0", "0.2.1"] {
            let said = said(version, file, change);
            assert!(said.contains(expected) && said.lines().count() == 1, "{version}, {expected}: {said}");
            assert!(said.ends_with("; or raise the version to 0.3.0\n"), "{said}");
        }
        assert_eq!(said("0.3.0", file, change), "");
    }
}

#[test]
fn what_is_added_needs_a_new_version_and_no_more() {
    for (file, change, expected) in ADDITIONS {
        assert_eq!(said("0.2.1", file, change), "", "{expected}");
        let said = said("0.2.0", file, change);
        assert!(said.contains(expected) && said.contains("raise the version to 0.2.1"), "{expected}: {said}");
    }
}

#[test]
fn documentation_may_change_in_every_version() {
    for version in ["0.2.0", "0.2.1"] {
        let change = |schema: &mut Value| {
            schema["title"] = "Other words".into();
            schema["properties"]["kind"]["description"] = "Other words.".into();
            schema["properties"]["kind"]["examples"] = json!(["operation"]);
        };
        assert_eq!(said(version, "action-description.json", change), "");
        assert_eq!(said(version, "action-filter.json", change), "");
    }
}

#[test]
fn a_file_that_is_gone_or_new_is_told() {
    let only = |version: &str, file: &str, text: &str| {
        Schemas::parse(version.parse().unwrap(), [(file, text)]).unwrap()
    };
    let list = only("0.2.0", "action-list.json", ACTION_LIST_SCHEMA);
    let other = only("0.2.1", "action-filter.json", ACTION_FILTER_SCHEMA);
    let found = compare(&list, &other).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].to_string().starts_with("schema/action-list.json is gone, and callers of 0.2.0 read it")
    );
    let found = compare(&list, &schemas("0.2.0", |_, _| {})).unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    // A version that was released before its schemas were kept promises nothing of them.
    let none = Schemas::parse("0.2.0".parse().unwrap(), []).unwrap();
    assert!(compare(&none, &schemas("0.2.0", |_, _| {})).unwrap().is_empty());
}

#[test]
fn a_keyword_that_would_hide_a_member_is_an_error() {
    let hidden = schemas("0.2.1", |_, schema| schema["properties"]["kind"] = json!({"$ref": "#/$defs/kind"}));
    let error = compare(&schemas("0.2.0", |_, _| {}), &hidden).unwrap_err().to_string();
    assert!(error.starts_with("schema/action-description.json has `$ref`, which is not compared"), "{error}");
}
