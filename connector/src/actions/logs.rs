//! The tenant's log.

use serde_json::Value;

use super::{Fields, list};
use crate::action::{About, Action, CuratedAction, Effect};
use crate::client::Client;
use crate::core::error::{Code, Error};
use crate::core::id::LogId;
use crate::core::paging::{cursor_of_link, items, listed};
use crate::core::path::ApiPath;
use crate::core::request::{Method, Request};
use crate::core::schema::{Kind, Output, Shape};
use crate::core::scope::need;
use crate::input::input;
use crate::list::{Part, Way};
use crate::operations::Paging;

/// How to go on in a search beyond the 1000th row.
const BEYOND: &str = "go on from a row: give `from` (the log_id of the oldest row to begin after), or narrow `q` by date, \
                      such as 'date:[2026-01-01 TO 2026-01-02]'";

fn list_by_checkpoint(
    client: &mut Client<'_>,
    from: Option<String>,
    take: usize,
    request: Request,
) -> Result<Value, Error> {
    let response = client.send(&request.maybe("from", from.as_deref()).query("take", &take.to_string()))?;
    let rows = response.json().map_err(|error| {
        Error::new(
            Code::UnexpectedAnswer,
            format!("the tenant answered the log with a body that is not JSON: {error}"),
        )
    })?;
    let rows = items(rows, "logs")?;
    // The next cursor is in the Link header; where a proxy has taken that away, the newest row's id serves as well.
    let last = rows.last().and_then(|row| row.get("log_id")).and_then(Value::as_str).map(str::to_owned);
    let next = response.header("link").and_then(cursor_of_link).or(last);
    if !rows.is_empty() && next.is_some() && next == from {
        return Err(Error::new(Code::UnexpectedAnswer, "the tenant's cursor does not move"));
    }
    // Where nothing is new the poller keeps the cursor it has.
    let next = next.or(from);
    Ok(listed(rows, None, next.map(Value::from)))
}

/// A row of the log, as far as its shape is known.
pub(super) const EVENT: Shape = Shape(&[
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

/// The family.
pub(super) const ACTIONS: &[Action] = &[Action::of::<ListLogs>(), Action::of::<GetLog>()];

input! {
    /// Input of `list-logs`.
    #[derive(Default)]
    pub(super) struct ListLogs {
        /// Query, such as `type:fp AND date:[2026-01-01 TO *]`; all fields are case-sensitive. Excludes from.
        pub(super) q: Option<String>,
        /// One field and a direction: `date:1`. Excludes from.
        pub(super) sort: Option<String>,
        /// Fields to answer. Excludes from.
        pub(super) fields: Option<Fields>,
        /// True (default): only `fields`. False: all but these.
        pub(super) include_fields: Option<bool>,
        /// Begin after this row, oldest first: its log_id.
        pub(super) from: Option<String>,
        /// Number of rows, 1 to 100; 50 by default.
        #[schemars(range(min = 1, max = 100))]
        pub(super) limit: Option<u32>,
        /// Where to go on: `next` of the previous page.
        pub(super) cursor: Option<String>,
        /// Auth0's own paging: page, from 0. Reaches 1000 rows; excludes all other paging but per_page.
        pub(super) page: Option<u32>,
        /// Auth0's own paging: page size, 0 to 100; 50 by default. Excludes all other paging but page.
        #[schemars(range(max = 100))]
        pub(super) per_page: Option<u32>,
        /// Auth0's own paging: number of rows after from, 1 to 100. Excludes limit.
        #[schemars(range(min = 1, max = 100))]
        pub(super) take: Option<u32>,
    }
}

impl CuratedAction for ListLogs {
    const ABOUT: About = About {
        id: "list-logs",
        title: "List log events",
        description: "Lists rows of the tenant's log: by search (q, newest first, the first 1000 rows), or from one row on (from, \
                      oldest first, without end). After from, next is there also when nothing is new: keep it and ask \
                      again. Rows appear seconds to minutes after the event.",
        group: "logs",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /logs"],
        handles_personal_data: true,
        scopes: &[need(&["read:logs", "read:logs_users"])],
        output: Output::Page(&EVENT, Paging::Either),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        let Self { q, sort, fields, include_fields, from, limit, cursor, page, per_page, take } = self;
        let request = Request::api(Method::Get, &ApiPath::of(&["logs"]));
        let beyond = || BEYOND.to_owned();
        let list = list(&Self::ABOUT, "logs", &beyond);
        let on_from_row = cursor.as_deref().is_some_and(|cursor| !list.is_numbered(cursor));
        if from.is_none() && take.is_none() && !on_from_row {
            let way = match (Part { limit, cursor, page, per_page, ..Part::default() }).way(&list)? {
                // Where nothing says otherwise: the search, newest first.
                Way::Checkpoint { take, .. } => Way::Offset { first: 0, limit: take, totals: false },
                way => way,
            };
            let request = request.maybe("q", q.as_ref()).maybe("sort", sort.as_ref());
            let request = Fields::apply(fields.as_ref(), include_fields, request)?;
            return list.read(client, &request, way);
        }
        let search = q.is_some() || sort.is_some() || fields.is_some() || include_fields.is_some();
        if search || page.is_some() || per_page.is_some() {
            return Err(Error::invalid(
                "a mixture of a search and rows from one on refused: give `from` (or the `next` of such a page as \
                 `cursor`) and `limit`, without `q`, `sort`, `fields`, `page` and `per_page`, which Auth0 would ignore",
            ));
        }
        if take.is_some() && limit.is_some() {
            return Err(Error::invalid("`take` beside `limit` refused: give one of them"));
        }
        if cursor.is_some() && !on_from_row {
            return Err(Error::invalid(
                "the `cursor` of a search beside `from` or `take` refused: give the `next` of the page before",
            ));
        }
        // `next` goes on where the first page began with `from`.
        let part = Part { from: cursor.or(from), take: take.or(limit), ..Part::default() };
        match part.way(&list)? {
            Way::Checkpoint { from, take } => list_by_checkpoint(client, from, take, request),
            way => list.read(client, &request, way),
        }
    }
}

input! {
    /// Input of `get-log`.
    struct GetLog {
        /// The log_id of the row.
        log_id: LogId,
    }
}

impl CuratedAction for GetLog {
    const ABOUT: About = About {
        id: "get-log",
        title: "Get a log event",
        description: "Gets one row of the tenant's log. `not-found` where there is none or it is no longer kept.",
        group: "logs",
        effect: Effect::Read,
        idempotent: true,
        requests: &["GET /logs/{id}"],
        handles_personal_data: true,
        scopes: &[need(&["read:logs", "read:logs_users"])],
        output: Output::One(&EVENT),
    };

    fn run(self, client: &mut Client<'_>) -> Result<Value, Error> {
        client.json(&Request::api(Method::Get, &ApiPath::of(&["logs", self.log_id.as_str()])))
    }
}
