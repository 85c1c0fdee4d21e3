//! The typed functions against the curated actions that they run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use auth0_connector::catalog;
use serde_json::Value;
use wit_parser::{Resolve, Type, TypeDefKind, TypeOwner, WorldItem};

use crate::workspace::root;

/// What Auth0 spells otherwise than the contract.
fn spelling(name: &str) -> String {
    match name {
        "id-token" => "link_with".to_owned(),
        "include-email-in-redirect" => "includeEmailInRedirect".to_owned(),
        name => name.replace('-', "_"),
    }
}

/// The members of its action's input that a function gives, by the function's name.
fn functions(wit: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("connector")).unwrap();
    let mut functions = BTreeMap::new();
    for item in resolve.worlds[world].exports.values() {
        let WorldItem::Interface { id, .. } = item else { panic!("the world exports interfaces") };
        let interface = &resolve.interfaces[*id];
        if matches!(interface.name.as_deref(), Some("types" | "actions")) {
            continue;
        }
        for function in interface.functions.values() {
            let members = function.params.iter().flat_map(|param| members(&resolve, &param.name, param.ty));
            let members = members.filter(|name| name != "include_raw");
            functions.insert(function.name.clone(), members.collect());
        }
    }
    functions
}

fn members(resolve: &Resolve, name: &str, ty: Type) -> Vec<String> {
    let Type::Id(id) = ty else { return vec![spelling(name)] };
    let def = &resolve.types[id];
    match &def.kind {
        TypeDefKind::Option(inner) => members(resolve, name, *inner),
        TypeDefKind::Type(alias) if def.name.as_deref() != Some("json") => members(resolve, name, *alias),
        TypeDefKind::Variant(variant) => variant.cases.iter().map(|case| spelling(&case.name)).collect(),
        TypeDefKind::Record(record) if name == "input" || is_shared(resolve, def.owner) => {
            let names = record.fields.iter().map(|field| field.name.as_str());
            names.map(spelling).collect()
        }
        _ => vec![spelling(name)],
    }
}

fn is_shared(resolve: &Resolve, owner: TypeOwner) -> bool {
    matches!(owner, TypeOwner::Interface(id) if resolve.interfaces[id].name.as_deref() == Some("types"))
}

fn properties(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

/// Members that are there for people who know them from Auth0, and for the JSON interface alone.
const OF_AUTH0: [&str; 5] = ["page", "per_page", "include_totals", "from", "take"];

#[test]
fn each_curated_action_has_one_typed_function_that_gives_it_every_member() {
    let functions = functions(&root().join("wit"));
    let actions: BTreeSet<_> = catalog::curated().map(|action| action.about.id.to_owned()).collect();
    assert_eq!(functions.keys().cloned().collect::<BTreeSet<_>>(), actions);
    assert!(actions.len() > 40, "{}", actions.len());
    for action in catalog::curated() {
        let (id, known) = (action.about.id, properties(&(action.input_schema)()));
        let given = &functions[id];
        let unknown: Vec<_> = given.difference(&known).collect();
        assert!(unknown.is_empty(), "{id} does not take {unknown:?}");
        let missing: Vec<_> =
            known.difference(given).filter(|name| !OF_AUTH0.contains(&name.as_str())).collect();
        assert!(missing.is_empty(), "the function {id} cannot give {missing:?}");
    }
}

/// The fields of a function's result, by the function's name, and of the items where it is a page.
fn results(wit: &Path) -> BTreeMap<String, (Vec<String>, Vec<String>)> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("connector")).unwrap();
    let mut results = BTreeMap::new();
    for item in resolve.worlds[world].exports.values() {
        let WorldItem::Interface { id, .. } = item else { panic!("the world exports interfaces") };
        for function in resolve.interfaces[*id].functions.values() {
            let Some(Type::Id(id)) = function.result else { panic!("{} answers a result", function.name) };
            let TypeDefKind::Result(result) = &resolve.types[id].kind else { panic!("{}", function.name) };
            let fields = result.ok.map(|ty| fields(&resolve, ty)).unwrap_or_default();
            let items = fields.iter().find(|(name, _)| name == "items");
            let items = items.map(|(_, ty)| fields_of_item(&resolve, *ty)).unwrap_or_default();
            results
                .insert(function.name.clone(), (fields.into_iter().map(|(name, _)| name).collect(), items));
        }
    }
    results
}

fn fields(resolve: &Resolve, ty: Type) -> Vec<(String, Type)> {
    let Type::Id(id) = ty else { return Vec::new() };
    match &resolve.types[id].kind {
        TypeDefKind::Record(record) => {
            let names = record.fields.iter().map(|field| (field.name.as_str(), field.ty));
            names.filter(|(name, _)| *name != "raw").map(|(name, ty)| (answered(name), ty)).collect()
        }
        TypeDefKind::Type(alias) => fields(resolve, *alias),
        _ => Vec::new(),
    }
}

fn fields_of_item(resolve: &Resolve, list: Type) -> Vec<String> {
    let Type::Id(id) = list else { panic!("items are a list") };
    let TypeDefKind::List(item) = resolve.types[id].kind else { panic!("items are a list") };
    fields(resolve, item).into_iter().map(|(name, _)| name).collect()
}

/// As Auth0 spells it in answers.
fn answered(name: &str) -> String {
    if name == "is-social" { "isSocial".to_owned() } else { name.replace('-', "_") }
}

#[test]
fn each_field_of_a_typed_result_is_a_member_that_the_action_answers() {
    let results = results(&root().join("wit"));
    let mut compared = 0;
    for action in catalog::curated() {
        let (id, schema) = (action.about.id, action.about.output.schema());
        let (fields, items) = &results[id];
        // What a custom request answers beside status and headers is the request's own.
        let answered = |schema: &Value| if id == "custom-request" { None } else { Some(properties(schema)) };
        for (fields, schema) in [(fields, &schema), (items, &schema["properties"]["items"]["items"])] {
            if fields.is_empty() {
                continue;
            }
            let Some(known) = answered(schema) else { continue };
            // A list that comes whole has the form of a page, and no next one.
            let is_whole = known.contains("total") && !known.contains("next");
            let is_answered = |name: &String| known.contains(name) || (is_whole && name == "next");
            let unknown: Vec<_> = fields.iter().filter(|name| !is_answered(name)).collect();
            assert!(unknown.is_empty(), "{id} does not answer {unknown:?}");
            compared += fields.len();
        }
    }
    assert!(compared > 150, "{compared}");
}

#[test]
fn the_crate_carries_every_file_of_the_contract() {
    let mut names: Vec<_> = std::fs::read_dir(root().join("wit"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".wit"))
        .collect();
    names.sort();
    let carried: Vec<_> = auth0_contract::FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(carried, names);
}

#[test]
fn what_is_said_of_actions_is_what_the_schemas_of_the_contract_say() {
    let list = auth0_connector::describe::list("").unwrap();
    check(auth0_contract::ACTION_LIST_SCHEMA, &list);
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), catalog::all().count());
    for item in items {
        let id = item["id"].as_str().unwrap();
        let description = auth0_connector::describe::describe(id).unwrap();
        check(auth0_contract::ACTION_DESCRIPTION_SCHEMA, &description);
        for (name, value) in item.as_object().unwrap() {
            assert_eq!(description[name], *value, "{id}: {name}");
        }
    }
}

#[test]
fn a_filter_is_taken_where_its_schema_allows_it_and_refused_where_not() {
    for filter in [
        "{}",
        r#"{"kind": "curated", "effect": "send", "stage": "ga"}"#,
        r#"{"text": "x", "scope": "read:users"}"#,
    ] {
        assert!(
            problems(auth0_contract::ACTION_FILTER_SCHEMA, &serde_json::from_str(filter).unwrap()).is_empty()
        );
        auth0_connector::describe::list(filter).unwrap();
    }
    for filter in [r#"{"kinds": "curated"}"#, r#"{"effect": "reads"}"#, r#"{"stage": 1}"#, "[]"] {
        assert!(
            !problems(auth0_contract::ACTION_FILTER_SCHEMA, &serde_json::from_str(filter).unwrap())
                .is_empty()
        );
        auth0_connector::describe::list(filter).unwrap_err();
    }
}

fn check(schema: &str, value: &Value) {
    let problems = problems(schema, value);
    assert!(problems.is_empty(), "{problems:?}: {value}");
}

fn problems(schema: &str, value: &Value) -> Vec<String> {
    let schema = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.iter_errors(value).map(|error| error.to_string()).collect()
}
