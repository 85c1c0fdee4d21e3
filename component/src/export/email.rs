//! Glue of `email`.

use super::bindings::exports::auth0::management::email as wit;
use super::{Connector, Read, call, id, json_object};
use auth0_connector::actions::email::{SendEmail, Sender, send_email};

impl wit::Guest for Connector {
    fn send_email(input: wit::SendEmailInput) -> Result<wit::SendEmailOutput, wit::Error> {
        let output = call("send-email", |client| {
            let input = SendEmail {
                from: input.from.map(|from| Sender { name: from.name, email: from.email }),
                to: input.to,
                subject: input.subject,
                body: input.body,
                custom_vars: json_object("custom-vars", input.custom_vars)?,
                user_id: input.user_id.map(|text| id(&text)).transpose()?,
            };
            send_email(client, input)
        })?;
        Ok(wit::SendEmailOutput { success: output.flag("success").unwrap_or(false) })
    }
}
