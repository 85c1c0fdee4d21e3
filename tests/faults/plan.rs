//! What each action asks of the tenant when nothing goes wrong, request by request. The matrix puts each fault on each of
//! these; a dry run holds the table to what the tenant saw.

use auth0_tests::{DATABASE, OfflineTenant, encoded, newcomer};
use serde_json::{Value, json};

const API: &str = "https://api.acme.example/";
const TOM: &str = "tom.becker@acme.example";
const GUEST: &str = "108251222085688410000";

/// One request of an action.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Method and path; `{}` stands for an id.
    pub(super) request: &'static str,
    pub(super) answer: Answer,
    pub(super) door: Door,
    /// A second one finds nothing any more (404), so that a repetition cannot tell what the first one did.
    pub(super) gone_after: bool,
    /// Its failure is written into the result instead of ending the action.
    pub(super) noted: bool,
}

/// What the action needs of a successful answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// JSON that it reads.
    Read,
    /// Nothing, although there is a body.
    Ignored,
    /// Nothing, and there is no body (202).
    Empty,
    /// Nothing, and HTTP allows no body (204).
    NoContent,
}

/// Which credential the host puts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// The tenant's token.
    Token,
    /// None: an endpoint of the tenant that takes none.
    Open,
    /// The email provider's key.
    Mail,
}

impl Step {
    pub(super) fn method(&self) -> &'static str {
        self.request.split_once(' ').expect("method and path").0
    }

    const fn answers(self, answer: Answer) -> Self {
        Self { answer, ..self }
    }

    const fn gone_after(self) -> Self {
        Self { gone_after: true, ..self }
    }
}

const fn reads(request: &'static str) -> Step {
    Step { request, answer: Answer::Read, door: Door::Token, gone_after: false, noted: false }
}

const fn done(request: &'static str) -> Step {
    reads(request).answers(Answer::NoContent)
}

type Input = fn(&OfflineTenant) -> Value;

/// An action, an input with which it succeeds on the demo's tenant, and the requests that it then makes.
pub(super) struct Plan {
    /// The action, and where it has several forms, which.
    pub(super) name: &'static str,
    pub(super) input: Input,
    pub(super) steps: &'static [Step],
}

impl Plan {
    pub(super) fn action(&self) -> &'static str {
        self.name.split(' ').next().expect("a name")
    }
}

const fn plan(name: &'static str, input: Input, steps: &'static [Step]) -> Plan {
    Plan { name, input, steps }
}

fn tom(tenant: &OfflineTenant) -> Value {
    json!({"user_id": tenant.user(TOM)})
}

fn sales(tenant: &OfflineTenant) -> Value {
    json!({"role_id": tenant.role("Sales")})
}

fn permissions(tenant: &OfflineTenant) -> Value {
    let permission = json!({"resource_server_identifier": API, "permission_name": "read:code"});
    json!({"role_id": tenant.role("Sales"), "permissions": [permission]})
}

fn billing(tenant: &OfflineTenant) -> Value {
    json!({"client_id": tenant.application("Acme Billing")})
}

fn custom(tenant: &OfflineTenant, method: &str, body: Option<Value>) -> Value {
    let path = match method {
        "POST" => "/api/v2/roles".to_owned(),
        "PUT" => "/api/v2/email-templates/verify_email".to_owned(),
        _ => format!("/api/v2/users/{}", encoded(&tenant.user(TOM))),
    };
    json!({"method": method, "path": path, "body": body})
}

fn template(_: &OfflineTenant) -> Value {
    json!({
        "template": "verify_email", "body": "<p>x</p>", "from": "a@acme.example", "subject": "s", "syntax": "liquid",
        "enabled": true,
    })
}

/// Brings the tenant to where the action can succeed.
pub(super) async fn prepare(tenant: &OfflineTenant, plan: &Plan) {
    if plan.action() == "unlink-identity" {
        let identity = json!({"user_id": format!("google-oauth2|{GUEST}")});
        tenant.run("link-user", json!({"user_id": tenant.user(TOM), "identity": identity})).await;
    }
    if plan.name == "custom-request PUT" {
        let create = json!({"method": "POST", "path": "/api/v2/email-templates", "body": template(tenant)});
        tenant.run("custom-request", create).await;
    }
    tenant.control.reset_counters();
}

pub(super) const PLANS: &[Plan] = &[
    plan("list-users", |_| json!({}), &[reads("GET /api/v2/users")]),
    plan("get-user", tom, &[reads("GET /api/v2/users/{}")]),
    plan("find-users-by-email", |_| json!({"email": TOM}), &[reads("GET /api/v2/users-by-email")]),
    plan("create-user", |_| newcomer("new@acme.example"), &[reads("POST /api/v2/users")]),
    plan(
        "update-user",
        |tenant| json!({"user_id": tenant.user(TOM), "changes": {"nickname": "t"}}),
        &[reads("PATCH /api/v2/users/{}")],
    ),
    plan("delete-user", tom, &[done("DELETE /api/v2/users/{}")]),
    plan("block-user", tom, &[reads("PATCH /api/v2/users/{}")]),
    plan("unblock-user", tom, &[reads("PATCH /api/v2/users/{}")]),
    plan("list-user-logs", tom, &[reads("GET /api/v2/users/{}/logs")]),
    plan(
        "link-user",
        |tenant| json!({"user_id": tenant.user(TOM), "identity": {"user_id": format!("google-oauth2|{GUEST}")}}),
        &[reads("POST /api/v2/users/{}/identities")],
    ),
    plan(
        "unlink-identity",
        |tenant| json!({"user_id": tenant.user(TOM), "provider": "google-oauth2", "identity_user_id": GUEST}),
        &[reads("DELETE /api/v2/users/{}/identities/google-oauth2/{}").gone_after()],
    ),
    plan("get-user-blocks", tom, &[reads("GET /api/v2/user-blocks/{}")]),
    plan("clear-user-blocks", tom, &[done("DELETE /api/v2/user-blocks/{}")]),
    plan("send-verification-email", tom, &[reads("POST /api/v2/jobs/verification-email")]),
    plan("create-email-verification-ticket", tom, &[reads("POST /api/v2/tickets/email-verification")]),
    plan("create-password-change-ticket", tom, &[reads("POST /api/v2/tickets/password-change")]),
    plan(
        "send-password-reset-email",
        |tenant| json!({"email": TOM, "connection": DATABASE, "client_id": tenant.application("Acme Portal")}),
        &[Step { door: Door::Open, ..reads("POST /dbconnections/change_password").answers(Answer::Ignored) }],
    ),
    plan("create-mfa-enrollment-ticket", tom, &[reads("POST /api/v2/guardian/enrollments/ticket")]),
    plan("reset-user-mfa", tom, &[done("DELETE /api/v2/users/{}/authenticators")]),
    plan("list-user-sessions", tom, &[reads("GET /api/v2/users/{}/sessions")]),
    plan("delete-user-sessions", tom, &[reads("DELETE /api/v2/users/{}/sessions").answers(Answer::Ignored)]),
    plan(
        "delete-user-refresh-tokens",
        tom,
        &[reads("DELETE /api/v2/users/{}/refresh-tokens").answers(Answer::Ignored)],
    ),
    plan("revoke-user-access", tom, &[reads("POST /api/v2/users/{}/revoke-access").answers(Answer::Ignored)]),
    plan("list-roles", |_| json!({}), &[reads("GET /api/v2/roles")]),
    plan("get-role", sales, &[reads("GET /api/v2/roles/{}")]),
    plan("create-role", |_| json!({"name": "Auditor"}), &[reads("POST /api/v2/roles")]),
    plan(
        "update-role",
        |tenant| json!({"role_id": tenant.role("Sales"), "description": "x"}),
        &[reads("PATCH /api/v2/roles/{}")],
    ),
    plan("delete-role", sales, &[reads("DELETE /api/v2/roles/{}").answers(Answer::Ignored).gone_after()]),
    plan("list-user-roles", tom, &[reads("GET /api/v2/users/{}/roles")]),
    plan(
        "assign-user-roles",
        |tenant| json!({"user_id": tenant.user(TOM), "role_names": ["Sales"]}),
        &[reads("GET /api/v2/roles"), done("POST /api/v2/users/{}/roles")],
    ),
    plan(
        "remove-user-roles",
        |tenant| json!({"user_id": tenant.user(TOM), "role_names": ["Engineer"]}),
        &[reads("GET /api/v2/roles"), done("DELETE /api/v2/users/{}/roles")],
    ),
    plan("list-role-users", sales, &[reads("GET /api/v2/roles/{}/users")]),
    plan("list-role-permissions", sales, &[reads("GET /api/v2/roles/{}/permissions")]),
    plan(
        "add-role-permissions",
        permissions,
        &[reads("POST /api/v2/roles/{}/permissions").answers(Answer::Ignored)],
    ),
    plan("remove-role-permissions", permissions, &[done("DELETE /api/v2/roles/{}/permissions")]),
    plan("list-logs", |_| json!({"take": 3}), &[reads("GET /api/v2/logs")]),
    plan(
        "get-log",
        |tenant| json!({"log_id": tenant.control.logs()[0]["log_id"]}),
        &[reads("GET /api/v2/logs/{}")],
    ),
    plan("list-applications", |_| json!({}), &[reads("GET /api/v2/clients")]),
    plan("get-application", billing, &[reads("GET /api/v2/clients/{}")]),
    plan(
        "rotate-client-secret",
        billing,
        &[
            reads("POST /api/v2/clients/{}/rotate-secret"),
            Step { noted: true, ..reads("PATCH /api/v2/clients/{}") },
        ],
    ),
    plan(
        "find-stale-secrets",
        |_| json!({}),
        &[
            reads("GET /api/v2/clients"),
            reads("GET /api/v2/logs"),
            reads("GET /api/v2/logs"),
            reads("GET /api/v2/clients/{}/credentials"),
        ],
    ),
    plan("list-connections", |_| json!({}), &[reads("GET /api/v2/connections")]),
    plan(
        "get-connection",
        |tenant| json!({"connection_id": tenant.connection_id(DATABASE)}),
        &[reads("GET /api/v2/connections/{}")],
    ),
    plan(
        "send-email",
        |tenant| {
            json!({
                "to": "a@acme.example", "subject": "{{ friendly_name }}", "body": "b",
                "user_id": tenant.user(TOM),
            })
        },
        &[
            reads("GET /api/v2/emails/provider"),
            reads("GET /api/v2/users/{}"),
            reads("GET /api/v2/tenants/settings"),
            Step { door: Door::Mail, ..reads("POST /v3/mail/send").answers(Answer::Empty) },
        ],
    ),
    plan("test-connection", |_| json!({}), &[reads("GET /api/v2/users").answers(Answer::Ignored)]),
    plan(
        "custom-request GET",
        |tenant| custom(tenant, "GET", None),
        &[reads("GET /api/v2/users/{}").answers(Answer::Ignored)],
    ),
    plan(
        "custom-request POST",
        |tenant| custom(tenant, "POST", Some(json!({"name": "Auditor"}))),
        &[reads("POST /api/v2/roles").answers(Answer::Ignored)],
    ),
    plan(
        "custom-request PATCH",
        |tenant| custom(tenant, "PATCH", Some(json!({"nickname": "t"}))),
        &[reads("PATCH /api/v2/users/{}").answers(Answer::Ignored)],
    ),
    plan(
        "custom-request PUT",
        |tenant| custom(tenant, "PUT", Some(template(tenant))),
        &[reads("PUT /api/v2/email-templates/verify_email").answers(Answer::Ignored)],
    ),
    plan(
        "custom-request DELETE",
        |tenant| custom(tenant, "DELETE", None),
        &[done("DELETE /api/v2/users/{}")],
    ),
];
