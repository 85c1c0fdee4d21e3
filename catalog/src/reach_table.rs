//! The table of reach for people: `docs/reach.md`.

use std::fmt::Write as _;

use crate::{Operation, Reach};

const HEAD: &str = "\
<!-- Written by `cargo xtask reference`: edit catalog/reach.toml instead. -->

# Reach

What requests of the Management API can do beyond what they say, from `catalog/reach.toml`. The host judges each request
by its method, path and body, whatever the action that sends it. [Policies](policy.md#reach) deny requests by reach, and
[agents](mcp.md#consent) are held up by it.

Where members are listed, a body without them has not this reach. A body that is not JSON, a member that is in none of
these lists and in no list of harmless ones, and a writing request that the table does not have count as everything.

An operation that reads has no reach: ";

/// Writes the table.
pub fn reach_table(operations: &[Operation]) -> String {
    let mut page = HEAD.to_owned();
    let read = operations.iter().find(|operation| operation.method == "GET");
    page += read.and_then(|operation| operation.reach.first()).map_or("", |judgement| &judgement.reason);
    page += ".\n";
    let headings = Reach::ALL.map(|reach| (Some(reach), reach.as_str()));
    for (reach, heading) in headings.into_iter().chain([(None, "None")]) {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {heading}\n\n| request | members | since |\n|---|---|---|\n");
        for operation in operations.iter().filter(|operation| operation.method != "GET" || reach.is_some()) {
            for judgement in operation.reach.iter().filter(|judgement| judgement.reach == reach) {
                let members: Vec<_> = judgement.members.iter().map(|member| format!("`{member}`")).collect();
                let Operation { method, path, .. } = operation;
                let _ =
                    writeln!(page, "| `{method} {path}` | {} | {} |", members.join(", "), judgement.reason);
            }
        }
    }
    page
}
