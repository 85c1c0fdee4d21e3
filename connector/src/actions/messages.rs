//! What a user gets or is sent: verification, password and enrollment emails and tickets, and second factors.

use serde_json::{Value, json};

use super::{IdentityRef, done, filled, required};
use crate::action::{About, Action, CuratedAction, Effect};
use crate::client::Client;
use crate::core::error::Error;
use crate::core::id::{ConnectionId, UserId};
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape};
use crate::core::scope::need;
use crate::input::{body, input};

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

/// The family.
pub(super) const ACTIONS: &[Action] = &[
    Action::of::<SendVerificationEmail>(),
    Action::of::<CreateEmailVerificationTicket>(),
    Action::of::<CreatePasswordChangeTicket>(),
    Action::of::<SendPasswordResetEmail>(),
    Action::of::<CreateMfaEnrollmentTicket>(),
    Action::of::<ResetUserMfa>(),
];

body! {
    /// Input of `send-verification-email`.
    struct SendVerificationEmail {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
        /// Application in whose name it is sent.
        client_id: Option<String>,
        /// The identity to verify, where not the primary one.
        identity: Option<IdentityRef>,
        /// Organization in whose name it is sent.
        organization_id: Option<String>,
    }
}

impl CuratedAction for SendVerificationEmail {
    const ABOUT: About = About {
        id: "send-verification-email",
        title: "Send a verification email",
        description: "Has the tenant send the user an email that verifies the address. Answers the job that does it.",
        group: "users",
        effect: Effect::Send,
        idempotent: false,
        requests: &["POST /jobs/verification-email"],
        handles_personal_data: true,
        scopes: &[need(&["update:users"])],
        output: Output::One(&JOB),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        client.json(
            &Request::api(Method::Post, &ApiPath::of(&["jobs", "verification-email"])).json(&filled(self)?),
        )
    }
}

body! {
    /// Input of `create-email-verification-ticket`.
    struct CreateEmailVerificationTicket {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
        /// Where the person lands afterwards.
        result_url: Option<String>,
        /// Application whose settings apply. Excludes result_url.
        client_id: Option<String>,
        /// Organization whose settings apply. Excludes result_url.
        organization_id: Option<String>,
        /// Life of the link in seconds; 432000 (five days) by default.
        ttl_sec: Option<u32>,
        /// Put the address into the redirect.
        include_email_in_redirect as "includeEmailInRedirect": Option<bool>,
        /// The identity to verify, where not the primary one.
        identity: Option<IdentityRef>,
    }
}

impl CuratedAction for CreateEmailVerificationTicket {
    const ABOUT: About = About {
        id: "create-email-verification-ticket",
        title: "Create an email verification ticket",
        description: "Makes a link that verifies the user's address. No email is sent.",
        group: "users",
        effect: Effect::Create,
        idempotent: false,
        requests: &["POST /tickets/email-verification"],
        handles_personal_data: true,
        scopes: &[need(&["create:user_tickets"])],
        output: Output::One(&TICKET),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        one_landing(self.result_url.as_ref(), self.client_id.as_ref(), self.organization_id.as_ref())?;
        client.json(
            &Request::api(Method::Post, &ApiPath::of(&["tickets", "email-verification"]))
                .json(&filled(self)?),
        )
    }
}

body! {
    /// Input of `create-password-change-ticket`.
    #[schemars(extend("anyOf" = [{"required": ["user_id"]}, {"required": ["connection_id", "email"]}]))]
    struct CreatePasswordChangeTicket {
        /// Whole id of the user. Either this, or connection_id and email.
        user_id: Option<UserId>,
        /// Id of the connection. Together with email.
        connection_id: Option<ConnectionId>,
        /// Email address on that connection. Together with connection_id.
        email: Option<String>,
        /// Where the person lands afterwards.
        result_url: Option<String>,
        /// Application whose settings apply. Excludes result_url.
        client_id: Option<String>,
        /// Organization whose settings apply. Excludes result_url.
        organization_id: Option<String>,
        /// Life of the link in seconds; 432000 (five days) by default.
        ttl_sec: Option<u32>,
        /// The identity whose password it is, where not the primary one.
        identity: Option<IdentityRef>,
        /// Mark the address as verified when the link is used.
        mark_email_as_verified: Option<bool>,
        /// Put the address into the redirect.
        include_email_in_redirect as "includeEmailInRedirect": Option<bool>,
    }
}

impl CuratedAction for CreatePasswordChangeTicket {
    const ABOUT: About = About {
        id: "create-password-change-ticket",
        title: "Create a password-change ticket",
        description: "Makes a link that sets a new password, for a user or for an address on a connection. No email is sent.",
        group: "users",
        effect: Effect::Create,
        idempotent: false,
        requests: &["POST /tickets/password-change"],
        handles_personal_data: true,
        scopes: &[need(&["create:user_tickets"])],
        output: Output::One(&TICKET),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        match (&self.user_id, &self.connection_id, &self.email) {
            (Some(_), None, None) | (None, Some(_), Some(_)) => {}
            _ => {
                return Err(Error::invalid(
                    "give either `user_id`, or `connection_id` and `email`: whose password is meant",
                ));
            }
        }
        one_landing(self.result_url.as_ref(), self.client_id.as_ref(), self.organization_id.as_ref())?;
        client.json(
            &Request::api(Method::Post, &ApiPath::of(&["tickets", "password-change"])).json(&filled(self)?),
        )
    }
}

body! {
    /// Input of `send-password-reset-email`.
    struct SendPasswordResetEmail {
        /// Email address of the user.
        email: String,
        /// Name of the database connection.
        connection: String,
        /// Application in whose name it is sent; AUTH0_CLIENT_ID where absent.
        client_id: Option<String>,
        /// Organization in whose name it is sent.
        organization: Option<String>,
    }
}

impl CuratedAction for SendPasswordResetEmail {
    const ABOUT: About = About {
        id: "send-password-reset-email",
        title: "Send a password reset email",
        description: "Has the tenant email a reset link to a user of a database connection. The answer is the same whether \
                      the address exists or not.",
        group: "users",
        effect: Effect::Send,
        idempotent: false,
        requests: &[],
        handles_personal_data: true,
        scopes: &[],
        output: Output::One(&SENTENCE),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let settings = client.settings;
        let client_id = self.client_id.or_else(|| settings.client_id.clone());
        if client_id.is_none() {
            return Err(Error::invalid(
                "a reset email without `client_id` refused: say in which application's name it is sent",
            ));
        }
        required("email", &self.email)?;
        required("connection", &self.connection)?;
        let request = Request::at(Method::Post, "/dbconnections/change_password")
            .json(&filled(Self { client_id, ..self })?);
        let response = client.send_plain(&request, &settings.origin)?;
        let sentence = String::from_utf8_lossy(&response.body).trim().trim_matches('"').to_owned();
        Ok(json!({ "message": sentence }))
    }
}

body! {
    /// Input of `create-mfa-enrollment-ticket`.
    struct CreateMfaEnrollmentTicket {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
        /// Address to send the ticket to, where not the user's own.
        email: Option<String>,
        /// Send it by email.
        send_mail: Option<bool>,
        /// Language of the email, such as `en` or `pt-BR`.
        email_locale: Option<String>,
        /// The factor to enroll: push-notification, phone, email, otp, webauthn-roaming or webauthn-platform.
        factor: Option<String>,
        /// Allow a further enrollment beside existing ones.
        allow_multiple_enrollments: Option<bool>,
    }
}

impl CuratedAction for CreateMfaEnrollmentTicket {
    const ABOUT: About = About {
        id: "create-mfa-enrollment-ticket",
        title: "Create an MFA enrollment ticket",
        description: "Makes a ticket with which the user enrolls a second factor, and emails it where send_mail is true.",
        group: "users",
        effect: Effect::Send,
        idempotent: false,
        requests: &["POST /guardian/enrollments/ticket"],
        handles_personal_data: true,
        scopes: &[need(&["create:guardian_enrollment_tickets"])],
        output: Output::One(&MFA_TICKET),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        client.json(
            &Request::api(Method::Post, &ApiPath::of(&["guardian", "enrollments", "ticket"]))
                .json(&filled(self)?),
        )
    }
}

input! {
    /// Input of `reset-user-mfa`.
    struct ResetUserMfa {
        /// Whole id of the user, with its provider part.
        user_id: UserId,
    }
}

impl CuratedAction for ResetUserMfa {
    const ABOUT: About = About {
        id: "reset-user-mfa",
        title: "Reset a user's MFA",
        description: "Takes all second factors off a user, who must enroll anew.",
        group: "users",
        effect: Effect::Delete,
        idempotent: true,
        requests: &["DELETE /users/{id}/authenticators"],
        handles_personal_data: true,
        scopes: &[need(&["delete:guardian_enrollments"])],
        output: Output::Done,
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let path = ApiPath::of(&["users", self.user_id.as_str(), "authenticators"]);
        client.send(&Request::api(Method::Delete, &path)).map(|_| done())
    }
}
