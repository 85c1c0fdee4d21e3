//! Judges requests by the table that the build makes of the catalogue.

use http::HeaderMap;
use serde_json::{Map, Value};

use super::{Judgement, Reach, ReachSet};
use crate::{
    action::ApiRequest,
    bounded_text::kept,
    policy::{Json, is_json, request_path::RequestPath},
};

include!(concat!(env!("OUT_DIR"), "/reach_table.rs"));

/// One operation.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    /// Below `/api/v2`, with parameters in braces.
    pub(crate) path: &'static str,
    /// Its segments; `*` is a parameter.
    segments: &'static [&'static str],
    pub(crate) rows: &'static [Row],
}

/// One judgement of it.
#[derive(Debug)]
pub(crate) struct Row {
    /// Nothing where somebody has judged that it is harmless.
    pub(crate) reach: Option<Reach>,
    /// The members of the body that make it so, with dots; all requests are where there is none.
    pub(crate) members: &'static [&'static str],
    pub(crate) reason: &'static str,
}

const UNKNOWN_REQUEST: &str = "the table of operations does not have this request, so it may do anything";
const UNKNOWN_MEMBER: &str =
    "the table of operations does not have this member, so it may do what others can";
const REPLACED: &str = "it is replaced as a whole, with everything that the tenant keeps in it";
const UNREADABLE: &str = "the members of its body cannot be read: it is no JSON object with each key once, sent as application/json";

/// Lists the operations that the rule for reads does not cover.
pub(crate) fn operations() -> &'static [Operation] {
    OPERATIONS
}

/// Judges a request to the Management API, as the sender spells it. A path that can be read in several ways is judged in
/// each.
pub(crate) fn of_request(
    method: &str,
    path: &RequestPath,
    headers: &HeaderMap,
    body: &[u8],
) -> Vec<Judgement> {
    let found = find(method, path);
    if found.is_empty() {
        return unknown(method, &path.plain);
    }
    let by_member = found.iter().any(|operation| operation.is_judged_by_member());
    let body = if by_member { Body::read(headers, body) } else { Body::Empty };
    let mut judgements = Vec::new();
    // An id with a slash in it is no gap: only what the request says as it stands has to be known.
    if !found.iter().any(|operation| operation.fits(method, below_api(&path.plain))) {
        judgements = unknown(method, &path.plain);
    }
    for operation in found {
        operation.judge(&body, &mut judgements);
    }
    judgements
}

/// What an operation can do, all its members taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationReach {
    /// What it can do.
    pub reach: Reach,
    /// The members of its body by which it can, with dots; all its requests can where there is none.
    pub members: Vec<&'static str>,
    /// Why, in a phrase that completes "since".
    pub reason: &'static str,
}

impl OperationReach {
    /// Says that all requests can do it.
    pub fn of_all(reach: Reach, reason: &'static str) -> Self {
        Self { reach, members: Vec::new(), reason }
    }
}

/// Returns what the requests of an operation can do; parameters of its path stand in braces.
pub fn of_operation(request: &ApiRequest) -> Vec<OperationReach> {
    let Ok(path) = RequestPath::read(&request.path) else { return Vec::new() };
    let found = find(&request.method, &path);
    if found.is_empty() {
        let unknown = unknown(&request.method, &path.plain).into_iter();
        let whole = |judgement: Judgement| OperationReach::of_all(judgement.reach, judgement.reason);
        return unknown.map(whole).collect();
    }
    let rows = found.iter().flat_map(|operation| operation.rows);
    let known = rows.filter_map(|row| {
        Some(OperationReach { reach: row.reach?, members: row.members.to_vec(), reason: row.reason })
    });
    known.collect()
}

/// Returns what every request of an operation can do, whatever its body; parameters of its path stand in braces.
pub(crate) fn of_pattern(method: &str, path: &str) -> Vec<Judgement> {
    let Ok(path) = RequestPath::read(path) else { return Vec::new() };
    let found = find(method, &path);
    if found.is_empty() {
        return unknown(method, &path.plain);
    }
    found.into_iter().flat_map(Operation::whole).collect()
}

/// Judges an action's request before it is made, by the action's input: a member that is judged counts wherever it stands
/// in there. What the component makes of the input is judged again when it leaves.
pub fn of_input(request: &ApiRequest, input: &Map<String, Value>) -> Vec<Judgement> {
    let Ok(path) = RequestPath::read(&request.path) else { return Vec::new() };
    let found = find(&request.method, &path);
    if found.is_empty() {
        return unknown(&request.method, &path.plain);
    }
    let mut judgements = Vec::new();
    for operation in found {
        operation.judge(&Body::Empty, &mut judgements);
        if operation.is_judged_by_member() {
            operation.look_for_members(input, &mut judgements);
        }
    }
    judgements
}

/// Judges a request whose method, path and body the caller of an action has chosen. The path may leave `/api/v2` out.
pub fn of_custom_request(method: &str, path: &str, body: &Value) -> Vec<Judgement> {
    let method = method.to_ascii_uppercase();
    let path = path.split('?').next().unwrap_or_default();
    let begins = |text: &str| path.get(..text.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(text));
    let whole = if begins("/api/v2/") {
        path.to_owned()
    } else {
        format!("/api/v2/{}", path.trim_start_matches('/'))
    };
    let Ok(path) = RequestPath::read(&whole) else {
        return unknown(&method, &["api".to_owned(), "v2".to_owned()]);
    };
    let body = match body {
        Value::Null => Vec::new(),
        body => body.to_string().into_bytes(),
    };
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    of_request(&method, &path, &headers, &body)
}

/// Everything, for a request that the table does not have. What reads is covered by the rule for reads, and of the
/// tenant's other paths the destinations let one through, which asks for an email that anybody may ask for.
fn unknown(method: &str, path: &[String]) -> Vec<Judgement> {
    let is_api = matches!(path, [api, version, ..] if api.eq_ignore_ascii_case("api") && version.eq_ignore_ascii_case("v2"));
    if method == "GET" || !is_api {
        return Vec::new();
    }
    ReachSet::ALL.iter().map(|reach| Judgement { reach, member: None, reason: UNKNOWN_REQUEST }).collect()
}

/// Finds the operations that a request may be, in any reading of its path.
fn find(method: &str, path: &RequestPath) -> Vec<&'static Operation> {
    let mut found: Vec<&'static Operation> = Vec::new();
    for reading in path.readings.iter().chain(&path.loose_readings) {
        let segments = below_api(reading);
        for operation in OPERATIONS.iter().filter(|operation| operation.fits(method, segments)) {
            if !found.iter().any(|known| std::ptr::eq(*known, operation)) {
                found.push(operation);
            }
        }
    }
    found
}

/// The segments below `/api/v2`; none of a path elsewhere.
fn below_api(reading: &[String]) -> &[String] {
    match reading {
        [api, version, rest @ ..]
            if api.eq_ignore_ascii_case("api") && version.eq_ignore_ascii_case("v2") =>
        {
            rest
        }
        _ => &[],
    }
}

/// A body, as far as it matters.
enum Body {
    Empty,
    Object(Vec<(String, Json)>),
    Unreadable,
}

impl Body {
    fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        if body.is_empty() {
            return Self::Empty;
        }
        match serde_json::from_slice(body) {
            Ok(Json::Object(members)) if is_json(headers) => Self::Object(members),
            _ => Self::Unreadable,
        }
    }
}

impl Operation {
    fn fits(&self, method: &str, segments: &[String]) -> bool {
        let mut parts = self.segments.iter().zip(segments);
        self.method == method
            && self.segments.len() == segments.len()
            && parts.all(|(wanted, found)| *wanted == "*" || wanted.eq_ignore_ascii_case(found))
    }

    fn is_judged_by_member(&self) -> bool {
        self.rows.iter().any(|row| !row.members.is_empty())
    }

    /// What all its requests can do.
    pub(crate) fn whole(&self) -> Vec<Judgement> {
        let mut judgements = Vec::new();
        self.judge(&Body::Empty, &mut judgements);
        judgements
    }

    fn judge(&self, body: &Body, judgements: &mut Vec<Judgement>) {
        for row in self.rows.iter().filter(|row| row.members.is_empty()) {
            add(judgements, row.reach, None, row.reason);
        }
        if !self.is_judged_by_member() {
            return;
        }
        match body {
            Body::Empty => {}
            Body::Unreadable => self.add_all(judgements, None, UNREADABLE),
            Body::Object(members) => {
                for (name, value) in members {
                    let members = match value {
                        Json::Object(inner) => Some(inner.as_slice()),
                        Json::Other => None,
                    };
                    self.judge_member(name, members, judgements);
                }
            }
        }
    }

    /// Judges a member of a body; `path` has dots, `inner` is what is in it, where it is an object.
    fn judge_member(&self, path: &str, inner: Option<&[(String, Json)]>, judgements: &mut Vec<Judgement>) {
        if self.is_judged(path) {
            self.add_member(path, judgements);
        } else if !self.is_judged_within(path) {
            self.add_all(judgements, Some(path), UNKNOWN_MEMBER);
        } else if let Some(inner) = inner.filter(|inner| !inner.is_empty()) {
            for (name, value) in inner {
                let inner = match value {
                    Json::Object(inner) => Some(inner.as_slice()),
                    Json::Other => None,
                };
                self.judge_member(&format!("{path}.{name}"), inner, judgements);
            }
        } else {
            self.add_all(judgements, Some(path), REPLACED);
        }
    }

    /// Looks for judged members in any object of an input.
    fn look_for_members(&self, input: &Map<String, Value>, judgements: &mut Vec<Judgement>) {
        for (name, value) in input {
            if self.is_judged(name) {
                self.add_member(name, judgements);
            } else if self.is_judged_within(name) {
                let json = serde_json::from_str(&value.to_string()).unwrap_or(Json::Other);
                let inner = match &json {
                    Json::Object(inner) => Some(inner.as_slice()),
                    Json::Other => None,
                };
                self.judge_member(name, inner, judgements);
            } else {
                self.look_within(value, judgements);
            }
        }
    }

    fn look_within(&self, value: &Value, judgements: &mut Vec<Judgement>) {
        match value {
            Value::Object(members) => self.look_for_members(members, judgements),
            Value::Array(items) => {
                for item in items {
                    match item {
                        // A list of names says which members are to be emptied: `unset` of `update-user`.
                        Value::String(name) if self.is_judged(name) => self.add_member(name, judgements),
                        item => self.look_within(item, judgements),
                    }
                }
            }
            _ => {}
        }
    }

    fn members(&self) -> impl Iterator<Item = (&'static str, &'static Row)> {
        self.rows.iter().flat_map(|row| row.members.iter().map(move |member| (*member, row)))
    }

    fn is_judged(&self, path: &str) -> bool {
        self.members().any(|(member, _)| member.eq_ignore_ascii_case(path))
    }

    /// Whether members of this member are judged one by one.
    fn is_judged_within(&self, path: &str) -> bool {
        let begins =
            |member: &str| member.get(..path.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(path));
        self.members().any(|(member, _)| begins(member) && member.as_bytes().get(path.len()) == Some(&b'.'))
    }

    fn add_member(&self, path: &str, judgements: &mut Vec<Judgement>) {
        for (_, row) in self.members().filter(|(member, _)| member.eq_ignore_ascii_case(path)) {
            add(judgements, row.reach, Some(path), row.reason);
        }
    }

    /// Adds whatever any member can do.
    fn add_all(&self, judgements: &mut Vec<Judgement>, path: Option<&str>, reason: &'static str) {
        let all: ReachSet = self.members().filter_map(|(_, row)| row.reach).collect();
        all.iter().for_each(|reach| add(judgements, Some(reach), path, reason));
    }
}

/// Adds a judgement. Of each reach the first two reasons are enough: a body may have any number of members.
fn add(judgements: &mut Vec<Judgement>, reach: Option<Reach>, member: Option<&str>, reason: &'static str) {
    const MOST: usize = 2;
    let Some(reach) = reach else { return };
    let same = judgements.iter().filter(|known| known.reach == reach);
    if same.clone().count() < MOST && !same.clone().any(|known| known.reason == reason) {
        judgements.push(Judgement { reach, member: member.map(|path| kept(path.to_owned())), reason });
    }
}

#[cfg(test)]
mod tests {
    use super::super::all_of;
    use super::*;

    fn json() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, "application/json".parse().unwrap());
        headers
    }

    fn reach_with(request: &str, headers: &HeaderMap, body: &str) -> String {
        let (method, path) = request.split_once(' ').unwrap();
        let path = RequestPath::read(path).unwrap();
        all_of(&of_request(method, &path, headers, body.as_bytes())).to_string()
    }

    fn reach(request: &str, body: &str) -> String {
        reach_with(request, &json(), body)
    }

    #[test]
    fn a_request_is_judged_by_what_it_is_in_every_spelling_that_a_server_may_take() {
        let all = ReachSet::ALL.to_string();
        for (request, expected) in [
            ("POST /api/v2/client-grants", "escalates"),
            ("POST /api/v2/CLIENT-GRANTS", "escalates"),
            ("POST /api/v2/%63lient-grants", "escalates"),
            ("POST /api/v2/%2563lient-grants", all.as_str()),
            ("POST /api/v2/clients/x/rotate-secret", "escalates"),
            ("POST /api/v2/clients/x/rotate%2Dsecret", "escalates"),
            ("POST /api/v2/clients/x%5Crotate-secret", all.as_str()),
            ("POST /api/v2/roles/x%2Fpermissions", all.as_str()),
            ("PUT /api/v2/rules-configs/x%2Fy", "runs-code"),
            ("PATCH /api/v2/users/x%2Fy", ""),
            ("PATCH /api/v2/users/ad%7CCORP%5Cana", ""),
            ("DELETE /api/v2/users/x%2Fauthenticators", "takes-over"),
            ("DELETE /api/v2/users/x%5Cauthenticators", "takes-over"),
            ("DELETE /api/v2/users/x", ""),
            ("POST /api/v2/roles", ""),
            ("PATCH /api/v2/custom-domains/default", "weakens"),
            ("GET /api/v2/client-grants", ""),
            ("GET /api/v2/what-auth0-adds-next", ""),
            ("POST /api/v2/what-auth0-adds-next", all.as_str()),
            ("PUT /api/v2/client-grants", all.as_str()),
            ("DELETE /api/v2/users/x/what-auth0-adds-next", all.as_str()),
            ("POST /dbconnections/change_password", ""),
        ] {
            assert_eq!(reach(request, ""), expected, "{request}");
        }
    }

    #[test]
    fn a_body_is_judged_by_its_members_and_what_nobody_has_judged_is_everything_that_others_can() {
        let user = "PATCH /api/v2/users/auth0%7C1";
        let client = "PATCH /api/v2/clients/x";
        let connection = "PATCH /api/v2/connections/con_1";
        let users = "takes-over, grants-people";
        let clients = "runs-code, exfiltrates, escalates, weakens";
        for (request, body, expected) in [
            (user, "", ""),
            (user, "{}", ""),
            (user, "{\"blocked\":true,\"nickname\":\"n\"}", ""),
            (user, "{\"user_metadata\":{\"password\":\"x\"}}", ""),
            (user, "{\"password\":\"x\"}", "takes-over"),
            (user, "{\"Password\":\"x\"}", "takes-over"),
            (user, "{\"p\\u0061ssword\":\"x\"}", "takes-over"),
            (user, "{\"app_metadata\":{}}", "grants-people"),
            (user, "{\"email\":null,\"app_metadata\":null}", users),
            (user, "{\"a_new_member\":1}", users),
            (user, "{\"blocked\":true,\"blocked\":false}", users),
            (user, "blocked=true", users),
            (user, "[{\"blocked\":true}]", users),
            (client, "{\"client_metadata\":{\"rotated\":\"2026\"}}", ""),
            (client, "{\"client_secret\":\"chosen\"}", "escalates"),
            (client, "{\"grant_types\":[]}", "escalates"),
            (client, "{\"callbacks\":[\"https://a.example\"]}", "exfiltrates"),
            (client, "{\"allowed_origins\":[\"https://a.example\"]}", "weakens"),
            (client, "{\"custom_login_page\":\"<script>\"}", "runs-code"),
            (client, "{\"a_new_member\":1}", clients),
            (connection, "{\"display_name\":\"x\"}", ""),
            (connection, "{\"options\":{\"customScripts\":{\"login\":\"\"}}}", "runs-code"),
            (connection, "{\"options\":{\"discovery_url\":\"https://a.example\"}}", "exfiltrates"),
            (connection, "{\"options\":{\"passwordPolicy\":\"none\"}}", "weakens"),
            (connection, "{\"options\":{\"a_new_member\":1}}", clients),
            (connection, "{\"options\":{}}", clients),
            (connection, "{\"options\":null}", clients),
            (connection, "{\"options\":[{\"passwordPolicy\":\"none\"}]}", clients),
            (connection, "{\"customScripts\":{}}", clients),
            ("POST /api/v2/clients", "{\"name\":\"x\"}", "escalates"),
            ("POST /api/v2/clients", "", "escalates"),
        ] {
            assert_eq!(reach(request, body), expected, "{request} {body}");
        }
        let mut form = HeaderMap::new();
        form.insert(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
        for headers in [HeaderMap::new(), form] {
            assert_eq!(reach_with(user, &headers, "{\"nickname\":\"&password=x\"}"), users);
        }
    }

    #[test]
    fn judgements_keep_little_of_what_a_component_chose() {
        let path = RequestPath::read("/api/v2/users/x").unwrap();
        let wide: String = (0..5000).map(|number| format!("\"{}{number}\":1,", "x".repeat(100))).collect();
        let long = format!("{{{wide}\"{}\":1}}", "y".repeat(1 << 20));
        let judgements = of_request("PATCH", &path, &json(), long.as_bytes());
        assert!(judgements.len() <= 4, "{}", judgements.len());
        let huge = format!("{{\"{}\":1}}", "y".repeat(1 << 20));
        let kept = format!("{:?}", of_request("PATCH", &path, &json(), huge.as_bytes()));
        assert!(kept.len() < 20_000, "{}", kept.len());
    }

    #[test]
    fn an_input_is_judged_by_the_members_that_its_request_would_have() {
        let patch = |path: &str| ApiRequest::new("PATCH", path);
        for (request, input, expected) in [
            (patch("/api/v2/users/{id}"), serde_json::json!({"user_id": "auth0|1"}), ""),
            (patch("/api/v2/users/{id}"), serde_json::json!({"changes": {"email": "a@b.c"}}), "takes-over"),
            (patch("/api/v2/users/{id}"), serde_json::json!({"changes": {"nickname": "n"}}), ""),
            (
                patch("/api/v2/users/{id}"),
                serde_json::json!({"unset": ["nickname", "app_metadata"]}),
                "grants-people",
            ),
            (patch("/api/v2/clients/{id}"), serde_json::json!({"client_id": "x"}), ""),
            (patch("/api/v2/clients/{id}"), serde_json::json!({"id": "x", "callbacks": []}), "exfiltrates"),
            (
                patch("/api/v2/connections/{id}"),
                serde_json::json!({"id": "x", "options": {"new": 1}}),
                "runs-code, exfiltrates, escalates, weakens",
            ),
            (ApiRequest::new("POST", "/api/v2/client-grants"), serde_json::json!({}), "escalates"),
            (ApiRequest::new("GET", "/api/v2/users"), serde_json::json!({"password": "x"}), ""),
            (ApiRequest::new("PUT", "/api/v2/next"), serde_json::json!({}), &ReachSet::ALL.to_string()),
        ] {
            let judged = of_input(&request, input.as_object().unwrap());
            assert_eq!(all_of(&judged).to_string(), expected, "{request:?} {input}");
        }
    }

    #[test]
    fn a_custom_request_is_judged_as_it_will_leave() {
        let body = serde_json::json!({"password": "x"});
        for (method, path, expected) in [
            ("PATCH", "/api/v2/users/auth0|1", "takes-over"),
            ("patch", "/users/auth0|1", "takes-over"),
            ("PATCH", "users/auth0|1?x=y", "takes-over"),
            ("PATCH", "/API/V2/users/auth0|1", "takes-over"),
            ("GET", "/users", ""),
            ("POST", "/client-grants", "escalates"),
            ("POST", "/next", &ReachSet::ALL.to_string()),
            ("POST", "/users//x", &ReachSet::ALL.to_string()),
        ] {
            assert_eq!(
                all_of(&of_custom_request(method, path, &body)).to_string(),
                expected,
                "{method} {path}"
            );
        }
        let text = serde_json::json!("password=x");
        let judged = all_of(&of_custom_request("PATCH", "/users/x", &text)).to_string();
        assert_eq!(judged, "takes-over, grants-people");
    }

    #[test]
    fn words_and_table_are_the_catalogue_s() {
        let words = auth0_catalog::Reach::ALL.map(auth0_catalog::Reach::as_str);
        assert_eq!(Reach::ALL.map(Reach::as_str), words);
        for word in words {
            let reach: Reach = word.parse().unwrap();
            assert_eq!(serde_json::to_value(reach).unwrap(), word);
        }
        assert!("destroys".parse::<Reach>().unwrap_err().to_string().contains("runs-code, exfiltrates"));
        for operation in auth0_catalog::read().unwrap() {
            let request = ApiRequest::new(&operation.method, format!("/api/v2{}", operation.path));
            let judged = of_operation(&request);
            for judgement in operation.reach.iter().filter(|judgement| judgement.reach.is_some()) {
                let word = judgement.reach.unwrap().as_str();
                assert!(judged.iter().any(|one| one.reach.as_str() == word), "{}: {word}", operation.name);
            }
            if operation.reach.iter().all(|judgement| judgement.reach.is_none()) {
                assert_eq!(judged, [], "{}", operation.name);
            }
        }
    }
}
