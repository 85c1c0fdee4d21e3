//! Glue of `users`.

use serde_json::{Map, Value};

use super::bindings::exports::auth0::management::users as wit;
use super::{Connector, Read, call, fields, id, json_object, selection};
use auth0_connector::actions::{IdentityRef, messages, users};
use auth0_connector::core::error::Error;

fn user(value: &Value) -> wit::User {
    wit::User {
        user_id: value.text("user_id"),
        email: value.text("email"),
        email_verified: value.flag("email_verified"),
        username: value.text("username"),
        phone_number: value.text("phone_number"),
        phone_verified: value.flag("phone_verified"),
        name: value.text("name"),
        nickname: value.text("nickname"),
        given_name: value.text("given_name"),
        family_name: value.text("family_name"),
        picture: value.text("picture"),
        blocked: value.flag("blocked"),
        created_at: value.text("created_at"),
        updated_at: value.text("updated_at"),
        last_login: value.text("last_login"),
        last_ip: value.text("last_ip"),
        logins_count: value.number("logins_count"),
        identities: value.each("identities", identity),
        user_metadata: value.bag("user_metadata"),
        app_metadata: value.bag("app_metadata"),
        raw: value.to_string(),
    }
}

fn identity(value: &Value) -> wit::Identity {
    wit::Identity {
        connection: value.text("connection"),
        provider: value.text("provider"),
        user_id: value.text("user_id"),
        is_social: value.flag("isSocial"),
    }
}

fn one_user(user_id: &str) -> Result<users::OneUser, Error> {
    Ok(users::OneUser { user_id: id(user_id)? })
}

fn identity_ref(identity: &wit::IdentityRef) -> Result<IdentityRef, Error> {
    Ok(IdentityRef { provider: id(&identity.provider)?, user_id: id(&identity.user_id)? })
}

fn block_target(target: &wit::BlockTarget) -> Result<users::BlockTarget, Error> {
    Ok(match target {
        wit::BlockTarget::UserId(user_id) => {
            users::BlockTarget { user_id: Some(id(user_id)?), identifier: None }
        }
        wit::BlockTarget::Identifier(identifier) => {
            users::BlockTarget { user_id: None, identifier: Some(identifier.clone()) }
        }
    })
}

/// The body of an update: what is set, then `null` for what is unset.
fn changes(changes: wit::UserChanges) -> Result<(Map<String, Value>, Option<bool>), Error> {
    let mut body = Map::new();
    let texts = [
        ("email", changes.email),
        ("phone_number", changes.phone_number),
        ("username", changes.username),
        ("password", changes.password),
        ("name", changes.name),
        ("nickname", changes.nickname),
        ("given_name", changes.given_name),
        ("family_name", changes.family_name),
        ("picture", changes.picture),
        ("connection", changes.connection),
        ("client_id", changes.client_id),
    ];
    let flags = [
        ("email_verified", changes.email_verified),
        ("phone_verified", changes.phone_verified),
        ("blocked", changes.blocked),
        ("verify_email", changes.verify_email),
        ("verify_phone_number", changes.verify_phone_number),
    ];
    let bags = [
        ("user_metadata", json_object("user-metadata", changes.user_metadata)?),
        ("app_metadata", json_object("app-metadata", changes.app_metadata)?),
    ];
    let set = texts.into_iter().filter_map(|(name, text)| Some((name, text?.into())));
    let set = set.chain(flags.into_iter().filter_map(|(name, flag)| Some((name, flag?.into()))));
    let set = set.chain(bags.into_iter().filter_map(|(name, bag)| Some((name, Value::Object(bag?)))));
    body.extend(set.map(|(name, value)| (name.to_owned(), value)));
    let unset = changes.unset.unwrap_or(wit::NullableFields::empty());
    let nullable = [
        ("email", wit::NullableFields::EMAIL),
        ("phone_number", wit::NullableFields::PHONE_NUMBER),
        ("given_name", wit::NullableFields::GIVEN_NAME),
        ("family_name", wit::NullableFields::FAMILY_NAME),
        ("name", wit::NullableFields::NAME),
        ("nickname", wit::NullableFields::NICKNAME),
        ("picture", wit::NullableFields::PICTURE),
        ("password", wit::NullableFields::PASSWORD),
        ("username", wit::NullableFields::USERNAME),
    ];
    for (name, _) in nullable.into_iter().filter(|(_, flag)| unset.contains(*flag)) {
        if body.insert(name.to_owned(), Value::Null).is_some() {
            return Err(Error::invalid(format!("`{name}` refused: it is both set and unset")));
        }
    }
    Ok((body, changes.allow_metadata_wipe))
}

impl wit::Guest for Connector {
    fn list_users(input: wit::ListUsersInput) -> Result<wit::UserPage, wit::Error> {
        let input = users::ListUsers {
            q: input.q,
            sort: input.sort,
            fields: fields(input.fields),
            include_fields: input.include_fields,
            page: input.page,
            per_page: input.per_page,
            include_totals: input.include_totals,
        };
        let page = call("list-users", |client| users::list_users(client, &input))?;
        Ok(wit::UserPage {
            items: page.each("items", user),
            total: page.number("total"),
            next: page.next_page(),
        })
    }

    fn get_user(user_id: String, fields: Option<wit::FieldSelection>) -> Result<wit::User, wit::Error> {
        let (fields, include_fields) = selection(fields);
        let value = call("get-user", |client| {
            users::get_user(client, &users::GetUser { user_id: id(&user_id)?, fields, include_fields })
        })?;
        Ok(user(&value))
    }

    fn find_users_by_email(
        email: String,
        fields: Option<wit::FieldSelection>,
    ) -> Result<Vec<wit::User>, wit::Error> {
        let (fields, include_fields) = selection(fields);
        let input = users::FindUsersByEmail { email, fields, include_fields };
        let list = call("find-users-by-email", |client| users::find_users_by_email(client, &input))?;
        Ok(list.each("items", user))
    }

    fn create_user(input: wit::CreateUserInput) -> Result<wit::User, wit::Error> {
        let value = call("create-user", |client| {
            let input = users::CreateUser {
                connection: input.connection,
                email: input.email,
                phone_number: input.phone_number,
                username: input.username,
                password: input.password,
                user_id: input.user_id,
                name: input.name,
                nickname: input.nickname,
                given_name: input.given_name,
                family_name: input.family_name,
                picture: input.picture,
                blocked: input.blocked,
                email_verified: input.email_verified,
                phone_verified: input.phone_verified,
                verify_email: input.verify_email,
                user_metadata: json_object("user-metadata", input.user_metadata)?,
                app_metadata: json_object("app-metadata", input.app_metadata)?,
            };
            users::create_user(client, input)
        })?;
        Ok(user(&value))
    }

    fn update_user(user_id: String, input: wit::UserChanges) -> Result<wit::User, wit::Error> {
        let value = call("update-user", |client| {
            let (changes, allow_metadata_wipe) = changes(input)?;
            let changes = changes.try_into()?;
            users::update_user(
                client,
                users::UpdateUser { user_id: id(&user_id)?, changes, allow_metadata_wipe },
            )
        })?;
        Ok(user(&value))
    }

    fn delete_user(user_id: String) -> Result<(), wit::Error> {
        call("delete-user", |client| users::delete_user(client, &one_user(&user_id)?)).map(drop)
    }

    fn block_user(user_id: String) -> Result<wit::User, wit::Error> {
        call("block-user", |client| users::block_user(client, &one_user(&user_id)?)).map(|value| user(&value))
    }

    fn unblock_user(user_id: String) -> Result<wit::User, wit::Error> {
        call("unblock-user", |client| users::unblock_user(client, &one_user(&user_id)?))
            .map(|value| user(&value))
    }

    fn list_user_logs(
        user_id: String,
        input: Option<wit::ListUserLogsInput>,
    ) -> Result<wit::UserLogPage, wit::Error> {
        let (sort, page, per_page, include_totals) = match input {
            Some(input) => (input.sort, input.page, input.per_page, input.include_totals),
            None => (None, None, None, None),
        };
        let page = call("list-user-logs", |client| {
            let user_id = id(&user_id)?;
            users::list_user_logs(
                client,
                &users::ListUserLogs { user_id, sort, page, per_page, include_totals },
            )
        })?;
        Ok(wit::UserLogPage {
            items: page.each("items", Value::to_string),
            total: page.number("total"),
            next: page.next_page(),
        })
    }

    fn link_user(
        user_id: String,
        secondary: wit::SecondaryAccount,
        connection_id: Option<String>,
    ) -> Result<Vec<wit::Identity>, wit::Error> {
        let list = call("link-user", |client| {
            let connection_id = connection_id.map(|text| id(&text)).transpose()?;
            let (identity, link_with) = match secondary {
                wit::SecondaryAccount::UserId(user_id) => (
                    Some(users::SecondaryIdentity { provider: None, user_id: id(&user_id)?, connection_id }),
                    None,
                ),
                wit::SecondaryAccount::LinkWith(token) if connection_id.is_none() => (None, Some(token)),
                wit::SecondaryAccount::LinkWith(_) => {
                    return Err(Error::invalid("connection-id beside link-with refused: the token names it"));
                }
            };
            users::link_user(client, &users::LinkUser { user_id: id(&user_id)?, identity, link_with })
        })?;
        Ok(list.each("items", identity))
    }

    fn unlink_identity(user_id: String, target: wit::IdentityRef) -> Result<Vec<wit::Identity>, wit::Error> {
        let list = call("unlink-identity", |client| {
            let input = users::UnlinkIdentity {
                user_id: id(&user_id)?,
                provider: id(&target.provider)?,
                identity_user_id: id(&target.user_id)?,
            };
            users::unlink_identity(client, &input)
        })?;
        Ok(list.each("items", identity))
    }

    fn get_user_blocks(target: wit::BlockTarget) -> Result<Vec<wit::UserBlock>, wit::Error> {
        let blocks =
            call("get-user-blocks", |client| users::get_user_blocks(client, &block_target(&target)?))?;
        Ok(blocks.each("blocked_for", |block| wit::UserBlock {
            identifier: block.text("identifier"),
            ip: block.text("ip"),
            connection: block.text("connection"),
        }))
    }

    fn clear_user_blocks(target: wit::BlockTarget) -> Result<(), wit::Error> {
        call("clear-user-blocks", |client| users::clear_user_blocks(client, &block_target(&target)?))
            .map(drop)
    }

    fn send_verification_email(
        user_id: String,
        input: Option<wit::VerificationEmailInput>,
    ) -> Result<wit::Job, wit::Error> {
        let (client_id, identity, organization_id) = match input {
            Some(input) => (input.client_id, input.identity, input.organization_id),
            None => (None, None, None),
        };
        let job = call("send-verification-email", |client| {
            let user_id = id(&user_id)?;
            let identity = identity.as_ref().map(identity_ref).transpose()?;
            let input = messages::SendVerificationEmail { user_id, client_id, identity, organization_id };
            messages::send_verification_email(client, &input)
        })?;
        Ok(wit::Job {
            id: job.text("id"),
            kind: job.text("type"),
            status: job.text("status"),
            created_at: job.text("created_at"),
            raw: job.to_string(),
        })
    }

    fn create_email_verification_ticket(
        user_id: String,
        input: Option<wit::EmailVerificationTicketInput>,
    ) -> Result<String, wit::Error> {
        let ticket = call("create-email-verification-ticket", |client| {
            let user_id = id(&user_id)?;
            let input = match input {
                Some(input) => messages::CreateEmailVerificationTicket {
                    user_id,
                    result_url: input.result_url,
                    client_id: input.client_id,
                    organization_id: input.organization_id,
                    ttl_sec: input.ttl_sec,
                    include_email_in_redirect: input.include_email_in_redirect,
                    identity: input.identity.as_ref().map(identity_ref).transpose()?,
                },
                None => messages::CreateEmailVerificationTicket {
                    user_id,
                    result_url: None,
                    client_id: None,
                    organization_id: None,
                    ttl_sec: None,
                    include_email_in_redirect: None,
                    identity: None,
                },
            };
            messages::create_email_verification_ticket(client, &input)
        })?;
        Ok(ticket.text("ticket").unwrap_or_default())
    }

    fn create_password_change_ticket(input: wit::PasswordChangeTicketInput) -> Result<String, wit::Error> {
        let ticket = call("create-password-change-ticket", |client| {
            let input = messages::CreatePasswordChangeTicket {
                user_id: input.user_id.map(|text| id(&text)).transpose()?,
                connection_id: input.connection_id.map(|text| id(&text)).transpose()?,
                email: input.email,
                result_url: input.result_url,
                client_id: input.client_id,
                organization_id: input.organization_id,
                ttl_sec: input.ttl_sec,
                identity: input.identity.as_ref().map(identity_ref).transpose()?,
                mark_email_as_verified: input.mark_email_as_verified,
                include_email_in_redirect: input.include_email_in_redirect,
            };
            messages::create_password_change_ticket(client, &input)
        })?;
        Ok(ticket.text("ticket").unwrap_or_default())
    }

    fn send_password_reset_email(input: wit::PasswordResetEmailInput) -> Result<String, wit::Error> {
        let input = messages::SendPasswordResetEmail {
            email: input.email,
            connection: input.connection,
            client_id: input.client_id,
            organization: input.organization,
        };
        let answer =
            call("send-password-reset-email", |client| messages::send_password_reset_email(client, &input))?;
        Ok(answer.text("message").unwrap_or_default())
    }

    fn create_mfa_enrollment_ticket(
        input: wit::MfaEnrollmentTicketInput,
    ) -> Result<wit::MfaEnrollmentTicket, wit::Error> {
        let ticket = call("create-mfa-enrollment-ticket", |client| {
            let input = messages::CreateMfaEnrollmentTicket {
                user_id: id(&input.user_id)?,
                email: input.email,
                send_mail: input.send_mail,
                email_locale: input.email_locale,
                factor: input.factor,
                allow_multiple_enrollments: input.allow_multiple_enrollments,
            };
            messages::create_mfa_enrollment_ticket(client, &input)
        })?;
        Ok(wit::MfaEnrollmentTicket {
            ticket_id: ticket.text("ticket_id").unwrap_or_default(),
            ticket_url: ticket.text("ticket_url").unwrap_or_default(),
        })
    }

    fn reset_user_mfa(user_id: String) -> Result<(), wit::Error> {
        call("reset-user-mfa", |client| messages::reset_user_mfa(client, &one_user(&user_id)?)).map(drop)
    }
}
