//! What an operation does, in sentences made from the table.

use super::operation::{Answer, Operation, Paging, Stage};
use crate::catalog::Effect;

/// Describes an operation.
pub fn description(operation: &Operation) -> String {
    let Operation { title, method, path, note, .. } = operation;
    let mut sentences = vec![format!("{title}: sends {} /api/v2{path}.", method.as_str())];
    if !note.is_empty() {
        sentences.push((*note).to_owned());
    }
    if !operation.whole {
        let parts = if method.is_safe() { "`query`" } else { "`query` and `body`" };
        sentences.push(format!(
            "Only its path, scopes and stage are known here: give {parts} as Auth0's documentation says."
        ));
    }
    match operation.answer {
        Answer::Rows(_) => sentences.push(paged(operation.paging).to_owned()),
        Answer::Events => sentences.push(
            "Waits for events until `limit` have come, none has come for two seconds after the last, or the call's time is \
             over. `next` is where to go on; keep it also when nothing came."
                .to_owned(),
        ),
        _ => {}
    }
    match operation.effect {
        Effect::Delete => sentences.push("Cannot be undone.".to_owned()),
        Effect::Send => sentences.push("Sends a message.".to_owned()),
        Effect::Read | Effect::Create | Effect::Update => {}
    }
    match operation.stage {
        Stage::Ea => {
            sentences.push("Early access: a tenant that does not have it answers forbidden.".to_owned())
        }
        Stage::Beta => sentences.push("Beta: it may change or go.".to_owned()),
        Stage::Ga | Stage::Unknown => {}
    }
    sentences.join(" ")
}

fn paged(paging: Paging) -> &'static str {
    match paging {
        Paging::Offset => {
            "Reaches the first 1000 records; beyond, it ends with invalid-input that says how to go on."
        }
        Paging::Checkpoint | Paging::Either => "Reads on by the `next` of the previous page, without end.",
        Paging::None => "The tenant answers all of it at once.",
    }
}
