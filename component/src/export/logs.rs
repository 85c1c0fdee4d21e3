//! Glue of `logs`.

use serde_json::Value;

use super::bindings::exports::auth0::management::logs as wit;
use super::{Connector, Read, call, fields, id};
use auth0_connector::actions::logs;

fn event(value: &Value) -> wit::LogEvent {
    wit::LogEvent {
        log_id: value.text("log_id"),
        date: value.text("date"),
        type_: value.text("type"),
        description: value.text("description"),
        user_id: value.text("user_id"),
        user_name: value.text("user_name"),
        client_id: value.text("client_id"),
        client_name: value.text("client_name"),
        connection: value.text("connection"),
        ip: value.text("ip"),
        raw: value.to_string(),
    }
}

impl wit::Guest for Connector {
    fn list_logs(input: wit::ListLogsInput) -> Result<wit::LogPage, wit::Error> {
        let input = logs::ListLogs {
            q: input.q,
            sort: input.sort,
            fields: fields(input.fields),
            include_fields: input.include_fields,
            page: input.page,
            per_page: input.per_page,
            from: input.from,
            take: input.take,
        };
        let page = call("list-logs", |client| logs::list_logs(client, input))?;
        Ok(wit::LogPage { items: page.each("items", event), next: page.next_cursor() })
    }

    fn get_log(log_id: String) -> Result<wit::LogEvent, wit::Error> {
        let row = call("get-log", |client| logs::get_log(client, &logs::GetLog { log_id: id(&log_id)? }))?;
        Ok(event(&row))
    }
}
