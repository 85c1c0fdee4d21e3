//! Every operation of the Management API as an action, made from a table.
//!
//! An operation takes the parameters of its path and query and the members of its body side by side in one JSON
//! object, checked against the table before anything is sent. A list takes `limit` and `cursor` instead of what its own
//! paging is called. Nothing here knows a single operation by name: what one needs that others do not is in the table
//! (`catalog/operations`).

mod answer;
pub(crate) mod check;
mod describe;
mod events;
mod input;
mod list;
mod multipart;
mod operation;
mod run;
mod schema;
mod table;

pub(crate) use answer::object;
pub(crate) use check::found;
pub use describe::description;
pub use operation::{Answer, Operation, Paging, Stage};
pub(crate) use operation::{Format, Kind};
pub use run::run;
pub use schema::{input as input_schema, output as output_schema};
pub use table::{all, find, names};
