//! What an action can do beyond what it says.
//!
//! The component says which requests an action sends; what those can do is judged by the host's own table. A component
//! that says less than it sends gets no further: the egress judges each request again, by the policy and by what was
//! agreed to for the call ([`CallOptions::agreed_reach`](crate::CallOptions::agreed_reach)).

use std::collections::BTreeSet;

use auth0_policy::reach::{self, Judgement, OperationReach, Reach};
use serde_json::{Map, Value};

use crate::{
    action::{ActionDescription, CUSTOM_REQUEST},
    secret_inputs::resolved,
};

/// Schemas may refer to themselves.
const DEPTH: usize = 6;

const CHOSEN_BY_THE_CALLER: &str = "its caller chooses the request";

impl ActionDescription {
    /// Lists what its requests can do beyond what they say, with the members of its input by which they can. What hangs on
    /// members that the input does not have is left out.
    pub fn reach(&self) -> Vec<OperationReach> {
        if self.id == CUSTOM_REQUEST {
            let any = |reach| OperationReach::of_all(reach, CHOSEN_BY_THE_CALLER);
            return Reach::ALL.into_iter().map(any).collect();
        }
        let mut names = BTreeSet::new();
        collect(&self.input_schema, &self.input_schema, &mut names, 0);
        let mut found: Vec<OperationReach> = Vec::new();
        for mut one in self.requests.iter().flat_map(reach::of_operation) {
            let by_member = !one.members.is_empty();
            one.members.retain(|member| names.contains(member.split('.').next().unwrap_or(member)));
            if (!by_member || !one.members.is_empty()) && !found.contains(&one) {
                found.push(one);
            }
        }
        found
    }

    /// Judges what a call with this input can do beyond what it says.
    pub fn reach_of(&self, input: &Map<String, Value>) -> Vec<Judgement> {
        if self.id == CUSTOM_REQUEST {
            let text = |name| input.get(name).and_then(Value::as_str).unwrap_or_default();
            return reach::of_custom_request(
                text("method"),
                text("path"),
                input.get("body").unwrap_or(&Value::Null),
            );
        }
        let mut found: Vec<Judgement> = Vec::new();
        for judgement in self.requests.iter().flat_map(|request| reach::of_input(request, input)) {
            if !found.contains(&judgement) {
                found.push(judgement);
            }
        }
        found
    }
}

/// Collects the names of members at any depth.
fn collect<'a>(schema: &'a Value, root: &'a Value, names: &mut BTreeSet<&'a str>, depth: usize) {
    if depth > DEPTH {
        return;
    }
    let schema = resolved(schema, root);
    for (name, member) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        names.insert(name);
        collect(member, root, names, depth + 1);
    }
    if let Some(items) = schema.get("items") {
        collect(items, root, names, depth + 1);
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        for way in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            collect(way, root, names, depth + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use auth0_policy::reach::all_of;
    use serde_json::json;

    use super::*;

    async fn actions(ids: &[&str]) -> Vec<ActionDescription> {
        let host = crate::Host::with_trusted_component(auth0_embedded_component::COMPONENT).build().unwrap();
        let mut found = Vec::new();
        for id in ids {
            found.push(host.describe(id).await.unwrap());
        }
        found
    }

    #[tokio::test]
    async fn an_action_has_the_reach_of_the_requests_that_its_input_can_make() {
        let expected = [
            ("get-user", ""),
            ("block-user", ""),
            ("list-users", ""),
            ("rotate-client-secret", "escalates"),
            ("clients.rotateSecret", "escalates"),
            ("update-user", "takes-over by email, email_verified, password"),
            ("create-password-change-ticket", "takes-over"),
            ("assign-user-roles", "grants-people"),
            ("logStreams.create", "exfiltrates"),
            ("clientGrants.create", "escalates"),
            ("roles.delete", ""),
        ];
        let all = actions(&expected.map(|(id, _)| id)).await;
        for (action, (id, expected)) in all.iter().zip(expected) {
            let told: Vec<String> = action
                .reach()
                .iter()
                .map(|one| match one.members.as_slice() {
                    [] => one.reach.to_string(),
                    members => format!("{} by {}", one.reach, members.join(", ")),
                })
                .collect();
            let told = told.join("; ");
            let fits = if expected.contains(" by ") {
                told.contains("takes-over by ") && told.contains("email")
            } else {
                told == expected
            };
            assert!(fits, "{id}: {told}");
        }
    }

    #[tokio::test]
    async fn a_call_has_the_reach_of_what_its_input_writes() {
        let cases = [
            ("update-user", json!({"user_id": "auth0|1", "changes": {"nickname": "n"}}), ""),
            ("update-user", json!({"user_id": "auth0|1", "changes": {"password": "p"}}), "takes-over"),
            ("users.update", json!({"id": "auth0|1", "app_metadata": {}}), "grants-people"),
            ("clients.update", json!({"id": "c", "callbacks": []}), "exfiltrates"),
            ("custom-request", json!({"method": "GET", "path": "/users"}), ""),
            ("custom-request", json!({"method": "POST", "path": "/client-grants", "body": {}}), "escalates"),
            ("block-user", json!({"user_id": "auth0|1"}), ""),
        ];
        let ids: Vec<&str> = cases.iter().map(|(id, ..)| *id).collect();
        for (action, (id, input, expected)) in actions(&ids).await.iter().zip(&cases) {
            let judged = action.reach_of(input.as_object().unwrap());
            assert_eq!(all_of(&judged).to_string(), *expected, "{id} {input}");
        }
    }
}
