//! What the tenant answers: whether it is one, its clock, the token, what is left of the rate limit, its email provider.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, response::Parts};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use serde_json::Value;

use super::{Check, Finding, Plan, Topic, Verdict, scopes};
use crate::{
    egress::token::{Token, TokenError},
    tenant::Tenant,
};

/// More than a delayed answer and whole seconds explain. Tokens live for hours and do not mind; `x-ratelimit-reset` and
/// assertions of private keys are compared with the tenant's clock.
const SKEW_TO_TELL: i64 = 30;
/// An assertion of a private key lives for five minutes at most (Auth0): a clock that is further off makes it expired or
/// not yet valid.
const SKEW_TO_FAIL: i64 = 300;

type Answer = (Parts, Bytes);

/// Asks the tenant.
pub(super) async fn examine(tenant: &Tenant, plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    match tenant.egress().ask("/.well-known/openid-configuration", None).await {
        Ok(answer) => {
            let domain = domain(plan, &answer);
            let is_a_tenant = domain.verdict != Verdict::Fail;
            findings.push(domain);
            // Credentials are not sent to whoever is no tenant.
            if !is_a_tenant {
                return findings;
            }
            findings.push(clock(plan, &answer.0.headers));
        }
        Err(error) => {
            let advice =
                "try again; where it stays so, look at what stands between this machine and the tenant";
            findings.push(Finding::new(Check::Domain, Verdict::Fail, error.to_string()).advise(advice));
            return findings;
        }
    }
    let token = match token(tenant, plan).await {
        Ok((token, finding)) => {
            findings.push(finding);
            token
        }
        Err(finding) => {
            findings.push(finding);
            return findings;
        }
    };
    // Reads one id of an application, or is refused for want of a scope: either way the token was taken.
    let probe = "/api/v2/clients?per_page=1&fields=client_id&include_fields=true";
    let authorization = token.authorization();
    match tenant.egress().ask(probe, authorization.clone()).await {
        Ok((head, body)) if head.status == StatusCode::UNAUTHORIZED || is_no_token(head.status, &body) => {
            findings.retain(|finding| finding.check != Check::Token);
            findings.push(
                Finding::new(
                    Check::Token,
                    Verdict::Fail,
                    format!("the Management API refuses it: {}", message(&body)),
                )
                .advise("fetch another token for this tenant and the audience of its Management API")
                .about(Topic::Audience),
            );
            return findings;
        }
        Ok((head, _)) => {
            findings.push(scopes::examine(tenant, token.scope()).await);
            findings.push(rate_limit(&head.headers, head.status));
        }
        Err(error) => {
            findings
                .push(Finding::new(Check::RateLimit, Verdict::Fail, error.to_string()).advise("try again"));
            return findings;
        }
    }
    let provider = "/api/v2/emails/provider?fields=name,enabled&include_fields=true";
    findings.push(match tenant.egress().ask(provider, authorization).await {
        Ok(answer) => mail(plan, &answer),
        Err(error) => Finding::new(Check::Mail, Verdict::Warn, error.to_string()).advise("try again"),
    });
    findings
}

fn domain(plan: &Plan, (head, body): &Answer) -> Finding {
    let issuer = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|document| document.get("issuer").and_then(Value::as_str).map(str::to_owned));
    match issuer {
        Some(issuer) if issuer == format!("https://{}/", plan.domain) => {
            Finding::new(Check::Domain, Verdict::Ok, format!("{} is a tenant", plan.domain))
        }
        Some(issuer) => {
            Finding::new(Check::Domain, Verdict::Warn, format!("the tenant calls itself {}", printable(&issuer))).advise(
                "where the domain is a custom one, set the audience to https://TENANT.REGION.auth0.com/api/v2/ of the \
                 tenant's own domain",
            )
            .about(Topic::Audience)
        }
        None => Finding::new(
            Check::Domain,
            Verdict::Fail,
            format!("{} answers, but not as a tenant (status {})", plan.domain, head.status.as_u16()),
        )
        .advise("check the domain's spelling and region: it is on the application's page in the Auth0 dashboard"),
    }
}

fn clock(plan: &Plan, headers: &HeaderMap) -> Finding {
    let date = headers
        .get(header::DATE)
        .and_then(|date| date.to_str().ok())
        .and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
    let Some(date) = date else {
        return Finding::new(Check::Clock, Verdict::Warn, "the tenant's answer has no usable Date header");
    };
    let skew = Timestamp::now().as_second() - date.as_second();
    let direction = if skew < 0 { "behind" } else { "ahead of" };
    let found = format!("this machine is {} s {direction} the tenant", skew.abs());
    match skew.abs() {
        0..=SKEW_TO_TELL => Finding::new(Check::Clock, Verdict::Ok, found),
        off => {
            let fatal = off > SKEW_TO_FAIL && plan.signs_with_a_key;
            let verdict = if fatal { Verdict::Fail } else { Verdict::Warn };
            let advice = "set this machine's clock (NTP): assertions of private keys live for five minutes, and waits for the \
                          rate limit are counted by the tenant's clock";
            Finding::new(Check::Clock, verdict, found).advise(advice)
        }
    }
}

async fn token(tenant: &Tenant, plan: &Plan) -> Result<(std::sync::Arc<Token>, Finding), Finding> {
    let failed =
        |found: String, advice: &str| Finding::new(Check::Token, Verdict::Fail, found).advise(advice);
    let token = if plan.has_credentials { tenant.egress().token().await } else { None };
    let Some(token) = token else {
        let advice = "give an application's id and secret or private key, or a token";
        return Err(failed("there are no credentials".to_owned(), advice).about(Topic::Credentials));
    };
    match token {
        Ok(token) => {
            let found = match token.expires_in() {
                Some(0) => {
                    return Err(failed("the token has expired".to_owned(), "fetch another one"));
                }
                Some(seconds) => format!("there is one; it ends in {}", duration(seconds)),
                None => "there is one; when it ends is not known".to_owned(),
            };
            Ok((token, Finding::new(Check::Token, Verdict::Ok, found)))
        }
        Err(error) => {
            let finding = |advice: &str| failed(error.to_string(), advice);
            Err(match &error {
                TokenError::Refused(refusal) if refusal.status == StatusCode::FORBIDDEN => finding(
                    "authorize the application for the Auth0 Management API (dashboard: Applications, APIs), and check \
                     the audience",
                )
                .about(Topic::Audience),
                TokenError::Refused(_) => finding(
                    "check client id and secret (or key), and that the application may use the client credentials grant",
                ),
                _ => finding("see what is said of network and TLS, and try again"),
            })
        }
    }
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

fn rate_limit(headers: &HeaderMap, status: StatusCode) -> Finding {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let (limit, remaining) = (number("x-ratelimit-limit"), number("x-ratelimit-remaining"));
    let finding = |verdict, found: String| Finding::new(Check::RateLimit, verdict, found);
    match (limit, remaining) {
        _ if status == StatusCode::TOO_MANY_REQUESTS => finding(Verdict::Warn, "it is used up".to_owned())
            .advise("find out what else uses the tenant's limit"),
        (Some(limit), Some(remaining)) if remaining * 10 < limit => {
            finding(Verdict::Warn, format!("{remaining} of {limit} requests are left"))
                .advise("find out what else uses the tenant's limit")
        }
        (Some(limit), Some(remaining)) => {
            finding(Verdict::Ok, format!("{remaining} of {limit} requests are left"))
        }
        _ => finding(Verdict::Ok, "the tenant tells of none".to_owned()),
    }
}

fn mail(plan: &Plan, (head, body): &Answer) -> Finding {
    let finding = |verdict, found: String| Finding::new(Check::Mail, verdict, found);
    match head.status {
        StatusCode::OK => {
            let provider = serde_json::from_slice::<Value>(body).unwrap_or_default();
            let name = printable(provider.get("name").and_then(Value::as_str).unwrap_or("unnamed"));
            let enabled = provider.get("enabled").and_then(Value::as_bool).unwrap_or(true);
            match plan.mail_provider {
                _ if !enabled => {
                    finding(Verdict::Warn, format!("{name} is switched off, so send-email will fail"))
                        .advise("switch it on in the Auth0 dashboard where emails are to be sent")
                }
                Some(held) if held == name => {
                    finding(Verdict::Ok, format!("{name}; the host has credentials for it"))
                }
                held => {
                    let other = if held.is_some() { "credentials for another one" } else { "no credentials" };
                    finding(Verdict::Warn, format!("{name}; the host has {other}, so send-email will fail"))
                        .advise("give the host that provider's where emails are to be sent")
                        .about(Topic::EmailCredentials)
                }
            }
        }
        StatusCode::NOT_FOUND if plan.mail_provider.is_some() => finding(
            Verdict::Warn,
            "the tenant has no email provider, and the host has credentials".to_owned(),
        )
        .advise("set a provider up in the Auth0 dashboard (Branding, Email Provider)"),
        StatusCode::NOT_FOUND => {
            finding(Verdict::Ok, "the tenant has no email provider: send-email is not used".to_owned())
        }
        StatusCode::FORBIDDEN => {
            finding(Verdict::Warn, "not known: the token lacks read:email_provider".to_owned())
                .advise("grant that scope where emails are to be sent")
        }
        status => {
            finding(Verdict::Warn, format!("not known: status {}", status.as_u16())).advise("try again")
        }
    }
}

/// Auth0's answer to what has not the form of a token: a 400 with the code "Bearer".
fn is_no_token(status: StatusCode, body: &[u8]) -> bool {
    let code = serde_json::from_slice::<Value>(body).unwrap_or_default();
    status == StatusCode::BAD_REQUEST && code.get("errorCode").and_then(Value::as_str) == Some("Bearer")
}

fn message(body: &[u8]) -> String {
    let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
    printable(body.get("message").and_then(Value::as_str).unwrap_or("no reason is given"))
}

/// Keeps a terminal whole, whatever a server says.
fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect()
}
