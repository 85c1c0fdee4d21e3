//! Glue of `applications`.

use serde_json::Value;

use super::bindings::exports::auth0::management::applications as wit;
use super::{Connector, Read, call, fields, id, selection};
use auth0_connector::actions::{applications, secrets};

fn application(value: &Value) -> wit::Application {
    wit::Application {
        client_id: value.text("client_id"),
        name: value.text("name"),
        description: value.text("description"),
        app_type: value.text("app_type"),
        is_first_party: value.flag("is_first_party"),
        client_metadata: value.bag("client_metadata"),
        raw: value.to_string(),
    }
}

fn secret_age(value: &Value) -> wit::SecretAge {
    let state = match value.get("state").and_then(Value::as_str) {
        Some("fresh") => wit::Freshness::Fresh,
        Some("stale") => wit::Freshness::Stale,
        _ => wit::Freshness::Unknown,
    };
    let evidence = match value.pointer("/evidence/source").and_then(Value::as_str) {
        Some("stamp") => wit::Evidence::Stamp,
        Some("credential") => wit::Evidence::Credential,
        Some("log") => wit::Evidence::Log,
        _ => wit::Evidence::Nothing,
    };
    wit::SecretAge {
        client_id: value.text("client_id").unwrap_or_default(),
        name: value.text("name"),
        state,
        evidence,
        rotated_at: value.text("rotated_at"),
        age_days: value.number("age_days").and_then(|days| u32::try_from(days).ok()),
        evidence_detail: value.pointer("/evidence/detail").map(Value::to_string),
    }
}

impl wit::Guest for Connector {
    fn list_applications(input: wit::ListApplicationsInput) -> Result<wit::ApplicationPage, wit::Error> {
        let input = applications::ListApplications {
            app_type: fields(input.app_type),
            is_first_party: input.is_first_party,
            is_global: input.is_global,
            fields: fields(input.fields),
            include_fields: input.include_fields,
            page: input.page,
            per_page: input.per_page,
            include_totals: input.include_totals,
            from: input.from,
            take: input.take,
        };
        let page = call("list-applications", |client| applications::list_applications(client, input))?;
        Ok(wit::ApplicationPage {
            items: page.each("items", application),
            total: page.number("total"),
            next: page.next_cursor(),
        })
    }

    fn get_application(
        client_id: String,
        fields: Option<wit::FieldSelection>,
    ) -> Result<wit::Application, wit::Error> {
        let (fields, include_fields) = selection(fields);
        let value = call("get-application", |client| {
            let client_id = id(&client_id)?;
            let input = applications::GetApplication { client_id, fields, include_fields };
            applications::get_application(client, &input)
        })?;
        Ok(application(&value))
    }

    fn rotate_client_secret(
        client_id: String,
        stamp: Option<bool>,
    ) -> Result<wit::RotatedSecret, wit::Error> {
        let value = call("rotate-client-secret", |client| {
            let input = applications::RotateClientSecret { client_id: id(&client_id)?, stamp };
            applications::rotate_client_secret(client, &input)
        })?;
        let stamp_problem = value.pointer("/stamp_error/message").and_then(Value::as_str).map(str::to_owned);
        Ok(wit::RotatedSecret {
            client_id: value.text("client_id").unwrap_or(client_id),
            client_secret: value.text("client_secret").unwrap_or_default(),
            stamped: stamp != Some(false) && stamp_problem.is_none(),
            stamp_problem,
            raw: value.to_string(),
        })
    }

    fn find_stale_secrets(
        input: Option<wit::StaleSecretsInput>,
    ) -> Result<wit::StaleSecretsReport, wit::Error> {
        let (older_than_days, include_public) =
            input.map_or((None, None), |input| (input.older_than_days, input.include_public));
        let input = secrets::FindStaleSecrets { older_than_days, include_public };
        let list = call("find-stale-secrets", |client| secrets::find_stale_secrets(client, &input))?;
        Ok(wit::StaleSecretsReport {
            items: list.each("items", secret_age),
            older_than_days: list
                .number("older_than_days")
                .and_then(|days| u32::try_from(days).ok())
                .unwrap_or_default(),
            log_note: list.text("log_note"),
        })
    }
}
