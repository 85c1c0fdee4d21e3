use serde_json::{Map, Value};

use super::{TemplateError, UnixSeconds, render};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

const NOW: UnixSeconds = UnixSeconds(1_709_647_629);

fn rendered(template: &str) -> Result<String, TemplateError> {
    render(template, &Map::new(), NOW)
}

#[test]
fn templates_render_as_liquidjs_renders_them() {
    let golden: Value = serde_json::from_str(include_str!("golden.json")).unwrap();
    let now = UnixSeconds(golden["now"].as_i64().unwrap());
    let mut wrong = Vec::new();
    for case in golden["cases"].as_array().unwrap() {
        let mut variables = object(golden["variables"].clone());
        variables.extend(case.get("variables").cloned().map(object).unwrap_or_default());
        let template = case["template"].as_str().unwrap();
        let ours = render(template, &variables, now);
        let expected = case["expected"].as_str();
        if ours.as_deref().ok() != expected {
            wrong.push(format!("{template}\n  LiquidJS {expected:?}\n  ours     {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
