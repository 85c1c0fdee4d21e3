//! Which actions a token's scopes allow.

use std::collections::BTreeMap;

use super::{Check, Finding, Verdict};
use crate::{action::ActionDescription, connection::Connection, error::Error};

/// As the descriptions of actions say it where one scope of several will do.
const ANY_ONE: &str = "any one of the scopes";

/// Compares what the actions need with what the token has.
pub(super) async fn examine(connection: &Connection, granted: Option<&str>) -> Finding {
    let Some(granted) = granted else {
        return Finding::new(Check::Scopes, Verdict::Warn, "the token does not say what it may do");
    };
    let granted: Vec<&str> = granted.split_ascii_whitespace().collect();
    let actions = match describe(connection).await {
        Ok(actions) => actions,
        Err(error) => return Finding::new(Check::Scopes, Verdict::Fail, error.to_string()),
    };
    judge(&actions, &granted)
}

async fn describe(connection: &Connection) -> Result<Vec<ActionDescription>, Error> {
    let runtime = connection.runtime();
    let mut actions = Vec::new();
    for action in runtime.list().await? {
        actions.push(runtime.describe(&action.id).await?);
    }
    Ok(actions)
}

fn judge(actions: &[ActionDescription], granted: &[&str]) -> Finding {
    let has = |scope: &String| granted.contains(&scope.as_str());
    let mut lacking: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut allowed = 0;
    for action in actions {
        let any_one = action.description.to_lowercase().contains(ANY_ONE) && action.scopes.iter().any(has);
        let missing: Vec<&str> =
            action.scopes.iter().filter(|scope| !any_one && !has(scope)).map(String::as_str).collect();
        if missing.is_empty() {
            allowed += 1;
        }
        for scope in missing {
            lacking.entry(scope).or_default().push(&action.id);
        }
    }
    let unused = granted
        .iter()
        .filter(|scope| !actions.iter().any(|action| action.scopes.iter().any(|needed| needed == *scope)));
    let unused = match unused.count() {
        0 => String::new(),
        count => format!("; {count} granted scopes are used by no action but custom-request"),
    };
    let found =
        format!("{} granted; they allow {allowed} of {} actions{unused}", granted.len(), actions.len());
    if lacking.is_empty() {
        return Finding::new(Check::Scopes, Verdict::Ok, found);
    }
    let list: Vec<String> =
        lacking.iter().map(|(scope, actions)| format!("{scope} ({})", actions.join(", "))).collect();
    // An action that needs no scope, such as custom-request, is no use to a token that has none.
    let verdict = if granted.is_empty() { Verdict::Fail } else { Verdict::Warn };
    Finding::new(Check::Scopes, verdict, found)
        .advise(format!("grant what your workflows use of: {}", list.join("; ")))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::action::Effect;

    fn action(id: &str, scopes: &[&str], description: &str) -> ActionDescription {
        ActionDescription {
            id: id.to_owned(),
            title: String::new(),
            description: description.to_owned(),
            group: String::new(),
            effect: Effect::Read,
            idempotent: true,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            input_schema: Value::Null,
            output_schema: Value::Null,
        }
    }

    #[test]
    fn what_is_lacking_is_named_with_the_actions_that_need_it() {
        let actions = [
            action("get-user", &["read:users"], "Needs all of the scopes."),
            action("list-logs", &["read:logs", "read:logs_users"], "Any one of the scopes is enough."),
            action("assign-user-roles", &["update:users", "read:roles"], ""),
            action("custom-request", &[], ""),
        ];
        let finding = judge(&actions, &["read:users", "read:logs", "read:roles", "read:stats"]);
        assert_eq!(finding.verdict, Verdict::Warn);
        assert_eq!(
            finding.found,
            "4 granted; they allow 3 of 4 actions; 1 granted scopes are used by no action but custom-request"
        );
        assert_eq!(
            finding.advice.unwrap(),
            "grant what your workflows use of: update:users (assign-user-roles)"
        );
        let every = ["read:users", "read:logs", "read:roles", "update:users"];
        assert_eq!(judge(&actions, &every).verdict, Verdict::Ok);
        assert_eq!(judge(&actions, &[]).verdict, Verdict::Fail);
    }
}
