//! The faults, and what each kind of request makes of them: the table of docs/errors.md.

use auth0_emulator::FaultKind;
use auth0_host::ErrorCode;

use super::plan::{Answer, Door, Step};

/// How an action ends that met the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    /// With an error of this code.
    Error(&'static str),
}

impl End {
    pub(super) fn name(self) -> String {
        match self {
            Self::Done => "done".to_owned(),
            Self::Error(code) => code.to_owned(),
        }
    }
}

/// The end, and how many requests the server saw of the one that met the fault, with one repetition allowed.
pub(super) type Cell = (End, usize);

const fn done(seen: usize) -> Cell {
    (End::Done, seen)
}

fn error(code: ErrorCode, seen: usize) -> Cell {
    (End::Error(code.known().expect("the table has known codes")), seen)
}

fn unknown(seen: usize) -> Cell {
    error(ErrorCode::OutcomeUnknown, seen)
}

fn unavailable(seen: usize) -> Cell {
    error(ErrorCode::Unavailable, seen)
}

fn unauthenticated(seen: usize) -> Cell {
    error(ErrorCode::Unauthenticated, seen)
}

/// Which attempts the fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hits {
    First,
    Each,
}

/// What has become of the request when the fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Processed {
    No,
    Yes,
}

/// A fault, and how each kind of request ends that meets it.
#[derive(Debug)]
pub(super) struct Row {
    /// Its name on the page.
    pub(super) name: &'static str,
    pub(super) kind: FaultKind,
    pub(super) hits: Hits,
    pub(super) processed: Processed,
    /// It lasts for longer than the call.
    pub(super) outlasts: bool,
    read: Cell,
    /// PUT and DELETE.
    repeatable: Cell,
    /// POST and PATCH.
    once: Cell,
    mail: Cell,
}

impl Row {
    /// How an action ends whose request is this one, and how often the server sees it.
    pub(super) fn expected(&self, step: &Step) -> Cell {
        let of_body = matches!(self.kind, FaultKind::Truncate | FaultKind::SlowBody { .. });
        let bodiless = match step.answer {
            Answer::NoContent => of_body,
            // The emulator cannot cut nothing, and sends `{}` to cut it.
            Answer::Empty => matches!(self.kind, FaultKind::SlowBody { .. }),
            Answer::Read | Answer::Ignored => false,
        };
        if bodiless || (self.kind == FaultKind::Malformed && step.answer != Answer::Read) {
            return done(1);
        }
        let cell = match (step.door, step.method()) {
            (Door::Mail, _) => self.mail,
            (_, "GET") => self.read,
            (_, "PUT" | "DELETE") => self.repeatable,
            _ => self.once,
        };
        match self.kind {
            // No token was refused, so no other is fetched.
            FaultKind::ExpiredToken | FaultKind::RevokedToken if step.door == Door::Open => {
                unauthenticated(1)
            }
            // What the first one did, the second one does not find.
            _ if step.gone_after && self.hits == Hits::First && self.processed == Processed::Yes => {
                unknown(2)
            }
            _ => cell,
        }
    }

    /// How often a write takes place of which the server saw so many.
    pub(super) fn writes(&self, step: &Step, seen: usize) -> usize {
        let writes = match (self.hits, self.processed) {
            (Hits::Each, Processed::No) => 0,
            (Hits::First, Processed::No) => seen - 1,
            (_, Processed::Yes) => seen,
        };
        match step.method() {
            "GET" => 0,
            _ if step.gone_after => writes.min(1),
            _ => writes,
        }
    }

    /// The row as it stands on the page.
    pub(super) fn markdown(&self) -> String {
        let cell = |(end, seen): Cell| match (end, seen) {
            (End::Done, 1) => "done".to_owned(),
            (End::Done, _) => "done, at the second".to_owned(),
            (End::Error(code), 1) => format!("`{code}`"),
            (End::Error(code), _) => format!("`{code}`, after the second"),
        };
        let cells = [self.read, self.repeatable, self.once, self.mail].map(cell);
        format!("| {} | {} |", self.name, cells.join(" | "))
    }
}

fn status(status: u16, after_processing: bool) -> FaultKind {
    FaultKind::Status { status, body: None, retry_after: None, after_processing }
}

fn too_many(retry_after: Option<u32>, reset_in: Option<u32>) -> FaultKind {
    FaultKind::TooManyRequests { retry_after, reset_in }
}

/// The time that a 429 asks for where it asks for more than the call has.
pub(super) const LONG_WAIT_S: u32 = 3600;

/// All faults that strike a request which has reached the server.
pub(super) fn rows() -> Vec<Row> {
    use ErrorCode::{RateLimited, UnexpectedAnswer, Unreachable};
    use Hits::{Each, First};
    use Processed::{No, Yes};

    let row = |name, kind, hits, processed, [read, repeatable, once, mail]: [Cell; 4]| Row {
        name,
        kind,
        hits,
        processed,
        outlasts: false,
        read,
        repeatable,
        once,
        mail,
    };
    let outlasting = |row: Row| Row { outlasts: true, ..row };
    let lost = [error(Unreachable, 2), unknown(2), unknown(1), unknown(1)];
    let lost_once = [done(2), done(2), unknown(1), unknown(1)];
    let cut = [unavailable(2), unknown(2), unknown(1), unknown(1)];
    let failed = cut;
    let refused = [unavailable(2), unavailable(2), unavailable(1), unknown(1)];
    let refused_once = [done(2), done(2), unavailable(1), unknown(1)];
    let all = |cell: Cell| [cell; 4];
    let token = |cell| [cell, cell, cell, unauthenticated(1)];
    vec![
        row("reset before the request was read, once", FaultKind::ResetBeforeRead, First, No, lost_once),
        row("reset before the request was read, each time", FaultKind::ResetBeforeRead, Each, No, lost),
        row(
            "reset after the request was read, not processed, once",
            FaultKind::ResetAfterReadUnprocessed,
            First,
            No,
            lost_once,
        ),
        row(
            "reset after the request was read, not processed, each time",
            FaultKind::ResetAfterReadUnprocessed,
            Each,
            No,
            lost,
        ),
        row("reset after the request was processed, once", FaultKind::ResetAfterRead, First, Yes, lost_once),
        row("reset after the request was processed, each time", FaultKind::ResetAfterRead, Each, Yes, lost),
        row("answer cut in its body, once", FaultKind::Truncate, First, Yes, lost_once),
        row("answer cut in its body, each time", FaultKind::Truncate, Each, Yes, cut),
        row(
            "answer is not JSON",
            FaultKind::Malformed,
            Each,
            Yes,
            [error(UnexpectedAnswer, 1), unknown(1), unknown(1), done(1)],
        ),
        row("body comes slowly", FaultKind::SlowBody { ms_per_chunk: 20 }, Each, Yes, all(done(1))),
        outlasting(row(
            "body does not end before the deadline",
            FaultKind::SlowBody { ms_per_chunk: 600_000 },
            Each,
            Yes,
            [unavailable(1), unknown(1), unknown(1), unknown(1)],
        )),
        outlasting(row(
            "no answer before the deadline",
            FaultKind::Delay { ms: 600_000 },
            Each,
            Yes,
            [error(Unreachable, 1), unknown(1), unknown(1), unknown(1)],
        )),
        row("429, wait within the deadline, once", too_many(Some(1), None), First, No, all(done(2))),
        row("429 without a wait, each time", too_many(Some(0), None), Each, No, all(error(RateLimited, 2))),
        row(
            "429, `Retry-After` beyond the deadline",
            too_many(Some(LONG_WAIT_S), None),
            Each,
            No,
            all(error(RateLimited, 1)),
        ),
        row(
            "429, `x-ratelimit-reset` beyond the deadline",
            too_many(None, Some(LONG_WAIT_S)),
            Each,
            No,
            all(error(RateLimited, 1)),
        ),
        row("500 instead of processing, each time", status(500, false), Each, No, failed),
        row("500 after processing, each time", status(500, true), Each, Yes, failed),
        row("502 instead of processing, once", status(502, false), First, No, lost_once),
        row("502 instead of processing, each time", status(502, false), Each, No, failed),
        row("502 after processing, once", status(502, true), First, Yes, lost_once),
        row("502 after processing, each time", status(502, true), Each, Yes, failed),
        row("503 instead of processing, once", status(503, false), First, No, refused_once),
        row("503 instead of processing, each time", status(503, false), Each, No, refused),
        row("503 after processing, each time", status(503, true), Each, Yes, refused),
        row("504 instead of processing, each time", status(504, false), Each, No, failed),
        row("504 after processing, each time", status(504, true), Each, Yes, failed),
        row("401 for an expired token, once", FaultKind::ExpiredToken, First, No, token(done(2))),
        row(
            "401 for an expired token, each time",
            FaultKind::ExpiredToken,
            Each,
            No,
            token(unauthenticated(2)),
        ),
        row("401 for a revoked token, once", FaultKind::RevokedToken, First, No, token(done(2))),
        row(
            "401 for a revoked token, each time",
            FaultKind::RevokedToken,
            Each,
            No,
            token(unauthenticated(2)),
        ),
    ]
}
