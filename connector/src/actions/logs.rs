//! The tenant's log.

use schemars::JsonSchema;
use serde_json::Value;

use super::Fields;
use crate::catalog::{Action, Effect, need, parse};
use crate::client::Client;
use crate::core::error::{Error, Problem};
use crate::core::id::LogId;
use crate::core::paging::{Checkpoint, Offset, Wall, cursor_of_link, read_page, set};
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape, input};
use crate::input::members;

const WALL: Wall = Wall::At1000(
    "go on by checkpoint: give `from` (the log_id of the oldest row you want to begin after) and `take`, or narrow \
     `q` by date, such as 'date:[2026-01-01 TO 2026-01-02]'",
);

/// Input of `list-logs`.
#[derive(Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ListLogs {
    /// Query, such as `type:fp AND date:[2026-01-01 TO *]`; all fields are case-sensitive. Excludes from and take.
    pub q: Option<String>,
    /// One field and a direction: `date:1`. Excludes from and take.
    pub sort: Option<String>,
    /// Fields to answer. Excludes from and take.
    pub fields: Option<Fields>,
    /// True (default): only `fields`. False: all but these.
    pub include_fields: Option<bool>,
    /// Page, from 0. Reaches 1000 rows; excludes from and take.
    pub page: Option<u32>,
    /// Page size, 0 to 100; 50 by default. Excludes from and take.
    #[schemars(range(max = 100))]
    pub per_page: Option<u32>,
    /// Checkpoint: the log_id after which to begin; rows come oldest first.
    pub from: Option<String>,
    /// Checkpoint: page size, 1 to 100; 50 by default.
    #[schemars(range(min = 1, max = 100))]
    pub take: Option<u32>,
}

members!(ListLogs { q, sort, fields, include_fields, page, per_page, from, take });

/// Input of `get-log`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct GetLog {
    /// The log_id of the row.
    pub log_id: LogId,
}

members!(GetLog { log_id });

/// Lists rows of the log.
///
/// # Errors
/// As the contract's `logs.list-logs`.
pub fn list_logs(client: &mut Client<'_>, input: ListLogs) -> Result<Value, Error> {
    let request = Request::api(Method::Get, &ApiPath::of(&["logs"]));
    if input.from.is_none() && input.take.is_none() {
        let offset = Offset::new(input.page, input.per_page, None, WALL)?;
        let request = request.maybe("q", input.q.as_ref()).maybe("sort", input.sort.as_ref());
        let request = Fields::apply(input.fields.as_ref(), input.include_fields, request)?;
        return read_page(client.json(&offset.apply(request))?, "logs", offset);
    }
    if input.q.is_some()
        || input.sort.is_some()
        || input.fields.is_some()
        || input.include_fields.is_some()
        || input.page.is_some()
        || input.per_page.is_some()
    {
        return Err(Error::invalid(
            "a checkpoint with search parameters refused: Auth0 ignores `q`, `sort`, `fields`, `page` and `per_page` \
             beside `from` and `take`; give one or the other",
        ));
    }
    list_by_checkpoint(client, &Checkpoint::new(input.from, input.take)?, &request)
}

fn list_by_checkpoint(
    client: &mut Client<'_>,
    checkpoint: &Checkpoint,
    request: &Request,
) -> Result<Value, Error> {
    let response = client.send(&checkpoint.apply(request.clone()))?;
    let rows = response.json().map_err(|error| {
        Error::Other(Problem::new(format!(
            "the tenant answered the log with a body that is not JSON: {error}"
        )))
    })?;
    // The next cursor is in the Link header; where a proxy has taken that away, the newest row's id serves as well,
    // and where nothing is new the poller keeps the cursor it has.
    let last = rows
        .as_array()
        .and_then(|rows| rows.last())
        .and_then(|row| row.get("log_id"))
        .and_then(Value::as_str);
    let next = response
        .header("link")
        .and_then(cursor_of_link)
        .or_else(|| last.map(str::to_owned))
        .or_else(|| checkpoint.from().map(str::to_owned));
    let mut list = super::list(rows)?;
    if let Some(next) = next {
        set(&mut list, "next", next.into());
    }
    Ok(list)
}

/// Gets one row of the log.
///
/// # Errors
/// As the contract's `logs.get-log`.
pub fn get_log(client: &mut Client<'_>, input: &GetLog) -> Result<Value, Error> {
    client.json(&Request::api(Method::Get, &ApiPath::of(&["logs", input.log_id.as_str()])))
}

/// A row of the log, as far as its shape is known.
pub const EVENT: Shape = Shape(&[
    ("log_id", Kind::Text, "Id of the row; ids grow with time and serve as cursor"),
    ("date", Kind::Time, "When it happened"),
    ("type", Kind::Text, "Event code, such as s, fp, sapi"),
    ("description", Kind::Text, "What happened"),
    ("user_id", Kind::Text, "The user it is about"),
    ("user_name", Kind::Text, "Name or address of that user"),
    ("client_id", Kind::Text, "The application it came from"),
    ("client_name", Kind::Text, "Name of that application"),
    ("connection", Kind::Text, "Connection"),
    ("ip", Kind::Text, "Address it came from"),
    ("user_agent", Kind::Text, "Program it came from"),
    ("details", Kind::Bag, "What was asked and answered; its shape depends on the type"),
]);

/// The family's lines of the table.
pub const ACTIONS: &[Action] = &[
    Action {
        id: "list-logs",
        title: "List log events",
        description: "Lists rows of the tenant's log: by search (q, newest first, at most 1000 rows) or by checkpoint \
                      (from and take, oldest first, any number). The checkpoint's next is there also when nothing is new: \
                      keep it and ask again. Rows appear seconds to minutes after the event.",
        group: "logs",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /logs"],
        personal: true,
        scopes: &[need(&["read:logs", "read:logs_users"])],
        input: input::<ListLogs>,
        output: Output::Cursor(&EVENT),
        run: |client, value| list_logs(client, parse(value)?),
    },
    Action {
        id: "get-log",
        title: "Get a log event",
        description: "Gets one row of the tenant's log. Ends with missing where there is none or it is no longer kept.",
        group: "logs",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /logs/{id}"],
        personal: true,
        scopes: &[need(&["read:logs", "read:logs_users"])],
        input: input::<GetLog>,
        output: Output::One(&EVENT),
        run: |client, value| get_log(client, &parse(value)?),
    },
];
