//! The table of secret members for people: `docs/secret-fields.md`.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{Everywhere, Operation, Secrets, secrets::UNDOCUMENTED};

const HEAD: &str = "\
<!-- Written by `cargo xtask reference`: edit catalog/secrets.toml instead. -->

# Secrets in answers

Which members of the tenant's answers the host takes for secrets, from `catalog/secrets.toml` and `catalog/operations/`.
What becomes of them: [credentials.md](credentials.md#secrets-that-the-tenant-makes).

A name is a member of that name at any depth; `a.b` is `b` anywhere below `a`; `a.*` is each member of `a`, `a.*!b` each
but `b`; `a:text` is `a` where it is no object and no list with one. **New** are those that the answer makes and nobody
else has: as members of the answer itself they go into the secret sink. All others are shown, and shown again to whoever
asks: a handle stands in their place, and they go nowhere.
";

const UNKNOWN: &str = "\
## Answers that nobody has documented

In the answers to requests that the table of operations does not have, in one reading of their path at least, and to
these requests, members of these names are taken for secrets that are shown, whatever the method: what such a request
makes cannot be told from what it shows, and does not go into the sink.
";

const EVERYWHERE: &str = "\
## Every answer

Whatever request an answer is to, members of these names are taken for secrets in it, at any depth; in refusals too. They
are shown; what an answer makes is below.
";

/// Writes the table.
pub fn secret_table(operations: &[Operation], undocumented: &[String], everywhere: &Everywhere) -> String {
    let mut things: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in operations.iter().filter(|operation| !operation.secrets.of.is_empty()) {
        things.entry(&operation.secrets.of).or_default().push(operation);
    }
    let unknown = things.remove(UNDOCUMENTED).unwrap_or_default();
    let mut page = format!("{HEAD}\n{EVERYWHERE}\n{}\n", list(&everywhere.members));
    page.push_str("\n| not in answers to | below | because |\n|---|---|---|\n");
    for exception in &everywhere.except {
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| {} | {} | {} |",
            list(&exception.requests),
            list(&exception.below),
            exception.reason
        );
    }
    for (name, operations) in things {
        let members =
            operations.first().map(|operation| operation.secrets.members.as_slice()).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = write!(
            page,
            "\n## {name}\n\n{}\n\n| request | handle, up to the member | new |\n|---|---|---|\n",
            list(members)
        );
        for Operation { method, path, secrets, .. } in operations {
            let _ = writeln!(page, "| `{method} {path}` | `{}` | {} |", secrets.handle, new(secrets));
        }
    }
    let _ = write!(page, "\n{UNKNOWN}\n{}\n\n", list(undocumented));
    for Operation { method, path, .. } in unknown {
        let _ = writeln!(page, "- `{method} {path}`");
    }
    page
}

fn list(members: &[String]) -> String {
    members.iter().map(|member| format!("`{member}`")).collect::<Vec<_>>().join(", ")
}

fn new(secrets: &Secrets) -> String {
    let Secrets { made, may_make, only_with, .. } = secrets;
    if may_make.is_empty() {
        return list(made);
    }
    let when =
        only_with.as_ref().map_or("sometimes".to_owned(), |word| format!("where the request says `{word}`"));
    format!("{}, {when}", list(may_make))
}
