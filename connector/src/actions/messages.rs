//! What a user gets or is sent: verification, password and enrollment mails and tickets, and second factors.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::users::OneUser;
use super::{IdentityRef, done, filled, required, text};
use crate::catalog::{Action, Effect, need, parse};
use crate::client::Client;
use crate::core::error::Error;
use crate::core::id::{ConnectionId, UserId};
use crate::core::json::object;
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape, input};
use crate::input::members;

/// Input of `send-verification-email`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SendVerificationEmail {
    /// Whole id of the user, with its provider part.
    pub user_id: UserId,
    /// Application in whose name it is sent.
    pub client_id: Option<String>,
    /// The identity to verify, where not the primary one.
    pub identity: Option<IdentityRef>,
    /// Organization in whose name it is sent.
    pub organization_id: Option<String>,
}

members!(SendVerificationEmail { user_id, client_id, identity, organization_id });

/// Input of `create-email-verification-ticket`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CreateEmailVerificationTicket {
    /// Whole id of the user, with its provider part.
    pub user_id: UserId,
    /// Where the person lands afterwards.
    pub result_url: Option<String>,
    /// Application whose settings apply. Excludes result_url.
    pub client_id: Option<String>,
    /// Organization whose settings apply. Excludes result_url.
    pub organization_id: Option<String>,
    /// Life of the link in seconds; 432000 (five days) by default.
    pub ttl_sec: Option<u32>,
    /// Put the address into the redirect.
    #[schemars(rename = "includeEmailInRedirect")]
    pub include_email_in_redirect: Option<bool>,
    /// The identity to verify, where not the primary one.
    pub identity: Option<IdentityRef>,
}

members!(CreateEmailVerificationTicket { user_id, result_url, client_id, organization_id, ttl_sec, include_email_in_redirect as "includeEmailInRedirect", identity });

/// Input of `create-password-change-ticket`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{"required": ["user_id"]}, {"required": ["connection_id", "email"]}]))]
pub struct CreatePasswordChangeTicket {
    /// Whole id of the user. Either this, or connection_id and email.
    pub user_id: Option<UserId>,
    /// Id of the connection. Together with email.
    pub connection_id: Option<ConnectionId>,
    /// E-mail address on that connection. Together with connection_id.
    pub email: Option<String>,
    /// Where the person lands afterwards.
    pub result_url: Option<String>,
    /// Application whose settings apply. Excludes result_url.
    pub client_id: Option<String>,
    /// Organization whose settings apply. Excludes result_url.
    pub organization_id: Option<String>,
    /// Life of the link in seconds; 432000 (five days) by default.
    pub ttl_sec: Option<u32>,
    /// The identity whose password it is, where not the primary one.
    pub identity: Option<IdentityRef>,
    /// Mark the address as verified when the link is used.
    pub mark_email_as_verified: Option<bool>,
    /// Put the address into the redirect.
    #[schemars(rename = "includeEmailInRedirect")]
    pub include_email_in_redirect: Option<bool>,
}

members!(CreatePasswordChangeTicket { user_id, connection_id, email, result_url, client_id, organization_id, ttl_sec, identity, mark_email_as_verified, include_email_in_redirect as "includeEmailInRedirect" });

/// Input of `send-password-reset-email`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SendPasswordResetEmail {
    /// E-mail address of the user.
    pub email: String,
    /// Name of the database connection.
    pub connection: String,
    /// Application in whose name it is sent; AUTH0_CLIENT_ID where absent.
    pub client_id: Option<String>,
    /// Organization in whose name it is sent.
    pub organization: Option<String>,
}

members!(SendPasswordResetEmail { email, connection, client_id, organization });

/// Input of `create-mfa-enrollment-ticket`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CreateMfaEnrollmentTicket {
    /// Whole id of the user, with its provider part.
    pub user_id: UserId,
    /// Address to send the ticket to, where not the user's own.
    pub email: Option<String>,
    /// Send it by mail.
    pub send_mail: Option<bool>,
    /// Language of the mail, such as `en` or `pt-BR`.
    pub email_locale: Option<String>,
    /// The factor to enroll: push-notification, phone, email, otp, webauthn-roaming or webauthn-platform.
    pub factor: Option<String>,
    /// Allow a further enrollment beside existing ones.
    pub allow_multiple_enrollments: Option<bool>,
}

members!(CreateMfaEnrollmentTicket {
    user_id,
    email,
    send_mail,
    email_locale,
    factor,
    allow_multiple_enrollments
});

fn one_landing(
    result_url: Option<&String>,
    client_id: Option<&String>,
    org: Option<&String>,
) -> Result<(), Error> {
    if result_url.is_some() && (client_id.is_some() || org.is_some()) {
        return Err(Error::invalid(
            "`result_url` together with `client_id` or `organization_id` refused: give one of them",
        ));
    }
    Ok(())
}

/// Has the tenant send a verification mail.
///
/// # Errors
/// As the contract's `users.send-verification-email`.
pub fn send_verification_email(
    client: &mut Client<'_>,
    input: &SendVerificationEmail,
) -> Result<Value, Error> {
    let body = object([
        ("user_id", Some(input.user_id.as_str().into())),
        ("client_id", text(input.client_id.as_ref())),
        ("identity", input.identity.as_ref().map(IdentityRef::json)),
        ("organization_id", text(input.organization_id.as_ref())),
    ]);
    client
        .json(&Request::api(Method::Post, &ApiPath::of(&["jobs", "verification-email"])).json(&filled(body)?))
}

/// Makes a link that verifies the user's address.
///
/// # Errors
/// As the contract's `users.create-email-verification-ticket`.
pub fn create_email_verification_ticket(
    client: &mut Client<'_>,
    input: &CreateEmailVerificationTicket,
) -> Result<Value, Error> {
    one_landing(input.result_url.as_ref(), input.client_id.as_ref(), input.organization_id.as_ref())?;
    let body = object([
        ("user_id", Some(input.user_id.as_str().into())),
        ("result_url", text(input.result_url.as_ref())),
        ("client_id", text(input.client_id.as_ref())),
        ("organization_id", text(input.organization_id.as_ref())),
        ("ttl_sec", input.ttl_sec.map(Value::from)),
        ("includeEmailInRedirect", input.include_email_in_redirect.map(Value::from)),
        ("identity", input.identity.as_ref().map(IdentityRef::json)),
    ]);
    client.json(
        &Request::api(Method::Post, &ApiPath::of(&["tickets", "email-verification"])).json(&filled(body)?),
    )
}

/// Makes a link that sets a new password.
///
/// # Errors
/// As the contract's `users.create-password-change-ticket`.
pub fn create_password_change_ticket(
    client: &mut Client<'_>,
    input: &CreatePasswordChangeTicket,
) -> Result<Value, Error> {
    match (&input.user_id, &input.connection_id, &input.email) {
        (Some(_), None, None) | (None, Some(_), Some(_)) => {}
        _ => {
            return Err(Error::invalid(
                "give either `user_id`, or `connection_id` and `email`: whose password is meant",
            ));
        }
    }
    one_landing(input.result_url.as_ref(), input.client_id.as_ref(), input.organization_id.as_ref())?;
    let body = object([
        ("user_id", input.user_id.as_ref().map(|id| id.as_str().into())),
        ("connection_id", input.connection_id.as_ref().map(|id| id.as_str().into())),
        ("email", text(input.email.as_ref())),
        ("result_url", text(input.result_url.as_ref())),
        ("client_id", text(input.client_id.as_ref())),
        ("organization_id", text(input.organization_id.as_ref())),
        ("ttl_sec", input.ttl_sec.map(Value::from)),
        ("identity", input.identity.as_ref().map(IdentityRef::json)),
        ("mark_email_as_verified", input.mark_email_as_verified.map(Value::from)),
        ("includeEmailInRedirect", input.include_email_in_redirect.map(Value::from)),
    ]);
    client
        .json(&Request::api(Method::Post, &ApiPath::of(&["tickets", "password-change"])).json(&filled(body)?))
}

/// Has the tenant mail a reset link. This is the Authentication API: no token, no scopes, an answer in plain text.
///
/// # Errors
/// As the contract's `users.send-password-reset-email`.
pub fn send_password_reset_email(
    client: &mut Client<'_>,
    input: &SendPasswordResetEmail,
) -> Result<Value, Error> {
    let settings = client.settings;
    let Some(client_id) = input.client_id.as_ref().or(settings.client_id.as_ref()) else {
        return Err(Error::invalid(
            "a reset mail without `client_id` refused: say in which application's name it is sent",
        ));
    };
    let body = object([
        ("client_id", text(Some(client_id))),
        ("email", Some(required("email", &input.email)?)),
        ("connection", Some(required("connection", &input.connection)?)),
        ("organization", text(input.organization.as_ref())),
    ]);
    let request = Request::at(Method::Post, "/dbconnections/change_password").json(&filled(body)?);
    let response = client.send_plain(&request, &settings.origin)?;
    let sentence = String::from_utf8_lossy(&response.body).trim().trim_matches('"').to_owned();
    Ok(json!({ "message": sentence }))
}

/// Makes a ticket to enroll a second factor.
///
/// # Errors
/// As the contract's `users.create-mfa-enrollment-ticket`.
pub fn create_mfa_enrollment_ticket(
    client: &mut Client<'_>,
    input: &CreateMfaEnrollmentTicket,
) -> Result<Value, Error> {
    let body = object([
        ("user_id", Some(input.user_id.as_str().into())),
        ("email", text(input.email.as_ref())),
        ("send_mail", input.send_mail.map(Value::from)),
        ("email_locale", text(input.email_locale.as_ref())),
        ("factor", text(input.factor.as_ref())),
        ("allow_multiple_enrollments", input.allow_multiple_enrollments.map(Value::from)),
    ]);
    client.json(
        &Request::api(Method::Post, &ApiPath::of(&["guardian", "enrollments", "ticket"]))
            .json(&filled(body)?),
    )
}

/// Takes all second factors off a user.
///
/// # Errors
/// As the contract's `users.reset-user-mfa`.
pub fn reset_user_mfa(client: &mut Client<'_>, input: &OneUser) -> Result<Value, Error> {
    let path = ApiPath::of(&["users", input.user_id.as_str(), "authenticators"]);
    client.send(&Request::api(Method::Delete, &path)).map(|_| done())
}

const JOB: Shape = Shape(&[
    ("id", Kind::Text, "Id of the job"),
    ("type", Kind::Text, "Kind of job"),
    ("status", Kind::Text, "pending, completed or failed"),
    ("created_at", Kind::Time, "When it was created"),
]);

const TICKET: Shape = Shape(&[("ticket", Kind::Text, "The link. A secret of the user")]);

const MFA_TICKET: Shape = Shape(&[
    ("ticket_id", Kind::Text, "Id of the ticket"),
    ("ticket_url", Kind::Text, "The link for the person. A secret of the user"),
]);

const SENTENCE: Shape =
    Shape(&[("message", Kind::Text, "The tenant's sentence, whether the address exists or not")]);

/// The family's lines of the table.
pub const ACTIONS: &[Action] = &[
    Action {
        id: "send-verification-email",
        title: "Send a verification e-mail",
        description: "Has the tenant send the user a mail that verifies the address. Answers the job that does it.",
        group: "users",
        effect: Effect::Send,
        idempotent: false,
        requests: &["POST /jobs/verification-email"],
        personal: true,
        scopes: &[need(&["update:users"])],
        input: input::<SendVerificationEmail>,
        output: Output::One(&JOB),
        run: |client, value| send_verification_email(client, &parse(value)?),
    },
    Action {
        id: "create-email-verification-ticket",
        title: "Create an e-mail verification ticket",
        description: "Makes a link that verifies the user's address. No mail is sent.",
        group: "users",
        effect: Effect::Create,
        idempotent: false,
        requests: &["POST /tickets/email-verification"],
        personal: true,
        scopes: &[need(&["create:user_tickets"])],
        input: input::<CreateEmailVerificationTicket>,
        output: Output::One(&TICKET),
        run: |client, value| create_email_verification_ticket(client, &parse(value)?),
    },
    Action {
        id: "create-password-change-ticket",
        title: "Create a password-change ticket",
        description: "Makes a link that sets a new password, for a user or for an address on a connection. No mail is sent.",
        group: "users",
        effect: Effect::Create,
        idempotent: false,
        requests: &["POST /tickets/password-change"],
        personal: true,
        scopes: &[need(&["create:user_tickets"])],
        input: input::<CreatePasswordChangeTicket>,
        output: Output::One(&TICKET),
        run: |client, value| create_password_change_ticket(client, &parse(value)?),
    },
    Action {
        id: "send-password-reset-email",
        title: "Send a password reset e-mail",
        description: "Has the tenant mail a reset link to a user of a database connection. The answer is the same whether \
                      the address exists or not.",
        group: "users",
        effect: Effect::Send,
        idempotent: false,
        requests: &[],
        personal: true,
        scopes: &[],
        input: input::<SendPasswordResetEmail>,
        output: Output::One(&SENTENCE),
        run: |client, value| send_password_reset_email(client, &parse(value)?),
    },
    Action {
        id: "create-mfa-enrollment-ticket",
        title: "Create an MFA enrollment ticket",
        description: "Makes a ticket with which the user enrolls a second factor, and mails it where send_mail is true.",
        group: "users",
        effect: Effect::Send,
        idempotent: false,
        requests: &["POST /guardian/enrollments/ticket"],
        personal: true,
        scopes: &[need(&["create:guardian_enrollment_tickets"])],
        input: input::<CreateMfaEnrollmentTicket>,
        output: Output::One(&MFA_TICKET),
        run: |client, value| create_mfa_enrollment_ticket(client, &parse(value)?),
    },
    Action {
        id: "reset-user-mfa",
        title: "Reset a user's MFA",
        description: "Takes all second factors off a user, who must enroll anew.",
        group: "users",
        effect: Effect::Delete,
        idempotent: true,
        requests: &["DELETE /users/{id}/authenticators"],
        personal: true,
        scopes: &[need(&["delete:guardian_enrollments"])],
        input: input::<OneUser>,
        output: Output::Done,
        run: |client, value| reset_user_mfa(client, &parse(value)?),
    },
];
