//! Glue of `connections`.

use serde_json::Value;

use super::bindings::exports::auth0::management::connections as wit;
use super::{Connector, Read, call, fields, id, selection};
use auth0_connector::actions::connections;

fn connection(value: &Value) -> wit::Connection {
    wit::Connection {
        id: value.text("id"),
        name: value.text("name"),
        strategy: value.text("strategy"),
        display_name: value.text("display_name"),
        raw: value.to_string(),
    }
}

impl wit::Guest for Connector {
    fn list_connections(input: wit::ListConnectionsInput) -> Result<wit::ConnectionPage, wit::Error> {
        let input = connections::ListConnections {
            strategy: input.strategy,
            name: input.name,
            fields: fields(input.fields),
            include_fields: input.include_fields,
            page: input.page,
            per_page: input.per_page,
            include_totals: input.include_totals,
            from: input.from,
            take: input.take,
        };
        let page = call("list-connections", |client| connections::list_connections(client, input))?;
        Ok(wit::ConnectionPage {
            items: page.each("items", connection),
            total: page.number("total"),
            next: page.next_cursor(),
        })
    }

    fn get_connection(
        connection_id: String,
        fields: Option<wit::FieldSelection>,
    ) -> Result<wit::Connection, wit::Error> {
        let (fields, include_fields) = selection(fields);
        let value = call("get-connection", |client| {
            let connection_id = id(&connection_id)?;
            let input = connections::GetConnection { connection_id, fields, include_fields };
            connections::get_connection(client, &input)
        })?;
        Ok(connection(&value))
    }
}
