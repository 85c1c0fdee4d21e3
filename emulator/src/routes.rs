//! Which handler answers which request, and the checks that come before it, in Auth0's order: authentication, scopes,
//! path, query, body – then the handler, which checks existence and rules (facts, section 2). Nothing tells where
//! the rate limits stand in it; here they come after authentication, so that nobody uses a tenant's limits up without
//! a token.

use http::{Method, StatusCode, header};
use serde_json::{Map, Value};

use crate::call::{Answer, Body, Call, Query, Refusal};
use crate::http_server::{Incomer, Outcome};
use crate::limits::{Standing, Verdict};
use crate::operation::{self, Operation};
use crate::server::Shared;
use crate::tenant::Tenant;
use crate::{
    blocks, clients, connections, email, factors, identities, logs, organizations, roles, search, sessions,
    settings, tickets, tokens, users,
};

/// Where the Management API lives.
const API: &str = "/api/v2";

/// A tenant refuses longer request lines.
const MAX_QUERY: usize = 8 * 1024;

/// The template that a request matches, for the record.
pub(crate) fn template(incomer: &Incomer) -> Option<String> {
    let path = incomer.path.strip_prefix(API)?;
    operation::find(incomer.method.as_str(), path).map(|(operation, _)| format!("{API}{}", operation.path))
}

/// Answers a request to the tenant.
pub(crate) fn answer(shared: &Shared, incomer: &Incomer) -> Outcome {
    if incomer.too_large {
        let refusal = Refusal::plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Payload content length greater than maximum allowed: 1048576",
        );
        return refusal.into_answer().into();
    }
    if incomer.query.as_deref().unwrap_or_default().len() > MAX_QUERY {
        return Refusal::plain(StatusCode::URI_TOO_LONG, "Request-URI Too Large").into_answer().into();
    }
    if let Some(path) = incomer.path.strip_prefix(API) {
        return management(shared, incomer, path);
    }
    let mut tenant = shared.tenant();
    let answer = match (&incomer.method, incomer.path.as_str()) {
        (&Method::POST, tokens::PATH) => token(&mut tenant, incomer),
        (&Method::GET, "/.well-known/jwks.json") => Answer::ok(tenant.tokens.keys.jwks()),
        (&Method::GET, "/.well-known/openid-configuration") => Answer::ok(tokens::discovery(&tenant)),
        (&Method::POST, "/dbconnections/change_password") => {
            let form = read_form(incomer).unwrap_or_default();
            tickets::change_password(&mut tenant, &form)
        }
        _ => Refusal::no_such_path().into_answer(),
    };
    let authorized = incomer.path == tokens::PATH && answer.status == StatusCode::OK;
    Outcome { answer, route: None, authorized }
}

fn token(tenant: &mut Tenant, incomer: &Incomer) -> Answer {
    let verdict = tenant.limits.authentication();
    if let Verdict::GlobalEmpty(standing) | Verdict::EndpointEmpty(standing) = verdict {
        return with_standing(tokens::too_many(), Some(standing));
    }
    let standing = if let Verdict::Pass(standing) = verdict { Some(standing) } else { None };
    let form = read_form(incomer).unwrap_or_default();
    with_standing(tokens::issue(tenant, &incomer.headers, &form), standing)
}

/// A body in either of the two forms that the Authentication API takes.
fn read_form(incomer: &Incomer) -> Option<Map<String, Value>> {
    if is_form(incomer) {
        return Some(
            form_urlencoded::parse(&incomer.body)
                .map(|(key, value)| (key.into_owned(), value.into_owned().into()))
                .collect(),
        );
    }
    serde_json::from_slice(&incomer.body).ok()
}

fn is_form(incomer: &Incomer) -> bool {
    content_type(incomer).starts_with("application/x-www-form-urlencoded")
}

fn content_type(incomer: &Incomer) -> String {
    incomer
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase()
}

fn with_standing(answer: Answer, standing: Option<Standing>) -> Answer {
    let Some(standing) = standing else { return answer };
    answer
        .header("x-ratelimit-limit", &standing.limit.to_string())
        .header("x-ratelimit-remaining", &standing.remaining.to_string())
        .header("x-ratelimit-reset", &standing.reset.to_string())
}

fn management(shared: &Shared, incomer: &Incomer, path: &str) -> Outcome {
    let Some((operation, params)) = operation::find(incomer.method.as_str(), path) else {
        return Refusal::no_such_path().into_answer().into();
    };
    let route = Some(format!("{API}{}", operation.path));
    let mut tenant = shared.tenant();
    let caller = match tokens::authenticate(&tenant, &incomer.headers) {
        Ok(caller) => caller,
        Err(refusal) => return Outcome { answer: refusal.into_answer(), route, authorized: false },
    };
    let standing = match tenant.limits.management(&operation.key) {
        Verdict::Unlimited => None,
        Verdict::Pass(standing) => Some(standing),
        refused @ (Verdict::GlobalEmpty(standing) | Verdict::EndpointEmpty(standing)) => {
            let message = if matches!(refused, Verdict::GlobalEmpty(_)) {
                "Global limit has been reached"
            } else {
                "Too many requests. Check the X-RateLimit-Limit, X-RateLimit-Remaining and X-RateLimit-Reset headers."
            };
            if tenant.limits.worth_reporting() {
                tenant.log(
                    "api_limit",
                    "The maximum number of requests to the Management API was reached",
                    |row| {
                        row.insert("client_id".into(), caller.client_id.as_str().into());
                    },
                );
            }
            let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
            return Outcome {
                answer: with_standing(refusal.into_answer(), Some(standing)),
                route,
                authorized: true,
            };
        }
    };
    let text =
        |name: &str| incomer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut call = Call {
        operation,
        params,
        query: Query::parse(incomer.query.as_deref()),
        body: Value::Null,
        caller,
        path: incomer.path.clone(),
        user_agent: text("user-agent").unwrap_or_else(|| "Other 0.0.0 / Other 0.0.0".to_owned()),
        correlation_id: text("x-correlation-id").filter(|id| id.len() <= 64 && operation.method != "GET"),
        origin: shared.base_url.clone(),
    };
    let result = check(operation, &mut call, incomer).and_then(|()| dispatch(&mut tenant, &call));
    let answer = match result {
        Ok(answer) => {
            if let Some(title) = &operation.title {
                let body = if let Body::Json(body) = &answer.body {
                    body.clone()
                } else {
                    Value::Object(Map::new())
                };
                logs::write(&mut tenant, &call, "sapi", title, answer.status.as_u16(), &body);
            }
            answer
        }
        Err(refusal) => refusal.into_answer(),
    };
    Outcome { answer: with_standing(answer, standing), route, authorized: true }
}

fn check(operation: &'static Operation, call: &mut Call, incomer: &Incomer) -> Result<(), Refusal> {
    operation.check_scopes(&call.caller)?;
    operation.check_path(&call.params)?;
    operation.check_query(&call.query)?;
    if incomer.body.is_empty() || operation.method == "GET" {
        return operation
            .check_body(&Value::Null)
            .or_else(|refusal| if operation.method == "GET" { Ok(()) } else { Err(refusal) });
    }
    let kind = content_type(incomer);
    call.body = if is_form(incomer) {
        form_urlencoded::parse(&incomer.body)
            .map(|(key, value)| (key.to_string(), operation.coerce(&key, value.into_owned())))
            .collect::<Map<String, Value>>()
            .into()
    } else if kind.is_empty() || kind.starts_with("application/json") {
        serde_json::from_slice(&incomer.body)
            .map_err(|_| Refusal::plain(StatusCode::BAD_REQUEST, "Invalid request payload JSON format"))?
    } else {
        return Err(Refusal::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type"));
    };
    operation.check_body(&call.body)
}

fn dispatch(tenant: &mut Tenant, call: &Call) -> Result<Answer, Refusal> {
    let handler: fn(&mut Tenant, &Call) -> Result<Answer, Refusal> = match call.operation.key.as_str() {
        "GET /users" => search::list,
        "POST /users" => users::create,
        "GET /users/{id}" => users::get,
        "PATCH /users/{id}" => users::update,
        "DELETE /users/{id}" => users::delete,
        "GET /users-by-email" => users::by_email,
        "GET /users/{id}/organizations" => users::organizations,
        "GET /users/{id}/roles" => roles::of_user,
        "POST /users/{id}/roles" => roles::assign,
        "DELETE /users/{id}/roles" => roles::remove,
        "GET /users/{id}/permissions" => roles::user_permissions,
        "POST /users/{id}/permissions" => roles::add_user_permissions,
        "DELETE /users/{id}/permissions" => roles::remove_user_permissions,
        "GET /users/{id}/logs" => logs::of_user,
        "POST /users/{id}/identities" => identities::link,
        "DELETE /users/{id}/identities/{provider}/{user_id}" => identities::unlink,
        "GET /users/{id}/enrollments" => factors::enrollments,
        "DELETE /users/{id}/authenticators" => factors::delete_authenticators,
        "GET /users/{id}/authentication-methods" => factors::methods,
        "DELETE /users/{id}/authentication-methods" => factors::delete_methods,
        "GET /users/{id}/authentication-methods/{authentication_method_id}" => factors::method,
        "DELETE /users/{id}/authentication-methods/{authentication_method_id}" => factors::delete_method,
        "POST /users/{id}/multifactor/actions/invalidate-remember-browser" => factors::forget_browsers,
        "DELETE /users/{id}/multifactor/{provider}" => factors::delete_provider,
        "POST /users/{id}/recovery-code-regeneration" => factors::recovery_code,
        "GET /guardian/enrollments/{id}" => factors::enrollment,
        "DELETE /guardian/enrollments/{id}" => factors::delete_enrollment,
        "POST /users/{id}/revoke-access" => sessions::revoke_access,
        "GET /users/{user_id}/sessions" => sessions::list,
        "DELETE /users/{user_id}/sessions" => sessions::delete_all,
        "GET /users/{user_id}/refresh-tokens" => sessions::list_tokens,
        "DELETE /users/{user_id}/refresh-tokens" => sessions::delete_tokens,
        "GET /sessions/{id}" => sessions::get,
        "PATCH /sessions/{id}" => sessions::update,
        "DELETE /sessions/{id}" => sessions::delete,
        "POST /sessions/{id}/revoke" => sessions::revoke,
        "GET /refresh-tokens/{id}" => sessions::get_token,
        "DELETE /refresh-tokens/{id}" => sessions::delete_token,
        "GET /refresh-tokens" => sessions::search_tokens,
        "POST /refresh-tokens/revoke" => sessions::revoke_tokens,
        "GET /user-blocks" => blocks::get_by_identifier,
        "DELETE /user-blocks" => blocks::delete_by_identifier,
        "GET /user-blocks/{id}" => blocks::get,
        "DELETE /user-blocks/{id}" => blocks::delete,
        "GET /roles" => roles::list,
        "POST /roles" => roles::create,
        "GET /roles/{id}" => roles::get,
        "PATCH /roles/{id}" => roles::update,
        "DELETE /roles/{id}" => roles::delete,
        "GET /roles/{id}/users" => roles::users,
        "POST /roles/{id}/users" => roles::assign_users,
        "GET /roles/{id}/permissions" => roles::permissions,
        "POST /roles/{id}/permissions" => roles::add_permissions,
        "DELETE /roles/{id}/permissions" => roles::remove_permissions,
        "GET /resource-servers" => roles::resource_servers,
        "GET /resource-servers/{id}" => roles::resource_server,
        "GET /clients" => clients::list,
        "POST /clients" => clients::create,
        "GET /clients/{id}" => clients::get,
        "PATCH /clients/{id}" => clients::update,
        "DELETE /clients/{id}" => clients::delete,
        "POST /clients/{id}/rotate-secret" => clients::rotate,
        "GET /clients/{client_id}/credentials" => clients::credentials,
        "POST /clients/{client_id}/credentials" => clients::create_credential,
        "GET /clients/{client_id}/credentials/{credential_id}" => clients::credential,
        "DELETE /clients/{client_id}/credentials/{credential_id}" => clients::delete_credential,
        "GET /clients/{id}/connections" => connections::of_client,
        "GET /client-grants" => clients::grants,
        "GET /client-grants/{id}" => clients::grant,
        "GET /connections" => connections::list,
        "POST /connections" => connections::create,
        "GET /connections/{id}" => connections::get,
        "PATCH /connections/{id}" => connections::update,
        "DELETE /connections/{id}" => connections::delete,
        "GET /connections/{id}/clients" => connections::clients,
        "PATCH /connections/{id}/clients" => connections::set_clients,
        "DELETE /connections/{id}/users" => connections::delete_user,
        "GET /organizations" => organizations::list,
        "POST /organizations" => organizations::create,
        "GET /organizations/{id}" => organizations::get,
        "GET /organizations/name/{name}" => organizations::get_by_name,
        "PATCH /organizations/{id}" => organizations::update,
        "DELETE /organizations/{id}" => organizations::delete,
        "GET /logs" => logs::list,
        "GET /logs/{id}" => logs::get,
        "GET /tenants/settings" => settings::get,
        "PATCH /tenants/settings" => settings::update,
        "GET /stats/active-users" => settings::active_users,
        "GET /stats/daily" => settings::daily,
        "GET /emails/provider" => email::provider,
        "POST /emails/provider" => email::create_provider,
        "PATCH /emails/provider" => email::update_provider,
        "DELETE /emails/provider" => email::delete_provider,
        "GET /email-templates/{templateName}" => email::template,
        "POST /email-templates" => email::create_template,
        "PATCH /email-templates/{templateName}" => email::update_template,
        "PUT /email-templates/{templateName}" => email::replace_template,
        "POST /tickets/password-change" => tickets::password_change,
        "POST /tickets/email-verification" => tickets::email_verification,
        "POST /jobs/verification-email" => tickets::verification_email,
        "GET /jobs/{id}" => tickets::job,
        "GET /jobs/{id}/errors" => tickets::job_errors,
        "POST /guardian/enrollments/ticket" => tickets::enrollment,
        _ => return Err(Refusal::no_such_path()),
    };
    handler(tenant, call)
}
